//! A new database that is written while its inputs are still parsed is the one that is written behind
//! them, and the same is told: whatever comes late, twice or wrong, and in whatever order.

use proptest::prelude::*;
use rusqlite::Connection;
use store_monitor::civil::format_utc;
use store_monitor::db::connection::{create, open_writer};
use store_monitor::db::{self, check, packed, packed_fleet};
use store_monitor::error::{Error, ErrorKind, Result};
use store_monitor::ingest::batch::{self, Batch, Source};
use store_monitor::ingest::blocks::Pace;
use store_monitor::ingest::inflow::{self, Inflow};
use store_monitor::ingest::load::{self, Summary};
use store_monitor::ingest::problem::BadRow;
use store_monitor::ingest::watermark::Tide;
use store_monitor::uptime::interval::{DAY, HOUR, MINUTE, Micros};

use crate::harness::{Home, exports_of};

/// The start of an hour.
const START: Micros = 1_793_000_000_000_000 / HOUR * HOUR;

/// No poll may be later; some are.
const LATEST: Micros = START + 30 * DAY;

/// Everything that can be told of a call, and seen of the database that it made.
#[derive(Debug, PartialEq)]
struct Outcome {
    bad: Vec<(String, BadRow)>,
    summary: std::result::Result<String, String>,
    /// The lines of all exports.
    exports: Vec<Vec<String>>,
    findings: Vec<String>,
}

fn memory() -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    db.execute_batch(include_str!("../../schema.sql"))
        .expect("a schema");
    db
}

fn make(write: impl FnOnce(&Connection) -> Result<Summary>) -> Result<(Connection, Summary)> {
    let mut db = memory();
    let summary = db::write(&mut db, write)?;
    packed::pack_all(&mut db)?;
    if let Some(fleet) = packed_fleet::pack(&mut db)? {
        packed_fleet::keep(&mut db, fleet)?;
    }
    Ok((db, summary))
}

/// Loads the files into a new database: at a pace and a tide, or all of them before the first is written.
fn load(files: &[String], take_good: bool, pace: Option<(Pace, Tide)>) -> Outcome {
    let sources = || {
        let name = |number| format!("{number}.csv");
        let files = (1..).zip(files);
        files.map(move |(number, text)| Source::new(name(number), text.as_bytes()))
    };
    let folder = std::env::temp_dir();
    let mut bad = Vec::new();
    let mut reject = |name: &str, row: BadRow| {
        bad.push((name.to_owned(), row));
        Ok(())
    };
    let accept = |batch: &Batch| match batch.rejected {
        0 => Ok(()),
        _ if take_good => Ok(()),
        count => Err(Error::invalid(format!("{count} refused"))),
    };
    let mut made = None;
    let summary = match pace {
        None => batch::read(sources(), LATEST, &folder, &mut reject)
            .map_err(Error::from)
            .and_then(|batch| {
                accept(&batch)?;
                let (db, summary) = make(|db| load::write(db, batch))?;
                made = Some(db);
                Ok(summary)
            }),
        Some(pace) => {
            let make = |inflow: Inflow| {
                let (db, summary) = make(|db| inflow.write(db))?;
                made = Some(db);
                Ok(summary)
            };
            inflow::fill_at(pace, sources(), LATEST, &folder, &mut reject, accept, make)
                .map_err(Error::from)
        }
    };
    let summary = summary.map(|summary| Summary {
        // Who makes a new database has nothing in memory that could follow it.
        change: None,
        ..summary
    });
    let mut outcome = Outcome {
        bad,
        summary: summary
            .map(|summary| format!("{summary:?}"))
            .map_err(|error| format!("{error:?}")),
        exports: Vec::new(),
        findings: Vec::new(),
    };
    assert_eq!(outcome.summary.is_ok(), made.is_some());
    if let Some(db) = made {
        for export in exports_of(&db) {
            let text = String::from_utf8(export).expect("text");
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            // Polls of one instant come in the order of keys, and those may differ.
            lines.sort();
            outcome.exports.push(lines);
        }
        outcome.findings = check::findings(&db).expect("a database");
    }
    outcome
}

/// A poll, as a line of a file.
#[derive(Clone, Debug)]
struct Line {
    /// Its hour, from that of the line before.
    hours_on: Micros,
    hours_late: Micros,
    /// Within the hour.
    offset: Micros,
    store: String,
    status: &'static str,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Once,
    /// Some earlier line comes again; with another status, perhaps.
    Again(prop::sample::Index, bool),
    Bad,
    Quoted,
}

