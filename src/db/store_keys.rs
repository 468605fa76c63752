//! Store keys: small integers that polls and hours carry in place of a store's id.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension};

use super::generation;
use crate::error::Result;
use crate::uptime::fleet::StoreKey;

/// Every store's id by its key.
///
/// # Errors
/// When the database cannot be read.
pub fn ids(db: &Connection) -> Result<HashMap<StoreKey, String>> {
    let mut select = db.prepare("SELECT key, store_id FROM store")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The keys of `ids`, in the same order; new stores are added.
///
/// New stores get their keys in the order of their ids as bytes, which is the order of the report. So the
/// report reads memory in order, several times as fast as with jumps.
///
/// Returns the keys, and how many stores were added.
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
    let mut insert = db.prepare_cached("INSERT INTO store (store_id) VALUES (?1) RETURNING key")?;
    for &place in &new {
        keys[place] = insert.query_row([&ids[place]], |row| row.get(0))?;
    }
    generation::advance(db, generation::Kind::Fleet)?;
    Ok((keys, new.len() as u64))
}

/// From this many ids on, one scan of all stores is faster than a search for each: an hour's batch names most
/// stores.
const SCANNED_IDS_MIN: usize = 1000;

/// The keys of known `ids`, by a search for each.
fn look_up(db: &Connection, ids: &[Box<str>]) -> Result<Vec<Option<StoreKey>>> {
    let mut select = db.prepare_cached("SELECT key FROM store WHERE store_id = ?1")?;
    let key = |id| Ok(select.query_row([id], |row| row.get(0)).optional()?);
    ids.iter().map(key).collect()
}

/// The keys of known `ids`, by a scan of all stores, or a search if there are many more stores.
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
        let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if let Some(&place) = places.get(id) {
            keys[place] = Some(row.get(1)?);
        }
    }
    Ok(keys)
}
