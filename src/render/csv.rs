//! CSV: a line for each row of a product, its numbers with two decimals.
//!
//! # Why it is fast
//! A report has at most 16,801 different numbers. Each is formatted once per process, and then copied, eight
//! bytes at a time.

use std::sync::LazyLock;

use super::store_list::StoreList;
use crate::parallel;
use crate::uptime::row::{COLUMNS, Cells, HUNDREDTHS_MAX, UNKNOWN, numbers};
use crate::uptime::window::Window;

/// How many rows a thread writes at a time.
const PART_ROWS: usize = 1 << 14;

/// The most bytes of a row after the id: each number with its comma, a line feed, and room for the eighth byte
/// of the last number.
const NUMBERS_BYTES: usize = COLUMNS * 7 + 1 + 1;

/// A comma and a number as text: the text first, its length in the last byte.
type Text = [u8; 8];

static TEXTS: LazyLock<Vec<Text>> = LazyLock::new(|| {
    let most = u16::try_from(HUNDREDTHS_MAX).unwrap_or(UNKNOWN);
    (0..=most).map(text).collect()
});

/// A comma and a number, which is given in hundredths.
fn text(hundredths: u16) -> Text {
    let whole = hundredths / 100;
    let digits = [whole / 100, whole / 10, whole, hundredths / 10, hundredths];
    let [hundreds, tens, ones, tenths, hundredths] = digits.map(|digit| b'0' + u8::try_from(digit % 10).unwrap_or(0));
    match whole {
        0..=9 => [b',', ones, b'.', tenths, hundredths, 0, 0, 5],
        10..=99 => [b',', tens, ones, b'.', tenths, hundredths, 0, 6],
        _ => [b',', hundreds, tens, ones, b'.', tenths, hundredths, 7],
    }
}

/// The length of a comma and a number in hundredths, without a lookup or a branch.
fn text_length(hundredths: u16) -> usize {
    let known = 5 + usize::from(hundredths >= 1000) + usize::from(hundredths >= 10_000);
    // The unknown number is above both limits.
    known - 6 * usize::from(hundredths == UNKNOWN)
}

/// The first line of a report.
pub fn report_header() -> String {
    let mut header = "store_id".to_owned();
    for measure in ["uptime", "downtime"] {
        for window in Window::ALL {
            header.extend([",", measure, "_last_", window.name()]);
        }
    }
    header + "\n"
}

/// The size of a report, in bytes.
pub fn report_bytes(stores: &StoreList, rows: &[Cells]) -> usize {
    let (cells, _) = rows.as_flattened().as_chunks();
    let lengths = cells.iter().map(|&cell| text_length(u16::from_le_bytes(cell)));
    let ids = stores.csv_fields().bytes() + stores.len();
    report_header().len() + ids + lengths.sum::<usize>()
}

/// A report: a line for each store and its row, written on `threads` threads.
pub fn report(stores: &StoreList, rows: &[Cells], threads: usize) -> Vec<u8> {
    let bytes = report_bytes(stores, rows);
    let part = |(number, rows): (usize, &[Cells])| {
        let mut csv = Vec::new();
        if number == 0 {
            // Room after the last line, because each line is written longer than it is.
            csv.reserve_exact(bytes + NUMBERS_BYTES);
            csv.extend_from_slice(report_header().as_bytes());
        } else {
            csv.reserve(2 * NUMBERS_BYTES * rows.len());
        }
        let texts = &TEXTS[..];
        for (id, row) in stores.csv_fields().from(number * PART_ROWS).zip(rows) {
            csv.extend_from_slice(id.as_bytes());
            push_numbers(&mut csv, texts, row);
        }
        csv
    };
    let parts = rows.chunks(PART_ROWS).enumerate();
    let mut parts = parallel::map(threads, parts, part).into_iter();
    let mut csv = parts.next().unwrap_or_else(|| report_header().into());
    parts.for_each(|part| csv.extend(part));
    csv
}

/// Appends a comma and a number for each cell, only the comma if it is unknown, and a line feed.
fn push_numbers(csv: &mut Vec<u8>, texts: &[Text], row: &Cells) {
    const COMMA: Text = [b',', 0, 0, 0, 0, 0, 0, 1];
    let (mut bytes, mut length) = ([0; NUMBERS_BYTES], 0);
    for number in numbers(row) {
        let text = texts.get(usize::from(number)).unwrap_or(&COMMA);
        bytes[length..length + 8].copy_from_slice(text);
        length += usize::from(text[7]);
    }
    bytes[length] = b'\n';
    // A fixed number of bytes compiles to a few moves; a variable one would be a call.
    csv.extend_from_slice(&bytes);
    csv.truncate(csv.len() - (NUMBERS_BYTES - length - 1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::interval::{DAY, HOUR, Micros};
    use crate::uptime::row::{cells, hours};
    use crate::uptime::window::{PerWindow, WindowTotal};

    #[test]
    fn every_number_has_two_decimals() {
        for (number, text) in (0_u16..).zip(TEXTS.iter()) {
            let text = String::from_utf8_lossy(&text[1..usize::from(text[7])]).into_owned();
            assert_eq!(text, format!("{}.{:02}", number / 100, number % 100));
            assert_eq!(text, hours(Micros::from(number) * HOUR / 100));
            assert_eq!(text_length(number), 1 + text.len());
        }
        assert_eq!((hours(7 * DAY), TEXTS.len()), ("168.00".to_owned(), 16_801));
    }

    #[test]
    fn an_id_is_quoted_only_where_it_must_be() {
        let row = cells(&PerWindow::new(|window| match window {
            Window::Day => WindowTotal::Unknown { business: 1 },
            _ => WindowTotal::Closed,
        }));
        let stores = StoreList::new(["=1+1", "a,\"b\""]);
        let csv = report(&stores, &[row; 2], 1);
        assert_eq!(csv.len(), report_bytes(&stores, &[row; 2]));
        let lines = "=1+1,0.00,,0.00,0.00,,0.00\n\"a,\"\"b\"\"\",0.00,,0.00,0.00,,0.00\n";
        assert_eq!(String::from_utf8(csv).unwrap(), report_header() + lines);
    }

    #[test]
    fn a_long_report_is_the_same_on_any_number_of_threads() {
        let ids: Vec<_> = (0..3 * PART_ROWS + 1).map(|id| id.to_string()).collect();
        let stores = StoreList::new(ids.iter().map(String::as_str));
        let rows: Vec<Cells> = (0..64).cycle().take(ids.len()).map(|cell| [cell; 12]).collect();
        let csv = report(&stores, &rows, 1);
        assert_eq!(csv.len(), report_bytes(&stores, &rows));
        assert!(report(&stores, &rows, 3) == csv);
        assert_eq!(report(&StoreList::default(), &[], 2), report_header().as_bytes());
    }

    #[test]
    fn the_header_is_the_contract() {
        let header = "store_id,uptime_last_hour,uptime_last_day,uptime_last_week,\
                      downtime_last_hour,downtime_last_day,downtime_last_week\n";
        assert_eq!(report_header(), header);
    }
}
