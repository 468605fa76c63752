//! Archives: a zip of CSV files, and spreadsheets, which are zips too. Each member or sheet is an input of its own.
//!
//! An archive needs seeking, so it is copied to a temporary file first. The text of all members counts towards one
//! limit. The parts of a workbook that are held in memory have a limit of their own, [`PART_BYTES_MAX`].

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};

use memchr::memmem;
use zip::ZipArchive;
use zip::result::ZipError;

use super::dump::{self, Dump};
use super::input::unpacked_max;
use super::ods;
use super::outfile::{self, OutfileText};
use super::problem::{BadFile, Code, InputError, excerpt};
use super::sheet::{Rows, SheetText};
use super::xlsx;
use crate::scratch::{Scratch, ScratchFile};

/// The most unpacked bytes of one part of a workbook. Memory holds up to twice as many.
pub const PART_BYTES_MAX: u64 = 256 << 20;

/// How much of a list of parts is looked at.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// The first bytes of a zip with members.
const ZIP: &[u8] = b"PK\x03\x04";

/// The first bytes of gzip.
const GZIP: &[u8] = b"\x1f\x8b";

/// How much of gzip is unpacked to see whether it is a dump.
const PACKED_HEAD_BYTES: u64 = 1024;

/// Documents that are zips and no spreadsheets that are read: a member of each, and what to do.
const OTHER_DOCUMENTS: &[(&str, &str)] = &[
    (
        "xl/workbook.bin",
        "a binary workbook, .xlsb (turn it into CSV: soffice --headless --convert-to csv FILE)",
    ),
    ("word/document.xml", "a Word document (save its table as CSV)"),
    ("ppt/presentation.xml", "a PowerPoint document (save its table as CSV)"),
    (
        "Index/Document.iwa",
        "a Numbers or Pages document (File, Export To, CSV turns it into CSV)",
    ),
];

/// A source, told apart by its first bytes.
pub(super) enum Opened<R> {
    /// One input.
    Single(io::Chain<Cursor<Vec<u8>>, R>),
    /// Several.
    Archive(Archive),
    /// The rows of a table, without a header.
    Outfile(OutfileText<io::Chain<Cursor<Vec<u8>>, R>>),
    /// The tables of a database.
    Dump(Dump<io::Chain<Cursor<Vec<u8>>, R>>),
}

/// Tells by its first bytes what the source is; an archive is copied to a file without a name.
pub(super) fn open<R: Read>(mut source: R, scratch: &Scratch, bytes_max: u64) -> Result<Opened<R>, InputError> {
    let mut head = Vec::with_capacity(ZIP.len());
    (&mut source).take(ZIP.len() as u64).read_to_end(&mut head)?;
    let is_archive = head == ZIP;
    let is_dump = match head.starts_with(GZIP) {
        true => {
            (&mut source).take(PACKED_HEAD_BYTES).read_to_end(&mut head)?;
            dump::is_packed_dump(&head)
        }
        false => {
            if !is_archive {
                (&mut source).take(outfile::HEAD_BYTES).read_to_end(&mut head)?;
            }
            dump::is_dump(&head)
        }
    };
    let header = outfile::header_of(&head);
    let whole = Cursor::new(head).chain(source);
    if is_dump {
        return Dump::open(whole, bytes_max).map(Opened::Dump);
    }
    if let Some(header) = header {
        return Ok(Opened::Outfile(OutfileText::new(whole, header)));
    }
    if !is_archive {
        return Ok(Opened::Single(whole));
    }
    let mut file = scratch.file()?;
    let packed = io::copy(&mut whole.take(bytes_max.saturating_add(1)), &mut file)?;
    if packed > bytes_max {
        return Err(too_large(bytes_max).into());
    }
    let bytes_max = unpacked_max(packed, bytes_max);
    let zip = ZipArchive::new(BufReader::new(file)).map_err(refused)?;
    let budget = Budget::new(bytes_max);
    Ok(Opened::Archive(Archive { zip, budget }))
}

/// The error of a member, or of its archive.
#[derive(Debug)]
pub(super) struct MemberError {
    pub(super) name: String,
    pub(super) error: InputError,
}

