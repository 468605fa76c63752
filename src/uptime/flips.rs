//! Flips of a block of stores: worked out once, kept beside the block's polls, and read by every
//! report until either changes.
//!
//! They are derived, for no `as_of` in particular. What is kept belongs to one expansion of business
//! time and one rule; for another it is made again from the polls.

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
    /// Where each store's flips begin, and behind the last store where they end.
    bounds: Vec<u32>,
    /// Each store's last poll that counts, or [`NEVER`].
    lasts: Vec<Poll>,
    /// The newest of them.
    newest: Poll,
}

/// In place of the last poll where none counts: no poll is that old.
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
    /// The flips and the last counted poll of the store in `slot`.
    pub fn of(&self, slot: usize) -> Known<'_> {
        let (Some(&last), Some(&[from, to])) = (self.lasts.get(slot), self.bounds.get(slot..=slot + 1)) else {
            return Known { flips: &[], last: None };
        };
        Known {
            flips: &self.flips[from as usize..to as usize],
            last: Some(last).filter(|&last| last != NEVER),
        }
    }

    /// The instant of the newest poll that counts; far in the past where none does.
    pub fn newest(&self) -> Micros {
        self.newest.at()
    }

    /// Adds a store, whose slot is not before those that were added, with its polls.
    pub(super) fn add(&mut self, slot: usize, polls: &[Poll], open: &OpenTime, rule: Interpolation) {
        while self.lasts.len() < slot {
            self.push(NEVER); // A slot without a store.
        }
        let last = walk(polls, open, rule, None, &mut self.flips);
        self.push(last.unwrap_or(NEVER));
    }

    fn push(&mut self, last: Poll) {
        self.lasts.push(last);
        self.newest = self.newest.max(last);
        // There are fewer flips than polls, whose count fits.
        let end = u32::try_from(self.flips.len()).unwrap_or(u32::MAX);
        self.bounds.push(end);
    }
}

/// The flips of one block for one rule and the business time that they were made for.
type Cached = Option<(Arc<BusinessTime>, Arc<BlockFlips>)>;

/// Where a block keeps its flips: one set a rule.
#[derive(Debug, Default)]
pub(super) struct FlipCache([Mutex<Cached>; Interpolation::ALL.len()]);

impl FlipCache {
    /// The flips for this business time and rule: those that are kept, or those that `make` makes.
    pub(super) fn get_or_make(
        &self,
        business: &Arc<BusinessTime>,
        rule: Interpolation,
        make: impl FnOnce() -> BlockFlips,
    ) -> Arc<BlockFlips> {
        // A panic leaves nothing half-done: the contents are replaced whole.
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
