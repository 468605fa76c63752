//! Evidence: how many polls a window's numbers rest on, and how many are expected.

use super::interval::{HOUR, Interval, Intervals, Micros};
use super::open_time::OpenTime;
use super::poll::Poll;

/// How often a store is meant to be polled.
pub const POLL_EVERY: Micros = HOUR;

/// The polls behind a window's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Counted polls in the window, its end included.
    pub polls: usize,
    /// One an hour of business time, halves rounded up.
    pub expected: Micros,
    /// The longest business time without a counted poll, also at the window's ends.
    pub longest_gap: Micros,
}

impl Evidence {
    /// The evidence in `window` by the sorted counted polls; none without business time.
    pub fn measure(counted: &[Poll], open: &Intervals, window: Interval) -> Option<Self> {
        let open = OpenTime::new(open.clip(window));
        let business = open.intervals().length();
        if business == 0 {
            return None;
        }
        let inside = counted
            .iter()
            .map(|poll| poll.at())
            .filter(|&at| window.start <= at && at <= window.end);
        let (mut polls, mut before, mut longest_gap) = (0, 0, 0);
        for at in inside {
            let elapsed = open.elapsed(at);
            longest_gap = longest_gap.max(elapsed - before);
            before = elapsed;
            polls += 1;
        }
        Some(Self {
            polls,
            expected: (business + POLL_EVERY / 2) / POLL_EVERY,
            longest_gap: longest_gap.max(business - before),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll::Status::Active;
    use super::*;

    #[test]
    fn a_gap_is_measured_in_business_time() {
        let open: Intervals = [(0, 10), (24, 34)]
            .map(|(start, end)| Interval::new(start * HOUR, end * HOUR))
            .into_iter()
            .collect();
        let polls = [1, 8, 26, 30].map(|hour| Poll::new(hour * HOUR, Active));
        let window = Interval::new(0, 30 * HOUR);
        assert_eq!(
            Evidence::measure(&polls, &open, window),
            Some(Evidence {
                polls: 4,
                expected: 16,
                longest_gap: 7 * HOUR
            })
        );
        let closed = Interval::new(11 * HOUR, 20 * HOUR);
        assert_eq!(Evidence::measure(&polls, &open, closed), None);
        let unseen = Evidence::measure(&[], &open, window).expect("open");
        assert_eq!((unseen.polls, unseen.longest_gap), (0, 16 * HOUR));
    }
}
