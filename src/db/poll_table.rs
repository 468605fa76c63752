//! The table `poll`: its newest row, a range of rows, adding and removing, with the digests of the hours. It leaves
//! packed hours alone.

use std::iter;

use rusqlite::{CachedStatement, Connection};

use super::Changed;
use super::digest::{Difference, HourDigests, hour_of, whole_hours};
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

/// The instant of the newest poll within `span` of the stores that are `one`; none without one.
///
/// It looks at polls one by one, from the end of the span: quick for stores that are still polled there.
///
/// # Errors
/// When the database cannot be read.
pub fn newest_of(db: &Connection, span: Interval, one: impl FnMut(StoreKey) -> bool) -> Result<Option<Micros>> {
    first_of(db, "WHERE at >= ?1 AND at < ?2 ORDER BY at DESC, store DESC", span, one)
}

/// The instant of the oldest poll of the stores that are `one`; none without one.
///
/// # Errors
/// When the database cannot be read.
pub fn oldest_of(db: &Connection, one: impl FnMut(StoreKey) -> bool) -> Result<Option<Micros>> {
    first_of(db, "WHERE at >= ?1 AND at < ?2 ORDER BY at, store", ALL_TIME, one)
}

fn first_of(
    db: &Connection,
    rows: &str,
    span: Interval,
    mut is_one: impl FnMut(StoreKey) -> bool,
) -> Result<Option<Micros>> {
    let mut select = db.prepare_cached(&format!("SELECT at, store FROM poll {rows}"))?;
    let mut rows = select.query([span.start, span.end])?;
    while let Some(row) = rows.next()? {
        if is_one(row.get(1)?) {
            return Ok(Some(row.get(0)?));
        }
    }
    Ok(None)
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

/// Like [`for_each`], for the polls within `span`. After its last hour, it compares all hours with their digests.
///
/// # Errors
/// As [`for_each`]; when the polls of an hour are not those that were stored.
pub fn for_each_within(
    db: &Connection,
    span: Interval,
    mut each: impl FnMut(Micros, StoreKey, Status) -> Result<()>,
) -> Result<()> {
    let mut select =
        db.prepare_cached("SELECT at, store, active FROM poll WHERE at >= ?1 AND at < ?2 ORDER BY at, store")?;
    let whole = whole_hours(span);
    let mut digests = HourDigests::default();
    let mut rows = select.query([whole.start, whole.end])?;
    while let Some(row) = rows.next()? {
        let (poll, store) = (Poll::from_row(row.get(0)?, row.get(2)?), row.get(1)?);
        digests.add(poll.at(), store, poll.status());
        if span.contains(poll.at()) {
            each(poll.at(), store, poll.status())?;
        }
    }
    digests.verify(db, whole)
}

/// Calls `each` with every poll, right or not.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn for_each_unverified(db: &Connection, mut each: impl FnMut(StoreKey, Poll)) -> Result<()> {
    let mut select = db.prepare("SELECT at, store, active FROM poll")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get(1)?, Poll::from_row(row.get(0)?, row.get(2)?));
    }
    Ok(())
}

/// The hours whose rows are not those that were stored.
pub(super) fn differences(db: &Connection) -> Result<Vec<Difference>> {
    let mut digests = HourDigests::default();
    for_each_unverified(db, |store, poll| digests.add(poll.at(), store, poll.status()))?;
    digests.differences(db, ALL_TIME)
}

/// Puts `polls` in the place of the rows of whole hours, whose digests are those of `polls` already.
pub(super) fn rewrite(db: &Connection, hours: Interval, polls: &[(StoreKey, Poll)]) -> Result<()> {
    db.execute("DELETE FROM poll WHERE at >= ?1 AND at < ?2", [hours.start, hours.end])?;
    let mut insert = db.prepare_cached("INSERT INTO poll VALUES (?1, ?2, ?3)")?;
    for &(store, poll) in polls {
        insert.execute((poll.at(), store, poll.is_active()))?;
    }
    Ok(())
}

/// Makes the digests of whole hours those of the rows that are there.
pub(super) fn trust(db: &Connection, hours: Interval) -> Result<()> {
    db.execute(
        "DELETE FROM hour_digest WHERE hour BETWEEN ?1 AND ?2",
        [hour_of(hours.start), hour_of(hours.end - 1)],
    )?;
    let mut select = db.prepare_cached("SELECT at, store, active FROM poll WHERE at >= ?1 AND at < ?2")?;
    let mut rows = select.query([hours.start, hours.end])?;
    let mut digests = HourDigests::default();
    while let Some(row) = rows.next()? {
        let poll = Poll::from_row(row.get(0)?, row.get(2)?);
        digests.add(poll.at(), row.get(1)?, poll.status());
    }
    digests.store(db)
}

