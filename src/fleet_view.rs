//! The fleet view: an overview with names and owners, kept while it is current.
//!
//! A view belongs to one generation of the database, one instant and one rule. All clients share one walk over
//! the stores.

pub mod heat;
pub mod incidents;
pub mod months;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use heat::{Past, Pasts};
use incidents::{FleetIncident, Incidents, Source, by_owner};
use months::{KeptMonths, Months};
use rusqlite::Connection;

use crate::access::Audience;
use crate::db::fleet::{self, Label};
use crate::db::generation::{self, Generation};
use crate::db::{self, polls};
use crate::error::{Error, Result, nearest};
use crate::hot_window::{HotWindow, Inputs};
use crate::parallel::{self, threads};
use crate::uptime::certainty::Certainty;
use crate::uptime::fleet::{BusinessTime, Fleet, Store, StoreKey};
use crate::uptime::interval::{DAY, Intervals, Micros};
use crate::uptime::lost_sales::LostSales;
use crate::uptime::outage;
use crate::uptime::overview::Overview;
use crate::uptime::report::Question;
use crate::uptime::store_summary::{StoreSummary, VOUCHED_FROM};
use crate::uptime::target::MonthLeft;
use crate::uptime::window::{Coverage, Share, Window, WindowTotal, reach};

/// How many views of an audience are kept: one for each rule at one instant.
const VIEWS_MAX: usize = 2;

/// How many views of audiences other than all stores are kept together.
const AUDIENCE_VIEWS_MAX: usize = 16;

/// How long a view of another instant than the newest is kept after its last use.
const PAST_VIEW_KEPT: Duration = Duration::from_secs(10);

/// How many owners an error names.
const OWNERS_NAMED_MAX: usize = 3;

/// The distance to the week before.
const WEEK: Micros = 7 * DAY;

/// One store's week.
#[derive(Clone, Copy, Debug)]
pub struct Week {
    /// Uptime and downtime.
    pub total: WindowTotal,
    /// How much of it was seen.
    pub coverage: Option<Coverage>,
    /// How sure its downtime is.
    pub certainty: Option<Certainty>,
}

impl Week {
    /// The week of a summary.
    pub fn of(summary: &StoreSummary) -> Self {
        Self {
            total: summary.totals[Window::Week],
            coverage: summary.coverage,
            certainty: summary.certainty,
        }
    }

    /// What its downtime cost a store that sells `rate` hundredths an hour; none if that or the downtime is unknown.
    pub fn lost(&self, rate: Option<i64>) -> Option<LostSales> {
        LostSales::known(rate, self.total.known(), self.certainty)
    }
}

/// The business time of some stores in a week, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many stores are in the sum.
    pub stores: usize,
    /// Business time online.
    pub uptime: Micros,
    /// Business time offline.
    pub downtime: Micros,
    /// Business time near a counted poll.
    pub seen: Micros,
    /// All business time, also of stores without a counted poll.
    pub business: Micros,
    /// How sure the downtime is, of stores of which something is known.
    pub certainty: Certainty,
    /// What the downtime cost, of stores whose sales are known; none without such a store.
    pub lost: Option<LostSales>,
}

impl Sum {
    fn add(&mut self, week: &Week, label: &Label) {
        let (uptime, downtime) = week.total.known().unwrap_or_default();
        self.stores += 1;
        self.uptime += uptime;
        self.downtime += downtime;
        self.seen += week.coverage.map_or(0, |coverage| coverage.seen);
        self.business += week.total.business();
        self.certainty += week.certainty.unwrap_or_default();
        if let Some(lost) = week.lost(label.sales_per_hour) {
            *self.lost.get_or_insert_default() += lost;
        }
    }

    /// The online share of known business time.
    pub fn online(&self) -> Option<Share> {
        Share::new(self.uptime, self.uptime + self.downtime)
    }

    /// Uptime and downtime; none if there is business time, but nothing is known of it.
    pub fn known(&self) -> Option<(Micros, Micros)> {
        let is_known = self.business == 0 || self.uptime + self.downtime > 0;
        is_known.then_some((self.uptime, self.downtime))
    }

    /// Whether half of the business time was seen, so that its numbers are sure.
    pub fn is_vouched(&self) -> bool {
        let seen = self.coverage().map_or(0, |seen| seen.hundredths);
        self.business == 0 || seen >= VOUCHED_FROM
    }

    /// The share of business time near a counted poll.
    pub fn coverage(&self) -> Option<Share> {
        Share::new(self.seen, self.business)
    }
}

/// The fleet at one instant, by one rule, as it is for an audience.
#[derive(Debug)]
pub struct FleetView {
    generation: Generation,
    audience: Audience,
    /// The inputs of all stores, from which what does not depend on other stores is made.
    whole: Inputs,
    /// The instant and the rule.
    pub question: Question,
    /// The inputs that it was computed from.
    pub inputs: Inputs,
    /// Every store's name and owner, in the order of the fleet; empty if no input has any.
    pub labels: Vec<Label>,
    /// Every store's summary, in the same order.
    pub overview: Overview,
    /// Each store's week before this one, in the same order.
    pub before: Vec<Week>,
    /// The poller's outages.
    pub outages: Intervals,
    /// The incidents, made when a client first asks for them.
    incidents: OnceLock<Incidents>,
    /// When a client last asked for it.
    used_at: Mutex<Instant>,
    /// The months, made in the same way.
    left: Mutex<Option<MonthsLeft>>,
}