/// Receives the full name and the text of a member or sheet; an empty sheet has no text.
type Visit<'a, E> = &'a mut dyn FnMut(&str, Option<&mut dyn Read>) -> Result<(), E>;

/// An archive in a temporary file.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<ScratchFile>>,
    budget: Budget,
}

enum Content {
    Files,
    Workbook,
    OpenDocument,
}

impl Archive {
    /// Gives every member or sheet of the archive `name` to `visit`.
    pub(super) fn each<E: From<MemberError>>(mut self, name: &str, visit: Visit<'_, E>) -> Result<(), E> {
        let refuse = |error: InputError| -> E { in_member(name, error).into() };
        let mut sheets = 0_usize;
        let budget = &self.budget;
        let mut sheet = |sheet: &str, rows: &mut dyn Rows| {
            sheets += 1;
            let name = format!("{name}, sheet \"{}\"", excerpt(sheet.as_bytes()));
            match SheetText::open(rows).map_err(|error| in_member(&name, error.into()))? {
                Some(text) => visit(&name, Some(&mut budget.limited(text))),
                None => visit(&name, None),
            }
        };
        match content(&mut self.zip).map_err(refuse)? {
            Content::Files => return files(&mut self.zip, budget, name, visit),
            Content::Workbook => {
                measure(&mut self.zip, budget.bytes_max).map_err(refuse)?;
                let file = self.zip.into_inner();
                xlsx::each(file, &mut sheet, &refuse)?;
            }
            Content::OpenDocument => {
                let content = self
                    .zip
                    .by_name("content.xml")
                    .map_err(|error| refuse(refused(error).into()))?;
                let xml = Budget::new(budget.bytes_max);
                ods::each(xml.limited(Unpacked(content)), &mut sheet, &refuse)?;
            }
        }
        if sheets == 0 {
            let reason = "the spreadsheet has no sheet with cells (open it and save it again)";
            return Err(refuse(BadFile::new(None, Code::Empty, reason).into()));
        }
        Ok(())
    }
}

type Zip = ZipArchive<BufReader<ScratchFile>>;

/// Tells what the archive holds.
fn content(zip: &mut Zip) -> Result<Content, InputError> {
    let has = |name: &str| zip.index_for_name(name).is_some();
    if let Some((_, document)) = OTHER_DOCUMENTS.iter().find(|(member, _)| has(member)) {
        return Err(BadFile::new(None, Code::Binary, format!("this is {document}")).into());
    }
    if has("[Content_Types].xml") && zip.file_names_raw().any(|name| name.starts_with(b"xl/")) {
        return Ok(Content::Workbook);
    }
    if !(has("content.xml") && has("META-INF/manifest.xml")) {
        return Ok(Content::Files);
    }
    let mut manifest = Vec::new();
    let part = zip.by_name("META-INF/manifest.xml").map_err(refused)?;
    Unpacked(part).take(MANIFEST_BYTES_MAX).read_to_end(&mut manifest)?;
    if memmem::find(&manifest, b"encryption-data").is_some() {
        return Err(locked("the spreadsheet").into());
    }
    if memmem::find(&manifest, b"opendocument.spreadsheet").is_none() {
        let reason = "this is an OpenDocument file, but no spreadsheet (save its table as CSV)";
        return Err(BadFile::new(None, Code::Binary, reason).into());
    }
    Ok(Content::OpenDocument)
}

