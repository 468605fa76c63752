//! `GET /health`: whether the server can read its database; with `ready=1`, whether it would take polls and make
//! reports.

use serde_json::{Map, Value, json};

use super::app::{App, Site};
use super::request::Request;
use super::response::Response;
use crate::access::Scope;
use crate::civil;
use crate::clock::machine_us;
use crate::error::{Error, ErrorKind, Result};
use crate::health::Condition;
use crate::uptime::interval::SECOND;

/// When a client may ask again whether the server is ready, in seconds.
const READY_AGAIN_SECONDS: &str = "1";

/// Why a server is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its name.
    pub name: &'static str,
    /// A sentence, which may name files.
    pub detail: String,
}

/// 200 after reading the database, 503 when it cannot be read; with `ready`, 503 as long as there are reasons.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let newest = app.newest_poll().map_err(|error| {
        if error.kind() == ErrorKind::Unavailable {
            return error;
        }
        tracing::error!(%error, "the database cannot be read");
        Error::unavailable("the database cannot be read; the server's log says why")
    });
    if let Ok(newest) = newest {
        app.time_beside(newest);
    }
    // A monitor without a token learns whether the server works, and nothing of what it holds.
    let tells_all = app.visitor.may(Scope::Read) && app.visitor.audience.is_all();
    if request.field("ready")?.is_some() {
        let mut reasons = unready(&app.site);
        if let Err(error) = &newest
            && reasons.is_empty()
        {
            reasons.push(Reason {
                name: "database_unreadable",
                detail: error.message().to_owned(),
            });
        }
        if !reasons.is_empty() {
            return Ok(not_ready(&reasons, tells_all));
        }
    }
    let newest = newest?;
    let conditions = app.site.health().list();
    if let Some((_, sentence)) = conditions.iter().find(|(condition, _)| condition.is_down()) {
        return Err(Error::unavailable(match tells_all {
            true => sentence.clone(),
            false => "the database cannot be used; the server's log says why".to_owned(),
        }));
    }
    let mut answer = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    if tells_all {
        answer["newest_poll"] = json!(newest.map(civil::format_rfc3339));
        add(&mut answer, facts(&app.site));
    }
    Ok(Response::json(200, &answer))
}

/// What a server knows of itself, beside its database.
pub fn facts(site: &Site) -> Value {
    let now = machine_us();
    let backups = site.backups.as_ref();
    let condition =
        |(condition, sentence): &(Condition, String)| json!({"condition": condition.as_str(), "detail": sentence});
    let (writes, writes_max) = site.writer.waiting();
    let (reports, reports_max) = site.jobs().waiting();
    let frontend = &site.meters.frontend;
    json!({
        "started_at": civil::format_rfc3339(site.started_at),
        "newest_backup": backups.and_then(|backups| backups.newest()).map(civil::format_rfc3339),
        "next_backup": backups.and_then(|backups| backups.due_at(now)).map(civil::format_rfc3339),
        "backups_missed_since": backups.and_then(|backups| backups.missed_since(now)).map(civil::format_rfc3339),
        "backups": backups.map(|backups| json!({
            "folder": backups.folder(),
            "count": backups.count(),
            "keep": backups.keep(),
            "every_seconds": backups.every().map(|every| every / SECOND),
        })),
        "queues": {
            "changes": {"waiting": writes, "limit": writes_max},
            "reports": {"waiting": reports, "limit": reports_max},
            "requests": {"waiting": frontend.waiting.get(), "in_hand": frontend.in_hand.get()},
        },
        "connections": {"open": frontend.open.get(), "limit": frontend.open_max.get()},
        "conditions": site.health().list().iter().map(condition).collect::<Vec<_>>(),
    })
}

/// Why a poll would be refused or a report could not be made now; none when the server is ready.
pub fn unready(site: &Site) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !site.is_warm() {
        reasons.push(Reason {
            name: "starting",
            detail: "the polls are still read into memory".to_owned(),
        });
    }
    for (condition, sentence) in site.health().list() {
        if condition.is_unready() {
            reasons.push(Reason {
                name: condition.as_str(),
                detail: sentence,
            });
        }
    }
    for (name, what, (waiting, most)) in [
        ("write_queue_full", "changes", site.writer.waiting()),
        ("report_queue_full", "reports", site.jobs().waiting()),
    ] {
        if waiting >= most {
            reasons.push(Reason {
                name,
                detail: format!("{waiting} {what} wait, as many as may"),
            });
        }
    }
    reasons
}

/// The answer of a server that is not ready; `tells_all` adds the sentences.
fn not_ready(reasons: &[Reason], tells_all: bool) -> Response {
    let names: Vec<&str> = reasons.iter().map(|reason| reason.name).collect();
    let detail = format!("the server is not ready: {}", names.join(", "));
    let reason = |reason: &Reason| match tells_all {
        true => json!({"reason": reason.name, "detail": reason.detail}),
        false => json!({"reason": reason.name}),
    };
    let mut members = Map::new();
    members.insert("reasons".to_owned(), reasons.iter().map(reason).collect());
    Response::problem_with(503, &detail, members).with("Retry-After", READY_AGAIN_SECONDS)
}

/// Adds the members of an object to another.
fn add(to: &mut Value, from: Value) {
    if let (Value::Object(to), Value::Object(from)) = (to, from) {
        to.extend(from);
    }
}
