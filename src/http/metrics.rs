//! `GET /metrics`: the server's numbers as Prometheus text.
//!
//! What is unknown has no sample: a database that cannot be read takes its own numbers away, and no others.

use super::app::App;
use super::frontend::meter::Meter;
use super::meters::Meters;
use super::process;
use super::query;
use super::request::Request;
use super::response::Response;
use crate::clock::machine_us;
use crate::db::outbox::{self, Count, State};
use crate::db::size::Sizes;
use crate::db::writer::Writer;
use crate::error::Result;
use crate::health::{Condition, Health};
use crate::jobs::{Jobs, ReportState};
use crate::metrics::{Kind, Text};
use crate::uptime::freshness::Freshness;
use crate::uptime::interval::{Micros, SECOND};
use crate::uptime::store_state::StoreState;

/// The numbers, read now.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let mut text = Text::default();
    let mut build = text.family(Kind::Gauge, "store_monitor_build_info", "The program's version.");
    build.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    process::write(&mut text, app.site.started_at);
    let read = Stored::read(app, request);
    if let Err(error) = &read {
        app.site.note(error);
    }
    conditions(&mut text, app.site.health());
    text.gauge(
        "store_monitor_database_readable",
        "1 if the database could be read, else 0, and all numbers from it are absent.",
        Some(u8::from(read.is_ok())),
    );
    if let Ok(stored) = read {
        stored.write(&mut text);
    }
    files(&mut text, &Sizes::of(&app.site.file));
    if let Some(backups) = &app.site.backups {
        text.gauge("store_monitor_backups", "Backups in the folder.", Some(backups.count()));
        let age = |newest: Micros| (machine_us() - newest).max(0) / SECOND;
        text.gauge(
            "store_monitor_backup_age_seconds",
            "The age of the newest backup.",
            backups.newest().map(age),
        );
    }
    rows(&mut text, &app.site.meters);
    writer(&mut text, &app.site.writer);
    jobs(&mut text, app.site.jobs());
    requests(&mut text, &app.site.meters);
    frontend(&mut text, &app.site.meters.frontend);
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(Response::new(200, media_type, text.into_string().into_bytes()))
}

/// What the database says.
struct Stored {
    at: Micros,
    freshness: Freshness,
    newest: Option<Newest>,
    reports: Vec<(ReportState, i64)>,
    outbox: Vec<Count>,
}

/// What there is once there are polls.
struct Newest {
    poll: Micros,
    stores: usize,
    states: [usize; StoreState::ALL.len()],
    in_memory: usize,
}

impl Stored {
    fn read(app: &mut App, request: &Request<'_>) -> Result<Self> {
        let freshness = query::freshness(app, request)?;
        let newest = match app.newest_poll()? {
            None => None,
            Some(poll) => {
                let inputs = app.inputs(freshness.as_of)?;
                Some(Newest {
                    poll,
                    stores: inputs.fleet.stores().len(),
                    states: inputs.state_counts(freshness.as_of),
                    in_memory: inputs.history.len(),
                })
            }
        };
        Ok(Self {
            at: app.site.now.now_us(),
            freshness,
            newest,
            reports: app.report_counts()?,
            outbox: outbox::counts(app.db()?)?,
        })
    }

    fn write(&self, text: &mut Text) {
        let newest = self.newest.as_ref();
        text.gauge(
            "store_monitor_newest_poll_timestamp_seconds",
            "The instant of the newest poll, in seconds since 1970.",
            newest.map(|newest| newest.poll / SECOND),
        );
        text.gauge(
            "store_monitor_ingest_lag_seconds",
            "The machine's clock less the newest poll; less than 0 if the poll is ahead of it.",
            newest.map(|newest| (self.at - newest.poll).div_euclid(SECOND)),
        );
        text.gauge(
            "store_monitor_usual_gap_seconds",
            "The usual gap between the polls of a store.",
            newest.map(|_| self.freshness.usual_gap / SECOND),
        );
        text.gauge(
            "store_monitor_polls_are_live",
            "1 while the newest poll is within two usual gaps of the machine's clock, else 0.",
            newest.map(|_| u8::from(self.freshness.is_live())),
        );
        text.gauge(
            "store_monitor_stores",
            "Stores that any source names.",
            newest.map(|newest| newest.stores),
        );
        let help = "Stores by their state, as pages show it.";
        let mut states = text.family(Kind::Gauge, "store_monitor_store_states", help);
        for (state, count) in newest
            .into_iter()
            .flat_map(|newest| StoreState::ALL.into_iter().zip(newest.states))
        {
            states.sample(&[("state", &state.as_str().replace(' ', "_"))], count);
        }
        text.gauge(
            "store_monitor_polls_in_memory",
            "Polls of the last eight days held in memory.",
            newest.map(|newest| newest.in_memory),
        );
        let mut family = text.family(Kind::Gauge, "store_monitor_reports", "Reports that the database keeps.");
        for (state, name) in [
            (ReportState::Running, "running"),
            (ReportState::Complete, "complete"),
            (ReportState::Failed, "failed"),
        ] {
            let found = self.reports.iter().find(|(known, _)| *known == state);
            family.sample(&[("state", name)], found.map_or(0, |&(_, count)| count));
        }
        self.write_outbox(text);
    }

