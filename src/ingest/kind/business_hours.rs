//! Business hours: the times of each weekday at which stores plan to be open.
//!
//! A store's hours are one thing: a bad row refuses all rows of its store in the call. Otherwise a store would be
//! closed, or always open, because a row was refused.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Need, Target, Verdict, id_of};
use super::wall_time;
use crate::civil::format_local_time;
use crate::db::schedules::Replaced;
use crate::db::{Changed, schedules, store_keys};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::options::{DayNumbers, ReadOptions};
use crate::ingest::problem::{BadFile, BadRow, Code, Notes, excerpt};
use crate::uptime::calendar::WeeklyRow;
use crate::uptime::interval::{DAY, Interval, Micros};

/// Where a row is: the number of its input in the call, and its line.
type Place = (u32, u64);

/// The hours of a call.
#[derive(Default)]
pub(in crate::ingest) struct BusinessHours {
    /// For each store its distinct rows, and where each first is.
    stores: HashMap<u32, BTreeMap<WeeklyRow, Place>>,
    /// The rows that repeat another one.
    repeats: Vec<(u32, WeeklyRow, Place)>,
    /// The stores with a bad row: the first one's place and code.
    refused: HashMap<u32, (Place, Code)>,
    input: DaysSeen,
}

/// The days that the current input has named.
#[derive(Default)]
struct DaysSeen {
    source: u32,
    line_first: Option<u64>,
    has_monday: bool,
    line_of_7: Option<u64>,
    stores: HashSet<u32>,
}

/// A good row that is refused because of another row of its store.
pub(in crate::ingest) struct Sibling {
    /// The number of its input in the call.
    pub(in crate::ingest) source: u32,
    /// The row; its `raw` is empty.
    pub(in crate::ingest) bad: BadRow,
    /// Its store.
    pub(in crate::ingest) store: u32,
    /// Its day and times, as columns 1 to 3 of the kind have them.
    pub(in crate::ingest) texts: [String; 3],
}

