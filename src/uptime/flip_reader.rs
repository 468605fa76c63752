//! The flip reader: gives one store's flips after another at `as_of`, from kept flips and recent polls.
//!
//! It alone decides whether kept flips may be used.

use std::sync::Arc;

use super::fleet::{BusinessTime, Fleet, Store};
use super::flips::BlockFlips;
use super::history::{History, place};
use super::interval::Micros;
use super::pass::{Flip, Known, walk};
use super::poll::Poll;
use super::timeline::Interpolation;
use super::window::reach;

/// Reads flips; fastest in the order of the stores' keys, since each block is then looked up once.
pub struct FlipReader<'a> {
    fleet: &'a Fleet,
    business: &'a Arc<BusinessTime>,
    history: &'a History,
    as_of: Micros,
    rule: Interpolation,
    /// The last store's block, and its flips.
    block: Option<usize>,
    kept: Arc<BlockFlips>,
    /// Whether the kept flips are complete for its stores.
    is_all_kept: bool,
    /// Scratch memory for the polls and flips of a store with recent polls.
    polls: Vec<Poll>,
    flips: Vec<Flip>,
}

impl<'a> FlipReader<'a> {
    /// A reader of `history` for the stores of `fleet`, whose business time is `business`.
    pub fn new(
        fleet: &'a Fleet,
        business: &'a Arc<BusinessTime>,
        history: &'a History,
        as_of: Micros,
        rule: Interpolation,
    ) -> Self {
        Self {
            fleet,
            business,
            history,
            as_of,
            rule,
            block: None,
            kept: Arc::default(),
            is_all_kept: false,
            polls: Vec::new(),
            flips: Vec::new(),
        }
    }

    /// The flips and the last counted poll of one store at `as_of`.
    pub fn of(&mut self, store: &Store) -> Known<'_> {
        let (block, slot) = place(store.key);
        if self.block != Some(block) {
            let (fleet, business) = (self.fleet, self.business);
            self.kept = self.history.flips(block, fleet, business, self.rule);
            self.block = Some(block);
            self.is_all_kept = self.kept.newest() <= self.as_of && self.history.is_settled(block);
        }
        let kept = self.kept.of(slot);
        if self.is_all_kept {
            return kept;
        }
        let late = self.history.recent(block, slot);
        let last = kept.last.map_or(Micros::MIN, Poll::at);
        if last <= self.as_of && late.is_empty() {
            return kept;
        }
        let open = self.business.of(store.pattern);
        self.flips.clear();
        self.polls.clear();
        let from = if last <= self.as_of && late[0].1.at() > last {
            // The usual case: all recent polls are later than the kept flips.
            let late = late.iter().map(|&(_, poll)| poll);
            self.polls.extend(late.take_while(|poll| poll.at() <= self.as_of));
            self.flips.extend_from_slice(kept.flips);
            kept.last
        } else {
            let mut apart = Vec::new();
            let polls = self.history.of(store.key, reach(self.as_of), &mut apart);
            self.polls.extend_from_slice(polls);
            None
        };
        let last = walk(&self.polls, open, self.rule, from, &mut self.flips);
        Known {
            flips: &self.flips,
            last,
        }
    }
}
