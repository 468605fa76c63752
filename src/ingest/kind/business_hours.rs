//! Business hours: the times of each weekday at which stores plan to be open, in versions that hold from a date on.
//!
//! A store's hours are one thing: a bad row refuses all rows of its store in the call.

use std::collections::HashMap;
use std::collections::btree_map::BTreeMap;

use rusqlite::Connection;

use super::date::date;
use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Need, Siblings, Target, Verdict, id_of};
use super::opening;
use super::taken_whole::{Place, TakenWhole, overlapping};
use crate::civil::format_day;
use crate::db::schedules::{Replaced, ValidFrom};
use crate::db::{Changed, schedules, store_keys};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::options::{DayNumbers, ReadOptions};
use crate::ingest::problem::{BadFile, BadRow, Code, Notes, excerpt};
use crate::uptime::calendar::WeeklyRow;
use crate::uptime::interval::{DAY, Interval};

const VALID_FROM_SLOT: usize = 6;

const VALID_FROM: &str = "valid_from";

/// A row of a store's hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoursRow {
    /// The date from which its version holds; none: from the beginning.
    pub valid_from: ValidFrom,
    /// Its weekday and times.
    pub row: WeeklyRow,
}

impl HoursRow {
    /// The texts of the columns of an export behind the store's id.
    fn texts(self) -> [String; 4] {
        let [start, end] = opening::texts(self.row.times_us_local);
        let valid_from = self.valid_from.map(format_day).unwrap_or_default();
        [self.row.weekday.to_string(), start, end, valid_from]
    }
}

/// The hours of a call.
#[derive(Default)]
pub(in crate::ingest) struct BusinessHours {
    rows: TakenWhole<HoursRow>,
    input: DaysSeen,
}

/// The days that the current input has named.
#[derive(Default)]
struct DaysSeen {
    line_first: Option<u64>,
    has_monday: bool,
    line_of_7: Option<u64>,
}

impl InputKind for BusinessHours {
    const DESCRIPTION: Description = Description {
        name: "business hours",
        slug: "business-hours",
        title: "Business hours",
        about: "When a store means to be open, by its own clock, and from which date on; day 0 is Monday. Without any it \
                is always open",
        export_about: "Print every row of weekly hours",
        sample_file: "business_hours.csv",
        sample: include_str!("samples/business_hours.csv"),
        columns: &[
            Column::STORE_ID,
            Column {
                synonyms: &["weekday", "dow", "daynumber", "dayname"],
                ..Column::of(&["day", "dayOfWeek", "day_of_week"], Code::Day)
            },
            opening::START,
            opening::END,
            opening::IS_CLOSED,
            opening::IS_OPEN,
            Column {
                need: Need::Nothing,
                synonyms: &["validsince", "effectivefrom", "effectivedate"],
                ..Column::of(&[VALID_FROM], Code::Date)
            },
        ],
        exported: &["store_id", "day", "start_time_local", "end_time_local", VALID_FROM],
        refused: &["valid_to", "valid_until"],
        is_whole: true,
    };

    type Value<'a> = HoursRow;

