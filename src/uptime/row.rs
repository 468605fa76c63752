//! A row of the report as CSV: an id and six numbers with two decimals.
//!
//! It must never know what the numbers count.
//!
//! # Why it is fast
//! A report's numbers are hundredths, and there are no more than 16,801 of them: each is written once
//! per process, and from then on copied, eight bytes at a time.

use std::sync::LazyLock;

use memchr::{memchr, memchr3};

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

/// Whether an id is more than a plain word to CSV and must be quoted there.
pub fn is_quoted(id: &str) -> bool {
    memchr3(b',', b'"', b'\n', id.as_bytes()).is_some() || memchr(b'\r', id.as_bytes()).is_some()
}

/// Appends one store's line; see [`Printer::print`].
pub fn write_row(csv: &mut Vec<u8>, id: &str, totals: &[WindowTotal; 3]) {
    Printer::get().print(csv, id, is_quoted(id), totals);
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

    /// Appends one store's line; `quoted` is what [`is_quoted`] says of its id.
    ///
    /// An id is written as it is, quoted only where RFC 4180 asks for it. One such as `=1+1` is a
    /// legal id and stays what it is: whoever opens the file in a spreadsheet imports the first column
    /// as text.
    pub fn print(self, csv: &mut Vec<u8>, id: &str, quoted: bool, totals: &[WindowTotal; 3]) {
        if quoted {
            csv.push(b'"');
            csv.extend_from_slice(id.replace('"', "\"\"").as_bytes());
            csv.push(b'"');
        } else {
            csv.extend_from_slice(id.as_bytes());
        }
        let both = |total: &WindowTotal| match *total {
            WindowTotal::Closed => Some((0, 0)),
            WindowTotal::Unknown { .. } => None,
            WindowTotal::Known { uptime, downtime } => Some((uptime, downtime)),
        };
        let [hour, day, week] = totals.each_ref().map(both);
        let mut line = Line::default();
        self.number::<MINUTES>(&mut line, hour.map(|(uptime, _)| uptime));
        self.number::<HOURS>(&mut line, day.map(|(uptime, _)| uptime));
        self.number::<HOURS>(&mut line, week.map(|(uptime, _)| uptime));
        self.number::<MINUTES>(&mut line, hour.map(|(_, downtime)| downtime));
        self.number::<HOURS>(&mut line, day.map(|(_, downtime)| downtime));
        self.number::<HOURS>(&mut line, week.map(|(_, downtime)| downtime));
        line.bytes[line.length] = b'\n';
        csv.extend_from_slice(&line.bytes[..=line.length]);
    }

    /// Appends a comma and the number in its unit with two decimals, halves rounded up; nothing after
    /// the comma where it is unknown. The unit is known to the compiler, which then need not divide.
    fn number<const HUNDREDTH: Micros>(self, line: &mut Line, micros: Option<Micros>) {
        const COMMA: Text = [b',', 0, 0, 0, 0, 0, 0, 1];
        let text = micros.map_or(COMMA, |micros| {
            // No window is longer than a week, and no time negative.
            let micros = micros.unsigned_abs() + HUNDREDTH.unsigned_abs() / 2;
            let hundredths = usize::try_from(micros / HUNDREDTH.unsigned_abs());
            self.texts[hundredths.unwrap_or(0).min(HUNDREDTHS_MAX)]
        });
        line.bytes[line.length..line.length + 8].copy_from_slice(&text);
        line.length += usize::from(text[7]);
    }
}

/// What follows the id, as far as it is written.
struct Line {
    bytes: [u8; NUMBERS_BYTES],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; NUMBERS_BYTES],
            length: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::DAY;
    use super::*;

    fn number<const HUNDREDTH: Micros>(micros: Micros) -> String {
        let mut line = Line::default();
        Printer::get().number::<HUNDREDTH>(&mut line, Some(micros));
        String::from_utf8_lossy(&line.bytes[1..line.length]).into_owned()
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
        }
    }

    #[test]
    fn an_id_is_quoted_only_where_it_must_be() {
        let row = |id| {
            let mut csv = Vec::new();
            write_row(
                &mut csv,
                id,
                &[
                    WindowTotal::Closed,
                    WindowTotal::Unknown { business: 1 },
                    WindowTotal::Closed,
                ],
            );
            String::from_utf8(csv).expect("text")
        };
        assert_eq!(row("=1+1"), "=1+1,0.00,,0.00,0.00,,0.00\n");
        assert_eq!(row("a,\"b\""), "\"a,\"\"b\"\"\",0.00,,0.00,0.00,,0.00\n");
    }
}
