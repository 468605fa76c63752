//! JSON arrays: cuts a stream of bytes into the array's elements, with the physical line each starts on.
//!
//! `serde_json` finds the end of each element and checks its syntax; this file reads the bytes between elements.
//! At most [`RECORD_BYTES_MAX`] bytes of an element are held. A syntax error refuses the whole array, because
//! the start of the next element is unknown.

use std::io::{self, BufRead, BufReader, Read};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::object::without_place;
use super::problem::{BadFile, Code, InputError, excerpt};
use super::records::{RECORD_BYTES_MAX, Record, Shape};

/// The size of the buffer.
const BUFFER_BYTES: usize = 4 * RECORD_BYTES_MAX;

/// The longest element that is skipped because it is above [`RECORD_BYTES_MAX`]; a longer one refuses the
/// array, because its nesting costs memory.
const PASSED_BYTES_MAX: usize = 256 * RECORD_BYTES_MAX;

/// Reads the elements of an array, one by one.
pub struct Elements<R> {
    tape: Tape<R>,
    /// How many elements have begun; none before the `[`.
    count: Option<u64>,
    is_closed: bool,
}

impl<R: Read> Elements<R> {
    /// The elements of the array that `reader` gives.
    pub fn new(reader: R) -> Self {
        Self {
            tape: Tape {
                reader: BufReader::with_capacity(BUFFER_BYTES, reader),
                line: 1,
                after_return: false,
                element: Vec::new(),
                passed_bytes: 0,
            },
            count: None,
            is_closed: false,
        }
    }

    /// The next element, without the space around it, or `None` after the end of the array.
    ///
    /// # Errors
    /// [`InputError::Refused`] when the stream is not an array, or has a syntax error;
    /// [`InputError::Io`] when the reader fails.
    pub fn next_element(&mut self) -> Result<Option<Record<'_>>, InputError> {
        if self.is_closed {
            return Ok(None);
        }
        let mut next = self.tape.skip_space()?;
        let count = match self.count {
            None => {
                self.open(next)?;
                next = self.tape.skip_space()?;
                0
            }
            Some(count) => count,
        };
        self.count = Some(count + 1);
        if next == Some(b']') {
            self.tape.step(b']');
            self.is_closed = true;
            return match self.tape.skip_space()? {
                None => Ok(None),
                Some(_) => self.refuse("something follows the array (leave it out)".to_owned()),
            };
        }
        if count > 0 && next.is_some() {
            if next != Some(b',') {
                return self.refuse(format!("no `,` between elements {count} and {}", count + 1));
            }
            self.tape.step(b',');
            next = self.tape.skip_space()?;
        }
        let Some(first) = next else {
            return self.refuse(format!(
                "the array ends after element {count} without `]` (was it cut short?)"
            ));
        };
        let line = self.tape.line;
        self.tape.read_value(first, line, count + 1)?;
        let element = &self.tape.element;
        let is_long = element.len() > RECORD_BYTES_MAX;
        Ok(Some(Record {
            line,
            bytes: &element[..element.len().min(RECORD_BYTES_MAX)],
            shape: if is_long { Shape::TooLong } else { Shape::Plain },
        }))
    }

    /// Reads the `[`, which must come next.
    fn open(&mut self, next: Option<u8>) -> Result<(), InputError> {
        let reason = match next {
            Some(b'[') => {
                self.tape.step(b'[');
                return Ok(());
            }
            None => {
                let reason = "nothing in it, not even an array (expected `[{…}, …]`)";
                return Err(BadFile::new(None, Code::Empty, reason).into());
            }
            Some(b'{') => "it begins with `{`, so it is no array (put `[` and `]` around the objects and \
                 commas between them, or send one object a line as application/x-ndjson)"
                .to_owned(),
            Some(_) => {
                let head = self.tape.reader.buffer();
                let line = head.split(|&byte| byte == b'\n' || byte == b'\r').next();
                let line = excerpt(line.unwrap_or_default());
                format!("no JSON array begins with `{line}` (expected `[{{…}}, …]`)")
            }
        };
        Err(BadFile::new(Some(self.tape.line), Code::Header, reason).into())
    }

    fn refuse<T>(&self, reason: String) -> Result<T, InputError> {
        Err(BadFile::new(Some(self.tape.line), Code::Json, reason).into())
    }
}

/// A reader that counts lines and keeps the bytes of the current element.
struct Tape<R> {
    reader: BufReader<R>,
    /// The line of the next byte.
    line: u64,
    /// The last byte was `\r`, so a `\n` after it ends the same line.
    after_return: bool,
    /// The current element; cut if it is too long.
    element: Vec<u8>,
    passed_bytes: usize,
}

impl<R: Read> Tape<R> {
    /// The next byte; none at the end of the stream.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Skips the next byte, which is `byte`.
    fn step(&mut self, byte: u8) {
        if byte == b'\r' || (byte == b'\n' && !self.after_return) {
            self.line += 1;
        }
        self.after_return = byte == b'\r';
        self.reader.consume(1);
    }

    /// Skips the next byte and adds it to the element.
    fn take(&mut self, byte: u8) -> io::Result<()> {
        if self.element.len() <= RECORD_BYTES_MAX {
            self.element.push(byte);
        }
        self.passed_bytes += 1;
        if self.passed_bytes > PASSED_BYTES_MAX {
            let reason = format!("one element has more than {PASSED_BYTES_MAX} bytes (is a bracket missing?)");
            return Err(io::Error::other(BadFile::new(Some(self.line), Code::Json, reason)));
        }
        self.step(byte);
        Ok(())
    }

