//! Poller outages over HTTP: the answers of `GET /api/poller-outages`, and the outages of synthetic files.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::File;

use chrono_tz::Tz;
use rusqlite::Connection;
use serde_json::{Value, json};
use store_monitor::db::{self, fleet, polls};
use store_monitor::generate::{self, Options};
use store_monitor::ingest::batch;
use store_monitor::ingest::load;
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::source::Source;
use store_monitor::scratch::Scratch;
use store_monitor::uptime::business_hours::Pattern;
use store_monitor::uptime::fleet::{BusinessTime, Fleet, StoreKey};
use store_monitor::uptime::history_builder::history_of;
use store_monitor::uptime::interval::{DAY, HOUR, Interval, Micros};
use store_monitor::uptime::outage;
use store_monitor::uptime::poll::{Poll, Status};
use store_monitor::uptime::report::{Question, ReportRow};
use store_monitor::uptime::timeline::Interpolation;
use store_monitor::uptime::window::{Coverage, Window, reach};

use crate::harness::{Home, Server};

/// Five stores polled on every hour of 1 to 3 November, but for ten hours of the second.
fn polls() -> String {
    let mut csv = "store_id,status,timestamp_utc\n".to_owned();
    for (day, hour) in (1..=3).flat_map(|day| (0..24).map(move |hour| (day, hour))) {
        if day == 2 && (8..18).contains(&hour) {
            continue;
        }
        for store in 0..5 {
            writeln!(
                csv,
                "{store},active,2026-11-0{day} {hour:02}:0{store}:00 UTC"
            )
            .unwrap();
        }
    }
    csv
}

fn told(as_of: &str, from: &str, outages: &[(&str, &str, u32)]) -> Value {
    let outage =
        |(from, to, minutes): &(_, _, _)| json!({"from": from, "to": to, "minutes": minutes});
    let outages: Vec<_> = outages.iter().map(outage).collect();
    json!({"as_of": as_of, "from": from, "to": as_of, "poller_outages": outages})
}

#[test]
fn outages_of_the_eight_days_before_as_of_are_told() {
    let home = Home::new();
    home.write("polls.csv", polls());
    home.import(&["polls.csv"]).exits(0);
    let server = Server::start(&home);
    let past = ("2026-11-02T07:04:00Z", "2026-11-02T18:00:00Z", 656);
    let newest = told("2026-11-03T23:04:00Z", "2026-10-26T23:04:00Z", &[past]);
    assert_eq!(server.get("/api/poller-outages").json(), newest);

    // What is not known yet at `as_of` is not told; an outage that goes on ends there.
    let at = |as_of: &str| {
        let answer = server.get(&format!("/api/poller-outages?as_of={as_of}"));
        assert_eq!(answer.status, 200);
        answer.json()
    };
    let (before, within, after) = (
        "2026-11-02T09:00:00Z",
        "2026-11-02T12:00:30Z",
        "2026-11-11T00:00:00Z",
    );
    assert_eq!(at(before), told(before, "2026-10-25T09:00:00Z", &[]));
    let open = ("2026-11-02T07:04:00Z", within, 297);
    assert_eq!(at(within), told(within, "2026-10-25T12:00:30Z", &[open]));
    let open = ("2026-11-03T23:04:00Z", after, 10_136);
    assert_eq!(at(after), told(after, "2026-11-03T00:00:00Z", &[open]));
}

#[test]
fn polls_that_come_in_late_end_an_outage() {
    let home = Home::new();
    home.write("polls.csv", polls());
    home.import(&["polls.csv"]).exits(0);
    let server = Server::start(&home);
    let outages = || server.get("/api/poller-outages").json()["poller_outages"].clone();
    assert_eq!(outages().as_array().map(Vec::len), Some(1));
    let mut late = "store_id,status,timestamp_utc\n".to_owned();
    for hour in 8..18 {
        writeln!(late, "3,inactive,2026-11-02 {hour:02}:30:00 UTC").unwrap();
    }
    home.write("late.csv", late);
    home.import(&["late.csv"]).exits(0);
    assert_eq!(outages(), json!([]));
}

