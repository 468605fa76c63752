//! The seed: the embedded files of a small chain of restaurants, and its recorded polls moved so that they end now.

use std::collections::HashMap;
use std::fmt::Write;

use chrono_tz::Tz;

use super::source::Source;
use crate::civil;
use crate::uptime::business_hours::{ZONE_DEFAULT, ZoneTable};
use crate::uptime::interval::{DAY, HOUR, Interval, Micros};

/// The files but for the polls: names and owners, time zones, business hours, special hours.
pub const FILES: [(&str, &str); 4] = [
    ("stores.csv", include_str!("../../seed/stores.csv")),
    ("timezones.csv", TIMEZONES),
    ("menu_hours.csv", include_str!("../../seed/menu_hours.csv")),
    ("special_hours.csv", include_str!("../../seed/special_hours.csv")),
];

/// The polls, recorded over nine days.
pub const POLLS: (&str, &str) = ("store_status.csv", include_str!("../../seed/store_status.csv"));

const TIMEZONES: &str = include_str!("../../seed/timezones.csv");

const WEEK: Micros = 7 * DAY;

/// How far the record reaches back from its end.
const RECORD: Micros = 10 * DAY;

/// A recorded poll, moved.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// The store.
    pub id: &'static str,
    /// When it was polled.
    pub at: Micros,
    /// What it answered.
    pub is_active: bool,
}

/// The files with their dates moved as far as [`recorded`] moves the polls for `now`.
pub fn moved_files(now: Micros) -> [(&'static str, String); 4] {
    let days = weeks_ahead(now) / DAY;
    FILES.map(|(name, text)| {
        let moved = |line: &str| {
            let date = |field: &str| match civil::parse_day(field) {
                Ok(day) => civil::format_day(day + days),
                Err(_) => field.to_owned(),
            };
            line.split(',').map(date).collect::<Vec<_>>().join(",") + "\n"
        };
        (name, text.lines().map(moved).collect())
    })
}

/// How far the record is moved, in whole weeks, so that it ends less than a week after `now`.
fn weeks_ahead(now: Micros) -> Micros {
    let last = instants().max().unwrap_or(now);
    // One week more than fits: summer time may move a poll by an hour.
    ((now - last + HOUR).div_euclid(WEEK) + 1) * WEEK
}

/// The instants of the record.
fn instants() -> impl Iterator<Item = Micros> {
    let lines = POLLS.1.lines().skip(1);
    lines.filter_map(|line| Some(civil::parse_timestamp(line.rsplit_once(',')?.1).ok()?.at))
}

/// The recorded polls, moved by whole weeks of each store's wall clock, so that the last are less than a week after
/// `now`. They come in the record's order.
pub fn recorded(now: Micros) -> Vec<Recorded> {
    let rows = POLLS.1.lines().skip(1).filter_map(|line| {
        let mut fields = line.split(',');
        let (id, status, at) = (fields.next()?, fields.next()?, fields.next()?);
        let at = civil::parse_timestamp(at).ok()?.at;
        let is_active = status == "active";
        Some(Recorded { id, at, is_active })
    });
    let mut rows: Vec<Recorded> = rows.collect();
    let last = instants().max().unwrap_or(now);
    let shift = weeks_ahead(now);
    let zones: HashMap<&str, Tz> = TIMEZONES
        .lines()
        .skip(1)
        .filter_map(|line| {
            let (id, zone) = line.split_once(',')?;
            Some((id, zone.parse().ok()?))
        })
        .collect();
    let mut tables: HashMap<Tz, [ZoneTable; 2]> = HashMap::new();
    for row in &mut rows {
        let zone = zones.get(row.id).copied().unwrap_or(ZONE_DEFAULT);
        let table = |end: Micros| ZoneTable::new(zone, Interval::new(end - RECORD, end + DAY));
        let [then, new] = tables.entry(zone).or_insert_with(|| [table(last), table(last + shift)]);
        row.at = new.instant(then.wall(row.at) + shift);
    }
    rows
}

/// The chain's files with ids that begin with `prefix`, and its polls up to `now`.
pub fn sources(prefix: &str, now: Micros) -> Vec<Source<'static>> {
    let named = |text: &str| -> String {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default().to_owned();
        lines.fold(header, |named, line| named + "\n" + prefix + line)
    };
    let mut polls = String::from("store_id,status,timestamp_utc\n");
    for row in recorded(now).iter().filter(|row| row.at <= now) {
        let status = if row.is_active { "active" } else { "inactive" };
        // Writing to a string cannot fail.
        let _ = writeln!(polls, "{prefix}{},{status},{}", row.id, civil::format_utc(row.at));
    }
    let files = moved_files(now).map(|(name, text)| (name, named(&text)));
    let files = files.into_iter().chain([(POLLS.0, polls)]);
    files
        .map(|(name, text)| Source::new(name, std::io::Cursor::new(text.into_bytes())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_moved_by_whole_weeks_of_the_wall_clock() {
        let at = |text: &str| civil::parse_timestamp(text).expect("an instant").at;
        let original = recorded(at("2026-11-07 19:00:00 UTC"));
        // A summer, and a week that is not over.
        for now in ["2026-07-01 12:00:00 UTC", "2027-02-03 04:05:06 UTC"] {
            let rows = recorded(at(now));
            assert_eq!(rows.len(), original.len());
            let end = rows.iter().map(|row| row.at).max().expect("polls");
            assert!((at(now)..at(now) + WEEK + 2 * HOUR).contains(&end), "{now}");
            let zone = |at: Micros| ZoneTable::new(Tz::America__New_York, Interval::new(at, at + 1)).wall(at);
            let same = rows.iter().zip(&original).filter(|(row, _)| row.id.starts_with("nyc-"));
            for (row, before) in same {
                let moved = zone(row.at) - zone(before.at);
                assert!(moved.rem_euclid(WEEK) % (WEEK - HOUR) <= HOUR, "{now}: {row:?}");
            }
        }
    }

    #[test]
    fn made_up_ids_have_their_prefix_and_no_poll_is_of_the_future() {
        let now = civil::parse_timestamp("2027-02-03 04:05:06 UTC")
            .expect("an instant")
            .at;
        assert_eq!(sources("x:", now).len(), 5);
        assert!(recorded(now).iter().any(|row| row.at > now));
    }

    #[test]
    fn dates_move_with_the_polls() {
        let at = |text: &str| civil::parse_timestamp(text).expect("an instant").at;
        let [.., (_, hours), (_, special)] = moved_files(at("2027-02-03 04:05:06 UTC"));
        // Thirteen weeks.
        assert!(special.contains(",2027-01-31,,,Family day\n") && !special.contains("2026-11-01"));
        assert!(hours.contains("boise-downtown,0,11:00:00,20:00:00,2027-02-01\n"));
        assert!(hours.contains("boise-downtown,0,11:00:00,22:00:00,\n"));
        let [.., (_, same)] = moved_files(at("2026-11-07 19:00:00 UTC"));
        assert_eq!(same, FILES[3].1);
    }
}
