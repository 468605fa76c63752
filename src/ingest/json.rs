//! JSON as rows: one object a line (NDJSON), or one array of objects.
//!
//! Fields are named as the columns of the CSV are, in any letter case; a text goes through the same
//! judgement as a CSV's, and a number is the digits it is written with, however many. It must never
//! know where the rows go, nor hold more of an input than one object and the buffer it came in.
//!
//! | what is wrong | said as |
//! | --- | --- |
//! | a line or element that is no JSON, or JSON but no object; two objects; a comma too many | row, `json` |
//! | a field that is missing or null (but a store's `name` or `group` may be null: it is empty) | row, `few_fields` |
//! | a field that is there twice, by whatever spelling | row, `many_fields` |
//! | `true`, an array or an object in place of a text; an id such as `1.0` or `1e3` | row, the code of the field: `store_id_empty`, `timestamp`, `status`, `day`, `time`, `zone`; `json` for `name` and `group` |
//! | a number in place of an instant, a status, a time, a zone | row, as that text would be in a CSV |
//! | a control character in a text, escaped or not | row, `control_char` |
//! | bytes that are not UTF-8, half a surrogate pair | row, `not_utf8` |
//! | a line or element above 64 KiB | row, `line_too_long` |
//! | fields that nobody asked for; names in other letter case | note, `extra_column`; `header_case`: once a row |
//! | `[]` | note, `no_rows` |
//! | not even an array, or a line | file, `empty` |
//! | the first row is of another kind | file, `wrong_kind` |
//! | no array where one was announced; CSV in place of lines of JSON | file, `header` |
//! | a string that nothing closes before the array ends | file, `unclosed_quote` |
//! | an array that ends too early or too late, brackets that do not match | file, `json` |

use std::io::Read;

use super::elements::Elements;
use super::header::{Kind, Layout};
use super::input::Input;
use super::object::{self, Flaw, Object};
use super::problem::{BadFile, BadRow, Code, InputError, Notes, excerpt};
use super::records::{Record, Records, Shape};
use super::row::Parsed;
use crate::uptime::interval::Micros;

/// Reads one input of JSON, row by row, in bounded memory.
///
/// ```
/// use store_monitor::civil::parse_timestamp;
/// use store_monitor::ingest::header::Kind;
/// use store_monitor::ingest::json::JsonRows;
/// use store_monitor::ingest::row::{Parsed, Row};
///
/// let text = "{\"store_id\": 8419537941919820732, \"timezone_str\": \"America/Denver\"}\n{}\n";
/// let latest = parse_timestamp("2030-01-01 00:00:00 UTC")?.at;
/// let mut rows = JsonRows::open_lines(text.as_bytes(), Kind::Timezones, latest, u64::MAX)?;
/// assert!(matches!(
///     rows.next_row()?,
///     Some(Parsed::Row { line: 1, row: Row::Zone { store_id: "8419537941919820732", .. }, .. })
/// ));
/// assert!(matches!(rows.next_row()?, Some(Parsed::Bad(row)) if row.line == 2));
/// assert!(rows.next_row()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JsonRows<R> {
    texts: Texts<R>,
    layout: Layout,
    latest_us: Micros,
    scratch: Vec<u8>,
    notes: Notes,
    rows: u64,
}

/// Where the text of one row after another comes from.
enum Texts<R> {
    Lines(Records<Input<R>>),
    Array(Elements<Input<R>>),
}

impl<R: Read> JsonRows<R> {
    /// Reads the head of `reader`, which gives one object a line, of rows of that `kind`; instants
    /// after `latest_us` will be refused, and more than `bytes_max` bytes of (unpacked) text.
    ///
    /// # Errors
    /// [`InputError::Refused`] when this is no text, [`InputError::Io`] when `reader` fails.
    pub fn open_lines(
        reader: R,
        kind: Kind,
        latest_us: Micros,
        bytes_max: u64,
    ) -> Result<Self, InputError> {
        let lines = |input| Texts::Lines(Records::lines(input));
        Self::open(reader, kind, latest_us, bytes_max, lines)
    }

    /// [`JsonRows::open_lines`] for a `reader` that gives one array of objects.
    ///
    /// # Errors
    /// As for [`JsonRows::open_lines`].
    pub fn open_array(
        reader: R,
        kind: Kind,
        latest_us: Micros,
        bytes_max: u64,
    ) -> Result<Self, InputError> {
        let array = |input| Texts::Array(Elements::new(input));
        Self::open(reader, kind, latest_us, bytes_max, array)
    }

