//! The statement as CSV and as a workbook: a line for each store, owner or the fleet, and bucket.

use std::ops::Range;

use super::definitions::Definitions;
use super::store_list::StoreList;
use super::xlsx::{Book, Cell};
use crate::error::Result;
use crate::parallel;
use crate::uptime::period::Period;
use crate::uptime::statement_row::{COLUMN_NAMES, Measure, Numbers, decode, rows_before};

/// How many rows a thread writes at a time.
const PART_ROWS: usize = 1 << 14;

/// Whose numbers a row of a statement has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// Those of a store.
    #[default]
    Store,
    /// Those of all stores of an owner.
    Group,
    /// Those of all stores.
    Fleet,
}

impl Per {
    /// Every kind, the default first.
    pub const ALL: [Self; 3] = [Self::Store, Self::Group, Self::Fleet];

    /// The name in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Group => "group",
            Self::Fleet => "fleet",
        }
    }

    /// The kind with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|per| per.as_str() == name)
    }

    /// The name of the first column; none for the fleet, which has one row a bucket.
    pub const fn column(self) -> Option<&'static str> {
        match self {
            Self::Store => Some("store_id"),
            Self::Group => Some("group"),
            Self::Fleet => None,
        }
    }
}

/// The rows of a statement: for each label the row of every bucket.
#[derive(Clone, Copy, Debug)]
pub struct StatementRows<'a> {
    /// The period and its buckets.
    pub period: &'a Period,
    /// Whose rows they are.
    pub per: Per,
    /// The stores, or the owners; one empty label for the fleet.
    pub labels: &'a StoreList,
    /// The rows in stored form.
    pub stored: &'a [u8],
}

impl StatementRows<'_> {
    /// Calls `each` with the index of the label, the index of the bucket, and the numbers of every row. Returns false
    /// if the stored rows are not those of the labels and buckets.
    pub fn each(&self, each: impl FnMut(usize, usize, Numbers)) -> bool {
        let whole = Part {
            labels: 0..self.labels.len(),
            stored: self.stored,
        };
        whole.each(self.period.buckets().len(), each)
    }

    /// Calls `work` with the parts of the rows, on up to `threads` threads.
    fn by_parts<R: Send>(&self, threads: usize, work: impl Fn(&Part<'_>) -> R + Sync) -> Vec<R> {
        let buckets = self.period.buckets().len();
        let labels = (PART_ROWS / buckets.max(1)).max(1);
        let mut rest = self.stored;
        let firsts = (0..self.labels.len()).step_by(labels);
        let parts = firsts.map(|first| {
            let labels = first..self.labels.len().min(first + labels);
            let stored = rows_before(&mut rest, labels.len() * buckets);
            Part { labels, stored }
        });
        let parts: Vec<_> = parts.collect();
        parallel::map(threads, parts, |part| work(&part))
    }

    /// The first line.
    pub fn header(per: Per) -> String {
        let names = COLUMN_NAMES.iter().map(|(name, _)| *name);
        let names: Vec<_> = per.column().into_iter().chain(["period"]).chain(names).collect();
        names.join(",") + "\n"
    }

    /// The size of the CSV, in bytes, counted on `threads` threads.
    pub fn csv_bytes(&self, threads: usize) -> usize {
        let buckets = self.period.buckets();
        let names: Vec<_> = buckets.iter().map(|bucket| self.period.name_of(bucket).len()).collect();
        let labels: Vec<_> = self.labels.csv_fields().from(0).map(str::len).collect();
        let parts = self.by_parts(threads, |part| {
            let mut bytes = 0;
            part.each(names.len(), |label, bucket, numbers| {
                bytes += self.per.column().map_or(0, |_| labels[label] + 1) + names[bucket] + numbers.len() + 1;
                for (number, (_, measure)) in numbers.iter().zip(COLUMN_NAMES) {
                    bytes += number.map_or(0, |number| length(number, measure));
                }
            });
            bytes
        });
        Self::header(self.per).len() + parts.iter().sum::<usize>()
    }

    /// The CSV, written on `threads` threads.
    pub fn csv(&self, threads: usize) -> Vec<u8> {
        let buckets = self.period.buckets();
        let names: Vec<String> = buckets.iter().map(|bucket| self.period.name_of(bucket)).collect();
        let labels: Vec<_> = self.labels.csv_fields().from(0).collect();
        let parts = self.by_parts(threads, |part| {
            let mut csv = Vec::with_capacity(part.stored.len() * 5);
            part.each(names.len(), |label, bucket, numbers| {
                if self.per.column().is_some() {
                    csv.extend_from_slice(labels[label].as_bytes());
                    csv.push(b',');
                }
                csv.extend_from_slice(names[bucket].as_bytes());
                for (number, (_, measure)) in numbers.iter().zip(COLUMN_NAMES) {
                    csv.push(b',');
                    if let Some(number) = *number {
                        push(&mut csv, number, measure);
                    }
                }
                csv.push(b'\n');
            });
            csv
        });
        let header = Self::header(self.per);
        let mut csv = Vec::with_capacity(header.len() + parts.iter().map(Vec::len).sum::<usize>());
        csv.extend_from_slice(header.as_bytes());
        parts.iter().for_each(|part| csv.extend_from_slice(part));
        csv
    }
}

