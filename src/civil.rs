//! The text forms of instants and wall times, read and written.
//!
//! An instant is UTC, in microseconds since 1970; a wall time is microseconds since its midnight. Neither needs
//! the time zone database. Years 0001 to 9999 are accepted; callers narrow that.

mod length;

use std::fmt;

pub use length::parse_length;

use crate::error::{Error, Result};
use crate::uptime::interval::{DAY, HOUR, MINUTE, Micros, SECOND};

/// The instant of a text, with notes on its conversion to UTC microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The instant.
    pub at: Micros,
    /// A non-zero offset was converted to UTC.
    pub offset: bool,
    /// Digits beyond microseconds were dropped.
    pub subsecond: bool,
    /// The text was a real leap second; the instant is the second after it.
    pub leap_second: bool,
    /// The seconds, or a digit of the hour, are missing.
    pub short: bool,
}

impl Timestamp {
    /// An instant that is written in UTC.
    pub const fn utc(at: Micros) -> Self {
        Self {
            at,
            offset: false,
            subsecond: false,
            leap_second: false,
            short: false,
        }
    }
}

/// The reason why a text is not a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampError {
    /// The wrong shape.
    Shape,
    /// A date that the calendar does not have.
    Date,
    /// A time that the day does not have.
    Time,
    /// Second 60 at an instant without a leap second.
    LeapSecond,
    /// The end of the text is neither UTC nor an offset from it.
    Zone,
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "export instants in UTC, in a form like `2023-01-24 09:08:23.138922 UTC`",
            Self::Date => "the calendar has no such date",
            Self::Time => "a day has no such time; it ends with 23:59:59",
            Self::LeapSecond => "no leap second was there",
            Self::Zone => "expected UTC, `Z`, or an offset such as `+02:00`",
        })
    }
}

impl std::error::Error for TimestampError {}

/// The days since 2000, counted from 1970-01-01, whose last minute had 61 seconds.
const LEAP_SECOND_DAYS: [i64; 5] = [
    days_from_civil(2005, 12, 31),
    days_from_civil(2008, 12, 31),
    days_from_civil(2012, 6, 30),
    days_from_civil(2015, 6, 30),
    days_from_civil(2016, 12, 31),
];

/// The value of the last of `n` fraction digits, in microseconds.
const FRACTION_UNITS: [u32; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// Reads an instant: a date, a space or `T`, a time with any fraction, then UTC by name (`UTC`, `GMT` or `Z`, in
/// any case), by an offset, or by default. The hour may have one digit, and the seconds may be missing.
///
/// ```
/// use store_monitor::civil::{format_utc, parse_timestamp};
/// let utc = parse_timestamp("2023-01-24 09:08:23.138922 UTC")?;
/// assert_eq!(format_utc(utc.at), "2023-01-24 09:08:23.138922 UTC");
/// let offset = parse_timestamp("2023-01-24T11:08:23.138922+02:00")?;
/// assert!(offset.at == utc.at && offset.offset);
/// # Ok::<(), store_monitor::civil::TimestampError>(())
/// ```
///
/// # Errors
/// When the text is malformed. An offset may carry the instant a day beyond the years 0001 to 9999.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, TimestampError> {
    parse_timestamp_bytes(text.as_bytes())
}

/// [`parse_timestamp`] for bytes of any kind.
pub(crate) fn parse_timestamp_bytes(text: &[u8]) -> Result<Timestamp, TimestampError> {
    match parse_common(text) {
        Some(at) => Ok(Timestamp::utc(at)),
        None => parse_any(text),
    }
}

