//! Inputs: from the bytes of a file to the bytes of its text.
//!
//! Gzip is unpacked, a byte order mark is dropped, and files that are not text are refused. Only the head of
//! a file is held.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::problem::{BadFile, Code, InputError};

/// How many bytes at the beginning are examined.
const HEAD_BYTES: usize = 4096;

/// So much text any archive may hold that came over HTTP, however short it is.
const ANY_BYTES_MAX: u64 = 16 << 20;

/// Beyond that, how many times its packed length. Real files reach 3 to 10.
const UNPACKED_FACTOR_MAX: u64 = 100;

/// How many bytes may come of `packed` ones, where text may have `bytes_max`: without a bound there is none for these.
pub(super) fn unpacked_max(packed: u64, bytes_max: u64) -> u64 {
    match bytes_max {
        u64::MAX => u64::MAX,
        bytes_max => bytes_max.min(packed.saturating_mul(UNPACKED_FACTOR_MAX).max(ANY_BYTES_MAX)),
    }
}

const GZIP: &[u8] = b"\x1f\x8b";
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"];

/// What is no text: its first bytes, its code and name, and the remedy, which is one command where there is one.
const OTHERS: &[(&[u8], Code, &str, &str)] = &[
    (
        b"PK\x03\x04",
        Code::Compressed,
        "a zip archive",
        "load it as it is, neither gzipped nor as JSON",
    ),
    (
        b"PK\x05\x06",
        Code::Compressed,
        "a zip archive without files",
        "put CSV files into it",
    ),
    (
        b"PK\x07\x08",
        Code::Compressed,
        "a part of a zip archive",
        "unpack it: unzip FILE",
    ),
    (
        b"\xfd7zXZ\0",
        Code::Compressed,
        "an xz archive",
        "unpack it: xz -d FILE",
    ),
    (b"BZh", Code::Compressed, "a bzip2 archive", "unpack it: bzip2 -d FILE"),
    (
        b"\x28\xb5\x2f\xfd",
        Code::Compressed,
        "a zstd archive",
        "unpack it: zstd -d FILE",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        Code::Compressed,
        "a 7z archive",
        "unpack it: 7z x FILE",
    ),
    (
        b"Rar!\x1a\x07",
        Code::Compressed,
        "a rar archive",
        "unpack it: unrar x FILE",
    ),
    (
        b"\x04\x22\x4d\x18",
        Code::Compressed,
        "an lz4 archive",
        "unpack it: lz4 -d FILE FILE.csv",
    ),
    (
        b"\x1f\x9d",
        Code::Compressed,
        "an archive of compress, .Z",
        "unpack it: uncompress FILE",
    ),
    (b"x\x01", Code::Compressed, "a zlib stream", ZLIB),
    (b"x\x9c", Code::Compressed, "a zlib stream", ZLIB),
    (b"x\xda", Code::Compressed, "a zlib stream", ZLIB),
    // The outer one was unpacked already.
    (GZIP, Code::Compressed, "gzip inside gzip", "unpack it: gunzip FILE"),
    (
        b"PAR1",
        Code::Binary,
        "a Parquet file",
        "turn it into CSV: duckdb -c \"COPY (FROM 'FILE.parquet') TO 'FILE.csv'\"",
    ),
    (
        b"SQLite format 3\0",
        Code::Binary,
        "an SQLite database",
        "turn it into CSV: sqlite3 -header -csv FILE 'SELECT * FROM TABLE' > FILE.csv",
    ),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Code::Binary,
        "an old .xls workbook, or one with a password",
        "turn it into CSV: soffice --headless --convert-to csv FILE",
    ),
    (
        b"Obj\x01",
        Code::Binary,
        "an Avro file",
        "turn it into CSV: duckdb -c \"INSTALL avro; LOAD avro; COPY (FROM read_avro('FILE')) TO 'FILE.csv'\"",
    ),
    (
        b"ARROW1",
        Code::Binary,
        "an Arrow file",
        "turn it into CSV: python3 -c \"import pandas; pandas.read_feather('FILE').to_csv('FILE.csv', index=False)\"",
    ),
    (b"%PDF-", Code::Binary, "a PDF", "export its table as CSV"),
    (b"\x7fELF", Code::Binary, "a program", "export its table as CSV"),
    (b"MZ\x90\0", Code::Binary, "a program", "export its table as CSV"),
    (b"\x89PNG", Code::Binary, "an image", "export its table as CSV"),
    (b"GIF8", Code::Binary, "an image", "export its table as CSV"),
    (b"\xff\xd8\xff", Code::Binary, "an image", "export its table as CSV"),
];

const ZLIB: &str = "unpack it: python3 -c 'import sys, zlib; \
    sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))' < FILE > FILE.csv";

/// The first line of a file that Git LFS left in another's place.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The text of an input, as a reader.
///
/// A [`BadFile`] that is found late (a damaged archive, too many bytes) comes out of [`Read::read`] inside
/// an [`io::Error`]; [`InputError::from`] takes it out again.
pub struct Input<R> {
    source: Source<R>,
    head: Vec<u8>,
    head_at: usize,
    bytes: u64,
    bytes_max: u64,
}