impl BusinessHours {
    /// Takes out all rows of stores with a bad row. With them comes how many of them repeat another one.
    pub(in crate::ingest) fn take_refused(&mut self) -> (Vec<Sibling>, u64) {
        let mut siblings = Vec::new();
        let mut sibling = |store: u32, row: WeeklyRow, (source, line): Place, (place, code): (Place, Code)| {
            let times = row.times_us_local.map(|times| times.map(format_local_time));
            let [start, end] = times.unwrap_or_default();
            let beside = if place.0 == source { "" } else { " of another file" };
            let reason = format!(
                "line {}{beside} has a bad row of this store, and a store's hours are taken whole (correct that row)",
                place.1
            );
            siblings.push(Sibling {
                source,
                bad: BadRow {
                    line,
                    column: None,
                    field: None,
                    code,
                    value: String::new(),
                    reason,
                    raw: Vec::new(),
                    store_id: None,
                },
                store,
                texts: [row.weekday.to_string(), start, end],
            });
        };
        for (&store, &cause) in &self.refused {
            for (row, place) in self.stores.remove(&store).unwrap_or_default() {
                sibling(store, row, place, cause);
            }
        }
        let mut repeats = 0;
        self.repeats.retain(|&(store, row, place)| {
            let cause = self.refused.get(&store);
            if let Some(&cause) = cause {
                repeats += 1;
                sibling(store, row, place, cause);
            }
            cause.is_none()
        });
        siblings.sort_unstable_by_key(|sibling| (sibling.source, sibling.bad.line));
        (siblings, repeats)
    }
}

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
            Column {
                synonyms: &["weekday", "dow", "daynumber", "dayname"],
                ..Column::of(&["day", "dayOfWeek", "day_of_week"], Code::Day)
            },
            time(
                &["start_time_local"],
                &[
                    "starttime",
                    "localstarttime",
                    "opentime",
                    "openingtime",
                    "opens",
                    "start",
                ],
            ),
            time(
                &["end_time_local"],
                &["endtime", "localendtime", "closetime", "closingtime", "closes", "end"],
            ),
            flag(&["is_closed", "closed"]),
            flag(&["is_open"]),
        ],
        exported: &["store_id", "day", "start_time_local", "end_time_local"],
        refused: &["valid_from"],
    };

    type Value<'a> = WeeklyRow;

    fn parse<'a>(fields: Fields<'a>, options: &ReadOptions, notes: &mut RowNotes) -> Result<WeeklyRow, Fault<'a>> {
        let weekday = weekday(fields[1], options.days, notes)?;
        let closed = is_closed(fields, notes)?;
        let texts = [text(2, fields[2], notes)?, text(3, fields[3], notes)?];
        match (closed, texts) {
            (Some(true), _) | (None, ["", ""]) => Ok(WeeklyRow::closed(weekday)),
            (Some(false), ["", ""]) => {
                let reason = "no times on a day that is not closed (give both, or say that it is closed)";
                Err(Fault::of(2, fields[2], Code::Time, reason))
            }
            (_, ["", _]) | (_, [_, ""]) => {
                let slot = if texts[0].is_empty() { 2 } else { 3 };
                let reason = "one time is missing (give both; leave both empty on a closed day)";
                Err(Fault::of(slot, fields[slot], Code::Time, reason))
            }
            _ => {
                let [start, end] = wall_time::times([fields[2], fields[3]], texts, notes)?;
                Ok(WeeklyRow::open(weekday, start, end))
            }
        }
    }

    fn begin(&mut self, source: u32) {
        self.input = DaysSeen {
            source,
            ..DaysSeen::default()
        };
    }

    fn take(&mut self, store: u32, line: u64, row: WeeklyRow) -> Verdict {
        let input = &mut self.input;
        input.line_first.get_or_insert(line);
        input.has_monday |= row.weekday == 0;
        input.stores.insert(store);
        let place = (input.source, line);
        match self.stores.entry(store).or_default().entry(row) {
            Entry::Occupied(_) => {
                self.repeats.push((store, row, place));
                Verdict::Repeat
            }
            Entry::Vacant(first) => {
                first.insert(place);
                Verdict::New
            }
        }
    }

    fn refuse(&mut self, store: Option<u32>, bad: &BadRow) {
        if bad.code == Code::Day && matches!(bad.value.trim(), "7" | "7.0") {
            self.input.line_of_7.get_or_insert(bad.line);
        }
        if let Some(store) = store {
            let cause = ((self.input.source, bad.line), bad.code);
            self.refused.entry(store).or_insert(cause);
        }
    }

    /// Refuses days that count from 1, and notes stores whose rows overlap: reports join them, and the database
    /// keeps them as written.
    fn end(&mut self, options: &ReadOptions, notes: &mut Notes) -> Result<(), BadFile> {
        let input = &self.input;
        if options.days == DayNumbers::MondayIs0 && !input.has_monday {
            if let Some(line) = input.line_of_7 {
                let reason = "there is a day 7 and no day 0, so these days look like 1 = Monday … 7 = Sunday (say \
                              how they count: --days monday=1, or --days sunday=1 if 1 is Sunday; in a request \
                              ?days=monday=1)";
                return Err(BadFile::new(Some(line), Code::DayBase, reason));
            }
            if input.stores.len() > 1 && notes.get(Code::DayForm).is_none() {
                notes.add(Code::DayBase, input.line_first);
            }
        }
        let of_input = |(source, line): Place| (source == input.source).then_some(line);
        for place in self.stores.values().filter_map(overlapping) {
            if let Some(line) = of_input(place) {
                notes.add(Code::Overlap, Some(line));
            }
        }
        Ok(())
    }

    fn write(&self, target: &Target<'_>, notes: &mut Notes) -> Result<Changed> {
        let rows = |(&store, rows): (&u32, &BTreeMap<WeeklyRow, Place>)| {
            (target.keys[store as usize], None, rows.keys().copied().collect())
        };
        let Replaced { changed, days_lost, .. } =
            schedules::replace(target.db, target.hours, self.stores.iter().map(rows))?;
        if !days_lost.is_empty() {
            let stores = self.stores.iter();
            let stores: HashMap<_, _> = stores
                .map(|(&store, rows)| (target.keys[store as usize], (store, rows)))
                .collect();
            for (key, weekdays) in days_lost {
                if let Some(&(store, rows)) = stores.get(&key) {
                    let days = if weekdays == 1 { "day" } else { "days" };
                    let name = format!("{} ({weekdays} {days})", target.ids[store as usize]);
                    let line = rows.values().map(|&(_, line)| line).min();
                    notes.add_named(Code::DaysLost, line, name);
                }
            }
        }
        Ok(changed)
    }

    /// Ordered by store id, day and times.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        let ids = store_keys::ids(db)?;
        let mut rows: Vec<(&str, WeeklyRow)> = Vec::new();
        schedules::for_each(db, |store, _, row| {
            rows.push((id_of(&ids, store)?, row));
            Ok(())
        })?;
        rows.sort_unstable_by(|(a, x), (b, y)| (a.as_bytes(), x).cmp(&(b.as_bytes(), y)));
        rows.into_iter().try_for_each(|(id, row)| {
            let times = row.times_us_local.map(|times| times.map(format_local_time));
            let [start, end] = times.unwrap_or_default();
            let day = row.weekday.to_string();
            each(&[id, &day, &start, &end].map(str::as_bytes))
        })
    }
}

