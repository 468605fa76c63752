//! Dedup: of one call's polls of a store and instant, the last write wins.

use std::iter::Peekable;

use super::problem::{Code, Notes};
use super::runs::PollRow;
use crate::error::Result;

/// Keeps the last row of each store and instant of sorted rows. With it comes how many rows corrected the
/// status of an earlier one.
pub(super) struct Dedup<I: Iterator> {
    rows: Peekable<I>,
    /// Notes on the rows that were dropped.
    pub(super) notes: Notes,
    /// How many rows repeated the one before them.
    pub(super) repeats: u64,
}

impl<I: Iterator<Item = Result<PollRow>>> Dedup<I> {
    /// `rows` must be sorted by [`PollRow::key`], and keep their order within a key.
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
