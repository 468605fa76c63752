//! Histories: the polls of many stores in memory, by store, as a report reads them.
//!
//! A history is immutable: [`History::with`] makes a new one, which shares the unchanged parts. It consists of
//! blocks of [`BLOCK_STORES`] stores, each behind an `Arc`. A block keeps recent polls apart from the rest, so
//! adding one poll copies a few kilobytes and not the block.

use std::sync::Arc;

use super::fleet::{BusinessTime, Fleet, StoreKey};
use super::flips::{BlockFlips, FlipCache};
use super::interval::{Interval, Micros};
use super::poll::Poll;
use super::timeline::Interpolation;

/// How many consecutive store keys share a block.
pub const BLOCK_STORES: usize = 256;

/// How many late polls a block keeps apart before it is laid out again.
const RECENT_POLLS_MAX: usize = 1024;

/// Polls by store, sorted, with distinct instants. Eight bytes a poll, four a store.
#[derive(Clone, Debug, Default)]
pub struct History {
    blocks: Vec<Arc<Block>>,
}

/// The polls of one block's stores.
#[derive(Clone, Debug, Default)]
struct Block {
    /// Most of the polls.
    settled: Arc<Settled>,
    /// Late polls with the store's place in the block. They are sorted, and no settled poll of the same store
    /// has the same instant.
    recent: Vec<(u8, Poll)>,
}

/// Polls that stay, and what is derived from them.
#[derive(Debug, Default)]
struct Settled {
    laid: LaidOut,
    /// The flips of these polls.
    flips: FlipCache,
}

/// The polls of a block's stores, laid out by store, end to end.
#[derive(Debug, Default)]
pub(super) struct LaidOut {
    /// The end of each store's polls in `polls`; empty if there are none.
    pub(super) ends: Vec<u32>,
    pub(super) polls: Vec<Poll>,
}

/// One block of stores with their polls: what a reader of a long span has in memory at a time.
#[derive(Debug, Default)]
pub struct StoreBlock {
    pub(super) number: usize,
    pub(super) laid: LaidOut,
}

impl StoreBlock {
    /// The number of the block that `store` is in; the blocks of rising keys have rising numbers.
    pub fn number_of(store: StoreKey) -> usize {
        place(store).0
    }

    /// The number of this block.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The polls of `store`, sorted, with distinct instants; none if it is in another block.
    pub fn of(&self, store: StoreKey) -> &[Poll] {
        match place(store) {
            (block, slot) if block == self.number => self.laid.of(slot),
            _ => &[],
        }
    }

    /// How many polls it holds.
    pub fn len(&self) -> usize {
        self.laid.polls.len()
    }

    /// Whether it holds no polls.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl History {
    /// A history of all blocks up to the last, in order.
    pub(super) fn from_blocks(blocks: impl IntoIterator<Item = StoreBlock>) -> Self {
        let block = |StoreBlock { laid, .. }| {
            Arc::new(Block {
                settled: Arc::new(Settled {
                    laid,
                    flips: FlipCache::default(),
                }),
                recent: Vec::new(),
            })
        };
        Self {
            blocks: blocks.into_iter().map(block).collect(),
        }
    }

    /// The polls of `store` within `span`, sorted; `scratch` is used if late ones must be merged in.
    pub fn of<'a>(&'a self, store: StoreKey, span: Interval, scratch: &'a mut Vec<Poll>) -> &'a [Poll] {
        let (block, slot) = place(store);
        let Some(block) = self.blocks.get(block) else {
            return &[];
        };
        let polls = block.settled.laid.of(slot);
        let recent = block.recent(slot);
        let polls = if recent.is_empty() {
            polls
        } else {
            scratch.clear();
            scratch.extend_from_slice(polls);
            scratch.extend(recent.iter().map(|&(_, poll)| poll));
            // One look is enough if the late polls are later than all others, as most are.
            if !scratch.is_sorted() {
                scratch.sort_unstable();
            }
            scratch
        };
        let from = partition_from(polls, span.start);
        let to = partition_back(polls, span.end);
        polls.get(from..to).unwrap_or(&[])
    }

    /// The late polls of a store, sorted.
    pub(super) fn recent(&self, block: usize, slot: usize) -> &[(u8, Poll)] {
        let block = self.blocks.get(block);
        block.map_or(&[], |block| block.recent(slot))
    }

    /// Whether a block has no late polls.
    pub(super) fn is_settled(&self, block: usize) -> bool {
        let block = self.blocks.get(block);
        block.is_none_or(|block| block.recent.is_empty())
    }

