//! Flips of a block of stores: computed once, kept beside the block's polls, and read by every report until
//! either changes.
//!
//! Flips are derived data and hold for every `as_of`. They hold for one expansion of business time and one
//! rule; for another they are computed again from the polls.

use std::sync::{Arc, Mutex, PoisonError};

use super::fleet::BusinessTime;
use super::interval::Micros;
use super::open_time::OpenTime;
use super::pass::{Flip, Known, walk};
use super::poll::{Poll, Status};
use super::timeline::Interpolation;

/// The flips of the stores of one block, twelve bytes a store beside the flips themselves.
#[derive(Debug)]
pub struct BlockFlips {
    flips: Vec<Flip>,
    /// The start of each store's flips, and the end of the last store's.
    bounds: Vec<u32>,
    /// Each store's last counted poll, or [`NEVER`].
    lasts: Vec<Poll>,
    /// The newest of them.
    newest: Poll,
}

/// Stands for the last counted poll of a store without any; no real poll is as old.
const NEVER: Poll = Poll::new(Micros::MIN / 2, Status::Inactive);

impl Default for BlockFlips {
    fn default() -> Self {
        Self {
            flips: Vec::new(),
            bounds: vec![0],
            lasts: Vec::new(),
            newest: NEVER,
        }
    }
}

impl BlockFlips {
    /// The flips and the last counted poll of the store at `slot`.
    pub fn of(&self, slot: usize) -> Known<'_> {
        let (Some(&last), Some(&[from, to])) = (self.lasts.get(slot), self.bounds.get(slot..=slot + 1)) else {
            return Known { flips: &[], last: None };
        };
        Known {
            flips: &self.flips[from as usize..to as usize],
            last: Some(last).filter(|&last| last != NEVER),
        }
    }

    /// The instant of the newest counted poll; far in the past without any.
    pub fn newest(&self) -> Micros {
        self.newest.at()
    }

    /// Adds a store with its polls; slots must be added in ascending order.
    pub(super) fn add(&mut self, slot: usize, polls: &[Poll], open: &OpenTime, rule: Interpolation) {
        while self.lasts.len() < slot {
            self.push(NEVER); // A slot without a store.
        }
        let last = walk(polls, open, rule, None, &mut self.flips);
        self.push(last.unwrap_or(NEVER));
    }

    /// Gives back what growing took in advance: flips are kept for hours.
    pub(super) fn shrink(&mut self) {
        self.flips.shrink_to_fit();
        self.bounds.shrink_to_fit();
        self.lasts.shrink_to_fit();
    }

    fn push(&mut self, last: Poll) {
        self.lasts.push(last);
        self.newest = self.newest.max(last);
        // There are fewer flips than polls, and their count fits.
        let end = u32::try_from(self.flips.len()).unwrap_or(u32::MAX);
        self.bounds.push(end);
    }
}

/// The flips of one block, and the business time that they were made for.
type Cached = Option<(Arc<BusinessTime>, Arc<BlockFlips>)>;

/// The kept flips of a block: one set a rule.
#[derive(Debug, Default)]
pub(super) struct FlipCache([Mutex<Cached>; Interpolation::ALL.len()]);

impl FlipCache {
    /// The flips for this business time and rule: the kept ones, or new ones from `make`.
    pub(super) fn get_or_make(
        &self,
        business: &Arc<BusinessTime>,
        rule: Interpolation,
        make: impl FnOnce() -> BlockFlips,
    ) -> Arc<BlockFlips> {
        // A panic leaves no partial state: each entry is replaced whole.
        let kept = &self.0[rule as usize];
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, flips)) if Arc::ptr_eq(of, business) => Arc::clone(flips),
            _ => {
                let flips = Arc::new(make());
                *kept = Some((Arc::clone(business), Arc::clone(&flips)));
                flips
            }
        }
    }
}
