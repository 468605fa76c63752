//! A target of uptime: how much downtime is left in the month before it is missed.
//!
//! [`MonthLeft::measure`] is the plain form, which defines the numbers by the statement of the month. Pages need them
//! for thousands of stores: what lies before the last week is a [`Carry`], measured once a day, to which
//! [`MonthTime::left`] adds the rest. A property test compares the two.

use super::bucket_total::BucketTotal;
use super::business_hours::{Pattern, ZoneTable};
use super::calendar::LocalDate;
use super::interval::{DAY, HOUR, Interval, Micros};
use super::open_time::OpenTime;
use super::period::{Bucket, month_of};
use super::poll::Poll;
use super::report::Question;
use super::statement::{PERIOD_REACH, reach};
use super::store_summary::{count, for_each_down};
use super::timeline::{Interpolation, counted};

/// A target of all, in hundredths of a per cent.
pub const WHOLE: i64 = 10_000;

/// The downtime of a month up to an instant, and what a target allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthLeft {
    /// The month, by the store's own clock.
    pub month: Bucket,
    /// The target, in hundredths of a per cent.
    pub target: i64,
    /// The business time of the whole month.
    pub business: Micros,
    /// The downtime so far; none if nothing is known of it.
    pub downtime: Option<Micros>,
}

impl MonthLeft {
    /// The month of the question's instant by the plain form. `polls` are sorted, with distinct instants.
    pub fn measure(polls: &[Poll], pattern: &Pattern, question: Question, target: i64) -> Self {
        let Question { as_of, rule } = question;
        let (zone, month, whole) = month_around(pattern, as_of);
        let so_far = Interval::new(whole.start, as_of);
        let reach = reach(whole, as_of);
        let span = Interval::new(reach.start, whole.end + HOUR);
        let open = pattern.open(&zone, span);
        let counted = counted(polls, &open, reach);
        let total = BucketTotal::measure(&counted, &open, rule, so_far);
        let known = total.known.map(|known| known.downtime);
        Self {
            month,
            target,
            business: open.clip(whole).length(),
            downtime: known.or((total.business == 0).then_some(0)),
        }
    }

    /// The downtime that the target allows in the whole month.
    pub fn allowed(&self) -> Micros {
        let allowed = i128::from(self.business) * i128::from(WHOLE - self.target) / i128::from(WHOLE);
        Micros::try_from(allowed).unwrap_or(0)
    }

    /// How much more downtime the target allows; below zero, it is missed by that much. None if the downtime is
    /// unknown.
    pub fn left(&self) -> Option<Micros> {
        Some(self.allowed() - self.downtime?)
    }

    /// Whether the target is missed, whatever the rest of the month brings.
    pub fn is_missed(&self) -> bool {
        self.left().is_some_and(|left| left < 0)
    }
}

/// The month of an instant by the clock of a pattern: its zone's table, its dates and its instants.
fn month_around(pattern: &Pattern, as_of: Micros) -> (ZoneTable, Bucket, Interval) {
    let around = Interval::new(as_of - 34 * DAY, as_of + 34 * DAY);
    let zone = ZoneTable::new(pattern.zone, around);
    let today: LocalDate = zone.wall(as_of).div_euclid(DAY);
    let month = month_of(today);
    let whole = zone.dates(month.first, month.last);
    (zone, month, whole)
}

/// The business time of a pattern's month, and the day that leads in to it.
#[derive(Debug)]
pub struct MonthTime {
    month: Bucket,
    whole: Interval,
    open: OpenTime,
}

/// What the polls up to an instant say of a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carry {
    /// The last counted poll.
    last: Option<Poll>,
    /// The downtime of the month before that poll.
    downtime: Micros,
}

impl MonthTime {
    /// The month of `as_of` by the clock of `pattern`.
    pub fn new(pattern: &Pattern, as_of: Micros) -> Self {
        let (zone, month, whole) = month_around(pattern, as_of);
        let span = Interval::new(whole.start - PERIOD_REACH, whole.end + HOUR);
        let open = OpenTime::new(pattern.open(&zone, span));
        Self { month, whole, open }
    }

    /// The instant from which on polls count.
    pub fn counted_from(&self) -> Micros {
        self.whole.start - PERIOD_REACH
    }

