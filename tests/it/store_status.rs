//! A store's summary, the fast form, compared with its status, the plain form, for any hours and polls.

use chrono_tz::Tz;
use proptest::prelude::*;

use store_monitor::uptime::brief_incident::{BriefIncident, Scratch, brief_incidents};
use store_monitor::uptime::business_hours::Pattern;
use store_monitor::uptime::calendar::WeeklyRow;
use store_monitor::uptime::fleet::{BusinessTime, Fleet};
use store_monitor::uptime::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros};
use store_monitor::uptime::pass::WindowMarks;
use store_monitor::uptime::poll::{Poll, Status};
use store_monitor::uptime::report::Question;
use store_monitor::uptime::segment::Condition;
use store_monitor::uptime::store_status::StoreStatus;
use store_monitor::uptime::store_summary::StoreSummary;
use store_monitor::uptime::timeline::Interpolation;
use store_monitor::uptime::window::{REACH, Window, WindowTotal};

/// 2026-11-04, in the week after clocks went back in America.
const NOON: Micros = 20_761 * DAY + 12 * HOUR;

fn rows() -> impl Strategy<Value = Vec<WeeklyRow>> {
    let row = (0_u8..7, 0..96_i64, 0..=96_i64).prop_map(|(weekday, start, end)| {
        WeeklyRow::open(weekday, start * 15 * MINUTE, end * 15 * MINUTE)
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
    fn a_summary_is_the_status_made_fast(
        zone in proptest::sample::select(&[Tz::America__New_York, Tz::UTC, Tz::Asia__Kolkata, Tz::Australia__Lord_Howe]),
        rows in rows(),
        polls in polls(),
        quarters in 0..96_i64,
        (out, out_hours) in (0..8 * 24_i64, 1..60_i64),
        rule in proptest::sample::select(&Interpolation::ALL),
    ) {
        let as_of = NOON + quarters * 15 * MINUTE;
        let question = Question { as_of, rule };
        let instants: std::collections::BTreeMap<Micros, bool> = polls
            .into_iter()
            .map(|(before, active)| (as_of - before, active))
            .filter(|(at, _)| (as_of - REACH..=as_of).contains(at))
            .collect();
        let answer = |active| if active { Status::Active } else { Status::Inactive };
        let polls: Vec<Poll> = instants.into_iter().map(|(at, active)| Poll::new(at, answer(active))).collect();
        let fleet = Fleet::new([(1, Box::from("a"), Pattern::weekly(zone, rows))]);
        let pattern = &fleet.patterns()[0];
        let status = StoreStatus::new(&polls, pattern, question);
        let business = BusinessTime::new(&fleet, BusinessTime::span_for(as_of));
        let open = business.of(0);
        let mut down = Vec::new();
        let summary = StoreSummary::new(&polls, open, &WindowMarks::new(open, as_of), question, &mut Vec::new(), |piece| down.push(piece));

        prop_assert_eq!(summary.totals, status.row.totals);
        prop_assert_eq!(summary.coverage, status.row.coverage[Window::Week]);
        prop_assert_eq!(summary.certainty, status.certainty[Window::Week]);
        prop_assert_eq!(summary.state, status.state);
        prop_assert_eq!(summary.last_poll, status.last_poll());
        prop_assert_eq!(summary.is_vouched(), status.is_vouched());
        prop_assert_eq!(summary.offline_since, status.offline_since());

        let of = |wanted: Condition| -> Micros {
            let segments = status.segments.iter().filter(|one| one.condition == wanted);
            segments.map(|one| one.stretch.length()).sum()
        };
        let downtime = match status.row.totals[Window::Week] {
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
        prop_assert_eq!(status.incidents.iter().map(|one| one.downtime).sum::<Micros>(), downtime);
        let out = as_of - out * HOUR;
        let outages: Intervals = [Interval::new(out, out + out_hours * HOUR)].into_iter().collect();
        let expected: Vec<BriefIncident> = status.incidents.iter().map(|one| BriefIncident {
            stretch: one.stretch,
            since: one.since,
            downtime: one.downtime,
            certainty: one.certainty,
            unconfirmed: one.unconfirmed(&status.segments, &outages).length(),
            open: one.open,
            began_before: one.began_before,
        }).collect();
        let mut scratch = Scratch::default();
        prop_assert_eq!(brief_incidents(&polls, open, &outages, question, &mut scratch), &expected[..]);
        for one in &status.incidents {
            prop_assert!(one.certainty.least() <= one.downtime && one.downtime <= one.certainty.most());
        }
        for pair in status.incidents.windows(2) {
            prop_assert!(pair[0].stretch.end < pair[1].stretch.start && !pair[0].open);
        }
    }
}
