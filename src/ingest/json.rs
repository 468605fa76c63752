//! JSON as rows: one object a line (NDJSON), or one array of objects.
//!
//! Fields are named as the columns of the CSV are, in any letter case; a text goes through the same
//! judgement as a CSV's, and a number is the digits it is written with, however many. It must never
//! know where the rows go, nor hold more of an input than one object and the buffer it came in.
//!
//! | what is wrong | said as |
//! | --- | --- |
//! | a line that is no JSON; a line or element that is JSON but no object | row, `json` |
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
//! | a syntax error in an array, in an element or between two | file, `json` |

use std::io::Read;

use super::array::Elements;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::parser::{Format, Rows};
    use crate::ingest::row::EARLIEST_US;
    use crate::uptime::interval::DAY;

    /// A row as text, or its code and column; each with its line.
    type Seen = (u64, Result<String, (Code, Option<&'static str>, String)>);

    /// Every row and note, with the lines counted from the row behind `header_lines`.
    fn read(
        text: &[u8],
        format: Format,
        kind: Kind,
        header_lines: u64,
    ) -> (Vec<Seen>, Vec<String>) {
        let latest_us = EARLIEST_US + 20_000 * DAY;
        let mut rows = Rows::open(text, format, Some(kind), latest_us).unwrap();
        let mut seen = Vec::new();
        while let Some(parsed) = rows.next_row().unwrap() {
            seen.push(match parsed {
                Parsed::Row { line, row, .. } => (line - header_lines, Ok(format!("{row:?}"))),
                Parsed::Bad(bad) => (
                    bad.line - header_lines,
                    Err((bad.code, bad.column, bad.reason)),
                ),
            });
        }
        let notes = rows.notes();
        let notes = notes.iter().map(|note| {
            let line = note.line.map(|line| line - header_lines);
            format!("{} {} {line:?}", note.code, note.count)
        });
        (seen, notes.collect())
    }

    /// A row as a JSON object that begins with its field number `first`; texts that are whole
    /// numbers are written as numbers on demand.
    fn object(kind: Kind, texts: &[String], first: usize, numbers: bool) -> String {
        let count = kind.columns().len();
        let fields: Vec<_> = (0..count)
            .map(|place| (place + first) % count)
            .map(|slot| {
                let text = &texts[slot];
                let digits = text.strip_prefix('-').unwrap_or(text);
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit())
                    && (digits == "0" || !digits.starts_with('0'))
                    && !digits.is_empty();
                let value = if numbers && is_number {
                    text.clone()
                } else {
                    serde_json::to_string(text).unwrap()
                };
                format!("\"{}\": {value}", kind.columns()[slot][0])
            })
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    fn csv_of(kind: Kind, rows: &[(Vec<String>, usize, bool)]) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = kind.columns().iter().map(|column| column[0]);
        writer.write_record(names).unwrap();
        for (texts, ..) in rows {
            let texts = &texts[..kind.columns().len()];
            writer.write_record(texts).unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let good = prop::sample::select(vec![
            "aa",
            "active",
            "Inactive",
            "2023-01-25 10:00:00 UTC",
            "2023-01-25T10:00:00.1234567+02:00",
            "1970-01-01 00:00:00",
            "America/Denver",
            "us/eastern",
            "09:00:00",
            "9:30",
            "24:00",
            "3",
            " 0 ",
        ]);
        let text = prop_oneof![
            3 => good.prop_map(str::to_owned),
            1 => "[ab,\"\\\\/ \t\u{1}\u{e9}\u{202e}\u{2028}\u{1f355}]{0,5}",
            1 => "-?[0-9]{1,20}",
            1 => "x{127,130}",
        ];
        prop::collection::vec(text, 4)
    }

    /// Rows of which many are good: each text is where one of its kind belongs, or anywhere.
    fn rows() -> impl Strategy<Value = (Kind, Vec<(Vec<String>, usize, bool)>)> {
        let fitting = |kind: Kind| {
            let texts: &[&str] = match kind {
                Kind::Polls => &["aa", "2023-01-25 10:00:00 UTC", "active", ""],
                Kind::BusinessHours => &["7", "0", "09:00", "24:00:00"],
                Kind::Timezones => &["8419537941919820732", "america/denver", "", ""],
                Kind::Stores => &["aa", "\u{e9} \"\\", "12", ""],
            };
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        };
        prop::sample::select(Kind::ALL.to_vec()).prop_flat_map(move |kind| {
            let row = (fitting_or_any(fitting(kind)), 0usize..4, any::<bool>());
            (Just(kind), prop::collection::vec(row, 1..12))
        })
    }

    fn fitting_or_any(fitting: Vec<String>) -> impl Strategy<Value = Vec<String>> {
        (texts(), 0u8..16).prop_map(move |(texts, any)| {
            let mut both = texts.into_iter().zip(&fitting).enumerate();
            both.by_ref()
                .map(|(slot, (text, fits))| {
                    if any >> slot & 1 == 1 {
                        text
                    } else {
                        fits.clone()
                    }
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_same_rows_are_read_however_they_are_written((kind, rows) in rows()) {
            let csv = read(&csv_of(kind, &rows), Format::Csv, kind, 1);
            let objects: Vec<_> = rows
                .iter()
                .map(|(texts, first, numbers)| object(kind, texts, *first, *numbers))
                .collect();
            let lines = objects.join("\n");
            prop_assert_eq!(&read(lines.as_bytes(), Format::Ndjson, kind, 0), &csv);
            let array = format!("[{}]", objects.join(",\n"));
            prop_assert_eq!(&read(array.as_bytes(), Format::JsonArray, kind, 0), &csv);
        }

        #[test]
        fn no_text_makes_it_panic(
            text in "[\\[{]?([\\[\\]{},: \n\r1]|\"store_id\":|\"timezone_str\":|\"UTC\"|\"|\\\\|\\\\ud800|null){0,20}"
        ) {
            for format in [Format::Ndjson, Format::JsonArray] {
                let rows = Rows::open(text.as_bytes(), format, Some(Kind::Timezones), 0);
                let mut rows = rows.unwrap();
                while let Ok(Some(_)) = rows.next_row() {}
            }
        }
    }

    #[test]
    fn json_has_to_be_said_what_it_is() {
        let refused = Rows::open(&b"{}"[..], Format::Ndjson, None, 0).err();
        assert!(matches!(refused, Some(InputError::Refused(file)) if file.code == Code::Header));
    }

    #[test]
    fn a_first_row_of_another_kind_refuses_the_file() {
        let zone = br#"[{"store_id": "aa", "timezone_str": "UTC"}]"#;
        let mut rows = Rows::open(&zone[..], Format::JsonArray, Some(Kind::Polls), 0).unwrap();
        let Err(InputError::Refused(file)) = rows.next_row() else {
            panic!("not refused");
        };
        assert_eq!(
            file.to_string(),
            "line 1: these are time zones, not polls (expected fields `store_id,timestamp_utc,status`)"
        );
    }
}
