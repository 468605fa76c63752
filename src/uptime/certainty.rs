//! Certainty: the least and the most downtime that the polls allow, whichever rule fills in the time between them.
//!
//! An instant is certain within [`COVERAGE_REACH`] of a counted poll, unless it lies between two consecutive
//! counted polls of different status. There both rules agree: it has the status of the polls around it. So
//! certainty needs no rule, and least ≤ downtime ≤ most under each.

use std::ops::AddAssign;

use super::interval::{Interval, Intervals, Micros};
use super::open_time::OpenTime;
use super::poll::Poll;
use super::window::{COVERAGE_REACH, near};

/// How much of some business time is certainly up, and how much is certainly down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certainty {
    /// All business time of the window.
    pub business: Micros,
    /// Business time that is certainly up.
    pub up: Micros,
    /// Business time that is certainly down.
    pub down: Micros,
}

impl Certainty {
    /// The certainty of `window` by the sorted counted polls. Without a counted poll nothing is known of business time,
    /// and there is none.
    ///
    /// This is the plain form, which defines the numbers.
    pub fn measure(counted: &[Poll], open: &Intervals, window: Interval) -> Option<Self> {
        let open = open.clip(window);
        let (up, down) = certain(counted);
        let business = open.length();
        (business == 0 || !counted.is_empty()).then(|| Self {
            business,
            up: up.intersection(&open).length(),
            down: down.intersection(&open).length(),
        })
    }

    /// The same by the running total of business time: the fast form, for thousands of stores.
    pub fn of(counted: &[Poll], open: &OpenTime, window: Interval) -> Option<Self> {
        let between = |start: Micros, end: Micros| {
            let part = Interval::new(start, end).intersection(window);
            if part.is_empty() {
                0
            } else {
                open.elapsed(part.end) - open.elapsed(part.start)
            }
        };
        let mut certain = Self {
            business: between(window.start, window.end),
            ..Self::default()
        };
        if certain.business == 0 {
            return Some(certain);
        }
        let (first, last) = (counted.first()?, counted.last()?);
        // The polls whose reach touches the window, and their neighbours.
        let from = counted.partition_point(|poll| poll.at() < window.start - COVERAGE_REACH);
        let to = counted.partition_point(|poll| poll.at() <= window.end + COVERAGE_REACH);
        let near = counted.get(from.saturating_sub(1)..counted.len().min(to + 1));
        let near = near.unwrap_or(&[]);
        // A run has one status, and no gap in which an instant is far from every poll.
        let goes_on = |a: &Poll, b: &Poll| a.is_active() == b.is_active() && b.at() - a.at() <= 2 * COVERAGE_REACH;
        let mut before: Option<Poll> = None;
        let mut runs = near.chunk_by(goes_on).peekable();
        while let Some(run) = runs.next() {
            let (Some(&start), Some(&end)) = (run.first(), run.last()) else {
                continue;
            };
            let after = runs.peek().and_then(|next| next.first());
            let same = |other: &Poll| other.is_active() == start.is_active();
            let early = if start == *first || before.is_some_and(|before| same(&before)) {
                COVERAGE_REACH
            } else {
                0
            };
            let late = if end == *last || after.is_some_and(same) {
                COVERAGE_REACH
            } else {
                0
            };
            let length = between(start.at() - early, end.at() + late);
            *if start.is_active() {
                &mut certain.up
            } else {
                &mut certain.down
            } += length;
            before = Some(end);
        }
        Some(certain)
    }

    /// The least downtime: all that is certainly down.
    pub const fn least(self) -> Micros {
        self.down
    }

    /// The most downtime: all but what is certainly up.
    pub const fn most(self) -> Micros {
        self.business - self.up
    }

    /// The business time whose status is certain.
    pub const fn certain(self) -> Micros {
        self.up + self.down
    }
}

impl AddAssign for Certainty {
    fn add_assign(&mut self, other: Self) {
        self.business += other.business;
        self.up += other.up;
        self.down += other.down;
    }
}

