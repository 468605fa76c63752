//! Sorting more polls than memory should hold: sorted runs, spooled to disk, merged as they are read.
//!
//! Rows come out sorted by instant and store. Rows of one store at one instant keep the order they came in.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::vec;

use crate::error::{Error, Result};
use crate::scratch::{Scratch, ScratchFile};
use crate::uptime::interval::Micros;
use crate::uptime::poll::{Poll, Status};

/// How many rows are held in memory before they are sorted and spooled: 64 MiB.
pub(super) const MEMORY_ROWS_MAX: usize = 4 << 20;

/// A spooled row's bytes.
const ROW_BYTES: usize = 16;

/// How much of each spooled run is read at once.
const READ_BYTES: usize = 1 << 20;

/// A poll as the input has it. Its store is an index into the input's own list of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRow {
    /// The instant and the status.
    pub poll: Poll,
    /// The store's index in the input's list of ids.
    pub store: u32,
    /// Its line in the input; `u32::MAX` for every line beyond.
    pub line: u32,
}

impl PollRow {
    /// A poll of the input's store number `store`, on this line.
    pub fn new(store: u32, line: u64, poll: Poll) -> Self {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        Self { poll, store, line }
    }

    /// The sort key.
    pub fn key(&self) -> (Micros, u32) {
        (self.poll.at(), self.store)
    }

    fn to_bytes(self) -> [u8; ROW_BYTES] {
        let at = (self.poll.at() << 1) | i64::from(self.poll.is_active());
        let mut bytes = [0; ROW_BYTES];
        bytes[..8].copy_from_slice(&at.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.store.to_le_bytes());
        bytes[12..].copy_from_slice(&self.line.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; ROW_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, s0, s1, s2, s3, l0, l1, l2, l3] = bytes;
        let at = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let status = if at & 1 == 1 { Status::Active } else { Status::Inactive };
        Self {
            poll: Poll::new(at >> 1, status),
            store: u32::from_le_bytes([s0, s1, s2, s3]),
            line: u32::from_le_bytes([l0, l1, l2, l3]),
        }
    }
}

/// How many bits of an instant one pass of [`sorted`] reads.
const DIGIT_BITS: u32 = 11;

/// Above this many passes, sorting by comparison is as fast.
const PASSES_MAX: u32 = 4;

/// Below this many rows, sorting by comparison is faster.
const COUNTED_ROWS_MIN: usize = 4096;

/// The rows sorted by [`PollRow::key`]; rows of one key keep their order.
///
/// A radix sort on 11 bits of the instant a pass. The rows of a block lie within hours or weeks, so three or
/// four passes are enough: a third of the time of comparing.
pub(super) fn sorted(mut rows: Vec<PollRow>) -> Vec<PollRow> {
    let first = rows.iter().map(|row| row.poll.at()).min().unwrap_or(0);
    let last = rows.iter().map(|row| row.poll.at()).max().unwrap_or(0);
    let bits = u64::BITS - last.abs_diff(first).leading_zeros();
    let passes = bits.div_ceil(DIGIT_BITS);
    if rows.len() >= COUNTED_ROWS_MIN && passes <= PASSES_MAX {
        let mut dealt = rows.clone();
        for pass in 0..passes {
            let digit = |row: &PollRow| {
                let digits = row.poll.at().abs_diff(first) >> (pass * DIGIT_BITS);
                (digits & ((1 << DIGIT_BITS) - 1)) as usize
            };
            let mut places = [0; 1 << DIGIT_BITS];
            for row in &rows {
                places[digit(row)] += 1;
            }
            let mut before = 0;
            for place in &mut places {
                before += std::mem::replace(place, before);
            }
            for row in &rows {
                let place = &mut places[digit(row)];
                dealt[*place] = *row;
                *place += 1;
            }
            std::mem::swap(&mut rows, &mut dealt);
        }
    }
    // The passes sorted by instant; this sorts the stores of each instant.
    rows.sort_by_key(PollRow::key);
    rows
}

/// Collects rows, spools them to disk when memory is full, and sorts them.
#[derive(Debug, Default)]
pub struct Runs {
    /// The room for spooled runs: beside the database, whose disk needs the room anyway.
    scratch: Scratch,
    /// Sorted runs, in the order they came.
    memory: Vec<Vec<PollRow>>,
    memory_rows: usize,
    memory_rows_max: usize,
    spooled: Vec<ScratchFile>,
    rows: u64,
}

impl Runs {
    /// An empty collection; rows that memory should not hold are spooled to `scratch`.
    pub fn new(scratch: &Scratch) -> Self {
        Self {
            scratch: scratch.clone(),
            memory: Vec::new(),
            memory_rows: 0,
            memory_rows_max: MEMORY_ROWS_MAX,
            spooled: Vec::new(),
            rows: 0,
        }
    }

