//! Weekly hours in the database: every distinct week once, and each store's versions of its week.
//!
//! Thousands of stores share a few hundred weeks. A week is deleted in the transaction that takes its last
//! store away. Zones do not matter here.
//!
//! A week is stored as JSON: a sorted array of its distinct rows, `[weekday, start, end]` each; both times are null in
//! a row that says *closed*. A version's date is stored as text, empty for the one from the beginning.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::{Changed, generation};
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::calendar::{LocalDate, WeeklyRow};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;

/// The key of a week: `schedule.key`.
pub(super) type ScheduleKey = i64;

/// Every week by its key.
///
/// # Errors
/// When the database cannot be read, or holds a malformed week.
pub(super) fn all(db: &Connection) -> Result<HashMap<ScheduleKey, Vec<WeeklyRow>>> {
    let mut select = db.prepare_cached("SELECT key, week FROM schedule")?;
    let mut rows = select.query([])?;
    let mut weeks = HashMap::new();
    while let Some(row) = rows.next()? {
        let week = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        weeks.insert(row.get(0)?, decode(week)?);
    }
    Ok(weeks)
}

/// The rows of the week `key` among all `weeks`.
///
/// # Errors
/// When there is no such week.
pub(super) fn find(weeks: &HashMap<ScheduleKey, Vec<WeeklyRow>>, key: ScheduleKey) -> Result<&Vec<WeeklyRow>> {
    let missing = || Error::failed(format!("there is no schedule {key} (run `check`)"));
    weeks.get(&key).ok_or_else(missing)
}

/// The date from which a version holds; none: from the beginning.
pub type ValidFrom = Option<LocalDate>;

/// The stored form of a version's date, which sorts like the dates.
fn encode_date(valid_from: ValidFrom) -> String {
    valid_from.map_or_else(String::new, civil::format_day)
}

/// The date of a version from its stored form.
///
/// # Errors
/// When it is malformed.
pub(super) fn decode_date(stored: &str) -> Result<ValidFrom> {
    if stored.is_empty() {
        return Ok(None);
    }
    let malformed = |_| {
        Error::failed(format!(
            "weekly hours hold from `{stored}`, which is no date (run `check`)"
        ))
    };
    civil::parse_day(stored).map(Some).map_err(malformed)
}

/// Calls `each` with every row of every version of every store's week, ordered by store key, date, day and times.
///
/// # Errors
/// When the database cannot be read or holds a malformed week, and those of `each`.
pub fn for_each(db: &Connection, mut each: impl FnMut(StoreKey, ValidFrom, WeeklyRow) -> Result<()>) -> Result<()> {
    let weeks = all(db)?;
    let mut select = db.prepare("SELECT store, valid_from, schedule FROM store_hours ORDER BY store, valid_from")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let store = row.get(0)?;
        let valid_from = decode_date(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        for &row in find(&weeks, row.get(2)?)? {
            each(store, valid_from, row)?;
        }
    }
    Ok(())
}

/// What new hours of a store replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoursMode {
    /// All rows of its version.
    #[default]
    Replace,
    /// Those on the weekdays that the new rows name.
    Merge,
}

impl HoursMode {
    /// The name on the command line and in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }

    /// The mode with that name; without a name, [`HoursMode::Replace`].
    ///
    /// # Errors
    /// An unknown name.
    pub fn parse(name: Option<&str>) -> Result<Self> {
        match name {
            None | Some("replace") => Ok(Self::Replace),
            Some("merge") => Ok(Self::Merge),
            Some(other) => {
                let other = other.escape_debug();
                Err(Error::invalid(format!(
                    "unknown hours `{other}` (expected `replace` or `merge`)"
                )))
            }
        }
    }
}

/// The outcome of replacing hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The outcome of the given rows: of the rows of one weekday that the version did not have, as many count as
    /// replaced as were removed; the others are new. Other rows that go count as removed.
    pub changed: Changed,
    /// For each store whose new hours name fewer weekdays than the old ones did, how many are lost.
    pub days_lost: Vec<(StoreKey, usize)>,
    /// The stores that have a later version than those given, and its date: the given hours end there.
    pub later: Vec<(StoreKey, LocalDate)>,
}