/// The time that is certainly up, and the time that is certainly down, in business time or not.
fn certain(counted: &[Poll]) -> (Intervals, Intervals) {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let mut add = |active: bool, start: Micros, end: Micros| {
        if active { &mut up } else { &mut down }.push(Interval::new(start, end));
    };
    if let (Some(first), Some(last)) = (counted.first(), counted.last()) {
        add(first.is_active(), first.at() - COVERAGE_REACH, first.at());
        add(last.is_active(), last.at(), last.at() + COVERAGE_REACH);
    }
    for pair in counted.windows(2) {
        if pair[0].is_active() == pair[1].is_active() {
            add(pair[0].is_active(), pair[0].at(), pair[1].at());
        }
    }
    let near = near(counted);
    let certain = |parts| Intervals::union_of(parts).intersection(&near);
    (certain(up), certain(down))
}

#[cfg(test)]
mod tests {
    use super::super::interval::{HOUR, MINUTE};
    use super::super::poll::Status::{Active, Inactive};
    use super::*;

    const DAY: Interval = Interval::new(0, 24 * HOUR);

    /// Business time, certainly up and certainly down in minutes, by both forms.
    fn minutes(polls: &[(Micros, bool)], open: &[(Micros, Micros)], window: Interval) -> Option<[Micros; 3]> {
        let poll =
            |&(minute, active): &(Micros, bool)| Poll::new(minute * MINUTE, if active { Active } else { Inactive });
        let counted: Vec<Poll> = polls.iter().map(poll).collect();
        let hours = |&(start, end): &(Micros, Micros)| Interval::new(start * HOUR, end * HOUR);
        let open: Intervals = open.iter().map(hours).collect();
        let found = Certainty::measure(&counted, &open, window);
        assert_eq!(found, Certainty::of(&counted, &OpenTime::new(open), window));
        found.map(|found| [found.business, found.up, found.down].map(|length| length / MINUTE))
    }

    #[test]
    fn between_polls_of_different_status_nothing_is_certain() {
        let polls = [(600, true), (650, false), (700, false), (740, true)];
        let found = minutes(&polls, &[(0, 24)], DAY);
        assert_eq!(found, Some([1440, 60 + 60, 50]));
        let least_most = |found: Certainty| [found.least(), found.most(), found.certain()];
        let business = 24 * HOUR;
        let (up, down) = (2 * HOUR, 50 * MINUTE);
        assert_eq!(
            least_most(Certainty { business, up, down }),
            [down, business - up, up + down]
        );
    }

    #[test]
    fn an_hour_from_every_poll_nothing_is_certain_even_between_equal_polls() {
        let polls = [(600, false), (900, false)];
        assert_eq!(minutes(&polls, &[(0, 24)], DAY), Some([1440, 0, 4 * 60]));
        assert_eq!(
            minutes(&[(600, false), (720, false)], &[(0, 24)], DAY),
            Some([1440, 0, 4 * 60])
        );
    }

    #[test]
    fn closed_time_and_time_outside_the_window_do_not_count() {
        let polls = [(600, true), (640, true)];
        assert_eq!(minutes(&polls, &[(9, 10), (11, 12)], DAY), Some([120, 60 + 40, 0]));
        let hour = Interval::new(10 * HOUR, 11 * HOUR);
        assert_eq!(minutes(&polls, &[(0, 24)], hour), Some([60, 60, 0]));
        assert_eq!(minutes(&polls, &[(0, 9)], hour), Some([0, 0, 0]));
    }

    #[test]
    fn without_a_counted_poll_nothing_is_known() {
        assert_eq!(minutes(&[], &[(0, 24)], DAY), None);
        let closed = Interval::new(5 * HOUR, 6 * HOUR);
        assert_eq!(minutes(&[], &[(0, 5)], closed), Some([0, 0, 0]));
    }
}
