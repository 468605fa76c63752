//! Callbacks: what is told of a report, and the message to the receiver that its caller named.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::outbox::{self, Kind, Message};
use super::reports::{Report, ReportState, Triggered, find};
use crate::civil::format_rfc3339;
use crate::error::{ErrorKind, Result};
use crate::uptime::interval::Micros;

impl Report {
    /// Its facts, as `GET /api/reports/ID` and callbacks have them.
    pub fn facts(&self) -> Value {
        let id = self.id.to_string();
        let took_us = self
            .finished_at
            .map(|finished_at| (finished_at - self.triggered_at).max(0));
        let parameters: Value = serde_json::from_str(&self.parameters).unwrap_or_default();
        let file = |format: &str| (self.state == ReportState::Complete).then(|| format!("/api/reports/{id}.{format}"));
        json!({
            "report_id": id,
            "kind": self.kind,
            "parameters": parameters,
            "status": self.state.as_str(),
            "as_of": format_rfc3339(self.question.as_of),
            "interpolation": self.question.rule.as_str(),
            "triggered_at": format_rfc3339(self.triggered_at),
            "finished_at": self.finished_at.map(format_rfc3339),
            "took_us": took_us,
            "csv_bytes": self.csv_bytes,
            "csv": file("csv"),
            "xlsx": file("xlsx"),
            "error": self.error,
            "callback": self.callback,
        })
    }
}

/// Writes the message to the receiver of a report that has ended, if its caller named one; the caller holds the
/// transaction of its end.
///
/// # Errors
/// When the database cannot be read or written.
pub fn tell(db: &Connection, triggered: &Triggered, at: Micros) -> Result<()> {
    let Some(receiver) = &triggered.by.callback else {
        return Ok(());
    };
    let report = match find(db, triggered.id) {
        // It was one of made-up stores, which are gone.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let (id, kind) = (report.id, &report.kind);
    let (subject, text) = match &report.error {
        Some(error) => (
            format!("The {kind} {id} failed"),
            format!("The {kind} {id} failed: {error}."),
        ),
        None => (
            format!("The {kind} {id} is complete"),
            format!("The {kind} {id} is complete. Its CSV is at /api/reports/{id}.csv."),
        ),
    };
    let message = Message {
        key: format!("callback/{id}"),
        receiver: receiver.clone(),
        kind: Kind::Callback,
        subject,
        text,
        html: None,
        // Beside the fields that all messages have.
        facts: json!({"report": report.facts()}).to_string(),
    };
    outbox::add(db, &message, at).map(drop)
}
