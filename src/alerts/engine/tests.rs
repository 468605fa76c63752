//! What rules say of made-up days: each kind of trouble, what keeps messages few, and a replay beside a life.

use std::sync::Arc;

use chrono::NaiveTime;
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::access::Audience;
use crate::alerts::rule::QuietHours;
use crate::uptime::business_hours::Pattern;
use crate::uptime::calendar::WeeklyRow;
use crate::uptime::fleet::Fleet;
use crate::uptime::history_builder::history_of;
use crate::uptime::interval::{DAY, HOUR, MINUTE};
use crate::uptime::poll::{Poll, Status};

/// A Monday, eight days after the first poll.
const MONDAY: Micros = 20_759 * DAY;

/// A fleet that was polled each hour, active, for eight days before [`MONDAY`].
struct World {
    rules: Vec<Rule>,
    stores: Vec<(StoreKey, Pattern)>,
    owners: Vec<String>,
    polls: Vec<(StoreKey, Poll)>,
}

fn always() -> Pattern {
    Pattern::weekly(Tz::UTC, Vec::new())
}

/// Open from one hour to another, every day.
fn daily(from: i64, to: i64) -> Pattern {
    let row = |weekday| WeeklyRow::open(weekday, from * HOUR, to * HOUR);
    Pattern::weekly(Tz::UTC, (0..7).map(row).collect())
}

fn rule() -> Rule {
    Rule::new("all", vec!["ops".to_owned()])
}

impl World {
    /// Stores with keys from 0; the polls of each come at an own minute of the hour.
    fn new(rules: Vec<Rule>, count: u32, pattern: &Pattern) -> Self {
        let stores: Vec<_> = (0..count).map(|key| (key, pattern.clone())).collect();
        let mut world = Self {
            rules,
            owners: vec!["Salt".to_owned(); stores.len()],
            stores,
            polls: Vec::new(),
        };
        for key in 0..count {
            world.poll(key, -8 * 24..0, Status::Active);
        }
        world
    }

    fn minute_of(key: StoreKey) -> Micros {
        Micros::from(key) * 7 % 60 * MINUTE
    }

    /// Polls of a store in hours of Monday.
    fn poll(&mut self, key: StoreKey, hours: std::ops::Range<i64>, status: Status) {
        let at = |hour| MONDAY + hour * HOUR + Self::minute_of(key);
        self.polls.extend(hours.map(|hour| (key, Poll::new(at(hour), status))));
    }

    fn day(&self, history: &History, at: Micros) -> Day {
        let stores = self.stores.iter();
        let named = stores.map(|(key, pattern)| (*key, format!("{key:05}").into_boxed_str(), pattern.clone()));
        Day::new(Arc::new(Fleet::new(named)), self.owners.clone(), history, at)
    }

    /// What a replay of so many hours gives.
    fn replay(&self, hours: i64) -> Vec<Alert> {
        let history = history_of(self.polls.iter().copied());
        let mut engine = Engine::new(self.rules.clone(), State::default());
        let mut day = self.day(&history, MONDAY);
        let mut alerts = Vec::new();
        for minute in 0..hours * 60 {
            let at = MONDAY + minute * MINUTE;
            if !day.span.contains(at) {
                day = self.day(&history, at);
            }
            alerts.extend(engine.step(&day, &history, at));
        }
        alerts
    }

    /// What a server sends that learns of each poll as it comes, and is killed each hour.
    fn live(&self, hours: i64) -> Vec<Alert> {
        let mut engine = Engine::new(self.rules.clone(), State::default());
        let mut alerts = Vec::new();
        let mut polls = self.polls.clone();
        polls.sort_by_key(|(_, poll)| poll.at());
        let mut history = history_of([]);
        let mut known = 0;
        let mut day: Option<Day> = None;
        for minute in 0..hours * 60 {
            let at = MONDAY + minute * MINUTE;
            let now = polls.partition_point(|(_, poll)| poll.at() <= at);
            if now > known || minute == 0 {
                history = history_of(polls[..now].iter().copied());
                known = now;
            }
            if day.as_ref().is_none_or(|day| !day.span.contains(at)) {
                day = Some(self.day(&history, at));
            }
            if minute % 60 == 59 {
                let stored = serde_json::to_string(&engine.state).unwrap();
                engine = Engine::new(self.rules.clone(), serde_json::from_str(&stored).unwrap());
            }
            engine.refresh();
            alerts.extend(engine.step(day.as_ref().unwrap(), &history, at));
        }
        alerts
    }

