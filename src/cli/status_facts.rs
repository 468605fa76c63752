//! What `status` tells: the server and its database, by the database and what the server wrote down of itself.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{healthcheck, status_file};
use crate::civil::{format_rfc3339, parse_instant};
use crate::clock::machine_us;
use crate::db::backup_folder::BackupFolder;
use crate::db::connection::open_reader;
use crate::db::growth::Growth;
use crate::db::outbox::{self, Count};
use crate::db::reports::ReportState;
use crate::db::size::Sizes;
use crate::db::{disk, inspect, lock, polls, reports};
use crate::error::Result;
use crate::hot_window::read_inputs;
use crate::http::probe::Place;
use crate::phrases::{ago, length, plural};
use crate::uptime::freshness::{Freshness, Wanted, usual_gap_of};
use crate::uptime::interval::{HOUR, Micros, SECOND};

/// A disk that is full within so many days is a problem.
const DAYS_LEFT_MIN: u64 = 14;

/// The server of a database.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// Its process; none if no server runs.
    pub(super) pid: Option<u32>,
    /// What it wrote of itself last.
    pub(super) facts: Value,
    /// Whether it answers at its address; none if that is not known.
    pub(super) answers: Option<bool>,
}

/// What the database says.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) polls: Option<Polls>,
    pub(super) reports: Vec<(ReportState, i64)>,
    pub(super) growth: Option<Growth>,
    /// The messages of each receiver.
    pub(super) messages: Vec<Count>,
}

/// The polls, if there are any.
#[derive(Debug)]
pub(super) struct Polls {
    pub(super) newest: Micros,
    pub(super) usual_gap: Micros,
    pub(super) is_live: bool,
    /// In the order of `StoreState::ALL`.
    pub(super) states: [usize; 4],
}

/// The backups.
#[derive(Debug)]
pub(super) struct Backups {
    pub(super) folder: PathBuf,
    pub(super) count: usize,
    pub(super) newest: Option<Micros>,
    /// When the next is due; none if nobody makes it.
    pub(super) next: Option<Micros>,
    pub(super) missed_since: Option<Micros>,
    /// How many stay.
    keep: Option<u64>,
}

/// How long the disk lasts.
#[derive(Debug)]
pub(super) enum Lasts {
    /// About so many days.
    Days(u64),
    /// Polls are forgotten as fast as they come.
    Balanced,
    /// Not known, for this reason.
    Unknown(&'static str),
}

/// All that is told.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) at: Micros,
    pub(super) running: Running,
    pub(super) stored: Option<Stored>,
    pub(super) backups: Option<Backups>,
    pub(super) sizes: Sizes,
    pub(super) lasts: Lasts,
    pub(super) problems: Vec<String>,
}

/// Looks at the database `file` and its server.
pub(super) fn look(file: &Path, backup_dir: Option<&Path>) -> Status {
    let (at, sizes) = (machine_us(), Sizes::of(file));
    let mut problems = Vec::new();
    let running = server(file, at, &mut problems);
    let stored = match stored(file, at, &sizes) {
        Ok(stored) => Some(stored),
        Err(error) => {
            problems.push(format!("the database cannot be read: {error}"));
            None
        }
    };
    let polls = stored.as_ref().and_then(|stored| stored.polls.as_ref());
    if let Some(polls) = polls.filter(|polls| running.pid.is_some() && !polls.is_live) {
        problems.push(format!(
            "the newest poll came {}, and usually one comes every {}",
            ago(at - polls.newest),
            length(polls.usual_gap)
        ));
    }
    for count in stored.iter().flat_map(|stored| &stored.messages) {
        if count.is_failing(at) {
            let why = count.last_failure.as_ref().map_or("", |(_, why)| why);
            problems.push(format!(
                "messages do not reach the receiver `{}`: {why}",
                count.receiver
            ));
        }
    }
    let backups = backups(file, &running, backup_dir);
    if running.pid.is_none()
        && sizes.free.is_some()
        && let Some(error) = disk::shortage(file)
    {
        problems.push(error.message().to_owned());
    }
    let lasts = lasts(file, &running, stored.as_ref(), backups.as_ref(), &sizes);
    if let Lasts::Days(days) = lasts
        && days < DAYS_LEFT_MIN
    {
        problems.push(format!("the disk is full in about {days} day{}", plural_of(days)));
    }
    Status {
        at,
        running,
        stored,
        backups,
        sizes,
        lasts,
        problems,
    }
}

