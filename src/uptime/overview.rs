//! The overview of a fleet: every store's [`StoreSummary`], and when in the week their downtime fell.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::business_hours::ZoneTable;
use super::fleet::{BusinessTime, Fleet, PatternIndex, Store};
use super::history::History;
use super::interval::{HOUR, Interval, Micros};
use super::pass::WindowMarks;
use super::report::Question;
use super::store_summary::StoreSummary;
use super::window::{Window, WindowTotal, reach};
use crate::parallel;

/// The number of hours in a week.
pub const WEEK_HOURS: usize = 168;

/// Business time of many stores, and its downtime. Stores without a counted poll are left
/// out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// All business time.
    pub business: Micros,
    /// Its downtime.
    pub downtime: Micros,
}

/// A fleet, or a part of one, at one instant.
#[derive(Debug)]
pub struct Overview {
    /// Each store's summary, in the order of the fleet.
    pub summaries: Vec<StoreSummary>,
    /// Each hour of the week before the instant, the oldest first.
    pub hours: Vec<Load>,
    /// Each weekday (0 = Monday) and hour by each store's own clock, over the same week.
    pub cells: Vec<[Load; 24]>,
}

/// The sums of some of the stores.
struct PartialSums {
    summaries: Vec<StoreSummary>,
    hours: Vec<Load>,
    cells: Vec<[Load; 24]>,
    /// For each pattern, how many of its stores have a counted poll in the week.
    known: Vec<Micros>,
}

impl Overview {
    /// The overview of `fleet`, computed on `threads` threads.
    ///
    /// `business` must span [`BusinessTime::span_for`] the question's `as_of`, and `history` must hold
    /// every poll within [`reach`] of it.
    pub fn new(fleet: &Fleet, business: &BusinessTime, history: &History, question: Question, threads: usize) -> Self {
        let week = Window::Week.before(question.as_of);
        let mut zones: HashMap<Tz, ZoneTable> = HashMap::new();
        for pattern in fleet.patterns() {
            zones
                .entry(pattern.zone)
                .or_insert_with(|| ZoneTable::new(pattern.zone, week));
        }
        let zone = |pattern: PatternIndex| zones.get(&fleet.patterns()[pattern].zone);
        let sums = |stores: &[Store]| {
            let mut sums = PartialSums::new(fleet.patterns().len());
            let (mut scratch, mut counted) = (Vec::new(), Vec::new());
            for store in stores {
                let polls = history.of(store.key, reach(question.as_of), &mut scratch);
                let open = business.of(store.pattern);
                let marks = WindowMarks::new(open, question.as_of);
                let zone = zone(store.pattern);
                let (hours, cells) = (&mut sums.hours, &mut sums.cells);
                let counted = &mut counted;
                let summary = StoreSummary::new(polls, open, &marks, question, counted, |piece| {
                    spread(hours, cells, week, zone, piece, |load, length| {
                        load.downtime += length;
                    });
                });
                if matches!(summary.totals[Window::Week], WindowTotal::Known { .. }) {
                    sums.known[store.pattern] += 1;
                }
                sums.summaries.push(summary);
            }
            sums
        };
        let stores = fleet.stores();
        let share = stores.len().div_ceil(threads.max(1)).max(1);
        let mut whole = PartialSums::new(fleet.patterns().len());
        for sums in parallel::map(threads, stores.chunks(share), sums) {
            whole.add(sums);
        }
        // Stores of one pattern have the same business time, so they are counted together.
        for (pattern, &stores) in whole.known.iter().enumerate() {
            if stores == 0 {
                continue;
            }
            let open = business.of(pattern).intervals().clip(week);
            for &piece in open.as_slice() {
                let (hours, cells) = (&mut whole.hours, &mut whole.cells);
                spread(hours, cells, week, zone(pattern), piece, |load, length| {
                    load.business += stores * length;
                });
            }
        }
        Self {
            summaries: whole.summaries,
            hours: whole.hours,
            cells: whole.cells,
        }
    }
}

impl PartialSums {
    fn new(patterns: usize) -> Self {
        Self {
            summaries: Vec::new(),
            hours: vec![Load::default(); WEEK_HOURS],
            cells: vec![[Load::default(); 24]; 7],
            known: vec![0; patterns],
        }
    }

    fn add(&mut self, other: Self) {
        self.summaries.extend(other.summaries);
        let cells = self.cells.iter_mut().flatten();
        let loads = self.hours.iter_mut().chain(cells);
        let others = other.hours.iter().chain(other.cells.iter().flatten());
        for (load, other) in loads.zip(others) {
            load.business += other.business;
            load.downtime += other.downtime;
        }
        for (known, other) in self.known.iter_mut().zip(&other.known) {
            *known += other;
        }
    }
}

/// Adds a piece of the week to its hours and cells.
fn spread(
    hours: &mut [Load],
    cells: &mut [[Load; 24]],
    week: Interval,
    zone: Option<&ZoneTable>,
    piece: Interval,
    add: impl Fn(&mut Load, Micros),
) {
    let mut rest = piece;
    while !rest.is_empty() {
        let number = (rest.start - week.start) / HOUR;
        let end = rest.end.min(week.start + (number + 1) * HOUR);
        let hour = usize::try_from(number).ok();
        if let Some(load) = hour.and_then(|hour| hours.get_mut(hour)) {
            add(load, end - rest.start);
        }
        rest.start = end;
    }
    if let Some(zone) = zone {
        zone.by_hour(piece, |weekday, hour, length| {
            if let Some(load) = cells.get_mut(weekday).and_then(|day| day.get_mut(hour)) {
                add(load, length);
            }
        });
    }
}
