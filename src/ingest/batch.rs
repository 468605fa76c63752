//! Judging: every row of a call's inputs, read beside the others, sorted, ready to be written.
//!
//! It needs no database, so a long input keeps nobody waiting. It must never know SQLite, terminals
//! or HTTP; [`load`](super::load) writes what comes out.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io::Read;
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::header::Kind;
use super::interner::Interner;
use super::parser::{Format, Rows};
use super::problem::{BadFile, BadRow, Code, InputError, Note, Notes, excerpt};
use super::row::{Parsed, Row};
use super::runs::{PollRow, Runs};
use crate::db::fleet::Label;
use crate::error::{Error, Result};
use crate::uptime::business_hours::WeeklyRow;
use crate::uptime::interval::{DAY, Interval, Micros};
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
    // Sorting a chunk takes about as long as parsing one: side by side they take half the time.
    thread::scope(|scope| {
        let mut sorter = Sorter {
            scope,
            idle: Some(Runs::new(folder)),
            busy: None,
        };
        let mut reader = Reader::new(latest, reject, |chunk| sorter.push(chunk));
        let read = sources
            .into_iter()
            .try_for_each(|source| reader.source(source));
        let (last, batch) = reader.finish();
        // Where both failed, the parser stopped because the sorter had.
        let polls = sorter.finish(last)?;
        read.map(|()| Batch { polls, ..batch })
    })
}

/// Sorts chunks beside the parser, on a thread that only inputs of more than one chunk need.
struct Sorter<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    /// The runs, as long as no thread has them.
    idle: Option<Runs>,
    busy: Option<Busy<'scope>>,
}

/// Where chunks go, and the thread that gives the runs back when no more come.
type Busy<'scope> = (Sender<Vec<PollRow>>, ScopedJoinHandle<'scope, Result<Runs>>);

impl Sorter<'_, '_> {
    fn push(&mut self, chunk: Vec<PollRow>) -> Result<()> {
        if let Some(mut runs) = self.idle.take() {
            let (chunks, unsorted) = bounded::<Vec<PollRow>>(1);
            let sort = move || {
                unsorted
                    .into_iter()
                    .try_for_each(|chunk| runs.push(chunk))?;
                Ok(runs)
            };
            self.busy = Some((chunks, self.scope.spawn(sort)));
        }
        let taken = self
            .busy
            .as_ref()
            .is_some_and(|(chunks, _)| chunks.send(chunk).is_ok());
        // Why nobody takes it any more, `finish` will hear.
        if taken {
            Ok(())
        } else {
            Err(Error::failed("the rows could not be sorted"))
        }
    }

    fn finish(mut self, last: Vec<PollRow>) -> Result<Runs> {
        match (self.idle.take(), self.busy.take()) {
            (Some(mut runs), _) => runs.push(last).map(|()| runs),
            (None, Some((chunks, sorter))) => {
                // A sorter that takes no more has failed, and says why when it is joined.
                let _ = chunks.send(last);
                drop(chunks);
                sorter
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            (None, None) => Err(Error::failed("the rows could not be sorted")),
        }
    }
}

/// The parsing half of [`read`].
struct Reader<'r, S> {
    ids: Interner,
    chunk: Vec<PollRow>,
    /// Hands a chunk over.
    send: S,
    latest: Micros,
    reject: &'r mut dyn FnMut(&str, BadRow) -> Result<()>,
    batch: Batch,
}

impl<'r, S: FnMut(Vec<PollRow>) -> Result<()>> Reader<'r, S> {
    fn new(latest: Micros, reject: &'r mut dyn FnMut(&str, BadRow) -> Result<()>, send: S) -> Self {
        let batch = Batch {
            ids: Vec::new(),
            polls: Runs::new(Path::new("")),
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
        while let Some(parsed) = parser.next_row().map_err(in_file)? {
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
                let (first, last) = self.batch.span.unwrap_or((at, at));
                self.batch.span = Some((first.min(at), last.max(at)));
                if self.chunk.len() == CHUNK_ROWS {
                    let next = Vec::with_capacity(CHUNK_ROWS);
                    (self.send)(mem::replace(&mut self.chunk, next))?;
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

    fn finish(self) -> (Vec<PollRow>, Batch) {
        let ids = self.ids.into_ids();
        (self.chunk, Batch { ids, ..self.batch })
    }
}

/// A row that says of a store what another row of the same call contradicts.
fn conflict(line: u64, column: &'static str, value: &str, known: &str) -> BadRow {
    BadRow {
        line,
        column: Some(column),
        code: Code::Conflict,
        value: excerpt(value.as_bytes()),
        reason: format!(
            "another row gives the same store `{}` (keep one)",
            excerpt(known.as_bytes())
        ),
        raw: Vec::new(),
    }
}

/// The line of the first row that overlaps another of the same store's week; none where none does.
fn overlapping(rows: &BTreeMap<WeeklyRow, u64>) -> Option<u64> {
    let mut week: Vec<(Interval, u64)> = rows
        .iter()
        .map(|(&row, &line)| (in_week(row), line))
        .collect();
    week.sort_unstable();
    let wrapped = week.first().map(|&(first, line)| {
        (
            Interval::new(first.start + 7 * DAY, first.end + 7 * DAY),
            line,
        )
    });
    let mut furthest = Micros::MIN;
    let mut overlapping = Vec::new();
    for (interval, line) in week.into_iter().chain(wrapped) {
        if interval.start < furthest {
            overlapping.push(line);
        }
        furthest = furthest.max(interval.end);
    }
    overlapping.into_iter().min()
}

/// A weekly row as a stretch of a week that begins on Monday.
fn in_week(row: WeeklyRow) -> Interval {
    let midnight = i64::from(row.weekday) * DAY;
    let overnight = if row.end_us_local <= row.start_us_local {
        DAY
    } else {
        0
    };
    Interval::new(
        midnight + row.start_us_local,
        midnight + overnight + row.end_us_local,
    )
}