/// The month of each store with a target, in the order of the fleet.
pub type MonthsLeft = Arc<Vec<Option<MonthLeft>>>;

/// A section of a fleet: the stores of one owner, or all.
#[derive(Debug)]
pub struct FleetPart {
    /// Their places in the fleet, in order.
    pub places: Vec<usize>,
    /// This week.
    pub week: Sum,
    /// The week before.
    pub before: Sum,
}

impl FleetView {
    fn new(db: &mut Connection, hot: &HotWindow, question: Question, audience: &Audience) -> Result<Self> {
        let generation = generation::current(db)?;
        let whole = hot.inputs(db, question.as_of)?;
        let inputs = hot.inputs_of(db, question.as_of, audience)?;
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
            let unknown = Week {
                total: WindowTotal::Closed,
                coverage: None,
                certainty: None,
            };
            vec![unknown; stores.len()]
        } else {
            let span = BusinessTime::span_for(earlier.as_of);
            let business = BusinessTime::new(&inputs.fleet, span);
            let fleet = &inputs.fleet;
            let overview = Overview::new(fleet, &business, &earlier_polls, earlier, threads());
            overview.summaries.iter().map(Week::of).collect()
        };
        let label = |store: &Store| names.remove(&store.key).unwrap_or_default();
        Ok(Self {
            generation,
            audience: audience.clone(),
            whole,
            question,
            labels: stores.iter().map(label).collect(),
            overview: overview_of(&inputs, &inputs.fleet, question),
            before,
            incidents: OnceLock::new(),
            left: Mutex::default(),
            used_at: Mutex::new(Instant::now()),
            outages: outages(&inputs, question.as_of),
            inputs,
        })
    }

    /// Whether a client asked for it a moment ago.
    fn is_recent(&self) -> bool {
        let used_at = self.used_at.lock().unwrap_or_else(PoisonError::into_inner);
        used_at.elapsed() < PAST_VIEW_KEPT
    }

    /// A store by its place in the fleet.
    pub fn store(&self, place: usize) -> &Store {
        &self.inputs.fleet.stores()[place]
    }

    /// A store's display name: its name, or else its id.
    pub fn name(&self, place: usize) -> &str {
        match self.labels[place].name.as_str() {
            "" => &self.store(place).id,
            name => name,
        }
    }

    /// What a store's downtime in the week cost; none if its sales or its downtime are unknown.
    pub fn lost(&self, place: usize) -> Option<LostSales> {
        Week::of(&self.overview.summaries[place]).lost(self.labels[place].sales_per_hour)
    }

    /// What an incident cost; none if the store's sales are unknown.
    pub fn lost_in(&self, one: &FleetIncident) -> Option<LostSales> {
        let rate = self.labels[one.place].sales_per_hour?;
        Some(LostSales::new(rate, one.incident.downtime, one.incident.certainty))
    }

    /// Every incident of the week.
    pub fn incidents(&self) -> &Incidents {
        self.incidents.get_or_init(|| {
            Incidents::new(&Source {
                inputs: &self.inputs,
                question: self.question,
                labels: &self.labels,
                overview: &self.overview,
                outages: &self.outages,
            })
        })
    }

    /// Whether a store's name, owner and id have all of these words, which are in lower case.
    pub fn has_words(&self, place: usize, words: &[&str]) -> bool {
        let label = &self.labels[place];
        words.is_empty() || {
            let told = format!("{}\n{}\n{}", label.name, label.group, self.store(place).id).to_lowercase();
            words.iter().all(|word| told.contains(word))
        }
    }

    /// The stores of the owner `group`, or all.
    ///
    /// # Errors
    /// When there is no such owner.
    pub fn part(&self, group: Option<&str>) -> Result<FleetPart> {
        self.knows(group)?;
        let belongs = |place: &usize| group.is_none_or(|group| self.labels[*place].group == group);
        Ok(self.sum((0..self.labels.len()).filter(belongs).collect()))
    }

    /// Whether the owner `group` has a store.
    ///
    /// # Errors
    /// When it has none; the message has the nearest owners.
    pub fn knows(&self, group: Option<&str>) -> Result<()> {
        let Some(group) = group else { return Ok(()) };
        if self.labels.iter().any(|label| label.group == group) {
            return Ok(());
        }
        let owners = self.labels.iter().map(|label| label.group.as_str());
        let owners = nearest(group, owners.filter(|owner| !owner.is_empty()), OWNERS_NAMED_MAX);
        let remedy = match owners.as_slice() {
            [] => "no store has an owner".to_owned(),
            owners => format!("the nearest: `{}`", owners.join("`, `")),
        };
        let group = group.escape_debug();
        Err(Error::not_found(format!("there is no owner `{group}` ({remedy})")))
    }

    fn sum(&self, places: Vec<usize>) -> FleetPart {
        let (mut week, mut before) = (Sum::default(), Sum::default());
        for &place in &places {
            let label = &self.labels[place];
            week.add(&Week::of(&self.overview.summaries[place]), label);
            before.add(&self.before[place], label);
        }
        FleetPart { places, week, before }
    }

    /// The owners' names, sorted.
    pub fn owner_names(&self) -> Vec<&str> {
        let names = self.labels.iter().map(|label| &*label.group);
        let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
        names.into_iter().collect()
    }

    /// The stores of each owner, by name; stores without an owner are left out.
    pub fn owners(&self) -> Vec<(&str, FleetPart)> {
        let owners = by_owner(&self.labels).into_iter();
        owners.map(|(owner, places)| (owner, self.sum(places))).collect()
    }

    /// When in the week the owner's stores had their downtime.
    pub fn overview_of(&self, group: &str) -> Overview {
        let mut labels = self.labels.iter();
        // The fleet's stores come in the order of the labels.
        let belongs = |_: &&Store| labels.next().is_some_and(|label| label.group == group);
        overview_of(&self.inputs, &self.inputs.fleet.only(belongs), self.question)
    }
}

