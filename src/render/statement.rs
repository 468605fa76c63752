//! The statement as CSV: a line for each store, owner or the fleet, and bucket.

use std::fmt::Write;

use super::store_list::StoreList;
use crate::uptime::period::Period;
use crate::uptime::statement_row::{COLUMN_NAMES, Measure, Numbers, decode};

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
    pub fn each(&self, mut each: impl FnMut(usize, usize, Numbers)) -> bool {
        let buckets = self.period.buckets().len();
        let mut rest = self.stored;
        for label in 0..self.labels.len() {
            for bucket in 0..buckets {
                let Some(numbers) = decode(&mut rest) else {
                    return false;
                };
                each(label, bucket, numbers);
            }
        }
        rest.is_empty()
    }

    /// The first line.
    pub fn header(per: Per) -> String {
        let names = COLUMN_NAMES.iter().map(|(name, _)| *name);
        let names: Vec<_> = per.column().into_iter().chain(["period"]).chain(names).collect();
        names.join(",") + "\n"
    }

    /// The size of the CSV, in bytes.
    pub fn csv_bytes(&self) -> usize {
        let buckets = self.period.buckets();
        let names: Vec<_> = buckets.iter().map(|bucket| self.period.name_of(bucket).len()).collect();
        let labels: Vec<_> = self.labels.csv_fields().from(0).map(str::len).collect();
        let mut bytes = Self::header(self.per).len();
        self.each(|label, bucket, numbers| {
            bytes += self.per.column().map_or(0, |_| labels[label] + 1) + names[bucket] + numbers.len() + 1;
            for (number, (_, measure)) in numbers.iter().zip(COLUMN_NAMES) {
                bytes += number.map_or(0, |number| length(number, measure));
            }
        });
        bytes
    }

    /// The CSV.
    pub fn csv(&self) -> String {
        let buckets = self.period.buckets();
        let names: Vec<String> = buckets.iter().map(|bucket| self.period.name_of(bucket)).collect();
        let labels: Vec<_> = self.labels.csv_fields().from(0).collect();
        let mut csv = Self::header(self.per);
        csv.reserve(self.stored.len() * 4);
        self.each(|label, bucket, numbers| {
            if self.per.column().is_some() {
                csv.push_str(labels[label]);
                csv.push(',');
            }
            csv.push_str(&names[bucket]);
            for (number, (_, measure)) in numbers.iter().zip(COLUMN_NAMES) {
                csv.push(',');
                if let Some(number) = *number {
                    push(&mut csv, number, measure);
                }
            }
            csv.push('\n');
        });
        csv
    }
}

/// Appends a number, which has two decimals unless it is a count.
fn push(csv: &mut String, number: i64, measure: Measure) {
    // A string takes every write.
    let _ = match measure {
        Measure::Count => write!(csv, "{number}"),
        Measure::Hours | Measure::Percent | Measure::Money => write!(csv, "{}.{:02}", number / 100, number % 100),
    };
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
        let csv = rows.csv();
        assert_eq!(csv.len(), rows.csv_bytes());
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
}
