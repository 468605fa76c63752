//! Records: cuts a stream of bytes into records, with the physical line that each starts on.
//!
//! Lines end in `\n`, `\r\n` or a lone `\r`. Quoted fields follow RFC 4180; in NDJSON each line is a record.
//! Memory holds one buffer of the stream at most.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Arc;

use memchr::{memchr, memchr2, memchr3, memrchr};

use super::problem::{BadFile, Code, InputError};

/// The longest record, without its line end.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// The size of the buffer; a record and the bytes that must be seen after it always fit.
const BUFFER_BYTES: usize = 4 * RECORD_BYTES_MAX;

/// The size of the first buffer: most requests are small and need no more.
const SMALL_BUFFER_BYTES: usize = 8 * 1024;

/// How much longer than the header a quoted record without a row can be.
const FILLER_BYTES: usize = 32;

/// How a record is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No quote in it: commas alone separate its fields.
    Plain,
    /// Quoted fields, all well-formed.
    Quoted,
    /// A quote inside an unquoted field, or text after a closing quote.
    BareQuote,
    /// Longer than [`RECORD_BYTES_MAX`]; only its beginning is here.
    TooLong,
}

/// One record, without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The physical line it starts on.
    pub line: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Whether they can be split into fields.
    pub shape: Shape,
}

/// Splits a reader's bytes into records; blank lines are counted and skipped.
pub struct Records<R> {
    reader: R,
    /// Whether quotes have a meaning: in CSV, not in NDJSON.
    quotes: bool,
    buffer: Vec<u8>,
    /// The start of the bytes that were not yet returned.
    start: usize,
    end: usize,
    /// The line of the byte at `start`.
    line: u64,
    /// The last record ended in `\r`, so a `\n` at `start` belongs to it.
    after_return: bool,
    /// The beginning of the record that is too long.
    cut: Vec<u8>,
    /// The header: a record that repeats it holds no row.
    header: Arc<[u8]>,
    /// The lines of records to leave out.
    dropped: HashSet<u64>,
    blank_lines: u64,
    blank_line_first: Option<u64>,
    /// The reader's error, reported when the buffer is used up.
    failed: Option<io::Error>,
}

/// A record's place in the buffer.
struct Found {
    line: u64,
    from: usize,
    to: usize,
    shape: Shape,
}

/// The state of the careful path within a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote inside a quoted field: it closes the field, or is half of a doubled quote.
    Quote,
    /// The record is malformed; only its line end matters.
    Spoilt,
}

impl<R: Read> Records<R> {
    /// The records of `reader`, whose first byte is on line `line` (1 for a whole file).
    pub fn new(reader: R, line: u64) -> Self {
        Self::open(reader, line, true)
    }

    /// The lines of `reader`: quotes have no meaning, so every shape is plain or too long.
    pub fn lines(reader: R) -> Self {
        Self::open(reader, 1, false)
    }

    /// The records of the first `bytes` bytes of `lines`, which [`Records::take_lines`] filled; lines count
    /// from 1.
    pub(super) fn of_lines(lines: Vec<u8>, bytes: usize, nothing: R) -> Self {
        Self::over(nothing, lines, bytes, 1, true)
    }

    /// Returns the buffer of the lines.
    pub(super) fn into_lines(self) -> Vec<u8> {
        self.buffer
    }

    fn open(reader: R, line: u64, quotes: bool) -> Self {
        let buffer = vec![0; SMALL_BUFFER_BYTES];
        Self::over(reader, buffer, 0, line, quotes)
    }

    /// A reader whose buffer already holds `end` bytes.
    fn over(reader: R, buffer: Vec<u8>, end: usize, line: u64, quotes: bool) -> Self {
        Self {
            reader,
            quotes,
            buffer,
            start: 0,
            end,
            line,
            after_return: false,
            cut: Vec::new(),
            header: Arc::default(),
            dropped: HashSet::new(),
            blank_lines: 0,
            blank_line_first: None,
            failed: None,
        }
    }

    /// Leaves out the records that start on these lines.
    pub(super) fn drop_lines(&mut self, lines: HashSet<u64>) {
        self.dropped = lines;
    }

    /// Skips records that repeat this header.
    pub(super) fn skip_header(&mut self, header: &Arc<[u8]>) {
        self.header = Arc::clone(header);
    }

    /// How many lines without a row were skipped, and the first of them.
    pub fn blank_lines(&self) -> (u64, Option<u64>) {
        (self.blank_lines, self.blank_line_first)
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// [`InputError::Refused`] with `unclosed_quote` when the next record cannot be delimited, or with the
    /// reader's own refusal; [`InputError::Io`] when the reader fails.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, InputError> {
        let found = loop {
            if self.start == self.end && !self.fill()? {
                return Ok(None);
            }
            if self.after_return {
                self.after_return = false;
                if self.buffer[self.start] == b'\n' {
                    self.start += 1;
                    continue;
                }
            }
            let found = self.find()?;
            if self.is_without_row(&self.buffer[found.from..found.to], found.shape) {
                self.blank_lines += 1;
                self.blank_line_first.get_or_insert(found.line);
                continue;
            }
            if !self.dropped.is_empty() && self.dropped.contains(&found.line) {
                continue;
            }
            break found;
        };
        let bytes = match found.shape {
            Shape::TooLong => &self.cut,
            _ => &self.buffer[found.from..found.to],
        };
        Ok(Some(Record {
            line: found.line,
            bytes,
            shape: found.shape,
        }))
    }

