//! Sources: the inputs of a call, and what is said of them: notes, bad rows, the refusal.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::archive::MemberError;
use super::kind::Kind;
use super::options::ReadOptions;
use super::problem::{BadFile, BadRow, InputError, Note};
use super::rows::{Corrections, Format};
use crate::error::Error;
use crate::uptime::interval::Micros;

/// How many bad rows an answer lists; all are counted.
pub const BAD_ROWS_TOLD: usize = 100;

/// One input: its name and its bytes.
pub struct Source<'a> {
    /// Its name in errors and notes.
    pub name: String,
    /// The bytes: plain, gzipped, a zip of files or a spreadsheet.
    pub bytes: Box<dyn Read + Send + 'a>,
    /// Its required kind; without one the header decides, so it must be CSV.
    pub expected: Option<Kind>,
    /// The format of its rows.
    pub format: Format,
    /// For an input, rows in place of its own; by the input's name, since an archive has several.
    pub corrections: HashMap<String, Corrections>,
    /// How its rows are read; the call sets the latest instant.
    pub options: ReadOptions,
    /// The most bytes of unpacked text.
    pub bytes_max: u64,
    /// Counts the rows that were read, for a progress bar.
    pub watched: Option<&'a AtomicU64>,
}

impl<'a> Source<'a> {
    /// CSV whose header decides the kind.
    pub fn new(name: impl Into<String>, bytes: impl Read + Send + 'a) -> Self {
        Self {
            name: name.into(),
            bytes: Box::new(bytes),
            expected: None,
            format: Format::Csv,
            corrections: HashMap::new(),
            options: ReadOptions::until(Micros::MAX),
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
    /// The note.
    pub note: Note,
}

/// A bad row of one of a call's inputs.
#[derive(Clone, Debug)]
pub struct SourceBadRow {
    /// The input's name.
    pub source: String,
    /// The row.
    pub bad: BadRow,
    /// The names of the input's columns, as written; none of rows without a header.
    pub columns: Arc<[String]>,
}

/// Why a call is refused.
#[derive(Debug)]
pub enum Refusal {
    /// One input is unusable: the caller's mistake.
    File {
        /// Its name.
        source: String,
        /// The problem.
        file: BadFile,
    },
    /// A row names a store that the call may not add. Nothing is taken, whatever is done with bad rows.
    Store {
        /// The input's name.
        source: String,
        /// The row.
        bad: Box<BadRow>,
    },
    /// Some rows are bad, and the call allows none.
    Rows {
        /// How many.
        count: u64,
        /// How many others are good.
        good: u64,
        /// The first [`BAD_ROWS_TOLD`] of them.
        told: Vec<SourceBadRow>,
    },
    /// The disk, the connection or the program failed.
    Failed(Error),
}

impl Refusal {
    pub(super) fn new(source: &str, error: InputError) -> Self {
        match error {
            InputError::Refused(file) => Self::File {
                source: source.to_owned(),
                file,
            },
            error @ InputError::Io(_) => Self::Failed(error.in_file(source)),
        }
    }
}

impl From<MemberError> for Refusal {
    fn from(MemberError { name, error }: MemberError) -> Self {
        Self::new(&name, error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::File { source, file } => InputError::Refused(file).in_file(&source),
            Refusal::Store { source, bad } => Self::invalid(format!("{}; nothing was written", bad.in_file(&source))),
            Refusal::Rows { count, told, .. } => {
                let first = told.first();
                let first = first.map(|row| row.bad.in_file(&row.source));
                Self::invalid(format!("{count} bad rows: {}", first.unwrap_or_default()))
            }
            Refusal::Failed(error) => error,
        }
    }
}