/// `s` unless there is one.
pub(super) fn plural_of(count: u64) -> &'static str {
    plural(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Asks after the server.
fn server(file: &Path, at: Micros, problems: &mut Vec<String>) -> Running {
    let servers = lock::servers(file);
    let facts = status_file::read(file).unwrap_or_default();
    let written = facts["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    let Some(pid) = servers
        .live
        .iter()
        .copied()
        .find(|pid| Some(*pid) == written)
        .or(servers.live.first().copied())
    else {
        if servers.has_ended {
            problems.push("the last server ended without a clean stop (its log says why)".to_owned());
        }
        return Running::default();
    };
    if written != Some(pid) {
        return Running {
            pid: Some(pid),
            ..Running::default()
        };
    }
    let age = instant(&facts["written_at"]).map(|written| at - written);
    let is_fresh = age.is_some_and(|age| age < status_file::FRESH_FOR);
    if !is_fresh {
        let age = age.map_or_else(|| "at an unknown instant".to_owned(), ago);
        problems.push(format!(
            "the server last wrote its status {age}: it hangs, or its disk is full"
        ));
    }
    for one in list(&facts["conditions"]) {
        problems.push(text(&one["detail"]));
    }
    for one in list(&facts["not_ready"]) {
        let detail = text(&one["detail"]);
        if !problems.contains(&detail) {
            problems.push(format!("the server is not ready: {detail}"));
        }
    }
    let answers = text(&facts["address"])
        .trim_start_matches("http://")
        .parse()
        .ok()
        .map(|address| {
            let place = Place::Address(address);
            match place.get("/health", healthcheck::ANSWER_WITHIN) {
                Ok(answer) if answer.status == 200 => true,
                Ok(answer) => {
                    let detail = healthcheck::detail(&answer);
                    problems.push(format!("{place} answers {}: {detail}", answer.status));
                    true
                }
                Err(error) => {
                    problems.push(error.message().to_owned());
                    false
                }
            }
        });
    Running {
        pid: Some(pid),
        facts,
        answers,
    }
}

/// The members of an array.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty if it is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An instant.
pub(super) fn instant(value: &Value) -> Option<Micros> {
    parse_instant(value.as_str()?).ok()
}

fn stored(file: &Path, at: Micros, sizes: &Sizes) -> Result<Stored> {
    let mut db = open_reader(file)?;
    inspect::newest(&db)?;
    let growth = match sizes.database {
        Some(bytes) => Growth::of(&db, bytes)?,
        None => None,
    };
    let reports = reports::counts(&db)?;
    let messages = outbox::counts(&db)?;
    let polls = match polls::newest(&db)? {
        None => None,
        Some(newest) => {
            let inputs = read_inputs(&mut db, newest)?;
            let usual_gap = usual_gap_of(&inputs.fleet, &inputs.history, newest);
            let freshness = Freshness::new(Wanted::Newest, at, Some(newest), usual_gap);
            Some(Polls {
                newest,
                usual_gap,
                is_live: freshness.is_live(),
                states: inputs.state_counts(newest),
            })
        }
    };
    Ok(Stored {
        polls,
        reports,
        growth,
        messages,
    })
}

fn backups(file: &Path, running: &Running, backup_dir: Option<&Path>) -> Option<Backups> {
    let facts = &running.facts;
    let told = &facts["backups"];
    if let Some(folder) = told["folder"].as_str() {
        return Some(Backups {
            folder: folder.into(),
            count: told["count"]
                .as_u64()
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(0),
            newest: instant(&facts["newest_backup"]),
            next: instant(&facts["next_backup"]),
            missed_since: instant(&facts["backups_missed_since"]),
            keep: told["keep"].as_u64(),
        });
    }
    let folder = backup_dir?;
    let backups = BackupFolder::open(folder, file, 1);
    Some(Backups {
        folder: folder.to_owned(),
        count: backups.count(),
        newest: backups.newest(),
        next: None,
        missed_since: None,
        keep: None,
    })
}

/// How many days the free room lasts, if polls come in as in the last week. Backups on the same disk grow along.
fn lasts(file: &Path, running: &Running, stored: Option<&Stored>, backups: Option<&Backups>, sizes: &Sizes) -> Lasts {
    let Some(free) = sizes.free else {
        return Lasts::Unknown("the system does not say how much of the disk is free");
    };
    let Some(growth) = stored.and_then(|stored| stored.growth) else {
        return Lasts::Unknown("there are too few polls, or of too few days, to tell how fast the database grows");
    };
    let keep_days = running.facts["keep_days"]
        .as_u64()
        .and_then(|days| u32::try_from(days).ok());
    if growth.is_balanced(keep_days) {
        return Lasts::Balanced;
    }
    let beside = backups.filter(|backups| disk::is_same(&backups.folder, disk::folder_of(file)));
    let copies = beside.map_or(0, |backups| backups.keep.unwrap_or(backups.count as u64));
    let to_come = beside.map_or(0, |backups| copies.saturating_sub(backups.count as u64));
    let room = free.saturating_sub(to_come.saturating_mul(sizes.database.unwrap_or(0)));
    match growth.bytes_a_day().saturating_mul(1 + copies) {
        0 => Lasts::Unknown("no polls came in the last week"),
        a_day => Lasts::Days(room / a_day),
    }
}

/// How long the server has run.
pub(super) fn runs_for(status: &Status) -> Option<(String, String)> {
    let since = instant(&status.running.facts["started_at"])?;
    Some((
        format_rfc3339(since / SECOND * SECOND),
        length((status.at - since).max(0)),
    ))
}

/// How late the newest poll is, for people: nothing beyond the hour matters to the second.
pub(super) fn told_age(age: Micros) -> String {
    match age {
        0..HOUR => format!("{} ago", length(age)),
        _ => ago(age),
    }
}
