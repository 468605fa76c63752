//! Phrases: numbers, lengths of time and instants, formatted for people as a [`Locale`] has them. Decimals are of data
//! alone: a page tells time in hours and minutes.

pub mod locale;

use chrono_tz::Tz;

use self::locale::Locale;
use crate::civil::format_rfc3339;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::hundredths::format as amount;
use crate::uptime::interval::{DAY, HOUR, Interval, MINUTE, Micros, SECOND};
use crate::uptime::window::Share;

/// Weekdays for charts and dates.
pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The wall clock of a place, written as a locale writes it.
#[derive(Clone, Copy)]
pub struct Wall<'a> {
    table: &'a ZoneTable,
    locale: Locale,
}

impl<'a> Wall<'a> {
    /// The wall clock of a table of offsets.
    pub fn new(table: &'a ZoneTable, locale: Locale) -> Self {
        Self { table, locale }
    }

    /// `14:05` or `2:05 PM`.
    pub fn time(&self, at: Micros) -> String {
        self.locale.clock(self.table.wall(at))
    }

    /// `Sat 7 Nov`.
    pub fn date(&self, at: Micros) -> String {
        date(self.day(at))
    }

    /// The date, counted from 1970-01-01.
    pub fn day(&self, at: Micros) -> i64 {
        self.table.wall(at).div_euclid(DAY)
    }

    /// `14:05–17:52` or `2:05–5:52 PM`; the end of a day is 24:00 or midnight.
    pub fn span(&self, stretch: Interval) -> String {
        let (start, end) = (self.table.wall(stretch.start), self.table.wall(stretch.end));
        self.locale.span(start, end)
    }
}

/// A table of offsets for instants near `at`.
pub fn zone_near(zone: Tz, at: Micros) -> ZoneTable {
    ZoneTable::new(zone, Interval::new(at - DAY, at + DAY))
}

/// A zone's short name: `Chicago` for `America/Chicago`.
pub fn city(zone: Tz) -> String {
    let name = zone.name();
    name.rsplit('/').next().unwrap_or(name).replace('_', " ")
}

/// The year, the month and the day of a date counted from 1970-01-01.
fn civil_date(days: i64) -> (String, &'static str, String) {
    let text = format_rfc3339(days * DAY);
    let mut parts = text.split(['-', 'T']);
    let mut part = || parts.next().unwrap_or_default();
    let (year, month, day) = (part(), part(), part());
    let month = month.parse::<usize>().unwrap_or(1);
    let month = MONTHS.get(month - 1).unwrap_or(&"");
    (year.to_owned(), month, day.trim_start_matches('0').to_owned())
}

fn weekday(days: i64) -> &'static str {
    // Day 0 was a Thursday.
    let index = usize::try_from((days + 3).rem_euclid(7)).unwrap_or_default();
    WEEKDAYS[index]
}

/// `Sat 7 Nov`, of a date counted from 1970-01-01.
pub fn date(days: i64) -> String {
    let (_, month, day) = civil_date(days);
    format!("{} {day} {month}", weekday(days))
}

/// `7 Nov`, of a date counted from 1970-01-01.
pub fn day_of_month(days: i64) -> String {
    let (_, month, day) = civil_date(days);
    format!("{day} {month}")
}

/// `October`, of a date counted from 1970-01-01.
pub fn month(days: i64) -> &'static str {
    let (_, short, _) = civil_date(days);
    let index = MONTHS.iter().position(|month| *month == short);
    MONTH_NAMES[index.unwrap_or_default()]
}

/// `October 2026`, of a date counted from 1970-01-01.
pub fn month_and_year(days: i64) -> String {
    format!("{} {}", month(days), civil_date(days).0)
}

/// `Sat 7`, for a narrow place.
pub fn day(days: i64) -> String {
    let (_, _, day) = civil_date(days);
    format!("{} {day}", weekday(days))
}

/// `Sat 7 Nov 2026`, of a date counted from 1970-01-01.
pub fn date_with_year(days: i64) -> String {
    let (year, month, day) = civil_date(days);
    format!("{} {day} {month} {year}", weekday(days))
}

/// Elapsed time: `38 s`, `47 min`, `3 h 18 min`, `2 d 3 h`. [`Locale::hours`] tells business time.
pub fn length(micros: Micros) -> String {
    let hours = (micros + HOUR / 2) / HOUR;
    match (micros + MINUTE / 2) / MINUTE {
        0..2880 => told_in_hours(micros),
        _ => format!("{} d{}", hours / 24, rest(hours % 24, "h")),
    }
}

fn told_in_hours(micros: Micros) -> String {
    let minutes = (micros + MINUTE / 2) / MINUTE;
    match minutes {
        _ if micros < MINUTE => format!("{} s", (micros + SECOND / 2) / SECOND),
        0..60 => format!("{minutes} min"),
        _ => format!("{} h{}", minutes / 60, rest(minutes % 60, "min")),
    }
}

