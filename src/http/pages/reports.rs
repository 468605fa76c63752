//! `/reports`: the button that makes a report, and the list of reports.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use crate::clock;
use crate::error::{ErrorKind, Result};
use crate::http::app::App;
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::jobs::{JobRequest, Report, ReportState};
use crate::uptime::interval::{MINUTE, Micros, SECOND};
use crate::uptime::timeline::Interpolation;

/// How many reports the page lists.
const REPORTS_MAX: u32 = 50;

/// While a report runs, the page reloads after this many seconds without a script.
const REFRESH_SECONDS: u32 = 2;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    show(app, request, 200, None)
}

/// `POST /reports`: makes a report and returns to the page.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let fields = super::load::form_fields(request)?;
    let mut body = std::io::empty();
    let mut asked = Request::new("POST", "/reports", &mut body);
    asked.query = fields;
    let rule = query::rule(&asked)?;
    let as_of = app.site.clock.as_of();
    let jobs = app.site.jobs.clone();
    match jobs.trigger(app.db()?, JobRequest::report(as_of, rule)) {
        Ok(_) => Ok(Response::see_other("/reports")),
        Err(error) if error.kind() == ErrorKind::Unavailable => show(app, request, 503, Some(error.message())),
        Err(error) => Err(error),
    }
}

fn show(app: &mut App, request: &Request<'_>, status: u16, complaint: Option<&str>) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Reports)?;
    let jobs = app.site.jobs.clone();
    let reports = jobs.list(app.db()?, None, REPORTS_MAX)?;
    let running = reports.iter().any(|report| report.state == ReportState::Running);
    let body = html! {
        h1 { "Reports" }
        p.lead { "Uptime and downtime of every store, for the last hour, day and week, as CSV." }
        @if let Some(complaint) = complaint { p.complaint role="alert" { (complaint) } }
        @if !frame.is_read_only() { (button()) }
        section.card.wide #reports data-running=[running.then_some("")] aria-labelledby="history" aria-live="polite" {
            h2 #history { "History" }
            @if reports.is_empty() { p.calm { "No report was made yet." } }
            @else { (history(&frame, &reports)) }
        }
    };
    let refresh = running.then_some(REFRESH_SECONDS);
    Ok(Response::page(status, frame.page("Reports", refresh, &body)))
}

fn button() -> Markup {
    html! {
        form.filters action="/reports" method="post" {
            div {
                label for="interpolation" { "Between polls" }
                select #interpolation name="interpolation" {
                    @for rule in Interpolation::ALL {
                        option value=(rule.as_str()) { (rule.as_str()) " poll" }
                    }
                }
            }
            button.primary type="submit" { "Make a report" }
        }
    }
}

fn history(frame: &Frame, reports: &[Report]) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "As of" }
                th scope="col" { "State" }
                th.least scope="col" { "Between polls" }
                th.number.least scope="col" { "Took" }
                th.number.least scope="col" { "Size" }
                th scope="col" { "File" }
            } }
            tbody { @for report in reports { (row(frame, report)) } }
        }
    }
}

fn row(frame: &Frame, report: &Report) -> Markup {
    let table = phrases::zone_near(frame.zone(), report.question.as_of);
    let wall = Wall::new(&table, frame.locale());
    html! {
        tr data-report=(report.id) {
            th scope="row" { (wall.full(report.question.as_of)) span.id { (phrases::city(frame.zone())) } }
            td {
                @match report.state {
                    ReportState::Running => {
                        span.state.running { span.mark aria-hidden="true" {} "running" }
                        " for " (phrases::length(clock::machine_us() - report.triggered_at))
                    }
                    ReportState::Complete => { span.state.online { span.mark aria-hidden="true" {} "complete" } }
                    ReportState::Failed => {
                        span.state.offline { span.mark aria-hidden="true" {} "failed" }
                        p.why { (report.error.as_deref().unwrap_or("no reason was kept")) }
                    }
                }
            }
            td.least { (report.question.rule.as_str()) }
            td.number.least { @if let Some(finished) = report.finished_at { (took(finished - report.triggered_at)) } }
            td.number.least { @if let Some(bytes) = report.csv_bytes { (frame.locale().bytes(bytes)) } }
            td {
                @if report.state == ReportState::Complete {
                    a href={"/api/reports/" (report.id) ".csv"} download={"report-" (report.id) ".csv"} {
                        "Download" span.aside { " the report of " (wall.full(report.question.as_of)) }
                    }
                }
            }
        }
    }
}

/// How long a report took: `12 ms`, `1.4 s`, `2 min`.
fn took(micros: Micros) -> String {
    match micros {
        ..SECOND => format!("{} ms", (micros + 500) / 1000),
        SECOND..MINUTE => format!("{}.{} s", micros / SECOND, micros % SECOND / 100_000),
        _ => phrases::length(micros),
    }
}
