//! Forms with files, as browsers send them: `multipart/form-data` (RFC 7578), read part by part.
//!
//! A file may be larger than memory, so each part goes to a file of its own that nobody else sees. It
//! must never know what the files are about.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use memchr::memmem;

use crate::error::{Error, Result};

/// How much of the body is looked at together.
const CHUNK_BYTES: usize = 1 << 16;

/// How long the header of one part may be.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// How many parts a form may have.
const PARTS_MAX: usize = 32;

/// One field of a form.
#[derive(Debug)]
pub struct Part {
    /// What the form calls it.
    pub name: String,
    /// What the file is called where it came from; none for a field without a file.
    pub file_name: Option<String>,
    /// Its bytes, from the first.
    pub file: File,
    /// How many they are.
    pub bytes: u64,
}

/// The boundary that a media type names; none where it is no form with files.
pub fn boundary(content_type: &str) -> Option<String> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type
        .trim()
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|one| one.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (1..=70).contains(&value.len()).then(|| value.to_owned())
}

/// Reads every part of `body` into a file in `folder`.
///
/// # Errors
/// When the body is no such form, ends early, or a file cannot be written.
pub fn read(body: &mut dyn Read, boundary: &str, folder: &Path) -> Result<Vec<Part>> {
    let mut body = Window {
        body,
        // The first delimiter stands at the very start, as if a line had ended before it.
        held: b"\r\n".to_vec(),
    };
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    body.copy_until(&delimiter, &mut std::io::sink())?;
    let mut parts = Vec::new();
    loop {
        let mut after = Vec::new();
        body.copy_until(b"\r\n", &mut after)?;
        if after.trim_ascii_end() == b"--" {
            return Ok(parts);
        }
        if parts.len() == PARTS_MAX {
            let detail =
                format!("the form has more than {PARTS_MAX} fields (send fewer files at once)");
            return Err(Error::invalid(detail));
        }
        let (name, file_name) = body.header()?;
        let failed = |error| Error::failed("an upload cannot be kept").because(error);
        let mut file = tempfile::tempfile_in(folder).map_err(failed)?;
        let bytes = body.copy_until(&delimiter, &mut file)?;
        file.rewind().map_err(failed)?;
        parts.push(Part {
            name,
            file_name,
            file,
            bytes,
        });
    }
}

/// A body of which a little is held.
struct Window<'a> {
    body: &'a mut dyn Read,
    held: Vec<u8>,
}

impl Window<'_> {
    /// Holds more; false at the body's end.
    fn fill(&mut self) -> Result<bool> {
        let start = self.held.len();
        self.held.resize(start + CHUNK_BYTES, 0);
        let read = self.body.read(&mut self.held[start..]);
        self.held.truncate(start + *read.as_ref().unwrap_or(&0));
        let count = read.map_err(|error| Error::invalid("the upload broke off").because(error))?;
        Ok(count > 0)
    }

    /// Gives everything before `end` to `out`, passes over `end` itself, and returns how much it was.
    fn copy_until(&mut self, end: &[u8], out: &mut dyn Write) -> Result<u64> {
        let mut copied = 0;
        loop {
            let found = memmem::find(&self.held, end);
            // What may be the beginning of `end` is held back.
            let sure = found.unwrap_or(self.held.len().saturating_sub(end.len() - 1));
            out.write_all(&self.held[..sure])
                .map_err(|error| Error::failed("an upload cannot be kept").because(error))?;
            copied += sure as u64;
            self.held.drain(..sure + found.map_or(0, |_| end.len()));
            if found.is_some() {
                return Ok(copied);
            }
            if !self.fill()? {
                // The last delimiter may lack its line end.
                if end == b"\r\n" {
                    let rest = std::mem::take(&mut self.held);
                    if !rest.is_empty() && out.write_all(&rest).is_ok() {
                        return Ok(copied + rest.len() as u64);
                    }
                }
                return Err(Error::invalid(
                    "the upload ended before its last part (send it again)",
                ));
            }
        }
    }

    /// The name of the part that follows, and that of its file.
    fn header(&mut self) -> Result<(String, Option<String>)> {
        let mut name = None;
        let mut file_name = None;
        let mut total = 0;
        loop {
            let mut line = Vec::new();
            self.copy_until(b"\r\n", &mut line)?;
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
        let name = name.ok_or_else(|| Error::invalid("a part of the upload has no name"))?;
        Ok((name, file_name))
    }
}

/// A quoted parameter of a header field; browsers write a quote in it as `%22`.
fn parameter(value: &str, name: &str) -> Option<String> {
    let start = format!("; {name}=\"");
    let (_, rest) = value.split_once(&start)?;
    let (quoted, _) = rest.split_once('"')?;
    Some(
        quoted
            .replace("%22", "\"")
            .replace("%0D", "")
            .replace("%0A", ""),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &[u8]) -> Result<Vec<(String, Option<String>, String)>> {
        let folder = tempfile::tempdir().expect("a folder");
        let read = read(&mut &body[..], "XX", folder.path())?;
        let text = |mut part: Part| {
            let mut text = String::new();
            part.file.read_to_string(&mut text).expect("text");
            assert_eq!(text.len() as u64, part.bytes);
            (part.name, part.file_name, text)
        };
        Ok(read.into_iter().map(text).collect())
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
        assert_eq!(
            (&*read[1].0, read[1].1.as_deref()),
            ("files", Some("a\"b.csv"))
        );
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
        assert_eq!(
            found("multipart/form-data; boundary=abc").as_deref(),
            Some("abc")
        );
        assert_eq!(
            found("Multipart/Form-Data; charset=x; boundary=\"a b\"").as_deref(),
            Some("a b")
        );
        assert_eq!(found("text/csv; boundary=abc"), None);
        assert_eq!(found("multipart/form-data"), None);
    }
}
