//! The audit over HTTP, for admins: who changed what, the newest first.

use serde_json::{Value, json};

use super::app::App;
use super::json::instant;
use super::query;
use super::query_fields::{AUDIT_LAST, PAGE_LINES_MAX};
use super::request::Request;
use super::response::Response;
use crate::db::audit::{self, Audited};
use crate::error::Result;

/// How many rows a page has by default.
const PAGE_ROWS: usize = 100;

/// `GET /api/audit`: a page of the audit.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let limit = query::number(request, "limit", 1..=PAGE_LINES_MAX, PAGE_ROWS)?;
    let before = query::number(request, "before", 1..=AUDIT_LAST, AUDIT_LAST)?;
    let rows = page(app, before, limit)?;
    let next = rows.last().filter(|last| rows.len() == limit && last.number > 1);
    let next = next.map(|last| format!("/api/audit?before={}&limit={limit}", last.number));
    let rows: Vec<Value> = rows.iter().map(describe).collect();
    Ok(Response::json(200, &json!({"audit": rows, "next": next})))
}

/// The rows with a number below `before`, the newest first.
///
/// # Errors
/// When the database cannot be read.
pub fn page(app: &mut App, before: usize, limit: usize) -> Result<Vec<Audited>> {
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    audit::list(app.db()?, Some(before), u32::try_from(limit).unwrap_or(u32::MAX))
}

fn describe(row: &Audited) -> Value {
    json!({
        "number": row.number,
        "at": instant(Some(row.at)),
        "credential": row.actor.credential,
        "action": row.action,
        "subject": row.subject,
        "count": row.count,
        "address": row.actor.address,
    })
}