    fn write_outbox(&self, text: &mut Text) {
        let help =
            "Messages of the outbox, by receiver and state; those that were sent or given up as far as they are kept.";
        let mut messages = text.family(Kind::Gauge, "store_monitor_outbox_messages", help);
        for count in &self.outbox {
            for (state, of) in [
                (State::Waiting, count.waiting),
                (State::Sent, count.sent),
                (State::GivenUp, count.given_up),
            ] {
                messages.sample(&[("receiver", &count.receiver), ("state", state.as_str())], of);
            }
        }
        let help = "When a message was sent last, in seconds since 1970.";
        let mut sent = text.family(Kind::Gauge, "store_monitor_outbox_last_sent_timestamp_seconds", help);
        for count in &self.outbox {
            if let Some(at) = count.last_sent_at {
                sent.sample(&[("receiver", &count.receiver)], at / SECOND);
            }
        }
        let help = "1 while messages to the receiver have failed for over an hour, or the last was given up, else 0.";
        let mut failing = text.family(Kind::Gauge, "store_monitor_outbox_failing", help);
        for count in &self.outbox {
            failing.sample(&[("receiver", &count.receiver)], u8::from(count.is_failing(self.at)));
        }
    }
}

fn conditions(text: &mut Text, health: &Health) {
    let held = health.list();
    let help = "1 while the condition of /health holds, else 0.";
    let mut family = text.family(Kind::Gauge, "store_monitor_condition", help);
    for condition in Condition::ALL {
        let holds = held.iter().any(|(one, _)| *one == condition);
        family.sample(&[("condition", condition.as_str())], u8::from(holds));
    }
}

fn files(text: &mut Text, sizes: &Sizes) {
    text.gauge(
        "store_monitor_database_bytes",
        "The length of the database file.",
        sizes.database,
    );
    text.gauge(
        "store_monitor_log_bytes",
        "The length of its write-ahead log.",
        sizes.log,
    );
    text.gauge("store_monitor_disk_free_bytes", "Free room on its disk.", sizes.free);
}

fn rows(text: &mut Text, meters: &Meters) {
    let help = "Good rows that came over HTTP since the start; the kind of files of the form on /load is form.";
    let mut taken = text.family(Kind::Counter, "store_monitor_rows_taken_total", help);
    for (kind, of) in meters.rows.each() {
        for (outcome, counter) in [
            ("accepted", &of.accepted),
            ("unchanged", &of.unchanged),
            ("replaced", &of.replaced),
        ] {
            taken.sample(&[("kind", kind), ("outcome", outcome)], counter.get());
        }
    }
    let help = "Bad rows and files that came over HTTP since the start, by the code of their answer.";
    let mut refused = text.family(Kind::Counter, "store_monitor_rows_refused_total", help);
    for (kind, of) in meters.rows.each() {
        for (code, count) in of.refusals() {
            refused.sample(&[("kind", kind), ("code", code.as_str())], count);
        }
    }
}