/// Reads the most common shape, `YYYY-MM-DD HH:MM:SS[.f{1,6}] UTC`, at fixed positions; `None` for every
/// other text, which [`parse_any`] reads.
fn parse_common(text: &[u8]) -> Option<Micros> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let fraction = rest.strip_suffix(b" UTC")?;
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b' ', //
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
    ] = head
    else {
        return None;
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, b'0', b'0'];
    // No early exit: the compiler makes the loop a handful of vector instructions.
    if digits
        .iter()
        .fold(false, |bad, &byte| bad | (byte.wrapping_sub(b'0') > 9))
    {
        return None;
    }
    let (year, month, day) = (pair(y1, y2) * 100 + pair(y3, y4), pair(m1, m2), pair(d1, d2));
    let (hour, minute, second) = (pair(h1, h2), pair(n1, n2), pair(s1, s2));
    if !is_date(year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if !digits.is_empty() && digits.len() <= 6 => {
            number(digits)? * FRACTION_UNITS[digits.len()]
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    Some(seconds * SECOND + i64::from(micros))
}

/// Reads every shape, part by part.
fn parse_any(text: &[u8]) -> Result<Timestamp, TimestampError> {
    use TimestampError::{Date, LeapSecond, Shape, Time, Zone};

    let ([year, month, day], text) = date(text).ok_or(Shape)?;
    let [b' ' | b'T' | b't', text @ ..] = text else {
        return Err(Shape);
    };
    let ((hour, text), short_hour) = match digits(text, 2) {
        Some(hour) => (hour, false),
        None => (digits(text, 1).ok_or(Shape)?, true),
    };
    let (minute, text) = digits_after(b":", text).ok_or(Shape)?;
    let has_seconds = text.starts_with(b":");
    let (second, text) = match has_seconds {
        true => digits_after(b":", text).ok_or(Shape)?,
        false => (0, text),
    };
    let (fraction, text) = match text.strip_prefix(b".") {
        None => (&[][..], text),
        Some(_) if !has_seconds => return Err(Shape),
        Some(text) => {
            let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return Err(Shape);
            }
            text.split_at(length)
        }
    };
    let offset = parse_offset(text).ok_or(Zone)?;

    if !is_date(year, month, day) {
        return Err(Date);
    }
    if hour > 23 || minute > 59 || second > 60 {
        return Err(Time);
    }
    let kept = &fraction[..fraction.len().min(6)];
    let micros = number(kept).ok_or(Shape)? * FRACTION_UNITS[kept.len()];
    let minutes = days_from_civil(year, month, day) * 1_440 + i64::from(hour * 60 + minute) - offset;
    let leap_second = second == 60;
    if leap_second && (minutes.rem_euclid(1_440) != 1_439 || !LEAP_SECOND_DAYS.contains(&minutes.div_euclid(1_440))) {
        return Err(LeapSecond);
    }
    Ok(Timestamp {
        at: minutes * MINUTE + i64::from(second) * SECOND + i64::from(micros),
        offset: offset != 0,
        subsecond: fraction.len() > 6,
        leap_second,
        short: short_hour || !has_seconds,
    })
}

/// The minutes east of UTC at the end of a timestamp: empty, `Z`, `UTC`, `GMT`, `+02`, `+0200` or `+02:00`, each
/// with or without a space before it; `+0000 UTC`, which Go writes, is UTC.
fn parse_offset(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
    if is(b"UTC") || is(b"GMT") || is(b"Z") || is(b"+0000 UTC") {
        return Some(0);
    }
    let (sign, text) = match text {
        [b'+', text @ ..] => (1, text),
        [b'-', text @ ..] => (-1, text),
        _ => return None,
    };
    let (hours, text) = digits(text, 2)?;
    let minutes = if text.is_empty() {
        0
    } else {
        match digits(text.strip_prefix(b":").unwrap_or(text), 2)? {
            (minutes, []) => minutes,
            _ => return None,
        }
    };
    (hours <= 23 && minutes <= 59).then(|| sign * i64::from(hours * 60 + minutes))
}

/// A wall time: the time on a local clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Microseconds after midnight, up to and including 24:00:00.
    pub us_local: Micros,
    /// Not written as `HH:MM:SS`: the seconds or a digit of the hour are missing.
    pub short: bool,
}

