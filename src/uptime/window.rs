//! Windows: the last hour, day and week before `as_of`, and what is measured in them.
//!
//! It must never know zones or interpolation: it measures intervals that others made.

use super::interval::{DAY, HOUR, Interval, Intervals, Micros};
use super::poll::Poll;
use super::timeline::Timeline;

/// How near a counted poll must be for an instant to have been seen by somebody.
pub const COVERAGE_REACH: Micros = HOUR;

/// The lengths of the report's windows: hour, day, week; each ends at `as_of`.
pub const WINDOW_LENGTHS: [Micros; 3] = [HOUR, DAY, 7 * DAY];

/// The report's windows, `[as_of − length, as_of)` each: the last hour, day and week.
pub fn windows(as_of: Micros) -> [Interval; 3] {
    WINDOW_LENGTHS.map(|length| Interval::new(as_of - length, as_of))
}

/// What is known of one store in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowTotal {
    /// The store had no business time in the window.
    Closed,
    /// It had this much business time, but no poll counts: nothing is known.
    Unknown {
        /// Business time in the window.
        business: Micros,
    },
    /// Together, exactly the business time in the window.
    Known {
        /// Business time online.
        uptime: Micros,
        /// Business time offline.
        downtime: Micros,
    },
}

impl WindowTotal {
    /// The total of a window with this much business time, of which `uptime` was online, if known.
    pub fn new(business: Micros, uptime: Option<Micros>) -> Self {
        match uptime {
            _ if business == 0 => Self::Closed,
            None => Self::Unknown { business },
            Some(uptime) => Self::Known {
                uptime,
                downtime: business - uptime,
            },
        }
    }

    /// Measures `timeline` in the business time `open` inside `window`: the plain form, which says
    /// what the numbers are; the report's [`pass`](super::pass) makes the same ones faster.
    pub fn measure(timeline: Option<&Timeline>, open: &Intervals, window: Interval) -> Self {
        let open = open.clip(window);
        let online = |timeline: &Timeline| timeline.up.intersection(&open).length();
        Self::new(open.length(), timeline.map(online))
    }
}

/// How much of a window's business time lies within [`COVERAGE_REACH`] of a counted poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Business time near a counted poll.
    pub seen: Micros,
    /// All business time; not zero.
    pub business: Micros,
}

impl Coverage {
    /// The coverage of `window` by the polls that count; none where there is no business time.
    pub fn measure(counted: &[Poll], open: &Intervals, window: Interval) -> Option<Self> {
        let open = open.clip(window);
        let near =
            |poll: &Poll| Interval::new(poll.at() - COVERAGE_REACH, poll.at() + COVERAGE_REACH);
        let near: Intervals = counted.iter().map(near).collect();
        let business = open.length();
        (business > 0).then(|| Self {
            seen: near.intersection(&open).length(),
            business,
        })
    }
}
