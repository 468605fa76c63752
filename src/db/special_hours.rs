//! Special hours in the database: every distinct set of special days once, and each store's set.
//!
//! Chains close on the same holidays, so thousands of stores share a few hundred sets. A set is deleted in the
//! transaction that takes its last store away.
//!
//! A set is stored as JSON: a sorted array of its distinct rows, `[date, start, end, reason]` each. Both times are null
//! in a row that says *closed*; the reason may be empty.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension};

use super::{Changed, generation};
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::calendar::{LocalDate, SpecialDay, Times};
use crate::uptime::fleet::StoreKey;

/// The key of a set: `special_days.key`.
pub(super) type SpecialDaysKey = i64;

/// One row of special hours, without its date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecialRow {
    /// When the store is open. None: closed, unless another row of the date has times.
    pub times_us_local: Option<Times>,
    /// Why the day is special; may be empty.
    pub reason: String,
}

/// The rows of dates, in order; those of a date are sorted and distinct.
pub type Dates = BTreeMap<LocalDate, Vec<SpecialRow>>;

/// Every set by its key, as calendars have it.
///
/// # Errors
/// When the database cannot be read, or holds a malformed set.
pub(super) fn all(db: &Connection) -> Result<HashMap<SpecialDaysKey, Vec<SpecialDay>>> {
    let mut select = db.prepare_cached("SELECT key, days FROM special_days")?;
    let mut rows = select.query([])?;
    let mut sets = HashMap::new();
    while let Some(row) = rows.next()? {
        let days = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let days = decode(days)?.into_iter().map(|(date, rows)| special_day(date, &rows));
        sets.insert(row.get(0)?, days.collect());
    }
    Ok(sets)
}

/// The set `key` among all `sets`.
///
/// # Errors
/// When there is no such set.
pub(super) fn find(sets: &HashMap<SpecialDaysKey, Vec<SpecialDay>>, key: SpecialDaysKey) -> Result<&Vec<SpecialDay>> {
    let missing = || Error::failed(format!("there is no set of special days {key} (run `check`)"));
    sets.get(&key).ok_or_else(missing)
}

/// The rows of a date, as calendars have them.
fn special_day(date: LocalDate, rows: &[SpecialRow]) -> SpecialDay {
    let mut times_us_local: Vec<_> = rows.iter().filter_map(|row| row.times_us_local).collect();
    times_us_local.sort_unstable();
    times_us_local.dedup();
    SpecialDay { date, times_us_local }
}

/// Calls `each` with every row of every store's special days, ordered by store key, date and row.
///
/// # Errors
/// When the database cannot be read or holds a malformed set, and those of `each`.
pub fn for_each(db: &Connection, mut each: impl FnMut(StoreKey, LocalDate, &SpecialRow) -> Result<()>) -> Result<()> {
    let mut select = db.prepare(
        "SELECT store.key, days FROM store JOIN special_days ON special_days.key = special_days ORDER BY store.key",
    )?;
    let mut stores = select.query([])?;
    while let Some(row) = stores.next()? {
        let store = row.get(0)?;
        for (date, rows) in decode(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)? {
            rows.iter().try_for_each(|row| each(store, date, row))?;
        }
    }
    Ok(())
}

/// The special days of one store.
///
/// # Errors
/// When the database cannot be read or holds a malformed set.
pub fn of(db: &Connection, store: StoreKey) -> Result<Dates> {
    let mut select = db.prepare_cached(
        "SELECT days FROM special_days JOIN store ON special_days.key = special_days WHERE store.key = ?1",
    )?;
    let days: Option<String> = select.query_row([store], |row| row.get(0)).optional()?;
    days.map_or_else(|| Ok(Dates::new()), |days| decode(&days))
}

/// Replaces dates of stores' special days; a date without rows is special no more. Returns the outcome of the given
/// rows: of the rows of a date that the store did not have, as many count as replaced as were removed; the others are
/// new. Other rows that go count as removed.
///
/// # Errors
/// When the database cannot be written.
pub fn replace(db: &Connection, stores: impl IntoIterator<Item = (StoreKey, Dates)>) -> Result<Changed> {
    let mut changed = Changed::default();
    let mut altered = false;
    let mut add = db.prepare_cached("INSERT OR IGNORE INTO special_days (days) VALUES (?1)")?;
    let mut refer = db.prepare_cached(
        "UPDATE store SET special_days = (SELECT key FROM special_days WHERE days = ?2) WHERE key = ?1",
    )?;
    for (store, dates) in stores {
        // New dates replace a malformed set.
        let mut known = of(db, store).unwrap_or_default();
        let mut differs = false;
        for (date, mut rows) in dates {
            rows.sort_unstable();
            rows.dedup();
            let old = known.remove(&date).unwrap_or_default();
            differs |= old != rows;
            changed += Changed::of_rows(&old, &rows);
            if !rows.is_empty() {
                known.insert(date, rows);
            }
        }
        if differs {
            let days = (!known.is_empty()).then(|| encode(&known));
            if let Some(days) = &days {
                add.execute([days])?;
            }
            refer.execute((store, days))?;
            altered = true;
        }
    }
    if altered {
        forget_unused(db)?;
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(changed)
}

/// Takes a special day of a store away; returns how many rows it had, none if the date was not special.
///
/// # Errors
/// When the database cannot be written.
pub fn remove(db: &Connection, store: StoreKey, date: LocalDate) -> Result<u64> {
    let nothing = Dates::from([(date, Vec::new())]);
    Ok(replace(db, [(store, nothing)])?.removed)
}

/// Deletes the sets that no store keeps.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget_unused(db: &Connection) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM special_days
         WHERE key NOT IN (SELECT special_days FROM store WHERE special_days IS NOT NULL)",
    )?
    .execute([])?;
    Ok(())
}

