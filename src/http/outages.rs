//! `GET /api/poller-outages`: when the poller itself was out.
//!
//! It must never know what an outage is, only how to tell of one.

use std::sync::Arc;

use serde_json::{Value, json};

use super::App;
use super::request::Request;
use super::response::Response;
use crate::civil;
use crate::db::polls;
use crate::error::Result;
use crate::uptime::interval::{Interval, MINUTE};
use crate::uptime::outage;
use crate::uptime::outage::REACH;

/// The outages of the eight days before `as_of`, in their order.
///
/// They are computed from the polls that the database has now, for any `as_of`: what it keeps of the past
/// keeps its outages, but for those that polls have healed which came in late.
///
/// Without `as_of` it is whatever a report's would be: the newest poll's instant, or the machine's
/// clock where the server follows that. An outage that still goes on shows only by the latter, for
/// the newest poll is never within one. Without any poll there is neither a span nor an outage.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let as_of = match request.field("as_of")? {
        Some(text) => Some(civil::parse_instant(text)?),
        None => app.shared.clock.as_of(),
    };
    let hot = Arc::clone(&app.shared.hot);
    let db = app.db()?;
    let as_of = match as_of {
        Some(as_of) => Some(as_of),
        None => polls::newest(db)?,
    };
    let outages = match as_of {
        Some(as_of) => {
            let inputs = hot.inputs(db, as_of)?;
            outage::outages(&inputs.fleet, &inputs.business, &inputs.history, as_of)
        }
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
    json!({
        "from": civil::format_rfc3339(outage.start),
        "to": civil::format_rfc3339(outage.end),
        "minutes": (outage.length() + MINUTE / 2) / MINUTE,
    })
}
