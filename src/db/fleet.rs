//! Stores in the database: their keys, zones, hours and names.
//!
//! It must never know polls, nor what hours mean beyond their spelling.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use foldhash::fast::RandomState;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{Changed, generation, packed, packed_fleet};
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::business_hours::{WeeklyRow, ZONE_DEFAULT};
use crate::uptime::fleet::{Fleet, Pattern, StoreKey};
use crate::uptime::interval::{Interval, Micros};

/// A store's name and owner, as a stores file has them; both may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// What people call the store.
    pub name: String,
    /// Who owns it.
    pub group: String,
}

/// Every store with its zone and hours; from the packed fleet where there is one.
///
/// # Errors
/// When the database cannot be read, or holds a zone or a time that this program does not know
/// (another program wrote it: `check` finds all of them).
pub fn load(db: &Connection) -> Result<Fleet> {
    match packed_fleet::read(db)? {
        Some(fleet) => Ok(fleet),
        None => load_rows(db),
    }
}

/// Every store with its zone and hours, from the rows.
pub(super) fn load_rows(db: &Connection) -> Result<Fleet> {
    // Both come in the order of keys, so that they are joined in one walk over each.
    let hours = gather_hours(db)?;
    let mut hours = hours.as_slice();
    let mut zones: HashMap<String, Tz, RandomState> = HashMap::default();
    let mut select = db.prepare("SELECT key, store_id, timezone FROM store ORDER BY key")?;
    let mut rows = select.query([])?;
    let mut stores = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, id): (StoreKey, Box<str>) = (row.get(0)?, row.get(1)?);
        let zone = match row
            .get_ref(2)?
            .as_str_or_null()
            .map_err(rusqlite::Error::from)?
        {
            None => ZONE_DEFAULT,
            Some(name) => match zones.get(name) {
                Some(&zone) => zone,
                None => {
                    let zone = name.parse().map_err(|_| {
                        Error::failed(format!(
                            "store {id} has the unknown time zone `{name}` (run `check`)"
                        ))
                    })?;
                    zones.insert(name.to_owned(), zone);
                    zone
                }
            },
        };
        let earlier = hours.iter().take_while(|(store, _)| *store < key).count();
        let (own, later) = hours[earlier..].split_at(
            hours[earlier..]
                .iter()
                .take_while(|(store, _)| *store == key)
                .count(),
        );
        hours = later;
        let rows = own.iter().map(|&(_, row)| row).collect();
        stores.push((key, id, Pattern { zone, rows }));
    }
    Ok(Fleet::new(stores))
}

/// Every row of weekly hours, ordered by store key.
///
/// An aggregate function gathers them from inside SQLite's loop: stepping through them from outside
/// takes twice as long, and there are several for each store.
fn gather_hours(db: &Connection) -> Result<Vec<(StoreKey, WeeklyRow)>> {
    let gathered = GatheredHours::default();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    db.create_aggregate_function("gather_hours", 4, flags, gathered.clone())?;
    db.query_row(
        "SELECT gather_hours(store, weekday, start_local, end_local) FROM business_hours",
        [],
        |_| Ok(()),
    )?;
    db.remove_function("gather_hours", 4)?;
    let mut gathered = gathered.0.lock().unwrap_or_else(PoisonError::into_inner);
    let Hours {
        mut rows,
        malformed,
    } = std::mem::take(&mut *gathered);
    if let Some(written) = malformed {
        return Err(malformed_time(&written));
    }
    if !rows.is_sorted_by_key(|(store, _)| *store) {
        rows.sort_by_key(|(store, _)| *store);
    }
    Ok(rows)
}

/// What `gather_hours` has gathered.
#[derive(Default)]
struct Hours {
    rows: Vec<(StoreKey, WeeklyRow)>,
    /// A time that is none.
    malformed: Option<String>,
}

/// The aggregate function `gather_hours(store, weekday, start_local, end_local)`, and where it leaves
/// what it gathered.
#[derive(Clone, Default)]
struct GatheredHours(Arc<Mutex<Hours>>);

