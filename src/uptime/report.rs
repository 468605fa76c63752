//! The report: one row a store, and the CSV made of them.
//!
//! It must never know where its inputs come from or where the CSV goes.

use std::thread;

use memchr::{memchr, memchr3};

use super::business_hours::{ZoneTable, open_intervals};
use super::fleet::{BusinessTime, Fleet, Pattern, Store};
use super::history::History;
use super::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros};
use super::pass;
use super::poll::Poll;
use super::timeline::{Interpolation, REACH, Timeline, counted, reach};
use super::window::{Coverage, WindowTotal, windows};

/// The first line of every report.
pub const HEADER: &str = "store_id,uptime_last_hour,uptime_last_day,uptime_last_week,\
                          downtime_last_hour,downtime_last_day,downtime_last_week\n";

/// What a hundredth of each window's unit is: the hour is told in minutes, day and week in hours.
const HUNDREDTHS: [Micros; 3] = [MINUTE / 100, HOUR / 100, HOUR / 100];

/// A row is rarely longer: a 64-bit id, six numbers and their commas.
const ROW_BYTES: usize = 64;

/// What a report is made of, at one instant, by one rule.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The instant at which the windows end, in microseconds since 1970 UTC.
    pub as_of: Micros,
    /// How the time between polls is filled in.
    pub rule: Interpolation,
}

/// One store's line in the report, with the coverage that pages and JSON show beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// The last hour, day and week.
    pub totals: [WindowTotal; 3],
    /// How much of each window somebody saw; none where there is no business time.
    pub coverage: [Option<Coverage>; 3],
}

impl ReportRow {
    /// The row of a store that keeps `pattern`, by the plain form: what the numbers *are*.
    ///
    /// `polls` are sorted, one an instant; those that do not count are passed over.
    pub fn new(polls: &[Poll], pattern: &Pattern, question: Question) -> Self {
        let Question { as_of, rule } = question;
        let span = Interval::new(as_of - REACH, as_of + DAY);
        let open = open_intervals(&ZoneTable::new(pattern.zone, span), &pattern.rows, span);
        let counted = counted(polls, &open, as_of);
        let timeline = Timeline::new(&counted, rule, span);
        Self::measure(&counted, timeline.as_ref(), &open, as_of)
    }

    /// The row that these make: the polls that count, the timeline they draw, and business time.
    pub fn measure(
        counted: &[Poll],
        timeline: Option<&Timeline>,
        open: &Intervals,
        as_of: Micros,
    ) -> Self {
        let windows = windows(as_of);
        Self {
            totals: windows.map(|window| WindowTotal::measure(timeline, open, window)),
            coverage: windows.map(|window| Coverage::measure(counted, open, window)),
        }
    }
}

/// The report as CSV, computed on `threads` threads.
///
/// `business` must span [`BusinessTime::span_for`] the question's `as_of`, and `history` must hold
/// every poll within [`reach`] of it.
pub fn csv(
    fleet: &Fleet,
    business: &BusinessTime,
    history: &History,
    question: Question,
    threads: usize,
) -> Vec<u8> {
    let marks = |pattern| business.of(pattern).marks(question.as_of);
    let marks: Vec<_> = (0..fleet.patterns().len()).map(marks).collect();
    let rows = |stores: &[Store]| {
        let mut csv = Vec::with_capacity(stores.len() * ROW_BYTES);
        let mut scratch = Vec::new();
        for store in stores {
            let polls = history.of(store.key, reach(question.as_of), &mut scratch);
            let open = business.of(store.pattern);
            let marks = &marks[store.pattern];
            let totals = pass::totals(polls, open, marks, question.as_of, question.rule);
            write_row(&mut csv, &store.id, &totals);
        }
        csv
    };
    let stores = fleet.stores();
    let share = stores.len().div_ceil(threads.max(1)).max(1);
    let mut shares = stores.chunks(share);
    let first = shares.next().unwrap_or(&[]);
    thread::scope(|scope| {
        let others: Vec<_> = shares.map(|share| scope.spawn(|| rows(share))).collect();
        let mut csv = Vec::with_capacity(HEADER.len() + stores.len() * ROW_BYTES);
        csv.extend_from_slice(HEADER.as_bytes());
        csv.extend(rows(first));
        for other in others {
            match other.join() {
                Ok(rows) => csv.extend(rows),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        csv
    })
}

/// Appends one store's line.
///
/// An id is written as it is, quoted only where RFC 4180 asks for it. One such as `=1+1` is a legal
/// id and stays what it is: whoever opens the file in a spreadsheet imports the first column as text.
pub fn write_row(csv: &mut Vec<u8>, store_id: &str, totals: &[WindowTotal; 3]) {
    let bytes = store_id.as_bytes();
    if memchr3(b',', b'"', b'\n', bytes).is_some() || memchr(b'\r', bytes).is_some() {
        csv.push(b'"');
        csv.extend_from_slice(store_id.replace('"', "\"\"").as_bytes());
        csv.push(b'"');
    } else {
        csv.extend_from_slice(store_id.as_bytes());
    }
    let numbers = totals.each_ref().map(|total| total.known());
    for (number, unit) in numbers.iter().zip(HUNDREDTHS) {
        write_number(csv, number.map(|(uptime, _)| uptime), unit);
    }
    for (number, unit) in numbers.iter().zip(HUNDREDTHS) {
        write_number(csv, number.map(|(_, downtime)| downtime), unit);
    }
    csv.push(b'\n');
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
        let windows: [usize; 3] = [0, 1, 2];
        windows.map(|window| {
            let (uptime, downtime) = totals[window].known()?;
            Some(Self {
                uptime: figure(uptime, HUNDREDTHS[window]),
                downtime: figure(downtime, HUNDREDTHS[window]),
            })
        })
    }
}

/// A length of time in hours, rounded as the report rounds.
pub fn hours(micros: Micros) -> String {
    figure(micros, HOUR / 100)
}

/// A length of time in the unit that this is a hundredth of, rounded as the report rounds.
fn figure(micros: Micros, hundredth: Micros) -> String {
    let mut text = Vec::new();
    write_number(&mut text, Some(micros), hundredth);
    text.remove(0);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends a comma and the number in its unit with two decimals, halves rounded up; nothing after
/// the comma where it is unknown.
fn write_number(csv: &mut Vec<u8>, micros: Option<Micros>, hundredth: Micros) {
    csv.push(b',');
    let Some(micros) = micros else { return };
    let mut rest = (micros + hundredth / 2) / hundredth;
    // The longest is a week in hours, `168.00`; written from its last digit.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while rest > 0 || start > digits.len() - 4 {
        start -= 1;
        if start == digits.len() - 3 {
            digits[start] = b'.';
        } else {
            digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
    }
    csv.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::figure as number;

    #[test]
    fn numbers_have_two_decimals_and_halves_round_up() {
        let minutes = |micros| number(micros, MINUTE / 100);
        assert_eq!(
            [0, 299_999, 300_000, 600_000].map(minutes),
            ["0.00", "0.00", "0.01", "0.01"]
        );
        assert_eq!(minutes(HOUR), "60.00");
        assert_eq!(number(7 * DAY, HOUR / 100), "168.00");
        assert_eq!(number(10 * HOUR - 1, HOUR / 100), "10.00");
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
