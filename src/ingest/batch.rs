//! Judging: every row of a call's inputs, read beside the others, sorted, ready to be written.
//!
//! It needs no database, so a long input keeps nobody waiting. It must never know SQLite, terminals
//! or HTTP; [`load`](super::load) writes what comes out.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::blocks::{Block, Crew, Pace};
use super::header::Kind;
use super::interner::Interner;
use super::overlap::overlapping;
use super::parser::{Format, Parser, Rows};
use super::problem::{BadFile, BadRow, Code, InputError, Note, Notes};
use super::row::{Parsed, Row, conflict};
use super::runs::{PollRow, Runs};
use super::sorter::Sorter;
use crate::db::fleet::Label;
use crate::error::{Error, Result};
use crate::uptime::business_hours::WeeklyRow;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

/// How many polls are handed over at once to be sorted while the next are parsed.
const CHUNK_ROWS: usize = 1 << 18;

/// How many rows are read between two words to those who watch.
const WATCHED_ROWS: u64 = 4096;

/// One input: a name to call it by, and its bytes.
pub struct Source<'a> {
    /// What errors and notes call it.
    pub name: String,
    /// The bytes, plain or gzip'd.
    pub bytes: Box<dyn Read + Send + 'a>,
    /// What it must be; none: its header tells, so it is CSV.
    pub expected: Option<Kind>,
    /// How its rows are written.
    pub format: Format,
    /// How many bytes of text it may have, unpacked.
    pub bytes_max: u64,
    /// Told of every few thousand rows that were read, for those who watch.
    pub watched: Option<&'a AtomicU64>,
}

impl<'a> Source<'a> {
    /// CSV that its header tells the kind of.
    pub fn new(name: impl Into<String>, bytes: impl Read + Send + 'a) -> Self {
        Self {
            name: name.into(),
            bytes: Box::new(bytes),
            expected: None,
            format: Format::Csv,
            bytes_max: u64::MAX,
            watched: None,
        }
    }
}

/// A note about one of a call's inputs.
#[derive(Clone, Debug)]
pub struct SourceNote {
    /// The input's name.
    pub source: String,
    /// What was made of it.
    pub note: Note,
}

/// Everything that good rows of a call's inputs say, ready to be written.
pub struct Batch {
    /// The ids that rows name; a store is a place in this list.
    pub(super) ids: Vec<Box<str>>,
    pub(super) polls: Runs,
    /// Each row once, with the line it stands on first.
    pub(super) hours: HashMap<u32, BTreeMap<WeeklyRow, u64>>,
    pub(super) zones: HashMap<u32, Box<str>>,
    pub(super) labels: HashMap<u32, Label>,
    /// Rows that repeat one of the same call, and so change nothing.
    pub(super) repeats: u64,
    /// Rows that were refused.
    pub rejected: u64,
    /// What was normalised, by input.
    pub notes: Vec<SourceNote>,
    /// From the first poll to the last, in microseconds since 1970 UTC; none without polls.
    pub span: Option<(Micros, Micros)>,
    /// The name of the last input with polls, for notes that only sorting can give.
    pub(super) polls_source: String,
}

impl Batch {
    pub(super) fn take_polls(&mut self) -> Runs {
        mem::take(&mut self.polls)
    }
}

/// Why a call's inputs were not read to their end.
#[derive(Debug)]
pub enum ReadError {
    /// One of them is no input at all: the caller's mistake.
    Refused {
        /// Its name.
        source: String,
        /// What is wrong with it.
        file: BadFile,
    },
    /// The disk, the connection or the program failed.
    Failed(Error),
}

impl ReadError {
    fn new(source: &str, error: InputError) -> Self {
        match error {
            InputError::Refused(file) => Self::Refused {
                source: source.to_owned(),
                file,
            },
            error @ InputError::Io(_) => Self::Failed(error.in_file(source)),
        }
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused { source, file } => InputError::Refused(file).in_file(&source),
            ReadError::Failed(error) => error,
        }
    }
}

/// Reads and judges every row of the inputs.
///
/// Bad rows go to `reject`, with the input's name, and are counted; whether they refuse the call is
/// the caller's to decide. No poll may be later than `latest`. Polls that memory should not hold are
/// spooled to `folder`.
///
/// # Errors
/// An input that has no rows of ours or cannot be read; those of `reject`.
pub fn read<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    latest: Micros,
    folder: &Path,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
) -> Result<Batch, ReadError> {
    read_at(Pace::default(), sources, latest, folder, reject)
}