    /// Takes a chunk of rows that come after all earlier chunks.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub fn push(&mut self, mut chunk: Vec<PollRow>) -> Result<()> {
        // Stable: of rows of one store and instant, the last one in must stay last. A chunk that is
        // already sorted costs one look at each row.
        chunk.sort_by_key(PollRow::key);
        self.rows += chunk.len() as u64;
        self.memory_rows += chunk.len();
        self.memory.push(chunk);
        if self.memory_rows >= self.memory_rows_max {
            self.spool().map_err(unspooled)
        } else {
            Ok(())
        }
    }

    /// How many rows came in.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether no row came in.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Every row, sorted by instant and store.
    ///
    /// # Errors
    /// When the spool cannot be read; each row may report the same.
    pub fn into_sorted(self) -> Result<Merge> {
        let spooled = self.spooled.into_iter().map(Run::spooled);
        let memory = self.memory.into_iter().map(Run::memory);
        Merge::new(spooled.chain(memory)).map_err(unspooled)
    }

    /// Moves the rows in memory to a run on disk: an unnamed file that is deleted when closed.
    fn spool(&mut self) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(READ_BYTES, self.scratch.file()?);
        let mut merge = Merge::new(self.memory.drain(..).map(Run::memory))?;
        while let Some(row) = merge.next_row()? {
            file.write_all(&row.to_bytes())?;
        }
        self.memory_rows = 0;
        let mut file = file.into_inner()?;
        file.rewind()?;
        self.spooled.push(file);
        Ok(())
    }
}

fn unspooled(error: io::Error) -> Error {
    Error::failed("rows cannot be spooled beside the database (is there room?)").because(error)
}

/// A sorted run.
#[derive(Debug)]
enum Run {
    Memory(vec::IntoIter<PollRow>),
    Spooled(BufReader<ScratchFile>),
}

impl Run {
    fn memory(rows: Vec<PollRow>) -> Self {
        Self::Memory(rows.into_iter())
    }

    fn spooled(file: ScratchFile) -> Self {
        Self::Spooled(BufReader::with_capacity(READ_BYTES, file))
    }

    fn next(&mut self) -> io::Result<Option<PollRow>> {
        let file = match self {
            Self::Memory(rows) => return Ok(rows.next()),
            Self::Spooled(file) => file,
        };
        let mut bytes = [0; ROW_BYTES];
        match file.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(PollRow::from_bytes(bytes))),
            // A run holds whole rows, so an early end of file is the end of the run.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The rows of sorted runs, merged; at equal keys an earlier run comes first.
#[derive(Debug)]
pub struct Merge {
    runs: Vec<Run>,
    /// The next row of each unfinished run; on top, the smallest key of the earliest run.
    heads: BinaryHeap<Reverse<Head>>,
}

/// The next row of a run.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// Instant, store and run in one number, so that one comparison orders two heads.
    order: u128,
    row: PollRow,
}

impl Head {
    fn new(row: PollRow, run: u128) -> Self {
        let at = row.poll.at().wrapping_sub(Micros::MIN).cast_unsigned();
        let order = u128::from(at) << 64 | u128::from(row.store) << 32 | run;
        Self { order, row }
    }

    fn run(self) -> u128 {
        self.order & u128::from(u32::MAX)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl Merge {
    fn new(runs: impl Iterator<Item = Run>) -> io::Result<Self> {
        let mut merge = Self {
            runs: runs.collect(),
            heads: BinaryHeap::new(),
        };
        for (number, run) in (0..).zip(&mut merge.runs) {
            if let Some(row) = run.next()? {
                merge.heads.push(Reverse(Head::new(row, number)));
            }
        }
        Ok(merge)
    }

    fn next_row(&mut self) -> io::Result<Option<PollRow>> {
        let Some(mut top) = self.heads.peek_mut() else {
            return Ok(None);
        };
        let head = top.0;
        match self.runs[head.run() as usize].next()? {
            // In files that are nearly in order the same run stays on top: two comparisons.
            Some(row) => top.0 = Head::new(row, head.run()),
            None => {
                PeekMut::pop(top);
            }
        }
        Ok(Some(head.row))
    }
}

impl Iterator for Merge {
    type Item = Result<PollRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().map_err(unspooled).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spooled_rows_come_back_as_those_in_memory_do() {
        let rows: Vec<PollRow> = (0..1000_u32)
            .map(|line| PollRow {
                poll: Poll::new(
                    i64::from(line * 7919 % 97),
                    if line % 3 == 0 {
                        Status::Active
                    } else {
                        Status::Inactive
                    },
                ),
                store: line % 5,
                line,
            })
            .collect();
        let sorted = |memory_rows_max| {
            let folder = tempfile::tempdir().expect("a folder");
            let mut runs = Runs {
                memory_rows_max,
                ..Runs::new(&Scratch::unbounded(folder.path()))
            };
            for chunk in rows.chunks(33) {
                runs.push(chunk.to_vec()).expect("room");
            }
            assert_eq!(runs.len(), 1000);
            let sorted = runs.into_sorted().expect("room");
            sorted.collect::<Result<Vec<_>>>().expect("readable")
        };
        let in_memory = sorted(usize::MAX);
        assert!(in_memory.is_sorted_by_key(|row| (row.key(), row.line)));
        assert_eq!(in_memory, sorted(100));
    }

    #[test]
    fn dealing_out_by_digits_is_sorting() {
        for (instants, apart) in [
            (1, 1),
            (97, 1),
            (97, 1 << 33),
            (1_299_709, 1 << 20),
            (1_299_709, 1 << 30),
        ] {
            let rows: Vec<PollRow> = (0..5000_u32)
                .map(|line| PollRow {
                    poll: Poll::new(i64::from(line) * 104_729 % instants * apart, Status::Active),
                    store: line * 31 % 7,
                    line,
                })
                .collect();
            let mut expected = rows.clone();
            expected.sort_by_key(PollRow::key);
            assert_eq!(sorted(rows), expected, "{instants} × {apart}");
        }
    }
}
