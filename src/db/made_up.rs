//! Made-up stores: what a first visitor tries the pages with, marked by their ids.
//!
//! Invariant: they are alone in the database. They go in only where there is no store, and the first real row takes
//! them out, with their reports, in its own transaction. So no number mixes the two.

use rusqlite::Connection;

use crate::error::Result;

/// How their ids begin.
pub const PREFIX: &str = "made-up:";

/// The first text behind all that begin with [`PREFIX`].
const BEHIND: &str = "made-up;";

/// Whether the database has made-up stores and no other.
///
/// # Errors
/// When the database cannot be read.
pub fn is_present(db: &Connection) -> Result<bool> {
    let mut any = db.prepare_cached("SELECT 1 FROM store WHERE store_id >= ?1 AND store_id < ?2 LIMIT 1")?;
    if !any.exists([PREFIX, BEHIND])? {
        return Ok(false);
    }
    let mut other = db.prepare_cached("SELECT 1 FROM store WHERE store_id < ?1 OR store_id >= ?2 LIMIT 1")?;
    Ok(!other.exists([PREFIX, BEHIND])?)
}

/// Whether there is no store at all.
///
/// # Errors
/// When the database cannot be read.
pub fn may_come(db: &Connection) -> Result<bool> {
    Ok(!db.prepare_cached("SELECT 1 FROM store LIMIT 1")?.exists([])?)
}
