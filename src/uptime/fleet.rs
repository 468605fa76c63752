//! The fleet: every store of the report, and the patterns of zone and hours that stores share.
//!
//! A restricted fleet ([`Fleet::only`]) shares the patterns and keys of the whole, so both share business time
//! and flips.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono_tz::Tz;
use foldhash::fast::RandomState;

use super::business_hours::{Pattern, ZoneTable};
use super::interval::{DAY, HOUR, Interval, Micros};
use super::open_time::OpenTime;
use super::window::REACH;

/// A store's small integer key, which its polls carry in place of its id.
pub type StoreKey = u32;

/// The index of a [`Pattern`] in a fleet.
pub type PatternIndex = usize;

/// One store, as the report needs it.
#[derive(Clone, Debug)]
pub struct Store {
    /// The key that its polls carry.
    pub key: StoreKey,
    /// Its id, opaque text.
    pub id: Box<str>,
    /// Its zone and hours.
    pub pattern: PatternIndex,
}

/// Every store, sorted by id as bytes, and the patterns they share.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    stores: Vec<Store>,
    patterns: Arc<[Pattern]>,
    /// Every store's key and pattern, sorted; a restricted fleet has those of the whole.
    keys: Arc<[(StoreKey, PatternIndex)]>,
}

impl Fleet {
    /// A fleet of these stores, given as key, id and pattern, in any order.
    pub fn new(stores: impl IntoIterator<Item = (StoreKey, Box<str>, Pattern)>) -> Self {
        let mut index: HashMap<Pattern, PatternIndex, RandomState> = HashMap::default();
        let mut patterns = Vec::new();
        let mut place = |pattern: Pattern| {
            *index.entry(pattern).or_insert_with_key(|pattern| {
                patterns.push(pattern.clone());
                patterns.len() - 1
            })
        };
        let stores = stores.into_iter();
        let stores: Vec<_> = stores.map(|(key, id, pattern)| (key, id, place(pattern))).collect();
        Self::of_patterns(patterns, stores)
    }

    /// A fleet of these distinct patterns and these stores, given as key, id and index of the pattern, in any
    /// order.
    pub fn of_patterns(
        patterns: Vec<Pattern>,
        stores: impl IntoIterator<Item = (StoreKey, Box<str>, PatternIndex)>,
    ) -> Self {
        let stores = stores.into_iter();
        let mut stores: Vec<_> = stores.map(|(key, id, pattern)| Store { key, id, pattern }).collect();
        stores.sort_unstable_by(|a, b| a.id.as_bytes().cmp(b.id.as_bytes()));
        let mut keys: Vec<_> = stores.iter().map(|store| (store.key, store.pattern)).collect();
        keys.sort_unstable();
        Self {
            stores,
            patterns: patterns.into(),
            keys: keys.into(),
        }
    }

    /// The same fleet, restricted to the stores for which `keep` is true; `keep` is called in their order.
    #[must_use]
    pub fn only(&self, keep: impl FnMut(&&Store) -> bool) -> Self {
        let stores = self.stores.iter().filter(keep);
        Self {
            stores: stores.cloned().collect(),
            patterns: Arc::clone(&self.patterns),
            keys: Arc::clone(&self.keys),
        }
    }

    /// The keys from `first` to `last` of the whole fleet, sorted, with their stores' patterns.
    pub fn with_keys(&self, first: StoreKey, last: StoreKey) -> &[(StoreKey, PatternIndex)] {
        let from = self.keys.partition_point(|&(key, _)| key < first);
        let to = self.keys.partition_point(|&(key, _)| key <= last);
        &self.keys[from..to]
    }

    /// The stores, sorted by id as bytes.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// The zones of the stores by name, each with its number of stores.
    pub fn zones(&self) -> Vec<(Tz, usize)> {
        // Many stores share a pattern, so zones are compared once a pattern.
        let mut stores = vec![0; self.patterns.len()];
        for store in &self.stores {
            stores[store.pattern] += 1;
        }
        let mut counts: BTreeMap<&str, (Tz, usize)> = BTreeMap::new();
        for (pattern, stores) in self.patterns.iter().zip(stores) {
            counts.entry(pattern.zone.name()).or_insert((pattern.zone, 0)).1 += stores;
        }
        counts.retain(|_, (_, stores)| *stores > 0);
        counts.into_values().collect()
    }

    /// The zone of most stores; of those that have as many, the first by name. None without stores.
    pub fn zone_of_most(&self) -> Option<Tz> {
        let zones = self.zones().into_iter().rev();
        zones.max_by_key(|&(_, stores)| stores).map(|(zone, _)| zone)
    }

    /// The distinct patterns; [`Store::pattern`] indexes them.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}

/// The business time of every pattern of a fleet, expanded for all reports of one UTC day.
#[derive(Debug)]
pub struct BusinessTime {
    span: Interval,
    patterns: Vec<OpenTime>,
}

impl BusinessTime {
    /// The span that reports at `as_of` need, widened to whole UTC days so that other reports can share it.
    pub fn span_for(as_of: Micros) -> Interval {
        let midnight = as_of.div_euclid(DAY) * DAY;
        // It ends after the day's end: a poll at `as_of` counts only if business goes on after it.
        Interval::new(midnight - REACH, midnight + DAY + HOUR)
    }

    /// Expands every pattern of `fleet` over `span`.
    pub fn new(fleet: &Fleet, span: Interval) -> Self {
        let mut zones: HashMap<Tz, ZoneTable> = HashMap::new();
        let expand = |pattern: &Pattern| {
            let zone = zones
                .entry(pattern.zone)
                .or_insert_with_key(|&zone| ZoneTable::new(zone, span));
            OpenTime::new(pattern.open(zone, span))
        };
        Self {
            span,
            patterns: fleet.patterns.iter().map(expand).collect(),
        }
    }

    /// The expanded span.
    pub fn span(&self) -> Interval {
        self.span
    }

    /// The business time of one pattern.
    pub fn of(&self, pattern: PatternIndex) -> &OpenTime {
        &self.patterns[pattern]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_sorted_as_bytes_and_share_patterns() {
        let pattern = Pattern::weekly(Tz::UTC, Vec::new());
        let store = |key, id: &str| (key, Box::from(id), pattern.clone());
        let fleet = Fleet::new([store(1, "b"), store(2, "a"), store(3, "Z"), store(4, "é")]);
        let ids: Vec<_> = fleet.stores().iter().map(|store| &*store.id).collect();
        assert_eq!(ids, ["Z", "a", "b", "é"]);
        assert_eq!(fleet.patterns().len(), 1);
    }
}
