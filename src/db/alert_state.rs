//! What the alert rules remember: one row, written in the transaction of the messages that they made.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::uptime::interval::Micros;

/// Until when rules were applied, and what they remember since; none if they never were.
///
/// # Errors
/// When the database cannot be read.
pub fn load(db: &Connection) -> Result<Option<(Micros, String)>> {
    let mut select = db.prepare_cached("SELECT at, state FROM alert_state")?;
    Ok(select.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Stores until when rules were applied, and what they remember; the caller holds the transaction of their messages.
///
/// # Errors
/// When the database cannot be written.
pub fn store(db: &Connection, at: Micros, state: &str) -> Result<()> {
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO alert_state (only, at, state) VALUES (1, ?1, ?2)")?;
    insert.execute((at, state))?;
    Ok(())
}
