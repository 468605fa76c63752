//! The question of a request: an instant, a rule, a store.
//!
//! Pages and JSON both use it, so that they show the same.

use std::ops::RangeInclusive;

use super::app::{App, Clock};
use super::field;
pub use super::field::unknown;
use super::request::Request;
use crate::civil;
use crate::db::fleet::{self, Label};
use crate::db::incident_reasons::{self, Note, Noted};
use crate::db::special_hours::{self, Dates};
use crate::error::{Error, Result};
use crate::fleet_view::heat::{self, Heat};
use crate::fleet_view::{FleetView, outages};
use crate::hot_window::Inputs;
use crate::uptime::business_hours::Pattern;
use crate::uptime::evidence::POLL_EVERY;
use crate::uptime::fleet::Store;
use crate::uptime::freshness::{Freshness, Wanted, usual_gap_of};
use crate::uptime::incident::Incident;
use crate::uptime::interval::{Intervals, Micros};
use crate::uptime::overview::Overview;
use crate::uptime::report::Question;
use crate::uptime::store_status::StoreStatus;
use crate::uptime::target::MonthLeft;
use crate::uptime::timeline::Interpolation;
use crate::uptime::window::reach;

/// The rule in the query, or the default.
///
/// # Errors
/// When the query has an unknown rule.
pub fn rule(request: &Request<'_>) -> Result<Interpolation> {
    match request.field("interpolation")? {
        Some(name) => Interpolation::from_name(name).ok_or_else(|| {
            Error::invalid(format!(
                "unknown interpolation `{}` (expected `nearest` or `previous`)",
                name.escape_debug()
            ))
        }),
        None => Ok(Interpolation::default()),
    }
}

/// The number in a field of the query, or the default.
///
/// # Errors
/// When it is not a number within the range.
pub fn number(request: &Request<'_>, name: &str, range: RangeInclusive<usize>, default: usize) -> Result<usize> {
    let Some(text) = request.field(name)? else {
        return Ok(default);
    };
    field::number(name, text, *range.start(), *range.end())
}

/// The instant in the query, or the machine's on a server that follows its clock; none if the newest poll's is
/// to be used.
///
/// # Errors
/// When the query is malformed.
pub fn as_of(app: &mut App, request: &Request<'_>) -> Result<Option<Micros>> {
    match request.field("as_of")? {
        Some(text) => civil::parse_query_instant(text).map(Some),
        None => app.as_of(),
    }
}

/// The instant that the query or the server's clock wants, and whether numbers of it are of now.
///
/// # Errors
/// When the query is malformed or the database cannot be read.
pub fn freshness(app: &mut App, request: &Request<'_>) -> Result<Freshness> {
    let newest = app.newest_poll()?;
    let time = app.time_beside(newest);
    let is_doubted = time.doubt.is_some();
    let wanted = match (request.field("as_of")?, app.site.clock) {
        (Some(text), _) => Wanted::At(civil::parse_query_instant(text)?),
        (None, Clock::System) if !is_doubted => Wanted::Now,
        (None, _) => Wanted::Newest,
    };
    let machine = time.at;
    let usual_gap = match newest {
        Some(newest) => {
            let inputs = app.inputs(newest)?;
            usual_gap_of(&inputs.fleet, &inputs.history, newest)
        }
        None => POLL_EVERY,
    };
    let newest = match wanted {
        Wanted::Newest => newest,
        Wanted::Now => app.newest_poll_until(machine)?,
        Wanted::At(at) => app.newest_poll_until(at)?,
    };
    let freshness = Freshness::new(wanted, machine, newest, usual_gap);
    Ok(if is_doubted {
        freshness.by_a_doubted_clock()
    } else {
        freshness
    })
}

/// The instant and the rule in the query, and the freshness of numbers of that instant.
///
/// # Errors
/// When the query is malformed or the database cannot be read.
pub fn question(app: &mut App, request: &Request<'_>) -> Result<(Question, Freshness)> {
    let rule = rule(request)?;
    let freshness = freshness(app, request)?;
    let as_of = freshness.as_of;
    Ok((Question { as_of, rule }, freshness))
}

