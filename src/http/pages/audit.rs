//! `/audit`, for admins: who changed what, the newest first.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use crate::db::audit::Audited;
use crate::error::Result;
use crate::http::app::App;
use crate::http::audit;
use crate::http::query;
use crate::http::query_fields::AUDIT_LAST;
use crate::http::request::Request;
use crate::http::response::Response;

/// How many rows a page has.
const PAGE_ROWS: usize = 100;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let before = query::number(request, "before", 1..=AUDIT_LAST, AUDIT_LAST)?;
    let rows = audit::page(app, before, PAGE_ROWS)?;
    let frame = Frame::new(app, request, Section::Access)?;
    let older = rows.last().filter(|last| rows.len() == PAGE_ROWS && last.number > 1);
    let body = html! {
        h1 { "Who did what" }
        p.lead { "Every change, the newest first. Times in " (phrases::city(frame.zone())) " time. " a href="/access" { "Access" } }
        section.card.wide {
            @if rows.is_empty() { p.calm { "Nothing was done yet." } } @else { (table(&frame, &rows)) }
        }
        nav.pager aria-label="Pages of rows" {
            @if before != AUDIT_LAST { a href="/audit" { "← Newest" } }
            @if let Some(last) = older { a rel="next" href={"/audit?before=" (last.number)} { "Older →" } }
        }
    };
    Ok(Response::page(200, frame.page("Who did what", None, &body)).cached("no-store"))
}

fn table(frame: &Frame, rows: &[Audited]) -> Markup {
    let locale = frame.locale();
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "When" }
                th scope="col" { "Who" }
                th scope="col" { "What" }
                th.number.least scope="col" { "How many" }
                th.least scope="col" { "From" }
            } }
            tbody {
                @for row in rows {
                    @let table = phrases::zone_near(frame.zone(), row.at);
                    tr {
                        th scope="row" { (Wall::new(&table, locale).full(row.at)) }
                        td { @if row.actor.credential.is_empty() { "nobody by name" } @else { (row.actor.credential) } }
                        td { (words(&row.action)) span.why { (row.subject) } }
                        td.number.least { (locale.count(usize::try_from(row.count).unwrap_or(usize::MAX))) }
                        td.least { (row.actor.address) }
                    }
                }
            }
        }
    }
}

/// An action in words; one of a newer program as it is stored.
fn words(action: &str) -> &str {
    match action {
        "load" => "loaded rows",
        "delete_store" => "removed a store",
        "delete_polls" => "took checks back",
        "delete_business_hours" => "took business hours back",
        "delete_special_hours" => "took special hours back",
        "add_made_up" => "put the made-up stores in",
        "delete_made_up" => "took the made-up stores out",
        "trigger_report" => "made a report",
        "trigger_statement" => "made a statement",
        "add_token" => "made a token",
        "revoke_token" => "revoked a token",
        "add_link" => "made a link",
        "revoke_link" => "revoked a link",
        "log_in" => "logged in",
        "log_out" => "logged out",
        "prune" => "deleted old checks",
        other => other,
    }
}
