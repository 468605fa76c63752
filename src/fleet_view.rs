//! The fleet as people look at it: an overview with names and owners, kept as long as it is true.
//!
//! It must never know HTTP or how anything is drawn. What is kept is good for one generation of the
//! database, one instant and one rule; thousands of stores are walked once for all who look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::Connection;

use crate::db::fleet::{self, Label};
use crate::db::generation::{self, Generation};
use crate::db::{self, polls};
use crate::error::Result;
use crate::hot_window::{HotWindow, Inputs};
use crate::uptime::fleet::{BusinessTime, Store, StoreKey};
use crate::uptime::interval::{DAY, Intervals, Micros};
use crate::uptime::outage;
use crate::uptime::overview::Overview;
use crate::uptime::report::Question;
use crate::uptime::timeline::reach;
use crate::uptime::window::{Coverage, Share, WindowTotal};

/// How many views are kept: both rules at one instant.
const VIEWS_MAX: usize = 2;

/// How far back the week before lies.
const WEEK: Micros = 7 * DAY;

/// Business time of some stores in a week, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many stores there are.
    pub stores: usize,
    /// Business time online.
    pub uptime: Micros,
    /// Business time offline.
    pub downtime: Micros,
    /// Business time that somebody saw.
    pub seen: Micros,
    /// Business time, of stores of which nothing is known, too.
    pub business: Micros,
}

impl Sum {
    fn add(&mut self, total: &WindowTotal, coverage: Option<Coverage>) {
        let (uptime, downtime) = total.known().unwrap_or_default();
        self.stores += 1;
        self.uptime += uptime;
        self.downtime += downtime;
        self.seen += coverage.map_or(0, |coverage| coverage.seen);
        self.business += total.business();
    }

    /// The share of known business time online.
    pub fn online(&self) -> Option<Share> {
        Share::new(self.uptime, self.uptime + self.downtime)
    }

    /// The share of business time that somebody saw.
    pub fn coverage(&self) -> Option<Share> {
        Share::new(self.seen, self.business)
    }
}

/// The fleet at one instant by one rule.
#[derive(Debug)]
pub struct FleetView {
    generation: Generation,
    /// The instant and the rule.
    pub question: Question,
    /// What it was made of.
    pub inputs: Inputs,
    /// Every store's name and owner, in the order of the fleet's stores; empty where no source has any.
    pub labels: Vec<Label>,
    /// Every store at a glance, in the same order.
    pub overview: Overview,
    /// Each store's week before this one, and how much of it was seen, in the same order.
    pub before: Vec<(WindowTotal, Option<Coverage>)>,
    /// When the poller was out.
    pub outages: Intervals,
}

/// A part of a fleet: the stores of one owner, or all.
#[derive(Debug)]
pub struct Part {
    /// Their places in the fleet, in its order.
    pub places: Vec<usize>,
    /// This week.
    pub week: Sum,
    /// The week before.
    pub before: Sum,
}

impl FleetView {
    fn new(db: &mut Connection, hot: &HotWindow, question: Question) -> Result<Self> {
        let generation = generation::current(db)?;
        let inputs = hot.inputs(db, question.as_of)?;
        let mut names: HashMap<StoreKey, Label> = fleet::labels(db)?;
        let earlier = Question {
            as_of: question.as_of - WEEK,
            ..question
        };
        let earlier_polls = {
            let view = db::read(db)?;
            polls::history(&view, reach(earlier.as_of), threads())?
        };
        let stores = inputs.fleet.stores();
        let all: Vec<&Store> = stores.iter().collect();
        let before = if earlier_polls.is_empty() {
            let unknown = (WindowTotal::Closed, None);
            vec![unknown; stores.len()]
        } else {
            let span = BusinessTime::span_for(earlier.as_of);
            let business = BusinessTime::new(&inputs.fleet, span);
            let fleet = &inputs.fleet;
            let overview =
                Overview::new(fleet, &all, &business, &earlier_polls, earlier, threads());
            let week = overview.glances.iter();
            week.map(|glance| (glance.totals[2], glance.coverage))
                .collect()
        };
        let label = |store: &Store| names.remove(&store.key).unwrap_or_default();
        Ok(Self {
            generation,
            question,
            labels: stores.iter().map(label).collect(),
            overview: overview_of(&inputs, &all, question),
            before,
            outages: outages(&inputs, question.as_of),
            inputs,
        })
    }

