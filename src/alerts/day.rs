//! A UTC day of a fleet: what rules need beside the polls, the same for every minute of it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::uptime::fleet::{BusinessTime, Fleet, Store, StoreKey};
use crate::uptime::history::History;
use crate::uptime::interval::{DAY, Interval, Micros};
use crate::uptime::rhythm::Rhythm;

/// How far back polls are looked at.
pub const REACH: Micros = 8 * DAY;

/// A day of a fleet.
#[derive(Debug)]
pub struct Day {
    /// Every store.
    pub fleet: Arc<Fleet>,
    /// The owner of each, in the order of the fleet.
    pub owners: Vec<String>,
    /// The business time, from [`REACH`] before the day to a day after it: a store's closing is known before it comes.
    pub business: BusinessTime,
    /// How each is polled.
    pub rhythms: Vec<Rhythm>,
    /// The place of each in the fleet.
    places: HashMap<StoreKey, usize>,
    /// The day.
    pub span: Interval,
}

impl Day {
    /// The UTC day of an instant.
    pub fn span_of(at: Micros) -> Interval {
        let midnight = at.div_euclid(DAY) * DAY;
        Interval::new(midnight, midnight + DAY)
    }

    /// The UTC day of an instant; `history` has the polls of [`REACH`] before it.
    pub fn new(fleet: Arc<Fleet>, owners: Vec<String>, history: &History, at: Micros) -> Self {
        let span = Self::span_of(at);
        let business = BusinessTime::new(&fleet, Interval::new(span.start - REACH, span.end + DAY));
        let (mut polls, mut gaps) = (Vec::new(), Vec::new());
        let before = Interval::new(span.start - REACH, span.start);
        let rhythm = |store: &Store| {
            let polls = history.of(store.key, before, &mut polls);
            Rhythm::of(polls, business.of(store.pattern), &mut gaps)
        };
        let rhythms = fleet.stores().iter().map(rhythm).collect();
        let places = fleet.stores().iter().enumerate();
        Self {
            places: places.map(|(place, store)| (store.key, place)).collect(),
            fleet,
            owners,
            business,
            rhythms,
            span,
        }
    }

    /// The place of a store in the fleet; none if it is not in it.
    pub fn place(&self, store: StoreKey) -> Option<usize> {
        self.places.get(&store).copied()
    }
}
