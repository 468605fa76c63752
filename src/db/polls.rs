//! Polls in the database, for other rooms: the history of a span, a range of rows, and adding more.
//!
//! It reads packed hours where they exist, and keeps them consistent with the rows.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};

use super::connection::open_reader;
use super::digest::{HourDigests, whole_hours};
use super::packed::{self, Packing};
use super::packed_bytes::PackedHours;
pub use super::poll_table::{ALL_TIME, first, for_each, for_each_within, is_stored, newest, newest_until};
use super::poll_table::{INSERT_ROWS, Upsert};
use super::{Changed, generation};
use crate::error::Result;
use crate::parallel;
use crate::uptime::fleet::StoreKey;
use crate::uptime::history::{History, StoreBlock};
use crate::uptime::history_builder::{Builder, lay_out};
use crate::uptime::interval::Interval;
use crate::uptime::poll::Poll;

/// How many polls a change may carry for memory to follow it. After a larger change, memory reads the
/// database again, which costs less than holding every row twice.
const FOLLOWED_POLLS_MAX: usize = 1 << 20;

/// The polls that one transaction added, for memory to follow the database.
#[derive(Clone, Debug)]
pub struct PollChange {
    /// The generation of polls before it.
    pub before: i64,
    /// The generation of polls after it.
    pub after: i64,
    /// The polls; some may have been stored already.
    pub polls: Vec<(StoreKey, Poll)>,
}

/// The outcome of adding polls.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// A stored poll with the other status is replaced: the last write wins.
    pub polls: Changed,
    /// The polls for memory to follow; none if nothing changed, or too much.
    pub change: Option<PollChange>,
}

/// Every poll within `span`, by store, as `view` sees them; read on up to `threads` threads.
///
/// `view` is a connection inside a read transaction.
///
/// # Errors
/// When the database cannot be read.
pub fn history(view: &Connection, span: Interval, threads: usize) -> Result<History> {
    let (packed, rows) = read(view, span, threads)?;
    Ok(Builder::finish(&packed, &rows, threads))
}

/// What a reading may take.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// How many threads read and call `each`.
    pub threads: usize,
    /// How many bytes of polls are in memory at a time. One block is read, however large it is.
    pub memory_max: usize,
}

/// The polls within `span` of `stores`, whose keys are sorted, as `view` sees them: a block at a time.
///
/// `each` receives every block that has one of the stores, also one without polls; it may hold polls of other stores,
/// too. The answers come in the order of the blocks. `view` is a connection inside a read transaction.
///
/// # Errors
/// When the database cannot be read.
pub fn by_blocks<T: Send>(
    view: &Connection,
    span: Interval,
    stores: &[StoreKey],
    limits: ReadLimits,
    each: impl Fn(&StoreBlock) -> T + Sync,
) -> Result<Vec<T>> {
    let mut blocks: Vec<_> = stores.iter().map(|&store| StoreBlock::number_of(store)).collect();
    blocks.dedup();
    let (packed, rows) = read(view, span, limits.threads)?;
    Ok(parallel::map(limits.threads, blocks, |number| {
        each(&lay_out(&packed, &rows, number))
    }))
}

/// The polls within `span`: packed hours as stored, and polls gathered from rows.
fn read(view: &Connection, span: Interval, threads: usize) -> Result<(Vec<PackedHours>, Vec<Builder>)> {
    let parts = split(view, span, threads)?;
    let Some((last, others)) = parts.split_last() else {
        return Ok(Default::default());
    };
    let file = view.path().filter(|file| !file.is_empty()); // Memory has no second view.
    let parts = match file.map(Path::new) {
        Some(file) if !others.is_empty() => read_side_by_side(view, file, *last, others)?,
        _ => None,
    };
    // Another process wrote between the two views: only this view is consistent.
    let parts = match parts {
        Some(parts) => parts,
        None => vec![read_part(view, span)?],
    };
    Ok(parts.into_iter().unzip())
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
    Ok((0..pieces).map(|number| piece(number).intersection(span)).collect())
}

/// Reads `last` through `view` and the others through their own connections; none if those see other
/// polls.
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
    let (others, last) = parallel::join(
        || parallel::map(others.len(), others, |&part| read_other(part)),
        || read_part(view, last),
    );
    let mut parts: Option<Vec<_>> = others.into_iter().collect::<Result<_>>()?;
    if let Some(parts) = &mut parts {
        parts.push(last?);
    }
    Ok(parts)
}

