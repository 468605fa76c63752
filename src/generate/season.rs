//! The year of synthetic stores: holidays, and hours that change in spring and autumn.
//!
//! Owners decide for all of their stores, so a few sets of holidays serve a whole fleet, as in real ones.

use super::random::{Purpose, Random};
use super::week::Week;
use crate::civil;
use crate::uptime::calendar::{LocalDate, weekday_of};
use crate::uptime::interval::{DAY, Micros};

/// How long before the first poll and after the last one holidays are known.
const KNOWN_DAYS_BEFORE: LocalDate = 2;
const KNOWN_DAYS_AFTER: LocalDate = 60;

/// How many stores in a thousand have other hours in winter.
const SEASONAL_PER_MILLE: u32 = 60;

/// The hours of a shortened day.
const SHORT: &str = "10:00:00,16:00:00";

/// What an owner does on holidays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Custom {
    /// Nothing.
    Open,
    /// Shortened on the great ones.
    Shortened,
    /// Closed on the great ones, shortened on the others.
    Closed,
}

/// The customs by weight.
const CUSTOMS: [(u32, Custom); 3] = [(45, Custom::Open), (20, Custom::Shortened), (35, Custom::Closed)];

impl Custom {
    /// The custom of an owner.
    pub(super) fn of(seed: u64, owner: u32) -> Self {
        *Random::stream(seed, Purpose::Custom, u64::from(owner)).weighted(&CUSTOMS)
    }
}

/// Whether the store has other hours in winter.
pub(super) fn is_seasonal(seed: u64, index: u32) -> bool {
    Random::stream(seed, Purpose::Season, u64::from(index)).chance(SEASONAL_PER_MILLE)
}

/// The holidays and changes of a span of polls.
pub(super) struct Year {
    holidays: Vec<Holiday>,
    /// The dates on which hours change, and whether winter begins.
    changes: Vec<(LocalDate, bool)>,
}

struct Holiday {
    date: LocalDate,
    name: &'static str,
    is_great: bool,
}

impl Year {
    /// The year around polls from `start` to before `end`.
    pub(super) fn around(start: Micros, end: Micros) -> Self {
        let first = start.div_euclid(DAY) - KNOWN_DAYS_BEFORE;
        let last = end.div_euclid(DAY) + KNOWN_DAYS_AFTER;
        let year_of = |date| -> i64 { civil::format_day(date)[..4].parse().unwrap_or_default() };
        let years = || year_of(first)..=year_of(last);
        let mut holidays: Vec<_> = years().flat_map(holidays_of).collect();
        holidays.retain(|holiday| (first..=last).contains(&holiday.date));
        holidays.sort_by_key(|holiday| holiday.date);
        let changes = years().flat_map(|year| [(nth(year, 4, 0, 1), false), (nth(year, 11, 0, 1), true)]);
        let changes = changes.filter(|(date, _)| (first..=last).contains(date));
        Self {
            holidays,
            changes: changes.collect(),
        }
    }

    /// The versions of a store's week: its lines behind the store's id, each with its date or none at its end.
    pub(super) fn versions(&self, week: &Week, is_seasonal: bool) -> Vec<Vec<String>> {
        let dated = |lines: &[String], date: &str| {
            let line = |line: &String| format!("{line},{date}\n");
            lines.iter().map(line).collect::<Vec<_>>()
        };
        let is_changed = is_seasonal && week.winter != week.summer;
        let of = |is_winter| match is_winter && is_changed {
            true => &week.winter,
            false => &week.summer,
        };
        // Before the first change it is the other half of the year.
        let at_first = self.changes.first().is_some_and(|(_, is_winter)| !is_winter);
        let mut versions = vec![dated(of(at_first), "")];
        if is_changed {
            let later = self.changes.iter();
            versions.extend(later.map(|&(date, is_winter)| dated(of(is_winter), &civil::format_day(date))));
        }
        versions
    }

    /// The lines of special hours behind the store's id.
    pub(super) fn special_hours(&self, custom: Custom) -> Vec<String> {
        let line = |holiday: &Holiday| {
            let times = match (custom, holiday.is_great) {
                (Custom::Open, _) | (Custom::Shortened, false) => return None,
                (Custom::Closed, true) => ",",
                (Custom::Shortened, true) | (Custom::Closed, false) => SHORT,
            };
            let date = civil::format_day(holiday.date);
            Some(format!(",{date},{times},{}\n", holiday.name))
        };
        self.holidays.iter().filter_map(line).collect()
    }
}

