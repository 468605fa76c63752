//! A sheet of a spreadsheet as CSV: the text that all other inputs are read as. A line's number is its row's.
//!
//! | cell | text |
//! | --- | --- |
//! | a number | its digits; of an id with a fraction or more than [`DIGITS_MAX`] digits, `8.13919533695211E+18` |
//! | a date or midnight | `2023-01-24`; among polls `2023-01-24 00:00:00` |
//! | another instant | `2023-01-24 09:08:23.5` |
//! | a time, a length of time | `09:00:00`, `24:00:00` |
//! | a line end in a text | U+2028, which refuses its row and keeps the lines' numbers |

use std::fmt::Write as _;
use std::io::{self, Read};

use super::header::Layout;
use super::kind::Kind;
use super::options::ReadOptions;
use super::problem::{BadFile, Code, Notes};
use super::records::{RECORD_BYTES_MAX, Record, Shape};
use crate::civil;

/// How many digits a spreadsheet keeps of a number.
const DIGITS_MAX: u32 = 15;

/// How many rows and columns a spreadsheet may have.
const ROWS_MAX: u64 = 1 << 20;
pub(super) const COLUMNS_MAX: usize = 1 << 14;

const DAY_US: i64 = 86_400_000_000;
const DAY_US_FLOAT: f64 = 86_400_000_000.0;

/// How far from a whole second an instant may be to be one: a spreadsheet counts days in floating point.
const NOISE_US: i64 = 2;

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Empty,
    Text(String),
    Number(f64),
    /// A date without a time.
    Day(String),
}

impl Cell {
    pub(super) fn of_text(text: &str) -> Self {
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// A date or an instant in ISO 8601.
    pub(super) fn of_iso_instant(text: &str) -> Self {
        match text.strip_suffix("T00:00:00").unwrap_or(text) {
            day if !day.contains(['T', ' ']) => Self::Day(day.to_owned()),
            _ => Self::of_text(text),
        }
    }

    /// A time or a length of time in ISO 8601, such as `PT09H00M00S`.
    pub(super) fn of_iso_length(text: &str) -> Self {
        iso_length(text).map_or_else(|| Self::of_text(text), |length| Self::Text(time(length)))
    }

    /// The date, instant or time that a number of days means: since 1899-12-30, or 1904-01-01.
    pub(super) fn of_days(days: f64, is_1904: bool, is_length: bool) -> Self {
        let microseconds = (days * DAY_US_FLOAT).round();
        if !(0.0..1e17).contains(&microseconds) {
            return Self::Number(days);
        }
        #[expect(clippy::cast_possible_truncation, reason = "its range was checked")]
        let mut at = microseconds as i64;
        let past = (at + NOISE_US).rem_euclid(1_000_000);
        if past <= 2 * NOISE_US {
            at += NOISE_US - past;
        }
        if is_length || at <= DAY_US {
            return Self::Text(time(at));
        }
        let since_1970 = if is_1904 { 24_107 } else { 25_569 };
        if at % DAY_US == 0 {
            return Self::Day(civil::format_day(at / DAY_US - since_1970));
        }
        let text = civil::format_utc(at - since_1970 * DAY_US);
        Self::Text(text.trim_end_matches(" UTC").to_owned())
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Day(text) => text.len(),
            Self::Empty | Self::Number(_) => 0,
        }
    }
}

/// The microseconds of a length without days.
fn iso_length(text: &str) -> Option<i64> {
    let (hours, rest) = text.strip_prefix("PT")?.split_once('H')?;
    let (minutes, rest) = rest.split_once('M')?;
    let seconds = rest.strip_suffix('S')?;
    let (seconds, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, ""));
    let number = |digits: &str| digits.parse::<u16>().ok().map(i64::from);
    let fraction = format!("{:0<6}", fraction.get(..fraction.len().min(6))?);
    let whole = number(hours)? * 3600 + number(minutes)? * 60 + number(seconds)?;
    Some(whole * 1_000_000 + i64::from(fraction.parse::<u32>().ok()?))
}