/// Visits every file of a plain zip.
fn files<E: From<MemberError>>(zip: &mut Zip, budget: &Budget, name: &str, visit: Visit<'_, E>) -> Result<(), E> {
    let mut count = 0;
    for index in 0..zip.len() {
        let refuse = |error| in_member(name, InputError::from(error));
        // Read as it is first: it may be encrypted.
        let member = zip.by_index_raw(index).map_err(|error| refuse(refused(error)))?;
        let path = String::from_utf8_lossy(member.name_raw()).into_owned();
        let (is_locked, is_folder) = (member.encrypted(), member.is_dir());
        drop(member);
        if is_folder || is_left_by_the_system(&path) {
            continue;
        }
        count += 1;
        let name = format!("{name}, file \"{}\"", excerpt(path.as_bytes()));
        let refuse = |error| in_member(&name, InputError::from(error));
        if is_locked {
            return Err(refuse(locked("the file in the archive")).into());
        }
        let member = zip.by_index(index).map_err(|error| refuse(refused(error)))?;
        let mut text = budget.limited(Unpacked(member));
        let mut head = Vec::with_capacity(ZIP.len());
        let read = (&mut text).take(ZIP.len() as u64).read_to_end(&mut head);
        read.map_err(|error| in_member(&name, error.into()))?;
        if head.starts_with(GZIP) || head == ZIP {
            let reason = "an archive in an archive (unpack the outer one, and load the files in it)";
            return Err(refuse(BadFile::new(None, Code::Compressed, reason)).into());
        }
        visit(&name, Some(&mut Cursor::new(head).chain(text)))?;
    }
    if count == 0 {
        let reason = "there is no file in the archive";
        return Err(in_member(name, BadFile::new(None, Code::Empty, reason).into()).into());
    }
    Ok(())
}

/// Whether a member is no file of the user's.
fn is_left_by_the_system(path: &str) -> bool {
    path.split('/').any(|part| part == "__MACOSX") || path.ends_with(".DS_Store")
}

/// Unpacks all parts of a workbook once, because their declared sizes may be false.
fn measure(zip: &mut Zip, bytes_max: u64) -> Result<(), InputError> {
    let mut left = bytes_max;
    for index in 0..zip.len() {
        let part = zip.by_index(index).map_err(refused)?;
        let most = PART_BYTES_MAX.min(left);
        let bytes = io::copy(&mut Unpacked(part).take(most + 1), &mut io::sink())?;
        if bytes > PART_BYTES_MAX {
            let reason = format!(
                "a part of the workbook has more than {} MiB unpacked (save its sheets as CSV)",
                PART_BYTES_MAX >> 20
            );
            return Err(BadFile::new(None, Code::TooLarge, reason).into());
        }
        left = left.checked_sub(bytes).ok_or_else(|| too_large(bytes_max))?;
    }
    Ok(())
}

/// The bytes that the members of an archive may have together.
struct Budget {
    left: Cell<u64>,
    bytes_max: u64,
}

impl Budget {
    fn new(bytes_max: u64) -> Self {
        Self {
            left: Cell::new(bytes_max),
            bytes_max,
        }
    }

    fn limited<R>(&self, inner: R) -> Limited<'_, R> {
        Limited { inner, budget: self }
    }
}

/// A reader whose bytes count towards a budget.
struct Limited<'a, R> {
    inner: R,
    budget: &'a Budget,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.budget.left.get().checked_sub(count as u64);
        self.budget
            .left
            .set(left.ok_or_else(|| io::Error::other(too_large(self.budget.bytes_max)))?);
        Ok(count)
    }
}

/// A member that is being unpacked. Its bytes come from a file of this program's, so an error means damage.
struct Unpacked<R>(R);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other(damaged()),
        })
    }
}

fn in_member(name: &str, error: InputError) -> MemberError {
    MemberError {
        name: name.to_owned(),
        error,
    }
}

fn refused(error: ZipError) -> BadFile {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            let reason = "the archive is packed in a way that is not read (turn it into CSV: unzip FILE)";
            BadFile::new(None, Code::Compressed, reason)
        }
        _ => damaged(),
    }
}

fn damaged() -> BadFile {
    let reason = "the zip archive is damaged (fetch it again, or send its files unpacked)";
    BadFile::new(None, Code::Compressed, reason)
}

fn locked(what: &str) -> BadFile {
    let reason = format!("{what} has a password (save it without one)");
    BadFile::new(None, Code::Compressed, reason)
}

fn too_large(bytes_max: u64) -> BadFile {
    let reason =
        format!("more than {bytes_max} bytes unpacked (split it into several files, or send them as they are)");
    BadFile::new(None, Code::TooLarge, reason)
}
