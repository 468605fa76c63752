//! The rows of one input, read in bounded memory: CSV, one JSON object a line (NDJSON), or a JSON array.
//!
//! JSON has the column names of CSV as field names, in any letter case. A text is judged like a CSV field; a
//! number stands for its digits as written, however many.
//!
//! | problem of the JSON | outcome |
//! | --- | --- |
//! | a line that is not JSON; a line or element that is JSON but not an object | row, `json` |
//! | a field that is missing or null (but a store's `name` or `group` may be null: it is empty) | row, `few_fields` |
//! | a field that occurs twice, in any spelling | row, `many_fields` |
//! | an array or an object in place of a text; `true` but for a status or `is_closed` | row, the code of the field |
//! | an id such as `1.0` or `1e3` | row, `store_id_damaged` |
//! | a number in place of an instant, a status, a time, a zone | row, as that text would be in a CSV |
//! | a control character in a text | row, `control_char` (unescaped in an array: file, `json`) |
//! | bytes that are not UTF-8, half a surrogate pair | row, `not_utf8` |
//! | a line or element above 64 KiB | row, `line_too_long` |
//! | unknown fields; names in other letter case; other names | note, `extra_column`; `header_case`; `header_synonym`: once a row |
//! | `[]` | note, `no_rows` |
//! | empty: neither an array nor a line | file, `empty` |
//! | the first row is of another kind, or of several | file, `wrong_kind`, `two_kinds` |
//! | no array where one is required; CSV in place of lines of JSON | file, `header` |
//! | a syntax error in an array, in an element or between two | file, `json` |

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};

use super::array::Elements;
use super::fields::{Fields, split_all, split_plain, split_quoted};
use super::header::{Layout, record_of, two_kinds};
use super::input::Input;
use super::kind::{Damage, Fault, Kind, RowNotes, Value, damaged, store_id};
use super::object::{self, OtherNames};
use super::options::ReadOptions;
use super::problem::{BadFile, BadRow, Code, InputError, Notes, excerpt};
use super::records::{Record, Records, Shape, shape_of};

/// The format of an input's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header.
    #[default]
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One JSON array of objects.
    JsonArray,
}

/// A row in place of the one that starts on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    /// This record, without a line end.
    Row(Vec<u8>),
    /// None: the row is left out.
    Drop,
}

impl Correction {
    /// A row of these fields.
    pub fn of<'a>(fields: impl Iterator<Item = &'a str>) -> Self {
        Self::Row(record_of(fields))
    }
}

/// The corrected rows of an input, by the line on which they start.
pub type Corrections = HashMap<u64, Correction>;

/// One good row. Its texts are trimmed and borrow from the reader's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The physical line it starts on.
    pub line: u64,
    /// The record as it came, for callers that refuse the row for their own reasons.
    pub raw: &'a [u8],
    /// The row's store.
    pub store_id: &'a str,
    /// The row's value.
    pub value: Value<'a>,
}

/// The counts of lines that were parsed apart from their input; lines count from 1.
#[derive(Debug)]
pub(super) struct Counts {
    lines: u64,
    pub(super) rows: u64,
    blank_lines: (u64, Option<u64>),
    notes: Notes,
}

/// Reads one input, row by row.
///
/// ```
/// use store_monitor::civil::parse_timestamp;
/// use store_monitor::ingest::options::ReadOptions;
/// use store_monitor::ingest::rows::{Format, Rows};
///
/// let text = "store_id,status,timestamp_utc\naa,active,2023-01-25 10:00:00 UTC\nbb,maybe,2023-01-25 10:00:00 UTC\n";
/// let latest = parse_timestamp("2030-01-01 00:00:00 UTC")?.at;
/// let mut rows = Rows::open(text.as_bytes(), Format::Csv, None, ReadOptions::until(latest), u64::MAX)?;
/// assert!(matches!(rows.next_row()?, Some(Ok(row)) if (row.line, row.store_id) == (2, "aa")));
/// assert!(matches!(rows.next_row()?, Some(Err(bad)) if bad.line == 3));
/// assert!(rows.next_row()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rows<R> {
    text: Text<R>,
    layout: Layout,
    scratch: Vec<u8>,
    notes: Notes,
    /// Of CSV: rows in place of those of the file.
    corrected: HashMap<u64, Vec<u8>>,
    /// Of JSON: names of fields that are ignored, or have other names.
    other_names: OtherNames,
    header_line: Option<u64>,
    rows: u64,
}

