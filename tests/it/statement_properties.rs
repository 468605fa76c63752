//! The statement's rules, over random zones, calendars, polls and periods.

use proptest::prelude::*;

use store_monitor::uptime::bucket_total::BucketTotal;
use store_monitor::uptime::business_hours::{Pattern, ZoneTable};
use store_monitor::uptime::calendar::{Calendar, LocalDate, SpecialDay, Version, WeeklyRow};
use store_monitor::uptime::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros};
use store_monitor::uptime::period::{By, Period};
use store_monitor::uptime::poll::Poll;
use store_monitor::uptime::report::{Question, ReportRow};
use store_monitor::uptime::statement::{PeriodTime, reach};
use store_monitor::uptime::timeline::{Interpolation, counted};
use store_monitor::uptime::window::Window;

use crate::properties::{
    CASES, Choice, YEARS, below, choice, config, edges, pick, poll, transitions, weekly_rows, zones,
};

/// How many dates a random period has, at most.
const DATES: i64 = 40;

/// One store and one call.
#[derive(Clone, Debug)]
struct Case {
    pattern: Pattern,
    from: LocalDate,
    to: LocalDate,
    as_of: Micros,
    /// Sorted, one an instant.
    polls: Vec<Poll>,
}

impl Case {
    fn period(&self, by: By) -> Period {
        let (from, to) = (self.from, self.to);
        Period { from, to, by }
    }

    fn zone(&self) -> ZoneTable {
        ZoneTable::new(self.pattern.zone, self.period(By::Total).span(3 * DAY))
    }

    /// The buckets' instants, which end at `as_of`.
    fn buckets(&self, by: By) -> Vec<Interval> {
        let zone = self.zone();
        let until = |at: Micros| at.min(self.as_of);
        let buckets = self.period(by).buckets();
        let instants = buckets
            .iter()
            .map(|bucket| zone.dates(bucket.first, bucket.last));
        instants
            .map(|bucket| Interval::new(until(bucket.start), until(bucket.end)))
            .collect()
    }

    fn open(&self) -> Intervals {
        self.pattern
            .open(&self.zone(), self.period(By::Total).span(2 * DAY))
    }

    /// The polls that count.
    fn counted(&self) -> Vec<Poll> {
        let whole = self.period(By::Total).instants(&self.zone());
        counted(&self.polls, &self.open(), reach(whole, self.as_of))
    }

    /// The buckets' totals, by the plain form.
    fn plain(&self, by: By, rule: Interpolation) -> Vec<BucketTotal> {
        let (counted, open) = (self.counted(), self.open());
        let buckets = self.buckets(by).into_iter();
        buckets
            .map(|bucket| BucketTotal::measure(&counted, &open, rule, bucket))
            .collect()
    }

    /// The same in one pass.
    fn fast(&self, by: By, rule: Interpolation) -> Vec<BucketTotal> {
        let period = self.period(by);
        let buckets = period.buckets();
        let time = PeriodTime::of_dates(&self.pattern, &self.zone(), &period, &buckets, self.as_of);
        measured(&time, &self.polls, rule)
    }
}

fn measured(time: &PeriodTime, polls: &[Poll], rule: Interpolation) -> Vec<BucketTotal> {
    let mut totals = vec![BucketTotal::default(); time.buckets()];
    time.measure(polls, rule, &mut totals);
    totals
}

/// Weeks, each with a number or a choice that becomes its date.
type Dated<T> = Vec<(T, Vec<WeeklyRow>)>;

/// Versions of a week and special days, within `DATES` of `from`.
fn calendars() -> impl Strategy<Value = (Dated<u8>, Dated<Choice>)> {
    let versions = prop_oneof![
        4 => prop::collection::vec((any::<u8>(), weekly_rows()), 0..=1),
        3 => prop::collection::vec((any::<u8>(), weekly_rows()), 2..=3),
    ];
    (
        versions,
        prop::collection::vec((choice(), weekly_rows()), 0..=4),
    )
}

