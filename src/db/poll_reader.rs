//! The poll reader: all polls of a span as a history, or a block of stores at a time within a bound of memory.
//!
//! It reads packed hours where they exist, and rows elsewhere. If the polls of a span are too many for the bound, it
//! reads the span several times and keeps the polls of a few blocks each time. Every pass verifies all that it reads.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};

use super::connection::open_reader;
use super::digest::{HourDigests, hour_of, whole_hours};
use super::generation;
use super::packed;
use super::packed_bytes::{ALL_BLOCKS, PackedHours, span_of};
use super::poll_table::{first, newest};
use crate::error::Result;
use crate::parallel;
use crate::uptime::fleet::StoreKey;
use crate::uptime::history::{History, StoreBlock};
use crate::uptime::history_builder::{Builder, CHUNK_BYTES, lay_out};
use crate::uptime::interval::Interval;
use crate::uptime::poll::Poll;

/// The bytes of a poll that is laid out.
const POLL_BYTES: usize = size_of::<Poll>();

/// The bytes of a poll that was gathered from a row, with its store's place in the block.
const ROW_BYTES: usize = POLL_BYTES + 1;

/// Every poll within `span`, by store, as `view` sees them; read on up to `threads` threads.
///
/// `view` is a connection inside a read transaction.
///
/// # Errors
/// When the database cannot be read.
pub fn history(view: &Connection, span: Interval, threads: usize) -> Result<History> {
    let Read { packed, rows } = read(view, span, &ALL_BLOCKS, threads, Vec::new())?;
    Ok(Builder::finish(&packed, &rows, threads))
}

/// What a reading by blocks may take.
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
/// too. The answers come in the order of the blocks, and do not depend on the limits. `view` is a connection inside a
/// read transaction.
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
    let passes = match bytes_at_most(view, span)? <= limits.memory_max {
        true => vec![&*blocks],
        false => Weights::new(view, span, &blocks)?.passes(&blocks, limits),
    };
    let mut answers = Vec::with_capacity(blocks.len());
    // Each pass and each block takes the memory of one before: the first touch of new memory takes long.
    let mut spare = Vec::new();
    let spare_blocks = Pool::default();
    for pass in passes {
        let (Some(first), Some(last)) = (pass.first(), pass.last()) else {
            continue;
        };
        let Read { packed, rows } = read(view, span, &(*first..*last + 1), limits.threads, spare)?;
        let each = |&number| {
            let block = lay_out(&packed, &rows, number, spare_blocks.take());
            let answer = each(&block);
            spare_blocks.give(block);
            answer
        };
        answers.extend(parallel::map(limits.threads, pass, each));
        spare = packed;
    }
    Ok(answers)
}

/// How many bytes the polls of `span` take at most if they are read at once: as read, and laid out as one block.
fn bytes_at_most(view: &Connection, span: Interval) -> Result<usize> {
    let mut select = view.prepare_cached(
        "SELECT coalesce(sum(hour_digest.polls), 0), coalesce(sum(length(packed_hour.polls)), 0),
                coalesce(sum(iif(packed_hour.hour IS NULL, hour_digest.polls, 0)), 0)
         FROM hour_digest LEFT JOIN packed_hour USING (hour) WHERE hour BETWEEN ?1 AND ?2",
    )?;
    let bytes = select.query_row(hours_of(span), |row| {
        let (polls, packed, rows): (usize, usize, usize) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(packed + rows * ROW_BYTES + polls * POLL_BYTES)
    });
    Ok(bytes?)
}

/// The first and the last hour that `span` touches.
fn hours_of(span: Interval) -> [i64; 2] {
    [hour_of(span.start), hour_of(span.end.saturating_sub(1))]
}

/// What the polls of each block take in memory.
struct Weights {
    first_block: usize,
    /// For each block from the first on: its bytes as read, and how many polls it has.
    blocks: Vec<(usize, usize)>,
    /// Whether some are read from rows.
    has_rows: bool,
}

