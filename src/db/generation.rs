//! Generations: counters of changes, which tell when data in memory are stale.
//!
//! A counter advances in the same transaction as the data, whichever process writes.

use rusqlite::Connection;

use crate::error::Result;

/// The data that a counter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The polls.
    Polls,
    /// The stores with their zones, hours and names.
    Fleet,
    /// The credentials and sessions.
    Access,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Polls => "polls",
            Self::Fleet => "fleet",
            Self::Access => "access",
        }
    }
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    /// Changes of polls so far.
    pub polls: i64,
    /// Changes of stores, zones, hours and names so far.
    pub fleet: i64,
}

/// The counters as the connection's transaction sees them.
///
/// # Errors
/// When the database cannot be read.
pub fn current(db: &Connection) -> Result<Generation> {
    let mut select = db.prepare_cached("SELECT value FROM generation WHERE what = ?1")?;
    let mut value = |kind: Kind| select.query_row([kind.as_str()], |row| row.get(0));
    Ok(Generation {
        polls: value(Kind::Polls)?,
        fleet: value(Kind::Fleet)?,
    })
}

/// The counter of credentials and sessions.
///
/// # Errors
/// When the database cannot be read.
pub fn of_access(db: &Connection) -> Result<i64> {
    let mut select = db.prepare_cached("SELECT value FROM generation WHERE what = ?1")?;
    Ok(select.query_row([Kind::Access.as_str()], |row| row.get(0))?)
}

/// Counts one more change of `kind`.
///
/// # Errors
/// When the database cannot be written.
pub fn advance(db: &Connection, kind: Kind) -> Result<()> {
    db.prepare_cached("UPDATE generation SET value = value + 1 WHERE what = ?1")?
        .execute([kind.as_str()])?;
    Ok(())
}
