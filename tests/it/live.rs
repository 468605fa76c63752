//! A server through a long random history: its reports from memory have the same bytes as reports that are made
//! afresh from the database.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use store_monitor::civil::{format_utc, parse_instant};
use store_monitor::uptime::interval::{DAY, HOUR, MINUTE, Micros, SECOND};

use crate::harness::{Home, Server, seed};

/// Where each kind of rows is posted.
const POLLS: &str = "/api/polls";
const HOURS: &str = "/api/business-hours";
const ZONES: &str = "/api/timezones";
const STORES: &str = "/api/stores";

/// The ways to write rows.
const FORMATS: [&str; 3] = ["text/csv", "application/x-ndjson", "application/json"];

/// The columns of what is posted to a target.
fn columns(target: &str) -> &'static [&'static str] {
    match target {
        POLLS => &["store_id", "status", "timestamp_utc"],
        HOURS => &["store_id", "day", "start_time_local", "end_time_local"],
        ZONES => &["store_id", "timezone_str"],
        STORES => &["store_id", "name", "group"],
        other => panic!("nothing is posted to {other}"),
    }
}

/// Rows as a body of the given format.
fn body<S: AsRef<str>>(target: &str, format: &str, rows: &[Vec<S>]) -> Vec<u8> {
    let names = columns(target);
    let object = |row: &Vec<S>| -> Value {
        let members = names.iter().zip(row);
        members
            .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_ref())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    match format {
        "text/csv" => {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(names).expect("a header");
            for row in rows {
                csv.write_record(row.iter().map(AsRef::as_ref))
                    .expect("a row");
            }
            csv.into_inner().expect("bytes")
        }
        "application/x-ndjson" => {
            let lines = rows.iter().map(|row| format!("{}\n", object(row)));
            lines.collect::<String>().into_bytes()
        }
        _ => {
            let rows: Vec<_> = rows.iter().map(object).collect();
            Value::from(rows).to_string().into_bytes()
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("small")
    }

    fn within(&mut self, span: Micros) -> Micros {
        Micros::try_from(self.below(usize::try_from(span).expect("a span"))).expect("small")
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A server that lives through a random history of changes.
struct History<'a> {
    random: Random,
    home: &'a Home,
    server: &'a Server,
    stores: Vec<String>,
    /// Polls that are known to be stored, as rows.
    polls: Vec<Vec<String>>,
    newest: Micros,
    /// How many stores were made up.
    new: usize,
}

impl History<'_> {
    fn poll(&mut self, store: &str, at: Micros) -> Vec<String> {
        let status = *self.random.pick(&["active", "inactive"]);
        vec![store.to_owned(), status.to_owned(), format_utc(at)]
    }

    /// One poll or a few, each up to `back` before the newest there is.
    fn late(&mut self, back: Micros) -> Vec<Vec<String>> {
        let count = 1 + self.random.below(8);
        (0..count)
            .map(|_| {
                let store = self.random.pick(&self.stores).clone();
                let at = self.newest - self.random.within(back);
                self.poll(&store, at)
            })
            .collect()
    }

    fn newer(&mut self) -> Vec<Vec<String>> {
        let start = self.newest;
        let count = 1 + self.random.below(12);
        (0..count)
            .map(|_| {
                let store = self.random.pick(&self.stores).clone();
                let at = start + 1 + self.random.within(12 * MINUTE);
                self.newest = self.newest.max(at);
                self.poll(&store, at)
            })
            .collect()
    }

    /// Says of polls that are there the opposite of what they said.
    fn corrections(&mut self) -> Vec<Vec<String>> {
        let from = self.polls.len().saturating_sub(2000);
        let count = 1 + self.random.below(5);
        (0..count)
            .map(|_| {
                let place = from + self.random.below(self.polls.len() - from);
                let poll = &self.polls[place];
                let status = if poll[1] == "active" {
                    "inactive"
                } else {
                    "active"
                };
                vec![poll[0].clone(), status.to_owned(), poll[2].clone()]
            })
            .collect()
    }

    fn hours(&mut self) -> Vec<Vec<String>> {
        let store = self.random.pick(&self.stores).clone();
        (0..=self.random.below(7))
            .map(|day| {
                let mut hour = || {
                    format!(
                        "{:02}:{:02}:00",
                        self.random.below(24),
                        self.random.below(60)
                    )
                };
                vec![store.clone(), day.to_string(), hour(), hour()]
            })
            .collect()
    }

    fn zone(&mut self) -> Vec<Vec<String>> {
        let zones = [
            "Asia/Kolkata",
            "America/St_Johns",
            "Pacific/Apia",
            "UTC",
            "Europe/London",
        ];
        let zone = *self.random.pick(&zones);
        vec![vec![
            self.random.pick(&self.stores).clone(),
            zone.to_owned(),
        ]]
    }

    fn new_store(&mut self) -> Vec<Vec<String>> {
        self.new += 1;
        let store = format!("new/{} %2F", self.new);
        self.stores.push(store.clone());
        (0..5)
            .map(|_| {
                let at = self.newest - self.random.within(2 * DAY);
                self.poll(&store, at)
            })
            .collect()
    }

    fn delete(&mut self) -> String {
        let place = self.random.below(self.stores.len());
        let store = self.stores.swap_remove(place);
        let target = format!("{STORES}/{}", utf8_percent_encode(&store, NON_ALPHANUMERIC));
        let gone = self.server.client.request("DELETE", &target);
        assert_eq!(gone.status, 200, "{}", gone.text());
        assert_eq!(gone.json()["store_id"], store.as_str());
        self.server.client.request("DELETE", &target).problem(404);
        self.polls.retain(|poll| poll[0] != store);
        format!("delete {store}")
    }

    /// Changes something, one way or another, and says what.
    fn step(&mut self) -> String {
        let (target, rows, what) = match self.random.below(14) {
            0..=3 => (POLLS, self.newer(), "newer polls"),
            4 | 5 => (POLLS, self.late(7 * DAY), "late polls"),
            6 => (POLLS, self.late(30 * DAY), "very late polls"),
            7 | 8 => (POLLS, self.corrections(), "corrections"),
            9 => (POLLS, self.new_store(), "a new store"),
            10 | 11 => (HOURS, self.hours(), "hours"),
            12 => (ZONES, self.zone(), "a zone"),
            _ => return self.delete(),
        };
        if self.random.below(5) == 0 {
            self.home.write("rows.csv", body(target, "text/csv", &rows));
            self.home.import(&["rows.csv"]);
            self.keep(target, rows);
            return format!("{what} by the command line");
        }
        let format = *self.random.pick(&FORMATS);
        let mut bytes = body(target, format, &rows);
        let mut fields = Vec::new();
        if self.random.below(3) == 0 {
            fields.push(("Content-Encoding", "gzip"));
            bytes = gzip(&bytes);
        }
        let answer = self.server.client.post(target, format, &fields, &bytes);
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        if target == POLLS {
            let said = answer.json();
            let counts =
                ["accepted", "unchanged", "replaced"].map(|count| said[count].as_u64().unwrap());
            assert_eq!(counts.iter().sum::<u64>(), rows.len() as u64, "{said}");
        }
        self.keep(target, rows);
        format!("{what} as {format}")
    }

    fn keep(&mut self, target: &str, rows: Vec<Vec<String>>) {
        if target == POLLS {
            self.polls.extend(rows);
        }
    }
}

#[test]
fn a_report_from_memory_is_the_report_of_the_database_through_a_long_history() {
    for random in [1, 2] {
        live(random, 60);
    }
}

/// Lives through a history and holds each report to the byte against one that is made afresh.
fn live(random: u64, steps: usize) {
    let home = Home::seeded();
    let server = Server::start(&home);
    let mut seeded = csv::Reader::from_path(seed("store_status.csv")).expect("polls");
    let polls = seeded
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    let mut stores = csv::Reader::from_path(seed("stores.csv")).expect("stores");
    let mut history = History {
        random: Random(random),
        home: &home,
        server: &server,
        stores: stores
            .records()
            .map(|row| row.unwrap()[0].to_owned())
            .collect(),
        polls: polls.collect(),
        newest: parse_instant("2026-11-07T20:05:12.481903Z").expect("an instant"),
        new: 0,
    };
    let mut before = server.client.report("");
    assert_eq!(before, home.print(&["report"]));
    let (mut changed, mut log) = (0, Vec::new());
    for step in 0..steps {
        // Several changes may wait for one report.
        for _ in 0..=history.random.below(3) {
            log.push(history.step());
        }
        let report = server.client.report("");
        assert!(
            report == home.print(&["report"]),
            "seed {random}, step {step}, after {log:#?}"
        );
        changed += usize::from(report != before);
        before = report;
        // Another instant is another part of the same memory, or beyond it.
        let back = *history.random.pick(&[HOUR, 7 * HOUR, 3 * DAY, 12 * DAY]);
        let as_of = (history.newest - history.random.within(back)) / SECOND * SECOND;
        let as_of = format_utc(as_of);
        let query = format!("?as_of={}", utf8_percent_encode(&as_of, NON_ALPHANUMERIC));
        let cold = home.print(&["report", "--as-of", &as_of]);
        assert!(
            server.client.report(&query) == cold,
            "seed {random}, step {step}, {as_of}, after {log:#?}"
        );
    }
    assert!(changed > steps / 2, "only {changed} reports differ");
    server.kill();
    let restarted = Server::start(&home);
    assert!(restarted.report("") == before);
    drop(restarted);
    assert_eq!(home.print(&["check"]), b"ok\n");
}
