//! Flips of a block of stores: worked out once, kept beside the block's polls, and read by every
//! report until either changes.
//!
//! They are derived and never the truth: what is kept belongs to one expansion of business time and
//! one rule, and is made again from the polls where another is asked for. It must never know `as_of`.

use std::sync::{Arc, Mutex, PoisonError};

use super::fleet::BusinessTime;
use super::pass::{Flip, Known, walk};
use super::poll::Poll;
use super::timeline::Interpolation;

/// The flips of the stores of one block.
#[derive(Debug, Default)]
pub struct BlockFlips {
    slots: Vec<Slot>,
    flips: Vec<Flip>,
}

/// One store's share of them.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Where its flips end; they begin where those of the slot before end.
    end: u32,
    last: Option<Poll>,
}

impl BlockFlips {
    /// What is known of the store in `slot`.
    pub fn of(&self, slot: usize) -> Known<'_> {
        let start = slot
            .checked_sub(1)
            .and_then(|before| self.slots.get(before));
        let start = start.map_or(0, |before| before.end) as usize;
        match self.slots.get(slot) {
            Some(slot) => Known {
                flips: &self.flips[start..slot.end as usize],
                last: slot.last,
            },
            None => Known {
                flips: &[],
                last: None,
            },
        }
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
        self.fill(slot);
        let last = walk(polls, business.of(pattern), rule, None, &mut self.flips);
        let end = self.end();
        self.slots.push(Slot { end, last });
    }

    /// Adds slots without a store.
    fn fill(&mut self, slots: usize) {
        let end = self.end();
        let none = Slot { end, last: None };
        self.slots.resize(self.slots.len().max(slots), none);
    }

    fn end(&self) -> u32 {
        // There are fewer flips than polls, whose count fits.
        u32::try_from(self.flips.len()).unwrap_or(u32::MAX)
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