/// The source of one row's text after another.
enum Text<R> {
    Csv(Records<Input<R>>),
    Lines(Records<Input<R>>),
    Array(Elements<Input<R>>),
}

impl<R: Read> Rows<R> {
    /// Reads the head of `reader`. Text above `bytes_max` unpacked bytes will be refused. With `expected`, a header
    /// of another kind is refused. JSON has no header and needs `expected`.
    ///
    /// # Errors
    /// [`InputError::Refused`] when the input is of no known kind, [`InputError::Io`] when `reader` fails.
    pub fn open(
        reader: R,
        format: Format,
        expected: Option<Kind>,
        options: ReadOptions,
        bytes_max: u64,
    ) -> Result<Self, InputError> {
        let json = || {
            let reason = "JSON has no header (say what its rows are)";
            let kind = expected.ok_or_else(|| BadFile::new(None, Code::Header, reason));
            kind.map(|kind| Layout::of(kind, options))
        };
        let mut notes = Notes::default();
        let input = Input::open(reader, bytes_max)?;
        if input.is_gzip() {
            notes.add(Code::Gzip, None);
        }
        let mut header_line = None;
        let (text, layout) = match format {
            Format::Ndjson => (Text::Lines(Records::lines(input)), json()?),
            Format::JsonArray => (Text::Array(Elements::new(input)), json()?),
            Format::Csv => {
                let mut records = Records::new(input, 1);
                let Some(header) = records.next_record()? else {
                    let reason = "nothing in it, not even a header (expected a line of column names)";
                    return Err(BadFile::new(None, Code::Empty, reason).into());
                };
                header_line = Some(header.line);
                let layout = Layout::read(&header, expected, options, &mut notes)?;
                records.skip_header(layout.header());
                (Text::Csv(records), layout)
            }
        };
        Ok(Self::over(text, layout, notes, header_line))
    }

    fn over(text: Text<R>, layout: Layout, notes: Notes, header_line: Option<u64>) -> Self {
        Self {
            text,
            layout,
            scratch: Vec::new(),
            notes,
            corrected: HashMap::new(),
            other_names: OtherNames::default(),
            header_line,
            rows: 0,
        }
    }

    /// Puts rows in place of those of a CSV file.
    pub(super) fn correct(&mut self, corrections: &Corrections) {
        let Text::Csv(records) = &mut self.text else {
            return;
        };
        let mut dropped = HashSet::new();
        for (&line, correction) in corrections {
            match correction {
                Correction::Row(record) => drop(self.corrected.insert(line, record.clone())),
                Correction::Drop => drop(dropped.insert(line)),
            }
        }
        records.drop_lines(dropped);
    }

    /// The kind of the input.
    pub fn kind(&self) -> Kind {
        self.layout.kind()
    }