/// A time of day or a length of time, as `26:00:00`.
fn time(microseconds: i64) -> String {
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{rest:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// A row with at least one cell that is not empty.
#[derive(Debug)]
pub(super) struct Row {
    /// Its number, from 1.
    pub(super) number: u64,
    /// How many equal rows there are from here on.
    pub(super) repeats: u64,
    cells: Vec<Cell>,
    bytes: usize,
}

impl Row {
    pub(super) fn new() -> Self {
        Self {
            number: 0,
            repeats: 1,
            cells: Vec::new(),
            bytes: 0,
        }
    }

    /// Begins an empty row.
    pub(super) fn begin(&mut self, number: u64) {
        (self.number, self.repeats, self.bytes) = (number, 1, 0);
        self.cells.clear();
    }

    /// Puts a cell behind those before. Texts beyond the longest record are left out: the row is refused anyway.
    pub(super) fn put(&mut self, column: usize, cell: Cell) {
        if cell == Cell::Empty || column >= COLUMNS_MAX || self.bytes > RECORD_BYTES_MAX {
            return;
        }
        self.bytes += cell.bytes() + 1;
        self.cells.resize(column.max(self.cells.len()), Cell::Empty);
        self.cells.push(cell);
    }

    /// How many cells there are up to the last that is not empty.
    pub(super) fn width(&self) -> usize {
        self.cells.len()
    }
}

/// The rows of a sheet, in order.
pub(super) trait Rows {
    /// Reads the next row that is not empty; false at the end.
    fn next_row(&mut self, row: &mut Row) -> io::Result<bool>;
}

/// The CSV of a sheet.
pub(super) struct SheetText<'a> {
    rows: &'a mut dyn Rows,
    row: Row,
    /// The number of the next line.
    line: u64,
    width: usize,
    id_column: Option<usize>,
    /// A date without a time means its midnight.
    has_instants: bool,
    text: Vec<u8>,
    at: usize,
}

impl<'a> SheetText<'a> {
    /// The text of the rows, the first of which is the header; none of an empty sheet.
    pub(super) fn open(rows: &'a mut dyn Rows) -> io::Result<Option<Self>> {
        let mut row = Row::new();
        if !rows.next_row(&mut row)? {
            return Ok(None);
        }
        let mut sheet = Self {
            rows,
            width: row.width(),
            row,
            line: 1,
            id_column: None,
            has_instants: false,
            text: Vec::new(),
            at: 0,
        };
        sheet.write_row();
        let layout = layout(&sheet.text);
        sheet.id_column = layout
            .as_ref()
            .and_then(|layout| layout.slots().iter().position(|&slot| slot == Some(0)));
        sheet.has_instants = layout.is_some_and(|layout| layout.kind() == Kind::Polls);
        let header = std::mem::take(&mut sheet.text);
        sheet.write_lines(&header)?;
        Ok(Some(sheet))
    }

    /// Writes the row once, without a line end.
    fn write_row(&mut self) {
        for column in 0..self.width.max(self.row.width()) {
            if column > 0 {
                self.text.push(b',');
            }
            let cell = self.row.cells.get(column).unwrap_or(&Cell::Empty);
            match cell {
                Cell::Empty => {}
                Cell::Number(number) => {
                    let is_id = self.id_column == Some(column);
                    self.text.extend(digits(*number, is_id).as_bytes());
                }
                Cell::Day(day) => {
                    self.text.extend(day.as_bytes());
                    if self.has_instants {
                        self.text.extend(b" 00:00:00");
                    }
                }
                Cell::Text(text) => quote(text, &mut self.text),
            }
        }
    }

    /// Writes the lines of the row and the empty ones before it.
    fn write_lines(&mut self, row: &[u8]) -> io::Result<()> {
        let damaged = |reason: String| io::Error::other(BadFile::new(None, Code::Compressed, reason));
        if self.row.number < self.line {
            return Err(damaged(format!(
                "row {} of the sheet is out of order (save it again)",
                self.row.number
            )));
        }
        if self.row.number > ROWS_MAX || self.row.repeats > ROWS_MAX {
            return Err(damaged(format!(
                "the sheet has more than {ROWS_MAX} rows (save it again)"
            )));
        }
        let blank = usize::try_from(self.row.number - self.line).unwrap_or(0);
        self.text.resize(self.text.len() + blank, b'\n');
        self.text.extend(row);
        self.text.push(b'\n');
        self.line = self.row.number + 1;
        // Equal rows are written one by one: each has a number.
        self.row.number += 1;
        self.row.repeats -= 1;
        Ok(())
    }
}

impl Read for SheetText<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
            if self.row.repeats == 0 && !self.rows.next_row(&mut self.row)? {
                // What is left in it is an empty row.
                self.row.repeats = 0;
                return Ok(0);
            }
            self.write_row();
            let row = std::mem::take(&mut self.text);
            self.write_lines(&row)?;
        }
        let rest = &self.text[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// The layout that a header gives, if it fits any kind.
pub(super) fn layout(header: &[u8]) -> Option<Layout> {
    let record = Record {
        line: 1,
        bytes: header,
        shape: if header.contains(&b'"') {
            Shape::Quoted
        } else {
            Shape::Plain
        },
    };
    let kinds = std::iter::once(None).chain(Kind::ALL.into_iter().map(Some));
    kinds
        .filter_map(|kind| Layout::read(&record, kind, ReadOptions::until(0), &mut Notes::default()).ok())
        .next()
}

/// The digits of a number. A spreadsheet has rounded an id that is longer than its numbers are; such an id is
/// written as spreadsheets export it, so that it is refused as from a CSV.
fn digits(number: f64, is_id: bool) -> String {
    let is_kept = number.fract() == 0.0 && number.abs() < 10f64.powi(DIGITS_MAX.cast_signed());
    if !is_id || is_kept {
        return (number + 0.0).to_string();
    }
    let text = format!("{number:.14E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) => {
            let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}E{sign}{exponent}")
        }
        None => text,
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    if !text.contains([',', '"', '\n', '\r']) {
        out.extend(text.as_bytes());
        return;
    }
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend(b"\"\""),
            '\n' | '\r' => out.extend("\u{2028}".as_bytes()),
            other => out.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number, the repeats and the cells of a row.
    type GivenRow = (u64, u64, Vec<(usize, Cell)>);

    struct Given(Vec<GivenRow>);

    impl Rows for Given {
        fn next_row(&mut self, row: &mut Row) -> io::Result<bool> {
            if self.0.is_empty() {
                return Ok(false);
            }
            let (number, repeats, cells) = self.0.remove(0);
            row.begin(number);
            row.repeats = repeats;
            cells.into_iter().for_each(|(column, cell)| row.put(column, cell));
            Ok(true)
        }
    }

    fn word(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    fn read(rows: Vec<GivenRow>) -> io::Result<String> {
        let mut text = String::new();
        SheetText::open(&mut Given(rows))?.unwrap().read_to_string(&mut text)?;
        Ok(text)
    }

    fn header() -> Vec<(usize, Cell)> {
        ["status", "store_id", "timestamp_utc"]
            .map(word)
            .into_iter()
            .enumerate()
            .collect()
    }

    #[test]
    fn a_line_has_the_number_of_its_row() {
        let row = |status: &str| vec![(0, word(status)), (2, Cell::Day("2023-01-24".to_owned()))];
        let text = read(vec![(2, 1, header()), (4, 2, row("a")), (8, 1, row("b\nb"))]).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let a = "a,,2023-01-24 00:00:00";
        let b = "\"b\u{2028}b\",,2023-01-24 00:00:00";
        assert_eq!(lines, ["", "status,store_id,timestamp_utc", "", a, a, "", "", b]);
    }

    #[test]
    fn rows_out_of_order_or_without_end_are_refused() {
        assert!(read(vec![(2, 1, header()), (1, 1, header())]).is_err());
        assert!(read(vec![(1, 1, header()), (ROWS_MAX + 1, 1, header())]).is_err());
        assert!(read(vec![(1, 1, header()), (2, ROWS_MAX + 1, header())]).is_err());
        assert!(read(vec![(1, 1, header()), (ROWS_MAX, 2, header())]).is_err());
    }

    #[test]
    fn a_row_longer_than_a_record_is_cut() {
        let long = "x".repeat(RECORD_BYTES_MAX);
        let cells = (0..1000).map(|column| (column, word(&long))).collect();
        let text = read(vec![(1, 1, header()), (2, 1, cells)]).unwrap();
        assert!(text.len() > RECORD_BYTES_MAX && text.len() < 3 * RECORD_BYTES_MAX);
    }

    #[test]
    fn a_number_is_its_digits_unless_it_is_a_rounded_id() {
        for (number, other, id) in [
            (7.0, "7", "7"),
            (-0.0, "0", "0"),
            (12.5, "12.5", "1.25E+1"),
            (999_999_999_999_999.0, "999999999999999", "999999999999999"),
            (1_674_551_303_138_922.0, "1674551303138922", "1.67455130313892E+15"),
            (8.139_195_336_952_11e18, "8139195336952110000", "8.13919533695211E+18"),
            (0.001, "0.001", "1E-3"),
        ] {
            assert_eq!((&*digits(number, false), &*digits(number, true)), (other, id));
        }
    }

    #[test]
    fn days_become_the_text_of_a_csv_exactly() {
        let text = |days, is_1904, is_length| match Cell::of_days(days, is_1904, is_length) {
            Cell::Text(text) => text,
            other => format!("{other:?}"),
        };
        // 2023-01-24 09:08:23, as sixteen digits and as seventeen.
        for days in ["44950.38082175926", "44950.380821759259"].map(|digits| digits.parse::<f64>().unwrap()) {
            assert_eq!(text(days, false, false), "2023-01-24 09:08:23");
            assert_eq!(text(days - 1462.0, true, false), "2023-01-24 09:08:23");
        }
        assert_eq!(
            Cell::of_days(44_950.0, false, false),
            Cell::Day("2023-01-24".to_owned())
        );
        let exact = 44_950.0 + (9.0 * 3600.0 + 8.0 * 60.0 + 23.138_922) / 86_400.0;
        assert_eq!(text(exact, false, false), "2023-01-24 09:08:23.138922");
        for (days, expected) in [(0.0, "00:00:00"), (0.375, "09:00:00"), (1.0, "24:00:00")] {
            assert_eq!(text(days, false, false), expected);
        }
        assert_eq!(text(26.0 / 24.0, false, true), "26:00:00");
        assert_eq!(text(-1.0, false, false), "Number(-1.0)");
        assert_eq!(text(f64::NAN, false, false), "Number(NaN)");
        for (length, expected) in [
            ("PT09H00M00S", "09:00:00"),
            ("PT26H08M23.5S", "26:08:23.5"),
            ("PT09H08M23,138922000S", "09:08:23.138922"),
            ("P1D", "P1D"),
            ("PT99999H00M00S", "PT99999H00M00S"),
        ] {
            assert_eq!(Cell::of_iso_length(length), word(expected));
        }
        assert_eq!(
            Cell::of_iso_instant("2023-01-24T00:00:00"),
            Cell::Day("2023-01-24".to_owned())
        );
        assert_eq!(Cell::of_iso_instant("2023-01-24T09:00:00"), word("2023-01-24T09:00:00"));
        // Every second of a day but midnight, at a date of today.
        for second in 1..86_400 {
            let days = 46_355.0 + f64::from(second) / 86_400.0;
            let seconds = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            assert_eq!(text(days, false, false), format!("2026-11-29 {seconds}"));
        }
    }
}