/// The polls of a part of a span: packed hours as stored, and polls gathered from rows.
type ReadPart = (PackedHours, Builder);

/// Every poll within `span`: from packed hours where they exist, else from rows.
///
/// An own aggregate function gathers rows inside SQLite's loop: stepping through them from outside takes half
/// as long again.
fn read_part(view: &Connection, span: Interval) -> Result<ReadPart> {
    let gathered = Gathered::default();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    view.create_aggregate_function("gather_polls", 3, flags, gathered.clone())?;
    let packed = packed::read(view, span, |part| {
        let whole = whole_hours(part);
        let mut select =
            view.prepare_cached("SELECT gather_polls(at, store, active) FROM poll WHERE at >= ?1 AND at < ?2")?;
        gathered.begin(part);
        select.query_row([whole.start, whole.end], |_| Ok(()))?;
        gathered.end().verify(view, whole)
    })?;
    view.remove_function("gather_polls", 3)?;
    Ok((packed, gathered.take().polls))
}

/// Polls gathered from rows.
#[derive(Default)]
struct GatheredRows {
    /// The polls outside are not gathered.
    span: Option<Interval>,
    polls: Builder,
    /// Of all polls since the beginning of this span, also those outside.
    digests: HourDigests,
}

/// The aggregate function `gather_polls(at, store, active)`, and its target.
#[derive(Clone, Default)]
struct Gathered(Arc<Mutex<GatheredRows>>);

impl Gathered {
    fn lock(&self) -> MutexGuard<'_, GatheredRows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, span: Interval) {
        self.lock().span = Some(span);
    }

    fn end(&self) -> HourDigests {
        std::mem::take(&mut self.lock().digests)
    }

    fn take(&self) -> GatheredRows {
        std::mem::take(&mut self.lock())
    }

    fn put(&self, rows: GatheredRows) {
        *self.lock() = rows;
    }
}

impl Aggregate<GatheredRows, bool> for Gathered {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<GatheredRows> {
        Ok(self.take())
    }

    fn step(&self, row: &mut Context<'_>, rows: &mut GatheredRows) -> rusqlite::Result<()> {
        let (store, poll) = (row.get(1)?, Poll::from_row(row.get(0)?, row.get(2)?));
        rows.digests.add(poll.at(), store, poll.status());
        if rows.span.is_some_and(|span| span.contains(poll.at())) {
            rows.polls.push(store, poll);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, polls: Option<GatheredRows>) -> rusqlite::Result<bool> {
        // None: there was no row, and the gathered polls stay in place.
        let some = polls.is_some();
        if let Some(polls) = polls {
            self.put(polls);
        }
        Ok(some)
    }
}

/// Adds polls, with distinct stores and instants; fastest when sorted by instant.
///
/// # Errors
/// When the database cannot be written; the caller must then roll the transaction back.
pub fn add(db: &Connection, polls: impl IntoIterator<Item = Result<(StoreKey, Poll)>>) -> Result<Added> {
    let mut insert = Upsert::new(db, INSERT_ROWS);
    let mut packing = Packing::new(db);
    let mut digests = HourDigests::default();
    let mut changed = Changed::default();
    // None once there are too many for memory to follow.
    let mut followed = Some(Vec::new());
    let mut chunk = Vec::with_capacity(INSERT_ROWS);
    let mut polls = polls.into_iter();
    loop {
        for poll in polls.by_ref().take(INSERT_ROWS) {
            chunk.push(poll?);
        }
        let are_new = packing.before(&chunk)?;
        let chunk_changed = match chunk.len() {
            0 => break,
            INSERT_ROWS => insert.run(&chunk, are_new, &mut digests)?,
            fewer => Upsert::new(db, fewer).run(&chunk, are_new, &mut digests)?,
        };
        packing.after(chunk_changed)?;
        changed += chunk_changed;
        if let Some(polls) = &mut followed {
            polls.append(&mut chunk);
        }
        followed = followed.filter(|polls| polls.len() <= FOLLOWED_POLLS_MAX);
        chunk.clear();
    }
    packing.finish()?;
    digests.store(db)?;
    let mut change = None;
    if changed.new + changed.replaced > 0 {
        let before = generation::current(db)?.polls;
        generation::advance(db, generation::Kind::Polls)?;
        change = followed.map(|polls| PollChange {
            before,
            after: before + 1,
            polls,
        });
    }
    Ok(Added { polls: changed, change })
}