/// Reads a wall time from 00:00:00 to 24:00:00: `HH:MM:SS` with up to six fraction digits, `H:MM:SS`, `HH:MM`
/// or `H:MM`. The caller decides whether 24:00:00 may be a start.
///
/// ```
/// use store_monitor::civil::parse_local_time;
/// assert_eq!(parse_local_time("09:00:00").map(|time| time.us_local), Some(32_400_000_000));
/// assert!(parse_local_time("9:00").is_some_and(|time| time.short));
/// assert_eq!(parse_local_time("24:00:01"), None);
/// ```
pub fn parse_local_time(text: &str) -> Option<LocalTime> {
    let text = text.as_bytes();
    let ((hour, text), short_hour) = match digits(text, 2) {
        Some(hour) => (hour, false),
        None => (digits(text, 1)?, true),
    };
    let (minute, text) = digits_after(b":", text)?;
    let (second, text) = match text {
        [] => (None, text),
        _ => digits_after(b":", text).map(|(second, text)| (Some(second), text))?,
    };
    let micros = match text {
        [] => 0,
        [b'.', fraction @ ..] if second.is_some() && (1..=6).contains(&fraction.len()) => {
            number(fraction)? * FRACTION_UNITS[fraction.len()]
        }
        _ => return None,
    };
    let seconds = second.unwrap_or(0);
    if minute > 59 || seconds > 59 {
        return None;
    }
    let us_local =
        i64::from(hour) * HOUR + i64::from(minute) * MINUTE + i64::from(seconds) * SECOND + i64::from(micros);
    (us_local <= DAY).then_some(LocalTime {
        us_local,
        short: short_hour || second.is_none(),
    })
}

/// Appends an instant in the format of the sources, `2023-01-21 16:00:49.46544 UTC`: the fraction has no
/// trailing zeros, and is absent when zero.
pub fn write_timestamp(out: &mut Vec<u8>, at: Micros) {
    write_instant(out, at, b' ');
    out.extend_from_slice(b" UTC");
}

/// The text of [`write_timestamp`].
pub fn format_utc(at: Micros) -> String {
    let mut out = Vec::with_capacity(30);
    write_timestamp(&mut out, at);
    text(out)
}

/// An instant in RFC 3339: `2023-01-21T16:00:49.46544Z`.
pub fn format_rfc3339(at: Micros) -> String {
    let mut out = Vec::with_capacity(27);
    write_instant(&mut out, at, b'T');
    out.push(b'Z');
    text(out)
}

/// The day of a text such as `2026-11-01`, counted from 1970-01-01.
///
/// # Errors
/// When the text is not a day.
pub fn parse_day(text: &str) -> Result<i64> {
    let day = || {
        let ([year, month, day], rest) = date(text.as_bytes())?;
        let whole = rest.is_empty() && is_date(year, month, day);
        whole.then(|| days_from_civil(year, month, day))
    };
    day().ok_or_else(|| Error::invalid(format!("`{text}` is not a day (expected one such as `2026-11-01`)")))
}

/// The text of a day, as [`parse_day`] reads it.
pub fn format_day(day: i64) -> String {
    let mut out = Vec::with_capacity(10);
    write_day(&mut out, day);
    text(out)
}

/// The text of a wall time in microseconds after midnight: `09:00:00`, a fraction unless it is zero, and
/// `24:00:00` for the end of the day.
pub fn format_local_time(us_local: Micros) -> String {
    let mut out = Vec::with_capacity(15);
    write_time(&mut out, us_local.unsigned_abs());
    text(out)
}

fn write_instant(out: &mut Vec<u8>, at: Micros, between: u8) {
    write_day(out, at.div_euclid(DAY));
    out.push(between);
    write_time(out, at.rem_euclid(DAY).unsigned_abs());
}

