//! Polls in the database: what is there, the newest, a range of them, and adding more.
//!
//! It must never know which polls count.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{CachedStatement, Connection};

use super::connection::open_reader;
use super::packed::{self, Packing};
use super::packed_bytes::PackedHours;
use super::{Changed, generation};
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::gather::Builder;
use crate::uptime::history::History;
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::poll::{Poll, Status};

/// How many rows one `INSERT` carries: from some 200 on, SQLite's cost a row hardly falls further.
const INSERT_ROWS: usize = 200;

/// How many polls a change may carry along for memory to follow it; after a larger one memory reads
/// the database again, which then costs less than holding every row twice.
const FOLLOWED_POLLS_MAX: usize = 1 << 20;

/// Every instant that a poll may have.
pub const ALL_TIME: Interval = Interval::new(Micros::MIN, Micros::MAX);

/// The polls that one transaction added, for memory to follow the database.
#[derive(Clone, Debug)]
pub struct PollChange {
    /// The generation of polls before it.
    pub before: i64,
    /// The generation of polls after it.
    pub after: i64,
    /// The polls; some may have been there already.
    pub polls: Vec<(StoreKey, Poll)>,
}

/// What adding polls did.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// What became of them; a poll that was there with the other status is replaced: the one that came
    /// in last stands.
    pub polls: Changed,
    /// What memory needs to follow; none where nothing changed, or too much.
    pub change: Option<PollChange>,
}