fn rest(rest: i64, unit: &str) -> String {
    match rest {
        0 => String::new(),
        rest => format!(" {rest} {unit}"),
    }
}

/// How long ago: `6 minutes ago`, `17 days ago`.
pub fn ago(micros: Micros) -> String {
    let told = |count: i64, unit: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {unit}{plural} ago")
    };
    match micros {
        ..0 => "ahead of this machine's clock".to_owned(),
        0..MINUTE => "just now".to_owned(),
        MINUTE..HOUR => told(micros / MINUTE, "minute"),
        HOUR..172_800_000_000 => told(micros / HOUR, "hour"),
        _ => told(micros / DAY, "day"),
    }
}

/// `s` unless there is one.
pub const fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}

/// From this many hours on, business time is told in whole hours.
const WHOLE_HOURS_FROM: Micros = 100;

impl Locale {
    /// A wall time: `14:05` or `2:05 PM`.
    pub fn clock(self, wall: Micros) -> String {
        let (digits, half) = self.clock_parts(wall);
        format!("{digits}{half}")
    }

    /// The digits, and what says which half of the day they are of.
    fn clock_parts(self, wall: Micros) -> (String, &'static str) {
        let minutes = wall.rem_euclid(DAY) / MINUTE;
        let (hour, minute) = (minutes / 60, minutes % 60);
        if !self.twelve_hours {
            return (format!("{hour:02}:{minute:02}"), "");
        }
        let half = if hour < 12 { " AM" } else { " PM" };
        (format!("{}:{minute:02}", (hour + 11) % 12 + 1), half)
    }

    /// Two wall times: `14:05–17:52` or `2:05–5:52 PM`. A later midnight is the end of a day.
    pub fn span(self, start: Micros, end: Micros) -> String {
        let (from, half) = self.clock_parts(start);
        if end % DAY == 0 && end > start {
            let midnight = if self.twelve_hours { "midnight" } else { "24:00" };
            return format!("{from}{half}–{midnight}");
        }
        let (to, other) = self.clock_parts(end);
        let half = if half == other { "" } else { half };
        format!("{from}{half}–{to}{other}")
    }

    /// An hour of a chart's axis: `15`, or `3` with its half of the day where that begins.
    pub fn hour(self, hour: i64) -> String {
        match hour {
            _ if !self.twelve_hours => format!("{hour:02}"),
            0 | 24 => "12 AM".to_owned(),
            12 => "12 PM".to_owned(),
            hour => (hour % 12).to_string(),
        }
    }

