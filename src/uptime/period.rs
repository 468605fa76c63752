//! Periods: ranges of local dates, cut into buckets.

use chrono::{Datelike, NaiveDate};

use super::business_hours::ZoneTable;
use super::calendar::{LocalDate, weekday_of};
use super::interval::{DAY, Interval, Micros};

/// How many dates a period may have: a century.
pub const PERIOD_DATES_MAX: i64 = 36_525;

/// 1970-01-01, counted as chrono counts.
const EPOCH_FROM_CE: i64 = 719_163;

/// How a period is cut into buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Not at all.
    #[default]
    Total,
    /// At every midnight.
    Day,
    /// At every Monday.
    Week,
    /// At the first of every month.
    Month,
}

impl By {
    /// Every way, the default first.
    pub const ALL: [Self; 4] = [Self::Total, Self::Day, Self::Week, Self::Month];

    /// The name in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The way with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }
}

/// Local dates, both included. Each store has them in its own zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first date.
    pub from: LocalDate,
    /// The last date, which is not before the first.
    pub to: LocalDate,
    /// How it is cut.
    pub by: By,
}

/// A part of a period: local dates, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The first date.
    pub first: LocalDate,
    /// The last date.
    pub last: LocalDate,
}

impl Period {
    /// The buckets, in order; a week or month that the period cuts is the part inside.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = Vec::new();
        let mut first = self.from;
        while first <= self.to {
            let last = self.last_of_bucket(first).min(self.to);
            buckets.push(Bucket { first, last });
            first = last + 1;
        }
        buckets
    }

    /// The last date of the whole bucket that has `date`.
    fn last_of_bucket(&self, date: LocalDate) -> LocalDate {
        match self.by {
            By::Total => self.to,
            By::Day => date,
            By::Week => date + 6 - i64::try_from(weekday_of(date)).unwrap_or(0),
            By::Month => {
                let day = civil(date);
                date + i64::from(day.num_days_in_month()) - i64::from(day.day())
            }
        }
    }

    /// The name of a bucket: its dates, date, ISO week or month.
    ///
    /// ```
    /// use store_monitor::uptime::period::{By, Period};
    /// // From Saturday 2022-12-31 to Tuesday 2023-01-03.
    /// let (from, to) = (19_357, 19_360);
    /// let names = |by| {
    ///     let period = Period { from, to, by };
    ///     period.buckets().iter().map(|bucket| period.name_of(bucket)).collect::<Vec<_>>()
    /// };
    /// assert_eq!(names(By::Total), ["2022-12-31/2023-01-03"]);
    /// assert_eq!(names(By::Week), ["2022-W52", "2023-W01"]);
    /// assert_eq!(names(By::Month), ["2022-12", "2023-01"]);
    /// ```
    pub fn name_of(&self, bucket: &Bucket) -> String {
        let [first, last] = [bucket.first, bucket.last].map(civil);
        match self.by {
            By::Total => format!("{first}/{last}"),
            By::Day => first.to_string(),
            By::Week => first.format("%G-W%V").to_string(),
            By::Month => first.format("%Y-%m").to_string(),
        }
    }

    /// A span that holds the period in every zone, with `margin` before and after it.
    pub fn span(&self, margin: Micros) -> Interval {
        // No zone is a day ahead of UTC, or behind it.
        Interval::new((self.from - 1) * DAY - margin, (self.to + 2) * DAY + margin)
    }

    /// Its instants in a zone, from the table of a span that holds it.
    pub fn instants(&self, zone: &ZoneTable) -> Interval {
        zone.dates(self.from, self.to)
    }
}

/// The whole month of a date.
pub fn month_of(date: LocalDate) -> Bucket {
    let day = civil(date);
    let first = date + 1 - i64::from(day.day());
    let last = first - 1 + i64::from(day.num_days_in_month());
    Bucket { first, last }
}

/// The whole ISO week of a date.
pub fn week_of(date: LocalDate) -> Bucket {
    let first = date - i64::try_from(weekday_of(date)).unwrap_or(0);
    Bucket { first, last: first + 6 }
}

/// The day, ISO week or month with a name such as `2026-10-31`, `2026-W44` or `2026-10`, and which of them it is; none
/// of any other text.
///
/// ```
/// use store_monitor::uptime::period::{By, named};
/// let days = |name| named(name).map(|(by, bucket)| (by, bucket.last - bucket.first + 1));
/// assert_eq!(days("2026-W44"), Some((By::Week, 7)));
/// assert_eq!(days("2026-02"), Some((By::Month, 28)));
/// assert_eq!(days("2026-02-28"), Some((By::Day, 1)));
/// assert_eq!(days("2025-W53"), None, "2025 has 52 weeks");
/// ```
pub fn named(name: &str) -> Option<(By, Bucket)> {
    let (year, rest) = name.split_once('-')?;
    let year: i32 = year.parse().ok()?;
    let number = |text: &str| text.parse::<u32>().ok();
    let (by, first) = match (rest.strip_prefix('W'), rest.split_once('-')) {
        (Some(week), _) => (
            By::Week,
            NaiveDate::from_isoywd_opt(year, number(week)?, chrono::Weekday::Mon),
        ),
        (None, Some((month, day))) => (By::Day, NaiveDate::from_ymd_opt(year, number(month)?, number(day)?)),
        (None, None) => (By::Month, NaiveDate::from_ymd_opt(year, number(rest)?, 1)),
    };
    let first = i64::from(first?.num_days_from_ce()) - EPOCH_FROM_CE;
    let bucket = whole(by, first);
    let period = Period {
        from: bucket.first,
        to: bucket.last,
        by,
    };
    (period.name_of(&bucket) == name).then_some((by, bucket))
}

/// The whole day, ISO week or month of a date.
pub fn whole(by: By, date: LocalDate) -> Bucket {
    match by {
        By::Total | By::Day => Bucket {
            first: date,
            last: date,
        },
        By::Week => week_of(date),
        By::Month => month_of(date),
    }
}

/// The date as chrono has it.
fn civil(date: LocalDate) -> NaiveDate {
    let days = i32::try_from(date + EPOCH_FROM_CE).ok();
    days.and_then(NaiveDate::from_num_days_from_ce_opt).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_end_at_mondays_and_months_and_are_cut_by_the_period() {
        // 2026-10-30 is a Friday.
        let (from, to) = (20_756, 20_756 + 40);
        let buckets = |by| -> Vec<(i64, i64)> {
            let buckets = Period { from, to, by }.buckets();
            buckets
                .iter()
                .map(|bucket| (bucket.first - from, bucket.last - from))
                .collect()
        };
        assert_eq!(buckets(By::Total), [(0, 40)]);
        assert_eq!(buckets(By::Day).len(), 41);
        assert_eq!(buckets(By::Week)[..3], [(0, 2), (3, 9), (10, 16)]);
        assert_eq!(buckets(By::Month), [(0, 1), (2, 31), (32, 40)]);
    }
}