    /// What is told: the minute of Monday, what, and of how many stores.
    fn told(&self, hours: i64) -> Vec<(i64, &'static str, usize)> {
        let told = |alert: &Alert| {
            let said = match (&alert.about, alert.cause) {
                (_, Cause::Reminder) => "reminder",
                (_, Cause::Escalation) => "escalation",
                (About::Stores(_), _) => alert.what.as_str(),
                (About::Back(_), _) => "back",
                (About::PollerAway { .. }, _) => "away",
                (About::PollerBack(_), _) => "works",
                (About::BackupsMissed(_) | About::BackupsMade, _) => "backup",
            };
            ((alert.at - MONDAY) / MINUTE, said, alert.lines().len())
        };
        self.replay(hours).iter().map(told).collect()
    }
}

#[test]
fn the_second_inactive_poll_in_a_row_is_told_and_the_first_active_one_after_it() {
    let mut world = World::new(vec![rule()], 3, &always());
    for key in 0..2 {
        world.poll(key, 0..24, Status::Active);
    }
    world.poll(2, 0..5, Status::Active);
    world.poll(2, 5..6, Status::Inactive);
    world.poll(2, 6..8, Status::Active);
    world.poll(2, 8..12, Status::Inactive);
    world.poll(2, 12..24, Status::Active);
    // It is polled at 14 minutes past the hour.
    assert_eq!(world.told(24), [(9 * 60 + 24, "offline", 1), (12 * 60 + 24, "back", 1)]);
    let alerts = world.replay(24);
    let line = alerts[0].lines()[0];
    assert_eq!(
        (line.trouble.since, line.trouble.inactive),
        (MONDAY + 8 * HOUR + 14 * MINUTE, 2)
    );
    assert_eq!(alerts[1].lines()[0].back_at, Some(MONDAY + 12 * HOUR + 14 * MINUTE));
}

#[test]
fn one_inactive_poll_is_told_when_nothing_came_for_twice_the_usual_gap() {
    let mut world = World::new(vec![rule()], 9, &always());
    for key in 1..9 {
        world.poll(key, 0..24, Status::Active);
    }
    world.poll(0, 0..5, Status::Active);
    world.poll(0, 5..6, Status::Inactive);
    assert_eq!(world.told(24), [(7 * 60 + 11, "offline", 1)]);
}

#[test]
fn after_counts_business_time_from_the_first_inactive_poll() {
    let after = Rule {
        after: Some(90 * MINUTE),
        ..rule()
    };
    let mut world = World::new(vec![after], 2, &daily(6, 20));
    world.poll(1, 0..24, Status::Active);
    world.poll(0, 0..6, Status::Active);
    world.poll(0, 6..24, Status::Inactive);
    assert_eq!(world.told(20), [(7 * 60 + 30 + 10, "offline", 1)]);
}

#[test]
fn forty_stores_of_one_owner_are_one_message() {
    let mut world = World::new(vec![rule()], 100, &always());
    for key in 0..100 {
        let fails = key < 40;
        world.poll(key, 0..10, Status::Active);
        world.poll(key, 10..14, if fails { Status::Inactive } else { Status::Active });
        world.poll(key, 14..24, Status::Active);
        world.owners[key as usize] = if fails { "Harbour" } else { "Salt" }.to_owned();
    }
    // Polls of the fleet come all over the hour. The others of the owner are known by their first inactive poll.
    let told = world.told(24);
    assert_eq!(told, [(11 * 60 + 10, "offline", 40), (15 * 60, "back", 40)]);
    let suspected = |line: &&Line| line.suspected;
    assert_eq!(world.replay(24)[0].lines().iter().filter(suspected).count(), 32);
}

