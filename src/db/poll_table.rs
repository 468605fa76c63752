//! The table `poll`: its newest row, a range of rows, and adding more. It leaves packed hours alone.

use rusqlite::{CachedStatement, Connection};

use super::Changed;
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::poll::{Poll, Status};

/// How many rows one `INSERT` has: above 200 the cost a row hardly falls.
pub(super) const INSERT_ROWS: usize = 200;

/// Every instant that a poll may have.
pub const ALL_TIME: Interval = Interval::new(Micros::MIN, Micros::MAX);

/// The instant of the newest poll; none without polls.
///
/// # Errors
/// When the database cannot be read.
pub fn newest(db: &Connection) -> Result<Option<Micros>> {
    let mut select = db.prepare_cached("SELECT max(at) FROM poll")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// The instant of the newest poll at or before `at`; none without one.
///
/// # Errors
/// When the database cannot be read.
pub fn newest_until(db: &Connection, at: Micros) -> Result<Option<Micros>> {
    let mut select = db.prepare_cached("SELECT max(at) FROM poll WHERE at <= ?1")?;
    Ok(select.query_row([at], |row| row.get(0))?)
}

/// The instant of the first poll within `span`, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub fn first(db: &Connection, span: Interval) -> Result<Option<Micros>> {
    let mut select = db.prepare_cached("SELECT min(at) FROM poll WHERE at >= ?1 AND at < ?2")?;
    Ok(select.query_row([span.start, span.end], |row| row.get(0))?)
}

/// Calls `each` with every poll's instant, store key and status, ordered by instant and key.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each(db: &Connection, each: impl FnMut(Micros, StoreKey, Status) -> Result<()>) -> Result<()> {
    for_each_within(db, ALL_TIME, each)
}

/// Like [`for_each`], for the polls within `span`.
///
/// # Errors
/// As [`for_each`].
pub fn for_each_within(
    db: &Connection,
    span: Interval,
    mut each: impl FnMut(Micros, StoreKey, Status) -> Result<()>,
) -> Result<()> {
    let mut select =
        db.prepare_cached("SELECT at, store, active FROM poll WHERE at >= ?1 AND at < ?2 ORDER BY at, store")?;
    let mut rows = select.query([span.start, span.end])?;
    while let Some(row) = rows.next()? {
        let poll = Poll::from_row(row.get(0)?, row.get(2)?);
        each(poll.at(), row.get(1)?, poll.status())?;
    }
    Ok(())
}

/// Whether exactly this poll of `store` is stored.
///
/// # Errors
/// When the database cannot be read.
pub fn is_stored(db: &Connection, store: StoreKey, poll: Poll) -> Result<bool> {
    let mut select = db.prepare_cached("SELECT 1 FROM poll WHERE at = ?1 AND store = ?2 AND active = ?3")?;
    Ok(select.exists((poll.at(), store, poll.is_active()))?)
}

/// The statements for a fixed number of rows, each prepared on first use.
pub(super) struct Upsert<'db> {
    db: &'db Connection,
    rows: usize,
    /// Adds polls to empty hours: SQLite need not look for each of them first.
    add: Option<CachedStatement<'db>>,
    /// Adds new polls, and ignores the others.
    insert: Option<CachedStatement<'db>>,
    /// Corrects stored polls that have the other status.
    correct: Option<CachedStatement<'db>>,
}

impl<'db> Upsert<'db> {
    pub(super) fn new(db: &'db Connection, rows: usize) -> Self {
        Self {
            db,
            rows,
            add: None,
            insert: None,
            correct: None,
        }
    }

    /// Adds that number of polls, with distinct stores and instants; `are_new` says that none is stored.
    pub(super) fn run(&mut self, chunk: &[(StoreKey, Poll)], are_new: bool) -> Result<Changed> {
        let (db, rows) = (self.db, chunk.len() as u64);
        let values = || vec!["(?, ?, ?)"; self.rows].join(", ");
        if are_new {
            let add = prepare(db, &mut self.add, || {
                format!("INSERT OR REPLACE INTO poll VALUES {}", values())
            })?;
            return Ok(Changed {
                new: execute(add, chunk)?,
                ..Changed::default()
            });
        }
        let insert = prepare(db, &mut self.insert, || {
            format!("INSERT INTO poll VALUES {} ON CONFLICT DO NOTHING", values())
        })?;
        let new = execute(insert, chunk)?;
        let mut replaced = 0;
        if new < rows {
            let correct = prepare(db, &mut self.correct, || {
                format!(
                    "INSERT INTO poll VALUES {}
                     ON CONFLICT DO UPDATE SET active = excluded.active WHERE active <> excluded.active",
                    values()
                )
            })?;
            replaced = execute(correct, chunk)?;
        }
        Ok(Changed {
            removed: 0,
            new,
            replaced,
            unchanged: rows - new - replaced,
        })
    }
}

/// The statement in `place`, prepared on first use.
fn prepare<'db, 's>(
    db: &'db Connection,
    place: &'s mut Option<CachedStatement<'db>>,
    sql: impl FnOnce() -> String,
) -> Result<&'s mut CachedStatement<'db>> {
    Ok(match place {
        Some(prepared) => prepared,
        none => none.insert(db.prepare_cached(&sql())?),
    })
}

/// Runs a statement with three values a poll; returns the number of changed rows.
fn execute(statement: &mut CachedStatement<'_>, chunk: &[(StoreKey, Poll)]) -> Result<u64> {
    let mut parameter = 1;
    for &(store, poll) in chunk {
        statement.raw_bind_parameter(parameter, poll.at())?;
        statement.raw_bind_parameter(parameter + 1, store)?;
        statement.raw_bind_parameter(parameter + 2, poll.is_active())?;
        parameter += 3;
    }
    Ok(statement.raw_execute()? as u64)
}