    /// The flips of the settled polls of a block: the kept ones, or new ones.
    pub(super) fn flips(
        &self,
        block: usize,
        fleet: &Fleet,
        business: &Arc<BusinessTime>,
        rule: Interpolation,
    ) -> Arc<BlockFlips> {
        let Some(settled) = self.blocks.get(block).map(|block| &block.settled) else {
            return Arc::default();
        };
        settled.flips.get_or_make(business, rule, || {
            let mut flips = BlockFlips::default();
            let first = StoreKey::try_from(block * BLOCK_STORES).unwrap_or(StoreKey::MAX);
            let last = first | StoreKey::from(u8::MAX);
            for &(key, pattern) in fleet.with_keys(first, last) {
                let (_, slot) = place(key);
                flips.add(slot, settled.laid.of(slot), business.of(pattern), rule);
            }
            flips.shrink();
            flips
        })
    }

    /// This history with more polls; each replaces its store's poll at the same instant, if there is one. Blocks
    /// that are laid out again drop polls before `since`.
    #[must_use]
    pub fn with(&self, polls: &[(StoreKey, Poll)], since: Micros) -> Self {
        let mut polls = polls.to_vec();
        polls.sort_unstable_by_key(|&(store, poll)| (store, poll));
        let mut history = self.clone();
        for polls in polls.chunk_by(|(a, _), (b, _)| place(*a).0 == place(*b).0) {
            let Some(&(first, _)) = polls.first() else {
                continue;
            };
            let (block, _) = place(first);
            if block >= history.blocks.len() {
                history.blocks.resize_with(block + 1, Arc::default);
            }
            let polls: Vec<_> = polls.iter().map(|&(store, poll)| (slot_byte(store), poll)).collect();
            history.blocks[block] = Arc::new(history.blocks[block].with(&polls, since));
        }
        history
    }

    /// How many polls it holds.
    pub fn len(&self) -> usize {
        self.blocks
            .iter()
            .map(|block| block.settled.laid.polls.len() + block.recent.len())
            .sum()
    }

    /// Whether it holds no polls.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How many polls lie before `at`, searched from the front, because few do.
fn partition_from(polls: &[Poll], at: Micros) -> usize {
    polls.iter().position(|poll| poll.at() >= at).unwrap_or(polls.len())
}

/// How many polls lie before `at`, searched from the back, because most do.
fn partition_back(polls: &[Poll], at: Micros) -> usize {
    polls.iter().rposition(|poll| poll.at() < at).map_or(0, |last| last + 1)
}

/// The block of a store and its place in it.
pub(super) fn place(store: StoreKey) -> (usize, usize) {
    let store = store as usize;
    (store / BLOCK_STORES, store % BLOCK_STORES)
}

/// The place of a store in its block, as blocks store it.
pub(super) fn slot_byte(store: StoreKey) -> u8 {
    let [slot, ..] = store.to_le_bytes();
    slot
}

const _: () = assert!(BLOCK_STORES == 1 << u8::BITS, "a place in a block is a byte");

impl Block {
    /// The late polls of one store.
    fn recent(&self, slot: usize) -> &[(u8, Poll)] {
        if self.recent.is_empty() {
            return &[];
        }
        let from = self.recent.partition_point(|&(other, _)| usize::from(other) < slot);
        let to = self.recent.partition_point(|&(other, _)| usize::from(other) <= slot);
        &self.recent[from..to]
    }

    /// The block with more polls, which are sorted by place and instant; see [`History::with`].
    fn with(&self, polls: &[(u8, Poll)], since: Micros) -> Self {
        let key = |&(slot, poll): &(u8, Poll)| (slot, poll.at());
        let mut corrects = false;
        let mut recent = Vec::with_capacity(self.recent.len() + polls.len());
        for &(slot, poll) in polls {
            let settled = self.settled.laid.of(usize::from(slot));
            match settled.binary_search_by_key(&poll.at(), |settled| settled.at()) {
                Ok(found) if settled[found] == poll => continue,
                Ok(_) => corrects = true,
                Err(_) => {}
            }
            recent.push((slot, poll));
        }
        let new = recent.len();
        recent.extend_from_slice(&self.recent);
        // Stable: at equal instants the new poll is first, and the first is kept.
        recent.sort_by_key(key);
        recent.dedup_by_key(|row| key(row));
        if new == 0 {
            return self.clone();
        }
        if corrects || recent.len() > RECENT_POLLS_MAX {
            let settled = Arc::new(Settled {
                laid: self.settled.laid.with(&recent, since),
                flips: FlipCache::default(),
            });
            return Self {
                settled,
                recent: Vec::new(),
            };
        }
        Self {
            settled: Arc::clone(&self.settled),
            recent,
        }
    }
}

impl LaidOut {
    /// The polls of one store.
    fn of(&self, slot: usize) -> &[Poll] {
        let Some(&end) = self.ends.get(slot) else {
            return &[];
        };
        let start = slot.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.polls[start as usize..end as usize]
    }

