//! The last one in stands: of a call's polls of one store at one instant, the one that counts.
//!
//! It must never know the database, or where the polls go.

use std::iter::Peekable;

use super::problem::{Code, Notes};
use super::runs::PollRow;
use crate::error::Result;
use crate::uptime::poll::Poll;

/// A poll that stands, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The store, as a place in the call's list of ids.
    pub store: u32,
    /// The last that came in.
    pub poll: Poll,
    /// How many rows of the call said otherwise of a row before them, this one among them.
    pub corrections: u64,
}

/// What was odd about rows: how often one of them said again, or otherwise, what a row of the same store
/// and instant before it had said.
#[derive(Debug, Default)]
pub struct Odd {
    /// The same in notes.
    pub notes: Notes,
    /// How many rows said what the row before them had said.
    pub repeats: u64,
}

impl Odd {
    /// Takes `next`, which stands for the same as `row` before it.
    fn add(&mut self, row: PollRow, next: PollRow) {
        let code = if next.poll == row.poll {
            self.repeats += 1;
            Code::Duplicate
        } else {
            Code::Replaced
        };
        self.notes.add(code, Some(next.line.into()));
    }
}

/// Leaves, of sorted rows, the last of each store and instant.
pub struct LastIn<I: Iterator> {
    rows: Peekable<I>,
    /// What was odd about the rows passed over.
    pub odd: Odd,
}

impl<I: Iterator<Item = Result<PollRow>>> LastIn<I> {
    /// The polls that stand among `rows`, which are sorted by [`PollRow::key`] and then as they came in.
    pub fn of(rows: I) -> Self {
        Self {
            rows: rows.peekable(),
            odd: Odd::default(),
        }
    }
}

impl<I: Iterator<Item = Result<PollRow>>> Iterator for LastIn<I> {
    type Item = Result<Standing>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = match self.rows.next()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let mut corrections = 0;
        while let Some(Ok(next)) = self
            .rows
            .next_if(|next| matches!(next, Ok(next) if next.key() == row.key()))
        {
            corrections += u64::from(next.poll != row.poll);
            self.odd.add(row, next);
            row = next;
        }
        Some(Ok(Standing {
            store: row.store,
            poll: row.poll,
            corrections,
        }))
    }
}
