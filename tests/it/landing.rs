//! Loads too large for one transaction: seen whole or not at all, wherever they are cut short and
//! whatever else is written meanwhile.
//!
//! Each is made of many transactions; these tests stand between any two of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use store_monitor::civil::format_utc;
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::landing::Turn;
use store_monitor::db::{self, Changes, check};
use store_monitor::error::{Error, Result};
use store_monitor::export;
use store_monitor::hot_window::{HotWindow, read_inputs};
use store_monitor::ingest::batch::{self, Batch, Source};
use store_monitor::ingest::load::{self, Summary};
use store_monitor::uptime::interval::{MINUTE, Micros};
use store_monitor::uptime::report::Question;
use store_monitor::uptime::side_by_side::Threads;
use store_monitor::uptime::timeline::Interpolation;

use crate::harness::{Home, exports_of};

/// The instant of the first poll; late enough to be one of today's.
const START: Micros = 1_793_000_000_000_000;

/// A poll as the tests keep it: its instant, its store and whether it was active.
type Row = (Micros, String, bool);

fn csv(rows: &[Row]) -> String {
    let mut csv = "store_id,timestamp_utc,status\n".to_owned();
    for (at, store, active) in rows {
        let status = if *active { "active" } else { "inactive" };
        csv.push_str(&format!("{store},{},{status}\n", format_utc(*at)));
    }
    csv
}

fn batch(files: &[(&str, String)]) -> Batch {
    let sources = files
        .iter()
        .map(|(name, text)| Source::new(*name, text.as_bytes()));
    let folder = std::env::temp_dir();
    batch::read(sources, Micros::MAX, &folder, &mut |_, bad| {
        panic!("{}", bad.reason)
    })
    .expect("good rows")
}

fn write(db: &mut Connection, rows: &[Row]) -> Summary {
    let batch = batch(&[("polls.csv", csv(rows))]);
    db::write(db, |db| load::write(db, batch)).expect("written")
}

/// Everything that a reader sees: all exports, and the report.
fn seen(file: &Path) -> Vec<Vec<u8>> {
    let mut db = open_reader(file).expect("a database");
    let as_of = START + 200 * MINUTE;
    let rule = Interpolation::Nearest;
    let report = read_inputs(&mut db, as_of)
        .expect("inputs")
        .report(Question { as_of, rule }, &Threads(2));
    let mut all = vec![report.csv(2)];
    all.extend(exports_of(&db));
    all
}

/// Polls of some stores, two minutes apart; `salt` makes others of them.
fn rows(stores: std::ops::Range<usize>, minutes: Micros, salt: Micros) -> Vec<Row> {
    let mut rows = Vec::new();
    for minute in 0..minutes {
        for (place, store) in (0..).zip(stores.clone()) {
            let at = START + minute * MINUTE + place;
            let active = (minute * 7 + place + salt) % 5 > 0;
            rows.push((at, format!("store-{store}"), active));
        }
    }
    rows
}

/// A database with some polls, and the files of a load: new polls, corrections and repeats of old ones,
/// corrections within itself, new stores, zones, hours and names.
fn scene(home: &Home) -> (PathBuf, Vec<(&'static str, String)>) {
    let file = home.path("a.db");
    write(
        &mut open_writer(&file).expect("a database"),
        &rows(0..40, 150, 0),
    );
    let mut polls = rows(30..130, 200, 1);
    let again: Vec<Row> = rows(50..60, 30, 2);
    polls.extend(again);
    let files = vec![
        ("polls.csv", csv(&polls)),
        (
            "zones.csv",
            "store_id,timezone_str\nstore-3,Asia/Tokyo\nstore-500,UTC\n".to_owned(),
        ),
        (
            "hours.csv",
            "store_id,day,start_time_local,end_time_local\nstore-35,0,09:00:00,17:00:00\n"
                .to_owned(),
        ),
        (
            "stores.csv",
            "store_id,name,group\nstore-36,A,B\n".to_owned(),
        ),
    ];
    (file, files)
}

/// Makes so many changes and then no more, as if the process had been killed.
struct Killed<'a> {
    db: &'a mut Connection,
    changes_left: usize,
}