/// One row in stored form: date, start, end, reason.
type Stored<'a> = (&'a str, Option<&'a str>, Option<&'a str>, std::borrow::Cow<'a, str>);

/// The stored form of dates.
fn encode(dates: &Dates) -> String {
    let mut out = Vec::new();
    for (&date, rows) in dates {
        for row in rows {
            let times = row.times_us_local.map(|times| times.map(civil::format_local_time));
            let [start, end] = times.map_or([None, None], |times| times.map(Some));
            let date = civil::format_day(date);
            out.push(serde_json::json!([date, start, end, row.reason]));
        }
    }
    serde_json::Value::from(out).to_string()
}

/// The dates of a set.
///
/// # Errors
/// When it is malformed.
pub(super) fn decode(days: &str) -> Result<Dates> {
    let parse = || -> Option<Dates> {
        let time = |text: &str| Some(civil::parse_local_time(text)?.us_local);
        let mut dates = Dates::new();
        for (date, start, end, reason) in serde_json::from_str::<Vec<Stored<'_>>>(days).ok()? {
            let times_us_local = match (start, end) {
                (Some(start), Some(end)) => Some([time(start)?, time(end)?]),
                (None, None) => None,
                _ => return None,
            };
            let row = SpecialRow {
                times_us_local,
                reason: reason.into_owned(),
            };
            dates.entry(civil::parse_day(date).ok()?).or_default().push(row);
        }
        Some(dates)
    };
    parse().ok_or_else(|| {
        Error::failed(format!(
            "malformed special hours `{days}` (`import` the special hours of these stores anew)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn row(times_us_local: Option<Times>, reason: &str) -> SpecialRow {
        SpecialRow {
            times_us_local,
            reason: reason.to_owned(),
        }
    }

    fn db() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../schema.sql")).unwrap();
        db.execute_batch("INSERT INTO store (key, store_id) VALUES (1, 'a'), (2, 'b')")
            .unwrap();
        db
    }

    fn stored(db: &Connection) -> Vec<(StoreKey, LocalDate, SpecialRow)> {
        let mut stored = Vec::new();
        for_each(db, |store, date, row| {
            stored.push((store, date, row.clone()));
            Ok(())
        })
        .unwrap();
        stored
    }

    #[test]
    fn dates_are_replaced_one_by_one_and_equal_sets_are_stored_once() {
        let db = db();
        let sets = || -> i64 {
            db.query_row("SELECT count(*) FROM special_days", [], |row| row.get(0))
                .unwrap()
        };
        let (closed, short) = (row(None, "Christmas, \"closed\""), row(Some([0, 100]), ""));
        let write = |store, dates: &[(LocalDate, &[SpecialRow])]| {
            let dates = dates.iter().map(|&(date, rows)| (date, rows.to_vec())).collect();
            let changed = replace(&db, [(store, dates)]).unwrap();
            (changed.new, changed.replaced, changed.unchanged, changed.removed)
        };
        let both: [(LocalDate, &[SpecialRow]); 2] =
            [(8, slice::from_ref(&closed)), (7, &[short.clone(), short.clone()])];
        assert_eq!(write(1, &both), (2, 0, 0, 0));
        assert_eq!(write(2, &both), (2, 0, 0, 0));
        assert_eq!(sets(), 1, "both stores share the set");
        assert_eq!(write(1, &both), (0, 0, 2, 0));
        assert_eq!(write(2, &[(8, slice::from_ref(&short))]), (0, 1, 0, 0));
        assert_eq!(sets(), 2);
        let expected = [(1, 7, &short), (1, 8, &closed), (2, 7, &short), (2, 8, &short)];
        assert_eq!(
            stored(&db),
            expected.map(|(store, date, row)| (store, date, row.clone()))
        );
        assert_eq!((remove(&db, 1, 8).unwrap(), remove(&db, 1, 8).unwrap()), (1, 0));
        assert_eq!((remove(&db, 1, 7).unwrap(), sets()), (1, 1));
        assert!(of(&db, 1).unwrap().is_empty());
    }

    #[test]
    fn a_malformed_set_is_told_and_replaced() {
        let db = db();
        replace(&db, [(1, Dates::from([(7, vec![row(None, "")])]))]).unwrap();
        db.execute(
            "UPDATE special_days SET days = '[[\"1970-01-08\",null,\"noon\",\"\"]]'",
            [],
        )
        .unwrap();
        assert!(all(&db).unwrap_err().message().contains("noon"));
        replace(&db, [(1, Dates::from([(9, vec![row(None, "")])]))]).unwrap();
        assert_eq!(stored(&db), [(1, 9, row(None, ""))]);
    }
}
