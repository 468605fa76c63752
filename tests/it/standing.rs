//! The fast glance at a store beside its plain standing, for any hours and polls.
//!
//! It must never know how either is made.

use chrono_tz::Tz;
use proptest::prelude::*;

use store_monitor::uptime::business_hours::{Pattern, WeeklyRow};
use store_monitor::uptime::fleet::{BusinessTime, Fleet};
use store_monitor::uptime::glance::Glance;
use store_monitor::uptime::interval::{DAY, HOUR, Intervals, MINUTE, Micros};
use store_monitor::uptime::poll::{Poll, Status};
use store_monitor::uptime::report::Question;
use store_monitor::uptime::segment::Condition;
use store_monitor::uptime::standing::Standing;
use store_monitor::uptime::timeline::{Interpolation, REACH};
use store_monitor::uptime::window::WindowTotal;

/// 2026-11-04, in the week after clocks went back in America.
const NOON: Micros = 20_761 * DAY + 12 * HOUR;

fn rows() -> impl Strategy<Value = Vec<WeeklyRow>> {
    let row = (0_u8..7, 0..96_i64, 0..=96_i64).prop_map(|(weekday, start, end)| WeeklyRow {
        weekday,
        start_us_local: start * 15 * MINUTE,
        end_us_local: end * 15 * MINUTE,
    });
    proptest::collection::vec(row, 0..12)
}

fn polls() -> impl Strategy<Value = Vec<(Micros, bool)>> {
    // Some at full quarters, where hours begin and end, some a microsecond beside.
    let poll = (0..=REACH / (15 * MINUTE), -1..=1_i64, any::<bool>());
    let poll =
        poll.prop_map(|(quarters, beside, active)| (quarters * 15 * MINUTE + beside, active));
    proptest::collection::vec(poll, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_glance_is_the_standing_made_fast(
        zone in proptest::sample::select(&[Tz::America__New_York, Tz::UTC, Tz::Asia__Kolkata, Tz::Australia__Lord_Howe]),
        rows in rows(),
        polls in polls(),
        quarters in 0..96_i64,
        rule in proptest::sample::select(&Interpolation::ALL),
    ) {
        let as_of = NOON + quarters * 15 * MINUTE;
        let question = Question { as_of, rule };
        let instants: std::collections::BTreeMap<Micros, bool> = polls
            .into_iter()
            .map(|(before, active)| (as_of - before, active))
            .filter(|(at, _)| (as_of - REACH..=as_of).contains(at))
            .collect();
        let status = |active| if active { Status::Active } else { Status::Inactive };
        let polls: Vec<Poll> = instants.into_iter().map(|(at, active)| Poll::new(at, status(active))).collect();
        let fleet = Fleet::new([(1, Box::from("a"), Pattern { zone, rows })]);
        let pattern = &fleet.patterns()[0];
        let standing = Standing::new(&polls, pattern, question);
        let business = BusinessTime::new(&fleet, BusinessTime::span_for(as_of));
        let open = business.of(0);
        let mut down = Vec::new();
        let glance = Glance::new(&polls, open, &open.marks(as_of), question, &mut Vec::new(), |piece| down.push(piece));

        prop_assert_eq!(glance.totals, standing.row.totals);
        prop_assert_eq!(glance.coverage, standing.row.coverage[2]);
        prop_assert_eq!(glance.state, standing.state);
        prop_assert_eq!(glance.last_poll, standing.last_poll());
        prop_assert_eq!(glance.is_vouched(), standing.is_vouched());
        prop_assert_eq!(glance.offline_since, standing.offline_since());

        let of = |wanted: Condition| -> Micros {
            let segments = standing.segments.iter().filter(|one| one.condition == wanted);
            segments.map(|one| one.stretch.length()).sum()
        };
        let downtime = match standing.row.totals[2] {
            WindowTotal::Known { uptime, downtime } => {
                prop_assert_eq!(of(Condition::Online), uptime);
                prop_assert_eq!(of(Condition::Offline), downtime);
                downtime
            }
            WindowTotal::Unknown { business } => {
                prop_assert_eq!(of(Condition::Unknown), business);
                0
            }
            WindowTotal::Closed => 0,
        };
        prop_assert_eq!(down.iter().map(|piece| piece.length()).sum::<Micros>(), downtime);
        prop_assert_eq!(Intervals::union_of(down).length(), downtime);
        prop_assert_eq!(standing.incidents.iter().map(|one| one.downtime).sum::<Micros>(), downtime);
        for pair in standing.incidents.windows(2) {
            prop_assert!(pair[0].stretch.end < pair[1].stretch.start && !pair[0].open);
        }
    }
}
