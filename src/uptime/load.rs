//! A load: the business time of many stores in some hour, and the downtime in it.

use super::interval::{Interval, Micros};
use super::window::Share;

/// Business time of many stores, and its downtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// All business time.
    pub open: Micros,
    /// That of stores of which something is known: those with a counted poll.
    pub business: Micros,
    /// Its downtime.
    pub downtime: Micros,
}

impl Load {
    /// The share of known business time that was downtime; none where nothing is known.
    pub fn share(&self) -> Option<Share> {
        Share::new(self.downtime, self.business)
    }

    /// Adds `other` to it.
    pub fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.business += other.business;
        self.downtime += other.downtime;
    }
}

/// Adds a piece to consecutive loads of the length `step`, the first of which begins at `start`.
pub(super) fn cut(loads: &mut [Load], start: Micros, step: Micros, piece: Interval, add: &impl Fn(&mut Load, Micros)) {
    let mut rest = piece;
    while !rest.is_empty() {
        let number = (rest.start - start) / step;
        let end = rest.end.min(start + (number + 1) * step);
        let load = usize::try_from(number).ok();
        if let Some(load) = load.and_then(|number| loads.get_mut(number)) {
            add(load, end - rest.start);
        }
        rest.start = end;
    }
}
