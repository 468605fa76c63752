//! Flips of a block of stores: worked out once, kept beside the block's polls, and read by every
//! report until either changes.
//!
//! They are derived and never the truth: what is kept belongs to one expansion of business time and
//! one rule, and is made again from the polls where another is asked for. It must never know `as_of`.

use std::sync::{Arc, Mutex, PoisonError};

use super::fleet::BusinessTime;
use super::interval::Micros;
use super::pass::{Flip, Known, walk};
use super::poll::{Poll, Status};
use super::timeline::Interpolation;

/// The flips of the stores of one block.
#[derive(Debug)]
pub struct BlockFlips {
    flips: Vec<Flip>,
    /// Where each store's flips begin, and behind the last store where they end.
    bounds: Vec<u32>,
    /// Each store's last poll that counts, or [`NEVER`]. Twelve bytes a store in all: a report reads those
    /// of every store, and mostly waits for memory.
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
    /// What is known of the store in `slot`.
    pub fn of(&self, slot: usize) -> Known<'_> {
        let (Some(&last), Some(&[from, to])) =
            (self.lasts.get(slot), self.bounds.get(slot..=slot + 1))
        else {
            return Known {
                flips: &[],
                last: None,
            };
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
    pub(super) fn add(
        &mut self,
        slot: usize,
        polls: &[Poll],
        business: &BusinessTime,
        pattern: usize,
        rule: Interpolation,
    ) {
        while self.lasts.len() < slot {
            self.push(NEVER); // A slot without a store.
        }
        let last = walk(polls, business.of(pattern), rule, None, &mut self.flips);
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

/// Where a block keeps its flips: one set a rule.
#[derive(Debug, Default)]
pub(super) struct Kept([Mutex<Option<Of>>; Interpolation::ALL.len()]);

/// Flips, and the business time that they were made for.
#[derive(Debug)]
struct Of {
    business: Arc<BusinessTime>,
    flips: Arc<BlockFlips>,
}

impl Kept {
    /// The flips for this business time and rule: those that are kept, or those that `make` makes.
    pub(super) fn get_or_make(
        &self,
        business: &Arc<BusinessTime>,
        rule: Interpolation,
        make: impl FnOnce() -> BlockFlips,
    ) -> Arc<BlockFlips> {
        // Nothing is half-done where somebody panicked: the contents are replaced whole.
        let kept = &self.0[rule as usize];
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(of) if Arc::ptr_eq(&of.business, business) => Arc::clone(&of.flips),
            _ => {
                let flips = Arc::new(make());
                *kept = Some(Of {
                    business: Arc::clone(business),
                    flips: Arc::clone(&flips),
                });
                flips
            }
        }
    }
}
