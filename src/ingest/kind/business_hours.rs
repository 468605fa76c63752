//! Business hours: the times of each weekday at which stores plan to be open.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};

use rusqlite::Connection;

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Verdict, id_of};
use crate::civil::{format_local_time, parse_local_time};
use crate::db::{Changed, schedules, store_keys};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::problem::{Code, Notes, excerpt};
use crate::uptime::business_hours::WeeklyRow;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{DAY, Interval, Micros};

/// For each store of a call its distinct rows, with the line on which each first occurs.
#[derive(Default)]
pub(in crate::ingest) struct BusinessHours(HashMap<u32, BTreeMap<WeeklyRow, u64>>);

impl InputKind for BusinessHours {
    const DESCRIPTION: Description = Description {
        name: "business hours",
        slug: "business-hours",
        title: "Business hours",
        about: "When a store means to be open, by its own clock; day 0 is Monday. Without any it is always open",
        export_about: "Print every row of weekly hours",
        sample_file: "business_hours.csv",
        sample: include_str!("samples/business_hours.csv"),
        columns: &[
            Column::STORE_ID,
            Column::of(&["day", "dayOfWeek", "day_of_week"], Code::Day),
            Column::of(&["start_time_local"], Code::Time),
            Column::of(&["end_time_local"], Code::Time),
        ],
        exported: &["store_id", "day", "start_time_local", "end_time_local"],
    };

    type Value<'a> = WeeklyRow;

    fn parse<'a>(fields: Fields<'a>, _: Micros, notes: &mut RowNotes) -> Result<WeeklyRow, Fault<'a>> {
        Ok(WeeklyRow {
            weekday: weekday(fields[1], notes)?,
            start_us_local: time(2, fields[2], notes)?,
            end_us_local: time(3, fields[3], notes)?,
        })
    }

    fn take(&mut self, store: u32, line: u64, row: WeeklyRow) -> Verdict {
        match self.0.entry(store).or_default().entry(row) {
            Entry::Occupied(_) => Verdict::Repeat,
            Entry::Vacant(place) => {
                place.insert(line);
                Verdict::New
            }
        }
    }

    /// Notes stores whose rows overlap: reports join them, and the database keeps them as written.
    fn note(&self, notes: &mut Notes) {
        for line in self.0.values().filter_map(overlapping) {
            notes.add(Code::Overlap, Some(line));
        }
    }

    fn write(&self, db: &Connection, keys: &[StoreKey]) -> Result<Changed> {
        let rows =
            |(&store, rows): (&u32, &BTreeMap<WeeklyRow, u64>)| (keys[store as usize], rows.keys().copied().collect());
        schedules::replace(db, self.0.iter().map(rows))
    }

    /// Ordered by store id, day and times.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        let ids = store_keys::ids(db)?;
        let mut rows: Vec<(&str, WeeklyRow)> = Vec::new();
        schedules::for_each(db, |store, row| {
            rows.push((id_of(&ids, store)?, row));
            Ok(())
        })?;
        rows.sort_unstable_by(|(a, x), (b, y)| (a.as_bytes(), x).cmp(&(b.as_bytes(), y)));
        rows.into_iter().try_for_each(|(id, row)| {
            let [start, end] = [row.start_us_local, row.end_us_local].map(format_local_time);
            let day = row.weekday.to_string();
            each(&[id, &day, &start, &end].map(str::as_bytes))
        })
    }
}

fn weekday<'a>(field: &'a [u8], notes: &mut RowNotes) -> Result<u8, Fault<'a>> {
    let word = text(1, field, notes)?;
    match word.as_bytes() {
        [digit @ b'0'..=b'6'] => Ok(digit - b'0'),
        word => {
            let word = excerpt(word);
            let reason = format!("unknown day `{word}` (expected 0 for Monday to 6 for Sunday)");
            Err(Fault::of(1, field, Code::Day, reason))
        }
    }
}

/// The start (slot 2) or the end (slot 3) of a stretch.
fn time<'a>(slot: usize, field: &'a [u8], notes: &mut RowNotes) -> Result<Micros, Fault<'a>> {
    let word = text(slot, field, notes)?;
    let Some(time) = parse_local_time(word) else {
        let word = excerpt(word.as_bytes());
        let reason = format!("no time of day `{word}` (expected a form like `09:00:00`)");
        return Err(Fault::of(slot, field, Code::Time, reason));
    };
    if slot == 2 && time.us_local == DAY {
        let reason = "a day cannot start at its end (write `00:00:00` of the next day)";
        return Err(Fault::of(slot, field, Code::Time, reason));
    }
    if time.short {
        notes.add(Code::TimeShort);
    }
    Ok(time.us_local)
}

/// The line of the first row that overlaps another one of its store's week, if any.
fn overlapping(rows: &BTreeMap<WeeklyRow, u64>) -> Option<u64> {
    let rows = rows.iter().map(|(&row, &line)| (in_week(row), line));
    let mut week: Vec<(Interval, u64)> = rows.collect();
    week.sort_unstable();
    let later = |first: Interval| Interval::new(first.start + 7 * DAY, first.end + 7 * DAY);
    let wrapped = week.first().map(|&(first, line)| (later(first), line));
    let mut furthest = Micros::MIN;
    let mut overlaps = |&(interval, _): &(Interval, u64)| {
        let overlaps = interval.start < furthest;
        furthest = furthest.max(interval.end);
        overlaps
    };
    let overlapping = week.into_iter().chain(wrapped).filter(|row| overlaps(row));
    overlapping.map(|(_, line)| line).min()
}

/// A weekly row as an interval in a week that begins on Monday.
fn in_week(row: WeeklyRow) -> Interval {
    let midnight = i64::from(row.weekday) * DAY;
    let overnight = if row.end_us_local <= row.start_us_local { DAY } else { 0 };
    Interval::new(midnight + row.start_us_local, midnight + overnight + row.end_us_local)
}