    /// What `polls` up to and including `until` say; they are sorted, with distinct instants.
    pub fn carry(&self, polls: &[Poll], rule: Interpolation, until: Micros, scratch: &mut Vec<Poll>) -> Carry {
        let from = polls.partition_point(|poll| poll.at() < self.counted_from());
        let to = polls.partition_point(|poll| poll.at() <= until);
        count(polls.get(from..to).unwrap_or(&[]), &self.open, scratch);
        let last = scratch.last().copied();
        let before = last.map_or(self.whole.start, |last| last.at());
        Carry {
            last,
            downtime: self.downtime(scratch, rule, Interval::new(self.whole.start, before)),
        }
    }

    /// What is left of the month: `carry` is of the polls up to `until`, `polls` has at least those after it up to the
    /// question's instant, which lies in this month.
    pub fn left(
        &self,
        (carry, until): (Carry, Micros),
        polls: &[Poll],
        question: Question,
        target: i64,
        scratch: &mut Vec<Poll>,
    ) -> MonthLeft {
        let Question { as_of, rule } = question;
        let from = polls.partition_point(|poll| poll.at() <= until || poll.at() < self.counted_from());
        let to = polls.partition_point(|poll| poll.at() <= as_of);
        count(polls.get(from..to).unwrap_or(&[]), &self.open, scratch);
        scratch.splice(0..0, carry.last);
        let start = carry
            .last
            .map_or(self.whole.start, |last| last.at().max(self.whole.start));
        let rest = self.downtime(scratch, rule, Interval::new(start, as_of));
        let is_closed = self.open.elapsed(as_of) == self.open.elapsed(self.whole.start);
        let is_known = is_closed || !scratch.is_empty();
        MonthLeft {
            month: self.month,
            target,
            business: self.open.elapsed(self.whole.end) - self.open.elapsed(self.whole.start),
            downtime: is_known.then_some(carry.downtime + rest),
        }
    }

    /// The downtime in `span` by counted polls; none of it without polls.
    fn downtime(&self, counted: &[Poll], rule: Interpolation, span: Interval) -> Micros {
        let mut downtime = 0;
        for_each_down(counted, rule, |stretch| {
            let down = stretch.intersection(span);
            if !down.is_empty() {
                downtime += self.open.elapsed(down.end) - self.open.elapsed(down.start);
            }
        });
        downtime
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::super::interval::MINUTE;
    use super::super::poll::Status::{Active, Inactive};
    use super::*;

    /// 2026-11-01, a Sunday.
    const NOVEMBER: Micros = 20_758 * DAY;

    fn left(polls: &[Poll], as_of: Micros, target: i64) -> MonthLeft {
        let rule = Interpolation::Nearest;
        MonthLeft::measure(
            polls,
            &Pattern::weekly(Tz::UTC, Vec::new()),
            Question { as_of, rule },
            target,
        )
    }

    #[test]
    fn a_target_allows_a_part_of_the_whole_month() {
        let hours = |hours: Micros| NOVEMBER + hours * HOUR;
        let polls = [
            Poll::new(hours(10), Active),
            Poll::new(hours(12), Inactive),
            Poll::new(hours(14), Active),
        ];
        // Two hours of 720: 99.5 per cent allow 3 h 36 min, 99.9 only 43 min 12 s.
        let good = left(&polls, hours(20), 9_950);
        assert_eq!((good.business, good.downtime), (720 * HOUR, Some(2 * HOUR)));
        assert_eq!((good.left(), good.is_missed()), (Some(96 * MINUTE), false));
        let missed = left(&polls, hours(20), 9_990);
        assert!(missed.is_missed() && missed.left() < Some(-76 * MINUTE));
        // All that is allowed is no miss; a microsecond more is one.
        let at_the_edge = |downtime: Micros| MonthLeft {
            downtime: Some(downtime),
            ..good
        };
        assert!(!at_the_edge(good.allowed()).is_missed());
        assert!(at_the_edge(good.allowed() + 1).is_missed());
    }

    #[test]
    fn without_a_poll_nothing_is_known_and_a_closed_month_has_no_downtime() {
        let unknown = left(&[], NOVEMBER + DAY, 9_900);
        assert_eq!(
            (unknown.downtime, unknown.left(), unknown.is_missed()),
            (None, None, false)
        );
        assert_eq!(left(&[], NOVEMBER, 9_900).downtime, Some(0));
    }
}
