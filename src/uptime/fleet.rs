//! The fleet: every store the report has a row for, and the weekly patterns that they share.
//!
//! It must never know polls, nor where its rows were read from.

use std::collections::HashMap;

use chrono_tz::Tz;
use foldhash::fast::RandomState;

use super::business_hours::{Pattern, ZoneTable};
use super::interval::{DAY, HOUR, Interval, Intervals, Micros};
use super::row::{id_bytes, is_quoted};
use super::timeline::REACH;
use super::window::WINDOW_LENGTHS;

/// A store's small integer key: what its polls carry in place of its id.
pub type StoreKey = u32;

/// Names a [`Pattern`] of a fleet.
pub type PatternIndex = usize;

/// One store as the report knows it.
#[derive(Clone, Debug)]
pub struct Store {
    /// What its polls carry.
    pub key: StoreKey,
    /// Its id, opaque text.
    pub id: Box<str>,
    /// Its zone and hours.
    pub pattern: PatternIndex,
    /// Whether CSV must quote the id.
    pub quoted: bool,
}

/// Every store, sorted by id as bytes, and the patterns they share.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    stores: Vec<Store>,
    patterns: Vec<Pattern>,
    /// The places of the stores, by their keys.
    by_key: Vec<u32>,
    /// How much of a report are not its numbers.
    ids_bytes: usize,
}

impl Fleet {
    /// A fleet of these stores, given as key, id and pattern, in any order.
    pub fn new(stores: impl IntoIterator<Item = (StoreKey, Box<str>, Pattern)>) -> Self {
        let mut index: HashMap<Pattern, PatternIndex, RandomState> = HashMap::default();
        let mut patterns = Vec::new();
        let mut place = |mut pattern: Pattern| {
            pattern.rows.sort_unstable();
            pattern.rows.dedup();
            *index.entry(pattern).or_insert_with_key(|pattern| {
                patterns.push(pattern.clone());
                patterns.len() - 1
            })
        };
        let stores = stores.into_iter();
        let stores: Vec<_> = stores
            .map(|(key, id, pattern)| (key, id, place(pattern)))
            .collect();
        Self::of_patterns(patterns, stores)
    }

    /// A fleet of these patterns, each once, and of these stores, given as key, id and the place of their
    /// pattern, in any order.
    pub fn of_patterns(
        patterns: Vec<Pattern>,
        stores: impl IntoIterator<Item = (StoreKey, Box<str>, PatternIndex)>,
    ) -> Self {
        let store = |(key, id, pattern): (StoreKey, Box<str>, PatternIndex)| {
            let quoted = is_quoted(&id);
            Store {
                key,
                id,
                pattern,
                quoted,
            }
        };
        let mut stores: Vec<_> = stores.into_iter().map(store).collect();
        stores.sort_unstable_by(|a, b| a.id.as_bytes().cmp(b.id.as_bytes()));
        // There are no more stores than keys.
        let mut by_key: Vec<u32> = (0..).take(stores.len()).collect();
        by_key.sort_unstable_by_key(|&place| stores[place as usize].key);
        let ids_bytes = stores.iter().map(|store| id_bytes(&store.id, store.quoted));
        Self {
            ids_bytes: ids_bytes.sum(),
            stores,
            patterns,
            by_key,
        }
    }

    /// The stores that have keys from `first` to `last`, by key.
    pub fn with_keys(&self, first: StoreKey, last: StoreKey) -> impl Iterator<Item = &Store> {
        let key = |place: u32| self.stores[place as usize].key;
        let from = self.by_key.partition_point(|&place| key(place) < first);
        let places = self.by_key[from..].iter();
        let stores = places.map(|&place| &self.stores[place as usize]);
        stores.take_while(move |store| store.key <= last)
    }

    /// The stores, sorted by id as bytes.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// How many bytes the lines of all stores have in a report but for the numbers.
    pub fn ids_bytes(&self) -> usize {
        self.ids_bytes
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
    /// The span that reports at `as_of` need, widened to whole UTC days so that others can share it.
    pub fn span_for(as_of: Micros) -> Interval {
        let midnight = as_of.div_euclid(DAY) * DAY;
        // Past the day's end too: a poll at `as_of` itself counts only if business goes on after it.
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

    /// The stretch of time that was expanded.
    pub fn span(&self) -> Interval {
        self.span
    }

    /// The business time of one pattern.
    pub fn of(&self, pattern: PatternIndex) -> &OpenTime {
        &self.patterns[pattern]
    }
}

/// Open intervals with their running total, so that business time between two instants is a
/// subtraction.
#[derive(Debug)]
pub struct OpenTime {
    intervals: Intervals,
    /// Business time before the start of each interval.
    before: Vec<Micros>,
}

impl OpenTime {
    /// Business time from open intervals.
    pub fn new(intervals: Intervals) -> Self {
        let mut total = 0;
        let sum = |interval: &Interval| {
            let before = total;
            total += interval.length();
            before
        };
        let before = intervals.as_slice().iter().map(sum).collect();
        Self { intervals, before }
    }

    /// The intervals themselves.
    pub fn intervals(&self) -> &Intervals {
        &self.intervals
    }

    /// Business time before `at`, since the start of what was expanded.
    pub fn elapsed(&self, at: Micros) -> Micros {
        let open = self.intervals.as_slice();
        let Some(last) = open
            .partition_point(|interval| interval.start < at)
            .checked_sub(1)
        else {
            return 0;
        };
        self.before[last] + (at.min(open[last].end) - open[last].start)
    }

    /// [`elapsed`](Self::elapsed) at an instant that lies before the end of the interval `index`: a
    /// walk back from there, which mostly ends where it begins.
    pub(super) fn elapsed_at_or_before(&self, index: usize, at: Micros) -> Micros {
        let before = self.intervals.as_slice()[..=index].iter().zip(&self.before);
        let last = before.rev().find(|(interval, _)| interval.start < at);
        last.map_or(0, |(interval, before)| {
            before + (at.min(interval.end) - interval.start)
        })
    }

    /// [`elapsed`](Self::elapsed) at the start of each window, and at `as_of`.
    pub fn marks(&self, as_of: Micros) -> WindowMarks {
        WindowMarks {
            starts: WINDOW_LENGTHS.map(|length| self.elapsed(as_of - length)),
            end: self.elapsed(as_of),
        }
    }
}

/// The report's windows in business time: all that a store's totals need to know of `as_of`.
#[derive(Clone, Copy, Debug)]
pub struct WindowMarks {
    /// Business time before each window's start.
    pub starts: [Micros; 3],
    /// Business time before `as_of`.
    pub end: Micros,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_counts_business_time_only() {
        let open = [Interval::new(10, 20), Interval::new(30, 40)]
            .into_iter()
            .collect();
        let open = OpenTime::new(open);
        let at = [0, 10, 15, 20, 25, 30, 35, 40, 99];
        assert_eq!(
            at.map(|at| open.elapsed(at)),
            [0, 0, 5, 10, 10, 10, 15, 20, 20]
        );
    }

    #[test]
    fn stores_are_sorted_as_bytes_and_share_patterns() {
        let pattern = Pattern {
            zone: Tz::UTC,
            rows: Vec::new(),
        };
        let store = |key, id: &str| (key, Box::from(id), pattern.clone());
        let fleet = Fleet::new([store(1, "b"), store(2, "a"), store(3, "Z"), store(4, "é")]);
        let ids: Vec<_> = fleet.stores().iter().map(|store| &*store.id).collect();
        assert_eq!(ids, ["Z", "a", "b", "é"]);
        assert_eq!(fleet.patterns().len(), 1);
    }
}