#[test]
fn without_polls_there_is_no_outage_and_an_odd_instant_is_refused() {
    let home = Home::new();
    let server = Server::start(&home);
    let nothing = json!({"as_of": null, "from": null, "to": null, "poller_outages": []});
    assert_eq!(server.get("/api/poller-outages").json(), nothing);
    let odd = server.get("/api/poller-outages?as_of=yesterday");
    assert!(odd.problem(400).contains("`yesterday` is not an instant"));
    assert_eq!(server.request("POST", "/api/poller-outages").status, 405);
}

/// What [`generate`] makes, loaded: the stores, their polls, and the newest poll's instant.
fn generated(stores: u32, days: u32, seed: u64) -> (Fleet, Vec<(StoreKey, Poll)>, Micros) {
    let home = Home::new();
    let folder = home.path("data");
    let options = Options::new(stores, days, seed);
    generate::write(&options, &folder, &mut |_| ()).expect("files");
    let names = [
        "timezones.csv",
        "menu_hours.csv",
        "stores.csv",
        "store_status.csv",
    ];
    let source = |name| Source::new(name, File::open(folder.join(name)).expect(name));
    let read = batch::read(
        names.map(source),
        MachineTime::until(options.end),
        &Scratch::unbounded(&folder),
        &mut |_, bad| panic!("{bad}"),
    );
    let mut db = Connection::open_in_memory().expect("memory");
    db.execute_batch(include_str!("../../schema.sql"))
        .expect("a schema");
    let batch = read.expect("good input");
    db::write(&mut db, |db| load::write(db, batch)).expect("a database in memory");
    let mut all = Vec::new();
    polls::for_each(&db, |at, store, status| {
        all.push((store, Poll::new(at, status)));
        Ok(())
    })
    .expect("polls");
    let newest = polls::newest(&db).expect("polls").expect("a poll");
    (fleet::load(&db).expect("a fleet"), all, newest)
}

/// Every stretch of more than three and a half hours before `as_of` for which nobody was polled; made-up
/// stores are polled once an hour, and the poller fails for five hours or more.
fn holes(polls: &[(StoreKey, Poll)], as_of: Micros) -> Vec<Interval> {
    let known = polls.iter().map(|(_, poll)| poll.at());
    let known: Vec<_> = known
        .filter(|&at| reach(as_of).contains(at))
        .chain([as_of])
        .collect();
    let holes = known.windows(2).map(|pair| Interval::new(pair[0], pair[1]));
    holes.filter(|hole| hole.length() > 7 * HOUR / 2).collect()
}

fn outages(fleet: &Fleet, polls: &[(StoreKey, Poll)], as_of: Micros) -> Vec<Interval> {
    let business = BusinessTime::new(fleet, BusinessTime::span_for(as_of));
    let history = history_of(polls.iter().copied());
    outage::outages(fleet, &business, &history, as_of)
        .as_slice()
        .to_vec()
}

/// The polls that a poller makes which asks no store that is closed.
fn when_open(fleet: &Fleet, polls: &[(StoreKey, Poll)], span: Interval) -> Vec<(StoreKey, Poll)> {
    let business = BusinessTime::new(fleet, span);
    let open: HashMap<_, _> = fleet
        .stores()
        .iter()
        .map(|store| (store.key, business.of(store.pattern).intervals()))
        .collect();
    let open = |(store, poll): &&(StoreKey, Poll)| open[store].contains(poll.at());
    polls.iter().filter(open).copied().collect()
}

/// Whether each hole is within an outage of its own that begins and ends with it, give or take the time
/// in which most stores are polled once.
fn match_up(outages: &[Interval], holes: &[Interval]) -> bool {
    let near = |a: Micros, b: Micros| (a - b).abs() < 3 * HOUR / 2;
    let matches = |(out, hole): (&Interval, &Interval)| {
        near(out.start, hole.start) && near(out.end, hole.end)
    };
    outages.len() == holes.len() && outages.iter().zip(holes).all(matches)
}