enum Source<R> {
    Plain(Tracked<R>),
    Gzip(Box<MultiGzDecoder<Tracked<R>>>),
}

impl<R: Read> Input<R> {
    /// Examines the head of `reader`, and unpacks gzip whatever the file's name is. Text of more than
    /// `bytes_max` unpacked bytes is refused as `too_large`.
    ///
    /// # Errors
    /// [`InputError::Refused`] for files that are not text, [`InputError::Io`] when `reader` fails.
    pub fn open(reader: R, bytes_max: u64) -> Result<Self, InputError> {
        let mut tracked = Tracked {
            inner: reader,
            again: Vec::new(),
            again_at: 0,
            bytes: 0,
            failed: false,
        };
        let mut head = read_head(&mut tracked)?;
        let source = if head.starts_with(GZIP) {
            tracked.again = head;
            let mut gzip = Source::Gzip(Box::new(MultiGzDecoder::new(tracked)));
            head = read_head(&mut gzip)?;
            gzip
        } else {
            Source::Plain(tracked)
        };
        if let Some(refusal) = refuse(&head) {
            return Err(refusal.into());
        }
        let head_at = if head.starts_with(UTF8_MARK) {
            UTF8_MARK.len()
        } else {
            0
        };
        Ok(Self {
            source,
            head,
            head_at,
            bytes: 0,
            bytes_max,
        })
    }

    /// Whether the input was gzip.
    pub fn is_gzip(&self) -> bool {
        matches!(self.source, Source::Gzip(_))
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let head = &self.head[self.head_at..];
        let count = if head.is_empty() {
            self.source.read(buffer)?
        } else {
            let count = head.len().min(buffer.len());
            buffer[..count].copy_from_slice(&head[..count]);
            self.head_at += count;
            count
        };
        self.bytes += count as u64;
        let bytes_max = match &self.source {
            Source::Plain(_) => self.bytes_max,
            Source::Gzip(gzip) => unpacked_max(gzip.get_ref().bytes, self.bytes_max),
        };
        if self.bytes > bytes_max {
            let remedy = match bytes_max == self.bytes_max {
                true => "split it into several files",
                false => "its packed form is suspiciously short; send it unpacked",
            };
            let reason = format!("more than {bytes_max} bytes of text ({remedy})");
            return Err(io::Error::other(BadFile::new(None, Code::TooLarge, reason)));
        }
        Ok(count)
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tracked) => tracked.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer).map_err(|error| {
                // The reader below did not fail, so the archive is damaged.
                if gzip.get_ref().failed || error.kind() == io::ErrorKind::Interrupted {
                    return error;
                }
                let what = if error.kind() == io::ErrorKind::UnexpectedEof {
                    "the gzip archive is damaged: it ends too early"
                } else {
                    "the gzip archive is damaged: it cannot be unpacked"
                };
                io::Error::other(BadFile::new(
                    None,
                    Code::Compressed,
                    format!("{what} (fetch it again, or send it unpacked)"),
                ))
            }),
        }
    }
}

/// A reader that remembers whether it failed, and can repeat its head.
struct Tracked<R> {
    inner: R,
    again: Vec<u8>,
    again_at: usize,
    /// How many bytes were read.
    bytes: u64,
    failed: bool,
}

impl<R: Read> Read for Tracked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let again = &self.again[self.again_at..];
        if !again.is_empty() {
            let count = again.len().min(buffer.len());
            buffer[..count].copy_from_slice(&again[..count]);
            self.again_at += count;
            return Ok(count);
        }
        let count = self
            .inner
            .read(buffer)
            .inspect_err(|error| self.failed |= error.kind() != io::ErrorKind::Interrupted)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

fn read_head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    reader.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The refusal of a file that begins with `head`; none if it is text.
fn refuse(head: &[u8]) -> Option<BadFile> {
    let bad = |code, reason: String| Some(BadFile::new(None, code, reason));
    // Before the byte order marks: a JPEG and UTF-16 begin alike.
    if let Some(&(_, code, name, remedy)) = OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return bad(code, format!("this is {name}, not text ({remedy})"));
    }
    if head.get(257..262) == Some(b"ustar") {
        return bad(
            Code::Compressed,
            "this is a tar archive, not text (unpack it: tar -xf FILE)".to_owned(),
        );
    }
    if head.starts_with(LFS_POINTER) {
        let reason = "this is the pointer that Git LFS leaves in place of a file (fetch the file: git lfs pull)";
        return bad(Code::Header, reason.to_owned());
    }
    if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) || is_interleaved(head) {
        return bad(
            Code::Utf16,
            "this is UTF-16 or UTF-32 text (save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > FILE.csv)".to_owned(),
        );
    }
    // A later NUL makes its row bad, not the file.
    let is_end = |&byte: &u8| byte == b'\n' || byte == b'\r';
    let text = head.iter().position(|byte| !is_end(byte)).unwrap_or(0);
    let first_line = head[text..].split(is_end).next().unwrap_or(head);
    if first_line.contains(&0) {
        return bad(
            Code::Binary,
            "the first line has NUL bytes, so this is no text (export it as CSV)".to_owned(),
        );
    }
    None
}