/// Replaces versions of stores' hours; a version without rows is taken away. The versions of a store follow each
/// other, in any order of their dates.
///
/// # Errors
/// When the database cannot be written.
pub fn replace(
    db: &Connection,
    mode: HoursMode,
    versions: impl IntoIterator<Item = (StoreKey, ValidFrom, Vec<WeeklyRow>)>,
) -> Result<Replaced> {
    let mut replaced = Replaced::default();
    // A store may also lose rows: then no row is new, but its hours changed.
    let mut altered = false;
    let mut select = db.prepare_cached(
        "SELECT week FROM store_hours JOIN schedule ON key = schedule WHERE store = ?1 AND valid_from = ?2",
    )?;
    let mut delete = db.prepare_cached("DELETE FROM store_hours WHERE store = ?1 AND valid_from = ?2")?;
    let mut add = db.prepare_cached("INSERT OR IGNORE INTO schedule (week) VALUES (?1)")?;
    let mut refer = db.prepare_cached(
        "INSERT OR REPLACE INTO store_hours (store, valid_from, schedule)
         SELECT ?1, ?2, key FROM schedule WHERE week = ?3",
    )?;
    // The latest date given for each store.
    let mut given: Vec<(StoreKey, ValidFrom)> = Vec::new();
    for (store, valid_from, mut rows) in versions {
        match given.last_mut() {
            Some((last, latest)) if *last == store => *latest = valid_from.max(*latest),
            _ => given.push((store, valid_from)),
        }
        rows.sort_unstable();
        rows.dedup();
        let date = encode_date(valid_from);
        let week = encode(&rows);
        let known: Option<String> = select.query_row((store, &date), |row| row.get(0)).optional()?;
        if known.as_ref() == Some(&week) {
            replaced.changed.unchanged += rows.len() as u64;
            continue;
        }
        // New hours replace a malformed week.
        let known = known.and_then(|week| decode(&week).ok()).unwrap_or_default();
        let mut days_lost = 0;
        let mut kept = Vec::new();
        for weekday in 0..7 {
            let of_day = |rows: &[WeeklyRow]| -> Vec<WeeklyRow> {
                rows.iter().copied().filter(|row| row.weekday == weekday).collect()
            };
            let (old, new) = (of_day(&known), of_day(&rows));
            if mode == HoursMode::Merge && new.is_empty() {
                kept.extend(old);
                continue;
            }
            replaced.changed += Changed::of_rows(&old, &new);
            days_lost += usize::from(!old.is_empty() && new.is_empty());
        }
        if days_lost > 0 {
            replaced.days_lost.push((store, days_lost));
        }
        rows.extend(kept);
        rows.sort_unstable();
        let week = encode(&rows);
        if rows.is_empty() {
            altered |= delete.execute((store, &date))? > 0;
        } else {
            add.execute([&week])?;
            refer.execute((store, &date, &week))?;
            altered = true;
        }
    }
    let mut last = db.prepare_cached("SELECT max(valid_from) FROM store_hours WHERE store = ?1")?;
    for (store, given) in given {
        let last: Option<String> = last.query_row([store], |row| row.get(0))?;
        let last = last.and_then(|last| decode_date(&last).ok()).flatten();
        if let Some(last) = last.filter(|&last| Some(last) > given) {
            replaced.later.push((store, last));
        }
    }
    if altered {
        forget_unused(db)?;
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(replaced)
}

/// Takes a version of a store's hours away; returns how many rows it had, none if there is no such version.
///
/// # Errors
/// When the database cannot be written.
pub fn remove(db: &Connection, store: StoreKey, valid_from: ValidFrom) -> Result<u64> {
    Ok(replace(db, HoursMode::Replace, [(store, valid_from, Vec::new())])?
        .changed
        .removed)
}

/// Deletes the weeks that no store keeps.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget_unused(db: &Connection) -> Result<()> {
    db.prepare_cached("DELETE FROM schedule WHERE key NOT IN (SELECT schedule FROM store_hours)")?
        .execute([])?;
    Ok(())
}

/// The stored form of rows, which are sorted and distinct.
fn encode(rows: &[WeeklyRow]) -> String {
    let row = |row: &WeeklyRow| match row.times_us_local.map(|times| times.map(civil::format_local_time)) {
        Some([start, end]) => format!(r#"[{},"{start}","{end}"]"#, row.weekday),
        None => format!("[{},null,null]", row.weekday),
    };
    format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(","))
}

