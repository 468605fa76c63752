//! Forms with files, as browsers send them: `multipart/form-data` (RFC 7578), read part by part.
//!
//! A file may be larger than memory: each part is read from the body in order, and never copied whole.

use std::io::{self, Read};

use memchr::memmem;

use crate::error::{Error, Result};

/// How much of the body is read at once.
const CHUNK_BYTES: usize = 1 << 16;

/// The longest header of one part.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// How many parts a form may have.
const PARTS_MAX: usize = 32;

/// The head of one field of a form.
#[derive(Debug)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's original name; none for a field without a file.
    pub file_name: Option<String>,
}

/// The boundary in a media type; none if it is not a form with files.
pub fn boundary(content_type: &str) -> Option<String> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|one| one.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (1..=70).contains(&value.len()).then(|| value.to_owned())
}

/// A form: [`Form::next_part`] moves to the next part, and reading the form gives that part's bytes.
pub struct Form<'a> {
    body: &'a mut (dyn Read + Send),
    /// The line between parts.
    delimiter: Vec<u8>,
    /// Bytes of the body: those before `start` are used up, those before `sure` belong to the part.
    held: Vec<u8>,
    start: usize,
    sure: usize,
    in_part: bool,
    parts: usize,
    is_cut: bool,
}

impl<'a> Form<'a> {
    /// The form in `body`.
    pub fn new(body: &'a mut (dyn Read + Send), boundary: &str) -> Self {
        Self {
            body,
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first delimiter is at the very start, so a line end is added before it.
            held: b"\r\n".to_vec(),
            start: 0,
            sure: 0,
            in_part: true,
            parts: 0,
            is_cut: false,
        }
    }

    /// Skips the rest of a part and reads the head of the next one; `None` at the form's end.
    ///
    /// # Errors
    /// When the body is not a form or ends early.
    pub fn next_part(&mut self) -> Result<Option<Part>> {
        io::copy(self, &mut io::sink()).map_err(|_| cut())?;
        if self.line()?.trim_ascii_end() == b"--" {
            return Ok(None);
        }
        if self.parts == PARTS_MAX {
            let detail = format!("the form has more than {PARTS_MAX} fields (send fewer files at once)");
            return Err(Error::invalid(detail));
        }
        self.parts += 1;
        let (mut name, mut file_name, mut total) = (None, None, 0);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            total += line.len();
            if total > HEADER_BYTES_MAX {
                return Err(Error::invalid("a part of the upload has too long a header"));
            }
            let line = String::from_utf8_lossy(&line);
            if let Some((field, value)) = line.split_once(':')
                && field.trim().eq_ignore_ascii_case("Content-Disposition")
            {
                name = parameter(value, "name");
                file_name = parameter(value, "filename");
            }
        }
        (self.in_part, self.sure) = (true, self.start);
        let name = name.ok_or_else(|| Error::invalid("a part of the upload has no name"))?;
        Ok(Some(Part { name, file_name }))
    }

    /// The error of a body that ended inside a part, after reading the part failed.
    pub fn cut(&self) -> Option<Error> {
        self.is_cut.then(cut)
    }

    /// Reads more bytes; false at the body's end.
    fn fill(&mut self) -> io::Result<bool> {
        self.held.drain(..self.start);
        self.sure = self.sure.saturating_sub(self.start);
        self.start = 0;
        let length = self.held.len();
        self.held.resize(length + CHUNK_BYTES, 0);
        let read = self.body.read(&mut self.held[length..]);
        self.held.truncate(length + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }

    /// The next line, without its end; the last line of a body may lack it.
    fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            let held = &self.held[self.start..];
            let end = memmem::find(held, b"\r\n");
            if end.is_some() || held.len() > HEADER_BYTES_MAX {
                let line = held[..end.unwrap_or(held.len())].to_vec();
                self.start += line.len() + 2;
                self.start = self.start.min(self.held.len());
                return Ok(line);
            }
            if !self.fill().map_err(|_| cut())? {
                let line = std::mem::take(&mut self.held);
                self.sure = 0;
                return if line.is_empty() { Err(cut()) } else { Ok(line) };
            }
        }
    }
}

impl Read for Form<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.in_part && self.start == self.sure {
            let held = &self.held[self.start..];
            match memmem::find(held, &self.delimiter) {
                Some(0) => {
                    self.start += self.delimiter.len();
                    self.in_part = false;
                }
                Some(end) => self.sure += end,
                // Bytes that may begin a delimiter are held back.
                None if held.len() >= self.delimiter.len() => {
                    self.sure += held.len() + 1 - self.delimiter.len();
                }
                None => {
                    let filled = self.fill();
                    if !matches!(filled, Ok(true)) {
                        self.is_cut = true;
                        filled?;
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
        if !self.in_part {
            return Ok(0);
        }
        let count = buffer.len().min(self.sure - self.start);
        buffer[..count].copy_from_slice(&self.held[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }
}

fn cut() -> Error {
    Error::invalid("the upload ended before its last part (send it again)")
}

/// A quoted parameter of a header field; browsers write a quote in it as `%22`.
fn parameter(value: &str, name: &str) -> Option<String> {
    let start = format!("; {name}=\"");
    let (_, rest) = value.split_once(&start)?;
    let (quoted, _) = rest.split_once('"')?;
    Some(quoted.replace("%22", "\"").replace("%0D", "").replace("%0A", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(mut body: &[u8]) -> Result<Vec<(String, Option<String>, String)>> {
        let mut form = Form::new(&mut body, "XX");
        let mut parts = Vec::new();
        while let Some(part) = form.next_part()? {
            let mut text = String::new();
            let read = form.read_to_string(&mut text);
            assert_eq!(read.is_err(), form.cut().is_some());
            read.map_err(|_| cut())?;
            parts.push((part.name, part.file_name, text));
        }
        Ok(parts)
    }

    #[test]
    fn every_part_is_read_whole() {
        let long = "a\r\n--X\r\n".repeat(40_000);
        let body = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"skip\"\r\n\r\nyes\r\n\
             --XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a%22b.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n{long}\r\n--XX--\r\n"
        );
        let read = parts(body.as_bytes()).expect("a form");
        assert_eq!(read[0], ("skip".to_owned(), None, "yes".to_owned()));
        assert_eq!((&*read[1].0, read[1].1.as_deref()), ("files", Some("a\"b.csv")));
        assert_eq!(read[1].2, long);
        assert_eq!(parts(b"--XX--").expect("an empty form"), []);
    }

    #[test]
    fn a_form_that_ends_early_is_refused() {
        let whole = b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nyes\r\n--XX--";
        assert!(parts(whole).is_ok());
        for length in 0..whole.len() - 2 {
            assert!(parts(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_boundary_is_found_in_the_media_type() {
        let found = |text| boundary(text);
        assert_eq!(found("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
        assert_eq!(
            found("Multipart/Form-Data; charset=x; boundary=\"a b\"").as_deref(),
            Some("a b")
        );
        assert_eq!(found("text/csv; boundary=abc"), None);
        assert_eq!(found("multipart/form-data"), None);
    }
}