    fn parse<'a>(fields: Fields<'a>, options: &ReadOptions, notes: &mut RowNotes) -> Result<HoursRow, Fault<'a>> {
        let weekday = weekday(fields[1], options.days, notes)?;
        let times_us_local = opening::times(fields, notes)?;
        let row = WeeklyRow {
            weekday,
            times_us_local,
        };
        let field = fields[VALID_FROM_SLOT];
        let valid_from = match text(VALID_FROM_SLOT, field, notes)? {
            // A column with an empty field says that the row holds from the beginning.
            "" if fields.has(VALID_FROM_SLOT) => None,
            "" => options.valid_from,
            text => Some(date(VALID_FROM_SLOT, field, text, notes)?),
        };
        Ok(HoursRow { valid_from, row })
    }

    fn begin(&mut self, source: u32) {
        self.rows.begin(source);
        self.input = DaysSeen::default();
    }

    fn take(&mut self, store: u32, line: u64, row: HoursRow) -> Verdict {
        self.input.line_first.get_or_insert(line);
        self.input.has_monday |= row.row.weekday == 0;
        self.rows.take(store, line, row)
    }

    fn refuse(&mut self, store: Option<u32>, bad: &BadRow) {
        if bad.code == Code::Day && matches!(bad.value.trim(), "7" | "7.0") {
            self.input.line_of_7.get_or_insert(bad.line);
        }
        self.rows.refuse(store, bad);
    }

    fn take_refused(&mut self) -> Siblings {
        self.rows.take_refused("hours", |row| {
            let [day, start, end, valid_from] = row.texts();
            vec![day, start, end, String::new(), String::new(), valid_from]
        })
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
            if self.rows.named.len() > 1 && notes.get(Code::DayForm).is_none() {
                notes.add(Code::DayBase, input.line_first);
            }
        }
        for line in self.rows.overlaps(week_overlaps) {
            notes.add(Code::Overlap, Some(line));
        }
        Ok(())
    }

    fn write(&self, target: &Target<'_>, notes: &mut Notes) -> Result<Changed> {
        let versions = self.rows.stores.iter().flat_map(|(&store, rows)| {
            let key = target.keys[store as usize];
            let mut versions: Vec<(_, ValidFrom, Vec<WeeklyRow>)> = Vec::new();
            for HoursRow { valid_from, row } in rows.keys() {
                match versions.last_mut() {
                    Some((_, date, week)) if date == valid_from => week.push(*row),
                    _ => versions.push((key, *valid_from, vec![*row])),
                }
            }
            versions
        });
        let Replaced {
            changed,
            days_lost,
            later,
        } = schedules::replace(target.db, target.hours, versions)?;
        let stores = self.rows.stores.keys();
        let stores: HashMap<_, _> = stores.map(|&store| (target.keys[store as usize], store)).collect();
        let mut note = |code, key, about: String| {
            if let Some(&store) = stores.get(&key) {
                let name = format!("{} ({about})", target.ids[store as usize]);
                notes.add_named(code, self.rows.line(store), name);
            }
        };
        for (key, weekdays) in days_lost {
            let days = if weekdays == 1 { "day" } else { "days" };
            note(Code::DaysLost, key, format!("{weekdays} {days}"));
        }
        for (key, from) in later {
            note(Code::LaterVersion, key, format!("from {}", format_day(from)));
        }
        Ok(changed)
    }

    /// The column of dates is left out while no version has one.
    fn unused(db: &Connection) -> Result<Vec<&'static str>> {
        let mut unused = vec![VALID_FROM];
        schedules::for_each(db, |_, valid_from, _| {
            if valid_from.is_some() {
                unused.clear();
            }
            Ok(())
        })?;
        Ok(unused)
    }

    /// Ordered by store id, version, day and times.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        let ids = store_keys::ids(db)?;
        let mut rows: Vec<(&str, HoursRow)> = Vec::new();
        schedules::for_each(db, |store, valid_from, row| {
            rows.push((id_of(&ids, store)?, HoursRow { valid_from, row }));
            Ok(())
        })?;
        rows.sort_unstable_by(|(a, x), (b, y)| (a.as_bytes(), x).cmp(&(b.as_bytes(), y)));
        rows.into_iter().try_for_each(|(id, row)| {
            let [day, start, end, valid_from] = &row.texts();
            each(&[id, day, start, end, valid_from].map(str::as_bytes))
        })
    }
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

/// The place of the first row that overlaps another one of its version, if any.
fn week_overlaps(rows: &BTreeMap<HoursRow, Place>) -> Option<Place> {
    let mut weeks: BTreeMap<ValidFrom, Vec<(Interval, Place)>> = BTreeMap::new();
    for (HoursRow { valid_from, row }, &place) in rows {
        let midnight = i64::from(row.weekday) * DAY;
        if let Some(times) = row.times_us_local {
            let week = weeks.entry(*valid_from).or_default();
            week.push((opening::stretch(midnight, times), place));
        }
    }
    let places = weeks.into_values().filter_map(|mut week| {
        // Sunday's night runs into Monday.
        let first = week.iter().min().copied();
        week.extend(first.map(|(first, place)| (Interval::new(first.start + 7 * DAY, first.end + 7 * DAY), place)));
        overlapping(week)
    });
    places.min()
}