    /// A figure with a decimal point, in this locale's digits: `1,234.5`.
    pub fn figure(self, figure: &str) -> String {
        let (whole, fraction) = figure.split_once('.').unwrap_or((figure, ""));
        let mut text = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                text.push_str(self.group);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push(self.decimal);
            text.push_str(fraction);
        }
        text
    }

    /// A count: `14,000`.
    pub fn count(self, number: usize) -> String {
        self.figure(&number.to_string())
    }

    /// `1 store`, `2 stores`.
    pub fn stores(self, number: usize) -> String {
        format!("{} store{}", self.count(number), plural(number))
    }

    /// A share as a per cent with at most one decimal, or a dash without a share: `95.8 %`. Only all of it is
    /// `100 %`, and only none of it is `0 %`.
    pub fn share(self, share: Option<Share>) -> String {
        share.map_or("–".to_owned(), |share| format!("{} %", self.tenths(share.tenths)))
    }

    /// A number of tenths, with a decimal unless it is zero: `12.4`.
    pub fn tenths(self, tenths: Micros) -> String {
        match tenths % 10 {
            0 => self.figure(&(tenths / 10).to_string()),
            tenth => self.figure(&format!("{}.{tenth}", tenths / 10)),
        }
    }

    /// Business time: `38 s`, `47 min`, `4 h 4 min`, `97 h`, `1,234 h`. It is never told in days, because a day has
    /// fewer business hours than 24.
    pub fn hours(self, micros: Micros) -> String {
        if micros == 0 {
            return "0 min".to_owned();
        }
        if micros < WHOLE_HOURS_FROM * HOUR {
            return told_in_hours(micros);
        }
        let hours = (micros + HOUR / 2) / HOUR;
        format!("{} h", self.figure(&hours.to_string()))
    }

    /// An amount of money in hundredths: `1,094.54`, `$1,094.54` or `EUR 1,094.54`.
    pub fn money(self, hundredths: i64, currency: Option<&str>) -> String {
        let figure = self.figure(&amount(hundredths));
        match currency {
            None => figure,
            Some(word) if word.ends_with(char::is_alphabetic) => format!("{word}\u{a0}{figure}"),
            Some(sign) => format!("{sign}{figure}"),
        }
    }

    /// A size: `812 B`, `4.1 kB`.
    pub fn bytes(self, bytes: u32) -> String {
        let tenths = |unit: u32, name: &str| format!("{} {name}", self.tenths(i64::from(bytes / (unit / 10))));
        match bytes {
            0..1000 => format!("{bytes} B"),
            1000..1_000_000 => tenths(1000, "kB"),
            _ => tenths(1_000_000, "MB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_two_units() {
        let told = [
            (0, "0 s"),
            (38 * SECOND, "38 s"),
            (47 * MINUTE, "47 min"),
            (59 * MINUTE + 45 * SECOND, "1 h"),
            (3 * HOUR + 18 * MINUTE, "3 h 18 min"),
            (2 * DAY, "2 d"),
            (51 * HOUR, "2 d 3 h"),
        ];
        for (micros, text) in told {
            assert_eq!(length(micros), text);
        }
    }

    #[test]
    fn dates_name_weekday_and_month() {
        assert_eq!(date(20_758), "Sun 1 Nov");
        assert_eq!(date_with_year(20_758), "Sun 1 Nov 2026");
        assert_eq!(day(0), "Thu 1");
        assert_eq!(month_and_year(20_758), "November 2026");
    }

    fn locale(name: &str) -> Locale {
        Locale::from_name(name).expect("a locale")
    }

    #[test]
    fn digits_are_those_of_the_locale() {
        let told = [("en-US", "14,000", "1,234,567.50"), ("de-DE", "14.000", "1.234.567,50")];
        for (name, count, figure) in told {
            assert_eq!(locale(name).count(14_000), count);
            assert_eq!(locale(name).figure("1234567.50"), figure);
            assert_eq!(locale(name).count(999), "999");
        }
        assert_eq!(locale("en-US").bytes(4_149), "4.1 kB");
        assert_eq!(locale("de-DE").bytes(8_200_000), "8,2 MB");
    }

    #[test]
    fn money_has_two_decimals_and_the_sign_that_was_set() {
        let (us, de) = (locale("en-US"), locale("de-DE"));
        assert_eq!(us.money(109_454, None), "1,094.54");
        assert_eq!(us.money(109_454, Some("$")), "$1,094.54");
        assert_eq!(de.money(5, Some("EUR")), "EUR\u{a0}0,05");
    }

    #[test]
    fn clocks_have_twelve_hours_or_twenty_four() {
        let (us, de) = (locale("en-US"), locale("de-DE"));
        let times = [0, 9 * HOUR + 5 * MINUTE, 12 * HOUR, 18 * HOUR + 30 * MINUTE];
        assert_eq!(
            times.map(|at| us.clock(at)),
            ["12:00 AM", "9:05 AM", "12:00 PM", "6:30 PM"]
        );
        assert_eq!(times.map(|at| de.clock(at)), ["00:00", "09:05", "12:00", "18:30"]);
        assert_eq!(us.span(13 * HOUR, 15 * HOUR), "1:00–3:00 PM");
        assert_eq!(us.span(9 * HOUR, 15 * HOUR), "9:00 AM–3:00 PM");
        assert_eq!(us.span(18 * HOUR, DAY), "6:00 PM–midnight");
        assert_eq!(de.span(18 * HOUR, DAY), "18:00–24:00");
        assert_eq!(
            [0, 3, 12, 15, 24].map(|hour| us.hour(hour)),
            ["12 AM", "3", "12 PM", "3", "12 AM"]
        );
        assert_eq!([0, 3, 24].map(|hour| de.hour(hour)), ["00", "03", "24"]);
    }

    #[test]
    fn per_cents_have_at_most_one_decimal_and_hours_none() {
        let us = locale("en-US");
        let share = |part, whole| us.share(Share::new(part, whole));
        assert_eq!(share(95_846, 100_000), "95.8 %");
        assert_eq!([share(7, 7), share(0, 7), share(0, 0)], ["100 %", "0 %", "–"]);
        assert_eq!([share(99_999, 100_000), share(1, 100_000)], ["99.9 %", "0.1 %"]);
        let told = [
            (0, "0 min"),
            (38 * SECOND, "38 s"),
            (4 * HOUR + 4 * MINUTE, "4 h 4 min"),
            (97 * HOUR, "97 h"),
            (1234 * HOUR + 31 * MINUTE, "1,235 h"),
        ];
        for (micros, text) in told {
            assert_eq!(us.hours(micros), text);
        }
    }

    #[test]
    fn ago_is_told_in_one_unit() {
        assert_eq!(ago(6 * MINUTE), "6 minutes ago");
        assert_eq!(ago(HOUR), "1 hour ago");
        assert_eq!(ago(17 * DAY), "17 days ago");
        assert_eq!(ago(-5), "ahead of this machine's clock");
    }
}
