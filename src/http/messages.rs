//! The outbox over HTTP, for admins: how each receiver fares, and what became of the newest messages.
//!
//! Of a message only the subject is told: its text may have a link that acknowledges an alert.

use serde_json::{Value, json};

use super::app::App;
use super::json::instant;
use super::query;
use super::query_fields::{AUDIT_LAST, PAGE_LINES_MAX};
use super::request::Request;
use super::response::Response;
use crate::db::outbox::{self, Count, Entry};
use crate::error::Result;

/// How many messages a page has by default.
const PAGE_MESSAGES: usize = 100;

/// A receiver of the configuration, or one that messages name.
pub struct Fared {
    /// Where its messages go; none if it is not in the configuration.
    pub place: Option<String>,
    /// How they fare.
    pub count: Count,
}

/// `GET /api/messages`: the receivers, and a page of messages.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let limit = query::number(request, "limit", 1..=PAGE_LINES_MAX, PAGE_MESSAGES)?;
    let before = query::number(request, "before", 1..=AUDIT_LAST, AUDIT_LAST)?;
    let receivers: Vec<Value> = receivers(app)?.iter().map(describe).collect();
    let messages = page(app, before, limit)?;
    let next = messages
        .last()
        .filter(|last| messages.len() == limit && last.number > 1);
    let next = next.map(|last| format!("/api/messages?before={}&limit={limit}", last.number));
    let messages: Vec<Value> = messages.iter().map(describe_message).collect();
    Ok(Response::json(
        200,
        &json!({"receivers": receivers, "messages": messages, "next": next}),
    ))
}

/// How the receivers fare: those of the configuration first.
///
/// # Errors
/// When the database cannot be read.
pub fn receivers(app: &mut App) -> Result<Vec<Fared>> {
    let mut counts = outbox::counts(app.db()?)?;
    let messaging = app.site.messaging.get();
    let mut fared: Vec<Fared> = Vec::new();
    for receiver in &messaging.receivers {
        let found = counts.iter().position(|count| count.receiver == receiver.name);
        fared.push(Fared {
            place: Some(receiver.place()),
            count: found.map_or_else(|| Count::none(&receiver.name), |place| counts.remove(place)),
        });
    }
    fared.extend(counts.into_iter().map(|count| Fared { place: None, count }));
    Ok(fared)
}

/// The messages with a number below `before`, the newest first.
///
/// # Errors
/// When the database cannot be read.
pub fn page(app: &mut App, before: usize, limit: usize) -> Result<Vec<Entry>> {
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    outbox::newest(app.db()?, None, before, u32::try_from(limit).unwrap_or(u32::MAX))
}

fn describe(fared: &Fared) -> Value {
    let Fared { place, count } = fared;
    let failure = count.last_failure.as_ref();
    json!({
        "name": count.receiver,
        "place": place,
        "waiting": count.waiting,
        "sent": count.sent,
        "given_up": count.given_up,
        "last_sent_at": instant(count.last_sent_at),
        "last_failed_at": instant(failure.map(|(at, _)| *at)),
        "last_error": failure.map(|(_, error)| error),
        "failing_since": instant(count.failing_since),
    })
}

fn describe_message(entry: &Entry) -> Value {
    json!({
        "number": entry.number,
        "key": entry.message.key,
        "receiver": entry.message.receiver,
        "kind": entry.message.kind.as_str(),
        "subject": entry.message.subject,
        "state": entry.state().as_str(),
        "created_at": instant(Some(entry.created_at)),
        "attempts": entry.attempts,
        "next_attempt_at": instant(entry.next_attempt_at),
        "tried_at": instant(entry.tried_at),
        "sent_at": instant(entry.sent_at),
        "error": entry.error,
    })
}
