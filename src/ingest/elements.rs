//! From a stream of bytes that is one JSON array to its elements, with the physical line each
//! starts on.
//!
//! It must never know what an element says, nor whether it is well formed: it only tells where one
//! ends, by its brackets and strings. It must never hold more than one element, and of a long one
//! only the beginning.

use std::io::{self, BufRead, BufReader, Read};

use super::problem::{BadFile, Code, InputError, excerpt};
use super::records::{RECORD_BYTES_MAX, Record, Shape};

/// What is read at once.
const BUFFER_BYTES: usize = 4 * RECORD_BYTES_MAX;

/// How many brackets may be open at once: what nests deeper cannot be followed in bounded memory.
const DEPTH_MAX: usize = RECORD_BYTES_MAX;

/// Splits what a reader gives into the elements of an array.
pub struct Elements<R> {
    reader: BufReader<R>,
    place: Place,
    /// The line of the byte that comes next.
    line: u64,
    /// The last byte was `\r`, so that a `\n` behind it ends the same line.
    after_return: bool,
    /// The element, or its beginning.
    text: Vec<u8>,
    scan: Scan,
}

/// What stands before the byte that comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing yet.
    Start,
    /// `[`
    Opened,
    /// `,`
    Comma,
    /// The `]` that closes the array.
    Closed,
    /// The end was seen.
    End,
}

impl<R: Read> Elements<R> {
    /// The elements of the array that `reader` gives.
    pub fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER_BYTES, reader),
            place: Place::Start,
            line: 1,
            after_return: false,
            text: Vec::new(),
            scan: Scan::default(),
        }
    }

    /// The next element, without the space around it, or `None` behind the end of the array. Where
    /// nothing stands between two commas, the element is empty.
    ///
    /// # Errors
    /// [`InputError::Refused`] when this is no array or no element can be told from here on, or with
    /// what the reader below refuses; [`InputError::Io`] when the reader fails.
    pub fn next_element(&mut self) -> Result<Option<Record<'_>>, InputError> {
        if self.place == Place::Start {
            self.open_array()?;
        }
        if self.place == Place::End {
            return Ok(None);
        }
        let next = self.skip_space()?;
        match (self.place, next) {
            (Place::Closed, Some(_)) => {
                return self.refuse("something follows the array (leave it out)");
            }
            (Place::Closed, None) => {
                self.place = Place::End;
                return Ok(None);
            }
            (Place::Opened, Some(b']')) => {
                self.step_over();
                self.place = Place::Closed;
                return self.next_element();
            }
            _ => {}
        }
        let line = self.line;
        let is_long = self.read_element()?;
        while matches!(self.text.last(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.text.pop();
        }
        Ok(Some(Record {
            line,
            bytes: &self.text,
            shape: if is_long {
                Shape::TooLong
            } else {
                Shape::Plain
            },
        }))
    }

    fn open_array(&mut self) -> Result<(), InputError> {
        let reason = match self.skip_space()? {
            Some(b'[') => {
                self.step_over();
                self.place = Place::Opened;
                return Ok(());
            }
            None => {
                let reason = "nothing in it, not even an array (expected `[{…}, …]`)";
                return Err(BadFile::new(None, Code::Empty, reason).into());
            }
            Some(b'{') => {
                "it begins with `{`, so it is no array (put `[` and `]` around the objects and \
                 commas between them, or send one object a line as application/x-ndjson)"
                    .to_owned()
            }
            Some(_) => {
                let head = fill(&mut self.reader)?;
                let line = head.split(|&byte| byte == b'\n' || byte == b'\r').next();
                let line = excerpt(line.unwrap_or_default());
                format!("no JSON array begins with `{line}` (expected `[{{…}}, …]`)")
            }
        };
        Err(BadFile::new(Some(self.line), Code::Header, reason).into())
    }

    /// Reads one element and the `,` or `]` behind it; whether it is too long to be kept.
    fn read_element(&mut self) -> Result<bool, InputError> {
        self.text.clear();
        self.scan = Scan::default();
        let mut is_long = false;
        loop {
            let chunk = fill(&mut self.reader)?;
            if chunk.is_empty() {
                if self.scan.in_string {
                    return Err(unclosed(self.scan.quote_line));
                }
                return self.refuse(
                    "the array is not closed here, where the text ends (was it cut short?)",
                );
            }
            let mut end = None;
            let mut count = 0;
            for &byte in chunk {
                count += 1;
                match self.scan.step(byte, self.line)? {
                    Step::Inside => {}
                    Step::Comma => end = Some(Place::Comma),
                    Step::Close => end = Some(Place::Closed),
                }
                count_line(&mut self.line, &mut self.after_return, byte);
                if end.is_some() {
                    break;
                }
            }
            let part = &chunk[..count - usize::from(end.is_some())];
            let room = RECORD_BYTES_MAX - self.text.len();
            is_long |= part.len() > room;
            self.text.extend_from_slice(&part[..part.len().min(room)]);
            self.reader.consume(count);
            if let Some(place) = end {
                self.place = place;
                return Ok(is_long);
            }
        }
    }

    /// The first byte that is no space, not yet stepped over.
    fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            let chunk = fill(&mut self.reader)?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let spaces = chunk.iter().position(|&byte| !is_space(byte));
            let next = spaces.map(|at| chunk[at]);
            let count = spaces.unwrap_or(chunk.len());
            for &byte in &chunk[..count] {
                count_line(&mut self.line, &mut self.after_return, byte);
            }
            self.reader.consume(count);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Steps over one byte that ends no line.
    fn step_over(&mut self) {
        self.reader.consume(1);
        self.after_return = false;
    }

    fn refuse<T>(&self, reason: &str) -> Result<T, InputError> {
        Err(BadFile::new(Some(self.line), Code::Json, reason).into())
    }
}

