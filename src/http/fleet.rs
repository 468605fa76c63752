//! `GET /api/fleet`: what the first page shows, in JSON.
//!
//! It must never know how any of it is made or drawn.

use serde_json::{Value, json};

use super::App;
use super::asked;
use super::facts;
use super::request::Request;
use super::response::Response;
use crate::civil;
use crate::error::Result;
use crate::fleet_view::{FleetView, Section};
use crate::uptime::interval::{HOUR, Interval};
use crate::uptime::overview::Overview;
use crate::uptime::store_state::StoreState;
use crate::uptime::window::Window;

/// The fleet, or with `group` the stores of one owner.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let question = asked::question(app, request)?;
    let group = request.field("group")?;
    let view = asked::fleet(app, question)?;
    let part = view.section(group);
    let own = group.map(|group| view.overview_of(group));
    let overview = own.as_ref().unwrap_or(&view.overview);
    let week = Window::Week.before(question.as_of);
    let mut hours = Vec::new();
    let mut start = week.start;
    for load in &overview.hours {
        let mut hour = facts::load(load);
        hour.insert("from".to_owned(), civil::format_rfc3339(start).into());
        hours.push(Value::Object(hour));
        start += HOUR;
    }
    let outage = |outage: &Interval| {
        json!({
            "from": civil::format_rfc3339(outage.start),
            "to": civil::format_rfc3339(outage.end),
        })
    };
    let owner = |(name, part): &(&str, Section)| {
        json!({
            "group": name,
            "last_week": facts::sum(&part.week),
            "week_before": facts::sum(&part.before),
        })
    };
    let owners = view.owners();
    let owners = owners
        .iter()
        .filter(|(name, _)| group.is_none_or(|group| group == *name));
    Ok(Response::json(
        200,
        &json!({
            "as_of": civil::format_rfc3339(question.as_of),
            "interpolation": question.rule.as_str(),
            "states": states(&view, &part),
            "last_week": facts::sum(&part.week),
            "week_before": facts::sum(&part.before),
            "groups": owners.map(owner).collect::<Vec<_>>(),
            "hours": hours,
            "weekday_hours_local": cells(overview),
            "poller_outages": view.outages.as_slice().iter().map(outage).collect::<Vec<_>>(),
        }),
    )
    .revalidated())
}

/// How many stores are in each state.
fn states(view: &FleetView, part: &Section) -> Value {
    let count = |state: StoreState| {
        let here = |place: &&usize| view.overview.summaries[**place].state == state;
        part.places.iter().filter(here).count()
    };
    StoreState::ALL
        .into_iter()
        .map(|state| (state.as_str().replace(' ', "_"), Value::from(count(state))))
        .collect()
}

/// Each weekday and hour in which a store was open.
fn cells(overview: &Overview) -> Value {
    let days = overview.cells.iter().enumerate();
    let cells = days.flat_map(|(day, hours)| {
        let hours = hours
            .iter()
            .enumerate()
            .filter(|(_, load)| load.business > 0);
        hours.map(move |(hour, load)| {
            let mut cell = facts::load(load);
            cell.insert("day".to_owned(), day.into());
            cell.insert("hour".to_owned(), hour.into());
            Value::Object(cell)
        })
    });
    cells.collect()
}
