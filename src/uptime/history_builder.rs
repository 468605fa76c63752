//! The history builder: lays out the polls of many stores, which come in any order, as a history.
//!
//! Polls are gathered by block and then laid out by store, one block at a time, so both steps write to few
//! places at once. Polls that are already grouped by block ([`ByBlock`]) are laid out from where they lie.
//! Gathered polls are dropped soon and are as many as those that stay: they lie in slabs so large that the
//! system takes each back as a whole.

use crate::parallel;

use super::fleet::StoreKey;
use super::history::{BLOCK_STORES, History, LaidOut, StoreBlock, place, slot_byte};
use super::interval::{Interval, Micros};
use super::poll::{Poll, Status};

/// How many polls of a block lie in one chunk.
const CHUNK_POLLS: usize = 256;

/// The bytes of a chunk, with the place of each poll's store.
pub const CHUNK_BYTES: usize = CHUNK_POLLS * (size_of::<Poll>() + 1);

/// How many chunks a slab has room for: 64 MiB of polls. Unused room costs nothing.
const SLAB_CHUNKS: usize = 1 << 15;

/// Polls of many stores, grouped by block.
pub trait ByBlock: Sync {
    /// The number of blocks: an upper bound.
    fn blocks(&self) -> usize;

    /// The polls of one block, in order of time, or nearly.
    fn groups(&self, block: usize) -> impl Iterator<Item = Group<'_>>;
}

/// Polls of one block and one status.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// For each poll, the store's place in the block.
    pub slots: &'a [u8],
    /// For each poll, the microseconds since `start`, little-endian.
    pub since: &'a [[u8; 4]],
    /// The instant from which the polls' instants are counted.
    pub start: Micros,
    /// The status of all of them.
    pub status: Status,
    /// Polls outside of it do not count; without it, all count.
    pub within: Option<Interval>,
}

/// No polls.
impl ByBlock for () {
    fn blocks(&self) -> usize {
        0
    }

    fn groups(&self, _: usize) -> impl Iterator<Item = Group<'_>> {
        std::iter::empty()
    }
}

impl Group<'_> {
    /// Calls `each` with every poll that counts and the store's place in the block.
    pub fn each(&self, mut each: impl FnMut(u8, Poll)) {
        for (&slot, &since) in self.slots.iter().zip(self.since) {
            let at = self.start + Micros::from(u32::from_le_bytes(since));
            if self.within.is_none_or(|within| within.contains(at)) {
                each(slot, Poll::new(at, self.status));
            }
        }
    }

    /// Calls `each` with the store's place for every poll that counts.
    fn each_slot(&self, mut each: impl FnMut(u8)) {
        match self.within {
            None => self.slots.iter().for_each(|&slot| each(slot)),
            Some(_) => self.each(|slot, _| each(slot)),
        }
    }
}

/// Gathers polls; fastest in order of time.
#[derive(Debug, Default)]
pub struct Builder {
    blocks: Vec<Chain>,
    slabs: Vec<Slab>,
    /// The number of chunks in all slabs.
    chunks: usize,
}

/// One block's polls, in order of arrival.
#[derive(Debug, Default)]
struct Chain {
    /// The indexes of its chunks.
    chunks: Vec<usize>,
    /// How many more polls the last chunk has room for.
    room: usize,
}

/// Memory for many chunks: the polls, and beside each poll the store's place in the block.
#[derive(Debug)]
struct Slab {
    polls: Vec<Poll>,
    slots: Vec<u8>,
}

impl Slab {
    fn new() -> Self {
        Self {
            polls: Vec::with_capacity(SLAB_CHUNKS * CHUNK_POLLS),
            // As many bytes as the polls have, so that the system takes it back as a whole, too; most is never touched.
            slots: Vec::with_capacity(SLAB_CHUNKS * CHUNK_POLLS * size_of::<Poll>()),
        }
    }
}

