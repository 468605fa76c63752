//! Special hours: the times of single dates, such as holidays, which take the place of the week on that date.
//!
//! A store's special hours are one thing: a bad row refuses all rows of its store in the call, because a bad date does
//! not say which other rows it belongs to.

use std::collections::btree_map::BTreeMap;

use rusqlite::Connection;

use super::date::date;
use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Need, Siblings, Target, Verdict, id_of};
use super::opening;
use super::taken_whole::{Place, TakenWhole, overlapping};
use crate::civil::format_day;
use crate::db::special_hours::{Dates, SpecialRow};
use crate::db::{Changed, special_hours, store_keys};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::options::ReadOptions;
use crate::ingest::problem::{BadFile, BadRow, Code, Notes};
use crate::uptime::calendar::{LocalDate, Times};
use crate::uptime::interval::Interval;

const DATE_SLOT: usize = 1;
const REASON_SLOT: usize = 6;

const REASON: &str = "reason";

/// The longest reason, in characters: it is shown beside a date.
pub const REASON_CHARS_MAX: usize = 200;

/// A row of a store's special hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialHoursRow<'a> {
    /// The local date.
    pub date: LocalDate,
    /// When the store is open; none: the row says *closed*.
    pub times_us_local: Option<Times>,
    /// Why the day is special; may be empty.
    pub reason: &'a str,
}

/// The special hours of a call.
#[derive(Default)]
pub(in crate::ingest) struct SpecialHours(TakenWhole<(LocalDate, SpecialRow)>);

impl InputKind for SpecialHours {
    const DESCRIPTION: Description = Description {
        name: "special hours",
        slug: "special-hours",
        title: "Special hours",
        about: "The hours of single dates, such as holidays, in place of the week's; without times the store is \
                closed (optional)",
        export_about: "Print every row of special hours",
        sample_file: "special_hours.csv",
        sample: include_str!("samples/special_hours.csv"),
        columns: &[
            Column::STORE_ID,
            Column {
                synonyms: &["localdate", "datelocal", "specialdate", "holidaydate"],
                ..Column::of(&["date"], Code::Date)
            },
            opening::START,
            opening::END,
            opening::IS_CLOSED,
            opening::IS_OPEN,
            Column {
                need: Need::Nothing,
                synonyms: &["holiday", "holidayname", "occasion", "description", "comment", "note"],
                ..Column::of(&[REASON], Code::Json)
            },
        ],
        exported: &["store_id", "date", "start_time_local", "end_time_local", REASON],
        refused: &["end_date", "date_to", "to_date", "until"],
        is_whole: true,
    };

    type Value<'a> = SpecialHoursRow<'a>;

    fn parse<'a>(fields: Fields<'a>, _: &ReadOptions, notes: &mut RowNotes) -> Result<SpecialHoursRow<'a>, Fault<'a>> {
        let date = date(
            DATE_SLOT,
            fields[DATE_SLOT],
            text(DATE_SLOT, fields[DATE_SLOT], notes)?,
            notes,
        )?;
        let times_us_local = opening::times(fields, notes)?;
        let reason = text(REASON_SLOT, fields[REASON_SLOT], notes)?;
        let length = reason.chars().count();
        if length > REASON_CHARS_MAX {
            let told = format!("a reason of {length} characters (at most {REASON_CHARS_MAX})");
            return Err(Fault::of(REASON_SLOT, fields[REASON_SLOT], Code::ReasonLong, told));
        }
        Ok(SpecialHoursRow {
            date,
            times_us_local,
            reason,
        })
    }

    fn begin(&mut self, source: u32) {
        self.0.begin(source);
    }

    fn take(&mut self, store: u32, line: u64, row: SpecialHoursRow<'_>) -> Verdict {
        let SpecialHoursRow {
            date,
            times_us_local,
            reason,
        } = row;
        let row = SpecialRow {
            times_us_local,
            reason: reason.to_owned(),
        };
        self.0.take(store, line, (date, row))
    }

    fn refuse(&mut self, store: Option<u32>, bad: &BadRow) {
        self.0.refuse(store, bad);
    }

    fn take_refused(&mut self) -> Siblings {
        self.0.take_refused("special hours", |(date, row)| {
            let [date, start, end, reason] = texts(*date, row);
            vec![date, start, end, String::new(), String::new(), reason]
        })
    }

    /// Notes stores with rows of one date that overlap.
    fn end(&mut self, _: &ReadOptions, notes: &mut Notes) -> Result<(), BadFile> {
        for line in self.0.overlaps(date_overlaps) {
            notes.add(Code::Overlap, Some(line));
        }
        Ok(())
    }

    fn write(&self, target: &Target<'_>, _: &mut Notes) -> Result<Changed> {
        let stores = self.0.stores.iter().map(|(&store, rows)| {
            let mut dates = Dates::new();
            for (date, row) in rows.keys() {
                dates.entry(*date).or_default().push(row.clone());
            }
            (target.keys[store as usize], dates)
        });
        special_hours::replace(target.db, stores)
    }

    /// The column of reasons is left out while no row has one.
    fn unused(db: &Connection) -> Result<Vec<&'static str>> {
        let mut unused = vec![REASON];
        special_hours::for_each(db, |_, _, row| {
            if !row.reason.is_empty() {
                unused.clear();
            }
            Ok(())
        })?;
        Ok(unused)
    }

    /// Ordered by store id, date, times and reason; a row that says *closed* comes before those with times.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        let ids = store_keys::ids(db)?;
        let mut rows: Vec<(&str, LocalDate, SpecialRow)> = Vec::new();
        special_hours::for_each(db, |store, date, row| {
            rows.push((id_of(&ids, store)?, date, row.clone()));
            Ok(())
        })?;
        rows.sort_unstable_by(|(a, d, x), (b, e, y)| (a.as_bytes(), d, x).cmp(&(b.as_bytes(), e, y)));
        rows.into_iter().try_for_each(|(id, date, row)| {
            let [date, start, end, reason] = &texts(date, &row);
            each(&[id, date, start, end, reason].map(str::as_bytes))
        })
    }
}

/// The texts of the columns of an export behind the store's id.
fn texts(date: LocalDate, row: &SpecialRow) -> [String; 4] {
    let [start, end] = opening::texts(row.times_us_local);
    [format_day(date), start, end, row.reason.clone()]
}

/// The place of the first row that overlaps another one of its date, if any.
fn date_overlaps(rows: &BTreeMap<(LocalDate, SpecialRow), Place>) -> Option<Place> {
    let mut dates: BTreeMap<LocalDate, Vec<(Interval, Place)>> = BTreeMap::new();
    for ((date, row), &place) in rows {
        if let Some(times) = row.times_us_local {
            let stretches = dates.entry(*date).or_default();
            stretches.push((opening::stretch(0, times), place));
        }
    }
    dates.into_values().filter_map(overlapping).min()
}
