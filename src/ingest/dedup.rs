//! Dedup: of a call's polls of one store at one instant, the last write wins.

use std::iter::Peekable;

use super::problem::{Code, Notes};
use super::runs::PollRow;
use crate::error::Result;

/// Leaves, of sorted rows, the last of each store and instant. With it comes how many rows corrected the
/// status of one before them.
pub(super) struct Dedup<I: Iterator> {
    rows: Peekable<I>,
    /// Notes on the rows that were passed over.
    pub(super) notes: Notes,
    /// How many rows repeated the one before them.
    pub(super) repeats: u64,
}

impl<I: Iterator<Item = Result<PollRow>>> Dedup<I> {
    /// `rows` are sorted by [`PollRow::key`], and then as they came in.
    pub(super) fn new(rows: I) -> Self {
        Self {
            rows: rows.peekable(),
            notes: Notes::default(),
            repeats: 0,
        }
    }
}

impl<I: Iterator<Item = Result<PollRow>>> Iterator for Dedup<I> {
    type Item = Result<(PollRow, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = match self.rows.next()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let mut corrections = 0;
        let is_same = |next: &Result<PollRow>, row: PollRow| matches!(next, Ok(next) if next.key() == row.key());
        while let Some(Ok(next)) = self.rows.next_if(|next| is_same(next, row)) {
            let code = if next.poll == row.poll {
                self.repeats += 1;
                Code::Duplicate
            } else {
                corrections += 1;
                Code::Replaced
            };
            self.notes.add(code, Some(next.line.into()));
            row = next;
        }
        Some(Ok((row, corrections)))
    }
}
