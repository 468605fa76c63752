//! Windows: the last hour, day and week before `as_of`, and what is measured in them.
//!
//! It must never know zones or interpolation: it measures intervals that others made.

use super::fleet::OpenTime;
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

    /// Uptime and downtime, both zero where the store was closed; none where nothing is known.
    pub const fn known(&self) -> Option<(Micros, Micros)> {
        match *self {
            Self::Closed => Some((0, 0)),
            Self::Unknown { .. } => None,
            Self::Known { uptime, downtime } => Some((uptime, downtime)),
        }
    }

    /// Business time in the window.
    pub const fn business(&self) -> Micros {
        match *self {
            Self::Closed => 0,
            Self::Unknown { business } => business,
            Self::Known { uptime, downtime } => uptime + downtime,
        }
    }

    /// The share of business time online; none where it is unknown or there is none.
    pub fn share(&self) -> Option<Share> {
        let (uptime, downtime) = self.known()?;
        Share::new(uptime, uptime + downtime)
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
        let business = open.length();
        (business > 0).then(|| Self {
            seen: near(counted).intersection(&open).length(),
            business,
        })
    }

    /// The same by the running total of business time: the fast form, for thousands of stores.
    pub fn of(counted: &[Poll], open: &OpenTime, window: Interval) -> Option<Self> {
        let from = open.elapsed(window.start);
        let business = open.elapsed(window.end) - from;
        if business == 0 {
            return None;
        }
        let between = |start: Micros, end: Micros| {
            let (start, end) = (start.max(window.start), end.min(window.end));
            if start < end {
                open.elapsed(end) - open.elapsed(start)
            } else {
                0
            }
        };
        let mut seen = 0;
        for run in counted.chunk_by(|a, b| b.at() - a.at() <= 2 * COVERAGE_REACH) {
            if let (Some(first), Some(last)) = (run.first(), run.last()) {
                seen += between(first.at() - COVERAGE_REACH, last.at() + COVERAGE_REACH);
            }
        }
        Some(Self { seen, business })
    }

    /// The share of business time that somebody saw.
    pub fn share(self) -> Option<Share> {
        Share::new(self.seen, self.business)
    }
}

/// Everything within [`COVERAGE_REACH`] of a poll that counts.
pub fn near(counted: &[Poll]) -> Intervals {
    let near = |poll: &Poll| Interval::new(poll.at() - COVERAGE_REACH, poll.at() + COVERAGE_REACH);
    counted.iter().map(near).collect()
}

/// A part of something, told as a per cent with two decimals, halves rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Hundredths of a per cent, from 0 to 10,000.
    pub hundredths: Micros,
}

impl Share {
    /// `part` of `whole`; none of nothing. What is not all is never told as 100 per cent, and what is
    /// not nothing never as 0.
    pub fn new(part: Micros, whole: Micros) -> Option<Self> {
        if whole <= 0 {
            return None;
        }
        // Weeks of thousands of stores times 20,000 do not fit 64 bits.
        let rounded = (i128::from(part) * 20_000 + i128::from(whole)) / (i128::from(whole) * 2);
        let rounded = Micros::try_from(rounded).unwrap_or(0);
        let hundredths = match rounded {
            10_000 if part < whole => 9_999,
            0 if part > 0 => 1,
            rounded => rounded,
        };
        Some(Self { hundredths })
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.hundredths / 100, self.hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_and_never_claims_all_or_nothing() {
        let told = |part, whole| Share::new(part, whole).map(|share| share.to_string());
        assert_eq!(told(1, 0), None);
        assert_eq!(told(0, 7).as_deref(), Some("0.00"));
        assert_eq!(told(7, 7).as_deref(), Some("100.00"));
        assert_eq!(told(1, 3).as_deref(), Some("33.33"));
        assert_eq!(told(1, 20_000).as_deref(), Some("0.01"));
        assert_eq!(told(1, 1_000_000).as_deref(), Some("0.01"));
        assert_eq!(told(999_999, 1_000_000).as_deref(), Some("99.99"));
    }
}
