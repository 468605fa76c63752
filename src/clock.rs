//! The clock: the machine's, or one whose time runs faster. Only the edge reads it: commands, the job queue, HTTP.
//! All other rooms receive `as_of`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::uptime::interval::{DAY, HOUR, Micros};

/// The day on which this program was last changed, 2026-11-29 as in the changelog: a machine that says an earlier one
/// is wrong.
pub const BUILT_US: Micros = 20_786 * DAY;

/// The current instant, in microseconds since 1970 UTC.
pub fn machine_us() -> Micros {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since_1970.as_micros()).unwrap_or(Micros::MAX)
}

/// The clock of a server.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    Machine,
    /// A clock that showed `at` when it `began`, and runs `speed` times as fast as the machine's. It stands while
    /// the machine sleeps.
    Simulated {
        /// When it began.
        began: Instant,
        /// The instant that it showed then.
        at: Micros,
        /// How many times as fast it runs.
        speed: u32,
    },
}

impl Clock {
    /// A clock that shows `at` now and runs `speed` times as fast as the machine's.
    pub fn simulated(at: Micros, speed: u32) -> Self {
        let began = Instant::now();
        Self::Simulated { began, at, speed }
    }

    /// The current instant, in microseconds since 1970 UTC.
    pub fn now_us(self) -> Micros {
        match self {
            Self::Machine => machine_us(),
            Self::Simulated { began, at, .. } => self.after(at, began.elapsed()),
        }
    }

    /// The instant before which this clock cannot be right.
    pub fn earliest_us(self) -> Micros {
        match self {
            Self::Machine => BUILT_US,
            Self::Simulated { .. } => Micros::MIN,
        }
    }

    /// The instant that is `passed` by the machine's clock after the instant `at` of this one.
    pub fn after(self, at: Micros, passed: Duration) -> Micros {
        let passed = Micros::try_from(passed.as_micros()).unwrap_or(Micros::MAX);
        match self {
            Self::Machine => at.saturating_add(passed),
            Self::Simulated { speed, .. } => at.saturating_add(passed.saturating_mul(speed.into())),
        }
    }

    /// How long an hour of this clock takes by the machine's.
    pub fn hour_us(self) -> Micros {
        match self {
            Self::Machine => HOUR,
            Self::Simulated { speed, .. } => HOUR / Micros::from(speed.max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_runs_as_much_faster_as_it_says() {
        let before = Instant::now();
        let clock = Clock::simulated(1_000_000, 3600);
        let Clock::Simulated { began, .. } = clock else {
            panic!("{clock:?}");
        };
        assert!(began >= before);
        let least = began.elapsed();
        let now = clock.now_us();
        let most = began.elapsed();
        let simulated = |passed: Duration| 1_000_000 + Micros::try_from(passed.as_micros()).unwrap() * 3600;
        assert!((simulated(least)..=simulated(most)).contains(&now));
        assert_eq!(clock.hour_us(), 1_000_000);
        assert!(Clock::Machine.now_us() >= machine_us() - HOUR);
    }
}