/// What a byte is to the element it stands in.
enum Step {
    Inside,
    /// The comma behind it.
    Comma,
    /// The bracket that closes the array.
    Close,
}

/// Where in an element a byte stands.
#[derive(Default)]
struct Scan {
    in_string: bool,
    /// The last byte was a backslash that is not itself escaped.
    escaped: bool,
    /// The line on which the last string opened, and whether a line ended inside it.
    quote_line: u64,
    spans_lines: bool,
    /// The last byte closed a string that spans lines.
    closed_wide: bool,
    /// The brackets that are open.
    open: Vec<u8>,
}

impl Scan {
    fn step(&mut self, byte: u8, line: u64) -> Result<Step, BadFile> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.closed_wide = self.spans_lines;
                }
                _ => {}
            }
            self.spans_lines |= byte == b'\n' || byte == b'\r';
            return Ok(Step::Inside);
        }
        // The quote that seemed to close that string opened another one, further down.
        if self.closed_wide && !is_space(byte) && !matches!(byte, b',' | b':' | b']' | b'}') {
            return Err(unclosed_file(self.quote_line));
        }
        self.closed_wide = false;
        match byte {
            b'"' => (self.in_string, self.quote_line, self.spans_lines) = (true, line, false),
            b'{' | b'[' => {
                if self.open.len() == DEPTH_MAX {
                    let reason = "more brackets open than can be followed (leave the nesting out)";
                    return Err(BadFile::new(Some(line), Code::Json, reason));
                }
                self.open.push(byte);
            }
            b'}' | b']' => match (self.open.pop(), byte) {
                (None, b']') => return Ok(Step::Close),
                // A stray brace spoils its element only.
                (None, _) | (Some(b'{'), b'}') | (Some(b'['), b']') => {}
                (Some(open), _) => {
                    let reason = format!(
                        "`{}` closes a `{}`, so where the rows end is anybody's guess (is a bracket missing?)",
                        char::from(byte),
                        char::from(open)
                    );
                    return Err(BadFile::new(Some(line), Code::Json, reason));
                }
            },
            b',' if self.open.is_empty() => return Ok(Step::Comma),
            _ => {}
        }
        Ok(Step::Inside)
    }
}

/// What JSON calls white space.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Counts the line that `byte` ends, if it ends one.
fn count_line(line: &mut u64, after_return: &mut bool, byte: u8) {
    if byte == b'\r' || (byte == b'\n' && !*after_return) {
        *line += 1;
    }
    *after_return = byte == b'\r';
}

/// What comes next; nothing at the end of the stream.
fn fill<R: Read>(reader: &mut BufReader<R>) -> io::Result<&[u8]> {
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(reader.buffer())
}

fn unclosed(line: u64) -> InputError {
    unclosed_file(line).into()
}