impl Changes for Killed<'_> {
    fn change<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let left = self.changes_left.checked_sub(1);
        self.changes_left = left.ok_or_else(|| Error::failed("killed"))?;
        db::write(self.db, change)
    }
}

#[test]
fn a_large_load_that_is_cut_short_has_done_nothing_or_all() {
    let (mut early, mut late) = (0, 0);
    for changes_left in 0.. {
        let home = Home::new();
        let (file, files) = scene(&home);
        let before = seen(&file);
        let mut db = open_writer(&file).expect("a database");
        let mut killed = Killed {
            db: &mut db,
            changes_left,
        };
        let loaded = load::write_large(&mut killed, &file, batch(&files), |_, summary| Ok(summary));
        let after = seen(&file);

        // What one transaction makes of the same, in another database.
        let twin = Home::new();
        let (other, _) = scene(&twin);
        let mut other_db = open_writer(&other).expect("a database");
        let expected =
            db::write(&mut other_db, |db| load::write(db, batch(&files))).expect("written");
        let all = seen(&other);
        assert!(all != before);
        if after == before {
            early += 1;
        } else {
            assert!(after == all, "half of a load is seen after {changes_left}");
            late += 1;
        }
        load::recover(&mut db, &file).expect("recovered");
        assert!(seen(&file) == after, "after {changes_left}");
        for table in ["landing", "landing_poll", "landing_store"] {
            let count = format!("SELECT count(*) FROM {table}");
            let rows: u64 = db.query_row(&count, [], |row| row.get(0)).expect("a count");
            assert_eq!(rows, 0, "{table} after {changes_left}");
        }
        assert_eq!(check::findings(&db).expect("checked"), Vec::<String>::new());
        if let Ok(summary) = loaded {
            let counts = |summary: &Summary| {
                [
                    summary.accepted,
                    summary.unchanged,
                    summary.replaced,
                    summary.stores_new,
                ]
            };
            assert_eq!(counts(&summary), counts(&expected));
            assert!(after == all);
            break;
        }
    }
    assert!(early >= 3 && late >= 3, "{early} early, {late} late");
}

/// Between any two transactions, does something else.
struct Between<'a, F> {
    db: &'a mut Connection,
    changes: usize,
    meanwhile: F,
}

impl<F: FnMut(&mut Connection, usize)> Changes for Between<'_, F> {
    fn change<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let answer = db::write(self.db, change)?;
        self.changes += 1;
        (self.meanwhile)(self.db, self.changes);
        Ok(answer)
    }
}

