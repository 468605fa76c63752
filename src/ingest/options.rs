//! Options: a caller's choices about how inputs are read, where a file alone does not say it.

use std::ops::RangeInclusive;

use crate::civil;
pub use crate::db::schedules::HoursMode;
use crate::error::{Error, Result};
use crate::uptime::calendar::LocalDate;
use crate::uptime::interval::Micros;

/// 1900-01-01 to 2199-12-31: a date outside is a slip of the pen.
pub const DATES: RangeInclusive<LocalDate> = -25_567..=84_005;

/// How many stores a database may have, unless the caller says otherwise.
pub const STORES_MAX: u64 = 2_000_000;

/// Which stores an input may name that the database does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewStores {
    /// As many as make the database have this many stores.
    UpTo(u64),
    /// None.
    None,
}

impl Default for NewStores {
    fn default() -> Self {
        Self::UpTo(STORES_MAX)
    }
}

/// How the rows of an input are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Later instants are refused.
    pub latest: Micros,
    /// What the machine's clock says, for the message about a later instant.
    pub machine: Micros,
    /// How the days of business hours are numbered.
    pub days: DayNumbers,
    /// Whether ids that look damaged are taken.
    pub ids_as_written: bool,
    /// The date from which business hours hold whose input does not say it; none: from the beginning.
    pub valid_from: Option<LocalDate>,
    /// Which new stores it may name.
    pub new_stores: NewStores,
}

impl ReadOptions {
    /// The usual choices; instants after `latest` are refused.
    pub fn until(latest: Micros) -> Self {
        Self {
            latest,
            machine: latest,
            days: DayNumbers::default(),
            ids_as_written: false,
            valid_from: None,
            new_stores: NewStores::default(),
        }
    }
}

/// The date that a caller gives to business hours without one; none without a text.
///
/// # Errors
/// When the text is no date, or is not within [`DATES`].
pub fn valid_from(text: Option<&str>) -> Result<Option<LocalDate>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let date = civil::parse_day(text)?;
    if !DATES.contains(&date) {
        let reason = format!("`{text}` is not in the years 1900 to 2199 (correct the year)");
        return Err(Error::invalid(reason));
    }
    Ok(Some(date))
}

/// How days are numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayNumbers {
    /// 0 is Monday … 6 is Sunday.
    #[default]
    MondayIs0,
    /// 1 is Monday … 7 is Sunday.
    MondayIs1,
    /// 0 is Sunday … 6 is Saturday.
    SundayIs0,
    /// 1 is Sunday … 7 is Saturday.
    SundayIs1,
}

impl DayNumbers {
    /// Every numbering.
    pub const ALL: [Self; 4] = [Self::MondayIs0, Self::MondayIs1, Self::SundayIs0, Self::SundayIs1];

    /// The name on the command line and in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MondayIs0 => "monday=0",
            Self::MondayIs1 => "monday=1",
            Self::SundayIs0 => "sunday=0",
            Self::SundayIs1 => "sunday=1",
        }
    }

    /// The numbering with that name; without a name, [`DayNumbers::MondayIs0`].
    ///
    /// # Errors
    /// An unknown name.
    pub fn parse(name: Option<&str>) -> Result<Self> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let named = Self::ALL.into_iter().find(|days| days.as_str() == name);
        named.ok_or_else(|| {
            let (name, names) = (name.escape_debug(), Self::ALL.map(Self::as_str).join("`, `"));
            Error::invalid(format!("unknown days `{name}` (expected one of `{names}`)"))
        })
    }

    /// The weekday with this number, 0 = Monday … 6 = Sunday; none if the numbering lacks it.
    pub const fn weekday(self, number: u8) -> Option<u8> {
        match (self, number) {
            (Self::MondayIs0, 0..=6) => Some(number),
            (Self::MondayIs1, 1..=7) => Some(number - 1),
            (Self::SundayIs0, 0..=6) => Some((number + 6) % 7),
            (Self::SundayIs1, 1..=7) => Some((number + 5) % 7),
            _ => None,
        }
    }

    /// The numbers that it has, in words.
    pub const fn range(self) -> &'static str {
        match self {
            Self::MondayIs0 => "0 for Monday to 6 for Sunday",
            Self::MondayIs1 => "1 for Monday to 7 for Sunday",
            Self::SundayIs0 => "0 for Sunday to 6 for Saturday",
            Self::SundayIs1 => "1 for Sunday to 7 for Saturday",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_numbering_names_every_weekday_once() {
        for days in DayNumbers::ALL {
            let mut weekdays: Vec<_> = (0..=8).filter_map(|number| days.weekday(number)).collect();
            weekdays.sort_unstable();
            assert_eq!(weekdays, [0, 1, 2, 3, 4, 5, 6], "{days:?}");
            assert_eq!(DayNumbers::parse(Some(days.as_str())).unwrap(), days);
        }
        assert_eq!(DayNumbers::SundayIs1.weekday(1), Some(6));
        assert_eq!(DayNumbers::SundayIs0.weekday(1), Some(0));
        assert!(DayNumbers::parse(Some("monday=2")).is_err());
    }
}