    /// Skips white space; returns the byte after it, not yet skipped.
    fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) => self.step(byte),
                next => return Ok(next),
            }
        }
    }

    /// Reads the value that begins with `first` on `line` as element `number`.
    fn read_value(&mut self, first: u8, line: u64, number: u64) -> Result<(), InputError> {
        self.element.clear();
        self.passed_bytes = 0;
        let read = if matches!(first, b'-' | b'0'..=b'9') {
            // serde_json finds the end of a number only by reading one more byte.
            while let Some(byte @ (b'-' | b'+' | b'.' | b'0'..=b'9' | b'e' | b'E')) = self.peek()? {
                self.take(byte)?;
            }
            serde_json::from_slice::<IgnoredAny>(&self.element)
        } else {
            IgnoredAny::deserialize(&mut serde_json::Deserializer::from_reader(&mut *self))
        };
        match read {
            Ok(IgnoredAny) => Ok(()),
            Err(error) if error.is_io() => Err(io::Error::from(error).into()),
            Err(error) => {
                let reason = format!(
                    "element {number} is no JSON: {} (correct it, or send one object a line as \
                     application/x-ndjson, where a bad line refuses that row alone)",
                    without_place(&error)
                );
                Err(BadFile::new(Some(line), Code::Json, reason).into())
            }
        }
    }
}

impl<R: Read> Read for Tape<R> {
    /// Gives one byte at a time, because serde_json asks for one.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (Some(place), Some(byte)) = (buffer.first_mut(), self.peek()?) else {
            return Ok(0);
        };
        *place = byte;
        self.take(byte).map(|()| 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::trickle::Trickle;
    use super::*;

    fn check(text: &str, expected: &[(u64, &str)], refused: Option<(Code, Option<u64>)>) {
        for step in [1, 3, usize::MAX] {
            let mut elements = Elements::new(Trickle(text.as_bytes(), step));
            let mut seen = Vec::new();
            let refused_seen = loop {
                match elements.next_element() {
                    Ok(None) => break None,
                    Ok(Some(element)) => {
                        let text = match element.shape {
                            Shape::TooLong => "too long",
                            _ => std::str::from_utf8(element.bytes).unwrap(),
                        };
                        seen.push((element.line, text.to_owned()));
                    }
                    Err(InputError::Refused(file)) => break Some((file.code, file.line)),
                    Err(InputError::Io(error)) => panic!("{error}"),
                }
            };
            let seen: Vec<_> = seen.iter().map(|(line, text)| (*line, &**text)).collect();
            assert_eq!((&*seen, refused_seen), (expected, refused), "{text:?} by {step}");
        }
    }

    #[test]
    fn elements_are_what_stands_between_the_commas() {
        check("[]", &[], None);
        check(" [ 1 , [2,3] ] ", &[(1, "1"), (1, "[2,3]")], None);
        check(
            "[\"a,]\\\"\",{},-1.5e3]",
            &[(1, "\"a,]\\\"\""), (1, "{}"), (1, "-1.5e3")],
            None,
        );
        check("[null,true\n,false]", &[(1, "null"), (1, "true"), (2, "false")], None);
    }

    #[test]
    fn a_line_is_that_on_which_an_element_begins() {
        let text = "\n[\r\n1,\r\r\n{\n}\n\r,3]\n";
        check(text, &[(3, "1"), (5, "{\n}"), (8, "3")], None);
    }

    #[test]
    fn a_syntax_error_refuses_the_array_at_its_line() {
        let json = |line| Some((Code::Json, Some(line)));
        check("", &[], Some((Code::Empty, None)));
        check("\n{}", &[], Some((Code::Header, Some(2))));
        check("[1\n", &[(1, "1")], json(2));
        check("[1,", &[(1, "1")], json(1));
        check("[1,]", &[(1, "1")], json(1));
        check("[,1]", &[], json(1));
        check("[{}\n{}]", &[(1, "{}")], json(2));
        check("[1]\n2", &[(1, "1")], json(2));
        check("[1]]", &[(1, "1")], json(1));
        check("[1,\n{\"a\":1]", &[(1, "1")], json(2));
        check("[1,\n\"a", &[(1, "1")], json(2));
        check("[1,\n\"a\nb\"]", &[(1, "1")], json(2));
        check("[01]", &[], json(1));
        check("[1, nul]", &[(1, "1")], json(1));
        let deep = format!("[1,\n{}", "[".repeat(PASSED_BYTES_MAX + 1));
        check(&deep, &[(1, "1")], json(2));
    }

    #[test]
    fn an_element_is_kept_up_to_64_kib() {
        let most = format!("\"{}\"", "x".repeat(RECORD_BYTES_MAX - 2));
        let text = format!("[{most},\n\"x{},\n1]", &most[1..]);
        check(&text, &[(1, &most), (2, "too long"), (3, "1")], None);
        let long = format!("[[\"\"{}],\n1]", ",\n[]".repeat(BUFFER_BYTES));
        let lines = BUFFER_BYTES as u64;
        check(&long, &[(1, "too long"), (lines + 2, "1")], None);
    }
}