/// A column of times, which a closed day leaves empty.
const fn time(names: &'static [&'static str], synonyms: &'static [&'static str]) -> Column {
    Column {
        need: Need::Column,
        synonyms,
        ..Column::of(names, Code::Time)
    }
}

/// A column that says whether the day is closed, which an input may lack.
const fn flag(names: &'static [&'static str]) -> Column {
    Column {
        need: Need::Nothing,
        ..Column::of(names, Code::Time)
    }
}

/// Whether slots 4 (`is_closed`) and 5 (`is_open`) say that the day is closed; none if they say nothing.
fn is_closed<'a>(fields: Fields<'a>, notes: &mut RowNotes) -> Result<Option<bool>, Fault<'a>> {
    let mut closed = None;
    for slot in [4, 5] {
        let word = text(slot, fields[slot], notes)?;
        let says = match &*word.to_ascii_lowercase() {
            "" => continue,
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => {
                let word = excerpt(word.as_bytes());
                let reason = format!("`{word}` is neither yes nor no (expected `true` or `false`)");
                return Err(Fault::of(slot, fields[slot], Code::Time, reason));
            }
        };
        notes.add(Code::ClosedColumn);
        let says = if slot == 4 { says } else { !says };
        if closed.replace(says).is_some_and(|other| other != says) {
            let reason = "one column says that the day is closed, another that it is open (keep one)";
            return Err(Fault::of(slot, fields[slot], Code::Time, reason));
        }
    }
    Ok(closed)
}

fn weekday<'a>(field: &'a [u8], days: DayNumbers, notes: &mut RowNotes) -> Result<u8, Fault<'a>> {
    let word = text(1, field, notes)?;
    let number = word.strip_suffix(".0").unwrap_or(word);
    if let [digit @ b'0'..=b'9'] = number.as_bytes()
        && let Some(weekday) = days.weekday(digit - b'0')
    {
        if number != word {
            notes.add(Code::DayForm);
        }
        return Ok(weekday);
    }
    if let Some(weekday) = named(word) {
        notes.add(Code::DayForm);
        return Ok(weekday);
    }
    let word = excerpt(word.as_bytes());
    let reason = format!(
        "unknown day `{word}` (expected {}, or a name such as `Monday`)",
        days.range()
    );
    Err(Fault::of(1, field, Code::Day, reason))
}

/// The weekday with this English name, whole or cut to two, three or more letters.
fn named(word: &str) -> Option<u8> {
    const NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let word = word.to_ascii_lowercase();
    let word = word.strip_suffix('.').unwrap_or(&word);
    let is = |name: &&str| word.len() >= 2 && name.starts_with(word);
    (0..).zip(NAMES).find(|(_, name)| is(name)).map(|(weekday, _)| weekday)
}

/// The place of the first row that overlaps another one of its store's week, if any.
fn overlapping(rows: &BTreeMap<WeeklyRow, Place>) -> Option<Place> {
    let rows = rows.iter().filter_map(|(&row, &place)| Some((in_week(row)?, place)));
    let mut week: Vec<(Interval, Place)> = rows.collect();
    week.sort_unstable();
    let later = |first: Interval| Interval::new(first.start + 7 * DAY, first.end + 7 * DAY);
    let wrapped = week.first().map(|&(first, place)| (later(first), place));
    let mut furthest = Micros::MIN;
    let mut overlaps = |&(interval, _): &(Interval, Place)| {
        let overlaps = interval.start < furthest;
        furthest = furthest.max(interval.end);
        overlaps
    };
    let overlapping = week.into_iter().chain(wrapped).filter(|row| overlaps(row));
    overlapping.map(|(_, place)| place).min()
}

/// A weekly row as an interval in a week that begins on Monday; none if it says *closed*.
fn in_week(row: WeeklyRow) -> Option<Interval> {
    let [start, end] = row.times_us_local?;
    let midnight = i64::from(row.weekday) * DAY;
    let overnight = if end <= start { DAY } else { 0 };
    Some(Interval::new(midnight + start, midnight + overnight + end))
}
