//! The whole way from a reader to typed rows.
//!
//! It must never know where the rows go, nor stop at a bad one: that is the caller's choice.

use std::io::{self, Read};

use super::header::{Kind, Layout};
use super::input::Input;
use super::json::JsonRows;
use super::problem::{BadFile, Code, InputError, Notes};
use super::records::Records;
use super::row::Parsed;
use crate::uptime::interval::Micros;

/// How the rows of an input are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, below a header.
    #[default]
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One JSON array of objects.
    JsonArray,
}

/// The rows of one input, however they are written: a [`Parser`] or [`JsonRows`].
pub enum Rows<R> {
    /// Of CSV.
    Csv(Box<Parser<R>>),
    /// Of JSON.
    Json(Box<JsonRows<R>>),
}

impl<R: Read> Rows<R> {
    /// Reads the head of `reader`; instants after `latest_us` will be refused. JSON has no header
    /// that tells what it is about, so `expected` has to.
    ///
    /// # Errors
    /// As for [`Parser::open`].
    pub fn open(
        reader: R,
        format: Format,
        expected: Option<Kind>,
        latest_us: Micros,
    ) -> Result<Self, InputError> {
        Self::open_limited(reader, format, expected, latest_us, u64::MAX)
    }

    /// [`Rows::open`] that refuses, as `too_large`, more than `bytes_max` bytes of (unpacked) text.
    ///
    /// # Errors
    /// As for [`Parser::open`].
    pub fn open_limited(
        reader: R,
        format: Format,
        expected: Option<Kind>,
        latest_us: Micros,
        bytes_max: u64,
    ) -> Result<Self, InputError> {
        let kind = || {
            let reason = "JSON has no header (say what its rows are)";
            expected.ok_or_else(|| BadFile::new(None, Code::Header, reason))
        };
        Ok(match format {
            Format::Csv => {
                let parser = Parser::open_limited(reader, expected, latest_us, bytes_max)?;
                Self::Csv(Box::new(parser))
            }
            Format::Ndjson => {
                let rows = JsonRows::open_lines(reader, kind()?, latest_us, bytes_max)?;
                Self::Json(Box::new(rows))
            }
            Format::JsonArray => {
                let rows = JsonRows::open_array(reader, kind()?, latest_us, bytes_max)?;
                Self::Json(Box::new(rows))
            }
        })
    }

    /// What the input is about.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Csv(parser) => parser.kind(),
            Self::Json(rows) => rows.kind(),
        }
    }

    /// The parser, if these are polls in CSV: the only rows of which there are many.
    pub(super) fn csv_polls(&mut self) -> Option<&mut Parser<R>> {
        match self {
            Self::Csv(parser) if parser.kind() == Kind::Polls => Some(parser),
            _ => None,
        }
    }

    /// The next row, good or bad; `None` at the end, and for good.
    ///
    /// # Errors
    /// As for [`Parser::next_row`].
    pub fn next_row(&mut self) -> Result<Option<Parsed<'_>>, InputError> {
        match self {
            Self::Csv(parser) => parser.next_row(),
            Self::Json(rows) => rows.next_row(),
        }
    }

    /// What was noted so far; all of it once [`Rows::next_row`] has said `None`.
    pub fn notes(&self) -> Notes {
        match self {
            Self::Csv(parser) => parser.notes(),
            Self::Json(rows) => rows.notes(),
        }
    }

    /// How many rows there were so far, good and bad.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Csv(parser) => parser.rows(),
            Self::Json(rows) => rows.rows(),
        }
    }
}

/// What there was in lines that were parsed apart from their input, counted from 1.
#[derive(Debug)]
pub(super) struct Taken {
    lines: u64,
    pub(super) rows: u64,
    blank_lines: (u64, Option<u64>),
    notes: Notes,
}

/// Reads one input of CSV, row by row, in bounded memory.
///
/// ```
/// use store_monitor::civil::parse_timestamp;
/// use store_monitor::ingest::parser::Parser;
/// use store_monitor::ingest::row::{Parsed, Row};
///
/// let text = "store_id,status,timestamp_utc\naa,active,2023-01-25 10:00:00 UTC\nbb,up,2023-01-25 10:00:00 UTC\n";
/// let latest = parse_timestamp("2030-01-01 00:00:00 UTC")?.at;
/// let mut parser = Parser::open(text.as_bytes(), None, latest)?;
/// assert!(matches!(parser.next_row()?, Some(Parsed::Row { line: 2, row: Row::Poll { store_id: "aa", .. }, .. })));
/// assert!(matches!(parser.next_row()?, Some(Parsed::Bad(row)) if row.line == 3));
/// assert!(parser.next_row()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Parser<R> {
    records: Records<Input<R>>,
    layout: Layout,
    latest_us: Micros,
    scratch: Vec<u8>,
    notes: Notes,
    header_line: u64,
    rows: u64,
}

