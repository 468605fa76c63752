//! `[[digest]]`: who gets which digest, and when.

use chrono_tz::Tz;

use super::section::Section;
use crate::access::Audience;
use crate::error::Result;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::interval::{DAY, HOUR, Interval, MINUTE, Micros};
use crate::uptime::period::{By, whole};

/// Weekdays as `at` names them, or their first three letters.
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// The last day of a month that every month has.
const MONTH_DAYS: i64 = 28;

/// A digest that is sent again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name: no two digests have the same.
    pub name: String,
    /// The stores that it is about.
    pub stores: Audience,
    /// Whether each owner's stores are a digest of their own.
    pub each_group: bool,
    /// The receivers.
    pub to: Vec<String>,
    /// Whether it is about days, weeks or months.
    pub every: By,
    /// On which day of its week or month it is sent, from 0.
    pub day: i64,
    /// At which wall time.
    pub time_us_local: Micros,
    /// The zone of that time; none: that of most of the stores.
    pub zone: Option<Tz>,
}

impl Schedule {
    /// The last instant at or before `now` at which it was due, by the clock of `zone`.
    pub fn due(&self, now: Micros, zone: Tz) -> Micros {
        let table = ZoneTable::new(zone, Interval::new(now - 40 * DAY, now + DAY));
        let mut dates = whole(self.every, table.wall(now).div_euclid(DAY));
        loop {
            let due = table.instant((dates.first + self.day) * DAY + self.time_us_local);
            if due <= now {
                return due;
            }
            dates = whole(self.every, dates.first - 1);
        }
    }
}

/// The digest that a table describes.
///
/// # Errors
/// When a key is unknown, missing or wrong.
pub fn read(mut table: Section) -> Result<Schedule> {
    let name = table.required("name")?;
    let to = table.texts("to")?;
    if to.is_empty() {
        return Err(table.wrong("to", "no receiver is named (write to = \"NAME\" of a [[receiver]])"));
    }
    let (store, groups) = (table.text("store")?, table.texts("group")?);
    let stores = match (store, groups.is_empty()) {
        (None, true) => Audience::All,
        (None, false) => Audience::of_groups(groups),
        (Some(store), true) => Audience::Store(store.into()),
        (Some(_), false) => return Err(table.wrong("store", "goes not with group (write one of them)")),
    };
    let each_group = table.flag("each_group")?.unwrap_or(false);
    if each_group && matches!(stores, Audience::Store(_)) {
        return Err(table.wrong("each_group", "goes not with store (write one of them)"));
    }
    let every = match table.text("every")?.as_deref() {
        None | Some("week") => By::Week,
        Some("month") => By::Month,
        Some("day") => By::Day,
        Some(other) => return Err(table.wrong("every", &format!("`{other}` is none of day, week, month"))),
    };
    let (day, time_us_local) = match table.text("at")? {
        None => (0, 8 * HOUR),
        Some(text) => at(every, &text).ok_or_else(|| {
            let example = match every {
                By::Week => "a weekday and a time (write Monday 08:00)",
                By::Month => "a day from 1 to 28 and a time (write 1 08:00)",
                By::Day | By::Total => "a time (write 08:00)",
            };
            table.wrong("at", &format!("`{text}` is not {example}"))
        })?,
    };
    let zone = match table.text("timezone")? {
        None => None,
        Some(name) => Some(name.parse::<Tz>().map_err(|_| {
            let reason = format!("`{name}` is no IANA name (write it as Europe/Paris)");
            table.wrong("timezone", &reason)
        })?),
    };
    table.finish()?;
    Ok(Schedule {
        name,
        stores,
        each_group,
        to,
        every,
        day,
        time_us_local,
        zone,
    })
}

/// The day from 0 and the wall time of `Monday 08:00`, `1 08:00` or `08:00`.
fn at(every: By, text: &str) -> Option<(i64, Micros)> {
    let text = text.trim();
    let (day, time) = match text.rsplit_once(' ') {
        Some((day, time)) => (day.trim().to_lowercase(), time),
        None => (String::new(), text),
    };
    let (hour, minute) = time.split_once(':')?;
    let number = |text: &str, below: i64| -> Option<i64> {
        let is_plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| is_plain && *number < below)
    };
    let time = number(hour, 24)? * HOUR + number(minute, 60)? * MINUTE;
    let day = match every {
        By::Day | By::Total => day.is_empty().then_some(0)?,
        By::Week if day.is_empty() => 0,
        By::Week => {
            let is_named = |name: &&str| **name == *day || name[..3] == *day;
            i64::try_from(WEEKDAYS.iter().position(is_named)?).ok()?
        }
        By::Month if day.is_empty() => 0,
        By::Month => number(&day, MONTH_DAYS + 1)?.checked_sub(1).filter(|day| *day >= 0)?,
    };
    Some((day, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::civil::parse_instant;

    fn schedule(text: &str) -> Result<Schedule> {
        let text = format!("name = \"a\"\nto = \"x\"\n{text}");
        read(Section::parse("[[digest]]", &text)?)
    }

    #[test]
    fn a_digest_is_due_on_monday_at_eight_unless_it_says_otherwise() {
        let due = |text: &str, now: &str, expected: &str| {
            let schedule = schedule(text).unwrap();
            let zone = schedule.zone.unwrap_or(Tz::UTC);
            let [now, expected] = [now, expected].map(|text| parse_instant(text).unwrap());
            assert_eq!(schedule.due(now, zone), expected, "{text}");
        };
        // 2026-11-02 is a Monday.
        due("", "2026-11-02 08:00:00 UTC", "2026-11-02 08:00:00 UTC");
        due("", "2026-11-02 07:59:59 UTC", "2026-10-26 08:00:00 UTC");
        due(
            "at = \"Fri 17:30\"",
            "2026-11-02 08:00:00 UTC",
            "2026-10-30 17:30:00 UTC",
        );
        due("every = \"day\"", "2026-11-02 07:00:00 UTC", "2026-11-01 08:00:00 UTC");
        due(
            "every = \"month\"\nat = \"3 06:00\"",
            "2026-11-02 08:00:00 UTC",
            "2026-10-03 06:00:00 UTC",
        );
        // Paris is an hour ahead from 25 October 2026 on, and two before.
        let paris = "timezone = \"Europe/Paris\"";
        due(paris, "2026-10-26 07:00:00 UTC", "2026-10-26 07:00:00 UTC");
        due(paris, "2026-10-26 06:59:59 UTC", "2026-10-19 06:00:00 UTC");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_remedy() {
        for (text, told) in [
            (
                "at = \"noon\"",
                "`noon` is not a weekday and a time (write Monday 08:00)",
            ),
            ("at = \"Monday 24:00\"", "is not a weekday and a time"),
            ("every = \"day\"\nat = \"Monday 08:00\"", "is not a time (write 08:00)"),
            ("every = \"month\"\nat = \"29 08:00\"", "a day from 1 to 28 and a time"),
            ("every = \"month\"\nat = \"0 08:00\"", "a day from 1 to 28 and a time"),
            ("every = \"year\"", "`year` is none of day, week, month"),
            ("timezone = \"Paris\"", "`Paris` is no IANA name"),
            ("store = \"a\"\ngroup = \"b\"", "goes not with group"),
            ("grop = \"b\"", "group"),
        ] {
            let error = schedule(text).unwrap_err();
            assert!(error.message().contains(told), "{}", error.message());
        }
    }
}
