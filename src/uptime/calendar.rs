//! Calendars: what a store's hours say about each local date.
//!
//! A calendar has versions of the week, each from its date on, and special days, which take the place of the week
//! on their date. Dates and times are of the store's own clock; [`business_hours`](super::business_hours) makes
//! instants of them.

use super::interval::{DAY, Micros};

/// A date of a local calendar: how many days it is after 1970-01-01.
pub type LocalDate = i64;

/// Opening and closing, in microseconds since the date's midnight by the wall clock; 24:00 is a legal end. An end
/// that is not after the start is on the next date.
pub type Times = [Micros; 2];

/// The times of a date without any hours: all of it.
const WHOLE_DAY: [Times; 1] = [[0, DAY]];

/// One row of weekly hours: the store is open for a stretch that begins on that weekday, or says that it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeeklyRow {
    /// 0 = Monday … 6 = Sunday.
    pub weekday: u8,
    /// When it is open. None: closed, unless another row has times.
    pub times_us_local: Option<Times>,
}

impl WeeklyRow {
    /// A row with times.
    pub const fn open(weekday: u8, start_us_local: Micros, end_us_local: Micros) -> Self {
        Self {
            weekday,
            times_us_local: Some([start_us_local, end_us_local]),
        }
    }

    /// A row that says *closed*.
    pub const fn closed(weekday: u8) -> Self {
        Self {
            weekday,
            times_us_local: None,
        }
    }
}

/// A week that holds from a date on, until the next version does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// The first date; none: from the beginning. The first version of a calendar also holds before its date.
    pub valid_from: Option<LocalDate>,
    /// The hours, sorted and distinct; a weekday without a row with times is closed.
    pub rows: Vec<WeeklyRow>,
}

/// The hours of one date, in place of those of its weekday.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpecialDay {
    /// The date.
    pub date: LocalDate,
    /// When the store is open, sorted and distinct; never: closed.
    pub times_us_local: Vec<Times>,
}

/// All hours of a store. Without any it is always open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Calendar {
    /// The versions of its week, in order of their dates. Without any, dates are open from 00:00 to 24:00.
    pub versions: Vec<Version>,
    /// Its special days, in order; one a date.
    pub special_days: Vec<SpecialDay>,
}

impl Calendar {
    /// The calendar of a week that never changes; no rows mean always open.
    pub fn weekly(mut rows: Vec<WeeklyRow>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        let version = Version { valid_from: None, rows };
        let versions = (!version.rows.is_empty()).then_some(version);
        Self {
            versions: versions.into_iter().collect(),
            special_days: Vec::new(),
        }
    }

    /// Whether the store never closes because nothing says when it does.
    pub fn is_always_open(&self) -> bool {
        self.versions.is_empty() && self.special_days.is_empty()
    }

    /// The version that holds on `date`; none without weekly hours.
    pub fn version_on(&self, date: LocalDate) -> Option<&Version> {
        let begun = |version: &Version| version.valid_from.is_none_or(|from| from <= date);
        let begun = self.versions.partition_point(begun);
        self.versions.get(begun.saturating_sub(1))
    }

    /// The special day on `date`, if it is one.
    pub fn special_day(&self, date: LocalDate) -> Option<&SpecialDay> {
        let found = self.special_days.binary_search_by_key(&date, |special| special.date);
        found.ok().map(|found| &self.special_days[found])
    }

    /// The times of the stretches that begin on `date`; none if the store is closed.
    ///
    /// ```
    /// use store_monitor::uptime::calendar::{Calendar, SpecialDay, WeeklyRow};
    /// use store_monitor::uptime::interval::HOUR;
    /// let nine_to_five = [9 * HOUR, 17 * HOUR];
    /// let mut calendar = Calendar::weekly(vec![WeeklyRow::open(0, 9 * HOUR, 17 * HOUR)]);
    /// calendar.special_days.push(SpecialDay { date: 20_815, times_us_local: Vec::new() });
    /// let times = |date| calendar.times_on(date).collect::<Vec<_>>();
    /// // Three days in a row, of which the first is a Monday, and the Monday after.
    /// assert_eq!([20_808, 20_809, 20_815].map(times), [vec![nine_to_five], vec![], vec![]]);
    /// ```
    pub fn times_on(&self, date: LocalDate) -> impl Iterator<Item = Times> + '_ {
        let (mut week, mut times): (&[WeeklyRow], &[Times]) = (&[], &[]);
        if let Some(special) = self.special_day(date) {
            times = &special.times_us_local;
        } else if let Some(version) = self.version_on(date) {
            week = &version.rows;
        } else {
            times = &WHOLE_DAY;
        }
        let weekday = weekday_of(date);
        let week = week.iter().filter(move |row| usize::from(row.weekday) == weekday);
        let week = week.filter_map(|row| row.times_us_local);
        week.chain(times.iter().copied())
    }
}

/// The weekday of a date; 0 = Monday.
pub fn weekday_of(date: LocalDate) -> usize {
    // 1970-01-01 was a Thursday.
    usize::try_from((date + 3).rem_euclid(7)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::interval::HOUR;
    use super::*;

    fn version(valid_from: Option<LocalDate>, opens: Micros) -> Version {
        let row = |weekday| WeeklyRow::open(weekday, opens, 20 * HOUR);
        Version {
            valid_from,
            rows: (0..7).map(row).collect(),
        }
    }

    fn opens(calendar: &Calendar, date: LocalDate) -> Vec<Micros> {
        calendar.times_on(date).map(|[start, _]| start / HOUR).collect()
    }

    #[test]
    fn the_latest_version_not_after_a_date_holds_and_the_first_before_all() {
        let calendar = Calendar {
            versions: vec![version(Some(100), 8 * HOUR), version(Some(200), 9 * HOUR)],
            special_days: Vec::new(),
        };
        let dates = [50, 99, 100, 199, 200, 9999];
        let expected: [Vec<Micros>; 6] = [8, 8, 8, 8, 9, 9].map(|hour| vec![hour]);
        assert_eq!(dates.map(|date| opens(&calendar, date)), expected);
    }

    #[test]
    fn a_special_day_takes_the_place_of_the_week_on_its_date_alone() {
        let special = |date, times_us_local| SpecialDay { date, times_us_local };
        let mut calendar = Calendar {
            versions: vec![version(None, 8 * HOUR)],
            special_days: vec![
                special(10, vec![]),
                special(11, vec![[11 * HOUR, 12 * HOUR], [18 * HOUR, 2 * HOUR]]),
            ],
        };
        let dates = [9, 10, 11, 12];
        let expected = [vec![8], vec![], vec![11, 18], vec![8]];
        assert_eq!(dates.map(|date| opens(&calendar, date)), expected);
        calendar.versions.clear();
        assert_eq!(
            calendar.times_on(12).collect::<Vec<_>>(),
            [[0, DAY]],
            "other dates are whole"
        );
        assert!(calendar.times_on(10).next().is_none());
        assert!(!calendar.is_always_open());
    }
}
