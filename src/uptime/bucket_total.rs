//! Bucket totals: the numbers of one bucket of a statement, of a store or of many, before rounding.

use std::ops::AddAssign;

use super::certainty::Certainty;
use super::interval::{Interval, Intervals, Micros};
use super::lost_sales::LostSales;
use super::poll::Poll;
use super::timeline::{Interpolation, Timeline};
use super::window::{Coverage, WindowTotal};

/// The numbers of a bucket. Business time and coverage count all stores; the others those of which something is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketTotal {
    /// All business time.
    pub business: Micros,
    /// The business time near a counted poll.
    pub seen: Micros,
    /// What is known; none without any counted poll in the whole call.
    pub known: Option<Known>,
    /// What the downtime cost; none without a rate.
    pub lost: Option<LostSales>,
}

/// The numbers of stores with a counted poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Business time online.
    pub uptime: Micros,
    /// Business time offline.
    pub downtime: Micros,
    /// How sure the downtime is.
    pub certainty: Certainty,
    /// How many runs of downtime, with no uptime in business time between, have downtime in the bucket.
    pub incidents: i64,
}

impl BucketTotal {
    /// The numbers of one store by the plain form, which defines them; a [`statement`](super::statement) computes the
    /// same faster. `counted` are all counted polls of the call, `open` is business time around them.
    pub fn measure(counted: &[Poll], open: &Intervals, rule: Interpolation, bucket: Interval) -> Self {
        let timeline = Timeline::new(counted, rule, bucket);
        let total = WindowTotal::measure(timeline.as_ref(), open, bucket);
        let known = timeline.map(|timeline| {
            let certainty = Certainty::measure(counted, open, bucket).unwrap_or_default();
            let open = open.clip(bucket);
            let (uptime, downtime) = total.known().unwrap_or_default();
            Known {
                uptime,
                downtime,
                certainty,
                incidents: runs(&timeline.up.intersection(&open), &timeline.down.intersection(&open)),
            }
        });
        Self {
            business: total.business(),
            seen: Coverage::measure(counted, open, bucket).map_or(0, |coverage| coverage.seen),
            known,
            lost: None,
        }
    }

    /// The same with lost sales, where a rate is known and anything is known of the bucket.
    #[must_use]
    pub fn at_rate(mut self, sales_per_hour: Option<i64>) -> Self {
        let known = self.known.or((self.business == 0).then(Known::default));
        let lost = |(rate, known): (i64, Known)| LostSales::new(rate, known.downtime, known.certainty);
        self.lost = sales_per_hour.zip(known).map(lost);
        self
    }
}

/// How many runs of downtime there are, with no uptime in between.
fn runs(up: &Intervals, down: &Intervals) -> i64 {
    let mut ups = up.as_slice().iter().peekable();
    let mut runs = 0;
    let mut is_new = true;
    for down in down.as_slice() {
        while ups.next_if(|up| up.start < down.start).is_some() {
            is_new = true;
        }
        runs += i64::from(is_new);
        is_new = false;
    }
    runs
}

impl AddAssign for BucketTotal {
    fn add_assign(&mut self, other: Self) {
        self.business += other.business;
        self.seen += other.seen;
        if let Some(other) = other.known {
            let known = self.known.get_or_insert_default();
            known.uptime += other.uptime;
            known.downtime += other.downtime;
            known.certainty += other.certainty;
            known.incidents += other.incidents;
        }
        if let Some(other) = other.lost {
            *self.lost.get_or_insert_default() += other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::HOUR;
    use super::*;

    #[test]
    fn a_sum_knows_what_any_store_knows_and_rounds_last() {
        let certainty = Certainty {
            business: 8,
            up: 4,
            down: 1,
        };
        let known = Known {
            uptime: 5,
            downtime: 3,
            certainty,
            incidents: 1,
        };
        let store = |known| BucketTotal {
            business: 8,
            seen: 2,
            known,
            lost: None,
        };
        let mut sum = store(None);
        assert_eq!(sum.at_rate(Some(100)).lost, None, "nothing is known");
        sum += store(Some(known)).at_rate(None);
        assert_eq!(
            (sum.business, sum.seen, sum.known, sum.lost),
            (16, 4, Some(known), None)
        );
        // A third of a hundredth each: one hundredth together.
        let third = Known {
            downtime: HOUR / 3,
            ..known
        };
        for _ in 0..3 {
            sum += store(Some(third)).at_rate(Some(1));
        }
        assert_eq!(sum.lost.unwrap().hundredths()[1], 1);
        let closed = BucketTotal::default().at_rate(Some(1));
        assert_eq!(closed.lost, Some(LostSales::default()));
    }
}