    /// Whether a record is blank, commas alone, `sep=` for a spreadsheet, a query tool's `(1 row)`, or the header
    /// again. The first byte tells most rows apart.
    fn is_without_row(&self, record: &[u8], shape: Shape) -> bool {
        let Some(&first) = record.first() else {
            // The bytes of a record that is too long are elsewhere.
            return shape == Shape::Plain;
        };
        let is_csv = self.quotes && matches!(shape, Shape::Plain | Shape::Quoted);
        match first {
            b' ' | b'\t' | b',' | b'"' | b'(' | b's' | b'S' => {}
            first => return is_csv && self.header.first() == Some(&first) && *self.header == *record,
        }
        if !is_csv {
            return shape == Shape::Plain && is_blank(record);
        }
        let is_empty = |&byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b'"');
        if record.iter().all(is_empty) {
            return first != b'"' || record.contains(&b',');
        }
        let is_filler = |record: &[u8]| is_footer(record) || is_separator(record) || self.is_header(record);
        // Needless quotes change nothing; a long row is none of them.
        if first == b'"' && record.len() <= self.header.len() + FILLER_BYTES {
            let plain: Vec<u8> = record.iter().copied().filter(|&byte| byte != b'"').collect();
            return is_filler(&plain) || self.is_header(record);
        }
        is_filler(record)
    }

    fn is_header(&self, record: &[u8]) -> bool {
        !self.header.is_empty() && *self.header == *record
    }

    /// Moves whole lines without a quote to the start of `lines`, over its old contents, to be split by another
    /// thread. Returns their length in bytes: at least `bytes_min`, unless the stream ends or only
    /// [`Records::next_record`] can read on. Before the next record, the caller must report their lines with
    /// [`Records::pass`]. A reader's error comes out of the next record.
    pub(super) fn take_lines(&mut self, bytes_min: usize, lines: &mut Vec<u8>) -> usize {
        if self.failed.is_some() {
            return 0;
        }
        // Copies the buffered bytes first, then reads straight into `lines`.
        let ahead = &self.buffer[self.start..self.end];
        if lines.len() < ahead.len() {
            lines.resize(ahead.len(), 0);
        }
        lines[..ahead.len()].copy_from_slice(ahead);
        let (mut whole, mut seen, mut end) = (0, 0, ahead.len());
        loop {
            if self.after_return && end > 0 {
                self.after_return = false;
                if lines[0] == b'\n' {
                    lines.copy_within(1..end, 0);
                    end -= 1;
                }
            }
            let fresh = &lines[seen..end];
            let plain = memchr(b'"', fresh).unwrap_or(fresh.len());
            let is_plain = plain == fresh.len();
            if let Some(last) = memrchr(b'\n', &fresh[..plain]) {
                whole = seen + last + 1;
            }
            seen = end;
            if !is_plain || end - whole > RECORD_BYTES_MAX || whole >= bytes_min {
                break;
            }
            let wanted = bytes_min.saturating_sub(end);
            let room = end + wanted.clamp(RECORD_BYTES_MAX, BUFFER_BYTES);
            if lines.len() < room {
                lines.resize(room, 0);
            }
            match read_some(&mut self.reader, &mut lines[end..room]) {
                Ok(0) => break,
                Ok(count) => end += count,
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        let rest = &lines[whole..end];
        if self.buffer.len() < rest.len() {
            self.buffer.resize(rest.len(), 0);
        }
        self.buffer[..rest.len()].copy_from_slice(rest);
        (self.start, self.end) = (0, rest.len());
        whole
    }

    /// The line of the next record.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Counts the lines that were taken, and the blank ones among them.
    pub(super) fn pass(&mut self, lines: u64, blank_lines: (u64, Option<u64>)) {
        self.line += lines;
        self.blank_lines += blank_lines.0;
        self.blank_line_first = self.blank_line_first.or(blank_lines.1);
    }

    /// The fast path: one search for a line end or a quote.
    fn find(&mut self) -> Result<Found, InputError> {
        let mut seen = 0;
        loop {
            let rest = &self.buffer[self.start + seen..self.end];
            let hit = if self.quotes {
                memchr3(b'\n', b'\r', b'"', rest)
            } else {
                memchr2(b'\n', b'\r', rest)
            };
            let length = seen + hit.unwrap_or(rest.len());
            if length > RECORD_BYTES_MAX {
                return self.find_carefully();
            }
            match hit {
                Some(hit) if rest[hit] == b'"' => return self.find_carefully(),
                Some(_) => return Ok(self.take(length, Some(0), Shape::Plain)),
                None => seen = length,
            }
            if !self.fill()? {
                return Ok(self.take(length, None, Shape::Plain));
            }
        }
    }

    /// The careful path, byte by byte: records with quotes, and records that are too long.
    fn find_carefully(&mut self) -> Result<Found, InputError> {
        let mut state = if self.quotes { State::FieldStart } else { State::Spoilt };
        let mut at = 0;
        let mut lines_inside = 0;
        let mut after_return = false;
        // Of the open quoted field: its line, and whether it spans lines.
        let (mut quote_line, mut spans_lines) = (self.line, false);
        let (mut spoilt, mut too_long) = (false, false);
        loop {
            if self.start + at == self.end {
                if too_long {
                    self.start += at;
                    at = 0;
                }
                if !self.fill()? {
                    if state == State::Quoted {
                        return Err(unclosed(quote_line));
                    }
                    return Ok(self.take(at, None, shape_by(spoilt, too_long)));
                }
            }
            let byte = self.buffer[self.start + at];
            let ends_line = byte == b'\n' || byte == b'\r';
            if ends_line && state != State::Quoted {
                return Ok(self.take(at, Some(lines_inside), shape_by(spoilt, too_long)));
            }
            state = match (state, byte) {
                (State::Quoted, b'"') => State::Quote,
                (State::Quoted, _) => {
                    if byte == b'\r' || (byte == b'\n' && !after_return) {
                        lines_inside += 1;
                        spans_lines = true;
                    }
                    State::Quoted
                }
                (State::Quote, b'"') => State::Quoted,
                (State::FieldStart, b'"') => {
                    (quote_line, spans_lines) = (self.line + lines_inside, false);
                    State::Quoted
                }
                (State::FieldStart | State::Unquoted | State::Quote, b',') => State::FieldStart,
                // The quote that seemed to close this field opens another one, on a later line.
                (State::Quote, _) if spans_lines => return Err(unclosed(quote_line)),
                (State::Quote, _) | (State::Unquoted, b'"') => {
                    spoilt = true;
                    State::Spoilt
                }
                (State::FieldStart | State::Unquoted, _) => State::Unquoted,
                (State::Spoilt, _) => State::Spoilt,
            };
            after_return = byte == b'\r';
            at += 1;
            if !too_long && at > RECORD_BYTES_MAX {
                too_long = true;
                self.cut.clear();
                let head = self.start..self.start + RECORD_BYTES_MAX;
                self.cut.extend_from_slice(&self.buffer[head]);
                // Outside quotes the next line end ends the record. Inside, the closing quote must be
                // found first.
                if !matches!(state, State::Quoted | State::Quote) {
                    state = State::Spoilt;
                }
            }
        }
    }

    /// Returns the record of `length` bytes at `start`. `line_end` counts the lines that ended in it; none
    /// when the stream ends it.
    fn take(&mut self, length: usize, line_end: Option<u64>, shape: Shape) -> Found {
        let (from, to, line) = (self.start, self.start + length, self.line);
        self.start = to;
        if let Some(lines_inside) = line_end {
            self.after_return = self.buffer[to] == b'\r';
            self.start += 1;
            self.line += lines_inside + 1;
        }
        Found { line, from, to, shape }
    }

    /// Reads more bytes into the buffer; `false` at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() && self.end < BUFFER_BYTES {
            self.buffer.resize(BUFFER_BYTES, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let count = read_some(&mut self.reader, &mut self.buffer[self.end..])?;
        self.end += count;
        Ok(count > 0)
    }
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The shape of a record that is there whole, without its line end.
pub(super) fn shape_of(record: &[u8]) -> Shape {
    if record.len() > RECORD_BYTES_MAX {
        return Shape::TooLong;
    }
    match Records::new(record, 1).next_record() {
        Ok(Some(found)) if found.bytes.len() == record.len() => found.shape,
        // A blank row, an open quote, or a line end inside.
        _ if record.contains(&b'"') => Shape::BareQuote,
        _ => Shape::Plain,
    }
}

fn shape_by(spoilt: bool, too_long: bool) -> Shape {
    match (too_long, spoilt) {
        (true, _) => Shape::TooLong,
        (false, true) => Shape::BareQuote,
        (false, false) => Shape::Quoted,
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|&byte| byte == b' ' || byte == b'\t')
}

/// Whether a line is what psql writes after a table: `(1 row)`, `(12 rows)`.
fn is_footer(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let inside = line.strip_prefix(b"(").and_then(|line| line.strip_suffix(b")"));
    let count = inside.and_then(|inside| inside.strip_suffix(b" row").or(inside.strip_suffix(b" rows")));
    count.is_some_and(|count| !count.is_empty() && count.iter().all(u8::is_ascii_digit))
}

/// Whether a line tells a spreadsheet that commas separate fields: `sep=,`.
fn is_separator(line: &[u8]) -> bool {
    line.trim_ascii().eq_ignore_ascii_case(b"sep=,")
}

fn unclosed(line: u64) -> InputError {
    InputError::Refused(BadFile::new(
        Some(line),
        Code::UnclosedQuote,
        "a quote opens on this line and nothing closes it (double a quote that is meant as one)",
    ))
}

#[cfg(test)]
mod tests;