impl StatementRows<'_> {
    /// The workbook.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn xlsx(&self, definitions: &Definitions) -> Result<Vec<u8>> {
        let buckets = self.period.buckets();
        let names: Vec<String> = buckets.iter().map(|bucket| self.period.name_of(bucket)).collect();
        let labels: Vec<&str> = self.labels.ids().collect();
        let header = Self::header(self.per);
        let columns: Vec<String> = header.trim_end().split(',').map(str::to_owned).collect();
        let texts = columns.len() - COLUMN_NAMES.len();
        let mut book = Book::new("Statement", columns, texts)?;
        let mut outcome = Ok(());
        self.each(|label, bucket, numbers| {
            if outcome.is_err() {
                return;
            }
            let label = self.per.column().map(|_| Cell::Text(labels[label]));
            let texts = label.into_iter().chain([Cell::Text(&names[bucket])]);
            let numbers = numbers
                .iter()
                .zip(COLUMN_NAMES)
                .map(|(&number, (_, measure))| match number {
                    None => Cell::Empty,
                    Some(number) if measure == Measure::Count => Cell::Count(number),
                    Some(number) => Cell::Hundredths(number),
                });
            outcome = book.add(texts.chain(numbers));
        });
        outcome?;
        book.finish(definitions)
    }
}

/// The rows of some consecutive labels.
struct Part<'a> {
    labels: Range<usize>,
    stored: &'a [u8],
}

impl Part<'_> {
    /// As [`StatementRows::each`], for these labels.
    fn each(&self, buckets: usize, mut each: impl FnMut(usize, usize, Numbers)) -> bool {
        let mut rest = self.stored;
        for label in self.labels.clone() {
            for bucket in 0..buckets {
                let Some(numbers) = decode(&mut rest) else {
                    return false;
                };
                each(label, bucket, numbers);
            }
        }
        rest.is_empty()
    }
}

/// Appends a number, which has two decimals unless it is a count. `write!` takes several times as long, and a
/// statement has millions.
fn push(csv: &mut Vec<u8>, number: i64, measure: Measure) {
    let mut text = [0; 24];
    let mut first = text.len();
    let mut put = |byte: u8| {
        first -= 1;
        text[first] = byte;
    };
    let mut rest = number.unsigned_abs();
    let mut place = if measure == Measure::Count { 3 } else { 0 };
    while place < 4 || rest > 0 {
        match place {
            2 => put(b'.'),
            // One digit fits a byte.
            _ => {
                put(b'0' + (rest % 10).to_le_bytes()[0]);
                rest /= 10;
            }
        }
        place += 1;
    }
    csv.extend_from_slice(&text[first..]);
}

/// How many bytes [`push`] appends.
fn length(number: i64, measure: Measure) -> usize {
    let digits = |number: i64| number.checked_ilog10().map_or(1, |log| log as usize + 1);
    match measure {
        Measure::Count => digits(number),
        Measure::Hours | Measure::Percent | Measure::Money => digits(number / 100) + 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::period::By;
    use crate::uptime::statement_row::{COLUMNS, encode};

    #[test]
    fn a_line_has_its_label_its_bucket_and_two_decimals() {
        let period = Period {
            from: 20_756,
            to: 20_757,
            by: By::Day,
        };
        let labels = StoreList::new(["=1+1", "Okafor, Sons"]);
        let mut stored = Vec::new();
        let all: Numbers = std::array::from_fn(|number| i64::try_from(number * 50).ok());
        for row in [all, [None; COLUMNS], [Some(7); COLUMNS], all] {
            encode(&row, &mut stored);
        }
        let mut rows = StatementRows {
            period: &period,
            per: Per::Group,
            labels: &labels,
            stored: &stored,
        };
        let csv = rows.csv(1);
        assert_eq!(csv.len(), rows.csv_bytes(2));
        let csv = String::from_utf8(csv).unwrap();
        let lines: Vec<_> = csv.lines().collect();
        assert!(
            lines[0].starts_with("group,period,business_time,uptime,"),
            "{}",
            lines[0]
        );
        assert_eq!(
            lines[1],
            "=1+1,2026-10-30,0.00,0.50,1.00,1.50,2.00,2.50,3.00,350,4.00,4.50,5.00"
        );
        assert_eq!(lines[2], "=1+1,2026-10-31,,,,,,,,,,,");
        assert!(
            lines[3].starts_with("\"Okafor, Sons\",2026-10-30,0.07,"),
            "{}",
            lines[3]
        );
        rows.stored = &stored[1..];
        assert!(!rows.each(|_, _, _| ()));
    }

    #[test]
    fn numbers_are_written_as_format_writes_them() {
        for number in [0, 1, 9, 10, 99, 100, 101, 1_000, 123_456, i64::MAX] {
            for (measure, expected) in [
                (Measure::Count, number.to_string()),
                (Measure::Hours, format!("{}.{:02}", number / 100, number % 100)),
            ] {
                let mut text = Vec::new();
                push(&mut text, number, measure);
                assert_eq!(String::from_utf8(text).unwrap(), expected);
                assert_eq!(length(number, measure), expected.len());
            }
        }
    }

    #[test]
    fn a_long_statement_is_the_same_on_any_number_of_threads() {
        let period = Period {
            from: 20_000,
            to: 20_364,
            by: By::Day,
        };
        let ids: Vec<_> = (0..3 * PART_ROWS / 365 + 1).map(|id| id.to_string()).collect();
        let labels = StoreList::new(ids.iter().map(String::as_str));
        let mut stored = Vec::new();
        for row in 0..ids.len() * 365 {
            let number = |column| {
                i64::try_from(row * column % 40_000)
                    .ok()
                    .filter(|number| number % 7 > 0)
            };
            encode(&std::array::from_fn(number), &mut stored);
        }
        let rows = StatementRows {
            period: &period,
            per: Per::Store,
            labels: &labels,
            stored: &stored,
        };
        let csv = rows.csv(1);
        assert!(rows.csv(3) == csv);
        assert_eq!((rows.csv_bytes(1), rows.csv_bytes(3)), (csv.len(), csv.len()));
    }
}
