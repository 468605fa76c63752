//! Histories: the polls of many stores in memory, by store, as a report reads them.
//!
//! It must never know where polls come from: the hot window and a range read from the database are
//! the same shape, filled in two ways.
//!
//! A history never changes. It is cut into blocks of [`BLOCK_STORES`] stores, each behind an `Arc`.

use std::sync::Arc;

use super::fleet::StoreKey;
use super::interval::{Interval, Micros};
use super::poll::Poll;

/// How many consecutive store keys share a block.
pub const BLOCK_STORES: usize = 256;

/// Polls by store, sorted by instant, one an instant. Eight bytes a poll, four a store.
#[derive(Clone, Debug, Default)]
pub struct History {
    blocks: Vec<Arc<Block>>,
    polls: usize,
}

/// The polls of one block's stores, end to end.
#[derive(Debug)]
struct Block {
    /// Where each store's polls end in `polls`.
    ends: Vec<u32>,
    polls: Vec<Poll>,
}

impl History {
    /// A history of polls in any order, no store twice at one instant.
    pub fn from_polls(polls: impl IntoIterator<Item = (StoreKey, Poll)>) -> Self {
        let mut builder = Builder::default();
        for (store, poll) in polls {
            builder.push(store, poll);
        }
        Builder::finish(vec![builder])
    }

    /// The polls of `store` within `span`, sorted.
    pub fn of(&self, store: StoreKey, span: Interval) -> &[Poll] {
        let (block, slot) = place(store);
        let Some(block) = self.blocks.get(block) else {
            return &[];
        };
        let Some(&end) = block.ends.get(slot) else {
            return &[];
        };
        let start = slot.checked_sub(1).map_or(0, |before| block.ends[before]);
        let polls = &block.polls[start as usize..end as usize];
        let from = partition_from(polls, span.start);
        let to = partition_back(polls, span.end);
        polls.get(from..to).unwrap_or(&[])
    }

    /// How many polls it holds.
    pub fn len(&self) -> usize {
        self.polls
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.polls == 0
    }
}

/// How many polls lie before `at`, sought from the front: few do.
fn partition_from(polls: &[Poll], at: Micros) -> usize {
    polls
        .iter()
        .position(|poll| poll.at() >= at)
        .unwrap_or(polls.len())
}

/// How many polls lie before `at`, sought from the back: most do.
fn partition_back(polls: &[Poll], at: Micros) -> usize {
    polls
        .iter()
        .rposition(|poll| poll.at() < at)
        .map_or(0, |last| last + 1)
}

/// The block of a store and its place in it.
fn place(store: StoreKey) -> (usize, usize) {
    let store = store as usize;
    (store / BLOCK_STORES, store % BLOCK_STORES)
}

/// Gathers polls and lays them out by store; cheapest where they come in order of time.
#[derive(Debug, Default)]
pub struct Builder {
    /// For each block its polls in the order they came, with their place in the block.
    blocks: Vec<Vec<(u8, Poll)>>,
}

const _: () = assert!(
    BLOCK_STORES == 1 << u8::BITS,
    "a place in a block is a byte"
);

impl Builder {
    /// Adds a poll.
    pub fn push(&mut self, store: StoreKey, poll: Poll) {
        let (block, _) = place(store);
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, Vec::new);
        }
        let [slot, ..] = store.to_le_bytes();
        self.blocks[block].push((slot, poll));
    }

    /// The history of what was pushed to any of the builders.
    pub fn finish(parts: Vec<Self>) -> History {
        let length = parts
            .iter()
            .map(|part| part.blocks.len())
            .max()
            .unwrap_or(0);
        let mut parts: Vec<_> = parts
            .into_iter()
            .map(|part| part.blocks.into_iter())
            .collect();
        let mut history = History::default();
        for _ in 0..length {
            // Each block's rows are freed as soon as they are laid out.
            let rows: Vec<_> = parts.iter_mut().filter_map(Iterator::next).collect();
            let block = Block::lay_out(&rows);
            history.polls += block.polls.len();
            history.blocks.push(Arc::new(block));
        }
        history
    }
}

impl Block {
    /// A counting sort by store; it keeps the order within each, which is mostly that of time already.
    fn lay_out(parts: &[Vec<(u8, Poll)>]) -> Self {
        let rows = || parts.iter().flatten();
        let mut ends = vec![0_u32; BLOCK_STORES];
        for &(slot, _) in rows() {
            ends[usize::from(slot)] += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            let count = *end;
            *end = total;
            total += count;
        }
        let mut polls = vec![Poll::new(0, super::poll::Status::Inactive); total as usize];
        for &(slot, poll) in rows() {
            let end = &mut ends[usize::from(slot)];
            polls[*end as usize] = poll;
            *end += 1;
        }
        let mut start = 0;
        for &end in &ends {
            let store = &mut polls[start as usize..end as usize];
            if !store.is_sorted() {
                store.sort_unstable();
            }
            start = end;
        }
        Self { ends, polls }
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll::Status::{Active, Inactive};
    use super::*;

    #[test]
    fn polls_are_found_by_store_and_span() {
        let poll = |at| Poll::new(at, if at % 2 == 0 { Active } else { Inactive });
        let rows = [(7, 1), (300, 2), (7, 3), (0, 4), (7, 5), (300, 6)];
        let history = History::from_polls(rows.map(|(store, at)| (store, poll(at))));
        assert_eq!(history.len(), 6);
        assert_eq!(
            history.of(7, Interval::new(0, 9)),
            [poll(1), poll(3), poll(5)]
        );
        assert_eq!(history.of(7, Interval::new(2, 5)), [poll(3)]);
        assert_eq!(history.of(300, Interval::new(3, 9)), [poll(6)]);
        assert_eq!(history.of(1, Interval::new(0, 9)), []);
        assert_eq!(history.of(9999, Interval::new(0, 9)), []);
    }
}
