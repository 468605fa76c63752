//! The byte format of packed hours. [`packed`](super::packed) stores them.
//!
//! # The format
//! Polls lie in groups, one for each status of each block of 256 store keys. A history has the same blocks, so
//! the thread of a block copies its groups straight to their place.
//!
//! 1. The number of groups.
//! 2. For each group, its number (twice the block, plus one if active) and the end of its polls, counted from
//!    the first poll of the first group.
//! 3. For each group, one byte a poll: the store's place in the block. Then, for each poll, the microseconds
//!    since the start of the hour.
//!
//! 4. The checksum of all that, in eight bytes.
//!
//! Numbers take four bytes, little-endian: five bytes a poll, where a row takes about twenty.

use std::ops::Range;

use super::digest::checksum;
use crate::uptime::fleet::StoreKey;
use crate::uptime::history::BLOCK_STORES;
use crate::uptime::history_builder::{ByBlock, Group};
use crate::uptime::interval::{HOUR, Interval, Micros};
use crate::uptime::poll::{Poll, Status};

/// The interval of an hour.
pub(super) fn span_of(hour: i64) -> Interval {
    Interval::new(hour * HOUR, (hour + 1) * HOUR)
}

/// How many store keys share a block.
const BLOCK_KEYS: StoreKey = 256;

const _: () = assert!(
    BLOCK_KEYS as usize == BLOCK_STORES,
    "what is stored by block is read by block"
);

/// The number of a poll's group.
fn group_of(store: StoreKey, poll: Poll) -> u32 {
    store / BLOCK_KEYS * 2 + u32::from(poll.is_active())
}

/// Packs the polls of the hour that begins at `start`.
pub(super) fn pack(start: Micros, polls: &[(StoreKey, Poll)]) -> Vec<u8> {
    // A counting sort by group: a tenth of the time of a comparison sort, and each group keeps its order
    // of time.
    let groups = || polls.iter().map(|&(store, poll)| group_of(store, poll));
    let first = groups().min().unwrap_or(0);
    let last = groups().max().unwrap_or(0);
    let place = |group: u32| (group - first) as usize;
    let mut counts = vec![0_u32; place(last) + 1];
    groups().for_each(|group| counts[place(group)] += 1);

    let mut packed = vec![0; 4];
    let (mut listed, mut end) = (0_u32, 0);
    for (group, &count) in (first..).zip(&counts) {
        if count > 0 {
            (listed, end) = (listed + 1, end + count);
            packed.extend_from_slice(&group.to_le_bytes());
            packed.extend_from_slice(&end.to_le_bytes());
        }
    }
    packed[..4].copy_from_slice(&listed.to_le_bytes());

    // Where the next poll of each group goes: its store's place, and its time.
    let mut next = Vec::with_capacity(counts.len());
    let mut at = packed.len();
    for count in counts {
        next.push((at, at + count as usize));
        at += count as usize * POLL_BYTES;
    }
    packed.resize(at, 0);
    for &(store, poll) in polls {
        let (slot, time) = &mut next[place(group_of(store, poll))];
        packed[*slot] = store.to_le_bytes()[0];
        // An hour has fewer than 2³² microseconds.
        let since = u32::try_from(poll.at() - start).unwrap_or(u32::MAX);
        packed[*time..*time + 4].copy_from_slice(&since.to_le_bytes());
        (*slot, *time) = (*slot + 1, *time + 4);
    }
    packed.extend_from_slice(&checksum(&packed).to_le_bytes());
    packed
}

/// The blocks of every store.
pub(super) const ALL_BLOCKS: Range<usize> = 0..usize::MAX;

/// The polls of packed hours within a span, or what they have of some blocks: the polls lie end to end in their stored
/// form, and for each block there is a list of its groups.
#[derive(Debug)]
pub(super) struct PackedHours {
    span: Interval,
    /// The first hour that has polls.
    first: Option<i64>,
    bytes: Vec<u8>,
    /// By block, in order of time. A list of each hour would have to be searched for each block.
    blocks: Vec<Vec<Place>>,
}

/// The place of one group.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where its bytes begin.
    from: usize,
    /// How many polls it has.
    polls: u32,
    /// Its hour, counted from the first, and whether its polls are active: twice the one, plus one if so.
    hour: u32,
}

/// One entry of the list of groups: its number, and the end of its polls.
type Listed = [u8; 8];

