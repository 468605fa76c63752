//! Statements over HTTP: order one; it is fetched like a report.

use serde_json::Value;

use super::app::App;
use super::query;
use super::reports::{as_of_the_newest_poll, triggered};
use super::request::Request;
use super::response::Response;
use crate::error::{Error, Result};
use crate::jobs::JobRequest;
use crate::jobs::statement::{Parameters, before_the_oldest_poll};

/// The fields of an order.
pub(super) const FIELDS: [&str; 8] = ["from", "to", "by", "per", "store", "group", "as_of", "interpolation"];

/// `POST /api/statements`: 202 with the id of a statement that is in the database, complete or queued. The fields come
/// in the query, a JSON object or a form.
pub fn order(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    take_body(request)?;
    if let Some((name, _)) = request.query.iter().find(|(name, _)| !FIELDS.contains(&name.as_str())) {
        return Err(query::unknown("field", name, &FIELDS.join(", ")));
    }
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
    let order = JobRequest::statement(app.requester(), as_of, rule, parameters.json().to_string());
    triggered(app, order, note)
}

/// Takes the fields of a body to those of the query.
fn take_body(request: &mut Request<'_>) -> Result<()> {
    let mut body = Vec::new();
    // The frontend bounds its length.
    let read = request.body.read_to_end(&mut body);
    read.map_err(|error| Error::invalid("the body cannot be read").because(error))?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let kind = request.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/x-www-form-urlencoded") && !body.trim_ascii_start().starts_with(b"{") {
        let fields = form_urlencoded::parse(&body);
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned()));
        request.query.extend(fields.collect::<Vec<_>>());
        return Ok(());
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(&body) else {
        return Err(Error::invalid(
            "the body is no JSON object (send {\"from\": \"2026-10-01\", \"to\": \"2026-10-31\"}, or the fields in the query)",
        ));
    };
    for (name, value) in object {
        match value {
            Value::Null => {}
            Value::String(text) => request.query.push((name, text)),
            other => return Err(query::unknown(&name, &other.to_string(), "a text")),
        }
    }
    Ok(())
}
