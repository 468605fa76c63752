//! `/load`: files into the database by picker or drag, with the API's own answers about bad rows. On an
//! empty database it is the first page, too.
//!
//! It must never know how rows are read or judged.

use std::io::Read;
use std::path::Path;

use maud::{Markup, html};

use super::layout::{Frame, Room};
use super::words;
use crate::clock;
use crate::error::{Error, Result};
use crate::http::App;
use crate::http::assets::SAMPLES;
use crate::http::multipart::{self, Part};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::ingest::batch::{self, Batch, ReadError, Source};
use crate::ingest::header::Kind;
use crate::ingest::load::{self, Summary};
use crate::ingest::problem::{BadFile, BadRow, Code};
use crate::uptime::interval::DAY;

/// How many bad rows the page lists; all are counted.
const BAD_ROWS_TOLD: usize = 100;

/// How many times as long as it was sent a file may be when it is unpacked.
const UNPACKED_FACTOR: u64 = 8;

/// How long a form without files may be.
const FORM_BYTES_MAX: u64 = 64 << 10;

/// What became of an upload.
enum Outcome {
    /// It is in the database.
    Loaded(Summary),
    /// Rows are bad, so nothing was written.
    BadRows(u64),
    /// A file as a whole is no input.
    BadFile(String, BadFile),
    /// There was nothing to load.
    Nothing,
}

/// The page.
pub fn get(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    let frame = Frame::new(app, Room::Load)?;
    let body = html! {
        h1 { "Load data" }
        p.lead { "CSV files, plain or gzip'd; the header tells which kind a file is. Loading one again changes nothing." }
        (steps(&frame))
    };
    Ok(Response::page(200, frame.page("Load data", None, &body)))
}

/// What `/` is while nothing was loaded yet.
///
/// # Errors
/// When the database cannot be read.
pub fn first_visit(app: &mut App) -> Result<Response> {
    let frame = Frame::new(app, Room::Fleet)?;
    let body = html! {
        h1 { "Nothing was loaded yet" }
        p.lead { "Three steps to see how long each of your stores was really online during its business hours." }
        (steps(&frame))
    };
    Ok(Response::page(200, frame.page("Welcome", None, &body)))
}

fn steps(frame: &Frame) -> Markup {
    let headers = |file: &str| {
        let sample = SAMPLES.iter().find(|sample| sample.file == file);
        sample
            .and_then(|sample| sample.text.lines().next())
            .unwrap_or_default()
    };
    html! {
        ol.steps {
            li.card {
                h2 { "1. Export your files as CSV" }
                p { "Each begins with its header; columns may come in any order." }
                dl.files {
                    @for sample in &SAMPLES {
                        dt {
                            (sample.title) " "
                            a href={"/samples/" (sample.file)} download=(sample.file) {
                                "sample" span.aside { " of " (sample.title) }
                            }
                        }
                        dd { (sample.about) ". " code { (headers(sample.file)) } }
                    }
                }
            }
            li.card {
                h2 { "2. Load them" }
                @if frame.is_read_only() {
                    p { "Pages are read-only here. Load files with " code { "store-monitor import FILE…" } " or by the API." }
                } @else { (form()) }
            }
            li.card {
                h2 { "3. Look" }
                p {
                    "The " a href="/" { "fleet" } " shows who needs somebody now, each store's page when it was "
                    "online and how that is known, and " a href="/reports" { "reports" } " are made at a click."
                }
            }
        }
    }
}

fn form() -> Markup {
    html! {
        form.upload action="/load" method="post" enctype="multipart/form-data" data-drop="" {
            label for="files" { "Choose files or drop them here, several at once if you like" }
            input #files type="file" name="files" multiple accept=".csv,.gz,text/csv,application/gzip" required;
            p.check {
                input #skip type="checkbox" name="on_bad_row" value="skip";
                label for="skip" { "Take the good rows even if others are bad" }
            }
            button.primary type="submit" { "Load" }
        }
    }
}

/// `POST /load`: the files of the form, taken whole or not at all.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let bytes_max = app.shared.body_bytes_max;
    let boundary = multipart::boundary(request.header("Content-Type").unwrap_or_default());
    let Some(boundary) = boundary else {
        let detail = "send the form of /load as multipart/form-data (programs send rows to /api/polls and its siblings)";
        return Ok(Response::problem(415, detail));
    };
    if request.body_bytes.is_some_and(|bytes| bytes > bytes_max) {
        let detail = format!(
            "an upload may have {bytes_max} bytes at most (send files one by one, or gzip'd)"
        );
        return Ok(Response::problem(413, &detail).with("Connection", "close"));
    }
    let folder = app.shared.folder().to_owned();
    let mut body = (&mut *request.body).take(bytes_max);
    let parts = multipart::read(&mut body, &boundary, &folder)?;
    let mut bad_rows = Vec::new();
    let outcome = take(app, parts, &folder, &mut bad_rows)?;
    let frame = Frame::new(app, Room::Load)?;
    let status = match &outcome {
        Outcome::Loaded(_) => 200,
        Outcome::BadFile(_, file) if file.code == Code::TooLarge => 413,
        Outcome::BadRows(_) | Outcome::BadFile(..) => 422,
        Outcome::Nothing => 400,
    };
    let body = html! {
        h1 { "Load data" }
        (told(&outcome, &bad_rows))
        (steps(&frame))
    };
    let page = Response::page(status, frame.page("Load data", None, &body));
    Ok(page.cached("no-store"))
}

