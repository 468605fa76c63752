//! Problems: the codes of all that can be wrong with an input, and refused rows, refused files and notes.

use std::fmt;
use std::io;

use crate::error::Error;

/// The effect of a [`Code`] on its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is refused: its rows cannot be told apart.
    File,
    /// The row is refused.
    Row,
    /// The row or file is accepted, and the answer reports the change.
    Note,
}

macro_rules! codes {
    ($($(#[doc = $meaning:literal])* $outcome:ident $variant:ident $text:literal;)*) => {
        /// A problem of an input, or a note on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Code {
            $($(#[doc = $meaning])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name that callers rely on.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Its meaning, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($meaning),*),)*
                }
                .trim()
            }

            /// Its effect on the input.
            pub const fn outcome(self) -> Outcome {
                match self {
                    $(Self::$variant => Outcome::$outcome,)*
                }
            }
        }
    };
}

codes! {
    /// UTF-16 (or UTF-32) text.
    File Utf16 "utf16";
    /// Nothing, not even a header.
    File Empty "empty";
    /// An archive that is not read, or one that is damaged.
    File Compressed "compressed";
    /// Not text: NUL bytes, a database, a PDF.
    File Binary "binary";
    /// No header that is known.
    File Header "header";
    /// A first line too long for a header.
    File HeaderTooLong "header_too_long";
    /// A known header that lacks a column.
    File MissingColumn "missing_column";
    /// A header that names a column twice.
    File DupColumn "dup_column";
    /// A header whose columns are not separated by commas.
    File Delimiter "delimiter";
    /// A good header, for another kind of input than was asked for.
    File WrongKind "wrong_kind";
    /// A header that satisfies two kinds of input.
    File TwoKinds "two_kinds";
    /// Days that seem to count from 1; as a note, hours of several stores without any row for day 0.
    File DayBase "day_base";
    /// A quote that nothing closes.
    File UnclosedQuote "unclosed_quote";
    /// The dump of a database is not whole, or has something else than values in its rows.
    File Dump "dump";
    /// More bytes than the caller takes.
    File TooLarge "too_large";
    /// More stores than the database may have.
    File TooManyStores "too_many_stores";
    /// A store that the database does not have, from a client that may name no new one.
    File StoreUnknown "store_unknown";

    /// Bytes that are not UTF-8.
    Row NotUtf8 "not_utf8";
    /// A control character, or a newline, in a field.
    Row ControlChar "control_char";
    /// A record too long to be one.
    Row LineTooLong "line_too_long";
    /// Fewer fields than the header has columns; of JSON, a field that is missing or null.
    Row FewFields "few_fields";
    /// More fields than the header has columns; of JSON, a field that is there twice.
    Row ManyFields "many_fields";
    /// A quote where none may be.
    Row BareQuote "bare_quote";
    /// What should be a JSON object is none. Of a file: its array cannot be followed to the end.
    Row Json "json";
    /// No store id.
    Row StoreIdEmpty "store_id_empty";
    /// A store id that a spreadsheet or a dump changed, or its word for an empty cell.
    Row StoreIdDamaged "store_id_damaged";
    /// A store id too long to be one.
    Row StoreIdLong "store_id_long";
    /// An unknown status.
    Row Status "status";
    /// A malformed instant.
    Row Timestamp "timestamp";
    /// An instant or a date too early or too late to be true.
    Row Range "range";
    /// A malformed day of the week.
    Row Day "day";
    /// A malformed wall time.
    Row Time "time";
    /// A malformed date, or one that no calendar has.
    Row Date "date";
    /// A reason too long to be shown.
    Row ReasonLong "reason_long";
    /// Sales that are no number with at most two decimals and without a sign.
    Row Rate "rate";
    /// A target that is no per cent from 0 to 100 with at most two decimals.
    Row Target "target";
    /// An unknown time zone.
    Row Zone "zone";
    /// Another zone, name, group, rate or target than an earlier row of the same input gave the store.
    Row Conflict "conflict";

    /// It came compressed with gzip.
    Note Gzip "gzip";
    /// Lines without a row were skipped: blank, only commas, `sep=`, `(1 row)`, or the header again.
    Note BlankLines "blank_lines";
    /// A header without rows, or an empty sheet.
    Note NoRows "no_rows";
    /// A column name in other letter case, or with spaces around it.
    Note HeaderCase "header_case";
    /// A column has a usual other name.
    Note HeaderSynonym "header_synonym";
    /// An unknown column was ignored.
    Note ExtraColumn "extra_column";
    /// Tables of a dump were ignored: they have the columns of no kind of input.
    Note ExtraTable "extra_table";
    /// Spaces around a field were dropped.
    Note Trimmed "trimmed";
    /// A status in other letter case.
    Note StatusCase "status_case";
    /// A status in another word, such as `up` or `0`.
    Note StatusWord "status_word";
    /// An instant with an offset was converted to UTC.
    Note Offset "offset";
    /// A real leap second became the next second.
    Note LeapSecond "leap_second";
    /// An instant was cut to microseconds.
    Note Subsecond "subsecond";
    /// The same row twice.
    Note Duplicate "duplicate";
    /// The same store and instant with another status: the last one stands.
    Note Replaced "replaced";
    /// A time such as `9:00`, without seconds or with one digit.
    Note TimeShort "time_short";
    /// A wall time such as `9:00 AM`, `0900` or `26:00`.
    Note TimeForm "time_form";
    /// An instant as seconds or milliseconds since 1970.
    Note Epoch "epoch";
    /// A day as a name, or as `1.0`.
    Note DayForm "day_form";
    /// A column says whether the store is closed on a day.
    Note ClosedColumn "closed_column";
    /// Hours from midnight to midnight are 24 hours; a closed day has no times.
    Note MidnightToMidnight "midnight_to_midnight";
    /// A store's new hours name fewer weekdays than its old ones: it is closed on the others now.
    Note DaysLost "days_lost";
    /// Hours of a version before the store's last one: from its date on, the later hours hold.
    Note LaterVersion "later_version";
    /// A date such as `2026/11/01` or `2026-11-1`.
    Note DateForm "date_form";
    /// A per cent sign behind a target was dropped.
    Note PercentSign "percent_sign";
    /// A target of at most 1 per cent: `0.99` is not `99`.
    Note TargetSmall "target_small";
    /// Store ids that differ in letter case or leading zeros alone are different stores.
    Note LookAlike "look_alike";
    /// Hours that overlap others of their day.
    Note Overlap "overlap";
    /// An older name of a zone, kept as written.
    Note ZoneAlias "zone_alias";
    /// A zone's name in other letter case.
    Note ZoneCase "zone_case";
    /// `EST`, `MST` or `HST` has no summer time; `America/New_York` and `America/Denver` have.
    Note ZoneNoSummer "zone_no_summer";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The physical line it starts on, from 1.
    pub line: u64,
    /// The column at fault, if there is one.
    pub column: Option<&'static str>,
    /// The place of that column among those of a CSV file; none if it is not known.
    pub field: Option<usize>,
    /// What is wrong.
    pub code: Code,
    /// The value at fault, as [`excerpt`] shows it; empty if there is none.
    pub value: String,
    /// The problem in a sentence that names the value and the remedy.
    pub reason: String,
    /// The record as it came, without its line end; cut if it is too long.
    pub raw: Vec<u8>,
    /// The id of the row's store, if it can be told.
    pub store_id: Option<Box<str>>,
}

impl BadRow {
    /// The sentence after the name of the file.
    ///
    /// ```
    /// use store_monitor::ingest::problem::{BadRow, Code};
    /// let row = BadRow {
    ///     line: 7,
    ///     column: Some("status"),
    ///     field: Some(1),
    ///     code: Code::Status,
    ///     value: "up".into(),
    ///     reason: "unknown status `up` (expected `active` or `inactive`)".into(),
    ///     raw: b"aa,up,2023-01-25 10:00:00 UTC".to_vec(),
    ///     store_id: Some("aa".into()),
    /// };
    /// assert_eq!(
    ///     row.in_file("polls.csv"),
    ///     "polls.csv line 7, column status: unknown status `up` (expected `active` or `inactive`)",
    /// );
    /// ```
    pub fn in_file(&self, name: &str) -> String {
        format!("{name} {self}")
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// A refused file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// The physical line at fault, if there is one.
    pub line: Option<u64>,
    /// The code of the problem.
    pub code: Code,
    /// The problem in a sentence, with the remedy.
    pub reason: String,
}

impl BadFile {
    pub(crate) fn new(line: Option<u64>, code: Code, reason: impl Into<String>) -> Self {
        Self {
            line,
            code,
            reason: reason.into(),
        }
    }

    /// The sentence after the name of the file.
    pub fn in_file(&self, name: &str) -> String {
        let colon = if self.line.is_some() { "" } else { ":" };
        format!("{name}{colon} {self}")
    }
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for BadFile {}

/// Why an input cannot be read to its end.
#[derive(Debug)]
pub enum InputError {
    /// The input is unusable: the caller's mistake.
    Refused(BadFile),
    /// The disk or the connection failed during the read.
    Io(io::Error),
}

impl InputError {
    /// The crate's error, with the name of the file in front.
    pub fn in_file(self, name: &str) -> Error {
        match self {
            Self::Refused(file) => Error::invalid(file.in_file(name)),
            Self::Io(error) => Error::failed(format!("{name}: cannot be read")).because(error),
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(file) => file.fmt(f),
            Self::Io(error) => write!(f, "the input cannot be read: {error}"),
        }
    }
}

impl std::error::Error for InputError {}

impl From<BadFile> for InputError {
    fn from(file: BadFile) -> Self {
        Self::Refused(file)
    }
}

impl From<io::Error> for InputError {
    /// Recovers a [`BadFile`] that came up through [`io::Read`].
    fn from(error: io::Error) -> Self {
        match error.downcast::<BadFile>() {
            Ok(file) => Self::Refused(file),
            Err(error) => Self::Io(error),
        }
    }
}

/// The notes on an input: for each code, the count and the first line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(Vec<Note>);

/// How many names a note lists.
pub const NAMES_TOLD: usize = 10;

/// One code's notes on one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its code.
    pub code: Code,
    /// How many times.
    pub count: u64,
    /// The first physical line it concerns; none for the file as a whole.
    pub line: Option<u64>,
    /// The columns or stores it concerns, the first [`NAMES_TOLD`]; empty where the code has none.
    pub names: Vec<String>,
}

impl Notes {
    /// Adds one note.
    pub fn add(&mut self, code: Code, line: Option<u64>) {
        self.add_many(code, 1, line);
    }

    /// Adds one note on the column or store `name`.
    pub(crate) fn add_named(&mut self, code: Code, line: Option<u64>, name: String) {
        let names = vec![name];
        self.merge_one(&Note {
            code,
            count: 1,
            line,
            names,
        });
    }

    /// Adds `names` to the note with that code, if there is one.
    pub(crate) fn name(&mut self, code: Code, names: &[String]) {
        if self.get(code).is_some() {
            let (line, names) = (None, names.to_vec());
            self.merge_one(&Note {
                code,
                count: 0,
                line,
                names,
            });
        }
    }

    /// Adds `count` notes, the first of them on `line`; none when `count` is zero.
    pub(crate) fn add_many(&mut self, code: Code, count: u64, line: Option<u64>) {
        if count > 0 {
            let names = Vec::new();
            self.merge_one(&Note {
                code,
                count,
                line,
                names,
            });
        }
    }

    /// Adds the notes of another part of the same input; both must count lines from the same start.
    pub fn merge(&mut self, other: &Self) {
        for note in &other.0 {
            self.merge_one(note);
        }
    }

    /// [`Notes::merge`] for a part whose lines count from 1 after the line `before`.
    pub(super) fn merge_from(&mut self, other: &Self, before: u64) {
        for note in &other.0 {
            let line = note.line.map(|line| line + before);
            self.merge_one(&Note { line, ..note.clone() });
        }
    }

    fn merge_one(&mut self, note: &Note) {
        // A linear search: an input has a few codes, and most have none.
        match self.0.iter_mut().find(|known| known.code == note.code) {
            Some(known) => {
                known.count += note.count;
                known.line = match (known.line, note.line) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                for name in &note.names {
                    if known.names.len() < NAMES_TOLD && !known.names.contains(name) {
                        known.names.push(name.clone());
                    }
                }
            }
            None => self.0.push(note.clone()),
        }
    }

    /// Every note, in the order of first appearance.
    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    /// The note with that code, if there is one.
    pub fn get(&self, code: Code) -> Option<&Note> {
        self.iter().find(|note| note.code == code)
    }

    /// Whether there are no notes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The longest value that an answer repeats, in characters.
const EXCERPT_CHARS_MAX: usize = 200;

/// A value for an answer: cut to a limit, without characters that move a cursor or reverse text.
pub fn excerpt(value: &[u8]) -> String {
    // A character has four bytes at most: the rest would not be shown.
    let head = &value[..value.len().min(EXCERPT_CHARS_MAX * 4 + 4)];
    let text = String::from_utf8_lossy(head);
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == EXCERPT_CHARS_MAX {
            shown.push('…');
            break;
        }
        if is_control(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a field may not contain this character: C0, DEL, C1, line separators, and all that change the
/// direction of text.
pub(crate) const fn is_control(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests;
