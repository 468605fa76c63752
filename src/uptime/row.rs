//! A row of the report: six numbers of hundredths, and the line of CSV that they make with an id.
//!
//! It must never know what the numbers count.
//!
//! # Why it is fast
//! There are no more than 16,801 numbers of hundredths up to a week: each is written once per process,
//! and from then on copied, eight bytes at a time.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memchr3};

use super::interval::{HOUR, MINUTE, Micros};
use super::window::WindowTotal;

/// A hundredth of a minute, in which the hour is told.
const MINUTES: Micros = MINUTE / 100;

/// A hundredth of an hour, in which day and week are told.
const HOURS: Micros = HOUR / 100;

/// Hundredths of the largest number there is: a week in hours, `168.00`.
const HUNDREDTHS_MAX: usize = 16_800;

/// Bytes of a row after the id, at most: six times `,168.00`, a line feed, and room for the eighth
/// byte of the last number.
const NUMBERS_BYTES: usize = 6 * 7 + 1 + 1;

/// A comma and a number as text: the text from the first byte on, its length in the last.
type Text = [u8; 8];

static TEXTS: LazyLock<Vec<Text>> = LazyLock::new(|| (0..=HUNDREDTHS_MAX).map(text).collect());

/// A comma and a number of hundredths.
fn text(hundredths: usize) -> Text {
    let whole = hundredths / 100;
    let digits = [whole / 100, whole / 10, whole, hundredths / 10, hundredths];
    let [hundreds, tens, ones, tenths, hundredths] =
        digits.map(|digit| b'0' + u8::try_from(digit % 10).unwrap_or(0));
    match whole {
        0..=9 => [b',', ones, b'.', tenths, hundredths, 0, 0, 5],
        10..=99 => [b',', tens, ones, b'.', tenths, hundredths, 0, 6],
        _ => [b',', hundreds, tens, ones, b'.', tenths, hundredths, 7],
    }
}

/// How long a comma and a number of hundredths are, told without a look at the texts, nor a branch.
fn text_length(hundredths: u16) -> u32 {
    let known = 5 + u32::from(hundredths >= 1000) + u32::from(hundredths >= 10_000);
    // What is not known is beyond both.
    known - 6 * u32::from(hundredths == UNKNOWN)
}

/// Whether an id is more than a plain word to CSV and must be quoted there.
pub fn is_quoted(id: &str) -> bool {
    memchr3(b',', b'"', b'\n', id.as_bytes()).is_some() || memchr(b'\r', id.as_bytes()).is_some()
}

/// How many bytes a store's line has but for its numbers; `quoted` is what [`is_quoted`] says of its id.
pub fn id_bytes(id: &str, quoted: bool) -> usize {
    let quotes = match quoted {
        true => 2 + memchr_iter(b'"', id.as_bytes()).count(),
        false => 0,
    };
    id.len() + quotes + 1
}

/// How many bytes the numbers of rows have as text.
pub fn numbers_bytes(rows: &[Cells]) -> usize {
    let rows = rows.chunks(ROWS_SUMMED);
    let sum = |rows: &[Cells]| -> u32 {
        let cells = rows.as_flattened().as_chunks().0.iter();
        cells
            .map(|&cell| text_length(u16::from_le_bytes(cell)))
            .sum()
    };
    rows.map(|rows| sum(rows) as usize).sum()
}

/// How many rows are summed in 32 bits, which the compiler does for many numbers at once.
const ROWS_SUMMED: usize = 1 << 16;

/// The six numbers of a row, in the order of the report's columns: hundredths of a minute or an hour,
/// two bytes each, the lowest first; [`UNKNOWN`] where the report has none. Reports are kept so.
pub type Cells = [u8; 12];

/// The number in place of one that is not known.
pub const UNKNOWN: u16 = u16::MAX;

/// The numbers of a store's totals, halves rounded up.
pub fn cells(totals: &[WindowTotal; 3]) -> Cells {
    let [hour, day, week] = totals.each_ref().map(WindowTotal::known);
    let numbers = [
        cell::<MINUTES>(hour.map(|(uptime, _)| uptime)),
        cell::<HOURS>(day.map(|(uptime, _)| uptime)),
        cell::<HOURS>(week.map(|(uptime, _)| uptime)),
        cell::<MINUTES>(hour.map(|(_, downtime)| downtime)),
        cell::<HOURS>(day.map(|(_, downtime)| downtime)),
        cell::<HOURS>(week.map(|(_, downtime)| downtime)),
    ];
    let mut cells = Cells::default();
    for (cell, number) in cells.as_chunks_mut().0.iter_mut().zip(numbers) {
        *cell = number.to_le_bytes();
    }
    cells
}

/// A length of time in hundredths of its unit. The unit is known to the compiler, which then need not
/// divide.
fn cell<const HUNDREDTH: Micros>(micros: Option<Micros>) -> u16 {
    micros.map_or(UNKNOWN, |micros| {
        // No window is longer than a week, and no time negative.
        let hundredths = (micros + HUNDREDTH / 2).unsigned_abs() / HUNDREDTH.unsigned_abs();
        u16::try_from(hundredths.min(HUNDREDTHS_MAX as u64)).unwrap_or(UNKNOWN)
    })
}

/// Appends one store's line; see [`Printer::print`].
pub fn write_row(csv: &mut Vec<u8>, id: &str, totals: &[WindowTotal; 3]) {
    Printer::get().print(csv, id, is_quoted(id), &cells(totals));
}

/// Writes rows.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    texts: &'static [Text],
}