impl Aggregate<Hours, bool> for GatheredHours {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Hours> {
        Ok(Hours::default())
    }

    fn step(&self, row: &mut Context<'_>, hours: &mut Hours) -> rusqlite::Result<()> {
        let mut time = |column| -> rusqlite::Result<Micros> {
            let written = row.get_raw(column).as_str()?;
            let time = civil::parse_local_time(written);
            if time.is_none() {
                hours.malformed = Some(written.to_owned());
            }
            Ok(time.map_or(0, |time| time.us_local))
        };
        let weekly = WeeklyRow {
            start_us_local: time(2)?,
            end_us_local: time(3)?,
            weekday: row.get(1)?,
        };
        hours.rows.push((row.get(0)?, weekly));
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, hours: Option<Hours>) -> rusqlite::Result<bool> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = hours.unwrap_or_default();
        Ok(true)
    }
}

fn malformed_time(written: &str) -> Error {
    Error::failed(format!(
        "business hours hold the malformed time `{written}` (run `check`)"
    ))
}

/// Calls `each` with every row of weekly hours, ordered by store key, day and times.
///
/// # Errors
/// When the database cannot be read or holds a malformed time, and those of `each`.
pub fn for_each_hours(
    db: &Connection,
    mut each: impl FnMut(StoreKey, WeeklyRow) -> Result<()>,
) -> Result<()> {
    let mut select = db.prepare(
        "SELECT store, weekday, start_local, end_local FROM business_hours ORDER BY store",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let store = row.get(0)?;
        let time = |column| -> Result<_> {
            let written = text(row, column)?;
            let time = civil::parse_local_time(written).map(|time| time.us_local);
            time.ok_or_else(|| malformed_time(written))
        };
        let row = WeeklyRow {
            weekday: row.get(1)?,
            start_us_local: time(2)?,
            end_us_local: time(3)?,
        };
        each(store, row)?;
    }
    Ok(())
}

/// Every store's id by its key.
///
/// # Errors
/// When the database cannot be read.
pub fn ids(db: &Connection) -> Result<HashMap<StoreKey, String>> {
    let mut select = db.prepare("SELECT key, store_id FROM store")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Calls `each` with the id and zone, as written, of every store that has one, ordered by id as bytes.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each_zone(
    db: &Connection,
    mut each: impl FnMut(&str, &str) -> Result<()>,
) -> Result<()> {
    let mut select = db.prepare(
        "SELECT store_id, timezone FROM store WHERE timezone IS NOT NULL ORDER BY store_id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(text(row, 0)?, text(row, 1)?)?;
    }
    Ok(())
}

/// Calls `each` with the id, name and group of every store that has them, ordered by id as bytes.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each_label(
    db: &Connection,
    mut each: impl FnMut(&str, &str, &str) -> Result<()>,
) -> Result<()> {
    let mut select = db.prepare(
        "SELECT store_id, name, store_group FROM store WHERE name IS NOT NULL ORDER BY store_id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(text(row, 0)?, text(row, 1)?, text(row, 2)?)?;
    }
    Ok(())
}

/// The name and group of every store that has them, by its key.
///
/// # Errors
/// When the database cannot be read.
pub fn labels(db: &Connection) -> Result<HashMap<StoreKey, Label>> {
    let mut select =
        db.prepare_cached("SELECT key, name, store_group FROM store WHERE name IS NOT NULL")?;
    let label = |row: &Row<'_>| {
        let (name, group) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, Label { name, group }))
    };
    let labels = select.query_map([], label)?;
    Ok(labels.collect::<rusqlite::Result<_>>()?)
}

