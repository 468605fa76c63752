//! `GET /api/fleet`: the numbers of the first page, in JSON.

use serde_json::{Value, json};

use super::app::App;
use super::json;
use super::query;
use super::request::Request;
use super::response::Response;
use crate::civil;
use crate::error::Result;
use crate::fleet_view::{FleetPart, FleetView};
use crate::uptime::interval::HOUR;
use crate::uptime::load::Load;
use crate::uptime::store_state::StoreState;
use crate::uptime::target::MonthLeft;
use crate::uptime::window::Window;

/// The fleet, or with `group` the stores of one owner.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let (question, freshness) = query::question(app, request)?;
    let group = request.field("group")?;
    let view = app.fleet(question)?;
    let part = view.part(group)?;
    let own = group.map(|group| view.overview_of(group));
    let overview = own.as_ref().unwrap_or(&view.overview);
    let heat = query::heat(app, &view, group, overview)?;
    let months = app.months_left(&view)?;
    let months = part.places.iter().filter_map(|&place| months[place]);
    let week = Window::Week.before(question.as_of);
    let mut hours = Vec::new();
    let mut start = week.start;
    for load in &overview.hours {
        let mut hour = json::load(load);
        hour["from"] = civil::format_rfc3339(start).into();
        hours.push(hour);
        start += HOUR;
    }
    let owner = |(name, part): &(&str, FleetPart)| {
        json!({
            "group": name,
            "last_week": json::sum(&part.week),
            "week_before": json::sum(&part.before),
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
            "freshness": json::freshness(&freshness),
            "interpolation": question.rule.as_str(),
            "states": states(&view, &part),
            "last_week": json::sum(&part.week),
            "week_before": json::sum(&part.before),
            "groups": owners.map(owner).collect::<Vec<_>>(),
            "hours": hours,
            "target": target(&months.collect::<Vec<_>>()),
            "events": view.overview.events.iter().map(json::fleet_event).collect::<Vec<_>>(),
            "weekday_hours_local": cells(&overview.cells),
            "heat": {"weeks": heat.weeks, "weekday_hours_local": cells(&heat.cells)},
            "poller_outages": view.outages.as_slice().iter().map(json::stretch).collect::<Vec<_>>(),
        }),
    )
    .revalidated())
}

/// How many stores have a target, and how many have missed it this month; null without such a store.
fn target(months: &[MonthLeft]) -> Value {
    if months.is_empty() {
        return Value::Null;
    }
    let count = |fits: fn(&MonthLeft) -> bool| months.iter().filter(|month| fits(month)).count();
    json!({
        "stores": months.len(),
        "missed": count(MonthLeft::is_missed),
        "unknown": count(|month| month.downtime.is_none()),
    })
}

/// How many stores are in each state.
fn states(view: &FleetView, part: &FleetPart) -> Value {
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
fn cells(cells: &[[Load; 24]]) -> Value {
    let days = cells.iter().enumerate();
    let cells = days.flat_map(|(day, hours)| {
        let hours = hours.iter().enumerate().filter(|(_, load)| load.open > 0);
        hours.map(move |(hour, load)| {
            let mut cell = json::load(load);
            cell["day"] = day.into();
            cell["hour"] = hour.into();
            cell
        })
    });
    cells.collect()
}
