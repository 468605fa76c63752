//! Judging: reads every row of a call's inputs, checks it against the others, and sorts the polls for writing.
//!
//! It uses no database, so a long input blocks no other call.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::archive::{self, Opened};
use super::blocks::{Block, Division, ParserPool};
use super::header::Layout;
use super::interner::Interner;
use super::kind::{Collected, Kind, Sibling, Siblings, Value, Verdict};
use super::machine_time::MachineTime;
use super::options::{NewStores, ReadOptions};
use super::problem::{BadRow, Code, Note, Notes, excerpt};
use super::rows::{Corrections, Format, Row, Rows};
use super::runs::{PollRow, Runs};
use super::sorter::Sorter;
use super::source::{BAD_ROWS_TOLD, Refusal, Source, SourceBadRow, SourceNote};
use crate::db::schedules::HoursMode;
use crate::error::{Error, Result};
use crate::scratch::Scratch;
use crate::uptime::interval::Micros;

/// How many polls a chunk has that the sorter takes while the parser goes on.
const CHUNK_ROWS: usize = 1 << 18;

/// How many rows are read between two updates of [`Source::watched`].
const WATCHED_ROWS: u64 = 4096;

/// One of a call's inputs.
#[derive(Clone)]
struct InputRead {
    name: String,
    layout: Layout,
}

/// The good rows of a call's inputs, ready to be written.
#[derive(Default)]
pub struct Batch {
    /// The ids that rows name; a store is an index into this list.
    pub(super) ids: Vec<Box<str>>,
    /// For each of them the input and the line that named it first.
    pub(super) named: Vec<(u32, u32)>,
    /// Which of them may be new.
    pub(super) new_stores: NewStores,
    pub(super) polls: Runs,
    pub(super) collected: Collected,
    /// The inputs, in order.
    inputs: Vec<InputRead>,
    /// What new hours of a store replace.
    pub(super) hours: HoursMode,
    /// Rows that are good.
    pub(super) rows_good: u64,
    /// Rows that repeat another one of the same call, and so change nothing.
    pub(super) repeats: u64,
    /// Rows that were refused.
    pub rejected: u64,
    /// The first [`BAD_ROWS_TOLD`] of them.
    pub bad_rows: Vec<SourceBadRow>,
    /// The notes, by input.
    pub notes: Vec<SourceNote>,
    /// The first and the last poll, in microseconds since 1970 UTC; none without polls.
    pub span: Option<(Micros, Micros)>,
    /// The name of the last input with polls, for notes that need sorted polls.
    pub(super) polls_source: String,
}

impl Batch {
    pub(super) fn take_polls(&mut self) -> Runs {
        mem::take(&mut self.polls)
    }

    /// The name of the last input.
    pub(super) fn source_last(&self) -> &str {
        self.inputs.last().map_or("", |input| &input.name)
    }

    /// The refusal of the id at `place`, which is new and may not be.
    pub(super) fn refuse_store(&self, place: usize, id: &str) -> Refusal {
        let (input, line) = self.named.get(place).copied().unwrap_or_default();
        let source = self.inputs.get(input as usize).map_or("", |input| &input.name);
        let value = excerpt(id.as_bytes());
        let (code, reason) = match self.new_stores {
            NewStores::UpTo(stores) => (
                Code::TooManyStores,
                format!(
                    "the store `{value}` is one more than the {stores} that the database may have (correct the ids, \
                     delete stores that are gone, or start with --max-stores for more)"
                ),
            ),
            NewStores::None => (
                Code::StoreUnknown,
                format!(
                    "there is no store `{value}`, and this token may name no new one (correct the id, or have the \
                     store loaded first by someone who may)"
                ),
            ),
        };
        Refusal::Store {
            source: source.to_owned(),
            bad: Box::new(BadRow {
                line: line.into(),
                column: Some("store_id"),
                field: None,
                code,
                value,
                reason,
                raw: Vec::new(),
                store_id: Some(id.into()),
            }),
        }
    }

