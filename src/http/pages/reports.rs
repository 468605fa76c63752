//! `/reports`: the button that makes a report, and the list of reports.

use maud::{Markup, html};

use super::controls;
use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use crate::access::Scope;
use crate::civil;
use crate::error::{ErrorKind, Result};
use crate::http::app::App;
use crate::http::page_query::PageQuery;
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::statement_query::Asked;
use crate::jobs::{JobRequest, Report, ReportState};
use crate::uptime::interval::{MINUTE, Micros, SECOND};
use crate::uptime::period::By;
use crate::uptime::timeline::Interpolation;

/// How many reports the page lists.
const REPORTS_MAX: u32 = 50;

/// While a report runs, the page reloads after this many seconds without a script.
const REFRESH_SECONDS: u32 = 2;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    show(app, request, 200, None)
}

/// `POST /reports`: makes a report and returns to the page, which marks it.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let mut body = std::io::empty();
    let mut asked = Request::new("POST", "/reports", &mut body);
    asked.query = std::mem::take(&mut request.form);
    let (rule, as_of) = (query::rule(&asked)?, query::as_of(app, &asked)?);
    let order = JobRequest::report(app.requester(), as_of, rule);
    match app.order(order) {
        Ok((id, ..)) => {
            let back = PageQuery::of(request).link(&format!("/reports?made={id}"));
            Ok(Response::see_other(back))
        }
        Err(error) if error.kind() == ErrorKind::Unavailable => show(app, request, 503, Some(error.message())),
        Err(error) if error.kind() == ErrorKind::NoSpace => show(app, request, 507, Some(error.message())),
        Err(error) => Err(error),
    }
}

fn show(app: &mut App, request: &Request<'_>, status: u16, complaint: Option<&str>) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Reports)?;
    let reports = app.reports(None, REPORTS_MAX)?;
    let running = reports.iter().any(|report| report.state == ReportState::Running);
    let body = html! {
        div.head {
            div {
                h1 { "Reports" }
                p.lead {
                    "Uptime and downtime of every store, for the last hour, day and week. For a month or any dates, see "
                    a href=(frame.link("/statements")) { "Statements" } "."
                }
            }
            @if frame.may(Scope::Report) { (button(&frame)) }
        }
        @if let Some(complaint) = complaint { p.complaint role="alert" { (complaint) } }
        section.card.wide #reports aria-labelledby="history" aria-live="polite" {
            h2 #history { "History" }
            @if reports.is_empty() { p.calm { "No report was made yet." } }
            @else { (history(&frame, &reports, request.field("made")?)) }
        }
    };
    let refresh = running.then_some(REFRESH_SECONDS);
    Ok(Response::page(status, frame.page("Reports", refresh, &body)))
}

/// The button, with the rule and the instant of the report.
fn button(frame: &Frame) -> Markup {
    let asked = frame.query();
    html! {
        form.filters.screen action=(frame.link("/reports")) method="post" {
            (frame.csrf())
            @if let Some(as_of) = asked.as_of {
                input type="hidden" name="as_of" value=(civil::format_rfc3339(as_of));
            }
            div {
                label for="interpolation" { "Fill gaps with" }
                select #interpolation name="interpolation" {
                    @for rule in Interpolation::ALL {
                        option value=(rule.as_str()) selected[Some(rule) == asked.rule] { (controls::rule_words(rule)) }
                    }
                }
            }
            button.primary type="submit" { "Make a report" }
        }
    }
}

fn history(frame: &Frame, reports: &[Report], made: Option<&str>) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "Made" }
                th scope="col" { "For" }
                th scope="col" { "State" }
                th.number.least scope="col" { "Took" }
                th.number.least scope="col" { "Size" }
                th scope="col" { "File" }
            } }
            tbody {
                @for report in reports {
                    @let is_new = made.is_some_and(|id| report.id.to_string() == id);
                    (row(frame, report, is_new))
                }
            }
        }
        p.note { "Times in " (phrases::city(frame.zone())) " time, the zone of most stores." }
    }
}

fn row(frame: &Frame, report: &Report, is_new: bool) -> Markup {
    let locale = frame.locale();
    let (as_of, made) = (report.question.as_of, report.triggered_at);
    let tables = [as_of, made].map(|at| phrases::zone_near(frame.zone(), at));
    let [of, at] = [&tables[0], &tables[1]].map(|table| Wall::new(table, locale));
    html! {
        tr.new[is_new] data-report=(report.id) {
            th scope="row" { (at.stamp(made)) @if is_new { " " span.new { "new" } } }
            td {
                (what(report)) " as of " (of.full(as_of))
                span.why { "gaps filled with the " (controls::rule_words(report.question.rule)) }
            }
            td {
                @match report.state {
                    ReportState::Running => {
                        span.state.running { span.mark aria-hidden="true" {} "running" }
                        " for " (phrases::length((frame.machine() - report.triggered_at).max(0)))
                    }
                    ReportState::Complete => { span.state.online { span.mark aria-hidden="true" {} "complete" } }
                    ReportState::Failed => {
                        span.state.offline { span.mark aria-hidden="true" {} "failed" }
                        p.why { (report.error.as_deref().unwrap_or("no reason was kept")) }
                    }
                }
            }
            td.number.least { @if let Some(finished) = report.finished_at { (took(finished - report.triggered_at)) } }
            td.number.least { @if let Some(bytes) = report.csv_bytes { (locale.bytes(bytes)) } }
            td {
                @if report.state == ReportState::Complete {
                    a href={"/api/reports/" (report.id) ".csv?for=spreadsheet"} download={"report-" (report.id) ".csv"} {
                        "CSV" span.aside { " of the report of " (of.full(as_of)) }
                    }
                    " "
                    a href={"/api/reports/" (report.id) ".xlsx"} download={"report-" (report.id) ".xlsx"} {
                        "Spreadsheet" span.aside { " of the report of " (of.full(as_of)) }
                    }
                }
            }
        }
    }
}

/// What a report is of: all stores, or a statement's period, with a link to its page.
fn what(report: &Report) -> Markup {
    let asked = match report.kind.as_str() {
        "statement" => Asked::of_job(&report.parameters).ok(),
        _ => None,
    };
    let Some(Asked { parameters, .. }) = asked else {
        return html! { "all stores" };
    };
    let dates = [parameters.period.from, parameters.period.to].map(phrases::date_with_year);
    let whose = parameters.store.or(parameters.group);
    html! {
        a href={"/statements?report=" (report.id)} { "statement" } " of " (dates[0]) " – " (dates[1])
        @match parameters.period.by { By::Total => {} by => { ", by " (by.as_str()) } }
        @match whose { Some(whose) => { ", " (whose) } None => { ", all stores" } }
        ","
    }
}

/// How long a report took: `12 ms`, `1.4 s`, `2 min`.
fn took(micros: Micros) -> String {
    // Of a report that an older program finished after its clock was set back.
    match micros.max(0) {
        ..SECOND => format!("{} ms", (micros + 500) / 1000),
        SECOND..MINUTE => format!("{}.{} s", micros / SECOND, micros % SECOND / 100_000),
        _ => phrases::length(micros),
    }
}
