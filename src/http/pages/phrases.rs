//! Phrases: numbers, lengths of time and instants, formatted for people.

use chrono_tz::Tz;
use maud::{Markup, html};

use crate::civil;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::interval::{DAY, HOUR, Interval, MINUTE, Micros, SECOND};
use crate::uptime::store_state::StoreState;
use crate::uptime::window::Share;

/// Weekdays for charts and dates.
pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The wall clock of a place.
pub struct Wall<'a> {
    table: &'a ZoneTable,
}

impl<'a> Wall<'a> {
    /// The wall clock of a table of offsets.
    pub fn new(table: &'a ZoneTable) -> Self {
        Self { table }
    }

    /// `14:05`.
    pub fn time(&self, at: Micros) -> String {
        clock(self.table.wall(at))
    }

    /// `Sat 7 Nov`.
    pub fn date(&self, at: Micros) -> String {
        date(self.table.wall(at).div_euclid(DAY))
    }

    /// `Sat 7 Nov, 14:05`, with UTC on hover.
    pub fn stamp(&self, at: Micros) -> Markup {
        stamp(at, &format!("{}, {}", self.date(at), self.time(at)))
    }

    /// `7 Nov, 14:05`, with UTC on hover.
    pub fn brief(&self, at: Micros) -> Markup {
        stamp(at, &format!("{}, {}", self.day_of_month(at), self.time(at)))
    }

    /// `7 Nov`.
    pub fn day_of_month(&self, at: Micros) -> String {
        let (_, month, day) = civil_date(self.table.wall(at).div_euclid(DAY));
        format!("{day} {month}")
    }

    /// `Sat 7 Nov 2026, 14:05`, with UTC on hover.
    pub fn full(&self, at: Micros) -> Markup {
        let wall = self.table.wall(at);
        let text = format!("{}, {}", date_with_year(wall.div_euclid(DAY)), clock(wall));
        stamp(at, &text)
    }

    /// `14:05`, with date and UTC on hover.
    pub fn short(&self, at: Micros) -> Markup {
        stamp(at, &self.time(at))
    }

    /// `14:05–17:52`; the end of a day is 24:00.
    pub fn span(&self, stretch: Interval) -> String {
        let (start, end) = (self.table.wall(stretch.start), self.table.wall(stretch.end));
        let end = if end % DAY == 0 && end > start {
            "24:00".to_owned()
        } else {
            clock(end)
        };
        format!("{}–{end}", clock(start))
    }
}

/// The instant as `text`, with UTC on hover and for machines.
pub fn stamp(at: Micros, text: &str) -> Markup {
    html! { time datetime=(civil::format_rfc3339(at)) title=(civil::format_utc(at)) { (text) } }
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

fn clock(wall: Micros) -> String {
    let minutes = wall.rem_euclid(DAY) / MINUTE;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The year, the month and the day of a date counted from 1970-01-01.
fn civil_date(days: i64) -> (String, &'static str, String) {
    let text = civil::format_rfc3339(days * DAY);
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

/// `Sat 7`, for a narrow place.
pub fn day(days: i64) -> String {
    let (_, _, day) = civil_date(days);
    format!("{} {day}", weekday(days))
}

fn date_with_year(days: i64) -> String {
    let (year, month, day) = civil_date(days);
    format!("{} {day} {month} {year}", weekday(days))
}

/// A length of time: `38 s`, `47 min`, `3 h 18 min`, `2 d 3 h`.
pub fn length(micros: Micros) -> String {
    if micros < MINUTE {
        return format!("{} s", (micros + SECOND / 2) / SECOND);
    }
    let minutes = (micros + MINUTE / 2) / MINUTE;
    let (days, hours) = (minutes / 1440, minutes / 60);
    let rest = |rest: i64, unit: &str| match rest {
        0 => String::new(),
        rest => format!(" {rest} {unit}"),
    };
    match minutes {
        0..60 => format!("{minutes} min"),
        60..2880 => format!("{hours} h{}", rest(minutes % 60, "min")),
        _ => format!("{days} d{}", rest(hours % 24, "h")),
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

/// A count, with a narrow space between thousands, because a comma is a decimal point to some people.
pub fn count(number: usize) -> String {
    grouped(&number.to_string())
}

/// A figure with two decimals and separated thousands.
pub fn grouped(figure: &str) -> String {
    let (whole, fraction) = figure.split_once('.').unwrap_or((figure, ""));
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// `1 store`, `2 stores`.
pub fn stores(number: usize) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} store{plural}", count(number))
}

/// A share as a per cent, or a dash without a share.
pub fn share(share: Option<Share>) -> String {
    share.map_or("–".to_owned(), |share| format!("{share} %"))
}

/// A size: `812 B`, `4.1 kB`.
pub fn bytes(bytes: u32) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// A count of stores in a state: `■ 3 offline`.
pub fn counted(number: usize, one: StoreState) -> Markup {
    marked(one, &format!("{} ", count(number)), "")
}

/// A state: its shape, its colour, its word, and `more`.
pub fn state(state: StoreState, more: &str) -> Markup {
    marked(state, "", more)
}

fn marked(state: StoreState, before: &str, more: &str) -> Markup {
    let class = state.as_str().replace(' ', "-");
    html! {
        span class={"state " (class)} {
            span.mark aria-hidden="true" {}
            (before) (state.as_str()) (more)
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
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(999), "999");
        assert_eq!(count(14_000), "14\u{202f}000");
        assert_eq!(grouped("1234567.50"), "1\u{202f}234\u{202f}567.50");
    }

    #[test]
    fn ago_is_told_in_one_unit() {
        assert_eq!(ago(6 * MINUTE), "6 minutes ago");
        assert_eq!(ago(HOUR), "1 hour ago");
        assert_eq!(ago(17 * DAY), "17 days ago");
        assert_eq!(ago(-5), "ahead of this machine's clock");
    }
}