    /// The layout of the columns.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The next row, or the reason why it is bad; `None` at the end, and ever after.
    ///
    /// # Errors
    /// [`InputError::Refused`] when the next row cannot be delimited: the caller must discard the rows before
    /// it. [`InputError::Io`] when the reader fails. Neither can be retried.
    pub fn next_row(&mut self) -> Result<Option<Result<Row<'_>, Box<BadRow>>>, InputError> {
        let (kind, is_first) = (self.layout.kind(), self.rows == 0);
        let (record, is_csv) = match &mut self.text {
            Text::Csv(records) => (records.next_record()?, true),
            Text::Lines(records) => {
                let record = records.next_record()?;
                match &record {
                    Some(record) if is_first => refuse_csv(record, kind)?,
                    None if is_first => {
                        let reason = "nothing in it (expected a JSON object on each line)";
                        return Err(BadFile::new(None, Code::Empty, reason).into());
                    }
                    _ => {}
                }
                (record, false)
            }
            Text::Array(elements) => (elements.next_element()?, false),
        };
        let Some(mut record) = record else {
            return Ok(None);
        };
        if let Some(bytes) = self.corrected.get(&record.line) {
            record = Record {
                line: record.line,
                bytes,
                shape: shape_of(bytes),
            };
        }
        self.rows += 1;
        let mut notes = RowNotes::default();
        let fields = if is_csv {
            fields(&self.layout, record, &mut self.scratch, &mut notes)
        } else {
            if is_first {
                refuse_kind(&record, kind)?;
            }
            let as_written = self.layout.options.ids_as_written;
            object::read(
                record,
                kind,
                as_written,
                &mut self.scratch,
                &mut notes,
                &mut self.other_names,
            )
        };
        let options = &self.layout.options;
        let read = fields.and_then(|fields| {
            let store_id = store_id(fields[0], options.ids_as_written, &mut notes)?;
            let value = Value::parse(kind, fields, options, &mut notes)?;
            Ok((store_id, value))
        });
        Ok(Some(match read {
            Ok((store_id, value)) => {
                notes.count_into(&mut self.notes, record.line);
                Ok(Row {
                    line: record.line,
                    raw: record.bytes,
                    store_id,
                    value,
                })
            }
            Err(fault) => Err(Box::new(BadRow {
                field: fault.slot.and_then(|slot| self.layout.place(slot)),
                line: record.line,
                column: fault.slot.map(|slot| self.layout.name(slot)),
                code: fault.code,
                value: excerpt(fault.value),
                reason: fault.reason,
                raw: record.bytes.to_vec(),
                store_id: store_of(&self.layout, &record, is_csv),
            })),
        }))
    }

    /// Takes whole lines off a CSV input, to be parsed by another thread. Before the next row, the caller must
    /// report their counts to [`Rows::pass`]. See [`Records::take_lines`].
    pub(super) fn take_lines(&mut self, bytes_min: usize, lines: &mut Vec<u8>) -> usize {
        match &mut self.text {
            Text::Csv(records) => records.take_lines(bytes_min, lines),
            Text::Lines(_) | Text::Array(_) => 0,
        }
    }

    /// Adds the counts of taken lines; returns the number of the line before them.
    pub(super) fn pass(&mut self, counts: &Counts) -> u64 {
        let Text::Csv(records) = &mut self.text else {
            return 0;
        };
        let before = records.line() - 1;
        let (blank, first) = counts.blank_lines;
        records.pass(counts.lines, (blank, first.map(|line| line + before)));
        self.notes.merge_from(&counts.notes, before);
        self.rows += counts.rows;
        before
    }

    /// The notes so far; complete once [`Rows::next_row`] has returned `None`.
    pub fn notes(&self) -> Notes {
        let mut notes = self.notes.clone();
        if let Text::Csv(records) | Text::Lines(records) = &self.text {
            let (count, first) = records.blank_lines();
            notes.add_many(Code::BlankLines, count, first);
        }
        notes.add_many(Code::NoRows, u64::from(self.rows == 0), self.header_line);
        self.other_names.tell(&mut notes);
        notes
    }

    /// How many rows there were so far, good and bad.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Rows<io::Empty> {
    /// The rows of lines that were taken off an input with this layout: the first `bytes` bytes of `lines`. They
    /// count from line 1.
    ///
    /// # Errors
    /// None: nothing is read.
    pub(super) fn of_lines(lines: Vec<u8>, bytes: usize, layout: Layout) -> Result<Self, InputError> {
        let nothing = Input::open(io::empty(), 0)?;
        let mut records = Records::of_lines(lines, bytes, nothing);
        records.skip_header(layout.header());
        Ok(Self::over(Text::Csv(records), layout, Notes::default(), None))
    }

    /// The counts of the lines, and their buffer.
    pub(super) fn finish(self) -> (Counts, Vec<u8>) {
        let (lines, blank_lines, memory) = match self.text {
            Text::Csv(records) | Text::Lines(records) => {
                (records.line() - 1, records.blank_lines(), records.into_lines())
            }
            Text::Array(_) => (0, (0, None), Vec::new()),
        };
        let counts = Counts {
            lines,
            rows: self.rows,
            blank_lines,
            notes: self.notes,
        };
        (counts, memory)
    }
}

