//! Blocks: the lines of a long file of polls, parsed on several threads and returned in order.
//!
//! A block is whole lines without a quote, so it can be cut at any line end. The general path takes all other
//! lines (see [`Records::take_lines`](super::records::Records)). [`Rows`] reads a block like any input: lines
//! count from 1, and stores in the order in which the thread met them. The receiver of the block adds the
//! lines and ids before it.

use std::io;
use std::sync::Arc;
use std::thread::Scope;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::header::Layout;
use super::interner::Interner;
use super::kind::Value;
use super::problem::{BadRow, InputError};
use super::rows::{Counts, Rows};
use super::runs::{PollRow, sorted};
use crate::parallel;

/// More threads than these would wait for the disk, or for the thread that collects the blocks.
const THREADS_MAX: usize = 4;

/// The typical length of a poll's line; ids are mostly longer than a few digits.
const ROW_BYTES: usize = 48;

/// How a long input is divided.
#[derive(Clone, Copy, Debug)]
pub struct Division {
    /// How many threads parse; with fewer than two, nothing is divided.
    pub threads: usize,
    /// The least size of a block, unless the input ends or cannot be cut.
    pub block_bytes: usize,
    /// How many rows the caller's thread reads before the first block, and again after lines that could not
    /// be cut: a small input should not wait for threads.
    pub rows_before: u64,
}

impl Default for Division {
    fn default() -> Self {
        Self {
            threads: parallel::threads().min(THREADS_MAX),
            block_bytes: 1 << 20,
            rows_before: 1 << 14,
        }
    }
}

/// The rows of a block.
pub(super) struct Block {
    /// Sorted by instant and store; a store is an index into the thread's own list of ids.
    pub(super) polls: Vec<PollRow>,
    /// The ids that the thread had not met before.
    pub(super) ids: Vec<Box<str>>,
    /// The line of each of them.
    pub(super) id_lines: Vec<u32>,
    /// The number of the thread.
    pub(super) thread: usize,
    /// The rows that were refused, in their order.
    pub(super) bad: Vec<BadRow>,
    pub(super) counts: Counts,
    /// The buffer of the lines, for reuse.
    pub(super) lines: Vec<u8>,
}

/// Lines for a thread to parse, and the channel for their block.
struct Unparsed {
    lines: Vec<u8>,
    bytes: usize,
    layout: Arc<Layout>,
    answer: Sender<Result<Block, InputError>>,
}

/// The threads that parse blocks; there are none before the first block.
pub(super) struct ParserPool<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    pub(super) division: Division,
    queue: Option<Sender<Unparsed>>,
    /// The ids that were met, if there is no thread.
    here: Option<Interner>,
}

impl<'scope, 'env> ParserPool<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, division: Division) -> Self {
        Self {
            scope,
            division,
            queue: None,
            here: None,
        }
    }

    /// How many blocks keep all threads busy while the caller collects one.
    pub(super) fn blocks_max(&self) -> usize {
        self.division.threads * 2
    }

    /// Has the first `bytes` bytes of `lines` parsed; the receiver gives the block.
    pub(super) fn parse(
        &mut self,
        lines: Vec<u8>,
        bytes: usize,
        layout: &Arc<Layout>,
    ) -> Receiver<Result<Block, InputError>> {
        let (answer, block) = bounded(1);
        let layout = Arc::clone(layout);
        let unparsed = Unparsed {
            lines,
            bytes,
            layout,
            answer,
        };
        let queue = self.queue.take().unwrap_or_else(|| self.start());
        match (&queue, &mut self.here) {
            (_, Some(ids)) => unparsed.parse(0, ids),
            // The send fails only after the thread has panicked; then no block comes either.
            (queue, None) => drop(queue.send(unparsed)),
        }
        self.queue = Some(queue);
        block
    }

    /// Starts the threads; if the system gives none, blocks are parsed here.
    fn start(&mut self) -> Sender<Unparsed> {
        let (send, queue) = bounded::<Unparsed>(self.blocks_max());
        let start = |thread| {
            parallel::start(self.scope, queue.clone(), move |queue| {
                let mut ids = Interner::default();
                for unparsed in queue {
                    unparsed.parse(thread, &mut ids);
                }
            })
        };
        let threads = (0..self.division.threads).map_while(|thread| start(thread).ok());
        if threads.count() == 0 {
            self.here = Some(Interner::default());
        }
        send
    }
}

