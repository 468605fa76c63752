//! The report of the last hour, day and week: one row a store.

use std::sync::Arc;

use rusqlite::Connection;

use super::kind::{Order, Product};
use crate::error::Result;
use crate::hot_window::{HotWindow, Inputs};
use crate::parallel;
use crate::render::csv::{report, report_bytes, report_header};
use crate::render::definitions::Definitions;
use crate::render::store_list::StoreList;
use crate::render::xlsx::{Book, Cell};
use crate::uptime::report::{Question, rows};
use crate::uptime::row::{Cells, UNKNOWN, numbers};

/// The fewest rows for which a thread is worth its start.
const THREAD_ROWS: usize = 1 << 17;

/// A complete report.
#[derive(Debug, Default)]
pub struct FleetReport {
    stores: Arc<StoreList>,
    rows: Vec<Cells>,
    question: Question,
}

impl FleetReport {
    /// The report of these inputs, computed on `threads` threads.
    pub fn new(inputs: &Inputs, question: Question, threads: usize) -> Self {
        let Inputs {
            fleet,
            stores,
            business,
            history,
            ..
        } = inputs;
        Self {
            stores: Arc::clone(stores),
            rows: rows(fleet, business, history, question, threads),
            question,
        }
    }

    /// The report from the polls in memory, `hot`.
    pub(super) fn make(db: &mut Connection, hot: &HotWindow, order: &Order) -> Result<Self> {
        let inputs = hot.inputs_of(db, order.question.as_of, &order.audience)?;
        Ok(Self::new(&inputs, order.question, parallel::threads()))
    }

    /// Restores a report from its stored rows; none if their number is not that of the stores.
    pub(super) fn restore(question: Question, stores: StoreList, rows: &[u8]) -> Option<Self> {
        let (rows, rest) = rows.as_chunks();
        (rest.is_empty() && rows.len() == stores.len()).then(|| Self {
            stores: stores.into(),
            rows: rows.to_vec(),
            question,
        })
    }
}

impl Product for FleetReport {
    fn stores(&self) -> &StoreList {
        &self.stores
    }

    fn rows(&self) -> &[u8] {
        self.rows.as_flattened()
    }

    fn csv_bytes(&self) -> usize {
        report_bytes(&self.stores, &self.rows)
    }

    fn csv(&self) -> Vec<u8> {
        let threads = parallel::threads().min(1 + self.rows.len() / THREAD_ROWS);
        report(&self.stores, &self.rows, threads)
    }

    fn xlsx(&self) -> Result<Vec<u8>> {
        let header = report_header();
        let mut book = Book::new("Report", header.trim_end().split(',').map(str::to_owned).collect(), 1)?;
        for (id, row) in self.stores.ids().zip(&self.rows) {
            let number = |number| match number {
                UNKNOWN => Cell::Empty,
                number => Cell::Hundredths(number.into()),
            };
            book.add([Cell::Text(id)].into_iter().chain(numbers(row).map(number)))?;
        }
        book.finish(&Definitions::of_report(self.question))
    }
}