fn line() -> impl Strategy<Value = Line> {
    let hours_on = prop_oneof![60 => Just(0), 4 => Just(1), 1 => 2..40_i64];
    let hours_late = prop_oneof![
        40 => Just(0),
        2 => 1..4_i64,
        1 => 1..60_i64,
    ];
    let offset = prop_oneof![
        20 => (0..60_i64).prop_map(|minute| minute * MINUTE),
        1 => Just(1),
        1 => Just(HOUR - 1),
    ];
    let status = prop_oneof![Just("active"), Just("inactive")];
    let fate = prop_oneof![
        80 => Just(Fate::Once),
        4 => any::<prop::sample::Index>().prop_map(|index| Fate::Again(index, false)),
        4 => any::<prop::sample::Index>().prop_map(|index| Fate::Again(index, true)),
        1 => Just(Fate::Quoted),
    ];
    (hours_on, hours_late, offset, "[1-9a]", status, fate).prop_map(
        |(hours_on, hours_late, offset, store, status, fate)| Line {
            hours_on,
            hours_late,
            offset,
            store,
            status,
            fate,
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Order {
    AsItCame,
    Backwards,
    ByStore,
}

/// A file of polls, which begins some hours after the start.
fn file_of_polls() -> impl Strategy<Value = String> {
    let order = prop_oneof![
        6 => Just(Order::AsItCame),
        1 => Just(Order::Backwards),
        1 => Just(Order::ByStore)
    ];
    let bad = prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    let lines = prop_oneof![1 => 0..50_usize, 2 => 200..500_usize];
    let lines = lines.prop_flat_map(|count| prop::collection::vec(line(), count));
    let begin = prop_oneof![Just(0), Just(3), Just(40)];
    (lines, order, bad, begin).prop_map(|(mut lines, order, bad, begin)| {
        if let Some(bad) = bad.filter(|_| !lines.is_empty()) {
            bad.get_mut(&mut lines[..]).fate = Fate::Bad;
        }
        let mut written: Vec<(String, String)> = Vec::new();
        let mut hour = begin;
        for line in lines {
            hour += line.hours_on;
            let at = format_utc(START + (hour - line.hours_late) * HOUR + line.offset);
            let mut status = line.status;
            let mut row = (line.store, at);
            match line.fate {
                Fate::Once => {}
                Fate::Again(index, other) if !written.is_empty() => {
                    let (store, rest) = index.get(&written).clone();
                    let (at, known) = rest.split_once(',').expect("two fields");
                    let flipped = if known == "active" {
                        "inactive"
                    } else {
                        "active"
                    };
                    let again = if other { flipped } else { known };
                    written.push((store, format!("{at},{again}")));
                    continue;
                }
                Fate::Again(..) => {}
                Fate::Bad => status = "up",
                Fate::Quoted => row.0 = format!("\"{}\"", row.0),
            }
            written.push((row.0, format!("{},{status}", row.1)));
        }
        match order {
            Order::AsItCame => {}
            Order::Backwards => written.reverse(),
            Order::ByStore => written.sort_by(|a, b| a.0.cmp(&b.0)),
        }
        let mut text = "store_id,timestamp_utc,status\n".to_owned();
        for (store, rest) in written {
            text.push_str(&format!("{store},{rest}\n"));
        }
        text
    })
}

fn file() -> impl Strategy<Value = String> {
    const OTHERS: [&str; 5] = [
        "store_id,day,start_time_local,end_time_local\n1,0,09:00:00,17:00:00\nb,2,00:00:00,24:00:00\n\
         1,0,09:00:00,17:00:00\n1,0,10:00:00,18:00:00\n",
        "store_id,timezone_str\n2,Asia/Kolkata\nc,UTC\n2,Asia/Kolkata\n",
        "store_id,name,group\n3,Three,\nd,Dee,Group\n",
        "store_id,timezone_str\n2,Asia/Kolkata\nc,Mars\n",
        "neither,nor\n",
    ];
    prop_oneof![
        12 => file_of_polls(),
        3 => prop::sample::select(&OTHERS[..3]).prop_map(str::to_owned),
        1 => prop::sample::select(&OTHERS[3..]).prop_map(str::to_owned),
    ]
}

fn pace() -> impl Strategy<Value = (Pace, Tide)> {
    let rows_max = prop_oneof![3 => Just(usize::MAX), 1 => 20..600_usize];
    let pace = (2..4_usize, 1..4000_usize, 0..9_u64);
    (pace, 1..200_usize, rows_max, 0..20_u64, 1..100_u64).prop_map(
        |((threads, block_bytes, rows), rows_before, rows_max, rows_a_late, rows_an_outlier)| {
            let pace = Pace {
                threads,
                block_bytes,
                rows_before: rows,
            };
            let tide = Tide {
                rows_before,
                rows_max,
                rows_a_late,
                rows_an_outlier,
            };
            (pace, tide)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_early_is_what_is_written_late(
        files in prop::collection::vec(file(), 1..4),
        take_good: bool,
        pace in pace(),
    ) {
        let expected = load(&files, take_good, None);
        prop_assert!(expected.findings.is_empty());
        prop_assert_eq!(load(&files, take_good, Some(pace)), expected);
    }
}

/// Polls in order of time, more than are waited for at the tide of these tests.
fn in_order() -> String {
    let line = |minute| format!("1,{},active\n", format_utc(START + minute * MINUTE));
    let lines: String = (0..5000).map(line).collect();
    format!("store_id,timestamp_utc,status\n{lines}")
}

const EARLY: (Pace, Tide) = (
    Pace {
        threads: 2,
        block_bytes: 1000,
        rows_before: 1,
    },
    Tide {
        rows_before: 500,
        rows_max: 10_000,
        rows_a_late: 8,
        rows_an_outlier: 4096,
    },
);

/// Loads files into a new database file, while they are read.
fn fill(
    files: &[&str],
    accept: impl FnOnce(&Batch) -> Result<()>,
    make: impl FnOnce(Inflow) -> Result<Summary> + Send,
) -> Result<Summary> {
    let sources = files
        .iter()
        .map(|text| Source::new("polls.csv", text.as_bytes()));
    let folder = std::env::temp_dir();
    let reject = &mut |_: &str, _| Ok(());
    inflow::fill_at(EARLY, sources, LATEST, &folder, reject, accept, make).map_err(Error::from)
}

#[test]
fn polls_are_written_before_all_are_read() {
    let reader = std::thread::current().id();
    let make = |inflow: Inflow| {
        assert_ne!(std::thread::current().id(), reader, "it began too late");
        make(|db| inflow.write(db)).map(|(_, summary)| summary)
    };
    let summary = fill(&[&in_order()], |_| Ok(()), make);
    assert_eq!(summary.expect("a database").accepted, 5000);
}

#[test]
fn a_call_that_is_refused_leaves_no_file_behind() {
    let home = Home::new();
    let file = home.path("new.db");
    let create_file = |inflow: Inflow| create(&file, |db| db::write(db, |db| inflow.write(db)));
    let files = || std::fs::read_dir(home.path("")).expect("a folder").count();

    let refuse = |_: &Batch| Err(Error::invalid("refused"));
    let refused = fill(&[&in_order()], refuse, create_file);
    assert_eq!(refused.expect_err("refused").to_string(), "refused");
    assert_eq!(files(), 0);

    let good = in_order();
    let refused = fill(&[&good, "neither,nor\n"], |_| Ok(()), create_file);
    let refused = refused.expect_err("no input").to_string();
    assert!(refused.starts_with("polls.csv"), "{refused}");
    assert_eq!(files(), 0);

    fill(&[&good], |_| Ok(()), create_file).expect("a database");
    assert_eq!(files(), 1);
}

#[test]
fn a_database_that_cannot_be_made_is_what_is_told() {
    let good = in_order();
    let files = vec![&*good; 50];
    let failed = fill(&files, |_| Ok(()), |_| Err(Error::failed("no room")));
    assert_eq!(failed.expect_err("no room").to_string(), "no room");
}

#[test]
fn polls_that_came_in_meanwhile_are_told_of_and_left() {
    let home = Home::seeded();
    let mut db = open_writer(&home.database()).expect("a database");
    let before = home.exports();
    let make = |inflow: Inflow| db::write(&mut db, |db| inflow.write(db));
    let refused = fill(&[&in_order()], |_| Ok(()), make).expect_err("others");
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert_eq!(home.exports(), before);
}
