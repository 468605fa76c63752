//! Lost sales: downtime times what a store sells in an hour, with the least and the most that the polls allow.
//!
//! Amounts are summed exactly and rounded once, after the sum. Money is counted in hundredths of whatever currency the
//! rates are in.

use std::ops::AddAssign;

use super::certainty::Certainty;
use super::interval::{HOUR, Micros};

/// The sales that downtime has cost, as exact products of microseconds and hundredths an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostSales {
    least: i128,
    lost: i128,
    most: i128,
}

impl LostSales {
    /// What a store that sells `rate` hundredths an hour has lost in its downtime, of which `certainty` is sure.
    pub fn new(rate: i64, downtime: Micros, certainty: Certainty) -> Self {
        let lost = |length: Micros| i128::from(rate) * i128::from(length);
        Self {
            least: lost(certainty.least()),
            lost: lost(downtime),
            most: lost(certainty.most()),
        }
    }

    /// The same where all of it is known; none where the sales, the uptime and downtime or their certainty are not.
    pub fn known(rate: Option<i64>, total: Option<(Micros, Micros)>, certainty: Option<Certainty>) -> Option<Self> {
        Some(Self::new(rate?, total?.1, certainty?))
    }

    /// The least, the number itself and the most, in hundredths, halves rounded up.
    ///
    /// ```
    /// use store_monitor::uptime::certainty::Certainty;
    /// use store_monitor::uptime::interval::{HOUR, MINUTE};
    /// use store_monitor::uptime::lost_sales::LostSales;
    /// let certainty = Certainty { business: 10 * HOUR, up: 7 * HOUR, down: 30 * MINUTE };
    /// let lost = LostSales::new(120_50, HOUR, certainty);
    /// assert_eq!(lost.hundredths(), [60_25, 120_50, 361_50]);
    /// ```
    pub fn hundredths(self) -> [i64; 3] {
        let hour = i128::from(HOUR);
        let rounded = |exact: i128| i64::try_from((2 * exact + hour).div_euclid(2 * hour)).unwrap_or(i64::MAX);
        [self.least, self.lost, self.most].map(rounded)
    }
}

impl AddAssign for LostSales {
    fn add_assign(&mut self, other: Self) {
        self.least += other.least;
        self.lost += other.lost;
        self.most += other.most;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_rounded_once_and_halves_go_up() {
        // A third of a hundredth each: three of them are one.
        let third = Certainty {
            business: HOUR / 3,
            up: 0,
            down: HOUR / 3,
        };
        let one = LostSales::new(1, HOUR / 3, third);
        assert_eq!(one.hundredths(), [0; 3]);
        let mut sum = LostSales::default();
        for _ in 0..3 {
            sum += one;
        }
        assert_eq!(sum.hundredths(), [1; 3]);
        let half = Certainty {
            business: HOUR,
            up: HOUR / 2,
            down: 0,
        };
        assert_eq!(LostSales::new(1, HOUR / 2 - 1, half).hundredths(), [0, 0, 1]);
    }

    #[test]
    fn a_century_of_large_sales_fits() {
        let century = Certainty {
            business: 876_600 * HOUR,
            up: 0,
            down: 876_600 * HOUR,
        };
        let lost = LostSales::new(i64::from(u32::MAX) * 100, 876_600 * HOUR, century);
        assert_eq!(lost.hundredths()[1], 376_496_833_079_700_000);
    }
}
