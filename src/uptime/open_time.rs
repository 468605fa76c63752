//! Open time: business time as a running total, so that the business time between two instants is one
//! subtraction.

use super::interval::{Interval, Intervals, Micros};

/// Open intervals and their running total.
#[derive(Debug)]
pub struct OpenTime {
    intervals: Intervals,
    /// Business time before the start of each interval.
    before: Vec<Micros>,
}

impl OpenTime {
    /// Business time from open intervals.
    pub fn new(intervals: Intervals) -> Self {
        let mut total = 0;
        let sum = |interval: &Interval| {
            let before = total;
            total += interval.length();
            before
        };
        let before = intervals.as_slice().iter().map(sum).collect();
        Self { intervals, before }
    }

    /// The intervals themselves.
    pub fn intervals(&self) -> &Intervals {
        &self.intervals
    }

    /// Business time before `at`, since the start of the expansion.
    pub fn elapsed(&self, at: Micros) -> Micros {
        let open = self.intervals.as_slice();
        let Some(last) = open.partition_point(|interval| interval.start < at).checked_sub(1) else {
            return 0;
        };
        self.before[last] + (at.min(open[last].end) - open[last].start)
    }

    /// [`elapsed`](Self::elapsed) at an instant before the end of the interval `index`. It walks back from
    /// there, mostly by no step.
    pub(super) fn elapsed_at_or_before(&self, index: usize, at: Micros) -> Micros {
        let before = self.intervals.as_slice()[..=index].iter().zip(&self.before);
        let last = before.rev().find(|(interval, _)| interval.start < at);
        last.map_or(0, |(interval, before)| before + (at.min(interval.end) - interval.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_counts_business_time_only() {
        let open = [Interval::new(10, 20), Interval::new(30, 40)].into_iter().collect();
        let open = OpenTime::new(open);
        let at = [0, 10, 15, 20, 25, 30, 35, 40, 99];
        assert_eq!(at.map(|at| open.elapsed(at)), [0, 0, 5, 10, 10, 10, 15, 20, 20]);
    }
}
