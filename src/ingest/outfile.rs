//! What `SELECT … INTO OUTFILE` of MySQL writes: fields between tabs, no header, `\N` for NULL. It becomes CSV text.
//!
//! The columns are told by the first line: a store, an instant and a status; a store, a day and two times; a store and
//! a zone. The header that is put before them counts as a line, as in the table of a dump.

use std::io::{self, BufRead, BufReader, Read};

use super::records::RECORD_BYTES_MAX;

/// How much of a source is looked at to tell what it is.
pub(super) const HEAD_BYTES: u64 = 512;

/// The header of a source that begins with `head`; none if it is no such file.
pub(super) fn header_of(head: &[u8]) -> Option<&'static str> {
    let line = head.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    let fields: Vec<&str> = line.split('\t').collect();
    match fields[..] {
        [_, at, status] if is_instant(at) && is_status(status) => Some("store_id,timestamp_utc,status\n"),
        [_, status, at] if is_instant(at) && is_status(status) => Some("store_id,status,timestamp_utc\n"),
        [_, day, start, end] if is_day(day) && is_time(start) && is_time(end) => {
            Some("store_id,day,start_time_local,end_time_local\n")
        }
        [_, zone] if zone.parse::<chrono_tz::Tz>().is_ok() => Some("store_id,timezone_str\n"),
        _ => None,
    }
}

fn is_status(text: &str) -> bool {
    matches!(text, "active" | "inactive")
}

fn is_day(text: &str) -> bool {
    text.len() == 1 && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
}

/// Whether digits and others are where `shape` has `0` and others.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| {
        if wanted == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == wanted
        }
    };
    text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

fn is_instant(text: &str) -> bool {
    has_shape(text, "0000-00-00 00:00:00")
}

fn is_time(text: &str) -> bool {
    text == "\\N" || has_shape(text, "00:00:00")
}

/// The text of such a file as CSV.
pub(super) struct OutfileText<R> {
    rows: BufReader<R>,
    line: Vec<u8>,
    text: Vec<u8>,
    at: usize,
}

impl<R: Read> OutfileText<R> {
    /// The text with this header.
    pub(super) fn new(rows: R, header: &str) -> Self {
        Self {
            rows: BufReader::new(rows),
            line: Vec::new(),
            text: header.as_bytes().to_vec(),
            at: 0,
        }
    }

    /// Makes the CSV of the next line.
    fn fill(&mut self) -> io::Result<()> {
        self.line.clear();
        self.text.clear();
        self.at = 0;
        loop {
            let room = (RECORD_BYTES_MAX + 1).saturating_sub(self.line.len()) as u64;
            let read = (&mut self.rows).take(room).read_until(b'\n', &mut self.line)?;
            // A line break within a field has a backslash before it. A line that is too long is refused as CSV.
            if read == 0 || !ends_in_escape(&self.line) {
                break;
            }
        }
        let is_whole = self.line.ends_with(b"\n");
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            for (number, field) in fields_of(line).into_iter().enumerate() {
                if number > 0 {
                    self.text.push(b',');
                }
                write_field(&mut self.text, &field);
            }
        }
        if is_whole {
            self.text.push(b'\n');
        }
        Ok(())
    }
}

impl<R: Read> Read for OutfileText<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            self.fill()?;
        }
        let left = &self.text[self.at..];
        let count = left.len().min(to.len());
        to[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(count)
    }
}

/// Whether a line ends in a line break with a backslash before it that is not itself behind one.
fn ends_in_escape(line: &[u8]) -> bool {
    let Some(before) = line.strip_suffix(b"\n") else {
        return false;
    };
    before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// The fields of a line, without their backslashes; NULL is empty.
fn fields_of(line: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = vec![Vec::new()];
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        let Some(field) = fields.last_mut() else { break };
        match byte {
            b'\t' => fields.push(Vec::new()),
            b'\\' => match bytes.next() {
                Some(b'N') => {}
                Some(b'0') => field.push(0),
                Some(b'n') => field.push(b'\n'),
                Some(b't') => field.push(b'\t'),
                Some(b'r') => field.push(b'\r'),
                Some(other) => field.push(other),
                None => field.push(b'\\'),
            },
            other => field.push(other),
        }
    }
    fields
}

fn write_field(text: &mut Vec<u8>, field: &[u8]) {
    let is_plain = |byte: &u8| !matches!(byte, b',' | b'"' | b'\n' | b'\r' | b'\t' | 0);
    if field.iter().all(is_plain) {
        text.extend_from_slice(field);
        return;
    }
    text.push(b'"');
    for &byte in field {
        if byte == b'"' {
            text.push(b'"');
        }
        text.push(byte);
    }
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_columns() {
        let polls = header_of(b"7\t2023-01-21 08:49:05.061027\tinactive\n8\t");
        assert_eq!(polls, Some("store_id,timestamp_utc,status\n"));
        assert_eq!(
            header_of(b"7\tactive\t2023-01-21 08:49:05\n"),
            Some("store_id,status,timestamp_utc\n")
        );
        assert_eq!(
            header_of(b"7\t0\t09:00:00\t\\N\n"),
            Some("store_id,day,start_time_local,end_time_local\n")
        );
        assert_eq!(header_of(b"7\tAmerica/Chicago\r\n"), Some("store_id,timezone_str\n"));
        for other in [
            "store_id\ttimestamp_utc\tstatus\n",
            "7,2023-01-21 08:49:05,active\n",
            "7\tx\n",
            "",
            "\n",
            "7\t2023-01-21\tactive\n",
        ] {
            assert_eq!(header_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn fields_lose_their_backslashes_and_null_is_empty() {
        let text = |rows: &str| {
            let mut text = String::new();
            let rows = OutfileText::new(rows.as_bytes(), "a,b\n");
            BufReader::new(rows).read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(text("7\t\\N\n8\tx\n"), "a,b\n7,\n8,x\n");
        assert_eq!(text("a\\\tb\tc\\\\\r\n"), "a,b\n\"a\tb\",c\\\n");
        assert_eq!(text("a\\\nb\t\"c,d\"\n"), "a,b\n\"a\nb\",\"\"\"c,d\"\"\"\n");
        assert_eq!(text("\n7\tx"), "a,b\n\n7,x");
    }
}