fn write_day(out: &mut Vec<u8>, day: i64) {
    let (year, month, day) = civil_from_days(day);
    if year < 0 {
        out.push(b'-');
    }
    write_digits(out, year.unsigned_abs(), 4);
    out.push(b'-');
    write_digits(out, month, 2);
    out.push(b'-');
    write_digits(out, day, 2);
}

fn write_time(out: &mut Vec<u8>, micros: u64) {
    let seconds = micros / 1_000_000;
    write_digits(out, seconds / 3_600, 2);
    out.push(b':');
    write_digits(out, seconds / 60 % 60, 2);
    out.push(b':');
    write_digits(out, seconds % 60, 2);
    let fraction = micros % 1_000_000;
    if fraction != 0 {
        out.push(b'.');
        write_digits(out, fraction, 6);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Appends a number with at least `width` digits.
fn write_digits(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let (mut at, mut rest) = (digits.len(), number);
    while rest > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// The written text, which is ASCII.
fn text(ascii: Vec<u8>) -> String {
    String::from_utf8(ascii).unwrap_or_default()
}

/// The numbers of the date `YYYY-MM-DD` at the start of `text`, and the rest.
fn date(text: &[u8]) -> Option<([u32; 3], &[u8])> {
    let (year, text) = digits(text, 4)?;
    let (month, text) = digits_after(b"-", text)?;
    let (day, text) = digits_after(b"-", text)?;
    Some(([year, month, day], text))
}

/// The number of two digits after `separator`, and the rest of `text`.
fn digits_after<'a>(separator: &[u8], text: &'a [u8]) -> Option<(u32, &'a [u8])> {
    digits(text.strip_prefix(separator)?, 2)
}

/// The number of the first `count` bytes, if they are digits, and the rest of `text`.
fn digits(text: &[u8], count: usize) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    Some((number(digits)?, rest))
}

/// The number of up to nine digits; zero for none.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })
}

/// The number of two bytes, which must be digits.
const fn pair(tens: u8, ones: u8) -> u32 {
    (tens - b'0') as u32 * 10 + (ones - b'0') as u32
}

const fn is_date(year: u32, month: u32, day: u32) -> bool {
    let days = match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year >= 1 && day >= 1 && day <= days
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, year 1 or later.
///
/// The year is shifted to begin in March: the leap day is then its last day, and no earlier month depends on
/// the year.
const fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days as i64 - DAYS_BEFORE_1970
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

/// The date `days` after 1970-01-01: the inverse of [`days_from_civil`], for any year.
fn civil_from_days(days: i64) -> (i64, u64, u64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let days = days + DAYS_BEFORE_1970;
    let era = days.div_euclid(DAYS_IN_400_YEARS);
    let day = days.rem_euclid(DAYS_IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + next, month.unsigned_abs(), day.unsigned_abs())
}

/// The instant of a caller's text, in any form that inputs may have.
///
/// # Errors
/// When the text is not an instant.
pub fn parse_instant(text: &str) -> Result<Micros> {
    if let Ok(day) = parse_day(text) {
        return Ok(day * DAY);
    }
    parse_timestamp(text).map(|timestamp| timestamp.at).map_err(|_| {
        Error::invalid(format!(
            "`{}` is not an instant (expected one such as `2026-11-08T20:00:00Z` or `2026-11-08 20:00:00 UTC`)",
            text.escape_debug()
        ))
    })
}

/// [`parse_instant`] for the query of a request, which turns an unescaped `+` into a space: a space before an offset
/// is a `+`.
///
/// # Errors
/// Those of [`parse_instant`].
pub fn parse_query_instant(text: &str) -> Result<Micros> {
    parse_instant(text).or_else(|error| {
        let meant = text.rsplit_once(' ').map(|(time, offset)| format!("{time}+{offset}"));
        meant.and_then(|meant| parse_instant(&meant).ok()).ok_or(error)
    })
}

#[cfg(test)]
mod tests;
