//! Rows that are taken whole: one bad row refuses all rows of its store in the call.
//!
//! Otherwise a store would be closed, or open, because a row was refused.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{HashMap, HashSet};

use super::input_kind::{Sibling, Siblings, Verdict};
use crate::ingest::problem::{BadRow, Code};
use crate::uptime::interval::{Interval, Micros};

/// Where a row is: the number of its input in the call, and its line.
pub(super) type Place = (u32, u64);

/// The rows of a call, each of type `R`.
pub(super) struct TakenWhole<R> {
    /// For each store its distinct rows, and where each first is.
    pub(super) stores: HashMap<u32, BTreeMap<R, Place>>,
    /// The rows that repeat another one.
    repeats: Vec<(u32, R, Place)>,
    /// The stores with a bad row: the first one's place and code.
    refused: HashMap<u32, (Place, Code)>,
    /// The number of the current input, and its stores.
    pub(super) source: u32,
    pub(super) named: HashSet<u32>,
}

impl<R> Default for TakenWhole<R> {
    fn default() -> Self {
        Self {
            stores: HashMap::new(),
            repeats: Vec::new(),
            refused: HashMap::new(),
            source: 0,
            named: HashSet::new(),
        }
    }
}

impl<R: Ord + Clone> TakenWhole<R> {
    /// Begins the call's input number `source`.
    pub(super) fn begin(&mut self, source: u32) {
        self.source = source;
        self.named.clear();
    }

    /// Adds a row.
    pub(super) fn take(&mut self, store: u32, line: u64, row: R) -> Verdict {
        self.named.insert(store);
        let place = (self.source, line);
        match self.stores.entry(store).or_default().entry(row) {
            Entry::Occupied(known) => {
                self.repeats.push((store, known.key().clone(), place));
                Verdict::Repeat
            }
            Entry::Vacant(first) => {
                first.insert(place);
                Verdict::New
            }
        }
    }

    /// Learns of a bad row.
    pub(super) fn refuse(&mut self, store: Option<u32>, bad: &BadRow) {
        if let Some(store) = store {
            let cause = ((self.source, bad.line), bad.code);
            self.refused.entry(store).or_insert(cause);
        }
    }

    /// The first line of a store's rows.
    pub(super) fn line(&self, store: u32) -> Option<u64> {
        let rows = self.stores.get(&store)?;
        rows.values().map(|&(_, line)| line).min()
    }

    /// The lines of the current input with a row that overlaps others of its store, one a store.
    pub(super) fn overlaps(&self, overlapping: impl Fn(&BTreeMap<R, Place>) -> Option<Place>) -> Vec<u64> {
        let stores = self.named.iter().filter_map(|store| self.stores.get(store));
        let places = stores.filter_map(overlapping);
        let of_input = places.filter(|&(source, _)| source == self.source);
        of_input.map(|(_, line)| line).collect()
    }

    /// Takes out all rows of stores with a bad row. `what` names them, and `texts` gives those of a row by slot.
    pub(super) fn take_refused(&mut self, what: &str, texts: impl Fn(&R) -> Vec<String>) -> Siblings {
        let mut rows = Vec::new();
        let mut sibling = |store: u32, row: &R, (source, line): Place, (place, code): (Place, Code)| {
            let beside = if place.0 == source { "" } else { " of another file" };
            let reason = format!(
                "line {}{beside} has a bad row of this store, and a store's {what} are taken whole (correct that row)",
                place.1
            );
            rows.push(Sibling {
                source,
                bad: BadRow {
                    line,
                    column: None,
                    field: None,
                    code,
                    value: String::new(),
                    reason,
                    raw: Vec::new(),
                    store_id: None,
                },
                store,
                texts: texts(row),
            });
        };
        for (&store, &cause) in &self.refused {
            for (row, place) in self.stores.remove(&store).unwrap_or_default() {
                sibling(store, &row, place, cause);
            }
        }
        let mut repeats = 0;
        self.repeats.retain(|(store, row, place)| {
            let cause = self.refused.get(store);
            if let Some(&cause) = cause {
                repeats += 1;
                sibling(*store, row, *place, cause);
            }
            cause.is_none()
        });
        rows.sort_unstable_by_key(|sibling| (sibling.source, sibling.bad.line));
        Siblings { rows, repeats }
    }
}

/// The place of the first stretch that overlaps another one, if any.
pub(super) fn overlapping(stretches: impl IntoIterator<Item = (Interval, Place)>) -> Option<Place> {
    let mut stretches: Vec<_> = stretches.into_iter().collect();
    stretches.sort_unstable();
    let mut furthest = Micros::MIN;
    let mut overlaps = |&(interval, _): &(Interval, Place)| {
        let overlaps = interval.start < furthest;
        furthest = furthest.max(interval.end);
        overlaps
    };
    let overlapping = stretches.into_iter().filter(|stretch| overlaps(stretch));
    overlapping.map(|(_, place)| place).min()
}