/// The polls that a deletion takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Taken {
    /// All before an instant.
    Before(Micros),
    /// Those of a store within a span.
    Of(StoreKey, Interval),
}

/// What a deletion took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    /// How many polls.
    pub(super) polls: u64,
    /// The hours in which they were.
    pub(super) hours: Vec<i64>,
}

/// Deletes polls.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn delete(db: &Connection, taken: Taken) -> Result<Deleted> {
    let mut digests = HourDigests::default();
    let mut polls = 0;
    let mut subtract = |rows: &mut rusqlite::Rows<'_>| -> Result<()> {
        while let Some(row) = rows.next()? {
            let poll = Poll::from_row(row.get(0)?, row.get(2)?);
            digests.subtract(poll.at(), row.get(1)?, poll.status());
            polls += 1;
        }
        Ok(())
    };
    match taken {
        Taken::Before(before) => {
            let mut delete = db.prepare_cached("DELETE FROM poll WHERE at < ?1 RETURNING at, store, active")?;
            subtract(&mut delete.query([before])?)?;
        }
        Taken::Of(store, Interval { start, end }) => {
            let mut delete = db.prepare_cached(
                "DELETE FROM poll WHERE at >= ?2 AND at < ?3 AND store = ?1 RETURNING at, store, active",
            )?;
            subtract(&mut delete.query((store, start, end))?)?;
        }
    }
    let hours = digests.hours();
    digests.store(db)?;
    Ok(Deleted { polls, hours })
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

    /// Adds that number of polls, with distinct stores and instants; `are_new` says that none is stored. `digests`
    /// receives the changes.
    pub(super) fn run(
        &mut self,
        chunk: &[(StoreKey, Poll)],
        are_new: bool,
        digests: &mut HourDigests,
    ) -> Result<Changed> {
        let (db, rows) = (self.db, chunk.len() as u64);
        let values = || vec!["(?, ?, ?)"; self.rows].join(", ");
        if are_new {
            let add = prepare(db, &mut self.add, || {
                format!("INSERT OR REPLACE INTO poll VALUES {}", values())
            })?;
            bind(add, chunk)?;
            add.raw_execute()?;
            digests.add_polls(chunk);
            return Ok(Changed {
                new: rows,
                ..Changed::default()
            });
        }
        // Of several rows it says which are new; for that, SQLite makes a table of its own.
        let returning = if self.rows > 1 {
            "RETURNING at, store, active"
        } else {
            ""
        };
        let insert = prepare(db, &mut self.insert, || {
            format!(
                "INSERT INTO poll VALUES {} ON CONFLICT DO NOTHING {returning}",
                values()
            )
        })?;
        let mut new = 0;
        if let [poll] = chunk {
            bind(insert, chunk)?;
            let inserted = insert.raw_execute()?;
            digests.add_polls(iter::repeat_n(poll, inserted));
            new = inserted as u64;
        } else {
            execute(insert, chunk, |at, store, status| {
                digests.add(at, store, status);
                new += 1;
            })?;
        }
        let mut replaced = 0;
        if new < rows {
            let correct = prepare(db, &mut self.correct, || {
                format!(
                    "INSERT INTO poll VALUES {}
                     ON CONFLICT DO UPDATE SET active = excluded.active WHERE active <> excluded.active
                     RETURNING at, store, active",
                    values()
                )
            })?;
            execute(correct, chunk, |at, store, status| {
                digests.subtract(at, store, status.other());
                digests.add(at, store, status);
                replaced += 1;
            })?;
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

/// Runs a statement with three values a poll; `each` receives every changed row.
fn execute(
    statement: &mut CachedStatement<'_>,
    chunk: &[(StoreKey, Poll)],
    mut each: impl FnMut(Micros, StoreKey, Status),
) -> Result<()> {
    bind(statement, chunk)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let poll = Poll::from_row(row.get(0)?, row.get(2)?);
        each(poll.at(), row.get(1)?, poll.status());
    }
    Ok(())
}

/// Binds three values a poll.
fn bind(statement: &mut CachedStatement<'_>, chunk: &[(StoreKey, Poll)]) -> Result<()> {
    let mut parameter = 1;
    for &(store, poll) in chunk {
        statement.raw_bind_parameter(parameter, poll.at())?;
        statement.raw_bind_parameter(parameter + 1, store)?;
        statement.raw_bind_parameter(parameter + 2, poll.is_active())?;
        parameter += 3;
    }
    Ok(())
}
