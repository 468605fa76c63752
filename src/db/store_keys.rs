//! Store keys: small integers that polls and hours carry in place of a store's id.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension};

use super::{digest, generation};
use crate::error::Result;
use crate::uptime::fleet::StoreKey;

/// Every store's id by its key, for a reader of stores, hours or polls: the fleet is the stored one.
///
/// # Errors
/// When it is not, or the database cannot be read.
pub fn ids(db: &Connection) -> Result<HashMap<StoreKey, String>> {
    digest::verify_fleet(db)?;
    // Without the index, which has all of it, but no digest covers it.
    let mut select = db.prepare("SELECT key, store_id FROM store NOT INDEXED")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The stores of some ids.
#[derive(Debug)]
pub struct Keys {
    /// Their keys, in the order of the ids.
    pub keys: Vec<StoreKey>,
    /// Whether each was polled before.
    pub polled: Vec<bool>,
    /// The places of the ids that are new.
    pub new: Vec<usize>,
}

/// The stores of which no poll ever came in.
///
/// # Errors
/// When the database cannot be read.
pub fn never_polled(db: &Connection) -> Result<HashSet<StoreKey>> {
    let mut select = db.prepare_cached("SELECT key FROM store WHERE NOT polled")?;
    let keys = select.query_map([], |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// Remembers that these stores were polled.
///
/// # Errors
/// When the database cannot be written.
pub fn mark_polled(db: &Connection, stores: impl Iterator<Item = StoreKey>) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE store SET polled = 1 WHERE key = ?1")?;
    let mut marked = 0;
    for store in stores {
        marked += update.execute([store])?;
    }
    if marked > 0 {
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(())
}

/// Takes back that a store was polled, if it has no poll any more.
///
/// # Errors
/// When the database cannot be written.
pub fn unmark_polled(db: &Connection, store: StoreKey) -> Result<()> {
    // From the newest on: most stores were polled within the last hour.
    let mut any = db.prepare_cached("SELECT 1 FROM poll WHERE store = ?1 ORDER BY at DESC LIMIT 1")?;
    if !any.exists([store])? {
        db.prepare_cached("UPDATE store SET polled = 0 WHERE key = ?1")?
            .execute([store])?;
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(())
}

/// The keys of `ids`, in the same order; new stores are added.
///
/// New stores get their keys in the order of their ids as bytes, which is the order of the report. So the
/// report reads memory in order, several times as fast as with jumps.
///
///
/// # Errors
/// When the database cannot be written.
pub fn keys(db: &Connection, ids: &[Box<str>]) -> Result<Keys> {
    let known = if ids.len() < SCANNED_IDS_MIN {
        look_up(db, ids)?
    } else {
        scan(db, ids)?
    };
    let mut new: Vec<usize> = (0..ids.len()).filter(|&id| known[id].is_none()).collect();
    let polled = known
        .iter()
        .map(|known| known.is_some_and(|(_, polled)| polled))
        .collect();
    let keys = known.into_iter().map(|known| known.map_or(0, |(key, _)| key));
    let mut keys: Vec<StoreKey> = keys.collect();
    if new.is_empty() {
        return Ok(Keys { keys, polled, new });
    }
    new.sort_unstable_by(|&a, &b| ids[a].as_bytes().cmp(ids[b].as_bytes()));
    let mut insert = db.prepare_cached("INSERT INTO store (store_id) VALUES (?1) RETURNING key")?;
    for &place in &new {
        keys[place] = insert.query_row([&ids[place]], |row| row.get(0))?;
    }
    generation::advance(db, generation::Kind::Fleet)?;
    Ok(Keys { keys, polled, new })
}

/// How many stores may be added where there may be `stores_max`; none if `named` more are surely not too many.
///
/// # Errors
/// When the database cannot be read.
pub fn room(db: &Connection, stores_max: u64, named: u64) -> Result<Option<u64>> {
    // No fewer than there are, and known at once.
    let last: Option<u64> = db.query_row("SELECT max(key) FROM store", [], |row| row.get(0))?;
    if last.unwrap_or_default().saturating_add(named) <= stores_max {
        return Ok(None);
    }
    let stores: u64 = db.query_row("SELECT count(*) FROM store", [], |row| row.get(0))?;
    Ok(Some(stores_max.saturating_sub(stores)))
}

/// The place of the first of `ids` that is new, after `new_max` others that are.
///
/// # Errors
/// When the database cannot be read.
pub fn new_beyond(db: &Connection, ids: &[Box<str>], mut new_max: u64) -> Result<Option<usize>> {
    let mut select = db.prepare_cached("SELECT 1 FROM store WHERE store_id = ?1")?;
    for (place, id) in ids.iter().enumerate() {
        if !select.exists([id])? {
            match new_max.checked_sub(1) {
                None => return Ok(Some(place)),
                Some(left) => new_max = left,
            }
        }
    }
    Ok(None)
}

/// Pairs of ids that differ in letter case or leading zeros alone, of which `new` has the first. They are
/// different stores; a spreadsheet may have changed one of them.
///
/// # Errors
/// When the database cannot be read.
pub fn look_alikes<'a>(db: &Connection, new: impl Iterator<Item = &'a str>) -> Result<Vec<(String, String)>> {
    let plain = |id: &str| {
        let id = id.to_lowercase();
        let digits = id.trim_start_matches('0');
        if digits.is_empty() {
            "0".to_owned()
        } else {
            digits.to_owned()
        }
    };
    let mut new: HashMap<String, &str> = new.map(|id| (plain(id), id)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let mut pairs = Vec::new();
    let mut select = db.prepare_cached("SELECT store_id FROM store")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let key = plain(id);
        if new.get(&key).is_some_and(|&other| other != id)
            && let Some(other) = new.remove(&key)
        {
            pairs.push((other.to_owned(), id.to_owned()));
        }
    }
    pairs.sort_unstable();
    Ok(pairs)
}

/// From this many ids on, one scan of all stores is faster than a search for each: an hour's batch names most
/// stores.
const SCANNED_IDS_MIN: usize = 1000;

/// The keys of known `ids`, and whether each was polled, by a search for each.
fn look_up(db: &Connection, ids: &[Box<str>]) -> Result<Vec<Option<(StoreKey, bool)>>> {
    let mut select = db.prepare_cached("SELECT key, polled FROM store WHERE store_id = ?1")?;
    let key = |id| {
        Ok(select
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    };
    ids.iter().map(key).collect()
}

/// The same by a scan of all stores, or a search if there are many more stores.
fn scan(db: &Connection, ids: &[Box<str>]) -> Result<Vec<Option<(StoreKey, bool)>>> {
    let stores: Option<u64> = db.query_row("SELECT max(key) FROM store", [], |row| row.get(0))?;
    if stores.unwrap_or_default() > ids.len() as u64 * 8 {
        return look_up(db, ids);
    }
    let places = ids.iter().enumerate().map(|(place, id)| (&**id, place));
    let places: HashMap<&str, usize, RandomState> = places.collect();
    let mut keys = vec![None; ids.len()];
    let mut select = db.prepare_cached("SELECT store_id, key, polled FROM store")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if let Some(&place) = places.get(id) {
            keys[place] = Some((row.get(1)?, row.get(2)?));
        }
    }
    Ok(keys)
}