/// The fields of a CSV record.
// Always inlined: the call alone would cost much of the speed.
#[inline(always)]
fn fields<'a>(
    layout: &Layout,
    record: Record<'a>,
    scratch: &'a mut Vec<u8>,
    notes: &mut RowNotes,
) -> Result<Fields<'a>, Fault<'a>> {
    let slots = layout.slots();
    let (fields, count) = match record.shape {
        Shape::Plain => split_plain(record.bytes, slots),
        Shape::Quoted => split_quoted(record.bytes, slots, scratch),
        Shape::BareQuote => {
            // A spreadsheet's `="8139"` has its quotes where none may be.
            let id = split_plain(record.bytes, slots).0[0];
            if id.starts_with(b"=\"") && !layout.options.ids_as_written {
                return Err(damaged(id, Damage::Dressed));
            }
            let reason = "a quote out of place (quote the whole field, and double each quote in it)";
            return Err(Fault::whole(Code::BareQuote, reason));
        }
        Shape::TooLong => {
            let reason = "longer than 64 KiB (is a line end missing?)";
            return Err(Fault::whole(Code::LineTooLong, reason));
        }
    };
    if count == slots.len() {
        return Ok(fields);
    }
    // A comma at the end of every row makes an empty field more.
    if count == slots.len() + 1 && (record.bytes.ends_with(b",") || record.bytes.ends_with(b",\"\"")) {
        notes.add(Code::ExtraColumn);
        return Ok(fields);
    }
    let code = if count < slots.len() {
        Code::FewFields
    } else {
        Code::ManyFields
    };
    let reason = format!("{count} fields (expected {})", slots.len());
    Err(Fault::whole(code, reason))
}

/// The id of a bad row's store, as far as it can be told.
#[cold]
fn store_of(layout: &Layout, record: &Record<'_>, is_csv: bool) -> Option<Box<str>> {
    let field = if is_csv {
        let column = layout.slots().iter().position(|slot| *slot == Some(0))?;
        split_all(record.bytes).into_iter().nth(column)?
    } else {
        object::store_of(record.bytes, layout.kind())?.into_bytes()
    };
    let id = store_id(&field, layout.options.ids_as_written, &mut RowNotes::default()).ok()?;
    Some(id.into())
}

/// Refuses lines that begin with a CSV header.
fn refuse_csv(first: &Record<'_>, kind: Kind) -> Result<(), BadFile> {
    if Layout::read(first, Some(kind), ReadOptions::until(0), &mut Notes::default()).is_err() {
        return Ok(());
    }
    let reason = "this is CSV, not a JSON object on each line (send it as text/csv)";
    Err(BadFile::new(Some(first.line), Code::Header, reason))
}

/// Refuses rows whose first one is whole, but of another kind or of several, or has a field that would be lost.
fn refuse_kind(first: &Record<'_>, expected: Kind) -> Result<(), BadFile> {
    let (kinds, lost) = object::kinds_of(first.bytes, expected);
    if let Some(name) = lost {
        let reason = format!(
            "{} with a field `{name}` are not supported yet (leave it out)",
            expected.as_str()
        );
        return Err(BadFile::new(Some(first.line), Code::Header, reason));
    }
    let kind = match kinds[..] {
        [] => return Ok(()),
        [kind] if kind == expected => return Ok(()),
        [kind] => kind,
        _ => {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            return Err(BadFile::new(Some(first.line), Code::TwoKinds, two_kinds(&kinds)));
        }
    };
    let reason = format!(
        "these are {}, not {} (expected fields `{}`)",
        kind.as_str(),
        expected.as_str(),
        expected.header()
    );
    Err(BadFile::new(Some(first.line), Code::WrongKind, reason))
}

#[cfg(test)]
mod tests;