fn listed(entry: &Listed) -> (u32, usize) {
    let [a, b, c, d, end @ ..] = *entry;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(end) as usize)
}

/// The bytes of one poll.
const POLL_BYTES: usize = 5;

/// How long the list is that follows the number of groups.
pub(super) fn list_bytes(groups: [u8; 4]) -> usize {
    (u32::from_le_bytes(groups) as usize).saturating_mul(size_of::<Listed>())
}

/// Calls `each` with the block, the number of polls and the bytes of every group of a list.
pub(super) fn weigh(list: &[u8], mut each: impl FnMut(usize, usize, usize)) {
    let (list, _) = list.as_chunks();
    let mut before = 0;
    for (group, end) in list.iter().map(listed) {
        let polls = end.saturating_sub(before);
        each(group as usize / 2, polls, size_of::<Place>() + polls * POLL_BYTES);
        before = end;
    }
}

impl Default for PackedHours {
    fn default() -> Self {
        Self {
            span: Interval::new(0, 0),
            first: None,
            bytes: Vec::new(),
            blocks: Vec::new(),
        }
    }
}

impl PackedHours {
    /// No hours of `span`, in the same memory, with room for so many bytes.
    pub(super) fn cleared(mut self, span: Interval, bytes: usize) -> Self {
        self.span = span;
        self.first = None;
        self.bytes.clear();
        self.bytes.reserve_exact(bytes);
        self.blocks.iter_mut().for_each(Vec::clear);
        self
    }

    /// Adds what an hour has of `blocks`; returns false if any of its bytes are damaged.
    pub(super) fn add(&mut self, hour: i64, stored: &[u8], blocks: &Range<usize>) -> bool {
        let Some((packed, &sum)) = stored.split_last_chunk() else {
            return false;
        };
        let Some((groups, rest)) = packed.split_first_chunk() else {
            return false;
        };
        if i64::from_le_bytes(sum) != checksum(packed) {
            return false;
        }
        let (list, _) = rest.as_chunks::<8>();
        let Some(list) = list.get(..u32::from_le_bytes(*groups) as usize) else {
            return false;
        };
        let entries = || list.iter().map(listed);
        let polls = entries().next_back().map_or(0, |(_, end)| end);
        let whole = polls.checked_mul(POLL_BYTES) == Some(rest.len() - list.as_flattened().len());
        // A larger block exists for no store, and memory is allocated for every block up to the last.
        let last = group_of(StoreKey::MAX, Poll::new(0, Status::Active));
        let known = entries().all(|(group, _)| group <= last);
        if !whole || !known || !entries().is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) {
            return false;
        }
        // The groups of neighbouring blocks are neighbours, and so are their polls.
        let place = |block: usize| list.partition_point(|entry| (listed(entry).0 as usize / 2) < block);
        let (from, to) = (place(blocks.start), place(blocks.end));
        let end = |groups: usize| groups.checked_sub(1).map_or(0, |last| listed(&list[last]).1);
        let (before, own) = (end(from), &list[from..to]);
        let polls_bytes = &rest[list.as_flattened().len()..];
        let Ok(hour) = u32::try_from((hour - *self.first.get_or_insert(hour)) * 2) else {
            // Hours come in order, and no database has so many.
            return false;
        };
        let last = own.last().map_or(0, |entry| listed(entry).0 as usize / 2 + 1);
        if self.blocks.len() < last {
            self.blocks.resize_with(last, Vec::new);
        }
        let mut from = self.bytes.len();
        let mut start = before;
        for (group, end) in own.iter().map(listed) {
            let polls = end - start;
            self.blocks[group as usize / 2].push(Place {
                from,
                // An end has four bytes.
                polls: u32::try_from(polls).unwrap_or(0),
                hour: hour + group % 2,
            });
            from += polls * POLL_BYTES;
            start = end;
        }
        self.bytes
            .extend_from_slice(&polls_bytes[before * POLL_BYTES..end(to) * POLL_BYTES]);
        true
    }

    fn group(&self, place: Place) -> Group<'_> {
        let polls = place.polls as usize;
        let (slots, since) = self.bytes[place.from..place.from + polls * POLL_BYTES].split_at(polls);
        let whole = span_of(self.first.unwrap_or(0) + i64::from(place.hour / 2));
        Group {
            slots,
            since: since.as_chunks().0,
            start: whole.start,
            status: Poll::from_row(0, place.hour % 2 == 1).status(),
            within: (whole.intersection(self.span) != whole).then_some(self.span),
        }
    }

    /// Calls `each` with every poll and its store.
    pub(super) fn each(&self, mut each: impl FnMut(StoreKey, Poll)) {
        for (block, places) in self.blocks.iter().enumerate() {
            // The list of an hour has no larger block than stores have.
            let first = StoreKey::try_from(block).unwrap_or(0) * BLOCK_KEYS;
            for &place in places {
                self.group(place)
                    .each(|slot, poll| each(first + StoreKey::from(slot), poll));
            }
        }
    }
}

