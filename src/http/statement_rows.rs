//! The rows of a statement, as pages show them: read from its CSV, so that every number on a page is one of the file's.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::jobs::statement::Per;
use crate::uptime::interval::{HOUR, Micros};
use crate::uptime::window::Share;

/// How many numbers a row has, in the order of the CSV.
const COLUMNS: usize = 11;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The store's id or the owner; empty for the fleet.
    pub label: String,
    /// The name of its bucket.
    pub period: String,
    /// The numbers as the CSV has them; empty where it has none.
    figures: [String; COLUMNS],
}

/// A number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Hours of business time.
    Business,
    /// Hours online.
    Uptime,
    /// Hours offline.
    Downtime,
    /// The per cent online.
    Online,
    /// The per cent covered by checks.
    Covered,
    /// The least hours offline.
    Least,
    /// The most hours offline.
    Most,
    /// Incidents.
    Incidents,
    /// The least lost sales.
    LostLeast,
    /// Lost sales.
    Lost,
    /// The most lost sales.
    LostMost,
}

impl Row {
    /// A number as the CSV has it; empty for none.
    pub fn figure(&self, column: Column) -> &str {
        &self.figures[column as usize]
    }

    /// A number in hundredths, or a count in ones.
    pub fn number(&self, column: Column) -> Option<i64> {
        let digits: String = self.figure(column).chars().filter(|one| *one != '.').collect();
        digits.parse().ok()
    }

    /// A length of time, to a hundredth of an hour.
    pub fn length(&self, column: Column) -> Option<Micros> {
        Some(self.number(column)? * (HOUR / 100))
    }

    /// A per cent, to a tenth.
    pub fn share(&self, column: Column) -> Option<Share> {
        let hundredths = self.number(column)?;
        let tenths = match (hundredths + 5) / 10 {
            // What is not all is never told as all, and what is something never as nothing.
            1000 if hundredths < 10_000 => 999,
            0 if hundredths > 0 => 1,
            tenths => tenths,
        };
        Some(Share { hundredths, tenths })
    }
}

/// Some rows of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// How many the whole statement has.
    pub total: usize,
}

impl Rows {
    /// The rows in `range` of the CSV of a statement with rows per `per`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(csv: &[u8], per: Per, range: Range<usize>) -> Result<Self> {
        let damaged = |error: csv::Error| Error::failed("the statement is damaged").because(error);
        let texts = 1 + usize::from(per.column().is_some());
        let mut reader = csv::Reader::from_reader(csv);
        let mut rows = Vec::new();
        for record in reader.records().skip(range.start).take(range.len()) {
            let record = record.map_err(damaged)?;
            let field = |index: usize| record.get(index).unwrap_or_default().to_owned();
            rows.push(Row {
                label: if texts == 2 { field(0) } else { String::new() },
                period: field(texts - 1),
                figures: std::array::from_fn(|column| field(texts + column)),
            });
        }
        let lines = memchr::memchr_iter(b'\n', csv).count();
        Ok(Self {
            rows,
            total: lines.saturating_sub(1),
        })
    }

    /// Whether the lost sales of any of them are known.
    pub fn has_lost(&self) -> bool {
        self.rows.iter().any(|row| !row.figure(Column::Lost).is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_csv() {
        let csv = "store_id,period,b,u,d,up,cp,dl,dm,i,ll,l,lm\n\
                   a,2026-10,10.00,9.95,0.05,99.96,100.00,0.00,0.10,2,,,\n\
                   \"b,c\",2026-10,8.00,,,,0.00,,,,,,\n";
        let rows = Rows::parse(csv.as_bytes(), Per::Store, 0..9).unwrap();
        assert_eq!((rows.total, rows.has_lost()), (2, false));
        let [first, second] = rows.rows.as_slice() else {
            panic!("two rows");
        };
        assert_eq!(first.length(Column::Downtime), Some(3 * 60_000_000));
        assert_eq!(first.share(Column::Online).map(|share| share.tenths), Some(999));
        assert_eq!(first.share(Column::Covered).map(|share| share.tenths), Some(1000));
        assert_eq!(first.number(Column::Incidents), Some(2));
        assert_eq!((second.label.as_str(), second.length(Column::Uptime)), ("b,c", None));
        let rest = Rows::parse(csv.as_bytes(), Per::Store, 1..2).unwrap();
        assert_eq!((rest.rows.as_slice(), rest.total), (&rows.rows[1..], 2));
    }
}