impl Printer {
    /// The printer; the first of a process makes the table.
    pub fn get() -> Self {
        Self { texts: &TEXTS }
    }

    /// Appends one store's line; see [`Line::print`].
    pub fn print(self, csv: &mut Vec<u8>, id: &str, quoted: bool, cells: &Cells) {
        self.line(cells).print(csv, id, quoted);
    }

    /// What follows the id on the line of a store with these numbers.
    pub fn line(self, cells: &Cells) -> Line {
        let (mut bytes, mut length) = ([0; NUMBERS_BYTES], 0);
        for text in self.texts_of(cells) {
            bytes[length..length + 8].copy_from_slice(&text);
            length += usize::from(text[7]);
        }
        bytes[length] = b'\n';
        length += 1;
        Line { bytes, length }
    }

    /// A comma and a number, for each; nothing after the comma where it is unknown.
    fn texts_of(self, cells: &Cells) -> [Text; 6] {
        const COMMA: Text = [b',', 0, 0, 0, 0, 0, 0, 1];
        let cells = cells.as_chunks().0;
        std::array::from_fn(|cell| {
            let hundredths = usize::from(u16::from_le_bytes(cells[cell]));
            self.texts.get(hundredths).copied().unwrap_or(COMMA)
        })
    }
}

/// What follows the id on a store's line.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The text, and room behind it.
    bytes: [u8; NUMBERS_BYTES],
    length: usize,
}

impl Line {
    /// Appends the line of the store with this id; `quoted` is what [`is_quoted`] says of it.
    ///
    /// An id is written as it is, quoted only where RFC 4180 asks for it. One such as `=1+1` is a
    /// legal id and stays what it is: whoever opens the file in a spreadsheet imports the first column
    /// as text.
    pub fn print(&self, csv: &mut Vec<u8>, id: &str, quoted: bool) {
        if quoted {
            csv.push(b'"');
            csv.extend_from_slice(id.replace('"', "\"\"").as_bytes());
            csv.push(b'"');
        } else {
            csv.extend_from_slice(id.as_bytes());
        }
        // So many bytes always are a few moves; as many as there are would be a call.
        csv.extend_from_slice(&self.bytes);
        csv.truncate(csv.len() - (NUMBERS_BYTES - self.length));
    }

    /// How long it is.
    pub const fn length(&self) -> usize {
        self.length
    }
}

/// The numbers of one window as the report writes them; none where nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Uptime, in minutes for the hour and in hours for the day and the week.
    pub uptime: String,
    /// Downtime, in the same unit.
    pub downtime: String,
}

impl Figures {
    /// The figures of each window of a row, as its line of the report has them.
    pub fn of(totals: &[WindowTotal; 3]) -> [Option<Self>; 3] {
        let [hour, day, week] = totals;
        [(hour, MINUTES), (day, HOURS), (week, HOURS)].map(|(total, hundredth)| {
            let (uptime, downtime) = total.known()?;
            Some(Self {
                uptime: figure(uptime, hundredth),
                downtime: figure(downtime, hundredth),
            })
        })
    }
}

/// A length of time in hours, rounded as the report rounds; it may be longer than a window.
pub fn hours(micros: Micros) -> String {
    figure(micros, HOURS)
}

/// A length of time in the unit that this is a hundredth of, rounded as the report rounds.
fn figure(micros: Micros, hundredth: Micros) -> String {
    let hundredths = (micros + hundredth / 2) / hundredth;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::super::interval::DAY;
    use super::*;

    fn number<const HUNDREDTH: Micros>(micros: Micros) -> String {
        let text = TEXTS[usize::from(cell::<HUNDREDTH>(Some(micros)))];
        String::from_utf8_lossy(&text[1..usize::from(text[7])]).into_owned()
    }

    #[test]
    fn numbers_have_two_decimals_and_halves_round_up() {
        let minutes = number::<MINUTES>;
        assert_eq!(
            [0, 299_999, 300_000, 600_000].map(minutes),
            ["0.00", "0.00", "0.01", "0.01"]
        );
        assert_eq!(minutes(HOUR), "60.00");
        assert_eq!(number::<HOURS>(7 * DAY), "168.00");
        assert_eq!(number::<HOURS>(10 * HOUR - 1), "10.00");
        for hundredths in 0..=HUNDREDTHS_MAX {
            let micros = Micros::try_from(hundredths).unwrap() * HOURS;
            let expected = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            assert_eq!(number::<HOURS>(micros), expected);
            let cell = cell::<HOURS>(Some(micros));
            assert_eq!(text_length(cell) as usize, 1 + expected.len());
            for micros in [micros + HOURS / 2 - 1, micros + HOURS / 2].map(|at| at.min(7 * DAY)) {
                assert_eq!(number::<HOURS>(micros), hours(micros));
            }
        }
    }

    #[test]
    fn an_id_is_quoted_only_where_it_must_be() {
        let row = |id| {
            let mut csv = Vec::new();
            let cells = cells(&[
                WindowTotal::Closed,
                WindowTotal::Unknown { business: 1 },
                WindowTotal::Closed,
            ]);
            let printer = Printer::get();
            printer.print(&mut csv, id, is_quoted(id), &cells);
            assert_eq!(
                id_bytes(id, is_quoted(id)) + numbers_bytes(&[cells]),
                csv.len()
            );
            String::from_utf8(csv).expect("text")
        };
        assert_eq!(row("=1+1"), "=1+1,0.00,,0.00,0.00,,0.00\n");
        assert_eq!(row("a,\"b\""), "\"a,\"\"b\"\"\",0.00,,0.00,0.00,,0.00\n");
    }
}