    /// Refuses the good rows of every store that has a bad row of a kind that is taken whole; `reject` receives them.
    ///
    /// # Errors
    /// Those of `reject`.
    pub(super) fn refuse_siblings(&mut self, reject: &mut dyn FnMut(&str, BadRow) -> Result<()>) -> Result<()> {
        for Siblings { rows, repeats } in self.collected.take_refused() {
            self.repeats -= repeats;
            self.rows_good -= rows.len() as u64;
            for Sibling {
                source,
                mut bad,
                store,
                texts,
            } in rows
            {
                let InputRead { name, layout } = self.inputs[source as usize].clone();
                let id = &self.ids[store as usize];
                let texts: Vec<&str> = std::iter::once(&**id).chain(texts.iter().map(String::as_str)).collect();
                bad.raw = layout.record(&texts);
                bad.store_id = Some(id.clone());
                self.refuse(&name, layout.written(), &bad);
                reject(&name, bad)?;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, source: &str, columns: &Arc<[String]>, bad: &BadRow) {
        self.rejected += 1;
        if self.bad_rows.len() < BAD_ROWS_TOLD {
            self.bad_rows.push(SourceBadRow {
                source: source.to_owned(),
                bad: bad.clone(),
                columns: Arc::clone(columns),
            });
        }
    }
}

/// Reads and judges every row of the inputs.
///
/// Bad rows are counted and go to `reject` with the input's name; the caller decides whether they refuse the
/// call. `time` says which polls are in the future. Polls that memory should not hold are spooled to `scratch`.
///
/// # Errors
/// An input that has no rows of a known kind or cannot be read; those of `reject`.
pub fn read<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    time: MachineTime,
    scratch: &Scratch,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
) -> Result<Batch, Refusal> {
    read_by(Division::default(), sources, time, scratch, reject)
}

/// [`read`] with a given division of long inputs, which does not change the result.
///
/// # Errors
/// As for [`read`].
pub fn read_by<'a>(
    division: Division,
    sources: impl IntoIterator<Item = Source<'a>>,
    time: MachineTime,
    scratch: &Scratch,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
) -> Result<Batch, Refusal> {
    thread::scope(|scope| {
        let mut sorter = Sorter::new(scope, Runs::new(scratch));
        let mut reader = Reader {
            places: vec![Vec::new(); division.threads],
            pool: ParserPool::new(scope, division),
            ids: Interner::default(),
            send: |chunk| sorter.push(chunk),
            time,
            scratch,
            reject,
            batch: Batch::default(),
        };
        let read = sources.into_iter().try_for_each(|source| reader.source(source));
        let Reader { mut ids, mut batch, .. } = reader;
        // If both failed, the parser stopped because of the sorter's error.
        batch.polls = sorter.finish(mem::take(&mut batch.collected.polls.0))?;
        batch.ids = ids.take_new();
        read.map(|()| batch)
    })
}

/// How the inputs of a source are to be read.
struct Terms<'a> {
    expected: Option<Kind>,
    format: Format,
    bytes_max: u64,
    watched: Option<&'a AtomicU64>,
    options: ReadOptions,
    corrections: &'a HashMap<String, Corrections>,
}

/// The parsing half of [`read`].
struct Reader<'r, 'scope, 'env, S> {
    pool: ParserPool<'scope, 'env>,
    ids: Interner,
    /// For each thread of the pool, the indexes of the ids that it has met.
    places: Vec<Vec<u32>>,
    /// Sends a chunk of polls to the sorter.
    send: S,
    time: MachineTime,
    scratch: &'r Scratch,
    reject: &'r mut dyn FnMut(&str, BadRow) -> Result<()>,
    batch: Batch,
}