/// Whether the head is ASCII letters in UTF-16 or UTF-32: of every two or four bytes, the same one is a
/// letter and the others are NUL.
fn is_interleaved(head: &[u8]) -> bool {
    let is_wide = |width: usize| {
        let letters = head.len().min(32) / width;
        let text = &head[..letters * width];
        let is_zero = |lane: usize| text.iter().skip(lane).step_by(width).map(|&byte| byte == 0);
        let full = (0..width).filter(|&lane| !is_zero(lane).any(|is| is)).count();
        let empty = (0..width).filter(|&lane| is_zero(lane).all(|is| is)).count();
        letters >= 2 && full == 1 && empty == width - 1
    };
    is_wide(2) || is_wide(4)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, Code> {
        let refused = |error| match error {
            InputError::Refused(file) => file.code,
            InputError::Io(error) => panic!("{error}"),
        };
        let mut input = Input::open(bytes, 1_000_000).map_err(refused)?;
        let mut text = Vec::new();
        input.read_to_end(&mut text).map_err(|error| refused(error.into()))?;
        Ok(text)
    }

    #[test]
    fn text_is_read_as_it_is() {
        let long = b"a,b\n".repeat(10_000);
        for text in [&b""[..], b"a", b"a,b\n\0", &long] {
            assert_eq!(read(text), Ok(text.to_vec()));
        }
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(read(b"\xef\xbb\xbfab"), Ok(b"ab".to_vec()));
        assert_eq!(read(&gzip(b"\xef\xbb\xbfab")), Ok(b"ab".to_vec()));
    }

    #[test]
    fn gzip_is_unpacked_member_by_member() {
        let long = b"a,b\n".repeat(100_000);
        assert_eq!(read(&gzip(&long)), Ok(long));
        let two = [gzip(b"a,"), gzip(b"b")].concat();
        assert_eq!(read(&two), Ok(b"a,b".to_vec()));
    }

    #[test]
    fn a_damaged_archive_is_said_to_be_one() {
        let noise: Vec<u8> = (0..200_000u32)
            .map(|n| b'a' + (n.wrapping_mul(2_654_435_761) >> 28) as u8)
            .collect();
        let whole = gzip(&noise);
        for cut in [2, 5, 11, whole.len() / 2, whole.len() - 1] {
            assert_eq!(read(&whole[..cut]), Err(Code::Compressed), "{cut}");
        }
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 0x55;
        assert_eq!(read(&changed), Err(Code::Compressed));
        let small = gzip(b"a,b\n");
        assert_eq!(read(&small[..small.len() - 3]), Err(Code::Compressed));
    }

    #[test]
    fn what_is_no_text_is_refused_by_kind() {
        for (bytes, code) in [
            (&b"PK\x03\x04rest"[..], Code::Compressed),
            (b"\xfd7zXZ\0rest", Code::Compressed),
            (b"BZh91AY&SY", Code::Compressed),
            (b"\x28\xb5\x2f\xfdrest", Code::Compressed),
            (b"\xff\xfea\0", Code::Utf16),
            (b"\xfe\xff\0a", Code::Utf16),
            (b"a\0b\0\n\0", Code::Utf16),
            (b"\0a\0b\0\n", Code::Utf16),
            (b"a\0\0\0b\0\0\0", Code::Utf16),
            (b"\0\0\0a\0\0\0b", Code::Utf16),
            (b"\x78\x9crest", Code::Compressed),
            (b"SQLite format 3\0rest", Code::Binary),
            (b"%PDF-1.7\n", Code::Binary),
            (b"PAR1rest", Code::Binary),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", Code::Binary),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n",
                Code::Header,
            ),
            (b"\0\0\0\0\0\0", Code::Binary),
            (b"\n\nab\0c\n", Code::Binary),
        ] {
            assert_eq!(read(bytes), Err(code), "{bytes:?}");
            let inside = read(&gzip(bytes));
            assert_eq!(inside, Err(code), "gzip of {bytes:?}");
        }
        assert_eq!(read(&gzip(&gzip(b"a,b\n"))), Err(Code::Compressed));
    }

    #[test]
    fn more_text_than_the_limit_is_refused_even_when_packed() {
        let bomb = vec![b'a'; 1_000_001];
        assert_eq!(read(&bomb), Err(Code::TooLarge));
        assert_eq!(read(&gzip(&bomb)), Err(Code::TooLarge));
    }

    #[test]
    fn a_failing_reader_is_no_bad_file() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is on fire"))
            }
        }
        let archive = gzip(&[b'a'; 100]);
        let torn = archive[..20].chain(Broken);
        assert!(matches!(Input::open(torn, 1000), Err(InputError::Io(_))));
    }
}
