//! The overview of a fleet: every store's [`StoreSummary`], and when in the week their downtime fell.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::business_hours::ZoneTable;
use super::fleet::{BusinessTime, Fleet, PatternIndex, Store};
use super::fleet_event::{FleetEvent, Steps};
use super::history::History;
use super::interval::{HOUR, Interval, Micros};
use super::load::{self, Load};
use super::pass::WindowMarks;
use super::report::Question;
use super::store_summary::StoreSummary;
use super::window::{Window, WindowTotal, reach};
use crate::parallel;

/// The number of hours in a week.
pub const WEEK_HOURS: usize = 168;

/// A fleet, or a part of one, at one instant.
#[derive(Debug)]
pub struct Overview {
    /// Each store's summary, in the order of the fleet.
    pub summaries: Vec<StoreSummary>,
    /// Each hour of the week before the instant, the oldest first.
    pub hours: Vec<Load>,
    /// Each weekday (0 = Monday) and hour by each store's own clock, over the same week.
    pub cells: Vec<[Load; 24]>,
    /// When unusually many open stores were offline at once.
    pub events: Vec<FleetEvent>,
}

/// The sums of some of the stores.
struct PartialSums {
    summaries: Vec<StoreSummary>,
    spread: Spread,
    /// For each pattern, how many stores it has, and how many of them have a counted poll in the week.
    stores: Vec<(Micros, Micros)>,
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
            let mut sums = PartialSums::new(fleet.patterns().len(), week);
            let (mut scratch, mut counted) = (Vec::new(), Vec::new());
            for store in stores {
                let polls = history.of(store.key, reach(question.as_of), &mut scratch);
                let open = business.of(store.pattern);
                let marks = WindowMarks::new(open, question.as_of);
                let zone = zone(store.pattern);
                let (spread, counted) = (&mut sums.spread, &mut counted);
                let summary = StoreSummary::new(polls, open, &marks, question, counted, |piece| {
                    spread.each(week, zone, piece, |load, length| load.downtime += length);
                });
                let is_known = matches!(summary.totals[Window::Week], WindowTotal::Known { .. });
                let (all, known) = &mut sums.stores[store.pattern];
                *all += 1;
                *known += Micros::from(is_known);
                sums.summaries.push(summary);
            }
            sums
        };
        let stores = fleet.stores();
        let share = stores.len().div_ceil(threads.max(1)).max(1);
        let mut whole = PartialSums::new(fleet.patterns().len(), week);
        for sums in parallel::map(threads, stores.chunks(share), sums) {
            whole.add(sums);
        }
        // Stores of one pattern have the same business time, so they are counted together.
        for (pattern, &(all, known)) in whole.stores.iter().enumerate() {
            if all == 0 {
                continue;
            }
            let open = business.of(pattern).intervals().clip(week);
            for &piece in open.as_slice() {
                whole.spread.each(week, zone(pattern), piece, |load, length| {
                    load.open += all * length;
                    load.business += known * length;
                });
            }
        }
        Self {
            summaries: whole.summaries,
            events: whole.spread.steps.events(),
            hours: whole.spread.hours,
            cells: whole.spread.cells,
        }
    }
}

impl PartialSums {
    fn new(patterns: usize, week: Interval) -> Self {
        Self {
            summaries: Vec::new(),
            spread: Spread::new(week),
            stores: vec![(0, 0); patterns],
        }
    }

    fn add(&mut self, other: Self) {
        self.summaries.extend(other.summaries);
        for (load, other) in self.spread.loads_mut().zip(other.spread.loads()) {
            load.add(other);
        }
        for ((all, known), other) in self.stores.iter_mut().zip(&other.stores) {
            *all += other.0;
            *known += other.1;
        }
    }
}

/// The loads of a week: by hour, by weekday and hour of the stores' clocks, and by the steps of [`fleet_event`].
struct Spread {
    hours: Vec<Load>,
    cells: Vec<[Load; 24]>,
    steps: Steps,
}

impl Spread {
    fn new(week: Interval) -> Self {
        Self {
            hours: vec![Load::default(); WEEK_HOURS],
            cells: vec![[Load::default(); 24]; 7],
            steps: Steps::new(week),
        }
    }

    fn loads(&self) -> impl Iterator<Item = &Load> {
        let hours = self.hours.iter().chain(&self.steps.loads);
        hours.chain(self.cells.iter().flatten())
    }

    fn loads_mut(&mut self) -> impl Iterator<Item = &mut Load> {
        let hours = self.hours.iter_mut().chain(&mut self.steps.loads);
        hours.chain(self.cells.iter_mut().flatten())
    }

    /// Adds a piece of the week to its loads.
    fn each(&mut self, week: Interval, zone: Option<&ZoneTable>, piece: Interval, add: impl Fn(&mut Load, Micros)) {
        load::cut(&mut self.hours, week.start, HOUR, piece, &add);
        self.steps.add(piece, &add);
        if let Some(zone) = zone {
            let cells = &mut self.cells;
            zone.by_hour(piece, |weekday, hour, length| {
                if let Some(load) = cells.get_mut(weekday).and_then(|day| day.get_mut(hour)) {
                    add(load, length);
                }
            });
        }
    }
}