/// The rows of a week.
///
/// # Errors
/// When it is malformed.
pub(super) fn decode(week: &str) -> Result<Vec<WeeklyRow>> {
    let time = |text: &str| -> Option<Micros> { Some(civil::parse_local_time(text)?.us_local) };
    let row = |(weekday, start, end): (u8, Option<&str>, Option<&str>)| {
        let weekday = Some(weekday).filter(|&weekday| weekday < 7)?;
        match (start, end) {
            (Some(start), Some(end)) => Some(WeeklyRow::open(weekday, time(start)?, time(end)?)),
            (None, None) => Some(WeeklyRow::closed(weekday)),
            _ => None,
        }
    };
    let rows = serde_json::from_str::<Vec<_>>(week).ok();
    let rows = rows.and_then(|rows| rows.into_iter().map(row).collect());
    rows.ok_or_else(|| {
        Error::failed(format!(
            "malformed weekly hours `{week}` (`import` the hours of these stores anew)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_stored_once_for_as_long_as_a_store_keeps_it() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../schema.sql")).unwrap();
        let row = |weekday| WeeklyRow::open(weekday, 1, 86_400_000_000);
        let weeks = || -> i64 {
            db.query_row("SELECT count(*) FROM schedule", [], |row| row.get(0))
                .unwrap()
        };
        let replaced = |stores: &[(StoreKey, &[u8])]| {
            let stores = stores.iter();
            let stores = stores.map(|&(key, days)| (key, None, days.iter().copied().map(row).collect()));
            let Replaced { changed, days_lost, .. } = replace(&db, HoursMode::Replace, stores).unwrap();
            (changed.new, changed.removed, changed.unchanged, weeks(), days_lost)
        };
        assert_eq!(replaced(&[(1, &[2, 0]), (2, &[0, 2, 2])]), (4, 0, 0, 1, vec![]));
        assert_eq!(replaced(&[(1, &[0, 2]), (2, &[0])]), (0, 1, 3, 2, vec![(2, 1)]));
        assert_eq!(replaced(&[(1, &[0])]), (0, 1, 1, 1, vec![(1, 1)]));
        assert_eq!(replaced(&[(1, &[3]), (2, &[3, 4])]), (3, 2, 0, 2, vec![(1, 1), (2, 1)]));
        assert_eq!(replaced(&[(1, &[])]), (0, 1, 0, 1, vec![(1, 1)]));
        let mut rows = Vec::new();
        for_each(&db, |store, _, row| {
            rows.push((store, row));
            Ok(())
        })
        .unwrap();
        assert_eq!(rows, [(2, row(3)), (2, row(4))]);
        db.execute("UPDATE schedule SET week = '[[3,\"noon\",\"24:00:00\"]]'", [])
            .unwrap();
        assert!(all(&db).unwrap_err().message().contains("noon"));
        assert_eq!(replaced(&[(2, &[4])]), (1, 0, 0, 1, vec![]));
        assert_eq!(all(&db).unwrap().values().next(), Some(&vec![row(4)]));
    }

    #[test]
    fn merging_replaces_the_named_weekdays_alone() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../schema.sql")).unwrap();
        let (long, short) = (|day| WeeklyRow::open(day, 0, 100), |day| WeeklyRow::open(day, 0, 50));
        let merge = |rows: &[WeeklyRow]| {
            let Replaced { changed, days_lost, .. } =
                replace(&db, HoursMode::Merge, [(1, None, rows.to_vec())]).unwrap();
            assert_eq!(days_lost, []);
            (changed.new, changed.replaced, changed.removed, changed.unchanged)
        };
        let stored = || all(&db).unwrap().into_values().next().unwrap();
        assert_eq!(merge(&[long(0), long(1), long(2)]), (3, 0, 0, 0));
        assert_eq!(merge(&[short(1), WeeklyRow::closed(6)]), (1, 1, 0, 0));
        assert_eq!(stored(), [long(0), short(1), long(2), WeeklyRow::closed(6)]);
        assert_eq!(merge(&[short(1)]), (0, 0, 0, 1));
        assert_eq!(merge(&[WeeklyRow::closed(0), long(2), short(2)]), (1, 1, 0, 1));
        assert_eq!(
            stored(),
            [WeeklyRow::closed(0), short(1), short(2), long(2), WeeklyRow::closed(6)]
        );
    }

    #[test]
    fn versions_of_a_week_are_replaced_and_removed_apart() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../schema.sql")).unwrap();
        let row = |weekday| WeeklyRow::open(weekday, 0, 100);
        let spring = Some(20_000);
        let write = |versions: &[(StoreKey, ValidFrom, Vec<WeeklyRow>)]| {
            let done = replace(&db, HoursMode::Replace, versions.to_vec()).unwrap();
            (done.changed.new, done.changed.unchanged, done.later)
        };
        assert_eq!(
            write(&[(1, None, vec![row(0)]), (1, spring, vec![row(1), row(2)])]),
            (3, 0, vec![])
        );
        assert_eq!(write(&[(1, None, vec![row(0)])]), (0, 1, vec![(1, 20_000)]));
        assert_eq!(
            write(&[(1, Some(30_000), vec![row(0)]), (2, None, vec![row(0)])]),
            (2, 0, vec![])
        );
        let mut stored = Vec::new();
        for_each(&db, |store, valid_from, row| {
            stored.push((store, valid_from, row.weekday));
            Ok(())
        })
        .unwrap();
        let expected = [
            (1, None, 0),
            (1, spring, 1),
            (1, spring, 2),
            (1, Some(30_000), 0),
            (2, None, 0),
        ];
        assert_eq!(stored, expected);
        assert_eq!(
            (remove(&db, 1, spring).unwrap(), remove(&db, 1, spring).unwrap()),
            (2, 0)
        );
        assert_eq!(all(&db).unwrap().len(), 1);
    }
}