/// Reads, judges and writes the files.
fn take(
    app: &App,
    parts: Vec<Part>,
    folder: &Path,
    bad_rows: &mut Vec<(String, BadRow)>,
) -> Result<Outcome> {
    let mut skip = false;
    let mut sources = Vec::new();
    for mut part in parts {
        match part.file_name {
            None if part.name == "on_bad_row" => {
                let mut value = String::new();
                skip = part.file.read_to_string(&mut value).is_ok() && value == "skip";
            }
            // A picker without a choice sends a file without a name.
            Some(name) if !name.is_empty() => sources.push(Source {
                bytes_max: part.bytes.saturating_mul(UNPACKED_FACTOR).max(1 << 24),
                ..Source::new(name, part.file)
            }),
            _ => {}
        }
    }
    if sources.is_empty() {
        return Ok(Outcome::Nothing);
    }
    let latest = clock::machine_us() + DAY;
    let read = batch::read(sources, latest, folder, &mut |source, bad| {
        if bad_rows.len() < BAD_ROWS_TOLD {
            bad_rows.push((source.to_owned(), bad));
        }
        Ok(())
    });
    let batch: Batch = match read {
        Ok(batch) => batch,
        Err(ReadError::Refused { source, file }) => return Ok(Outcome::BadFile(source, file)),
        Err(ReadError::Failed(error)) => return Err(error),
    };
    if batch.rejected > 0 && !skip {
        return Ok(Outcome::BadRows(batch.rejected));
    }
    let summary = app.shared.writer.try_load(move |db| {
        let mut summary = load::write(db, batch)?;
        let change = summary.change.take();
        Ok((summary, change))
    })?;
    Ok(Outcome::Loaded(summary))
}

fn told(outcome: &Outcome, bad_rows: &[(String, BadRow)]) -> Markup {
    html! {
        section.card.outcome role="status" {
            @match outcome {
                Outcome::Loaded(summary) => {
                    h2 { "Loaded" }
                    p.big { (count(summary.accepted)) " " small { "new rows" } }
                    p {
                        (count(summary.replaced)) " took the place of others, "
                        (count(summary.unchanged)) " were known already, "
                        (count(summary.rejected)) " were refused."
                    }
                    @if !summary.notes.is_empty() {
                        p { "What was odd but clear:" }
                        ul { @for note in &summary.notes {
                            li {
                                (note.source) ": " code { (note.note.code.as_str()) } " × "
                                (count(note.note.count))
                                @if let Some(line) = note.note.line { ", first on line " (line) }
                            }
                        } }
                    }
                    p { a.primary href="/" { "Look at the fleet" } }
                }
                Outcome::BadRows(rows) => {
                    h2 { "Nothing was loaded" }
                    p {
                        (count(*rows)) @if *rows == 1 { " row is" } @else { " rows are" }
                        " bad. Correct them, or tick “take the good rows” and load the files again."
                    }
                }
                Outcome::BadFile(source, file) => {
                    h2 { "Nothing was loaded" }
                    p { (file.in_file(source).to_string()) " (" code { (file.code.as_str()) } ")" }
                }
                Outcome::Nothing => { h2 { "Nothing was loaded" } p { "No file was chosen." } }
            }
            @if !bad_rows.is_empty() { (table(bad_rows)) }
        }
    }
}

fn count(rows: u64) -> String {
    words::count(usize::try_from(rows).unwrap_or(usize::MAX))
}

fn table(bad_rows: &[(String, BadRow)]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Bad rows" {
            table.rows.bad {
                caption.aside { "Bad rows, the first " (BAD_ROWS_TOLD) }
                thead { tr {
                    th scope="col" { "File" } th.number scope="col" { "Line" } th scope="col" { "Column" }
                    th scope="col" { "Value" } th scope="col" { "What is wrong" } th scope="col" { "Code" }
                } }
                tbody { @for (source, bad) in bad_rows {
                    tr {
                        td { (source) }
                        td.number { (bad.line) }
                        td { (bad.column.unwrap_or("–")) }
                        td { code { (bad.value) } }
                        td { (bad.reason) }
                        td { code { (bad.code.as_str()) } }
                    }
                } }
            }
        }
    }
}

/// The fields of a form without files.
///
/// # Errors
/// When it is too long or broke off.
pub fn form_fields(request: &mut Request<'_>) -> Result<Vec<(String, String)>> {
    let mut bytes = Vec::new();
    let mut body = (&mut *request.body).take(FORM_BYTES_MAX);
    body.read_to_end(&mut bytes)
        .map_err(|error| Error::invalid("the form broke off").because(error))?;
    let fields = form_urlencoded::parse(&bytes);
    Ok(fields
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect())
}

/// Every kind of file has a sample.
const _: () = assert!(SAMPLES.len() == Kind::ALL.len());
