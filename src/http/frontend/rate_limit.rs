//! The rate limit: how long a client may take for a body or a reply.
//!
//! Pure: the caller brings the clock.

use std::time::{Duration, Instant};

/// The least rate of a client after its grace period.
const BYTES_PER_SECOND_MIN: u32 = 1024;

/// Time as credit. A client starts with some, spends it as time passes, and earns a second for every 1024 bytes, up to
/// the initial amount. Short pauses are allowed. A client that stops, or moves less on average, is closed when its
/// credit is spent.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    grace: Duration,
    /// When the credit will be spent.
    pub until: Instant,
}

impl RateLimit {
    /// A client that starts now.
    pub fn new(now: Instant, grace: Duration) -> Self {
        Self {
            grace,
            until: now + grace,
        }
    }

    /// Counts moved bytes.
    pub fn moved(&mut self, now: Instant, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let earned = Duration::from_secs(1) * bytes / BYTES_PER_SECOND_MIN;
        self.until = (self.until + earned).min(now + self.grace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_moves_enough_may_take_for_ever_and_one_that_stops_is_gone_after_the_grace() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut rate_limit = RateLimit::new(start, 10 * second);
        for passed in 1..1000 {
            rate_limit.moved(start + passed * second, 1024);
            assert_eq!(rate_limit.until, start + (10 + passed) * second);
        }
        rate_limit.moved(start + 1000 * second, 1 << 30);
        assert_eq!(rate_limit.until, start + 1010 * second, "credit is not saved up");
        let mut slow = RateLimit::new(start, 10 * second);
        for passed in 1..20 {
            slow.moved(start + passed * second, 512);
        }
        assert!(slow.until < start + 20 * second);
    }
}