#[test]
fn a_poller_outage_that_silences_all_is_one_message_and_another_at_its_end() {
    for pattern in [always(), daily(0, 23)] {
        let mut world = World::new(vec![rule()], 500, &pattern);
        for key in 0..500 {
            world.poll(key, 0..6, Status::Active);
            world.poll(key, 14..23, Status::Active);
        }
        let told = world.told(23);
        let said: Vec<_> = told.iter().map(|&(_, said, _)| said).collect();
        assert_eq!(said, ["away", "works"], "{told:?}");
        assert!((7 * 60..9 * 60).contains(&told[0].0), "{told:?}");
        assert!((14 * 60..15 * 60).contains(&told[1].0), "{told:?}");
    }
}

#[test]
fn a_store_that_the_poller_forgot_is_told_once_and_again_when_it_is_polled() {
    let mut world = World::new(vec![rule()], 9, &always());
    for key in 1..9 {
        world.poll(key, 0..40, Status::Active);
    }
    world.poll(0, 0..5, Status::Active);
    world.poll(0, 30..40, Status::Active);
    assert_eq!(world.told(40), [(7 * 60 + 11, "silent", 1), (30 * 60 + 10, "back", 1)]);
}

#[test]
fn nothing_is_told_shortly_before_a_store_closes_nor_while_it_is_closed() {
    let mut world = World::new(vec![rule()], 2, &daily(8, 20));
    world.poll(1, 0..48, Status::Active);
    world.poll(0, 0..18, Status::Active);
    // Its second inactive poll is an hour before closing, and told; with a longer quiet time it is told in the morning.
    world.poll(0, 18..34, Status::Inactive);
    world.poll(0, 34..48, Status::Active);
    assert_eq!(
        world.told(48),
        [(19 * 60 + 10, "offline", 1), (34 * 60 + 10, "back", 1)]
    );
    world.rules[0].quiet_before_close = HOUR;
    assert_eq!(
        world.told(48),
        [(32 * 60 + 10, "offline", 1), (34 * 60 + 10, "back", 1)]
    );
}

#[test]
fn in_quiet_hours_nothing_is_sent_and_after_them_only_what_lasts() {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let quiet = QuietHours {
        start_local: time(22),
        end_local: time(7),
        zone: Tz::UTC,
    };
    let rule = Rule {
        quiet: Some(quiet),
        ..rule()
    };
    let mut world = World::new(vec![rule], 4, &always());
    world.poll(0, 0..40, Status::Active);
    world.poll(1, 0..40, Status::Active);
    world.poll(2, 0..22, Status::Active);
    world.poll(2, 22..26, Status::Inactive);
    world.poll(2, 26..40, Status::Active);
    world.poll(3, 0..24, Status::Active);
    world.poll(3, 24..40, Status::Inactive);
    let told = world.told(40);
    assert_eq!(told, [(31 * 60, "offline", 1)]);
    let alert = &world.replay(40)[0];
    assert_eq!((alert.lines()[0].store, alert.passed), (3, 1));
}