/// [`read`] that divides long inputs as `pace` says, which changes nothing of what comes out.
///
/// # Errors
/// As for [`read`].
pub fn read_at<'a>(
    pace: Pace,
    sources: impl IntoIterator<Item = Source<'a>>,
    latest: Micros,
    folder: &Path,
    reject: &mut dyn FnMut(&str, BadRow) -> Result<()>,
) -> Result<Batch, ReadError> {
    thread::scope(|scope| {
        let mut sorter = Sorter::new(scope, Runs::new(folder));
        let crew = Crew::new(scope, pace, latest);
        let mut reader = Reader::new(latest, crew, reject, |chunk| sorter.push(chunk));
        let read = sources
            .into_iter()
            .try_for_each(|source| reader.source(source));
        let (last, batch) = reader.finish();
        // Where both failed, the parser stopped because the sorter had.
        let polls = sorter.finish(last)?;
        read.map(|()| Batch { polls, ..batch })
    })
}

/// The parsing half of [`read`].
struct Reader<'r, 'scope, 'env, S> {
    crew: Crew<'scope, 'env>,
    ids: Interner,
    /// For each thread of the crew, the places of the ids that it has met.
    places: Vec<Vec<u32>>,
    chunk: Vec<PollRow>,
    /// Hands a chunk over.
    send: S,
    latest: Micros,
    reject: &'r mut dyn FnMut(&str, BadRow) -> Result<()>,
    batch: Batch,
}

impl<'r, 'scope, 'env, S: FnMut(Vec<PollRow>) -> Result<()>> Reader<'r, 'scope, 'env, S> {
    fn new(
        latest: Micros,
        crew: Crew<'scope, 'env>,
        reject: &'r mut dyn FnMut(&str, BadRow) -> Result<()>,
        send: S,
    ) -> Self {
        let batch = Batch {
            ids: Vec::new(),
            polls: Runs::default(),
            hours: HashMap::new(),
            zones: HashMap::new(),
            labels: HashMap::new(),
            repeats: 0,
            rejected: 0,
            notes: Vec::new(),
            span: None,
            polls_source: String::new(),
        };
        Self {
            places: vec![Vec::new(); crew.pace().threads],
            crew,
            ids: Interner::default(),
            chunk: Vec::new(),
            send,
            latest,
            reject,
            batch,
        }
    }

    fn source(&mut self, source: Source<'_>) -> Result<(), ReadError> {
        let name = source.name;
        let in_file = |error| ReadError::new(&name, error);
        let mut parser = Rows::open_limited(
            source.bytes,
            source.format,
            source.expected,
            self.latest,
            source.bytes_max,
        )
        .map_err(in_file)?;
        if parser.kind() == Kind::Polls {
            self.batch.polls_source.clone_from(&name);
        }
        let (mut notes, mut rows) = (Notes::default(), 0);
        let pace = self.crew.pace();
        let mut rows_left = pace.rows_before;
        loop {
            if rows_left == 0
                && pace.threads > 1
                && let Some(parser) = parser.csv_polls()
            {
                self.blocks(parser, &name, source.watched)?;
                rows_left = pace.rows_before.max(1);
            }
            let Some(parsed) = parser.next_row().map_err(in_file)? else {
                break;
            };
            rows_left = rows_left.saturating_sub(1);
            rows += 1;
            if rows == WATCHED_ROWS
                && let Some(watched) = source.watched
            {
                watched.fetch_add(mem::take(&mut rows), Ordering::Relaxed);
            }
            let bad = match parsed {
                Parsed::Row { line, row, raw } => {
                    self.row(line, row, &mut notes)?.map(|bad| BadRow {
                        raw: raw.to_vec(),
                        ..bad
                    })
                }
                Parsed::Bad(bad) => Some(*bad),
            };
            if let Some(bad) = bad {
                self.batch.rejected += 1;
                (self.reject)(&name, bad)?;
            }
        }
        if parser.kind() == Kind::BusinessHours {
            self.overlaps(&mut notes);
        }
        notes.merge(&parser.notes());
        let note = |note| SourceNote {
            source: name.clone(),
            note,
        };
        self.batch.notes.extend(notes.iter().map(note));
        Ok(())
    }

    /// Takes all rows that can be parsed in blocks from here on.
    fn blocks(
        &mut self,
        parser: &mut Parser<impl Read>,
        name: &str,
        watched: Option<&AtomicU64>,
    ) -> Result<(), ReadError> {
        let in_file = |error| ReadError::new(name, error);
        let layout = Arc::new(parser.layout().clone());
        let bytes_min = self.crew.pace().block_bytes;
        let (mut blocks, mut spare) = (VecDeque::new(), Vec::new());
        let mut more = true;
        loop {
            while more && blocks.len() < self.crew.blocks_max() {
                let mut lines = spare.pop().unwrap_or_default();
                let bytes = parser.take_lines(bytes_min, &mut lines);
                more = bytes >= bytes_min;
                if bytes > 0 {
                    blocks.push_back(self.crew.parse(lines, bytes, &layout));
                }
            }
            let Some(block) = blocks.pop_front() else {
                return Ok(());
            };
            let block = block
                .recv()
                .map_err(|_| Error::failed("the rows could not be parsed"))?
                .map_err(in_file)?;
            if let Some(watched) = watched {
                watched.fetch_add(block.taken.rows, Ordering::Relaxed);
            }
            spare.push(self.block(block, parser, name)?);
        }
    }