fn writer(text: &mut Text, writer: &Writer) {
    let meter = writer.meter();
    let (waiting, most) = writer.waiting();
    text.gauge(
        "store_monitor_write_queue_changes",
        "Changes that wait for the writer.",
        Some(waiting),
    );
    text.gauge(
        "store_monitor_write_queue_changes_limit",
        "How many may wait.",
        Some(most),
    );
    text.histogram(
        "store_monitor_commit_duration_seconds",
        "From the begin of a transaction to its durable end.",
        &meter.commits,
    );
    text.counter(
        "store_monitor_commits_failed_total",
        "Commits that failed.",
        &meter.failed,
    );
    text.counter(
        "store_monitor_changes_total",
        "Changes that commits carried.",
        &meter.changes,
    );
    let help = "Changes that were turned away with 503.";
    let mut refused = text.family(Kind::Counter, "store_monitor_changes_refused_total", help);
    refused.sample(&[("reason", "queue_full")], meter.refused_full.get());
    refused.sample(&[("reason", "waited_too_long")], meter.refused_late.get());
    text.histogram(
        "store_monitor_checkpoint_duration_seconds",
        "Copies of the write-ahead log into the database.",
        &meter.checkpoints,
    );
    text.counter(
        "store_monitor_checkpoints_partial_total",
        "Copies of a part of the log, because a reader still needed the rest.",
        &meter.checkpoints_partial,
    );
    text.counter(
        "store_monitor_checkpoints_failed_total",
        "Copies that failed.",
        &meter.checkpoints_failed,
    );
}

fn jobs(text: &mut Text, jobs: &Jobs) {
    let (waiting, most) = jobs.waiting();
    text.gauge(
        "store_monitor_reports_waiting",
        "Reports and statements that wait for a thread.",
        Some(waiting),
    );
    text.gauge("store_monitor_reports_waiting_limit", "How many may wait.", Some(most));
    let help = "How long reports and statements were made, without their wait for a thread.";
    let mut making = text.family(Kind::Histogram, "store_monitor_report_duration_seconds", help);
    for (kind, of) in jobs.meter().each() {
        making.histogram(&[("kind", kind)], &of.making);
    }
    let help = "Reports and statements that ended since the start.";
    let mut ended = text.family(Kind::Counter, "store_monitor_reports_ended_total", help);
    for (kind, of) in jobs.meter().each() {
        for (state, counter) in [("complete", &of.complete), ("failed", &of.failed)] {
            ended.sample(&[("kind", kind), ("state", state)], counter.get());
        }
    }
}

fn requests(text: &mut Text, meters: &Meters) {
    let help = "Requests by method, route and status; the route is empty if there is none.";
    let mut answered = text.family(Kind::Counter, "store_monitor_http_requests_total", help);
    for of in meters.requests.each() {
        for (status, count) in of.statuses() {
            let status = status.to_string();
            answered.sample(&[("method", of.method), ("route", of.path), ("status", &status)], count);
        }
    }
    let help = "From the last byte of a request to its answer, with the wait for a handler.";
    let mut durations = text.family(Kind::Histogram, "store_monitor_http_request_duration_seconds", help);
    for of in meters.requests.each() {
        durations.histogram(&[("method", of.method), ("route", of.path)], &of.durations);
    }
}

fn frontend(text: &mut Text, meter: &Meter) {
    let gauges = [
        ("store_monitor_connections", "Open connections.", &meter.open),
        (
            "store_monitor_connections_limit",
            "How many may be open.",
            &meter.open_max,
        ),
        (
            "store_monitor_requests_waiting",
            "Requests that wait for a handler.",
            &meter.waiting,
        ),
        (
            "store_monitor_requests_in_hand",
            "Requests that handlers have.",
            &meter.in_hand,
        ),
        (
            "store_monitor_requests_in_hand_limit",
            "How many they may have.",
            &meter.in_hand_max,
        ),
    ];
    for (name, help, gauge) in gauges {
        text.gauge(name, help, Some(gauge.get()));
    }
    text.counter(
        "store_monitor_connections_accepted_total",
        "Connections that were accepted.",
        &meter.accepted,
    );
    text.counter(
        "store_monitor_connections_displaced_total",
        "Idle connections that gave their place to others.",
        &meter.displaced,
    );
    let help = "Requests and connections that no handler saw.";
    let mut refused = text.family(Kind::Counter, "store_monitor_refusals_total", help);
    for (reason, count) in meter.refusals() {
        refused.sample(&[("reason", reason.as_str())], count);
    }
}