impl Weights {
    /// Counts the polls of `blocks`, and of those between them. It takes the lists of packed hours as they are: what a
    /// disk changed there makes passes of another length, and the passes verify.
    fn new(view: &Connection, span: Interval, blocks: &[usize]) -> Result<Self> {
        let first_block = blocks.first().copied().unwrap_or(0);
        let count = blocks.last().map_or(0, |last| last - first_block + 1);
        let mut weights = Self {
            first_block,
            blocks: vec![(0, 0); count],
            has_rows: false,
        };
        packed::lists(view, hours_of(span), |block, polls, bytes| {
            weights.add(block, polls, bytes);
        })?;
        let mut unpacked = view.prepare_cached(
            "SELECT hour FROM hour_digest LEFT JOIN packed_hour USING (hour)
             WHERE hour BETWEEN ?1 AND ?2 AND packed_hour.hour IS NULL",
        )?;
        let mut select = view.prepare_cached("SELECT store FROM poll WHERE at >= ?1 AND at < ?2")?;
        for hour in unpacked.query_map(hours_of(span), |row| row.get(0))? {
            let Interval { start, end } = span_of(hour?);
            for store in select.query_map([start, end], |row| row.get(0))? {
                weights.add(StoreBlock::number_of(store?), 1, ROW_BYTES);
                weights.has_rows = true;
            }
        }
        Ok(weights)
    }

    fn add(&mut self, block: usize, polls: usize, bytes: usize) {
        let place = block.checked_sub(self.first_block);
        if let Some(weight) = place.and_then(|place| self.blocks.get_mut(place)) {
            weight.0 += bytes;
            weight.1 += polls;
        }
    }

    /// The blocks of each pass: as many as fit, but at least one.
    fn passes<'a>(&self, blocks: &'a [usize], limits: ReadLimits) -> Vec<&'a [usize]> {
        let place = |index: usize| blocks[index] - self.first_block;
        // The last chunk of each block and thread is not full.
        let chunks = if self.has_rows { limits.threads * CHUNK_BYTES } else { 0 };
        let mut passes = Vec::new();
        let mut from = 0;
        while from < blocks.len() {
            let (mut read, mut longest, mut to) = (0, 0, from);
            let mut next = place(from);
            while to < blocks.len() {
                // A pass reads a range of blocks, also blocks between them that were not asked for.
                let between = &self.blocks[next..=place(to)];
                read += between.iter().map(|(bytes, _)| bytes + chunks).sum::<usize>();
                next = place(to) + 1;
                longest = longest.max(self.blocks[place(to)].1);
                let at_once = limits.threads.clamp(1, to - from + 1);
                if to > from && read + at_once * longest * POLL_BYTES > limits.memory_max {
                    break;
                }
                to += 1;
            }
            passes.push(&blocks[from..to]);
            from = to;
        }
        passes
    }
}

/// The polls of a span, as they were read.
#[derive(Default)]
struct Read {
    /// Packed hours as stored.
    packed: Vec<PackedHours>,
    /// Polls gathered from rows.
    rows: Vec<Builder>,
}

/// Values whose memory can be used again.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<T> Pool<T> {
    fn new(values: Vec<T>) -> Self {
        Self(Mutex::new(values))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> T
    where
        T: Default,
    {
        self.lock().pop().unwrap_or_default()
    }

    fn give(&self, value: T) {
        self.lock().push(value);
    }
}

/// The polls within `span` of the stores in `blocks`; it takes the memory of `spare`.
fn read(
    view: &Connection,
    span: Interval,
    blocks: &Range<usize>,
    threads: usize,
    spare: Vec<PackedHours>,
) -> Result<Read> {
    let wanted = Wanted {
        blocks,
        spare: &Pool::new(spare),
    };
    let parts = split(view, span, threads)?;
    let Some((last, others)) = parts.split_last() else {
        return Ok(Read::default());
    };
    let file = view.path().filter(|file| !file.is_empty()); // Memory has no second view.
    let parts = match file.map(Path::new) {
        Some(file) if !others.is_empty() => read_side_by_side(view, file, *last, others, wanted)?,
        _ => None,
    };
    // Another process wrote between the two views: only this view is consistent.
    let parts = match parts {
        Some(parts) => parts,
        None => vec![read_part(view, span, wanted)?],
    };
    let (packed, rows) = parts.into_iter().unzip();
    Ok(Read { packed, rows })
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
    wanted: Wanted<'_>,
) -> Result<Option<Vec<ReadPart>>> {
    let generation = generation::current(view)?.polls;
    let read_other = |part: Interval| -> Result<Option<ReadPart>> {
        let mut db = open_reader(file)?;
        let view = super::read(&mut db)?;
        let same = generation::current(&view)?.polls == generation;
        same.then(|| read_part(&view, part, wanted)).transpose()
    };
    let (others, last) = parallel::join(
        || parallel::map(others.len(), others, |&part| read_other(part)),
        || read_part(view, last, wanted),
    );
    let mut parts: Option<Vec<_>> = others.into_iter().collect::<Result<_>>()?;
    if let Some(parts) = &mut parts {
        parts.push(last?);
    }
    Ok(parts)
}

