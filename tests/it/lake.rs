//! The lake: its files, their rows, and existing files. `tests/engines/lake_compare.py` checks that warehouses
//! read them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use store_monitor::db::connection::open_reader;
use store_monitor::db::fleet;
use store_monitor::uptime::fleet::BusinessTime;
use store_monitor::uptime::interval::{DAY, Interval, Intervals, Micros};

use crate::harness::{Home, Outcome, seeds};

/// Every file of a lake by its path in it, as the disk has it.
fn files(lake: &Path) -> BTreeMap<String, Vec<u8>> {
    fn collect(folder: &Path, lake: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, lake, files);
            } else {
                let name = path.strip_prefix(lake).expect("inside").to_string_lossy();
                files.insert(name.into_owned(), fs::read(&path).expect("a file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(lake, lake, &mut found);
    found
}

/// The text of a compressed file.
fn text(file: &Path) -> String {
    let mut text = String::new();
    let file = File::open(file).expect("a file");
    let mut gzip = flate2::read::GzDecoder::new(file);
    gzip.read_to_string(&mut text).expect("text in gzip");
    text
}

fn export(home: &Home, from: &str, to: &str) -> Outcome {
    home.run(&["export", "lake", "lake", "--from", from, "--to", to])
}

/// Two stores over two days, one open through midnight, the other named and always open.
fn two_stores() -> Home {
    let home = Home::new();
    home.write(
        "polls.csv",
        "store_id,status,timestamp_utc\n\
         late,active,2026-11-01 23:59:59.999999 UTC\n\
         late,inactive,2026-11-02 00:00:00 UTC\n\
         \"all,day\",active,2026-11-02 00:00:00 UTC\n\
         late,active,2026-11-04 01:00:00.5 UTC\n",
    );
    home.write(
        "hours.csv",
        "store_id,day,start_time_local,end_time_local\nlate,6,20:00:00,02:30:00\n",
    );
    home.write("zones.csv", "store_id,timezone_str\nlate,Etc/UTC\n");
    home.write(
        "stores.csv",
        "store_id,name,group,sales_per_hour\n\"all,day\",All Day,Us,120.5\n",
    );
    home.import(&["polls.csv", "hours.csv", "zones.csv", "stores.csv"]);
    home
}

#[test]
fn a_lake_has_files_by_utc_day_with_both_ends_included() {
    let home = two_stores();
    let told = export(&home, "2026-11-01", "2026-11-02").exits(0);
    assert_eq!(
        told.stderr,
        "lake: 3 polls, 4 open intervals, 2 stores in 2 days\n"
    );
    assert_eq!(told.text(), "");
    let lake = home.path("lake");
    let names: Vec<String> = files(&lake).into_keys().collect();
    assert_eq!(
        names,
        [
            "open_intervals/day=2026-11-01/open_intervals.csv.gz",
            "open_intervals/day=2026-11-02/open_intervals.csv.gz",
            "polls/day=2026-11-01/polls.csv.gz",
            "polls/day=2026-11-02/polls.csv.gz",
            "stores/stores.csv.gz",
        ]
    );
    let texts: Vec<String> = names.iter().map(|name| text(&lake.join(name))).collect();
    assert_eq!(
        texts[0],
        "store_id,start_utc,end_utc,start_us,end_us\n\
         \"all,day\",2026-11-01 00:00:00 UTC,2026-11-02 00:00:00 UTC,1793491200000000,1793577600000000\n\
         late,2026-11-01 20:00:00 UTC,2026-11-02 00:00:00 UTC,1793563200000000,1793577600000000\n"
    );
    assert_eq!(
        texts[1],
        "store_id,start_utc,end_utc,start_us,end_us\n\
         \"all,day\",2026-11-02 00:00:00 UTC,2026-11-03 00:00:00 UTC,1793577600000000,1793664000000000\n\
         late,2026-11-02 00:00:00 UTC,2026-11-02 02:30:00 UTC,1793577600000000,1793586600000000\n"
    );
    assert_eq!(
        texts[2],
        "store_id,timestamp_utc,status,timestamp_us\n\
         late,2026-11-01 23:59:59.999999 UTC,active,1793577599999999\n"
    );
    assert_eq!(
        texts[3],
        "store_id,timestamp_utc,status,timestamp_us\n\
         \"all,day\",2026-11-02 00:00:00 UTC,active,1793577600000000\n\
         late,2026-11-02 00:00:00 UTC,inactive,1793577600000000\n"
    );
    assert_eq!(
        texts[4],
        "store_id,name,group,timezone,sales_per_hour,target\n\
         \"all,day\",All Day,Us,America/Chicago,120.50,\nlate,,,Etc/UTC,,\n"
    );
}

#[test]
fn open_intervals_follow_special_days_and_the_version_of_their_date() {
    let home = two_stores();
    home.write(
        "special.csv",
        "store_id,date,start_time_local,end_time_local\n\
         late,2026-11-01,18:00:00,19:00:00\n\"all,day\",2026-11-02,,\n",
    );
    home.write(
        "monday.csv",
        "store_id,day,start_time_local,end_time_local,valid_from\nlate,0,06:00:00,07:00:00,2026-11-02\n",
    );
    home.import(&["special.csv", "monday.csv"]);
    export(&home, "2026-11-01", "2026-11-02").exits(0);
    let opened = |day: &str| {
        let file = format!("lake/open_intervals/day={day}/open_intervals.csv.gz");
        let text = text(&home.path(&file));
        let rows = text.lines().skip(1).filter(|row| row.starts_with("late"));
        let rows = rows.map(|row| {
            row.split(',')
                .skip(1)
                .take(2)
                .collect::<Vec<_>>()
                .join(" to ")
        });
        rows.collect::<Vec<_>>()
    };
    let sunday = "2026-11-01 18:00:00 UTC to 2026-11-01 19:00:00 UTC";
    assert_eq!(opened("2026-11-01"), [sunday]);
    let monday = "2026-11-02 06:00:00 UTC to 2026-11-02 07:00:00 UTC";
    assert_eq!(opened("2026-11-02"), [monday], "in place of Sunday's night");
    // Monday in Chicago begins six hours later.
    let file = "lake/open_intervals/day=2026-11-02/open_intervals.csv.gz";
    assert!(
        text(&home.path(file))
            .contains("\"all,day\",2026-11-02 00:00:00 UTC,2026-11-02 06:00:00 UTC,")
    );
}

#[test]
fn the_days_of_business_time_together_are_what_a_report_uses() {
    let home = Home::seeded();
    // The night on which clocks go back in North America, and the one in Europe.
    export(&home, "2026-10-24", "2026-11-08").exits(0);
    let mut stored: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
    for (name, _) in files(&home.path("lake")) {
        if !name.starts_with("open_intervals/") {
            continue;
        }
        for row in csv::Reader::from_reader(text(&home.path("lake").join(&name)).as_bytes())
            .into_deserialize::<(String, String, String, Micros, Micros)>()
        {
            let (store, _, _, start, end) = row.expect("a row");
            let intervals = stored.entry(store).or_default();
            intervals.push(Interval::new(start, end));
        }
    }
    let db = open_reader(&home.database()).expect("the database");
    let fleet = fleet::load(&db).expect("a fleet");
    let first = store_monitor::civil::parse_day("2026-10-24").expect("a day");
    let span = Interval::new(first * DAY, (first + 16) * DAY);
    let business = BusinessTime::new(&fleet, span);
    assert_eq!(fleet.stores().len(), 63);
    for store in fleet.stores() {
        let whole = business.of(store.pattern).intervals();
        let days = stored.remove(&*store.id).unwrap_or_default();
        assert_eq!(&Intervals::union_of(days), whole, "{}", store.id);
    }
    assert!(stored.is_empty(), "{stored:?}");
}

#[test]
fn the_polls_of_a_lake_are_what_import_takes_back() {
    let home = Home::seeded();
    export(&home, "2026-10-01", "2026-11-08").exits(0);
    let lake = home.path("lake");
    let names = files(&lake).into_keys();
    let polls = names.filter(|name| name.starts_with("polls/"));
    let polls: Vec<String> = polls
        .map(|name| lake.join(name).display().to_string())
        .collect();
    let other = Home::new();
    other.import(&polls);
    assert_eq!(
        other.print(&["export", "polls"]),
        home.print(&["export", "polls"])
    );
}

#[test]
fn the_same_data_make_the_same_bytes_however_they_came_in() {
    let (home, other) = (Home::seeded(), Home::new());
    let reversed: Vec<String> = seeds().into_iter().rev().collect();
    for file in reversed {
        other.import(&[file]);
    }
    for home in [&home, &other] {
        export(home, "2026-10-31", "2026-11-07").exits(0);
    }
    let first = files(&home.path("lake"));
    assert!(first == files(&other.path("lake")), "the lakes differ");
    export(&home, "2026-10-31", "2026-11-07").exits(0);
    assert!(first == files(&home.path("lake")), "a second run differs");
}

#[test]
fn running_it_again_replaces_its_days_and_leaves_the_others() {
    let home = two_stores();
    export(&home, "2026-11-01", "2026-11-04").exits(0);
    let lake = home.path("lake");
    let before = files(&lake);
    home.write(
        "more.csv",
        "store_id,status,timestamp_utc\n\
         late,inactive,2026-11-01 22:00:00 UTC\n\
         late,active,2026-11-02 00:00:00 UTC\n",
    );
    home.import(&["more.csv"]);
    export(&home, "2026-11-02", "2026-11-02").exits(0);
    let after = files(&lake);
    let changed = |(name, bytes): (&String, &Vec<u8>)| before[name] != *bytes;
    let changed: Vec<&String> = after
        .iter()
        .filter(|&file| changed(file))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, ["polls/day=2026-11-02/polls.csv.gz"]);
    assert_eq!(after.len(), before.len());
}

#[test]
fn a_day_without_polls_keeps_the_file_it_has() {
    let home = two_stores();
    let told = export(&home, "2026-11-01", "2026-11-04").exits(0);
    let told = told.says(&["1 of these days have no polls", "2026-11-03"]);
    assert_eq!(told.stderr.lines().count(), 2);
    let lake = home.path("lake");
    let before = files(&lake);
    assert!(!before.contains_key("polls/day=2026-11-03/polls.csv.gz"));
    assert!(before.contains_key("open_intervals/day=2026-11-03/open_intervals.csv.gz"));
    // What the database forgets is what a lake is there to keep.
    home.run(&["import", "--prune-before", "2026-11-02 00:00:00 UTC"])
        .exits(0);
    export(&home, "2026-11-01", "2026-11-04")
        .exits(0)
        .says(&["2 of these days", "2026-11-01"]);
    assert!(files(&lake) == before, "a forgotten day was overwritten");
}

#[test]
fn what_cannot_be_a_lake_is_refused_in_one_sentence_and_leaves_nothing() {
    let home = Home::new();
    export(&home, "2026-11-01", "2026-11-02")
        .exits(2)
        .refuses(&["store-monitor.db does not exist", "`import` creates it"]);
    home.write("zones.csv", "store_id,timezone_str\naa,UTC\n");
    home.import(&["zones.csv"]);
    export(&home, "2026-11-01", "2026-11-02")
        .exits(2)
        .refuses(&[
            "no polls from 2026-11-01 to 2026-11-02",
            "`import` brings some",
        ]);
    home.write(
        "polls.csv",
        "store_id,status,timestamp_utc\naa,active,2026-11-01 12:00:00 UTC\n",
    );
    home.import(&["polls.csv"]);
    export(&home, "2025-01-01", "2026-10-31")
        .exits(2)
        .refuses(&["no polls from 2025-01-01", "from 2026-11-01 to 2026-11-01"]);
    export(&home, "2026-11-02", "2026-11-01")
        .exits(2)
        .refuses(&["--from 2026-11-02 is after --to 2026-11-01"]);
    for day in ["2026-11-31", "2026-11-01 00:00:00 UTC", "yesterday"] {
        export(&home, day, "2026-12-01")
            .exits(2)
            .says(&[&format!("`{day}` is not a day"), "such as `2026-11-01`"]);
    }
    home.run(&["export", "lake", "lake", "--from", "2026-11-01"])
        .exits(2)
        .says(&["--to"]);
    let days = ["--from", "2026-11-01", "--to", "2026-11-01"];
    let output = ["export", "lake", "lake", "--output", "file"];
    home.run(&[&output[..], &days].concat())
        .exits(2)
        .refuses(&["a lake is a folder", "--output"]);
    assert!(!home.path("lake").exists());
    home.write("lake", "a file");
    export(&home, "2026-11-01", "2026-11-01")
        .exits(2)
        .refuses(&["cannot make lake", "name another folder"]);
    assert_eq!(home.text("lake"), "a file");
}

#[test]
fn flags_of_export_may_stand_before_what_is_exported() {
    let home = two_stores();
    let polls = home.print(&["export", "polls"]);
    let database = home.database().display().to_string();
    let elsewhere = Home::new();
    for arguments in [
        ["export", "polls", "--database", &database],
        ["export", "--database", &database, "polls"],
    ] {
        assert_eq!(elsewhere.print(&arguments), polls);
    }
    for arguments in [
        ["export", "polls", "--output", "polls-1"],
        ["export", "--output", "polls-1", "polls"],
    ] {
        assert!(home.print(&arguments).is_empty());
        assert_eq!(home.read("polls-1"), polls);
        fs::remove_file(home.path("polls-1")).expect("a file");
    }
}
