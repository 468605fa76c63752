//! Polls in the database: what is there, the newest, a range of them, and adding more.
//!
//! It must never know which polls count.

use rusqlite::{CachedStatement, Connection};

use super::generation;
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::history::{Builder, History};
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::poll::{Poll, Status};

/// How many rows one `INSERT` carries: from some 200 on, SQLite's cost a row hardly falls further.
const INSERT_ROWS: usize = 200;

/// What adding polls did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Polls of a store and an instant that had none.
    pub new: u64,
    /// Polls that were there with the other status: the one that came in last stands.
    pub replaced: u64,
    /// Polls that were there already.
    pub unchanged: u64,
}

/// The instant of the newest poll; none without polls.
///
/// # Errors
/// When the database cannot be read.
pub fn newest(db: &Connection) -> Result<Option<Micros>> {
    Ok(db
        .prepare_cached("SELECT max(at) FROM poll")?
        .query_row([], |row| row.get(0))?)
}

/// Every poll within `span`, by store.
///
/// # Errors
/// When the database cannot be read.
pub fn history(db: &Connection, span: Interval) -> Result<History> {
    let mut select = db.prepare_cached(
        "SELECT at, store, active FROM poll WHERE at >= ?1 AND at < ?2 ORDER BY at",
    )?;
    let mut rows = select.query([span.start, span.end])?;
    let mut history = Builder::default();
    while let Some(row) = rows.next()? {
        let (at, store, active): (Micros, StoreKey, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        history.push(store, Poll::new(at, status(active)));
    }
    Ok(history.finish())
}

/// Calls `each` with every poll's instant, store key and status, ordered by instant.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each(
    db: &Connection,
    mut each: impl FnMut(Micros, StoreKey, Status) -> Result<()>,
) -> Result<()> {
    let mut select = db.prepare("SELECT at, store, active FROM poll ORDER BY at")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get(1)?, status(row.get(2)?))?;
    }
    Ok(())
}

/// Whether exactly this poll of `store` is there.
///
/// # Errors
/// When the database cannot be read.
pub fn is_stored(db: &Connection, store: StoreKey, poll: Poll) -> Result<bool> {
    let mut select =
        db.prepare_cached("SELECT 1 FROM poll WHERE at = ?1 AND store = ?2 AND active = ?3")?;
    Ok(select.exists((poll.at(), store, poll.is_active()))?)
}

const fn status(active: bool) -> Status {
    if active {
        Status::Active
    } else {
        Status::Inactive
    }
}

/// Adds polls, no store twice at one instant among them; fastest when sorted by instant.
///
/// # Errors
/// When the database cannot be written; the caller's transaction must then be rolled back.
pub fn add(
    db: &Connection,
    polls: impl IntoIterator<Item = Result<(StoreKey, Poll)>>,
) -> Result<Added> {
    let mut added = Added::default();
    let mut chunk = Vec::with_capacity(INSERT_ROWS);
    let mut whole = Upsert::prepare(db, INSERT_ROWS)?;
    for poll in polls {
        chunk.push(poll?);
        if chunk.len() == INSERT_ROWS {
            whole.run(&chunk, &mut added)?;
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        Upsert::prepare(db, chunk.len())?.run(&chunk, &mut added)?;
    }
    if added.new + added.replaced > 0 {
        generation::advance(db, generation::Kind::Polls)?;
    }
    Ok(added)
}

/// The two statements that add a fixed number of rows.
struct Upsert<'db> {
    /// Adds what is new and leaves the rest.
    insert: CachedStatement<'db>,
    /// Corrects what is there with the other status.
    replace: CachedStatement<'db>,
}

impl<'db> Upsert<'db> {
    fn prepare(db: &'db Connection, rows: usize) -> Result<Self> {
        let values = vec!["(?, ?, ?)"; rows].join(", ");
        let insert = format!("INSERT INTO poll VALUES {values} ON CONFLICT DO NOTHING");
        let replace = format!(
            "INSERT INTO poll VALUES {values}
             ON CONFLICT DO UPDATE SET active = excluded.active WHERE active <> excluded.active"
        );
        Ok(Self {
            insert: db.prepare_cached(&insert)?,
            replace: db.prepare_cached(&replace)?,
        })
    }

    fn run(&mut self, chunk: &[(StoreKey, Poll)], added: &mut Added) -> Result<()> {
        let rows = chunk.len() as u64;
        let new = execute(&mut self.insert, chunk)?;
        // Repeats are rare: only then is it worth telling corrections from polls that were there.
        let replaced = if new < rows {
            execute(&mut self.replace, chunk)?
        } else {
            0
        };
        added.new += new;
        added.replaced += replaced;
        added.unchanged += rows - new - replaced;
        Ok(())
    }
}

/// Runs a statement that takes three values a poll; returns how many rows it changed.
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
