//! When a message that did not arrive is tried again: after twice the time before, up to an hour, for three days.
//!
//! It is pure: the same message has the same times, whoever asks, so a restart changes none.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::failure::Again;
use crate::uptime::interval::{DAY, Micros, SECOND};

/// The wait after the first failure.
const FIRST_WAIT: Micros = 2 * SECOND;

/// The longest wait between two attempts in seconds, also where a receiver asks for more.
const RETRY_PAUSE_SECONDS_MAX: i64 = 3600;

/// The same as a length of time.
pub const RETRY_PAUSE: Micros = RETRY_PAUSE_SECONDS_MAX * SECOND;

/// For how many days a message is tried.
const TRIED_DAYS_MAX: i64 = 3;

/// The same as a length of time.
const TRIED: Micros = TRIED_DAYS_MAX * DAY;

/// When the message `key` of `created_at` is tried again, after `attempts` of which the last failed at `at`; none if it
/// is given up.
pub fn next(key: &str, created_at: Micros, attempts: u32, at: Micros, again: Again) -> Option<Micros> {
    let wait = match again {
        Again::Never => return None,
        Again::Later => back_off(key, attempts),
        Again::After(asked) => asked.clamp(back_off(key, attempts), RETRY_PAUSE),
    };
    (at - created_at < TRIED).then_some(at + wait)
}

/// Twice the wait before, less up to a quarter: messages that failed together do not come back together.
fn back_off(key: &str, attempts: u32) -> Micros {
    let doublings = attempts.saturating_sub(1).min(16);
    let wait = (FIRST_WAIT << doublings).min(RETRY_PAUSE);
    let mut hash = DefaultHasher::new();
    (key, attempts).hash(&mut hash);
    let part = i64::from(u16::try_from(hash.finish() & 0xffff).unwrap_or(u16::MAX));
    wait - wait / 4 * part / (1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::interval::{HOUR, MINUTE};

    #[test]
    fn waits_double_up_to_an_hour_and_differ_by_key() {
        let mut before = 0;
        for attempts in 1..40 {
            let waits = ["a", "b", "c"].map(|key| next(key, 0, attempts, 0, Again::Later).unwrap());
            let whole = (FIRST_WAIT << attempts.saturating_sub(1).min(16)).min(HOUR);
            for wait in waits {
                assert!((whole * 3 / 4..=whole).contains(&wait), "{attempts}: {wait}");
            }
            assert_eq!(next("a", 0, attempts, 0, Again::Later), Some(waits[0]));
            assert!(waits[0] != waits[1] || waits[1] != waits[2]);
            assert!(whole == HOUR || waits[0] > before);
            before = waits[0];
        }
        assert!(next("a", 0, u32::MAX, 0, Again::Later).is_some());
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_within_an_hour_and_never_for_less() {
        assert_eq!(next("a", 0, 1, 0, Again::After(10 * MINUTE)), Some(10 * MINUTE));
        assert_eq!(next("a", 0, 1, 0, Again::After(30 * DAY)), Some(HOUR));
        let usual = next("a", 0, 9, 0, Again::Later);
        assert_eq!(next("a", 0, 9, 0, Again::After(0)), usual);
    }

    #[test]
    fn a_message_is_given_up_after_three_days_or_at_once() {
        assert!(next("a", 5, 9, 4 + 3 * DAY, Again::Later).is_some());
        assert_eq!(next("a", 5, 9, 5 + 3 * DAY, Again::Later), None);
        assert_eq!(next("a", 5, 1, 5, Again::Never), None);
    }
}