/// The instant of the newest poll; none without polls.
///
/// # Errors
/// When the database cannot be read.
pub fn newest(db: &Connection) -> Result<Option<Micros>> {
    let mut select = db.prepare_cached("SELECT max(at) FROM poll")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// The instant of the first poll within `span`; none where there is no poll.
///
/// # Errors
/// When the database cannot be read.
pub fn first(db: &Connection, span: Interval) -> Result<Option<Micros>> {
    let mut select = db.prepare_cached("SELECT min(at) FROM poll WHERE at >= ?1 AND at < ?2")?;
    Ok(select.query_row([span.start, span.end], |row| row.get(0))?)
}

/// Every poll within `span`, by store, as `view` sees them; read on up to `threads` threads.
///
/// `view` is a connection inside a read transaction.
///
/// # Errors
/// When the database cannot be read.
pub fn history(view: &Connection, span: Interval, threads: usize) -> Result<History> {
    let parts = split(view, span, threads)?;
    let Some((last, others)) = parts.split_last() else {
        return Ok(History::default());
    };
    let file = view.path().filter(|file| !file.is_empty()); // Memory has no second view.
    let parts = match file.map(Path::new) {
        Some(file) if !others.is_empty() => read_side_by_side(view, file, *last, others)?,
        _ => None,
    };
    // Somebody wrote between two views: this one alone is consistent.
    let parts = match parts {
        Some(parts) => parts,
        None => vec![read_part(view, span)?],
    };
    let (packed, rows): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok(Builder::finish(&packed, &rows, threads))
}

/// Cuts the part of `span` that holds polls into pieces of equal length.
fn split(view: &Connection, span: Interval, threads: usize) -> Result<Vec<Interval>> {
    let Some(first) = first(view, span)? else {
        return Ok(Vec::new());
    };
    let last = newest(view)?.unwrap_or(first).min(span.end - 1);
    let pieces = i64::try_from(threads.max(1)).unwrap_or(1);
    let length = (last - first) / pieces + 1;
    let piece = |number| Interval::new(first + number * length, first + (number + 1) * length);
    Ok((0..pieces)
        .map(|number| piece(number).intersection(span))
        .collect())
}

/// Reads `last` through `view` and the others through connections of their own; none where those do
/// not see the same polls.
fn read_side_by_side(
    view: &Connection,
    file: &Path,
    last: Interval,
    others: &[Interval],
) -> Result<Option<Vec<ReadPart>>> {
    let generation = generation::current(view)?.polls;
    let read_other = |part: Interval| -> Result<Option<ReadPart>> {
        let mut db = open_reader(file)?;
        let view = super::read(&mut db)?;
        let same = generation::current(&view)?.polls == generation;
        same.then(|| read_part(&view, part)).transpose()
    };
    thread::scope(|scope| {
        let others: Vec<_> = others
            .iter()
            .map(|&part| scope.spawn(move || read_other(part)))
            .collect();
        let last = read_part(view, last)?;
        let others = others.into_iter().map(|other| {
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let mut parts = others.collect::<Result<Option<Vec<_>>>>()?;
        if let Some(parts) = &mut parts {
            parts.push(last);
        }
        Ok(parts)
    })
}

/// The polls of a part of a span: packed hours as they are, and what had to be gathered from rows.
type ReadPart = (PackedHours, Builder);

/// Every poll within `span`: packed hours where there are any, else rows.
///
/// Rows are gathered by an aggregate function of our own, from inside SQLite's loop: stepping through
/// them from outside takes half as long again.
fn read_part(view: &Connection, span: Interval) -> Result<ReadPart> {
    let gathered = Gathered::default();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    view.create_aggregate_function("gather_polls", 3, flags, gathered.clone())?;
    let packed = packed::read(view, span, |span| {
        let mut select = view.prepare_cached(
            "SELECT gather_polls(at, store, active) FROM poll WHERE at >= ?1 AND at < ?2",
        )?;
        Ok(select.query_row([span.start, span.end], |_| Ok(()))?)
    })?;
    view.remove_function("gather_polls", 3)?;
    Ok((packed, gathered.take()))
}

/// The aggregate function `gather_polls(at, store, active)`, and what it adds to.
#[derive(Clone, Default)]
struct Gathered(Arc<Mutex<Builder>>);

impl Gathered {
    fn take(&self) -> Builder {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, polls: Builder) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = polls;
    }
}

impl Aggregate<Builder, bool> for Gathered {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Builder> {
        Ok(self.take())
    }

    fn step(&self, row: &mut Context<'_>, polls: &mut Builder) -> rusqlite::Result<()> {
        polls.push(row.get(1)?, Poll::new(row.get(0)?, status(row.get(2)?)));
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, polls: Option<Builder>) -> rusqlite::Result<bool> {
        // None: there was no row, and what was gathered before lies where it was.
        let some = polls.is_some();
        if let Some(polls) = polls {
            self.put(polls);
        }
        Ok(some)
    }
}

/// Calls `each` with every poll's instant, store key and status, ordered by instant.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each(
    db: &Connection,
    each: impl FnMut(Micros, StoreKey, Status) -> Result<()>,
) -> Result<()> {
    for_each_within(db, ALL_TIME, each)
}

/// As [`for_each`], of the polls within `span`.
///
/// # Errors
/// As [`for_each`].
pub fn for_each_within(
    db: &Connection,
    span: Interval,
    mut each: impl FnMut(Micros, StoreKey, Status) -> Result<()>,
) -> Result<()> {
    let mut select =
        db.prepare("SELECT at, store, active FROM poll WHERE at >= ?1 AND at < ?2 ORDER BY at")?;
    let mut rows = select.query([span.start, span.end])?;
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

pub(super) const fn status(active: bool) -> Status {
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
    let mut adding = Adding::new(db)?;
    for poll in polls {
        let (store, poll) = poll?;
        adding.push(store, poll)?;
    }
    adding.finish()
}

/// Polls on their way into the database.
struct Adding<'db> {
    db: &'db Connection,
    insert: Upsert<'db>,
    packing: Packing<'db>,
    /// Polls that wait until there are as many as one statement carries.
    chunk: Vec<(StoreKey, Poll)>,
    changed: Changed,
    /// The polls for memory to follow; none where they are too many.
    followed: Option<Vec<(StoreKey, Poll)>>,
}

impl<'db> Adding<'db> {
    fn new(db: &'db Connection) -> Result<Self> {
        Ok(Self {
            db,
            insert: Upsert::prepare(db, INSERT_ROWS)?,
            packing: Packing::new(db)?,
            chunk: Vec::with_capacity(INSERT_ROWS),
            changed: Changed::default(),
            followed: Some(Vec::new()),
        })
    }

    fn push(&mut self, store: StoreKey, poll: Poll) -> Result<()> {
        self.chunk.push((store, poll));
        if self.chunk.len() == INSERT_ROWS {
            self.write(None)?;
        }
        Ok(())
    }

    /// Writes the polls that wait, by a statement for fewer rows if there is one.
    fn write(&mut self, fewer: Option<Upsert<'_>>) -> Result<()> {
        self.packing.before(&self.chunk)?;
        let changed = match fewer {
            Some(mut fewer) => fewer.run(&self.chunk)?,
            None => self.insert.run(&self.chunk)?,
        };
        self.packing.after(changed)?;
        self.changed += changed;
        if let Some(followed) = &mut self.followed {
            followed.extend_from_slice(&self.chunk);
            if followed.len() > FOLLOWED_POLLS_MAX {
                self.followed = None;
            }
        }
        self.chunk.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Added> {
        if !self.chunk.is_empty() {
            let fewer = Upsert::prepare(self.db, self.chunk.len())?;
            self.write(Some(fewer))?;
        }
        self.packing.finish()?;
        let mut change = None;
        if self.changed.new + self.changed.replaced > 0 {
            let before = generation::current(self.db)?.polls;
            generation::advance(self.db, generation::Kind::Polls)?;
            change = self.followed.map(|polls| PollChange {
                before,
                after: before + 1,
                polls,
            });
        }
        Ok(Added {
            polls: self.changed,
            change,
        })
    }
}

/// Placeholders for the values of so many polls.
fn values(rows: usize) -> String {
    vec!["(?, ?, ?)"; rows].join(", ")
}

/// The two statements that add a fixed number of rows.
pub(super) struct Upsert<'db> {
    /// Adds what is new and leaves the rest.
    insert: CachedStatement<'db>,
    /// Corrects what is there with the other status.
    replace: CachedStatement<'db>,
}

impl<'db> Upsert<'db> {
    pub(super) fn prepare(db: &'db Connection, rows: usize) -> Result<Self> {
        let values = values(rows);
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

    pub(super) fn run(&mut self, chunk: &[(StoreKey, Poll)]) -> Result<Changed> {
        let rows = chunk.len() as u64;
        let new = execute(&mut self.insert, chunk)?;
        // Repeats are rare: only then is it worth telling corrections from polls that were there.
        let replaced = if new < rows {
            execute(&mut self.replace, chunk)?
        } else {
            0
        };
        Ok(Changed {
            new,
            replaced,
            unchanged: rows - new - replaced,
        })
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