impl ByBlock for PackedHours {
    fn blocks(&self) -> usize {
        self.blocks.len()
    }

    fn groups(&self, block: usize) -> impl Iterator<Item = Group<'_>> {
        let places = self.blocks.get(block);
        places.into_iter().flatten().map(|&place| self.group(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_PACKED: i64 = 494_000;

    /// The polls of an hour, from stores in several blocks.
    fn polls_of_an_hour() -> Vec<(StoreKey, Poll)> {
        let start = span_of(HOUR_PACKED).start;
        let poll = |number: i64| {
            let store = StoreKey::try_from(number * 7919 % 3000).unwrap();
            let status = [Status::Active, Status::Active, Status::Inactive];
            let status = status[usize::try_from(number % 3).unwrap()];
            (store, Poll::new(start + number * 3_599_999, status))
        };
        let mut polls: Vec<_> = (0..1000).map(poll).collect();
        polls.push((StoreKey::MAX, Poll::new(start + HOUR - 1, Status::Active)));
        polls
    }

    fn sorted(mut polls: Vec<(StoreKey, Poll)>) -> Vec<(StoreKey, Poll)> {
        polls.sort_unstable();
        polls
    }

    #[test]
    fn a_packed_hour_is_its_polls_and_a_part_of_it_those_within() {
        let polls = polls_of_an_hour();
        let whole = span_of(HOUR_PACKED);
        let bytes = pack(whole.start, &polls);
        for span in [
            whole,
            Interval::new(whole.start + HOUR / 3, whole.end + HOUR),
            Interval::new(whole.start - HOUR, whole.end - HOUR / 3),
        ] {
            let mut hours = PackedHours::default().cleared(span, 0);
            assert!(hours.add(HOUR_PACKED, &bytes, &ALL_BLOCKS));
            let mut read = Vec::new();
            hours.each(|store, poll| read.push((store, poll)));
            let within = polls.iter().filter(|(_, poll)| span.contains(poll.at()));
            assert_eq!(sorted(read), sorted(within.copied().collect()));
            let mut by_block = 0;
            for block in [0, 1, 5, 11, StoreKey::MAX as usize / BLOCK_STORES] {
                for group in hours.groups(block) {
                    group.each(|_, _| by_block += 1);
                }
            }
            let in_these = |store: StoreKey| [0, 1, 5, 11, StoreKey::MAX / 256].contains(&(store / 256));
            let within = polls.iter().filter(|(_, poll)| span.contains(poll.at()));
            assert_eq!(by_block, within.filter(|(store, _)| in_these(*store)).count());
        }
    }

    #[test]
    fn bytes_that_are_no_hour_are_refused() {
        let bytes = pack(span_of(HOUR_PACKED).start, &polls_of_an_hour());
        let taken = |bytes: &[u8]| {
            PackedHours::default()
                .cleared(span_of(HOUR_PACKED), 0)
                .add(HOUR_PACKED, bytes, &ALL_BLOCKS)
        };
        assert!(taken(&bytes));
        assert!((0..bytes.len()).all(|length| !taken(&bytes[..length])));
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << (place % 8);
            assert!(!taken(&bytes), "{place}");
        }
        // Even with a right checksum, bytes that are accepted can be read.
        for place in 0..4 + 8 * 10 {
            let mut bytes = bytes[..bytes.len() - 8].to_vec();
            bytes[place] ^= 0x80;
            bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
            let mut hours = PackedHours::default().cleared(span_of(HOUR_PACKED), 0);
            if hours.add(HOUR_PACKED, &bytes, &ALL_BLOCKS) {
                hours.each(|_, _| {});
            }
        }
    }
}
