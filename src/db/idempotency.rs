//! Answers by `Idempotency-Key`, kept for a day: a repeated request gets the same answer and changes nothing.
//!
//! An answer is opaque text, written in the same transaction as its change.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::uptime::interval::{DAY, Micros};

/// How long an answer is kept.
const KEPT: Micros = DAY;

/// The earlier request with a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Earlier {
    /// None in the last day.
    None,
    /// The same request, and its answer.
    Same(String),
    /// A different request.
    Other,
}

/// Looks for a request with `key` in the day before `at`.
///
/// # Errors
/// When the database cannot be read.
pub fn find(db: &Connection, key: &str, fingerprint: &str, at: Micros) -> Result<Earlier> {
    let mut select =
        db.prepare_cached("SELECT fingerprint, answer FROM idempotency WHERE key = ?1 AND answered_at > ?2")?;
    let found: Option<(String, String)> = select
        .query_row((key, at - KEPT), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Earlier::None,
        Some((known, answer)) if known == fingerprint => Earlier::Same(answer),
        Some(_) => Earlier::Other,
    })
}

/// Stores an answer, and deletes those older than a day.
///
/// # Errors
/// When the database cannot be written.
pub fn keep(db: &Connection, key: &str, fingerprint: &str, answer: &str, at: Micros) -> Result<()> {
    db.prepare_cached("DELETE FROM idempotency WHERE answered_at <= ?1")?
        .execute([at - KEPT])?;
    db.prepare_cached("INSERT INTO idempotency (key, fingerprint, answer, answered_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((key, fingerprint, answer, at))?;
    Ok(())
}
