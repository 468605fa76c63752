//! Bodies: finds the end of a body, by its length or by its chunks.
//!
//! Pure: takes input bytes, returns the body's bytes.

use super::head::{Framing, is_token};
use super::refusal::Refusal;

/// The longest line with a chunk's size, with its extensions.
const SIZE_LINE_BYTES_MAX: usize = 256;
/// The longest trailer line.
const TRAILER_LINE_BYTES_MAX: usize = 1024;
/// The most bytes of all extensions and trailers of a body.
const EXTRA_BYTES_MAX: usize = 4096;
/// The most digits of a chunk's size.
const SIZE_DIGITS_MAX: usize = 16;

/// Fields that a trailer must not have, because they change the meaning of the request.
const NEVER_TRAILERS: [&[u8]; 4] = [b"content-length", b"transfer-encoding", b"host", b"trailer"];

/// A body in progress.
#[derive(Debug)]
pub struct BodyDecoder {
    at: At,
    /// The remaining bytes of a body of known length, or of a chunk.
    left: u64,
    /// How many more bytes the body may have.
    bytes_left: u64,
    line: Vec<u8>,
    extra_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In a body of known length.
    Length,
    /// In the line of a chunk's size.
    Size,
    /// In a chunk.
    Data,
    /// In the line end after a chunk.
    DataEnd,
    /// In a line after the last chunk.
    Trailer,
    /// After the body.
    End,
}

impl BodyDecoder {
    /// A body of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// 413 if its length is known to be larger.
    pub fn new(framing: Framing, bytes_max: u64) -> Result<Self, Refusal> {
        let (at, left) = match framing {
            Framing::Length(bytes) if bytes > bytes_max => return Err(Refusal::TOO_LARGE),
            Framing::Length(0) => (At::End, 0),
            Framing::Length(bytes) => (At::Length, bytes),
            Framing::Chunked => (At::Size, 0),
        };
        Ok(Self {
            at,
            left,
            bytes_left: bytes_max,
            line: Vec::new(),
            extra_bytes: 0,
        })
    }

    /// Whether the body is complete.
    pub fn is_whole(&self) -> bool {
        self.at == At::End
    }

    /// Reads the body's part of the input, gives the body's bytes to `sink`, and returns how many bytes of
    /// input it used.
    ///
    /// # Errors
    /// 400 for malformed chunks, 413 for too many bytes.
    pub fn decode(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize, Refusal> {
        let mut taken = 0;
        while taken < input.len() && self.at != At::End {
            let rest = &input[taken..];
            if matches!(self.at, At::Length | At::Data) {
                let length = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
                sink(&rest[..length]);
                taken += length;
                self.left -= length as u64;
                if self.left == 0 {
                    self.at = if self.at == At::Data { At::DataEnd } else { At::End };
                }
                continue;
            }
            let (length, whole) = self.take_line(rest)?;
            taken += length;
            if whole {
                self.end_line()?;
            }
        }
        Ok(taken)
    }

    /// Adds input to the line; returns how much, and whether the line is complete.
    fn take_line(&mut self, input: &[u8]) -> Result<(usize, bool), Refusal> {
        let bytes_max = match self.at {
            At::DataEnd => 0,
            At::Size => SIZE_LINE_BYTES_MAX,
            _ => TRAILER_LINE_BYTES_MAX,
        };
        for (at, &byte) in input.iter().enumerate() {
            let after_cr = self.line.last() == Some(&b'\r');
            match byte {
                b'\n' if after_cr => {
                    self.line.pop();
                    return Ok((at + 1, true));
                }
                b'\n' => {
                    return Err(Refusal::malformed("a line of a chunked body must end in CR LF"));
                }
                _ if after_cr => return Err(Refusal::malformed("CR must be followed by LF")),
                b'\r' | b'\t' => {}
                _ if byte.is_ascii_control() => {
                    return Err(Refusal::malformed("a chunk's line must have no control characters"));
                }
                _ => {}
            }
            if byte != b'\r' && self.line.len() >= bytes_max {
                return Err(Refusal::malformed(if self.at == At::DataEnd {
                    "a chunk is longer than its size says"
                } else {
                    "a line of a chunked body is too long"
                }));
            }
            self.line.push(byte);
        }
        Ok((input.len(), false))
    }

    fn end_line(&mut self) -> Result<(), Refusal> {
        match self.at {
            At::Size => {
                let (size, extra) = chunk_size(&self.line)?;
                self.extra(extra)?;
                self.bytes_left = self.bytes_left.checked_sub(size).ok_or(Refusal::TOO_LARGE)?;
                self.left = size;
                self.at = if size == 0 { At::Trailer } else { At::Data };
            }
            At::Trailer if self.line.is_empty() => self.at = At::End,
            At::Trailer => {
                self.extra(self.line.len())?;
                check_trailer(&self.line)?;
            }
            _ => self.at = At::Size,
        }
        self.line.clear();
        Ok(())
    }

    fn extra(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.extra_bytes += bytes;
        if self.extra_bytes > EXTRA_BYTES_MAX {
            return Err(Refusal::malformed("too many chunk extensions or trailers"));
        }
        Ok(())
    }
}

/// A chunk's size, and the length of its extensions.
fn chunk_size(line: &[u8]) -> Result<(u64, usize), Refusal> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, extensions) = line.split_at(digits);
    let number = std::str::from_utf8(number).ok();
    let number = number.filter(|number| number.len() <= SIZE_DIGITS_MAX);
    let size = number.and_then(|number| u64::from_str_radix(number, 16).ok());
    let size = size.ok_or(Refusal::malformed("a chunk's size is not a hexadecimal number"))?;
    if !are_extensions(extensions) {
        return Err(Refusal::malformed(
            "a chunk's size is followed by something other than `;name=value`",
        ));
    }
    Ok((size, extensions.len()))
}