impl<R: Read> Parser<R> {
    /// Reads the head and the header of `reader`; instants after `latest_us` will be refused. With
    /// `expected`, a header of another kind is refused.
    ///
    /// # Errors
    /// [`InputError::Refused`] when this is no input that is known, [`InputError::Io`] when
    /// `reader` fails.
    pub fn open(reader: R, expected: Option<Kind>, latest_us: Micros) -> Result<Self, InputError> {
        Self::open_limited(reader, expected, latest_us, u64::MAX)
    }

    /// [`Parser::open`] that refuses, as `too_large`, more than `bytes_max` bytes of (unpacked) text.
    ///
    /// # Errors
    /// As for [`Parser::open`].
    pub fn open_limited(
        reader: R,
        expected: Option<Kind>,
        latest_us: Micros,
        bytes_max: u64,
    ) -> Result<Self, InputError> {
        let input = Input::open(reader, bytes_max)?;
        let mut notes = Notes::default();
        if input.is_gzip() {
            notes.add(Code::Gzip, None);
        }
        let mut records = Records::new(input, 1);
        let Some(header) = records.next_record()? else {
            return Err(BadFile::new(
                None,
                Code::Empty,
                "nothing in it, not even a header (expected a line of column names)",
            )
            .into());
        };
        let layout = Layout::read(&header, expected, &mut notes)?;
        let header_line = header.line;
        Ok(Self {
            records,
            layout,
            latest_us,
            scratch: Vec::new(),
            notes,
            header_line,
            rows: 0,
        })
    }

    /// What the input is about.
    pub fn kind(&self) -> Kind {
        self.layout.kind()
    }

    /// The header, understood.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The next row, good or bad; `None` at the end, and for good.
    ///
    /// # Errors
    /// [`InputError::Refused`] when no row can be told from here on: the caller must forget the
    /// rows it has had. [`InputError::Io`] when the reader fails. There is no going on after either.
    pub fn next_row(&mut self) -> Result<Option<Parsed<'_>>, InputError> {
        let Some(record) = self.records.next_record()? else {
            return Ok(None);
        };
        self.rows += 1;
        Ok(Some(self.layout.parse(
            record,
            self.latest_us,
            &mut self.scratch,
            &mut self.notes,
        )))
    }

    /// Takes whole lines off the input to be parsed elsewhere; what came of them,
    /// [`Parser::pass`] must be told before any other row is asked for. See [`Records::take_lines`].
    pub(super) fn take_lines(&mut self, bytes_min: usize, lines: &mut Vec<u8>) -> usize {
        self.records.take_lines(bytes_min, lines)
    }

    /// Takes over what the parser of taken lines has seen; returns the number of the line before them.
    pub(super) fn pass(&mut self, taken: &Taken) -> u64 {
        let before = self.records.line() - 1;
        let (blank, first) = taken.blank_lines;
        let first = first.map(|line| line + before);
        self.records.pass(taken.lines, (blank, first));
        self.notes.merge_from(&taken.notes, before);
        self.rows += taken.rows;
        before
    }

    /// What was noted so far; all of it once [`Parser::next_row`] has said `None`.
    pub fn notes(&self) -> Notes {
        let mut notes = self.notes.clone();
        let (count, first) = self.records.blank_lines();
        notes.add_many(Code::BlankLines, count, first);
        notes.add_many(
            Code::NoRows,
            u64::from(self.rows == 0),
            Some(self.header_line),
        );
        notes
    }

    /// How many rows there were so far, good and bad.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Parser<io::Empty> {
    /// The parser of lines that were taken off an input with this layout, the first `bytes` bytes of
    /// `lines`; it counts them from 1.
    ///
    /// # Errors
    /// None that nothing to read has.
    pub(super) fn of_lines(
        lines: Vec<u8>,
        bytes: usize,
        layout: Layout,
        latest_us: Micros,
    ) -> Result<Self, InputError> {
        let nothing = Input::open(io::empty(), 0)?;
        Ok(Self {
            records: Records::of_lines(lines, bytes, nothing),
            layout,
            latest_us,
            scratch: Vec::new(),
            notes: Notes::default(),
            header_line: 0,
            rows: 0,
        })
    }

    /// What was in the lines, and their memory.
    pub(super) fn finish(self) -> (Taken, Vec<u8>) {
        let taken = Taken {
            lines: self.records.line() - 1,
            rows: self.rows,
            blank_lines: self.records.blank_lines(),
            notes: self.notes,
        };
        (taken, self.records.into_lines())
    }
}