#[test]
fn it_is_repeated_and_escalated_until_somebody_acknowledges() {
    let rule = Rule {
        remind: Some(4 * HOUR),
        escalate_after: Some(2 * HOUR),
        escalate_to: vec!["boss".to_owned()],
        ..rule()
    };
    let mut world = World::new(vec![rule], 3, &always());
    world.poll(1, 0..24, Status::Active);
    world.poll(2, 0..24, Status::Active);
    world.poll(0, 0..2, Status::Active);
    world.poll(0, 2..24, Status::Inactive);
    let told = world.told(13);
    let offline = 3 * 60 + 10;
    assert_eq!(
        told,
        [
            (offline, "offline", 1),
            (offline + 120, "escalation", 1),
            (offline + 240, "reminder", 1),
            (offline + 480, "reminder", 1),
        ]
    );
    let alerts = world.replay(13);
    assert_eq!(alerts[1].to, ["boss"]);
    assert_eq!(alerts[2].acknowledges.as_deref(), Some(&*alerts[0].key));
    // Acknowledged after an hour.
    let history = history_of(world.polls.iter().copied());
    let day = world.day(&history, MONDAY);
    let mut engine = Engine::new(world.rules.clone(), State::default());
    let mut sent = 0;
    for minute in 0..20 * 60 {
        if minute == offline + 60 {
            let open: Vec<String> = engine.open().map(str::to_owned).collect();
            assert_eq!(open, [alerts[0].key.clone()]);
            engine.acknowledge(&open[0]);
        }
        sent += engine.step(&day, &history, MONDAY + minute * MINUTE).len();
    }
    assert_eq!(sent, 1);
}

#[test]
fn a_rule_is_about_its_own_stores_and_its_own_conditions() {
    let own = Rule {
        stores: Audience::of_groups(["Harbour".to_owned()]),
        when: vec![When::Offline],
        ..rule()
    };
    let one = Rule {
        name: "one".to_owned(),
        stores: Audience::Store("00001".into()),
        ..rule()
    };
    let mut world = World::new(vec![own, one], 9, &always());
    world.owners[0] = "Harbour".to_owned();
    for key in 0..9 {
        let fails = key < 3;
        world.poll(key, 0..4, Status::Active);
        world.poll(key, 4..8, if fails { Status::Inactive } else { Status::Active });
        world.poll(key, 8..20, Status::Active);
    }
    let alerts = world.replay(20);
    let told: Vec<_> = alerts
        .iter()
        .map(|alert| (&*alert.rule, alert.what, alert.lines().len(), alert.lines()[0].store))
        .collect();
    assert_eq!(
        told,
        [
            ("all", When::Offline, 1, 0),
            ("one", When::Offline, 1, 1),
            ("one", When::BackOnline, 1, 1),
        ]
    );
}

/// Hours of inactive polls and of no polls, for some stores.
fn any_trouble() -> impl Strategy<Value = Vec<(u32, i64, i64, bool)>> {
    proptest::collection::vec((0_u32..6, 0_i64..60, 1_i64..9, any::<bool>()), 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_replay_gives_what_a_server_that_lived_through_it_has_sent(
        trouble in any_trouble(),
        outage in (0_i64..60, 0_i64..12),
        remind in any::<bool>(),
        quiet in any::<bool>(),
        after in proptest::option::of(1_i64..200),
        closes in any::<bool>(),
    ) {
        let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        let rule = Rule {
            remind: remind.then_some(2 * HOUR),
            escalate_after: remind.then_some(HOUR),
            escalate_to: vec!["boss".to_owned()],
            quiet: quiet.then_some(QuietHours { start_local: time(22), end_local: time(6), zone: Tz::Europe__Paris }),
            after: after.map(|minutes| minutes * MINUTE),
            ..rule()
        };
        let mut world = World::new(vec![rule], 6, &if closes { daily(9, 21) } else { always() });
        let hours = 60;
        for key in 0..6 {
            for hour in 0..hours {
                let of = |&&(store, start, length, _): &&(u32, i64, i64, bool)| {
                    store == key && (start..start + length).contains(&hour)
                };
                let status = match trouble.iter().find(of) {
                    _ if (outage.0..outage.0 + outage.1).contains(&hour) => continue,
                    Some((.., true)) => continue,
                    Some(_) => Status::Inactive,
                    None => Status::Active,
                };
                world.poll(key, hour..hour + 1, status);
            }
        }
        let (replayed, live) = (world.replay(hours), world.live(hours));
        prop_assert_eq!(&replayed, &live);
        let keys: HashSet<_> = replayed.iter().map(|alert| &alert.key).collect();
        prop_assert_eq!(keys.len(), replayed.len(), "no two have one key");
    }
}