impl Unparsed {
    /// Parses the lines on the pool's thread of this number, which has met `ids`.
    fn parse(self, thread: usize, ids: &mut Interner) {
        let layout = self.layout.as_ref().clone();
        let rows = Rows::of_lines(self.lines, self.bytes, layout);
        let block = rows.and_then(|rows| parse(rows, self.bytes, thread, ids));
        // A failed call has dropped the receiver.
        let _ = self.answer.send(block);
    }
}

/// Reads every row of a block.
fn parse(mut rows: Rows<io::Empty>, bytes: usize, thread: usize, ids: &mut Interner) -> Result<Block, InputError> {
    let mut polls = Vec::with_capacity(bytes / ROW_BYTES);
    let (mut bad, mut id_lines, ids_before) = (Vec::new(), Vec::new(), ids.len());
    while let Some(row) = rows.next_row()? {
        match row {
            Ok(row) => {
                if let Value::Polls(poll) = row.value {
                    let store = ids.place(row.store_id).map_err(io::Error::other)?;
                    if ids.len() > ids_before + id_lines.len() {
                        id_lines.push(u32::try_from(row.line).unwrap_or(u32::MAX));
                    }
                    polls.push(PollRow::new(store, row.line, poll));
                }
            }
            Err(row) => bad.push(*row),
        }
    }
    // Sorted here, while the rows are still in the processor's cache.
    let mut polls = sorted(polls);
    polls.shrink_to_fit();
    let (counts, lines) = rows.finish();
    Ok(Block {
        polls,
        ids: ids.take_new(),
        id_lines,
        thread,
        bad,
        counts,
        lines,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::super::batch::{Batch, read_by};
    use super::super::machine_time::MachineTime;
    use super::super::problem::Note;
    use super::super::source::{Refusal, Source};
    use super::super::trickle::Trickle;
    use super::*;
    use crate::error::Result;
    use crate::scratch::Scratch;
    use crate::uptime::interval::Micros;

    /// 2026-01-01T00:00:00Z.
    const LATEST_US: Micros = 1_767_225_600_000_000;

    const SERIAL: Division = Division {
        threads: 1,
        block_bytes: 1,
        rows_before: 0,
    };

    /// Everything that a reading gives.
    #[derive(Debug, PartialEq)]
    struct Said {
        ids: Vec<Box<str>>,
        polls: Vec<PollRow>,
        bad: Vec<(String, BadRow)>,
        rejected: u64,
        span: Option<(Micros, Micros)>,
        notes: Vec<(String, Note)>,
        refused: Option<String>,
    }

    fn read(files: &[&[u8]], step: usize, division: Division) -> Said {
        let sources = files
            .iter()
            .zip(1..)
            .map(|(&file, number)| Source::new(format!("{number}.csv"), Trickle(file, step)));
        let mut bad = Vec::new();
        let mut reject = |name: &str, row: BadRow| {
            bad.push((name.to_owned(), row));
            Ok(())
        };
        let batch = read_by(
            division,
            sources,
            MachineTime::until(LATEST_US),
            &Scratch::unbounded(Path::new(".")),
            &mut reject,
        );
        match batch {
            Ok(mut batch) => {
                let sorted = batch.take_polls().into_sorted().expect("memory");
                let Batch { notes, ids, .. } = batch;
                Said {
                    ids,
                    polls: sorted.collect::<Result<_>>().expect("memory"),
                    bad,
                    rejected: batch.rejected,
                    span: batch.span,
                    notes: notes.into_iter().map(|note| (note.source, note.note)).collect(),
                    refused: None,
                }
            }
            Err(Refusal::File { source, file }) => Said {
                ids: Vec::new(),
                polls: Vec::new(),
                bad,
                rejected: 0,
                span: None,
                notes: Vec::new(),
                refused: Some(file.in_file(&source)),
            },
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    fn check(files: &[&[u8]], step: usize, division: Division) {
        let serial = read(files, usize::MAX, SERIAL);
        assert_eq!(read(files, step, division), serial, "{division:?}, by {step}");
    }

    /// A line of a file of polls. Stores and instants are few, so that rows repeat and contradict each other.
    fn line() -> impl Strategy<Value = String> {
        let id = prop_oneof![
            8 => "[1-9]",
            2 => "[ab]{1,2}",
            1 => Just("é".to_owned()),
            1 => Just(" 7 ".to_owned()),
            1 => Just(String::new()),
            1 => Just("\"7\"".to_owned()),
            1 => Just("\"a,\"\"b\n\"".to_owned()),
            1 => Just("x\"".to_owned()),
            1 => Just("a\0".to_owned()),
        ];
        let at = prop_oneof![
            8 => "2025-01-0[12] 00:00:0[0-3] UTC",
            2 => "2025-01-01 00:00:00.[01]{1,7} UTC",
            1 => Just("2025-01-01T02:00:00+02:00".to_owned()),
            1 => Just("2027-01-01 00:00:00 UTC".to_owned()),
            1 => Just("yesterday".to_owned()),
        ];
        let status = prop_oneof![
            8 => "(in)?active",
            1 => Just("Active".to_owned()),
            1 => Just("up".to_owned()),
        ];
        let end = prop_oneof![
            8 => Just("\n"),
            2 => Just("\r\n"),
            1 => Just("\r"),
            1 => Just("\n\n"),
            1 => Just(" \t\r\n"),
            1 => Just(",\n"),
        ];
        (id, at, status, end).prop_map(|(id, at, status, end)| format!("{id},{at},{status}{end}"))
    }

    fn file() -> impl Strategy<Value = String> {
        let header = prop_oneof!["\n", "\r\n", "\r"];
        let tail = prop_oneof![
            4 => Just(""),
            2 => Just("5,2025-01-01 00:00:00 UTC,active"),
            1 => Just("\"never closed"),
            1 => Just("\r"),
            1 => Just(" "),
        ];
        (header, prop::collection::vec(line(), 0..40), tail)
            .prop_map(|(header, lines, tail)| format!("store_id,timestamp_utc,status{header}{}{tail}", lines.concat()))
    }

    fn division() -> impl Strategy<Value = Division> {
        (2..5_usize, 1..400_usize, 0..9_u64).prop_map(|(threads, block_bytes, rows_before)| Division {
            threads,
            block_bytes,
            rows_before,
        })
    }

    proptest! {
        #[test]
        fn blocks_of_any_size_on_any_threads_say_what_one_thread_says(
            files in prop::collection::vec(file(), 1..3),
            step in 1..200_usize,
            division in division(),
        ) {
            let files: Vec<_> = files.iter().map(|file| file.as_bytes()).collect();
            check(&files, step, division);
        }

        #[test]
        fn whatever_the_bytes_are(
            text in "[1a,\"\n\r\0é ]{0,80}",
            step in 1..20_usize,
            division in division(),
        ) {
            let file = format!("store_id,timestamp_utc,status\n{text}");
            check(&[file.as_bytes()], step, division);
        }
    }

    #[test]
    fn a_line_too_long_for_the_buffer_is_one_bad_row() {
        let row = "1,2025-01-01 00:00:00 UTC,active\n";
        for length in [65_536, 65_537, 262_143, 262_144, 1_000_000] {
            let long = "x".repeat(length);
            let file = format!("store_id,timestamp_utc,status\n{row}{long}\n{row}{row}");
            for block_bytes in [1, 100, 1 << 20] {
                let division = Division {
                    threads: 2,
                    block_bytes,
                    rows_before: 1,
                };
                check(&[file.as_bytes()], usize::MAX, division);
                check(&[file.as_bytes()], 4099, division);
            }
        }
    }

    #[test]
    fn an_archive_that_ends_too_early_is_refused_behind_the_same_rows() {
        let row = "1,2025-01-01 00:00:00 UTC,active\n";
        let file = format!(
            "store_id,timestamp_utc,status\n1,yesterday,active\n{}",
            row.repeat(40_000)
        );
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(file.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        for block_bytes in [1000, 1 << 20] {
            let division = Division {
                threads: 3,
                block_bytes,
                rows_before: 2,
            };
            check(&[&packed], 4099, division);
            let torn = &packed[..packed.len() - 9];
            let said = read(&[torn], 4099, division);
            assert!(said.refused.is_some() && said.bad.len() == 1);
            check(&[torn], 4099, division);
        }
    }
}
