//! `GET /api/poller-outages`: when the poller itself was out.

use serde_json::{Value, json};

use super::app::App;
use super::json;
use super::query;
use super::request::Request;
use super::response::Response;
use crate::civil;
use crate::error::Result;
use crate::fleet_view;
use crate::uptime::interval::{Interval, MINUTE};
use crate::uptime::outage::REACH;

/// The outages of the eight days before `as_of`, in order.
///
/// They are computed from the polls that the database has now, so late polls may end one.
///
/// Without `as_of` it is a report's: the newest poll's instant, or the machine's if the server follows that clock.
/// Only the machine's clock shows a current outage, because the newest poll is never within one. Without any poll
/// there is neither a span nor an outage.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let as_of = query::as_of(app, request)?;
    let as_of = match as_of {
        Some(as_of) => Some(as_of),
        None => app.newest_poll()?,
    };
    let outages = match as_of {
        Some(as_of) => fleet_view::outages(&app.inputs(as_of)?, as_of),
        None => Default::default(),
    };
    let outages: Vec<Value> = outages.as_slice().iter().map(describe).collect();
    Ok(Response::json(
        200,
        &json!({
            "as_of": as_of.map(civil::format_rfc3339),
            "from": as_of.map(|as_of| civil::format_rfc3339(as_of - REACH)),
            "to": as_of.map(civil::format_rfc3339),
            "poller_outages": outages,
        }),
    ))
}

/// An outage in JSON; its length is in whole minutes, halves rounded up.
fn describe(outage: &Interval) -> Value {
    let mut told = json::stretch(outage);
    told["minutes"] = ((outage.length() + MINUTE / 2) / MINUTE).into();
    told
}
