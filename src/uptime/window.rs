//! Windows: the stretches of a report before `as_of`, and the measures in them.
//!
//! [`Window`] is their only list. Reports, pages, JSON and the badge use it. A new window is a line in each of
//! its tables, and the compiler reports the missing ones.

use super::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros};
use super::open_time::OpenTime;
use super::poll::Poll;
use super::timeline::Timeline;

/// The longest distance from a counted poll at which an instant is seen.
pub const COVERAGE_REACH: Micros = HOUR;

/// A window: a stretch that ends at `as_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last 60 minutes.
    Hour,
    /// The last 24 hours.
    Day,
    /// The last 7 × 24 hours.
    Week,
}

impl Window {
    /// Every window, in the order of the report's columns.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// The name that columns and JSON use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// The title that people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Hour => "Last hour",
            Self::Day => "Last 24 hours",
            Self::Week => "Last 7 days",
        }
    }

    /// How long it is.
    pub const fn length(self) -> Micros {
        match self {
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
        }
    }

    /// How far before `as_of` a poll may lie and still count. All windows share one timeline: the week and a day
    /// that leads in to it.
    pub const fn reach(self) -> Micros {
        match self {
            Self::Hour | Self::Day | Self::Week => 8 * DAY,
        }
    }

    /// The unit of its numbers.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Hour => Unit::Minutes,
            Self::Day | Self::Week => Unit::Hours,
        }
    }

    /// `[as_of − length, as_of)`.
    pub const fn before(self, as_of: Micros) -> Interval {
        Interval::new(as_of - self.length(), as_of)
    }

    /// The instants whose polls count, if they fall inside business time: `[as_of − reach, as_of]`.
    pub const fn counted(self, as_of: Micros) -> Interval {
        Interval::new(as_of - self.reach(), as_of + 1)
    }
}

/// The unit of a window's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl Unit {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
        }
    }

    /// Its symbol.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Minutes => "min",
            Self::Hours => "h",
        }
    }

    /// A hundredth of it: the precision of numbers.
    pub const fn hundredth(self) -> Micros {
        match self {
            Self::Minutes => MINUTE / 100,
            Self::Hours => HOUR / 100,
        }
    }
}

/// The longest reach of any window: the polls of this long before `as_of` are enough for a report.
pub const REACH: Micros = {
    let (mut longest, mut next) = (0, 0);
    while next < Window::ALL.len() {
        let reach = Window::ALL[next].reach();
        assert!(reach >= Window::ALL[next].length());
        longest = if reach > longest { reach } else { longest };
        next += 1;
    }
    longest
};

/// The instants whose polls count in any window: `[as_of − REACH, as_of]`.
pub const fn reach(as_of: Micros) -> Interval {
    Interval::new(as_of - REACH, as_of + 1)
}

/// One value for each window: `totals[Window::Week]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerWindow<T>([T; Window::ALL.len()]);

impl<T> PerWindow<T> {
    /// The values that `make` returns.
    pub fn new(make: impl FnMut(Window) -> T) -> Self {
        Self(Window::ALL.map(make))
    }

    /// The values, in the order of the windows.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> std::ops::Index<Window> for PerWindow<T> {
    type Output = T;

    fn index(&self, window: Window) -> &T {
        &self.0[window as usize]
    }
}

/// The total of one store in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowTotal {
    /// The store had no business time in the window.
    Closed,
    /// The store had business time in the window, but no poll counts.
    Unknown {
        /// Business time in the window.
        business: Micros,
    },
    /// The two sum exactly to the business time in the window.
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

    /// Uptime and downtime, both zero if the store was closed; none if no poll counts.
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

    /// The online share of business time; none if it is unknown, or there is no business time.
    pub fn share(&self) -> Option<Share> {
        let (uptime, downtime) = self.known()?;
        Share::new(uptime, uptime + downtime)
    }

    /// Measures `timeline` in the business time `open` inside `window`: the plain form, which defines the
    /// numbers. The report's [`pass`](super::pass) computes the same numbers faster.
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
    /// The coverage of `window` by the counted polls; none without business time.
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

    /// The share of business time near a counted poll.
    pub fn share(self) -> Option<Share> {
        Share::new(self.seen, self.business)
    }
}

/// All time within [`COVERAGE_REACH`] of a counted poll.
pub fn near(counted: &[Poll]) -> Intervals {
    let near = |poll: &Poll| Interval::new(poll.at() - COVERAGE_REACH, poll.at() + COVERAGE_REACH);
    counted.iter().map(near).collect()
}

/// A share, shown as a per cent with two decimals in data and one on pages, halves rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Hundredths of a per cent, from 0 to 10,000.
    pub hundredths: Micros,
    /// Tenths of a per cent, from 0 to 1,000; rounded from the exact share, not from the hundredths.
    pub tenths: Micros,
}

impl Share {
    /// `part` of `whole`; none if `whole` is zero. Only all of it is 100 per cent, and only none of it is
    /// 0 per cent.
    pub fn new(part: Micros, whole: Micros) -> Option<Self> {
        if whole <= 0 {
            return None;
        }
        let of = |all: Micros| {
            // Weeks of thousands of stores times 20,000 do not fit 64 bits. All else does, and divides faster.
            let twice = part.checked_mul(2 * all).and_then(|twice| twice.checked_add(whole));
            let rounded = match (twice, whole.checked_mul(2)) {
                (Some(twice), Some(whole)) => twice / whole,
                _ => {
                    let [part, all, whole] = [part, all, whole].map(i128::from);
                    Micros::try_from((part * 2 * all + whole) / (whole * 2)).unwrap_or(0)
                }
            };
            match rounded {
                rounded if rounded == all && part < whole => all - 1,
                0 if part > 0 => 1,
                rounded => rounded,
            }
        };
        Some(Self {
            hundredths: of(10_000),
            tenths: of(1_000),
        })
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
        let tenths = |part, whole| Share::new(part, whole).map(|share| share.tenths);
        // 95.846 % is 95.85 in two decimals, and 95.8 in one.
        assert_eq!(tenths(95_846, 100_000), Some(958));
        assert_eq!(tenths(0, 7), Some(0));
        assert_eq!(tenths(1, 1_000_000), Some(1));
        assert_eq!(tenths(999_999, 1_000_000), Some(999));
        assert_eq!(tenths(7, 7), Some(1_000));
        // So large that a product does not fit 64 bits, and neither does twice the whole.
        for whole in [1 << 51, 3 << 60, Micros::MAX] {
            assert_eq!(told(whole / 2, whole).as_deref(), Some("50.00"));
            assert_eq!(told(whole - 1, whole).as_deref(), Some("99.99"));
        }
    }
}