/// The holidays of a year.
fn holidays_of(year: i64) -> Vec<Holiday> {
    let fixed = |month, day| date(year, month, day);
    let great = |date, name| Holiday {
        date,
        name,
        is_great: true,
    };
    let small = |date, name| Holiday {
        date,
        name,
        is_great: false,
    };
    let last_monday_of_may = nth(year, 6, 0, 1) - 7;
    vec![
        great(fixed(1, 1), "New Year's Day"),
        small(nth(year, 2, 1, 1), "Stocktaking"),
        small(nth(year, 5, 1, 1), "Stocktaking"),
        small(last_monday_of_may, "Memorial Day"),
        great(fixed(7, 4), "Independence Day"),
        small(nth(year, 8, 1, 1), "Stocktaking"),
        small(nth(year, 9, 0, 1), "Labor Day"),
        small(fixed(10, 31), "Halloween"),
        great(nth(year, 11, 1, 1), "Stocktaking"),
        great(nth(year, 11, 3, 4), "Thanksgiving"),
        small(fixed(12, 24), "Christmas Eve"),
        great(fixed(12, 25), "Christmas"),
        small(fixed(12, 31), "New Year's Eve"),
    ]
}

/// A date; the years of polls have four digits.
fn date(year: i64, month: u8, day: u8) -> LocalDate {
    civil::parse_day(&format!("{year:04}-{month:02}-{day:02}")).unwrap_or_default()
}

/// The `count`th of a weekday (0 = Monday) in a month.
fn nth(year: i64, month: u8, weekday: usize, count: LocalDate) -> LocalDate {
    let first = date(year, month, 1);
    let ahead = (weekday + 7 - weekday_of(first)) % 7;
    first + LocalDate::try_from(ahead).unwrap_or_default() + 7 * (count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::END;
    use crate::generate::week::weeks;

    fn special(days: Micros, custom: Custom) -> Vec<String> {
        Year::around(END - days * DAY, END).special_hours(custom)
    }

    #[test]
    fn a_year_has_its_holidays_and_owners_their_customs() {
        let closed = special(8, Custom::Closed).concat();
        for line in [
            ",2026-10-31,10:00:00,16:00:00,Halloween\n",
            ",2026-11-03,,,Stocktaking\n",
            ",2026-11-26,,,Thanksgiving\n",
            ",2026-12-25,,,Christmas\n",
            ",2027-01-01,,,New Year's Day\n",
        ] {
            assert!(closed.contains(line), "{line} in {closed}");
        }
        let shortened = special(8, Custom::Shortened).concat();
        assert!(shortened.contains(",2026-12-25,10:00:00,16:00:00,Christmas\n") && !shortened.contains("Halloween"));
        assert!(special(365, Custom::Open).is_empty());
        assert!((14..20).contains(&special(365, Custom::Closed).len()));
        let labor = special(365, Custom::Closed).concat();
        assert!(labor.contains("2026-09-07") && labor.contains("2026-05-25") && labor.contains("2026-07-04"));
    }

    #[test]
    fn hours_change_on_the_first_mondays_of_april_and_november() {
        let weeks = weeks();
        let (_, week) = weeks.iter().find(|(_, week)| week.winter != week.summer).unwrap();
        let dates = |days: Micros, is_seasonal| {
            let versions = Year::around(END - days * DAY, END).versions(week, is_seasonal);
            let date = |lines: &Vec<String>| lines[0].trim_end().rsplit(',').next().unwrap().to_owned();
            versions.iter().map(date).collect::<Vec<_>>()
        };
        assert_eq!(dates(8, false), [""]);
        assert_eq!(dates(8, true), ["", "2026-11-02"]);
        assert_eq!(dates(365, true), ["", "2026-04-06", "2026-11-02"]);
        let versions = Year::around(END - 365 * DAY, END).versions(week, true);
        let undated = |lines: &Vec<String>| lines[0].rsplit_once(',').unwrap().0.to_owned();
        assert_eq!(undated(&versions[0]), undated(&versions[2]), "winter again");
        assert_ne!(undated(&versions[0]), undated(&versions[1]));
    }
}