/// The poller's outages in the eight days before `as_of`.
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
    pasts: Pasts,
    months: KeptMonths,
}

impl FleetViews {
    /// The weeks before that of `view`, for its heat map.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn past(&self, db: &mut Connection, view: &FleetView) -> Result<Arc<Past>> {
        self.pasts.past(db, view)
    }

    /// The month of each store with a target, in the order of the fleet; `target`, which is always the same, is that of
    /// stores without their own.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn left(&self, db: &mut Connection, view: &FleetView, target: Option<i64>) -> Result<MonthsLeft> {
        let mut kept = view.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = &*kept {
            return Ok(Arc::clone(left));
        }
        let targets: Vec<Option<i64>> = view.labels.iter().map(|label| label.target.or(target)).collect();
        let left = if targets.iter().all(Option::is_none) {
            targets.iter().map(|_| None).collect()
        } else {
            let months = self.months_of(db, view.generation, &view.whole, view.question, target)?;
            let stores = view.inputs.fleet.stores().iter().zip(targets);
            let share = view.labels.len().div_ceil(threads()).max(1);
            let stores: Vec<_> = stores.collect();
            let parts = parallel::map(threads(), stores.chunks(share), |part: &[(&Store, Option<i64>)]| {
                let left = |&(store, target): &(&Store, Option<i64>)| {
                    Some(months.left(&view.inputs, store, view.question, target?))
                };
                part.iter().map(left).collect::<Vec<_>>()
            });
            parts.into_iter().flatten().collect()
        };
        Ok(Arc::clone(kept.insert(Arc::new(left))))
    }

    /// The past of the months of stores with a target; `inputs` are those of all stores.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn months(
        &self,
        db: &mut Connection,
        inputs: &Inputs,
        question: Question,
        target: Option<i64>,
    ) -> Result<Arc<Months>> {
        let generation = generation::current(db)?;
        self.months_of(db, generation, inputs, question, target)
    }

    fn months_of(
        &self,
        db: &mut Connection,
        generation: Generation,
        inputs: &Inputs,
        question: Question,
        target: Option<i64>,
    ) -> Result<Arc<Months>> {
        let all = target.is_some();
        self.months.months(db, generation, inputs, question, all)
    }

    /// Drops views that are no longer current, and those of other instants that nobody asked for of late: each keeps
    /// the polls of its time in memory. Returns whether there was any.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn forget_outdated(&self, db: &Connection) -> Result<bool> {
        let generation = generation::current(db)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.len();
        kept.retain(|view| view.generation == generation && (view.inputs.is_of_window || view.is_recent()));
        Ok(kept.len() < before)
    }

    /// The fleet of an audience at `question`, as the database has it: a kept view, or a new one, for which concurrent
    /// callers wait.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn view(
        &self,
        db: &mut Connection,
        hot: &HotWindow,
        question: Question,
        audience: &Audience,
    ) -> Result<Arc<FleetView>> {
        let generation = generation::current(db)?;
        // A panic while one view is made leaves the others unchanged.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |view: &&Arc<FleetView>| {
            view.generation == generation && view.question == question && view.audience == *audience
        };
        if let Some(view) = kept.iter().find(same) {
            *view.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            return Ok(Arc::clone(view));
        }
        // Outdated views are dropped first: the new view can use their memory.
        kept.retain(|view| view.generation == generation);
        let (mut own, mut others) = (0, 0);
        kept.retain(|view| {
            own += usize::from(view.audience == *audience);
            others += usize::from(!view.audience.is_all());
            (view.audience != *audience || own < VIEWS_MAX) && (view.audience.is_all() || others < AUDIENCE_VIEWS_MAX)
        });
        let view = Arc::new(FleetView::new(db, hot, question, audience)?);
        kept.insert(0, Arc::clone(&view));
        Ok(view)
    }
}
