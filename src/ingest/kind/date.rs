//! Dates of the local calendar. Year, month and day come in this order; another order could be read in two ways.

use super::field::{Fault, RowNotes};
use crate::civil::parse_day;
use crate::ingest::options::DATES;
use crate::ingest::problem::{Code, excerpt};
use crate::uptime::calendar::LocalDate;

/// The date that a text means.
pub(super) fn date<'a>(slot: usize, field: &'a [u8], text: &str, notes: &mut RowNotes) -> Result<LocalDate, Fault<'a>> {
    let fault = |code, reason: String| Err(Fault::of(slot, field, code, reason));
    let shown = || excerpt(text.as_bytes());
    let day = match parse_day(text) {
        Ok(day) => day,
        Err(_) => match year_first(text) {
            Some(Ok(day)) => {
                notes.add(Code::DateForm);
                day
            }
            Some(Err(_)) => {
                let reason = format!("there is no day `{}` (look at the calendar)", shown());
                return fault(Code::Date, reason);
            }
            None if text.is_empty() => {
                return fault(Code::Date, "no date (expected one such as `2026-11-01`)".to_owned());
            }
            None => {
                let rest = text
                    .get(10..)
                    .filter(|_| text.get(..10).is_some_and(|date| parse_day(date).is_ok()));
                let remedy = match rest {
                    Some(rest) if rest.starts_with(['T', 't', ' ']) => "write the date alone, such as `2026-11-01`",
                    _ => "expected year, month and day, such as `2026-11-01`",
                };
                return fault(Code::Date, format!("no date `{}` ({remedy})", shown()));
            }
        },
    };
    if !DATES.contains(&day) {
        let reason = format!("`{}` is not in the years 1900 to 2199 (correct the year)", shown());
        return fault(Code::Range, reason);
    }
    Ok(day)
}

/// `2026/11/01`, `2026-11-1`: the date, or an error if the calendar has none such. None for other texts.
fn year_first(text: &str) -> Option<crate::error::Result<LocalDate>> {
    let separator = if text.contains('/') { '/' } else { '-' };
    let parts: Vec<&str> = text.split(separator).collect();
    let [year, month, day] = parts[..] else {
        return None;
    };
    let is_number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_shaped = is_number(year, 4..=4) && is_number(month, 1..=2) && is_number(day, 1..=2);
    is_shaped.then(|| parse_day(&format!("{year}-{month:0>2}-{day:0>2}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LocalDate, Code> {
        date(1, text.as_bytes(), text, &mut RowNotes::default()).map_err(|fault| fault.code)
    }

    #[test]
    fn a_date_begins_with_its_year() {
        for (text, expected) in [
            ("2026-11-01", Ok(20_758)),
            ("2026/11/01", Ok(20_758)),
            ("2026/11/1", Ok(20_758)),
            ("2026-11-1", Ok(20_758)),
            ("2024-02-29", Ok(19_782)),
            ("1900-01-01", Ok(*DATES.start())),
            ("2199-12-31", Ok(*DATES.end())),
            ("1899-12-31", Err(Code::Range)),
            ("2200-01-01", Err(Code::Range)),
            ("0026-11-01", Err(Code::Range)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        for text in [
            "",
            "0000-01-01",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "01/02/2026",
            "29.02.2026",
            "11-01-2026",
            "26-11-01",
            "20261101",
            "2026-11",
            "2026-11-01 00:00:00",
            "2026-11-01T09:00:00Z",
            "2026 11 01",
            "November 1, 2026",
            "2026-11-01-",
            "+2026-11-01",
            "46327",
            "2026/11-01",
        ] {
            assert_eq!(read(text), Err(Code::Date), "{text}");
        }
    }

    #[test]
    fn a_time_in_a_date_is_told_apart() {
        for (text, told) in [
            ("2026-11-01 00:00:00", "write the date alone"),
            ("01/02/2026", "year, month and day"),
            ("2026-02-29", "there is no day"),
            ("2026-11-01é", "year, month and day"),
        ] {
            let fault = date(1, text.as_bytes(), text, &mut RowNotes::default()).unwrap_err();
            assert!(fault.reason.contains(told), "{}", fault.reason);
        }
    }
}