/// Whether the text is any number of `;name`, `;name=token` and `;name="text"`.
///
/// The grammar also allows spaces around `;` and `=`, but senders must not write them: refused.
fn are_extensions(mut rest: &[u8]) -> bool {
    let token = |rest: &[u8]| rest.iter().take_while(|&&byte| is_token(byte)).count();
    while let Some(extension) = rest.strip_prefix(b";") {
        let name = token(extension);
        if name == 0 {
            return false;
        }
        rest = &extension[name..];
        if let Some(value) = rest.strip_prefix(b"=") {
            let length = match value.strip_prefix(b"\"") {
                Some(quoted) => quoted_length(quoted).map_or(0, |length| length + 1),
                None => token(value),
            };
            if length == 0 {
                return false;
            }
            rest = &value[length..];
        }
    }
    rest.is_empty()
}

/// The length of a quoted text with its closing quote.
fn quoted_length(quoted: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let end = quoted.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| end + 1)
}

/// Trailers are checked and dropped: no handler reads them.
fn check_trailer(line: &[u8]) -> Result<(), Refusal> {
    let colon = line.iter().position(|&byte| byte == b':');
    let name = &line[..colon.unwrap_or(0)];
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        return Err(Refusal::malformed("a trailer is not `name: value` on one line"));
    }
    if NEVER_TRAILERS.iter().any(|never| name.eq_ignore_ascii_case(never)) {
        return Err(Refusal::malformed(
            "a trailer must not tell of framing or host (send such fields in the head)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and how much input it used.
    fn read(input: &[u8], step: usize) -> Result<(Vec<u8>, usize), u16> {
        let mut body = BodyDecoder::new(Framing::Chunked, 100).expect("a body");
        let (mut bytes, mut taken) = (Vec::new(), 0);
        for piece in input.chunks(step) {
            let sink = |more: &[u8]| bytes.extend_from_slice(more);
            taken += body.decode(piece, sink).map_err(|refused| refused.status)?;
            if body.is_whole() {
                return Ok((bytes, taken));
            }
        }
        Err(0)
    }

    #[test]
    fn chunks_are_put_together_however_they_come() {
        let input = b"3\r\nabc\r\n00A;x;y=z;q=\"a\\\";b\"\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\nnext";
        for step in 1..=input.len() {
            let (bytes, taken) = read(input, step).expect("a body");
            assert_eq!(bytes, b"abc0123456789");
            assert_eq!(taken, input.len() - 4);
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for input in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1_0\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\n",
            "1\r",
            "1;\r\n",
            "1 ;a\r\n",
            "1;a=\r\n",
            "1;a=\"\r\n",
            "1;a b\r\n",
            "1;\u{1}\r\n",
            "11111111111111111\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n",
            "3\r\nabc3\r\n",
            "0\r\nContent-Length: 1\r\n\r\n",
            "0\r\nX : 1\r\n\r\n",
            "0\r\n: 1\r\n\r\n",
            "0\r\n x: 1\r\n\r\n",
            "0\r\nX: 1\n\r\n",
        ] {
            let refused = read(format!("{input}x").as_bytes(), 1);
            assert_eq!(refused, Err(400), "{}", input.escape_debug());
        }
        let long = format!("1;{}\r\n", "a".repeat(SIZE_LINE_BYTES_MAX));
        assert_eq!(read(long.as_bytes(), 7), Err(400));
        let many = format!("1;{}\r\na\r\n", "a".repeat(200)).repeat(30);
        assert_eq!(read(many.as_bytes(), 7), Err(400));
    }

    #[test]
    fn a_body_is_refused_before_it_is_too_long() {
        assert_eq!(read(b"64\r\n", 1), Err(0), "100 bytes are still to come");
        assert_eq!(read(b"65\r\n", 1), Err(413));
        assert_eq!(read(b"1\r\na\r\n64\r\n", 1), Err(413));
        let long = BodyDecoder::new(Framing::Length(101), 100);
        assert_eq!(long.map(|_| ()), Err(Refusal::TOO_LARGE));
        let empty = BodyDecoder::new(Framing::Length(0), 0).expect("nothing");
        assert!(empty.is_whole());
    }
}