impl<S: FnMut(Vec<PollRow>) -> Result<()>> Reader<'_, '_, '_, S> {
    /// Reads a source: one input, or the members of an archive.
    fn source(&mut self, source: Source<'_>) -> Result<(), Refusal> {
        let Source {
            name, bytes, bytes_max, ..
        } = source;
        self.batch.new_stores = source.options.new_stores;
        let terms = Terms {
            expected: source.expected,
            format: source.format,
            bytes_max,
            watched: source.watched,
            options: ReadOptions {
                latest: self.time.latest(),
                machine: self.time.at,
                ..source.options
            },
            corrections: &source.corrections,
        };
        // No archive holds JSON, so its bytes are refused as those of any other file.
        if terms.format != Format::Csv {
            return self.input(&name, bytes, &terms);
        }
        let opened = archive::open(bytes, self.scratch, bytes_max).map_err(|error| Refusal::new(&name, error))?;
        match opened {
            Opened::Single(bytes) => self.input(&name, bytes, &terms),
            Opened::Outfile(text) => self.input(&name, text, &terms),
            Opened::Dump(dump) => {
                let others = dump.each(
                    &mut |table, text| self.input(&format!("{name}, table \"{table}\""), text, &terms),
                    &|error| Refusal::new(&name, error),
                )?;
                if !others.is_empty() {
                    let note = Note {
                        code: Code::ExtraTable,
                        count: others.len() as u64,
                        line: None,
                        names: others,
                    };
                    self.batch.notes.push(SourceNote { source: name, note });
                }
                Ok(())
            }
            Opened::Archive(archive) => archive.each(&name, &mut |member, text| match text {
                Some(text) => self.input(member, text, &terms),
                None => {
                    let (source, note) = (
                        member.to_owned(),
                        Note {
                            code: Code::NoRows,
                            count: 1,
                            line: None,
                            names: Vec::new(),
                        },
                    );
                    self.batch.notes.push(SourceNote { source, note });
                    Ok(())
                }
            }),
        }
    }

    fn input(&mut self, name: &str, bytes: impl Read, terms: &Terms<'_>) -> Result<(), Refusal> {
        let in_file = |error| Refusal::new(name, error);
        let Terms {
            format,
            expected,
            watched,
            options,
            ..
        } = *terms;
        let mut input = Rows::open(bytes, format, expected, options, terms.bytes_max).map_err(in_file)?;
        let kind = input.kind();
        let number = u32::try_from(self.batch.inputs.len()).unwrap_or(u32::MAX);
        self.batch.inputs.push(InputRead {
            name: name.to_owned(),
            layout: input.layout().clone(),
        });
        self.batch.collected.begin(kind, number);
        if kind == Kind::Polls {
            name.clone_into(&mut self.batch.polls_source);
        }
        let Division {
            threads, rows_before, ..
        } = self.pool.division;
        let corrections = terms.corrections.get(name);
        if let Some(corrections) = corrections {
            input.correct(corrections);
        }
        let divides = kind == Kind::Polls && format == Format::Csv && threads > 1 && corrections.is_none();
        let (mut notes, mut rows, mut rows_left) = (Notes::default(), 0, rows_before);
        loop {
            if divides && rows_left == 0 {
                self.blocks(&mut input, name, watched)?;
                rows_left = rows_before.max(1);
            }
            let Some(row) = input.next_row().map_err(in_file)? else {
                break;
            };
            rows_left = rows_left.saturating_sub(1);
            rows += 1;
            if rows == WATCHED_ROWS
                && let Some(watched) = watched
            {
                watched.fetch_add(mem::take(&mut rows), Ordering::Relaxed);
            }
            let bad = match row {
                Ok(row) => self.row(row, &mut notes)?,
                Err(bad) => Some(bad),
            };
            if let Some(bad) = bad {
                self.bad(kind, *bad)?;
            }
        }
        notes.merge(&input.notes());
        let ended = self.batch.collected.end(kind, &options, &mut notes);
        ended.map_err(|file| in_file(file.into()))?;
        let note = |note: &Note| SourceNote {
            source: name.to_owned(),
            note: note.clone(),
        };
        self.batch.notes.extend(notes.iter().map(note));
        Ok(())
    }

    /// Reads all rows that can be parsed in blocks from here on.
    fn blocks(&mut self, input: &mut Rows<impl Read>, name: &str, watched: Option<&AtomicU64>) -> Result<(), Refusal> {
        let layout = Arc::new(input.layout().clone());
        let bytes_min = self.pool.division.block_bytes;
        let (mut blocks, mut spare) = (VecDeque::new(), Vec::new());
        let mut more = true;
        loop {
            while more && blocks.len() < self.pool.blocks_max() {
                let mut lines = spare.pop().unwrap_or_default();
                let bytes = input.take_lines(bytes_min, &mut lines);
                more = bytes >= bytes_min;
                if bytes > 0 {
                    blocks.push_back(self.pool.parse(lines, bytes, &layout));
                }
            }
            let Some(block) = blocks.pop_front() else {
                return Ok(());
            };
            let block = block
                .recv()
                .map_err(|_| Error::failed("the rows could not be parsed"))?
                .map_err(|error| Refusal::new(name, error))?;
            if let Some(watched) = watched {
                watched.fetch_add(block.counts.rows, Ordering::Relaxed);
            }
            spare.push(self.block(block, input)?);
        }
    }

    /// Adds the rows of a block, and returns the buffer of its lines.
    fn block(&mut self, mut block: Block, input: &mut Rows<impl Read>) -> Result<Vec<u8>, Refusal> {
        let before = input.pass(&block.counts);
        let line_before = u32::try_from(before).unwrap_or(u32::MAX);
        let mut named = Vec::with_capacity(block.ids.len());
        for (id, line) in block.ids.iter().zip(block.id_lines) {
            named.push(self.store(id, line.saturating_add(line_before).into())?);
        }
        let places = &mut self.places[block.thread];
        places.extend(named);
        self.batch.rows_good += block.polls.len() as u64;
        for row in &mut block.polls {
            row.store = places[row.store as usize];
            row.line = row.line.saturating_add(line_before);
        }
        if let (Some(first), Some(last)) = (block.polls.first(), block.polls.last()) {
            self.span(first.poll.at(), last.poll.at());
            // Rows collected before the block go to the sorter first.
            let chunk = mem::take(&mut self.batch.collected.polls.0);
            if !chunk.is_empty() {
                (self.send)(chunk)?;
            }
            (self.send)(block.polls)?;
        }
        for mut bad in block.bad {
            bad.line += before;
            self.bad(input.kind(), bad)?;
        }
        Ok(block.lines)
    }

    fn span(&mut self, from: Micros, to: Micros) {
        let (first, last) = self.batch.span.unwrap_or((from, to));
        self.batch.span = Some((first.min(from), last.max(to)));
    }

    /// The place of a store among the ids of the call; `line` names it. More ids than the database may have stores are
    /// refused at once: they would fill the memory first.
    fn store(&mut self, id: &str, line: u64) -> Result<u32, Refusal> {
        let place = self.ids.place(id)?;
        let batch = &mut self.batch;
        if self.ids.len() > batch.named.len() {
            let input = batch.inputs.len().saturating_sub(1);
            let input = u32::try_from(input).unwrap_or(u32::MAX);
            batch.named.push((input, u32::try_from(line).unwrap_or(u32::MAX)));
            let is_one_more = matches!(batch.new_stores, NewStores::UpTo(stores) if self.ids.len() as u64 > stores);
            if is_one_more {
                return Err(batch.refuse_store(place as usize, id));
            }
        }
        Ok(place)
    }

    /// Adds one good row; returns it as a bad row if it contradicts another one of the same call.
    fn row(&mut self, row: Row<'_>, notes: &mut Notes) -> Result<Option<Box<BadRow>>, Refusal> {
        let store = self.store(row.store_id, row.line)?;
        match self.batch.collected.take(store, row.line, row.value) {
            Verdict::New => {}
            Verdict::Repeat => {
                self.batch.repeats += 1;
                notes.add(Code::Duplicate, Some(row.line));
            }
            Verdict::More => self.batch.repeats += 1,
            Verdict::Conflict(bad) => {
                let raw = row.raw.to_vec();
                let store_id = Some(row.store_id.into());
                return Ok(Some(Box::new(BadRow { raw, store_id, ..*bad })));
            }
        }
        self.batch.rows_good += 1;
        if let Value::Polls(poll) = row.value {
            self.span(poll.at(), poll.at());
            let chunk = &mut self.batch.collected.polls.0;
            if chunk.len() == CHUNK_ROWS {
                let next = Vec::with_capacity(CHUNK_ROWS);
                (self.send)(mem::replace(chunk, next))?;
            }
        }
        Ok(None)
    }

    /// Refuses a row of the current input.
    fn bad(&mut self, kind: Kind, bad: BadRow) -> Result<(), Refusal> {
        let store = match (&bad.store_id, kind) {
            (Some(id), kind) if kind.description().is_whole => Some(self.store(id, bad.line)?),
            _ => None,
        };
        self.batch.collected.refuse(kind, store, &bad);
        let Some(InputRead { name, layout }) = self.batch.inputs.last().cloned() else {
            return Ok(());
        };
        self.batch.refuse(&name, layout.written(), &bad);
        Ok((self.reject)(&name, bad)?)
    }
}
