//! Sorting more polls than memory should hold: sorted runs, spooled to disk, merged as they are read.
//!
//! It must never know files of input or tables: rows go in, the same rows come out, sorted by instant
//! and store, and rows of one store at one instant in the order they came in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::uptime::interval::Micros;
use crate::uptime::poll::{Poll, Status};

/// How many rows are kept in memory before they are sorted and spooled: 64 MiB of them.
const MEMORY_ROWS_MAX: usize = 4 << 20;

/// A spooled row's bytes.
const ROW_BYTES: usize = 16;

/// How much of each spooled run is read at once.
const READ_BYTES: usize = 1 << 20;

/// A poll as the input has it: its store is a place in the input's own list of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRow {
    /// When, and what was answered.
    pub poll: Poll,
    /// The store, as a place in the input's list of ids.
    pub store: u32,
    /// The line it stands on; the last that fits where the file is longer.
    pub line: u32,
}

impl PollRow {
    /// What rows are sorted by.
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
        let status = if at & 1 == 1 {
            Status::Active
        } else {
            Status::Inactive
        };
        Self {
            poll: Poll::new(at >> 1, status),
            store: u32::from_le_bytes([s0, s1, s2, s3]),
            line: u32::from_le_bytes([l0, l1, l2, l3]),
        }
    }
}

/// Rows on their way to being sorted.
#[derive(Debug)]
pub struct Runs {
    /// Where spooled runs go: beside the database, whose disk must have room for them anyway.
    folder: PathBuf,
    /// Sorted runs, one after another in the order they came.
    memory: Vec<PollRow>,
    /// Where each of them begins; each is longer than the one behind it.
    starts: Vec<usize>,
    memory_rows_max: usize,
    spooled: Vec<File>,
    rows: u64,
}

impl Runs {
    /// No rows yet; more than memory should hold are spooled to `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            memory: Vec::new(),
            starts: Vec::new(),
            memory_rows_max: MEMORY_ROWS_MAX,
            spooled: Vec::new(),
            rows: 0,
        }
    }

    /// Takes a chunk of rows that come after all before it.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub fn push(&mut self, mut chunk: Vec<PollRow>) -> Result<()> {
        // Stable: the order in which rows of one store and instant came in decides which stands.
        chunk.sort_by_key(PollRow::key);
        self.rows += chunk.len() as u64;
        self.starts.push(self.memory.len());
        self.memory.extend(chunk);
        // Runs of like length become one here, beside the parser, and few are left for the end. The
        // sort finds the sorted runs and merges them.
        while let [.., before, last] = self.starts[..]
            && last - before <= self.memory.len() - last
        {
            self.starts.pop();
            self.memory[before..].sort_by_key(PollRow::key);
        }
        if self.memory.len() >= self.memory_rows_max {
            self.spool().map_err(unspooled)
        } else {
            Ok(())
        }
    }

    /// How many rows were taken.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether no row was taken.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Every row, sorted by instant and store.
    ///
    /// # Errors
    /// When the spool cannot be written; each row may then tell that it cannot be read.
    pub fn into_sorted(mut self) -> Result<Box<dyn Iterator<Item = Result<PollRow>>>> {
        if self.spooled.is_empty() {
            self.memory.sort_by_key(PollRow::key);
            return Ok(Box::new(self.memory.into_iter().map(Ok)));
        }
        self.spool().map_err(unspooled)?;
        let merge = Merge::new(self.spooled).map_err(unspooled)?;
        Ok(Box::new(merge.map(|row| row.map_err(unspooled))))
    }

    /// Moves the rows in memory to a run on disk, a file without a name that goes when it is closed.
    fn spool(&mut self) -> io::Result<()> {
        self.memory.sort_by_key(PollRow::key);
        self.starts.clear();
        let mut file = BufWriter::with_capacity(READ_BYTES, tempfile::tempfile_in(&self.folder)?);
        for row in self.memory.drain(..) {
            file.write_all(&row.to_bytes())?;
        }
        let mut file = file.into_inner()?;
        file.rewind()?;
        self.spooled.push(file);
        Ok(())
    }
}

fn unspooled(error: io::Error) -> Error {
    Error::failed("rows cannot be spooled beside the database (is there room?)").because(error)
}

/// The rows of sorted runs, merged; at equal keys an earlier run comes first.
struct Merge {
    runs: Vec<BufReader<File>>,
    /// The next row of each run that has one: smallest key, then earliest run, on top.
    next: BinaryHeap<Reverse<((Micros, u32), usize)>>,
    heads: Vec<Option<PollRow>>,
}

impl Merge {
    fn new(files: Vec<File>) -> io::Result<Self> {
        let runs: Vec<_> = files
            .into_iter()
            .map(|file| BufReader::with_capacity(READ_BYTES, file))
            .collect();
        let heads = vec![None; runs.len()];
        let mut merge = Self {
            next: BinaryHeap::with_capacity(runs.len()),
            heads,
            runs,
        };
        for run in 0..merge.runs.len() {
            merge.refill(run)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, run: usize) -> io::Result<()> {
        let mut bytes = [0; ROW_BYTES];
        match self.runs[run].read_exact(&mut bytes) {
            Ok(()) => {
                let row = PollRow::from_bytes(bytes);
                self.heads[run] = Some(row);
                self.next.push(Reverse((row.key(), run)));
                Ok(())
            }
            // Runs are whole rows: this is where one ends.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Iterator for Merge {
    type Item = io::Result<PollRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((_, run)) = self.next.pop()?;
        let row = self.heads[run].take()?;
        Some(self.refill(run).map(|()| row))
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
                ..Runs::new(folder.path())
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
}