/// The polls of a part of a span: packed hours as stored, and polls gathered from rows.
type ReadPart = (PackedHours, Builder);

/// What a part of a reading keeps, and where.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    blocks: &'a Range<usize>,
    spare: &'a Pool<PackedHours>,
}

/// The wanted polls within `span`: from packed hours where they exist, else from rows.
///
/// An own aggregate function gathers rows inside SQLite's loop: stepping through them from outside takes half
/// as long again.
fn read_part(view: &Connection, span: Interval, Wanted { blocks, spare }: Wanted<'_>) -> Result<ReadPart> {
    let gathered = Gathered::default();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    view.create_aggregate_function("gather_polls", 3, flags, gathered.clone())?;
    let packed = packed::read(view, span, blocks, spare.take(), |part| {
        let whole = whole_hours(part);
        let mut select =
            view.prepare_cached("SELECT gather_polls(at, store, active) FROM poll WHERE at >= ?1 AND at < ?2")?;
        gathered.begin(part, blocks.clone());
        select.query_row([whole.start, whole.end], |_| Ok(()))?;
        gathered.end().verify(view, whole)
    })?;
    view.remove_function("gather_polls", 3)?;
    Ok((packed, gathered.take().polls))
}

/// Polls gathered from rows.
#[derive(Default)]
struct GatheredRows {
    /// The polls of others, by time or by block, are not gathered.
    wanted: Option<(Interval, Range<usize>)>,
    polls: Builder,
    /// Of all polls since the beginning of this span, also of those that are not wanted.
    digests: HourDigests,
}

/// The aggregate function `gather_polls(at, store, active)`, and its target.
#[derive(Clone, Default)]
struct Gathered(Arc<Mutex<GatheredRows>>);

impl Gathered {
    fn lock(&self) -> MutexGuard<'_, GatheredRows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, span: Interval, blocks: Range<usize>) {
        self.lock().wanted = Some((span, blocks));
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
        let is_wanted = |(span, blocks): &(Interval, Range<usize>)| {
            span.contains(poll.at()) && blocks.contains(&StoreBlock::number_of(store))
        };
        if rows.wanted.as_ref().is_some_and(is_wanted) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pass over these blocks takes.
    fn taken(weights: &Weights, pass: &[usize], threads: usize) -> usize {
        let (first, last) = (pass[0], pass[pass.len() - 1]);
        let read = &weights.blocks[first - weights.first_block..=last - weights.first_block];
        let chunks = if weights.has_rows { threads * CHUNK_BYTES } else { 0 };
        let read: usize = read.iter().map(|(bytes, _)| bytes + chunks).sum();
        let mut laid: Vec<_> = pass
            .iter()
            .map(|block| weights.blocks[block - weights.first_block].1)
            .collect();
        laid.sort_unstable();
        read + laid.iter().rev().take(threads).sum::<usize>() * POLL_BYTES
    }

    #[test]
    fn passes_take_no_more_memory_than_they_may_and_are_as_few_as_that_allows() {
        for number in 0..200_usize {
            let blocks: Vec<_> = (3..60).filter(|block| block * 7 % (2 + number % 5) > 0).collect();
            let polls = |block: usize| (block * 7919 + number * 31) % 1000;
            let weights = Weights {
                first_block: 3,
                blocks: (3..60).map(|block| (polls(block) * 5, polls(block))).collect(),
                has_rows: number % 3 == 0,
            };
            for threads in 1..4 {
                for memory_max in [0, 5_000, 20_000, 100_000, usize::MAX] {
                    let limits = ReadLimits { threads, memory_max };
                    let passes = weights.passes(&blocks, limits);
                    assert_eq!(passes.concat(), blocks);
                    for pass in &passes {
                        assert!(pass.len() == 1 || taken(&weights, pass, threads) <= memory_max);
                    }
                    assert!(memory_max < usize::MAX || passes.len() == 1);
                }
            }
        }
    }
}