    /// A store by its place in the fleet.
    pub fn store(&self, place: usize) -> &Store {
        &self.inputs.fleet.stores()[place]
    }

    /// What people call a store: its name, or its id where it has none.
    pub fn name(&self, place: usize) -> &str {
        match self.labels[place].name.as_str() {
            "" => &self.store(place).id,
            name => name,
        }
    }

    /// The stores of the owner `group`, or all.
    pub fn part(&self, group: Option<&str>) -> Part {
        let belongs = |place: &usize| group.is_none_or(|group| self.labels[*place].group == group);
        self.sum((0..self.labels.len()).filter(belongs).collect())
    }

    fn sum(&self, places: Vec<usize>) -> Part {
        let (mut week, mut before) = (Sum::default(), Sum::default());
        for &place in &places {
            let glance = &self.overview.glances[place];
            week.add(&glance.totals[2], glance.coverage);
            let (total, coverage) = &self.before[place];
            before.add(total, *coverage);
        }
        Part {
            places,
            week,
            before,
        }
    }

    /// The stores of each owner, by name; those without one are left out.
    pub fn owners(&self) -> Vec<(&str, Part)> {
        let mut owners: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, label) in self.labels.iter().enumerate() {
            if !label.group.is_empty() {
                owners.entry(&label.group).or_default().push(place);
            }
        }
        let mut owners: Vec<_> = owners
            .into_iter()
            .map(|(owner, places)| (owner, self.sum(places)))
            .collect();
        owners.sort_unstable_by_key(|&(owner, _)| owner);
        owners
    }

    /// When in the week the downtime of these stores fell.
    pub fn overview_of(&self, places: &[usize]) -> Overview {
        let stores: Vec<&Store> = places.iter().map(|&place| self.store(place)).collect();
        overview_of(&self.inputs, &stores, self.question)
    }
}

/// When the poller was out in the eight days before `as_of`.
pub fn outages(inputs: &Inputs, as_of: Micros) -> Intervals {
    outage::outages(&inputs.fleet, &inputs.business, &inputs.history, as_of)
}

fn overview_of(inputs: &Inputs, stores: &[&Store], question: Question) -> Overview {
    Overview::new(
        &inputs.fleet,
        stores,
        &inputs.business,
        &inputs.history,
        question,
        threads(),
    )
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The views that were looked at lately.
#[derive(Debug, Default)]
pub struct FleetViews {
    kept: Mutex<Vec<Arc<FleetView>>>,
}

impl FleetViews {
    /// The fleet at `question`, as the database has it: one that is kept, or a new one that others wait
    /// for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn view(
        &self,
        db: &mut Connection,
        hot: &HotWindow,
        question: Question,
    ) -> Result<Arc<FleetView>> {
        let generation = generation::current(db)?;
        // A panic while making one leaves the others as they are.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |view: &&Arc<FleetView>| {
            view.generation == generation
                && view.question.as_of == question.as_of
                && view.question.rule == question.rule
        };
        if let Some(view) = kept.iter().find(same) {
            return Ok(Arc::clone(view));
        }
        // What is out of date goes first: it holds memory that the new one can use.
        kept.retain(|view| view.generation == generation);
        kept.truncate(VIEWS_MAX - 1);
        let view = Arc::new(FleetView::new(db, hot, question)?);
        kept.insert(0, Arc::clone(&view));
        Ok(view)
    }
}
