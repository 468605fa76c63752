//! The checks of every fuzz target on the readers of rows, for any bytes.
//!
//! - The division of the bytes into reads changes nothing.
//! - Lines are physical lines, counted here in another way. The reported start of a row is on its line, and each
//!   row starts after the one before it.
//! - Needless quotes change nothing.
//! - A good row, written again as CSV, is the same row.
//! - JSON is what `serde_json` accepts, with the same rows as lines and as an array.

pub mod proofs;

use std::io::{self, Read};

use serde::de::IgnoredAny;
use serde_json::Value;
use store_monitor::civil::{format_day, format_local_time, format_utc};
use store_monitor::ingest::kind::{self, Kind};
use store_monitor::ingest::options::ReadOptions;
use store_monitor::ingest::problem::{Code, InputError, Outcome};
use store_monitor::ingest::rows::{Format, Row, Rows};
use store_monitor::uptime::calendar::Times;

/// 2100-01-01T00:00:00Z: instants after it are refused.
const LATEST_US: i64 = 4_102_444_800_000_000;

/// Deeper nesting than `serde_json` follows.
const BRACKETS_MAX: usize = 100;

/// A row, read: where it begins, as it came, and what was made of it.
#[derive(Debug, PartialEq)]
struct Seen {
    line: u64,
    raw: Vec<u8>,
    /// The row as CSV, or what is wrong with it.
    read: Result<String, (Code, Option<&'static str>, String, String)>,
}

/// Everything that a reader says of an input.
#[derive(Debug, PartialEq)]
struct Said {
    rows: Vec<Seen>,
    /// Notes with their counts and lines, or why the file is refused and where.
    end: Result<Vec<(Code, u64, Option<u64>)>, (Code, Option<u64>)>,
}

impl Said {
    /// Every row, good or bad, without the text it was read from.
    fn rows(
        &self,
    ) -> Vec<(
        u64,
        &Result<String, (Code, Option<&'static str>, String, String)>,
    )> {
        self.rows.iter().map(|row| (row.line, &row.read)).collect()
    }

    fn is_good(&self) -> bool {
        self.end.is_ok() && self.rows.iter().all(|row| row.read.is_ok())
    }
}

/// A reader that gives its bytes a few at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn read(bytes: &[u8], step: usize, format: Format, kind: Kind) -> Said {
    let mut rows = Vec::new();
    let end =
        read_into(&mut rows, Trickle(bytes, step), format, kind).map_err(|error| match error {
            InputError::Refused(file) => {
                assert!(!file.reason.is_empty());
                assert!(file.code.outcome() == Outcome::File || file.code == Code::Json);
                (file.code, file.line)
            }
            InputError::Io(error) => panic!("bytes in memory cannot be read: {error}"),
        });
    Said { rows, end }
}

fn read_into(
    seen: &mut Vec<Seen>,
    reader: Trickle<'_>,
    format: Format,
    kind: Kind,
) -> Result<Vec<(Code, u64, Option<u64>)>, InputError> {
    let mut rows = Rows::open(
        reader,
        format,
        Some(kind),
        ReadOptions::until(LATEST_US),
        u64::MAX,
    )?;
    while let Some(read) = rows.next_row()? {
        seen.push(match read {
            Ok(row) => Seen {
                line: row.line,
                raw: row.raw.to_vec(),
                read: Ok(csv_of(&row)),
            },
            Err(bad) => {
                assert_eq!(bad.code.outcome(), Outcome::Row);
                assert!(!bad.reason.is_empty());
                let said = (bad.code, bad.column, bad.value, bad.reason);
                Seen {
                    line: bad.line,
                    raw: bad.raw,
                    read: Err(said),
                }
            }
        });
    }
    assert!(rows.next_row()?.is_none(), "the end is the end");
    assert_eq!(rows.rows(), seen.len() as u64);
    let mut notes: Vec<_> = rows
        .notes()
        .iter()
        .map(|note| (note.code, note.count, note.line))
        .collect();
    notes.sort_unstable();
    for (code, count, _) in &notes {
        assert!(code.outcome() == Outcome::Note && *count > 0);
    }
    Ok(notes)
}

/// A good row as a line of CSV below [`header_of`].
fn csv_of(row: &Row<'_>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let id = quoted(row.store_id);
    match row.value {
        kind::Value::Polls(poll) => {
            format!("{id},{},{}", format_utc(poll.at()), poll.status().as_str())
        }
        kind::Value::BusinessHours(row) => {
            let [start, end] = times_of(row.row.times_us_local);
            let from = row.valid_from.map(format_day).unwrap_or_default();
            format!("{id},{},{start},{end},{from}", row.row.weekday)
        }
        kind::Value::SpecialHours(row) => {
            let [start, end] = times_of(row.times_us_local);
            let (date, reason) = (format_day(row.date), quoted(row.reason));
            format!("{id},{date},{start},{end},{reason}")
        }
        kind::Value::Timezones(zone) => format!("{id},{zone}"),
        kind::Value::Stores(row) => {
            let number = |number: Option<Option<i64>>| {
                let number = number.flatten();
                number.map_or_else(String::new, |hundredths| {
                    format!("{}.{:02}", hundredths / 100, hundredths % 100)
                })
            };
            let [name, group] = [row.name, row.group].map(quoted);
            let [rate, target] = [row.sales_per_hour, row.target].map(number);
            format!("{id},{name},{group},{rate},{target}")
        }
    }
}

fn times_of(times: Option<Times>) -> [String; 2] {
    times
        .map(|times| times.map(format_local_time))
        .unwrap_or_default()
}

fn header_of(kind: Kind) -> String {
    let columns = kind.columns().iter();
    // A closed day is one without times.
    let names = columns.map(|column| column.name());
    let names = names.filter(|name| !matches!(*name, "is_closed" | "is_open"));
    names.collect::<Vec<_>>().join(",")
}

/// The text without a byte order mark; none where the bytes are an archive, whose text is elsewhere.
fn text_of(bytes: &[u8]) -> Option<&[u8]> {
    let is_gzip = bytes.starts_with(b"\x1f\x8b");
    (!is_gzip).then(|| bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Every physical line with what ends it: `\n`, `\r\n`, a lone `\r`, or nothing at the end.
fn physical_lines(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let length = length.unwrap_or(rest.len());
        let (line, behind) = rest.split_at(length);
        let end = if behind.starts_with(b"\r\n") {
            2
        } else {
            behind.len().min(1)
        };
        lines.push((line, &behind[..end]));
        rest = &behind[end..];
    }
    lines
}

/// Reads in two ways that must agree, and checks the lines.
fn check_reading(bytes: &[u8], format: Format, kind: Kind) -> Said {
    let said = read(bytes, usize::MAX, format, kind);
    let step = 1 + bytes.len() % 8;
    assert_eq!(read(bytes, step, format, kind), said, "by {step} bytes");
    let Some(text) = text_of(bytes) else {
        return said;
    };
    let lines = physical_lines(text);
    let mut last = 0;
    for row in &said.rows {
        let array = format == Format::JsonArray;
        assert!(
            row.line > last || (array && row.line == last),
            "lines run backwards"
        );
        last = row.line;
        let (line, _) = lines[usize::try_from(row.line).expect("few") - 1];
        let begins = physical_lines(&row.raw)[0].0;
        let stands = if array {
            line.windows(begins.len()).any(|part| part == begins)
        } else {
            line.starts_with(begins)
        };
        assert!(stands, "line {} is another one", row.line);
    }
    if let Err((_, Some(line))) = said.end {
        assert!(
            line >= 1 && line <= lines.len().max(1) as u64 + 1,
            "no such line: {line}"
        );
    }
    said
}

/// Every good row, written anew, is the same row.
fn check_writing(said: &Said, kind: Kind) {
    let good: Vec<_> = said.rows.iter().flat_map(|row| &row.read).collect();
    let mut text = header_of(kind);
    for row in &good {
        text.push('\n');
        text.push_str(row);
    }
    let again = read(text.as_bytes(), usize::MAX, Format::Csv, kind);
    let rows: Vec<_> = again.rows.iter().flat_map(|row| &row.read).collect();
    assert_eq!(rows, good);
    assert_eq!(again.rows.len(), good.len());
}

/// Checks what is made of bytes that come as a CSV of this kind.
///
/// # Panics
/// When it is not what it must be.
pub fn check_csv(bytes: &[u8], kind: Kind) {
    let said = check_reading(bytes, Format::Csv, kind);
    check_writing(&said, kind);
    let Some(text) = text_of(bytes).filter(|text| !text.contains(&b'"')) else {
        return;
    };
    if said.end.is_err() {
        return;
    }
    let mut quoted = Vec::new();
    for (line, end) in physical_lines(text) {
        let is_blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        for (number, field) in line.split(|&byte| byte == b',').enumerate() {
            if number > 0 {
                quoted.push(b',');
            }
            let quote = if is_blank { &b""[..] } else { b"\"" };
            quoted.extend([quote, field, quote].concat());
        }
        quoted.extend_from_slice(end);
    }
    let again = read(&quoted, usize::MAX, Format::Csv, kind);
    assert_eq!((again.rows(), &again.end), (said.rows(), &said.end));
}

fn is_too_deep(bytes: &[u8]) -> bool {
    let brackets = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{'));
    brackets.count() > BRACKETS_MAX
}

/// Checks what is made of bytes that come as JSON, one object a line.
///
/// # Panics
/// When it is not what it must be.
pub fn check_json_lines(bytes: &[u8]) {
    let kind = any_kind(bytes);
    let said = check_reading(bytes, Format::Ndjson, kind);
    check_writing(&said, kind);
    let Some(text) = text_of(bytes).filter(|_| !is_too_deep(bytes)) else {
        return;
    };
    for row in &said.rows {
        match &row.read {
            Ok(_) => assert!(is_json(&row.raw)),
            Err((Code::Json, None, ..)) => assert!(!is_object(&row.raw)),
            Err(_) => {}
        }
    }
    if said.end.is_err() {
        return;
    }
    // The same lines with commas between them, each still on a line of its own.
    let mut array = b"[".to_vec();
    let mut objects = 0;
    for (line, end) in physical_lines(text) {
        if !line.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            if objects > 0 {
                array.push(b',');
            }
            objects += usize::from(is_object(line));
        }
        array.extend([line, end].concat());
    }
    array.push(b']');
    if objects == said.rows.len() {
        let again = read(&array, usize::MAX, Format::JsonArray, kind);
        assert_eq!(again.rows(), said.rows());
        assert!(again.end.is_ok());
    }
}

/// Whether it is JSON, with numbers of any size and halves of surrogate pairs in unknown fields.
fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

fn is_object(text: &[u8]) -> bool {
    serde_json::from_slice::<Value>(text).is_ok_and(|value| value.is_object())
}

/// Whichever kind the number of bytes says: it changes with nearly every input that is tried.
fn any_kind(bytes: &[u8]) -> Kind {
    Kind::ALL[bytes.len() % Kind::ALL.len()]
}

/// Checks what is made of bytes that come as a JSON array.
///
/// # Panics
/// When it is not what it must be.
pub fn check_json_array(bytes: &[u8]) {
    let known = text_of(bytes).filter(|_| !is_too_deep(bytes));
    let known = known.map(serde_json::from_slice::<Vec<Value>>);
    let kind = any_kind(bytes);
    let said = check_reading(bytes, Format::JsonArray, kind);
    check_writing(&said, kind);
    match (&known, &said.end) {
        (Some(Ok(known)), Ok(_)) => assert_eq!(said.rows.len(), known.len()),
        (Some(Ok(_)), Err((code, _))) => assert_eq!(*code, Code::WrongKind),
        (Some(Err(_)), _) => assert!(!said.is_good() || text_of(bytes).is_some_and(is_json)),
        (None, _) => {}
    }
}