    fn open(
        reader: R,
        kind: Kind,
        latest_us: Micros,
        bytes_max: u64,
        texts: impl FnOnce(Input<R>) -> Texts<R>,
    ) -> Result<Self, InputError> {
        let input = Input::open(reader, bytes_max)?;
        let mut notes = Notes::default();
        if input.is_gzip() {
            notes.add(Code::Gzip, None);
        }
        Ok(Self {
            texts: texts(input),
            layout: Layout::of(kind),
            latest_us,
            scratch: Vec::new(),
            notes,
            rows: 0,
        })
    }

    /// What the input is about.
    pub fn kind(&self) -> Kind {
        self.layout.kind()
    }

    /// The next row, good or bad; `None` at the end, and for good.
    ///
    /// # Errors
    /// [`InputError::Refused`] when no row can be told from here on: the caller must forget the
    /// rows it has had. [`InputError::Io`] when the reader fails. There is no going on after either.
    pub fn next_row(&mut self) -> Result<Option<Parsed<'_>>, InputError> {
        let record = match &mut self.texts {
            Texts::Lines(records) => {
                let record = records.next_record()?;
                if record.is_none() && self.rows == 0 {
                    let reason = "nothing in it (expected a JSON object on each line)";
                    return Err(BadFile::new(None, Code::Empty, reason).into());
                }
                if let Some(record) = record.filter(|_| self.rows == 0) {
                    refuse_csv(&record, self.layout.kind())?;
                }
                record
            }
            Texts::Array(elements) => elements.next_element()?,
        };
        let Some(record) = record else {
            return Ok(None);
        };
        self.rows += 1;
        let Record { line, bytes, shape } = record;
        let kind = self.layout.kind();
        let read = if shape == Shape::TooLong {
            Err(Flaw {
                slot: None,
                code: Code::LineTooLong,
                value: b"",
                reason: "longer than 64 KiB (is a line end or a bracket missing?)".to_owned(),
            })
        } else {
            object::read(bytes, kind, &mut self.scratch)
        };
        let Object {
            fields,
            header_case,
            extra_column,
        } = match read {
            Ok(object) => object,
            Err(flaw) => {
                if self.rows == 1 && flaw.code == Code::FewFields {
                    refuse_kind(&record, kind)?;
                }
                return Ok(Some(self.layout.refused(record, flaw)));
            }
        };
        let layout = &self.layout;
        let parsed = layout.parse_fields(line, bytes, fields, self.latest_us, &mut self.notes);
        if matches!(parsed, Parsed::Row { .. }) {
            for (is, code) in [
                (header_case, Code::HeaderCase),
                (extra_column, Code::ExtraColumn),
            ] {
                if is {
                    self.notes.add(code, Some(line));
                }
            }
        }
        Ok(Some(parsed))
    }

    /// What was noted so far; all of it once [`JsonRows::next_row`] has said `None`.
    pub fn notes(&self) -> Notes {
        let mut notes = self.notes.clone();
        if let Texts::Lines(records) = &self.texts {
            let (count, first) = records.blank_lines();
            notes.add_many(Code::BlankLines, count, first);
        }
        notes.add_many(Code::NoRows, u64::from(self.rows == 0), None);
        notes
    }

    /// How many rows there were so far, good and bad.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes of the reader were read so far, as they came: for progress.
    pub fn bytes_read(&self) -> u64 {
        match &self.texts {
            Texts::Lines(records) => records.reader().bytes_read(),
            Texts::Array(elements) => elements.reader().bytes_read(),
        }
    }
}

impl Layout {
    fn refused<'a>(&self, record: Record<'_>, flaw: Flaw<'_>) -> Parsed<'a> {
        Parsed::Bad(Box::new(BadRow {
            line: record.line,
            column: flaw.slot.map(|slot| self.name(slot)),
            code: flaw.code,
            value: excerpt(flaw.value),
            reason: flaw.reason,
            raw: record.bytes.to_vec(),
        }))
    }
}

/// Refuses lines of which the first is the header of a CSV.
fn refuse_csv(first: &Record<'_>, kind: Kind) -> Result<(), BadFile> {
    if Layout::read(first, Some(kind), &mut Notes::default()).is_err() {
        return Ok(());
    }
    let reason = "this is CSV, not a JSON object on each line (send it as text/csv)";
    Err(BadFile::new(Some(first.line), Code::Header, reason))
}

/// Refuses rows of which the first is whole, but of another kind.
fn refuse_kind(first: &Record<'_>, expected: Kind) -> Result<(), BadFile> {
    let Some(kind) = object::kind_of(first.bytes).filter(|&kind| kind != expected) else {
        return Ok(());
    };
    Err(BadFile::new(
        Some(first.line),
        Code::WrongKind,
        format!(
            "these are {}, not {} (expected fields `{}`)",
            kind.as_str(),
            expected.as_str(),
            expected.header()
        ),
    ))
}
