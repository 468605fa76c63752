//! Weekly hours in the database: every distinct week once, and each store's week.
//!
//! Thousands of stores share a few hundred weeks. A week is deleted in the transaction that takes its last
//! store away. Zones do not matter here.
//!
//! A week is stored as JSON: a sorted array of its distinct rows, `[weekday, start, end]` each; both times are null in
//! a row that says *closed*.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::{Changed, generation};
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::business_hours::WeeklyRow;
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

/// Calls `each` with every row of every store's week, ordered by store key, day and times.
///
/// # Errors
/// When the database cannot be read or holds a malformed week, and those of `each`.
pub fn for_each(db: &Connection, mut each: impl FnMut(StoreKey, WeeklyRow) -> Result<()>) -> Result<()> {
    let weeks = all(db)?;
    let mut select = db.prepare("SELECT store, schedule FROM store_hours ORDER BY store")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let store = row.get(0)?;
        for &row in find(&weeks, row.get(1)?)? {
            each(store, row)?;
        }
    }
    Ok(())
}

/// What new hours of a store replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoursMode {
    /// All its hours.
    #[default]
    Replace,
    /// Its hours on the weekdays that the new rows name.
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

/// For each store whose new hours name fewer weekdays than the old ones did, how many are lost.
pub type DaysLost = Vec<(StoreKey, usize)>;

/// Replaces each store's hours; no rows mean always open. Returns the outcome of the given rows: of the rows of
/// one weekday that the store did not have, as many count as replaced as were removed; the others are new.
/// Other rows that go count as removed.
///
/// # Errors
/// When the database cannot be written.
pub fn replace(
    db: &Connection,
    mode: HoursMode,
    stores: impl IntoIterator<Item = (StoreKey, Vec<WeeklyRow>)>,
) -> Result<(Changed, DaysLost)> {
    let (mut changed, mut lost) = (Changed::default(), Vec::new());
    // A store may also lose rows: then no row is new, but its hours changed.
    let mut altered = false;
    let mut select =
        db.prepare_cached("SELECT week FROM store_hours JOIN schedule ON key = schedule WHERE store = ?1")?;
    let mut delete = db.prepare_cached("DELETE FROM store_hours WHERE store = ?1")?;
    let mut add = db.prepare_cached("INSERT OR IGNORE INTO schedule (week) VALUES (?1)")?;
    let mut refer = db.prepare_cached(
        "INSERT OR REPLACE INTO store_hours (store, schedule)
         SELECT ?1, key FROM schedule WHERE week = ?2",
    )?;
    for (store, mut rows) in stores {
        rows.sort_unstable();
        rows.dedup();
        let week = encode(&rows);
        let known: Option<String> = select.query_row([store], |row| row.get(0)).optional()?;
        if known.as_ref() == Some(&week) {
            changed.unchanged += rows.len() as u64;
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
            let same = new.iter().filter(|row| old.contains(row)).count() as u64;
            let (gone, fresh) = (old.len() as u64 - same, new.len() as u64 - same);
            let replaced = gone.min(fresh);
            changed.unchanged += same;
            changed.replaced += replaced;
            changed.new += fresh - replaced;
            changed.removed += gone - replaced;
            days_lost += usize::from(!old.is_empty() && new.is_empty());
        }
        if days_lost > 0 {
            lost.push((store, days_lost));
        }
        rows.extend(kept);
        rows.sort_unstable();
        let week = encode(&rows);
        if rows.is_empty() {
            altered |= delete.execute([store])? > 0;
        } else {
            add.execute([&week])?;
            refer.execute((store, &week))?;
            altered = true;
        }
    }
    if altered {
        forget_unused(db)?;
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok((changed, lost))
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
            let stores = stores.map(|&(key, days)| (key, days.iter().copied().map(row).collect()));
            let (changed, lost) = replace(&db, HoursMode::Replace, stores).unwrap();
            (changed.new, changed.removed, changed.unchanged, weeks(), lost)
        };
        assert_eq!(replaced(&[(1, &[2, 0]), (2, &[0, 2, 2])]), (4, 0, 0, 1, vec![]));
        assert_eq!(replaced(&[(1, &[0, 2]), (2, &[0])]), (0, 1, 3, 2, vec![(2, 1)]));
        assert_eq!(replaced(&[(1, &[0])]), (0, 1, 1, 1, vec![(1, 1)]));
        assert_eq!(replaced(&[(1, &[3]), (2, &[3, 4])]), (3, 2, 0, 2, vec![(1, 1), (2, 1)]));
        assert_eq!(replaced(&[(1, &[])]), (0, 1, 0, 1, vec![(1, 1)]));
        let mut rows = Vec::new();
        for_each(&db, |store, row| {
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
            let (changed, lost) = replace(&db, HoursMode::Merge, [(1, rows.to_vec())]).unwrap();
            assert_eq!(lost, []);
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
}
