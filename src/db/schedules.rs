//! Weekly hours in the database: every distinct week once, and each store's week.
//!
//! Thousands of stores share a few hundred weeks. A week is deleted in the transaction that takes its last
//! store away. Zones do not matter here.
//!
//! A week is stored as JSON: a sorted array of its distinct rows, `[weekday, start, end]` each.

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

/// Replaces each store's hours; no rows mean always open. Returns the outcome of the given rows. Of rows that
/// the store did not have, as many count as replaced as were removed; the others are new.
///
/// # Errors
/// When the database cannot be written.
pub fn replace(db: &Connection, stores: impl IntoIterator<Item = (StoreKey, Vec<WeeklyRow>)>) -> Result<Changed> {
    let mut changed = Changed::default();
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
        let total = rows.len() as u64;
        let week = encode(&rows);
        let known: Option<String> = select.query_row([store], |row| row.get(0)).optional()?;
        if known.as_ref() == Some(&week) {
            changed.unchanged += total;
            continue;
        }
        // New hours replace a malformed week.
        let known = known.and_then(|week| decode(&week).ok()).unwrap_or_default();
        let same = rows.iter().filter(|row| known.contains(row)).count() as u64;
        let gone = known.len() as u64 - same;
        let replaced = gone.min(total - same);
        changed.unchanged += same;
        changed.replaced += replaced;
        changed.new += total - same - replaced;
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
    Ok(changed)
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
    let row = |row: &WeeklyRow| {
        let [start, end] = [row.start_us_local, row.end_us_local].map(civil::format_local_time);
        format!(r#"[{},"{start}","{end}"]"#, row.weekday)
    };
    format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(","))
}

/// The rows of a week.
///
/// # Errors
/// When it is malformed.
pub(super) fn decode(week: &str) -> Result<Vec<WeeklyRow>> {
    let time = |text: &str| -> Option<Micros> { Some(civil::parse_local_time(text)?.us_local) };
    let row = |(weekday, start, end): (u8, &str, &str)| {
        Some(WeeklyRow {
            weekday: Some(weekday).filter(|&weekday| weekday < 7)?,
            start_us_local: time(start)?,
            end_us_local: time(end)?,
        })
    };
    let rows: Option<Vec<(u8, &str, &str)>> = serde_json::from_str(week).ok();
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
        let row = |weekday| WeeklyRow {
            weekday,
            start_us_local: 1,
            end_us_local: 86_400_000_000,
        };
        let weeks = || -> i64 {
            db.query_row("SELECT count(*) FROM schedule", [], |row| row.get(0))
                .unwrap()
        };
        let replace = |stores: &[(StoreKey, &[u8])]| {
            let stores = stores.iter();
            let stores = stores.map(|&(key, days)| (key, days.iter().copied().map(row).collect()));
            let Changed {
                new,
                replaced,
                unchanged,
            } = replace(&db, stores).unwrap();
            (new, replaced, unchanged, weeks())
        };
        assert_eq!(replace(&[(1, &[2, 0]), (2, &[0, 2, 2])]), (4, 0, 0, 1));
        assert_eq!(replace(&[(1, &[0, 2]), (2, &[0])]), (0, 0, 3, 2));
        assert_eq!(replace(&[(1, &[0])]), (0, 0, 1, 1));
        assert_eq!(replace(&[(1, &[3]), (2, &[3, 4])]), (1, 2, 0, 2));
        assert_eq!(replace(&[(1, &[])]), (0, 0, 0, 1));
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
        assert_eq!(replace(&[(2, &[4])]), (1, 0, 0, 1));
        assert_eq!(all(&db).unwrap().values().next(), Some(&vec![row(4)]));
    }
}
