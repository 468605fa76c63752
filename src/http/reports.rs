//! Reports over HTTP: trigger one, fetch it, list the history.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::app::App;
use super::field::report_id;
use super::query;
use super::query_fields::PAGE_REPORTS_MAX;
use super::request::Request;
use super::response::Response;
use super::spreadsheet;
use crate::civil;
use crate::error::{Error, Result};
use crate::jobs::{Format, JobRequest, Report, ReportState};

/// The header field with a report's state.
const STATE: &str = "Report-Status";

/// `POST /trigger_report`: 202 with the id of a report that is in the database, complete or queued.
pub fn trigger(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let (as_of, doubt) = match request.field("as_of")? {
        Some(text) => (Some(civil::parse_query_instant(text)?), None),
        None => (app.as_of()?, app.doubt_of_as_of()?),
    };
    let callback = match callback(app, request)? {
        Ok(callback) => callback,
        Err(refused) => return Ok(refused),
    };
    let mut order = JobRequest::report(app.requester(), as_of, query::rule(request)?);
    order.by.callback = callback;
    triggered(app, order, doubt.map(|doubt| as_of_the_newest_poll(&doubt)))
}

/// The receiver that `callback` names, by its name or its URL; or 422 for another: whoever may order reports must not
/// make the server send requests to addresses of their choice.
pub(super) fn callback(app: &App, request: &Request<'_>) -> Result<std::result::Result<Option<String>, Response>> {
    let Some(wanted) = request.field("callback")? else {
        return Ok(Ok(None));
    };
    let messaging = app.site.messaging.get();
    Ok(match messaging.callback(wanted) {
        Some(receiver) => Ok(Some(receiver.name.clone())),
        None => {
            let detail = "callback names no webhook that an admin allowed (give the name or the url of a [[receiver]] \
                          of the configuration)";
            Err(Response::problem(422, detail))
        }
    })
}

/// The note of numbers that end at the newest poll because the machine's clock is in doubt.
pub(super) fn as_of_the_newest_poll(doubt: &impl std::fmt::Display) -> String {
    format!("{doubt}; so the report is as of the newest poll")
}

/// Orders a product; answers 202 with its id and the note.
pub(super) fn triggered(app: &mut App, order: JobRequest, note: Option<String>) -> Result<Response> {
    let (id, state, is_volatile) = app.order(order)?;
    let mut told = json!({"report_id": id.to_string()});
    if let Some(note) = note {
        told["note"] = note.into();
    }
    if is_volatile {
        told["note"] = "the disk is full, so this report is kept in memory until there is room; a restart before that \
                        forgets it"
            .into();
    }
    let answer = Response::json(202, &told);
    Ok(answer
        .with("Location", format!("/get_report/{id}"))
        .with(STATE, state.as_str()))
}

/// `GET /get_report?report_id=ID` and `GET /get_report/ID`: the state, or the CSV once it is complete.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let id = match request.id.as_str() {
        "" => request.field("report_id")?.ok_or_else(|| {
            Error::invalid(
                "report_id is missing (GET /get_report?report_id=ID with the id that POST /trigger_report gave)",
            )
        })?,
        id => id,
    };
    let id = report_id(id)?;
    let format = accepted(request);
    if let Some(file) = app.recent_file(id, format)? {
        return Ok(complete(id, format, file));
    }
    let report = app.report(id)?;
    match report.state {
        ReportState::Complete => file(app, &report, format),
        ReportState::Running => Ok(with_state(Response::json(200, &json!({"status": "Running"})), &report)),
        ReportState::Failed => {
            let body = json!({"status": "Failed", "error": report.error});
            Ok(with_state(Response::json(200, &body), &report))
        }
    }
}

/// The format that the client asks for by its media type: CSV, unless it names another.
fn accepted(request: &Request<'_>) -> Format {
    let accept = request.header("Accept").unwrap_or_default().to_ascii_lowercase();
    let names = accept
        .split(',')
        .map(|one| one.split(';').next().unwrap_or_default().trim());
    let known = |name: &str| Format::ALL.into_iter().find(|format| format.media_type() == name);
    names.filter_map(known).next().unwrap_or(Format::Csv)
}

/// `GET /api/reports/ID.csv`: the CSV; 404 with the reason until it is complete.
pub fn csv(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    download(app, request, Format::Csv)
}

/// `GET /api/reports/ID.xlsx`: the same as a workbook.
pub fn xlsx(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    download(app, request, Format::Xlsx)
}

fn download(app: &mut App, request: &Request<'_>, format: Format) -> Result<Response> {
    let report = app.report(report_id(&request.id)?)?;
    if report.state == ReportState::Complete {
        let mut answer = file(app, &report, format)?;
        if format == Format::Csv && request.field("for")?.is_some() {
            answer.body = spreadsheet::safe(&answer.body)?.into();
        }
        return Ok(answer);
    }
    let state = report.state.as_str();
    let detail = format!(
        "report {} has no file, it is {state} (GET /api/reports/ID tells more)",
        report.id
    );
    Ok(with_state(Response::problem(404, &detail), &report))
}

/// `GET /api/reports/ID`: one report's facts.
pub fn facts(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let report = app.report(report_id(&request.id)?)?;
    Ok(with_state(Response::json(200, &report.facts()), &report))
}

/// `GET /api/reports`: the history, newest first; `limit` is the page's size, `before` the last id of the
/// previous page.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let limit = query::number(request, "limit", 1..=PAGE_REPORTS_MAX, PAGE_REPORTS_MAX)?;
    let before = request.field("before")?.map(report_id).transpose()?;
    let page = app.reports(before, u32::try_from(limit).unwrap_or(u32::MAX))?;
    let full = page.len() == limit;
    let next = page
        .last()
        .filter(|_| full)
        .map(|last| format!("/api/reports?before={}&limit={limit}", last.id));
    let page: Vec<Value> = page.iter().map(Report::facts).collect();
    Ok(Response::json(200, &json!({"reports": page, "next": next})))
}

/// The file of a complete report.
fn file(app: &mut App, report: &Report, format: Format) -> Result<Response> {
    let id = report.id;
    let file = app.file_of(report, format)?;
    let file = file.ok_or_else(|| Error::not_found(format!("report {id} was forgotten meanwhile")))?;
    Ok(complete(id, format, file))
}

/// The file itself, as a download.
fn complete(id: Uuid, format: Format, file: Arc<Vec<u8>>) -> Response {
    let name = format!("attachment; filename=\"report-{id}.{}\"", format.as_str());
    Response::new(200, format.media_type(), file)
        .with("Content-Disposition", name)
        .with(STATE, ReportState::Complete.as_str())
}

fn with_state(answer: Response, report: &Report) -> Response {
    answer.with(STATE, report.state.as_str())
}