    /// Takes the rows of a block, and gives the memory of its lines back.
    fn block(
        &mut self,
        mut block: Block,
        parser: &mut Parser<impl Read>,
        name: &str,
    ) -> Result<Vec<u8>, ReadError> {
        let before = parser.pass(&block.taken);
        let places = &mut self.places[block.thread];
        for id in block.ids {
            places.push(self.ids.place(&id)?);
        }
        let line_before = u32::try_from(before).unwrap_or(u32::MAX);
        for row in &mut block.polls {
            row.store = places[row.store as usize];
            row.line = row.line.saturating_add(line_before);
        }
        if let (Some(first), Some(last)) = (block.polls.first(), block.polls.last()) {
            self.span(first.poll.at(), last.poll.at());
            // What came before it goes before it.
            let chunk = mem::take(&mut self.chunk);
            if !chunk.is_empty() {
                (self.send)(chunk)?;
            }
            (self.send)(block.polls)?;
        }
        for mut bad in block.bad {
            bad.line += before;
            self.batch.rejected += 1;
            (self.reject)(name, bad)?;
        }
        Ok(block.lines)
    }

    fn span(&mut self, from: Micros, to: Micros) {
        let (first, last) = self.batch.span.unwrap_or((from, to));
        self.batch.span = Some((first.min(from), last.max(to)));
    }

    /// Takes one good row; gives it back as a bad one where it contradicts another of the same call.
    fn row(&mut self, line: u64, row: Row<'_>, notes: &mut Notes) -> Result<Option<BadRow>> {
        match row {
            Row::Poll {
                store_id,
                at,
                status,
            } => {
                let store = self.ids.place(store_id)?;
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                self.chunk.push(PollRow {
                    poll: Poll::new(at, status),
                    store,
                    line,
                });
                self.span(at, at);
                if self.chunk.len() == CHUNK_ROWS {
                    let next = Vec::with_capacity(CHUNK_ROWS);
                    let polls = mem::replace(&mut self.chunk, next);
                    (self.send)(polls)?;
                }
                Ok(None)
            }
            Row::Hours {
                store_id,
                weekday,
                start_us_local,
                end_us_local,
            } => {
                let store = self.ids.place(store_id)?;
                let row = WeeklyRow {
                    weekday,
                    start_us_local,
                    end_us_local,
                };
                match self.batch.hours.entry(store).or_default().entry(row) {
                    Entry::Occupied(_) => self.repeat(notes, line),
                    Entry::Vacant(place) => {
                        place.insert(line);
                    }
                }
                Ok(None)
            }
            Row::Zone { store_id, zone } => {
                let store = self.ids.place(store_id)?;
                let known = self.batch.zones.get(&store);
                if known.is_some_and(|known| **known != *zone) {
                    return Ok(known.map(|known| conflict(line, "timezone_str", zone, known)));
                }
                if known.is_some() {
                    self.repeat(notes, line);
                } else {
                    self.batch.zones.insert(store, zone.into());
                }
                Ok(None)
            }
            Row::Store {
                store_id,
                name,
                group,
            } => {
                let store = self.ids.place(store_id)?;
                let label = Label {
                    name: name.to_owned(),
                    group: group.to_owned(),
                };
                match self.batch.labels.get(&store) {
                    Some(known) if known.name != label.name => {
                        return Ok(Some(conflict(line, "name", name, &known.name)));
                    }
                    Some(known) if known.group != label.group => {
                        return Ok(Some(conflict(line, "group", group, &known.group)));
                    }
                    Some(_) => self.repeat(notes, line),
                    None => {
                        self.batch.labels.insert(store, label);
                    }
                }
                Ok(None)
            }
        }
    }

    fn repeat(&mut self, notes: &mut Notes, line: u64) {
        self.batch.repeats += 1;
        notes.add(Code::Duplicate, Some(line));
    }

    /// Notes stores whose rows overlap: they are united when computed and kept as written.
    fn overlaps(&mut self, notes: &mut Notes) {
        for rows in self.batch.hours.values() {
            if let Some(line) = overlapping(rows) {
                notes.add(Code::Overlap, Some(line));
            }
        }
    }

    /// The last chunk, and everything but the polls.
    fn finish(mut self) -> (Vec<PollRow>, Batch) {
        self.batch.ids = self.ids.take_new();
        (self.chunk, self.batch)
    }
}