fn calendar(
    from: LocalDate,
    versions: Vec<(u8, Vec<WeeklyRow>)>,
    special: Vec<(Choice, Vec<WeeklyRow>)>,
) -> Calendar {
    let mut calendar = Calendar::default();
    let date = |number: u64| from - 4 + below(number, DATES + 8);
    for (number, (choice, mut rows)) in versions.into_iter().enumerate() {
        rows.sort_unstable();
        rows.dedup();
        // The first may hold from the beginning, and a version has rows.
        let valid_from = (number > 0 || choice % 2 == 0).then(|| date(choice.into()));
        if !rows.is_empty()
            && calendar
                .versions
                .iter()
                .all(|version| version.valid_from != valid_from)
        {
            calendar.versions.push(Version { valid_from, rows });
        }
    }
    calendar.versions.sort_by_key(|version| version.valid_from);
    for ((_, number), rows) in special {
        let date = date(number);
        let mut times_us_local: Vec<_> = rows.iter().filter_map(|row| row.times_us_local).collect();
        times_us_local.sort_unstable();
        times_us_local.dedup();
        if calendar.special_day(date).is_none() {
            let place = calendar
                .special_days
                .partition_point(|special| special.date < date);
            calendar.special_days.insert(
                place,
                SpecialDay {
                    date,
                    times_us_local,
                },
            );
        }
    }
    calendar
}

fn cases() -> impl Strategy<Value = Case> {
    let polls = prop_oneof![
        1 => prop::collection::vec((choice(), any::<bool>()), 0..=3),
        3 => prop::collection::vec((choice(), any::<bool>()), 0..=60),
        1 => prop::collection::vec((choice(), any::<bool>()), 200..=400),
    ];
    (zones(), any::<u64>(), choice(), calendars(), polls).prop_map(
        |(zone, start, length, calendars, polls)| {
            let changes = transitions(zone);
            let near = match changes {
                [_, ..] if start % 2 == 0 => changes[pick(start >> 8, changes.len())],
                _ => YEARS.start + below(start >> 8, YEARS.length()),
            };
            let dates = 1 + below(length.1, if length.0 < 10 { 4 } else { DATES });
            let from = near.div_euclid(DAY) - below(length.1 >> 16, dates);
            let to = from + dates - 1;
            let pattern = Pattern {
                zone,
                calendar: calendar(from, calendars.0, calendars.1),
            };
            let whole = Interval::new(from * DAY, (to + 1) * DAY);
            // Mostly after the period, sometimes in it or before.
            let as_of = match start % 5 {
                0 => whole.start + below(start >> 4, whole.length()),
                1 => whole.start - below(start >> 4, 2 * DAY),
                _ => whole.end + below(start >> 4, 4 * DAY),
            };
            let mut case = Case {
                pattern,
                from,
                to,
                as_of,
                polls: Vec::new(),
            };
            let instants = case.period(By::Total).instants(&case.zone());
            let reach = reach(instants, as_of);
            let edges = edges(&case.open());
            let at = |(kind, number): Choice| match kind {
                0..8 => whole.start - 2 * DAY + below(number, whole.length() + 4 * DAY),
                // About one an hour, as pollers do.
                8..14 => whole.start + below(number, 30) * HOUR + below(number >> 32, 5 * MINUTE),
                14 => [reach.start, reach.end][pick(number, 2)] - 1 + below(number >> 8, 3),
                15 => as_of - 1 + below(number, 3),
                16 => whole.start + below(number, 6) * 2 * HOUR,
                _ if edges.is_empty() => whole.start + below(number, 50) * HOUR,
                _ => edges[pick(number, edges.len())] - 1 + below(number >> 32, 3),
            };
            let mut polls: Vec<_> = polls
                .into_iter()
                .map(|(choice, active)| poll(at(choice), active))
                .collect();
            polls.sort_unstable();
            polls.dedup_by_key(|poll| poll.at());
            case.polls = polls;
            case
        },
    )
}

fn sum(totals: &[BucketTotal]) -> BucketTotal {
    totals
        .iter()
        .fold(BucketTotal::default(), |mut sum, total| {
            sum += *total;
            sum
        })
}

