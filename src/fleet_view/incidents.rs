//! The incidents of a fleet, newest first, and the causes that they share.
//!
//! A cause is an event of the whole fleet, or of one owner's stores. An incident belongs to it if at least half of its
//! stretch lies within the event.

use std::collections::{BTreeMap, HashMap};

use crate::db::fleet::Label;
use crate::hot_window::Inputs;
use crate::parallel::{self, threads};
use crate::uptime::brief_incident::{BriefIncident, Scratch, brief_incidents};
use crate::uptime::fleet_event::{FleetEvent, STORES_MIN, Steps};
use crate::uptime::interval::{Intervals, Micros};
use crate::uptime::overview::Overview;
use crate::uptime::report::Question;
use crate::uptime::window::{Window, WindowTotal, reach};

/// An event of one owner's stores has at least this share of them offline at once, in hundredths of a per cent: of a
/// dozen stores, three are often offline together by chance.
const OWNER_FROM: Micros = 5_000;

/// An incident of one store.
#[derive(Clone, Copy, Debug)]
pub struct FleetIncident {
    /// The store's place in the fleet.
    pub place: usize,
    /// The incident.
    pub incident: BriefIncident,
    /// The cause that it shares with others.
    pub cause: Option<usize>,
}

/// A cause that the incidents of several stores share.
#[derive(Clone, Debug)]
pub struct Cause {
    /// When most stores were offline at once.
    pub event: FleetEvent,
    /// The owner whose stores they were; none for the whole fleet.
    pub owner: Option<String>,
    /// How many stores have an incident of this cause.
    pub stores: usize,
    /// Their downtime.
    pub downtime: Micros,
}

/// The incidents of a fleet.
#[derive(Debug)]
pub struct Incidents {
    /// Every incident of the week, the newest first.
    pub all: Vec<FleetIncident>,
    /// The causes that they share.
    pub causes: Vec<Cause>,
}

/// The parts of a fleet view from which incidents follow.
pub(super) struct Source<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) question: Question,
    pub(super) labels: &'a [Label],
    pub(super) overview: &'a Overview,
    pub(super) outages: &'a Intervals,
}

/// The places of each owner's stores; stores without an owner are left out.
pub(super) fn by_owner(labels: &[Label]) -> BTreeMap<&str, Vec<usize>> {
    let mut owners: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, label) in labels.iter().enumerate() {
        if !label.group.is_empty() {
            owners.entry(&label.group).or_default().push(place);
        }
    }
    owners
}

impl Incidents {
    pub(super) fn new(source: &Source<'_>) -> Self {
        let mut all = found(source);
        let mut causes = causes(source, &all);
        let mut by: HashMap<Option<&str>, Vec<usize>> = HashMap::new();
        for (number, cause) in causes.iter().enumerate() {
            by.entry(cause.owner.as_deref()).or_default().push(number);
        }
        // Incidents come by store: a store with two of one cause counts once.
        let mut last = vec![None; causes.len()];
        let mut sums = vec![(0, 0); causes.len()];
        for one in &mut all {
            let stretch = one.incident.stretch;
            let fits = |number: &&usize| {
                let inside = causes[**number].event.stretch.intersection(stretch).length();
                2 * inside >= stretch.length()
            };
            // An event of the whole fleet explains more than one of the owner's stores.
            let owners = [None, Some(source.labels[one.place].group.as_str())];
            let near = owners.into_iter().filter_map(|owner| by.get(&owner)).flatten();
            one.cause = near.copied().find(|number| fits(&number));
            if let Some(number) = one.cause {
                sums[number].0 += usize::from(last[number] != Some(one.place));
                sums[number].1 += one.incident.downtime;
                last[number] = Some(one.place);
            }
        }
        for (cause, (stores, downtime)) in causes.iter_mut().zip(sums) {
            (cause.stores, cause.downtime) = (stores, downtime);
        }
        // Stable: at one instant, in the order of the fleet.
        all.sort_by_key(|one| std::cmp::Reverse(one.incident.stretch.start));
        Self { all, causes }
    }
}

/// Every incident, in the order of the fleet.
fn found(source: &Source<'_>) -> Vec<FleetIncident> {
    let (inputs, question) = (source.inputs, source.question);
    let stores = inputs.fleet.stores();
    let share = stores.len().div_ceil(threads()).max(1);
    let parts = stores.chunks(share).enumerate();
    let found = parallel::map(threads(), parts, |(part, stores)| {
        let (mut polls, mut scratch, mut found) = (Vec::new(), Scratch::default(), Vec::new());
        for (number, store) in stores.iter().enumerate() {
            let polls = inputs.history.of(store.key, reach(question.as_of), &mut polls);
            let open = inputs.business.of(store.pattern);
            let incidents = brief_incidents(polls, open, source.outages, question, &mut scratch);
            found.extend(incidents.iter().map(|&incident| FleetIncident {
                place: part * share + number,
                incident,
                cause: None,
            }));
        }
        found
    });
    found.into_iter().flatten().collect()
}

/// The events of the whole fleet, and those of each owner with enough stores.
fn causes(source: &Source<'_>, all: &[FleetIncident]) -> Vec<Cause> {
    let cause = |event: FleetEvent, owner: Option<&str>| Cause {
        event,
        owner: owner.map(str::to_owned),
        stores: 0,
        downtime: 0,
    };
    let fleet = source.overview.events.iter().map(|&event| cause(event, None));
    let mut causes: Vec<Cause> = fleet.collect();
    let week = Window::Week.before(source.question.as_of);
    let own = |place: usize| {
        let from = all.partition_point(|one| one.place < place);
        let incidents = all[from..].iter();
        incidents.take_while(move |one| one.place == place)
    };
    for (owner, places) in by_owner(source.labels) {
        if Micros::try_from(places.len()).is_ok_and(|stores| stores < STORES_MIN) {
            continue;
        }
        let mut steps = Steps::new(week);
        for place in places {
            let store = &source.inputs.fleet.stores()[place];
            let open = source.inputs.business.of(store.pattern).intervals();
            let total = &source.overview.summaries[place].totals[Window::Week];
            if !matches!(total, WindowTotal::Known { .. }) {
                continue;
            }
            for piece in open.within(week) {
                steps.add(piece, &|load, length| load.business += length);
            }
            for one in own(place) {
                for piece in open.within(one.incident.stretch) {
                    steps.add(piece, &|load, length| load.downtime += length);
                }
            }
        }
        let events = steps.events().into_iter();
        let events = events.filter(|event| event.share.hundredths >= OWNER_FROM);
        causes.extend(events.map(|event| cause(event, Some(owner))));
    }
    causes
}
