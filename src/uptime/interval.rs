//! The one currency: sorted, disjoint, half-open intervals of UTC time in integer microseconds.

/// Microseconds: an instant when counted from 1970-01-01T00:00:00Z, else a length of time.
pub type Micros = i64;

/// One second, in microseconds.
pub const SECOND: Micros = 1_000_000;
/// One minute, in microseconds.
pub const MINUTE: Micros = 60 * SECOND;
/// One hour, in microseconds.
pub const HOUR: Micros = 60 * MINUTE;
/// 24 hours, in microseconds; a local day may be shorter or longer.
pub const DAY: Micros = 24 * HOUR;

/// A half-open interval of time: it contains `start`, but not `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// The first instant in it.
    pub start: Micros,
    /// The first instant after it.
    pub end: Micros,
}

impl Interval {
    /// `[start, end)`; empty when `end <= start`.
    pub const fn new(start: Micros, end: Micros) -> Self {
        Self { start, end }
    }

    /// Whether it contains no instant.
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Its length; zero when empty.
    pub const fn length(self) -> Micros {
        if self.is_empty() { 0 } else { self.end - self.start }
    }

    /// Whether it contains `at`.
    pub const fn contains(self, at: Micros) -> bool {
        self.start <= at && at < self.end
    }

    /// The intersection with `other`; possibly empty.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

/// A set of instants as intervals: sorted, non-empty, and with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// The union of any intervals, in any order; empty ones are dropped.
    ///
    /// ```
    /// use store_monitor::uptime::interval::{Interval, Intervals};
    /// let set = Intervals::union_of(vec![Interval::new(5, 9), Interval::new(0, 5), Interval::new(7, 8)]);
    /// assert_eq!(set.as_slice(), [Interval::new(0, 9)]);
    /// ```
    pub fn union_of(intervals: Vec<Interval>) -> Self {
        Self::union_across(intervals, 0)
    }

    /// The union of any intervals; two with at most `gap_max` between them are joined.
    pub fn union_across(mut intervals: Vec<Interval>, gap_max: Micros) -> Self {
        intervals.retain(|interval| !interval.is_empty());
        intervals.sort_unstable();
        intervals.dedup_by(|next, last| {
            let joined = next.start <= last.end + gap_max;
            if joined {
                last.end = last.end.max(next.end);
            }
            joined
        });
        Self(intervals)
    }

    /// The intervals, sorted.
    pub fn as_slice(&self) -> &[Interval] {
        &self.0
    }

    /// The sum of all lengths.
    pub fn length(&self) -> Micros {
        self.0.iter().map(|interval| interval.length()).sum()
    }

    /// Whether one of them contains `at`.
    pub fn contains(&self, at: Micros) -> bool {
        let next = self.0.partition_point(|interval| interval.end <= at);
        self.0.get(next).is_some_and(|interval| interval.contains(at))
    }

    /// The parts inside `bounds`, one by one.
    pub fn within(&self, bounds: Interval) -> impl Iterator<Item = Interval> + '_ {
        let first = self.0.partition_point(|interval| interval.end <= bounds.start);
        let last = self.0.partition_point(|interval| interval.start < bounds.end);
        let pieces = self.0.get(first..last).unwrap_or(&[]).iter();
        pieces.map(move |interval| interval.intersection(bounds))
    }

    /// The parts inside `bounds`.
    #[must_use]
    pub fn clip(&self, bounds: Interval) -> Self {
        self.intersection(&Self::union_of(vec![bounds]))
    }

    /// The intersection of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = Vec::new();
        while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
            let both = a.intersection(b);
            if !both.is_empty() {
                common.push(both);
            }
            if a.end <= b.end {
                left.next();
            } else {
                right.next();
            }
        }
        Self(common)
    }
}

impl FromIterator<Interval> for Intervals {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Self {
        Self::union_of(intervals.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(Micros, Micros)]) -> Intervals {
        pairs.iter().map(|&(start, end)| Interval::new(start, end)).collect()
    }

    #[test]
    fn a_union_is_sorted_and_disjoint() {
        assert_eq!(set(&[(7, 9), (0, 2), (1, 3), (3, 4), (5, 5)]), set(&[(0, 4), (7, 9)]));
    }

    #[test]
    fn a_gap_up_to_the_bound_is_bridged_and_no_wider_one() {
        let across = |gap| Intervals::union_across(vec![Interval::new(0, 10), Interval::new(70, 80)], gap);
        assert_eq!(across(60).as_slice().len(), 1);
        assert_eq!(across(59).as_slice().len(), 2);
    }

    #[test]
    fn the_end_does_not_belong_to_an_interval() {
        let hours = set(&[(0, 10), (20, 30)]);
        assert_eq!(
            [0, 9, 10, 19, 20, 30].map(|at| hours.contains(at)),
            [true, true, false, false, true, false]
        );
    }

    #[test]
    fn an_intersection_keeps_what_both_have() {
        assert_eq!(
            set(&[(0, 10), (20, 30)]).intersection(&set(&[(5, 25), (29, 40)])),
            set(&[(5, 10), (20, 25), (29, 30)])
        );
        assert_eq!(set(&[(0, 10)]).clip(Interval::new(4, 4)), set(&[]));
    }
}
