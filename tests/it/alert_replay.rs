//! A replay of alert rules gives what a server that lived through the same polls has sent, whatever killed it meanwhile.

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;

use store_monitor::alerts::rule::Rule;
use store_monitor::civil::format_utc;
use store_monitor::config::{Live, Messaging};
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::outbox::{self, Message};
use store_monitor::db::writer::Writer;
use store_monitor::db::{polls, store_keys};
use store_monitor::hot_window::HotWindow;
use store_monitor::uptime::fleet::StoreKey;
use store_monitor::uptime::interval::{DAY, HOUR, Interval, MINUTE, Micros, SECOND};
use store_monitor::uptime::poll::{Poll, Status};
use store_monitor::watcher::live::Watcher;
use store_monitor::watcher::replay::replay;

use crate::harness::Home;
use crate::properties::config;

/// A Wednesday in spring; Europe's clocks change four days later.
const BEGIN: Micros = 20_537 * DAY;

const STORES: u32 = 12;

/// How many hours are lived through.
const HOURS: i64 = 30;

/// Twelve stores of two owners in three zones, two of which close at night, with polls of eight days.
fn fleet() -> Home {
    let home = Home::new();
    let mut polls = String::from("store_id,timestamp_utc,status\n");
    let mut names = String::from("store_id,name,group\n");
    let mut hours = String::from("store_id,day,start_time_local,end_time_local\n");
    let mut zones = String::from("store_id,timezone_str\n");
    for store in 0..STORES {
        let owner = ["Harbour", "Salt"][store as usize % 2];
        let zone = ["Europe/Paris", "America/Chicago", "Asia/Kolkata"][store as usize % 3];
        // Writing to memory cannot fail.
        let _ = writeln!(names, "s{store},Store no. {store},{owner}");
        let _ = writeln!(zones, "s{store},{zone}");
        for day in 0..7 {
            if store % 4 < 2 {
                let _ = writeln!(hours, "s{store},{day},09:00:00,21:30:00");
            }
        }
        for hour in -8 * 24..0 {
            let _ = writeln!(polls, "s{store},{},active", format_utc(at(store, hour)));
        }
    }
    home.write("polls.csv", polls);
    home.write("names.csv", names);
    home.write("hours.csv", hours);
    home.write("zones.csv", zones);
    home.import(&["polls.csv", "names.csv", "hours.csv", "zones.csv"]);
    home
}

/// When a store is polled in an hour.
fn at(store: u32, hour: i64) -> Micros {
    BEGIN + hour * HOUR + Micros::from(store) * 4 * MINUTE + Micros::from(store) * SECOND
}

fn rules() -> Vec<Rule> {
    let all = Rule {
        remind: Some(5 * HOUR),
        escalate_after: Some(2 * HOUR),
        escalate_to: vec!["boss".to_owned()],
        ..Rule::new("all", vec!["ops".to_owned(), "phone".to_owned()])
    };
    let own = Rule {
        stores: store_monitor::access::Audience::of_groups(["Salt".to_owned()]),
        after: Some(45 * MINUTE),
        ..Rule::new("salt", vec!["salt".to_owned()])
    };
    vec![all, own]
}

/// What is compared of messages: all but their links.
fn told(messages: impl IntoIterator<Item = Message>) -> Vec<(String, String, String, String)> {
    let mut told: Vec<_> = messages
        .into_iter()
        .map(|message| (message.key, message.subject, message.text, message.facts))
        .collect();
    told.sort();
    told
}

/// A server's life: polls come at their instants, and it looks at the rules after each number of minutes. At `true` it
/// is killed, and goes on from its database.
fn live(home: &Home, polls: &[(StoreKey, Poll)], looks: &[(i64, bool)]) -> Vec<Message> {
    let file = home.database();
    let messaging = Arc::new(Live::default());
    messaging.set(Messaging {
        alerts: rules(),
        ..Messaging::default()
    });
    let start = || {
        let hot = Arc::new(HotWindow::default());
        let (writer, _) = Writer::start(open_writer(&file).expect("a database"), Arc::clone(&hot))
            .expect("a writer");
        let watcher = Watcher::new(file.clone(), writer.clone(), hot, Arc::clone(&messaging));
        (writer, watcher)
    };
    let (mut writer, mut watcher) = start();
    let (mut known, mut now, end) = (0, BEGIN, BEGIN + HOURS * HOUR);
    for &(minutes, dies) in looks.iter().cycle() {
        let come = known + polls[known..].partition_point(|(_, poll)| poll.at() <= now);
        let new = polls[known..come].to_vec();
        known = come;
        let added = writer.try_load(move |db| {
            let added = polls::add(db, new.into_iter().map(Ok))?;
            Ok(((), added.change))
        });
        added.expect("polls");
        watcher.advance(now + 10 * SECOND, None).expect("a look");
        if dies {
            (writer, watcher) = start();
        }
        if now == end {
            break;
        }
        now = (now + minutes * MINUTE).min(end);
    }
    let sent = outbox::newest(
        &open_reader(&file).expect("a database"),
        None,
        i64::MAX,
        10_000,
    )
    .expect("an outbox");
    sent.into_iter().map(|entry| entry.message).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 40, ..config(8) })]
    #[test]
    fn a_replay_gives_what_a_server_sent_that_lived_through_the_same_polls(
        trouble in proptest::collection::vec((0..STORES, 0..HOURS, 1_i64..12, any::<bool>()), 0..14),
        owner in proptest::option::of((0_u32..2, 0..HOURS, 2_i64..9)),
        outage in (0..HOURS, 0_i64..9),
        looks in proptest::collection::vec((20_i64..56, proptest::bool::weighted(0.2)), 1..40),
    ) {
        let home = fleet();
        let keys = store_keys::ids(&home.sqlite()).expect("ids");
        let mut polls = Vec::new();
        for (&key, id) in &keys {
            let store: u32 = id[1..].parse().expect("a number");
            for hour in 0..HOURS {
                let within = |start: i64, length: i64| (start..start + length).contains(&hour);
                let own = trouble.iter().find(|one| one.0 == store && within(one.1, one.2));
                let owners = owner.is_some_and(|(owner, start, length)| store % 2 == owner && within(start, length));
                let status = match own {
                    _ if within(outage.0, outage.1) => continue,
                    Some((.., true)) => continue,
                    Some(_) => Status::Inactive,
                    None if owners => Status::Inactive,
                    None => Status::Active,
                };
                polls.push((key, Poll::new(at(store, hour), status)));
            }
        }
        polls.sort_by_key(|&(key, poll)| (poll.at(), key));
        let sent = told(live(&home, &polls, &looks));
        let span = Interval::new(BEGIN, BEGIN + HOURS * HOUR + MINUTE);
        let mut db = open_reader(&home.database()).expect("a database");
        let replayed = replay(&mut db, rules(), span, |_| {}).expect("a replay");
        prop_assert_eq!(told(replayed.into_iter().map(|sent| sent.message)), sent);
    }
}