impl Builder {
    /// Adds a poll.
    pub fn push(&mut self, store: StoreKey, poll: Poll) {
        let (block, _) = place(store);
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, Chain::default);
        }
        if self.blocks[block].room == 0 {
            self.add_chunk(block);
        }
        let chain = &mut self.blocks[block];
        let chunk = chain.chunks[chain.chunks.len() - 1];
        let at = (chunk % SLAB_CHUNKS + 1) * CHUNK_POLLS - chain.room;
        chain.room -= 1;
        let slab = &mut self.slabs[chunk / SLAB_CHUNKS];
        slab.polls[at] = poll;
        slab.slots[at] = slot_byte(store);
    }

    #[cold]
    fn add_chunk(&mut self, block: usize) {
        let chunk = self.chunks;
        self.chunks += 1;
        if chunk.is_multiple_of(SLAB_CHUNKS) {
            self.slabs.push(Slab::new());
        }
        let slab = &mut self.slabs[chunk / SLAB_CHUNKS];
        let polls = (chunk % SLAB_CHUNKS + 1) * CHUNK_POLLS;
        slab.polls.resize(polls, Poll::new(0, Status::Inactive));
        slab.slots.resize(polls, 0);
        self.blocks[block].chunks.push(chunk);
        self.blocks[block].room = CHUNK_POLLS;
    }

    /// The polls of one block with their stores' places, a chunk at a time.
    fn chunks(&self, block: usize) -> impl Iterator<Item = (&[u8], &[Poll])> {
        let chain = self.blocks.get(block);
        let chunks = chain.map_or(&[][..], |chain| &chain.chunks);
        chunks.iter().enumerate().map(move |(number, &chunk)| {
            let room = chain.filter(|_| number + 1 == chunks.len());
            let from = chunk % SLAB_CHUNKS * CHUNK_POLLS;
            let to = from + CHUNK_POLLS - room.map_or(0, |chain| chain.room);
            let slab = &self.slabs[chunk / SLAB_CHUNKS];
            (&slab.slots[from..to], &slab.polls[from..to])
        })
    }

    /// The history of all polls of `by_block` and `parts`, laid out on `threads` threads. No poll may be in two of
    /// them.
    pub fn finish(by_block: &[impl ByBlock], parts: &[Self], threads: usize) -> History {
        let blocks = parts.iter().map(|part| part.blocks.len());
        let blocks = blocks.chain(by_block.iter().map(ByBlock::blocks)).max();
        let blocks = 0..blocks.unwrap_or(0);
        let lay_out = |number| lay_out(by_block, parts, number, StoreBlock::default());
        History::from_blocks(parallel::map(threads, blocks, lay_out))
    }
}

/// A history of polls in any order; a store's instants are distinct.
pub fn history_of(polls: impl IntoIterator<Item = (StoreKey, Poll)>) -> History {
    let mut builder = Builder::default();
    for (store, poll) in polls {
        builder.push(store, poll);
    }
    Builder::finish(&[()], &[builder], 1)
}

/// One block of all polls of `by_block` and `parts`. No poll may be in two of them.
///
/// It is a counting sort of the block's polls by store, which keeps each store's order. That is mostly the order of
/// time: pushed polls are newer than those that were grouped by block. The block takes the memory of `spare`, whose
/// polls it forgets: the first touch of new memory would cost as much as the sort.
pub fn lay_out(by_block: &[impl ByBlock], parts: &[Builder], number: usize, spare: StoreBlock) -> StoreBlock {
    let groups = || by_block.iter().flat_map(|part| part.groups(number));
    let chunks = || parts.iter().flat_map(|part| part.chunks(number));
    let LaidOut { mut ends, mut polls } = spare.laid;
    ends.clear();
    ends.resize(BLOCK_STORES, 0);
    for group in groups() {
        group.each_slot(|slot| ends[usize::from(slot)] += 1);
    }
    for (slots, _) in chunks() {
        for &slot in slots {
            ends[usize::from(slot)] += 1;
        }
    }
    let mut total = 0;
    for end in &mut ends {
        let count = *end;
        *end = total;
        total += count;
    }
    polls.resize(total as usize, Poll::new(0, Status::Inactive));
    // Most polls come in order. Those that did would have to be read once more to see it.
    let mut latest = [Poll::new(Micros::MIN >> 1, Status::Inactive); BLOCK_STORES];
    let mut in_order = true;
    let mut put = |slot: u8, poll| {
        let slot = usize::from(slot);
        in_order &= latest[slot] <= poll;
        latest[slot] = poll;
        let end = &mut ends[slot];
        polls[*end as usize] = poll;
        *end += 1;
    };
    for group in groups() {
        group.each(&mut put);
    }
    for (slots, chunk) in chunks() {
        for (&slot, &poll) in slots.iter().zip(chunk) {
            put(slot, poll);
        }
    }
    if !in_order {
        let mut start = 0;
        for &end in &ends {
            // Most are a few sorted runs, which this sort merges.
            polls[start as usize..end as usize].sort();
            start = end;
        }
    }
    StoreBlock {
        number,
        laid: LaidOut { ends, polls },
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::Interval;
    use super::*;

    #[test]
    fn polls_pushed_to_several_builders_are_one_history_on_any_number_of_threads() {
        let mut parts = [Builder::default(), Builder::default()];
        let count = 3 * CHUNK_POLLS + 7;
        for number in 0..count {
            let at = i64::try_from((number * 7919) % count).unwrap();
            let store = StoreKey::try_from(number % 600).unwrap();
            parts[number % 2].push(store, Poll::new(at, Status::Active));
        }
        for threads in 0..5 {
            let history = Builder::finish(&[()], &parts, threads);
            assert_eq!(history.len(), count);
            let mut apart = Vec::new();
            let span = Interval::new(0, i64::MAX / 4);
            let polls = (0..600).map(|store| {
                let polls = history.of(store, span, &mut apart);
                assert!(polls.is_sorted());
                polls.len()
            });
            assert_eq!(polls.sum::<usize>(), count);
        }
        assert!(Builder::finish(&[()], &[], 2).is_empty());
    }
}