/// The heat of `view`, of an owner's stores or of all, with the number of its weeks; `week` is that of the last.
///
/// # Errors
/// When the database cannot be read.
pub fn heat(app: &mut App, view: &FleetView, group: Option<&str>, week: &Overview) -> Result<Heat> {
    let past = app.past(view)?;
    let mut heat = Heat {
        weeks: 1,
        cells: week.cells.clone(),
    };
    if let Some(cells) = past.of(group) {
        heat::add(&mut heat.cells, cells);
        heat.weeks += past.weeks;
    }
    Ok(heat)
}

/// The facts about one store.
#[derive(Debug)]
pub struct StoreView {
    /// Its key and id.
    pub store: Store,
    /// Its zone and hours.
    pub pattern: Pattern,
    /// Its name and owner; both empty if no input has them.
    pub label: Label,
    /// Its special days with their reasons.
    pub special_days: Dates,
    /// Its zone as written; none if no input has one.
    pub zone_written: Option<String>,
    /// Whether its numbers are of now.
    pub freshness: Freshness,
    /// Its status, windows and incidents.
    pub standing: StoreStatus,
    /// The poller's outages in the eight days before.
    pub outages: Intervals,
    /// Why it was offline, as its owner said.
    pub noted: Vec<Noted>,
}

impl StoreView {
    /// Its display name.
    pub fn name(&self) -> &str {
        match self.label.name.as_str() {
            "" => &self.store.id,
            name => name,
        }
    }

    /// What was noted for one of its incidents.
    pub fn reason(&self, incident: &Incident) -> Option<&Note> {
        incident_reasons::of_incident(&self.noted, incident.since, incident.stretch.end)
    }
}

/// The store in the path, at the instant and by the rule of the query.
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::error::ErrorKind) for an unknown store; when the query is malformed or the
/// database cannot be read.
pub fn store(app: &mut App, request: &Request<'_>) -> Result<StoreView> {
    let (question, freshness) = question(app, request)?;
    let inputs = app.inputs(question.as_of)?;
    let stores = inputs.fleet.stores();
    let found = stores.binary_search_by(|store| store.id.as_bytes().cmp(request.id.as_bytes()));
    let Ok(place) = found else {
        return Err(Error::not_found(format!(
            "there is no store `{}` (GET /api/stores lists all)",
            request.id.escape_debug()
        )));
    };
    let store = stores[place].clone();
    let db = app.db()?;
    let (label, zone_written) = fleet::written(db, store.key)?;
    let special_days = special_hours::of(db, store.key)?;
    let noted = incident_reasons::all_of(db, store.key)?;
    let pattern = inputs.fleet.patterns()[store.pattern].clone();
    Ok(StoreView {
        freshness,
        standing: status(&inputs, &store, question),
        outages: outages(&inputs, question.as_of),
        label: label.unwrap_or_default(),
        special_days,
        noted,
        store,
        pattern,
        zone_written,
    })
}

/// The month of the store that is shown, if it has a target.
///
/// # Errors
/// When the database cannot be read.
pub fn month_left(app: &mut App, shown: &StoreView) -> Result<Option<MonthLeft>> {
    let all = app.site.target;
    let Some(target) = shown.label.target.or(all) else {
        return Ok(None);
    };
    app.month_left(shown.store.key, shown.standing.question, target)
}

/// The status of a store, from its polls.
pub fn status(inputs: &Inputs, store: &Store, question: Question) -> StoreStatus {
    let (mut scratch, reach) = (Vec::new(), reach(question.as_of));
    let polls = inputs.history.of(store.key, reach, &mut scratch);
    let pattern = &inputs.fleet.patterns()[store.pattern];
    StoreStatus::new(polls, pattern, question)
}