/// A total without its incidents: one may last through several buckets.
fn without_incidents(mut total: BucketTotal) -> BucketTotal {
    if let Some(known) = &mut total.known {
        known.incidents = 0;
    }
    total
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn one_pass_gives_the_numbers_of_the_plain_form(case in cases()) {
        for rule in Interpolation::ALL {
            for by in By::ALL {
                prop_assert_eq!(case.fast(by, rule), case.plain(by, rule), "{:?} {:?}", by, rule);
            }
        }
    }

    #[test]
    fn days_sum_to_weeks_months_and_the_total(case in cases()) {
        for rule in Interpolation::ALL {
            let days = case.fast(By::Day, rule);
            for by in By::ALL {
                let mut rest = &days[..];
                for (bucket, total) in case.period(by).buckets().iter().zip(case.fast(by, rule)) {
                    let dates = usize::try_from(bucket.last - bucket.first + 1).expect("a count");
                    let (own, later) = rest.split_at(dates);
                    rest = later;
                    prop_assert_eq!(without_incidents(sum(own)), without_incidents(total));
                }
                prop_assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn the_downtime_is_within_its_bounds_and_with_uptime_it_is_the_business_time(case in cases()) {
        let bounds = Interpolation::ALL.map(|rule| {
            case.fast(By::Day, rule).iter().map(|total| {
                let known = total.known.unwrap_or_default();
                if total.known.is_some() {
                    assert_eq!(known.uptime + known.downtime, total.business);
                }
                let (least, most) = (known.certainty.least(), known.certainty.most());
                assert!(least <= known.downtime && known.downtime <= most, "{known:?}");
                assert!(most <= total.business && total.seen <= total.business);
                assert_eq!(known.incidents > 0, known.downtime > 0);
                (least, most, total.seen)
            }).collect::<Vec<_>>()
        });
        prop_assert_eq!(&bounds[0], &bounds[1], "certainty needs no rule");
    }

    #[test]
    fn the_last_seven_days_as_instants_are_the_report_of_the_week(case in cases()) {
        let as_of = case.as_of;
        let bounds = [as_of - Window::Week.length(), as_of];
        let zone = ZoneTable::new(case.pattern.zone, Interval::new(as_of - 9 * DAY, as_of + 2 * DAY));
        let time = PeriodTime::new(&case.pattern, &zone, &bounds, as_of);
        for rule in Interpolation::ALL {
            let [total] = measured(&time, &case.polls, rule)[..] else { unreachable!("one bucket") };
            let row = ReportRow::new(&case.polls, &case.pattern, Question { as_of, rule });
            let week = &row.totals[Window::Week];
            prop_assert_eq!(total.business, week.business());
            if total.business > 0 {
                prop_assert_eq!(total.known.map(|known| (known.uptime, known.downtime)), week.known());
            }
            let seen = row.coverage[Window::Week].map_or(0, |coverage| coverage.seen);
            prop_assert_eq!(total.seen, seen);
        }
    }

    #[test]
    fn a_change_of_hours_changes_no_date_before_it(case in cases(), rows in weekly_rows(), after in 0..DATES) {
        // Without stretches that are joined across midnight: those may gain the minute between.
        let within = |rows: Vec<WeeklyRow>| -> Vec<WeeklyRow> {
            let all = rows.into_iter();
            let is_within = |row: &WeeklyRow| row.times_us_local.is_none_or(|[start, end]| {
                start > 2 * HOUR && start < end && end < DAY - 2 * HOUR
            });
            all.filter(is_within).collect()
        };
        let date = case.from + after;
        let mut before = case;
        let versions = std::mem::take(&mut before.pattern.calendar.versions).into_iter();
        let versions = versions.filter(|version| version.valid_from.is_none_or(|from| from < date));
        before.pattern.calendar.versions = versions
            .map(|version| Version { rows: within(version.rows), ..version })
            .filter(|version| !version.rows.is_empty())
            .collect();
        let daily = || (0..7).map(|weekday| WeeklyRow::open(weekday, 9 * HOUR, 17 * HOUR)).collect();
        if before.pattern.calendar.versions.is_empty() {
            // A first version would hold before its date, too.
            before.pattern.calendar.versions.push(Version { valid_from: None, rows: daily() });
        }
        before.pattern.calendar.special_days.clear();
        let mut rows = within(rows);
        if rows.is_empty() {
            rows = daily();
        }
        let mut changed = before.clone();
        changed.pattern.calendar.versions.push(Version { valid_from: Some(date), rows });
        let earlier = usize::try_from((date - before.from).min(before.to + 1 - before.from)).expect("a count");
        // What counts before the change is the same, and `previous` asks no later poll.
        let rule = Interpolation::Previous;
        let (then, now) = (before.fast(By::Day, rule), changed.fast(By::Day, rule));
        let knows = before.counted().first() == changed.counted().first();
        for (then, now) in then[..earlier].iter().zip(&now[..earlier]) {
            prop_assert_eq!(then.business, now.business);
            if knows {
                let times = |total: &BucketTotal| total.known.map(|known| (known.uptime, known.downtime));
                prop_assert_eq!(times(then), times(now));
            }
        }
    }
}