#[test]
fn the_outages_of_a_made_up_poller_are_found_and_nothing_else() {
    for seed in 0..8 {
        let (fleet, polls, newest) = generated(150, 12, seed);
        let span = Interval::new(newest - 13 * DAY, newest + DAY);
        let by_day = when_open(&fleet, &polls, span);
        assert!(by_day.len() * 10 < polls.len() * 9, "some are closed");
        // Whenever it is asked about: at the end, or two days before.
        for as_of in [newest, newest - 2 * DAY] {
            let holes = holes(&polls, as_of);
            assert!(!holes.is_empty(), "{seed}: the poller failed");
            for polls in [&polls, &by_day] {
                let found = outages(&fleet, polls, as_of);
                assert!(match_up(&found, &holes), "{seed}: {found:?} for {holes:?}");
            }
        }
    }
}

/// The row of a store that never closes.
fn row(polls: &[Poll], as_of: Micros) -> ReportRow {
    let pattern = Pattern::weekly(Tz::UTC, Vec::new());
    let rule = Interpolation::Nearest;
    ReportRow::new(polls, &pattern, Question { as_of, rule })
}

#[test]
fn an_outage_lowers_coverage_and_changes_no_number_of_the_report() {
    const AS_OF: Micros = 20_000 * DAY;
    let hourly = (0..8 * 24).map(|hour| AS_OF - hour * HOUR);
    let outage = Interval::new(AS_OF - 14 * HOUR, AS_OF - 4 * HOUR);
    let within = |at: Micros| outage.start < at && at < outage.end;
    // Offline for five hours shortly before the outage, whose own polls would have said nothing new.
    let status = |at: Micros| match (AS_OF - at) / HOUR {
        15..20 => Status::Inactive,
        _ => Status::Active,
    };
    let poll = |at| Poll::new(at, status(at));
    let mut all: Vec<_> = hourly.clone().map(poll).collect();
    let mut known: Vec<_> = hourly.filter(|&at| !within(at)).map(poll).collect();
    all.sort_unstable_by_key(|poll| poll.at());
    known.sort_unstable_by_key(|poll| poll.at());
    let (all, known) = (row(&all, AS_OF), row(&known, AS_OF));
    assert_eq!(known.totals, all.totals);
    let seen = |row: &ReportRow| {
        let part = |coverage: &Option<Coverage>| coverage.map(|part| (part.seen, part.business));
        row.coverage.iter().map(part).collect::<Vec<_>>()
    };
    let full = |length| Some((length, length));
    assert_eq!(seen(&all), [full(HOUR), full(DAY), full(7 * DAY)]);
    // Two of the ten hours are within one of a poll.
    let but = |length| Some((length - 8 * HOUR, length));
    assert_eq!(seen(&known), [full(HOUR), but(DAY), but(7 * DAY)]);
}

#[test]
fn every_store_that_an_outage_kept_from_being_seen_has_less_coverage() {
    let (fleet, polls, as_of) = generated(150, 9, 3);
    let found = outages(&fleet, &polls, as_of);
    let span = reach(as_of);
    let business = BusinessTime::new(&fleet, BusinessTime::span_for(as_of));
    let mut lowered = 0;
    for store in fleet.stores() {
        let own = polls.iter().filter(|(key, _)| *key == store.key);
        let own: Vec<_> = own.map(|&(_, poll)| poll).collect();
        let question = Question {
            as_of,
            rule: Interpolation::Nearest,
        };
        let row = ReportRow::new(&own, &fleet.patterns()[store.pattern], question);
        let open = business.of(store.pattern).intervals();
        // Two hours after it began no poll is near, and two hours before it ended.
        let unseen = found.iter().any(|out| {
            let middle = Interval::new(out.start + 2 * HOUR, out.end - 2 * HOUR);
            let week = Interval::new(as_of - 7 * DAY, as_of);
            open.within(middle.intersection(week).intersection(span))
                .next()
                .is_some()
        });
        if let (true, Some(week)) = (unseen, row.coverage[Window::Week]) {
            assert!(week.seen < week.business, "{}", store.id);
            lowered += 1;
        }
    }
    assert!(lowered > 50, "{lowered}");
}