fn unclosed_file(line: u64) -> BadFile {
    BadFile::new(
        Some(line),
        Code::UnclosedQuote,
        "a string opens on this line and nothing closes it (write `\\\"` for a quote inside one)",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::trickle::Trickle;
    use super::*;

    type Seen = (Vec<(u64, String)>, Option<(Code, Option<u64>)>);

    fn elements_by(bytes: &[u8], step: usize) -> Seen {
        let mut elements = Elements::new(Trickle(bytes, step));
        let mut seen = Vec::new();
        let refused = loop {
            match elements.next_element() {
                Ok(None) => break None,
                Ok(Some(element)) => {
                    let text = match element.shape {
                        Shape::TooLong => "too long".to_owned(),
                        _ => String::from_utf8_lossy(element.bytes).into_owned(),
                    };
                    seen.push((element.line, text));
                }
                Err(InputError::Refused(file)) => break Some((file.code, file.line)),
                Err(InputError::Io(error)) => panic!("{error}"),
            }
        };
        (seen, refused)
    }

    fn check(text: &str, expected: &[(u64, &str)], refused: Option<(Code, Option<u64>)>) {
        for step in [1, 3, usize::MAX] {
            let (seen, refused_seen) = elements_by(text.as_bytes(), step);
            let seen: Vec<_> = seen
                .iter()
                .map(|(line, text)| (*line, text.as_str()))
                .collect();
            assert_eq!(
                (&seen[..], refused_seen),
                (expected, refused),
                "{text:?} by {step}"
            );
        }
    }

    #[test]
    fn elements_are_what_stands_between_the_commas() {
        check("[]", &[], None);
        check(" [ 1 , [2,3] ] ", &[(1, "1"), (1, "[2,3]")], None);
        check("[\"a,]\\\"\",{}]", &[(1, "\"a,]\\\"\""), (1, "{}")], None);
        check("[,1,]", &[(1, ""), (1, "1"), (1, "")], None);
        check("[{} {},}]", &[(1, "{} {}"), (1, "}")], None);
    }

    #[test]
    fn a_line_is_that_on_which_an_element_begins() {
        check(
            "\n[\r\n1,\r\r\n{\n}\n\r,3]\n",
            &[(3, "1"), (5, "{\n}"), (8, "3")],
            None,
        );
        check(
            "[1,\"a\n\\\"\r\nb\",\n3]",
            &[(1, "1"), (1, "\"a\n\\\"\r\nb\""), (4, "3")],
            None,
        );
    }

    #[test]
    fn what_cannot_be_followed_is_refused_where_it_shows() {
        let json = |line| Some((Code::Json, Some(line)));
        let unclosed = |line| Some((Code::UnclosedQuote, Some(line)));
        check("", &[], Some((Code::Empty, None)));
        check("\n{}", &[], Some((Code::Header, Some(2))));
        check("[1\n", &[], json(2));
        check("[1,", &[(1, "1")], json(1));
        check("[1]\n2", &[(1, "1")], json(2));
        check("[1]]", &[(1, "1")], json(1));
        check("[1,\n{\"a\":1]", &[(1, "1")], json(2));
        check("[1,\n\"a", &[(1, "1")], unclosed(2));
        check(
            "[1,\n{\"a\":\"b},\n{\"a\":\"b\"}]",
            &[(1, "1")],
            unclosed(2),
        );
        let deep = format!("[{}", "[".repeat(DEPTH_MAX + 1));
        check(&deep, &[], json(1));
    }

    #[test]
    fn an_element_is_kept_up_to_64_kib() {
        let most = format!("\"{}\"", "x".repeat(RECORD_BYTES_MAX - 2));
        let text = format!("[{most},\nx{most},\n1]");
        check(&text, &[(1, &most), (2, "too long"), (3, "1")], None);
        let long = format!("[[\"{}\"],\n1]", "],\n".repeat(10 * BUFFER_BYTES));
        let lines = 10 * BUFFER_BYTES as u64;
        check(&long, &[(1, "too long"), (lines + 2, "1")], None);
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_changes_nothing(
            text in "[\\[\\]{},:\"\\\\\n\r a1]{0,60}", step in 1usize..9
        ) {
            let text = format!("[{text}");
            let whole = elements_by(text.as_bytes(), usize::MAX);
            prop_assert_eq!(elements_by(text.as_bytes(), step), whole);
        }

        #[test]
        fn elements_are_those_that_a_whole_parse_finds(
            values in prop::collection::vec(value(), 0..6), pretty in any::<bool>()
        ) {
            let text = if pretty {
                serde_json::to_string_pretty(&values).unwrap()
            } else {
                serde_json::to_string(&values).unwrap()
            };
            let (seen, refused) = elements_by(text.as_bytes(), 5);
            prop_assert_eq!(refused, None);
            let seen: Vec<Value> = seen
                .iter()
                .map(|(_, text)| serde_json::from_str(text).unwrap())
                .collect();
            prop_assert_eq!(seen, values);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = "[a\\[\\]{},:\"\\\\\n]{0,5}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..4)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }
}