#[test]
fn others_read_and_write_while_a_large_load_is_on_its_way() {
    let home = Home::new();
    let (file, files) = scene(&home);
    let loaded: BTreeMap<(Micros, String), bool> = {
        let mut polls = rows(30..130, 200, 1);
        polls.extend(rows(50..60, 30, 2));
        polls
            .into_iter()
            .map(|(at, store, active)| ((at, store), active))
            .collect()
    };
    let mut model: BTreeMap<(Micros, String), bool> = rows(0..40, 150, 0)
        .into_iter()
        .map(|(at, store, active)| ((at, store), active))
        .collect();
    let hot = HotWindow::default();
    let mut has_landed = false;
    let meanwhile = |db: &mut Connection, change: usize| {
        let landed: u32 = db
            .query_row("SELECT coalesce(max(landed), 0) FROM landing", [], |row| {
                row.get(0)
            })
            .expect("a state");
        if landed == 1 && !has_landed {
            has_landed = true;
            model.extend(loaded.clone());
        }
        // Correct a poll that has moved, one that has not, and one of the load's own new stores.
        let places = [change * 97 % 20_000, 19_999 - change * 31, 10_000 + change];
        let corrections: Vec<Row> = places
            .iter()
            .filter_map(|&place| loaded.iter().nth(place))
            .map(|((at, store), &active)| (*at, store.clone(), !active))
            .collect();
        write(db, &corrections);
        for (at, store, active) in corrections {
            model.insert((at, store), active);
        }
        write(db, &[(START - MINUTE, format!("other-{change}"), true)]);
        model.insert((START - MINUTE, format!("other-{change}")), true);

        let expected: Vec<Row> = model
            .iter()
            .map(|((at, store), &active)| (*at, store.clone(), active))
            .collect();
        let mut exported = Vec::new();
        export::polls(db, &mut exported).expect("an export");
        let mut plain = b"store_id,status,timestamp_utc\n".to_vec();
        for (at, store, active) in &expected {
            let status = if *active { "active" } else { "inactive" };
            plain.extend(format!("{store},{status},{}\n", format_utc(*at)).bytes());
        }
        assert!(exported == plain, "after change {change}");

        let as_of = START + 200 * MINUTE;
        let question = Question {
            as_of,
            rule: Interpolation::Previous,
        };
        let mut reader = open_reader(&file).expect("a database");
        let cold = read_inputs(&mut reader, as_of)
            .expect("inputs")
            .report(question, &Threads(1));
        let warm = hot
            .inputs(&mut reader, as_of)
            .expect("inputs")
            .report(question, &Threads(1));
        assert!(cold.csv(1) == warm.csv(2), "after change {change}");
    };
    let mut db = open_writer(&file).expect("a database");
    let mut between = Between {
        db: &mut db,
        changes: 0,
        meanwhile,
    };
    load::write_large(&mut between, &file, batch(&files), |_, _| Ok(())).expect("loaded");
    assert!(between.changes > 6, "{} changes", between.changes);
    assert_eq!(check::findings(&db).expect("checked"), Vec::<String>::new());
    // The same again changes nothing but what was corrected meanwhile.
    let summary = load::write_large(&mut db, &file, batch(&files), |_, summary| Ok(summary));
    let summary = summary.expect("loaded");
    assert_eq!(summary.accepted, 0);
    assert!(summary.unchanged > 19_000, "{summary:?}");
}

#[test]
fn a_store_that_is_deleted_meanwhile_comes_back_with_the_load() {
    let home = Home::new();
    let (file, files) = scene(&home);
    let meanwhile = |db: &mut Connection, change: usize| {
        if change == 2 {
            db::write(db, |db| db::fleet::delete(db, "store-35")).expect("deleted");
        }
    };
    let mut db = open_writer(&file).expect("a database");
    let mut between = Between {
        db: &mut db,
        changes: 0,
        meanwhile,
    };
    load::write_large(&mut between, &file, batch(&files), |_, _| Ok(())).expect("loaded");
    assert_eq!(check::findings(&db).expect("checked"), Vec::<String>::new());
    let exported = seen(&file);
    let polls = String::from_utf8_lossy(&exported[1]);
    assert_eq!(polls.matches("store-35,").count(), 200);
    // One that is deleted once it has landed is gone.
    let mut between = Between {
        db: &mut db,
        changes: 0,
        meanwhile: |db: &mut Connection, change: usize| {
            if change == 5 {
                let gone = db::write(db, |db| db::fleet::delete(db, "store-35"));
                assert_eq!(gone.expect("deleted"), Some(200));
            }
        },
    };
    load::write_large(&mut between, &file, batch(&files), |_, _| Ok(())).expect("loaded");
    assert!(!String::from_utf8_lossy(&seen(&file)[1]).contains("store-35,"));
    assert_eq!(check::findings(&db).expect("checked"), Vec::<String>::new());
}

#[test]
fn one_large_load_at_a_time() {
    let home = Home::new();
    let (file, _) = scene(&home);
    let turn = Turn::take(&file).expect("a lock");
    assert!(turn.is_some());
    let other = Turn::take(&file).expect("a lock");
    assert!(other.is_none());
    // Somebody else is at it: what is half done is theirs.
    load::recover(&mut open_writer(&file).expect("a database"), &file).expect("nothing to do");
    drop(turn);
    assert!(Turn::take(&file).expect("a lock").is_some());
}
