//! The fleet view: an overview with names and owners, kept as long as it is true.
//!
//! A view is good for one generation of the database, one instant and one rule. Thousands of stores are
//! walked once for all clients that look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::db::fleet::{self, Label};
use crate::db::generation::{self, Generation};
use crate::db::{self, polls};
use crate::error::Result;
use crate::hot_window::{HotWindow, Inputs};
use crate::parallel::threads;
use crate::uptime::fleet::{BusinessTime, Fleet, Store, StoreKey};
use crate::uptime::interval::{DAY, Intervals, Micros};
use crate::uptime::outage;
use crate::uptime::overview::Overview;
use crate::uptime::report::Question;
use crate::uptime::window::{Coverage, Share, Window, WindowTotal, reach};

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
    /// Business time near a counted poll.
    pub seen: Micros,
    /// All business time, also of stores of which nothing is known.
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

    /// The share of business time near a counted poll.
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
    /// The inputs that it was made of.
    pub inputs: Inputs,
    /// Every store's name and owner, in the order of the fleet's stores; empty where no source has any.
    pub labels: Vec<Label>,
    /// Every store's summary, in the same order.
    pub overview: Overview,
    /// Each store's week before this one, and how much of it was seen, in the same order.
    pub before: Vec<(WindowTotal, Option<Coverage>)>,
    /// When the poller was out.
    pub outages: Intervals,
}

/// A section of a fleet: the stores of one owner, or all.
#[derive(Debug)]
pub struct FleetPart {
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
        let before = if earlier_polls.is_empty() {
            let unknown = (WindowTotal::Closed, None);
            vec![unknown; stores.len()]
        } else {
            let span = BusinessTime::span_for(earlier.as_of);
            let business = BusinessTime::new(&inputs.fleet, span);
            let fleet = &inputs.fleet;
            let overview = Overview::new(fleet, &business, &earlier_polls, earlier, threads());
            let week = overview.summaries.iter();
            week.map(|store| (store.totals[Window::Week], store.coverage)).collect()
        };
        let label = |store: &Store| names.remove(&store.key).unwrap_or_default();
        Ok(Self {
            generation,
            question,
            labels: stores.iter().map(label).collect(),
            overview: overview_of(&inputs, &inputs.fleet, question),
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
    pub fn part(&self, group: Option<&str>) -> FleetPart {
        let belongs = |place: &usize| group.is_none_or(|group| self.labels[*place].group == group);
        self.sum((0..self.labels.len()).filter(belongs).collect())
    }

    fn sum(&self, places: Vec<usize>) -> FleetPart {
        let (mut week, mut before) = (Sum::default(), Sum::default());
        for &place in &places {
            let store = &self.overview.summaries[place];
            week.add(&store.totals[Window::Week], store.coverage);
            let (total, coverage) = &self.before[place];
            before.add(total, *coverage);
        }
        FleetPart { places, week, before }
    }

    /// The stores of each owner, by name; those without one are left out.
    pub fn owners(&self) -> Vec<(&str, FleetPart)> {
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

    /// When in the week the downtime of the owner's stores fell.
    pub fn overview_of(&self, group: &str) -> Overview {
        let mut labels = self.labels.iter();
        // The fleet's stores are passed in its order, which is that of the labels.
        let belongs = |_: &&Store| labels.next().is_some_and(|label| label.group == group);
        overview_of(&self.inputs, &self.inputs.fleet.only(belongs), self.question)
    }
}

/// When the poller was out in the eight days before `as_of`.
pub fn outages(inputs: &Inputs, as_of: Micros) -> Intervals {
    outage::outages(&inputs.fleet, &inputs.business, &inputs.history, as_of)
}

fn overview_of(inputs: &Inputs, fleet: &Fleet, question: Question) -> Overview {
    Overview::new(fleet, &inputs.business, &inputs.history, question, threads())
}

/// The latest views.
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
    pub fn view(&self, db: &mut Connection, hot: &HotWindow, question: Question) -> Result<Arc<FleetView>> {
        let generation = generation::current(db)?;
        // A panic while making one leaves the others as they are.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |view: &&Arc<FleetView>| view.generation == generation && view.question == question;
        if let Some(view) = kept.iter().find(same) {
            return Ok(Arc::clone(view));
        }
        // Outdated views go first: they hold memory that the new one can use.
        kept.retain(|view| view.generation == generation);
        kept.truncate(VIEWS_MAX - 1);
        let view = Arc::new(FleetView::new(db, hot, question)?);
        kept.insert(0, Arc::clone(&view));
        Ok(view)
    }
}