    /// A new layout with `recent` merged in; at equal instants the recent poll wins.
    fn with(&self, recent: &[(u8, Poll)], since: Micros) -> Self {
        let kept = self.polls.iter().filter(|poll| poll.at() >= since).count();
        // Exactly: a block lives for hours, and growing would leave it up to half empty.
        let mut block = Self {
            ends: Vec::with_capacity(BLOCK_STORES),
            polls: Vec::with_capacity(kept + recent.len()),
        };
        let mut recent = recent.iter().peekable();
        for slot in 0..=u8::MAX {
            let start = block.polls.len();
            block
                .polls
                .extend(self.of(usize::from(slot)).iter().filter(|poll| poll.at() >= since));
            let settled = block.polls.len();
            while let Some(&(_, poll)) = recent.next_if(|(other, _)| *other == slot) {
                let known = block.polls[start..settled].binary_search_by_key(&poll.at(), |poll| poll.at());
                match known {
                    Ok(known) => block.polls[start + known] = poll,
                    Err(_) => block.polls.push(poll),
                }
            }
            if !block.polls[start..].is_sorted() {
                block.polls[start..].sort_unstable();
            }
            // The count fits: more polls would not fit in memory.
            block.ends.push(u32::try_from(block.polls.len()).unwrap_or(u32::MAX));
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::super::history_builder::history_of;
    use super::super::poll::Status::{Active, Inactive};
    use super::*;

    fn poll(at: Micros) -> Poll {
        Poll::new(at, if at % 2 == 0 { Active } else { Inactive })
    }

    fn found(history: &History, store: StoreKey, start: Micros, end: Micros) -> Vec<Poll> {
        history.of(store, Interval::new(start, end), &mut Vec::new()).to_vec()
    }

    #[test]
    fn polls_are_found_by_store_and_span() {
        let rows = [(7, 1), (300, 2), (7, 3), (0, 4), (7, 5), (300, 6)];
        let history = history_of(rows.map(|(store, at)| (store, poll(at))));
        assert_eq!(history.len(), 6);
        assert_eq!(found(&history, 7, 0, 9), [poll(1), poll(3), poll(5)]);
        assert_eq!(found(&history, 7, 2, 5), [poll(3)]);
        assert_eq!(found(&history, 300, 3, 9), [poll(6)]);
        assert_eq!(found(&history, 1, 0, 9), []);
        assert_eq!(found(&history, 9999, 0, 9), []);
    }

    #[test]
    fn later_repeated_and_corrected_polls_find_their_place() {
        let history = history_of([(7, poll(1)), (7, poll(5)), (8, poll(5))]);
        let more = history.with(&[(7, poll(5)), (7, poll(3)), (600, poll(2))], 0);
        assert_eq!(found(&more, 7, 0, 9), [poll(1), poll(3), poll(5)]);
        assert_eq!(found(&more, 600, 0, 9), [poll(2)]);
        assert_eq!((more.len(), history.len()), (5, 3));
        // One late poll is corrected, and one settled poll.
        let corrected = more.with(&[(7, Poll::new(3, Active))], 0);
        assert_eq!(found(&corrected, 7, 0, 9), [poll(1), Poll::new(3, Active), poll(5)]);
        let corrected = corrected.with(&[(7, Poll::new(5, Active))], 0);
        assert_eq!(
            found(&corrected, 7, 0, 9),
            [poll(1), Poll::new(3, Active), Poll::new(5, Active)]
        );
        assert_eq!(found(&corrected, 8, 0, 9), [poll(5)]);
    }

    #[test]
    fn a_block_laid_out_anew_leaves_out_what_is_too_old() {
        let history = history_of((0..10).map(|at| (1, poll(at))));
        let many: Vec<_> = (10..2000).map(|at| (1, poll(at))).collect();
        let history = history.with(&many, 5);
        assert_eq!(found(&history, 1, 0, 7), [poll(5), poll(6)]);
        assert_eq!(history.len(), 1995);
    }
}
