//! Statements over HTTP: order one; it is fetched like a report.

use super::app::App;
use super::body_fields;
use super::query;
use super::reports::{as_of_the_newest_poll, callback, triggered};
use super::request::Request;
use super::response::Response;
use crate::error::Result;
use crate::jobs::JobRequest;
use crate::jobs::statement::{Parameters, before_the_oldest_poll};

/// The fields of an order.
const FIELDS: [&str; 9] = [
    "from",
    "to",
    "by",
    "per",
    "store",
    "group",
    "as_of",
    "interpolation",
    "callback",
];

/// `POST /api/statements`: 202 with the id of a statement that is in the database, complete or queued. The fields come
/// in the query, a JSON object or a form.
pub fn order(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    body_fields::take(request, r#"{"from": "2026-10-01", "to": "2026-10-31"}"#)?;
    body_fields::refuse_others(request, &FIELDS)?;
    let parameters = Parameters::parse(|name| request.field(name))?;
    let as_of = query::as_of(app, request)?;
    let doubt = match request.field("as_of")? {
        Some(_) => None,
        None => app.doubt_of_as_of()?,
    };
    let rule = query::rule(request)?;
    if parameters.store.is_some() || parameters.group.is_some() {
        app.check_names(&parameters)?;
    }
    let early = before_the_oldest_poll(app.oldest_poll()?, &parameters.period);
    let note = doubt.map(|doubt| as_of_the_newest_poll(&doubt)).or(early);
    let callback = match callback(app, request)? {
        Ok(callback) => callback,
        Err(refused) => return Ok(refused),
    };
    let mut order = JobRequest::statement(app.requester(), as_of, rule, parameters.json().to_string());
    order.by.callback = callback;
    triggered(app, order, note)
}