/// What is written of one store beside its hours: its name and group, and its zone, each none where
/// no source named it.
///
/// # Errors
/// When the database cannot be read.
pub fn written(db: &Connection, store: StoreKey) -> Result<(Option<Label>, Option<String>)> {
    let mut select =
        db.prepare_cached("SELECT name, store_group, timezone FROM store WHERE key = ?1")?;
    let found = select.query_row([store], |row| {
        let (name, group): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
        let label = name.map(|name| Label {
            name,
            group: group.unwrap_or_default(),
        });
        Ok((label, row.get(2)?))
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// A column's text, borrowed from the row.
fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row str> {
    Ok(row
        .get_ref(column)?
        .as_str()
        .map_err(rusqlite::Error::from)?)
}

/// The keys of `ids`, in their order; stores that no source has named before are added.
///
/// New stores get their keys in the order of their ids as bytes, which is the order of the report: then
/// its walk over the stores is one over memory, too, and several times as fast as one that jumps.
///
/// Returns how many were added beside the keys.
///
/// # Errors
/// When the database cannot be written.
pub fn keys(db: &Connection, ids: &[Box<str>]) -> Result<(Vec<StoreKey>, u64)> {
    let known = if ids.len() < SCANNED_IDS_MIN {
        look_up(db, ids)?
    } else {
        scan(db, ids)?
    };
    let mut new: Vec<usize> = (0..ids.len()).filter(|&id| known[id].is_none()).collect();
    let mut keys: Vec<_> = known.into_iter().map(Option::unwrap_or_default).collect();
    if new.is_empty() {
        return Ok((keys, 0));
    }
    new.sort_unstable_by(|&a, &b| ids[a].as_bytes().cmp(ids[b].as_bytes()));
    let mut insert = db.prepare_cached(
        "INSERT INTO store (store_id, key)
         VALUES (?1, 1 + (SELECT coalesce(max(key), 0) FROM store)) RETURNING key",
    )?;
    for &place in &new {
        keys[place] = insert.query_row([&ids[place]], |row| row.get(0))?;
    }
    generation::advance(db, generation::Kind::Fleet)?;
    Ok((keys, new.len() as u64))
}

/// From so many ids on, walking through all stores is quicker than a search for each: an hour's batch
/// names most of them.
const SCANNED_IDS_MIN: usize = 1000;

/// The keys of `ids` that are known, each searched for.
fn look_up(db: &Connection, ids: &[Box<str>]) -> Result<Vec<Option<StoreKey>>> {
    let mut select = db.prepare_cached("SELECT key FROM store WHERE store_id = ?1")?;
    let key = |id| Ok(select.query_row([id], |row| row.get(0)).optional()?);
    ids.iter().map(key).collect()
}

/// The keys of `ids` that are known, by a walk over all stores, or a search where those are many more.
fn scan(db: &Connection, ids: &[Box<str>]) -> Result<Vec<Option<StoreKey>>> {
    let stores: Option<u64> = db.query_row("SELECT max(key) FROM store", [], |row| row.get(0))?;
    if stores.unwrap_or_default() > ids.len() as u64 * 8 {
        return look_up(db, ids);
    }
    let places = ids.iter().enumerate().map(|(place, id)| (&**id, place));
    let places: HashMap<&str, usize, RandomState> = places.collect();
    let mut keys = vec![None; ids.len()];
    let mut select = db.prepare_cached("SELECT store_id, key FROM store")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(&place) = places.get(text(row, 0)?) {
            keys[place] = Some(row.get(1)?);
        }
    }
    Ok(keys)
}

/// Gives each store these hours in place of all it had. Returns what became of the rows given: of those
/// that the store did not have, as many were replaced as went for them, and the others are new.
///
/// # Errors
/// When the database cannot be written.
pub fn replace_hours(
    db: &Connection,
    stores: impl IntoIterator<Item = (StoreKey, Vec<WeeklyRow>)>,
) -> Result<Changed> {
    let mut changed = Changed::default();
    // A store may also lose rows: then nothing is new, and yet its hours are others.
    let mut altered = false;
    let mut select = db.prepare_cached(
        "SELECT weekday, start_local, end_local FROM business_hours WHERE store = ?1",
    )?;
    let mut delete = db.prepare_cached("DELETE FROM business_hours WHERE store = ?1")?;
    let mut insert = db.prepare_cached("INSERT INTO business_hours VALUES (?1, ?2, ?3, ?4)")?;
    for (store, mut rows) in stores {
        rows.sort_unstable();
        rows.dedup();
        let written = |row: &WeeklyRow| {
            let time = civil::format_local_time;
            (
                row.weekday,
                time(row.start_us_local),
                time(row.end_us_local),
            )
        };
        let rows: Vec<(u8, String, String)> = rows.iter().map(written).collect();
        let known = select.query_map([store], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let known: HashSet<(u8, String, String)> = known.collect::<rusqlite::Result<_>>()?;
        let same = rows.iter().filter(|row| known.contains(row)).count() as u64;
        let total = rows.len() as u64;
        let gone = known.len() as u64 - same;
        let replaced = gone.min(total - same);
        changed.unchanged += same;
        changed.replaced += replaced;
        changed.new += total - same - replaced;
        if same == total && gone == 0 {
            continue;
        }
        altered = true;
        delete.execute([store])?;
        for (weekday, start, end) in rows {
            insert.execute((store, weekday, start, end))?;
        }
    }
    if altered {
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(changed)
}

/// Gives each store this zone in place of the one it had.
///
/// # Errors
/// When the database cannot be written.
pub fn replace_zones<'a>(
    db: &Connection,
    zones: impl IntoIterator<Item = (StoreKey, &'a str)>,
) -> Result<Changed> {
    let mut changed = Changed::default();
    let mut select = db.prepare_cached("SELECT timezone FROM store WHERE key = ?1")?;
    let mut update = db.prepare_cached("UPDATE store SET timezone = ?2 WHERE key = ?1")?;
    for (store, zone) in zones {
        match select.query_row([store], |row| row.get::<_, Option<String>>(0))? {
            Some(known) if known == zone => {
                changed.unchanged += 1;
                continue;
            }
            Some(_) => changed.replaced += 1,
            None => changed.new += 1,
        }
        update.execute((store, zone))?;
    }
    advance_if_changed(db, changed)
}

/// Gives each store this name and group in place of those it had.
///
/// # Errors
/// When the database cannot be written.
pub fn replace_labels<'a>(
    db: &Connection,
    labels: impl IntoIterator<Item = (StoreKey, &'a Label)>,
) -> Result<Changed> {
    let mut changed = Changed::default();
    let mut select = db.prepare_cached("SELECT name, store_group FROM store WHERE key = ?1")?;
    let mut update =
        db.prepare_cached("UPDATE store SET name = ?2, store_group = ?3 WHERE key = ?1")?;
    for (store, label) in labels {
        let known: (Option<String>, Option<String>) =
            select.query_row([store], |row| Ok((row.get(0)?, row.get(1)?)))?;
        match known {
            (Some(name), Some(group)) if name == label.name && group == label.group => {
                changed.unchanged += 1;
                continue;
            }
            (None, None) => changed.new += 1,
            _ => changed.replaced += 1,
        }
        update.execute((store, &label.name, &label.group))?;
    }
    advance_if_changed(db, changed)
}

/// Forgets a store and everything about it; returns how many polls went, none where there is no such
/// store.
///
/// # Errors
/// When the database cannot be written.
pub fn delete(db: &Connection, id: &str) -> Result<Option<u64>> {
    let mut select = db.prepare_cached("SELECT key FROM store WHERE store_id = ?1")?;
    let Some(key) = select
        .query_row([id], |row| row.get::<_, StoreKey>(0))
        .optional()?
    else {
        return Ok(None);
    };
    db.execute("DELETE FROM business_hours WHERE store = ?1", [key])?;
    let polls = db.execute("DELETE FROM poll WHERE store = ?1", [key])? as u64;
    packed::forget(db, Interval::new(Micros::MIN, Micros::MAX))?;
    db.execute("DELETE FROM store WHERE key = ?1", [key])?;
    generation::advance(db, generation::Kind::Fleet)?;
    generation::advance(db, generation::Kind::Polls)?;
    Ok(Some(polls))
}

fn advance_if_changed(db: &Connection, changed: Changed) -> Result<Changed> {
    if changed.new + changed.replaced > 0 {
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(changed)
}
