//! `/load`: loads files by picker or drag, with the API's own answers about bad rows. On an empty database it is
//! also the first page.

use std::cell::Cell;
use std::io::{self, Read};
use std::iter;
use std::sync::{Mutex, MutexGuard, PoisonError};

use maud::{Markup, html};

use super::layout::{Frame, Section};
use crate::clock;
use crate::error::{Error, Result};
use crate::http::app::App;
use crate::http::intake;
use crate::http::multipart::{self, Form};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::ingest::batch::{BAD_ROWS_TOLD, Refusal, Source, SourceBadRow};
use crate::ingest::import::{self, OnBadRow};
use crate::ingest::kind::Kind;
use crate::ingest::load::{self, Summary};
use crate::ingest::problem::Code;

/// The longest form without files.
const FORM_BYTES_MAX: u64 = 64 << 10;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Load)?;
    let body = html! {
        h1 { "Load data" }
        p.lead { "CSV files, spreadsheets (.xlsx, .ods) and zips of CSV files; the header tells which kind a file or sheet is. \
                 Loading one again changes nothing." }
        (steps(&frame))
    };
    Ok(Response::page(200, frame.page("Load data", None, &body)))
}

/// The page `/` while the database is empty.
///
/// # Errors
/// When the database cannot be read.
pub fn first_visit(app: &mut App, request: &Request<'_>) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Fleet)?;
    let body = html! {
        h1 { "Nothing was loaded yet" }
        p.lead { "Three steps to see how long each of your stores was really online during its business hours." }
        (steps(&frame))
    };
    Ok(Response::page(200, frame.page("Welcome", None, &body)))
}

fn steps(frame: &Frame) -> Markup {
    html! {
        ol.steps {
            li.card {
                h2 { "1. Export your files as CSV or as a spreadsheet" }
                p { "Each begins with its header; columns may come in any order." }
                dl.files {
                    @for kind in Kind::ALL.map(Kind::description) {
                        dt {
                            (kind.title) " "
                            a href={"/samples/" (kind.sample_file)} download=(kind.sample_file) {
                                "sample" span.aside { " of " (kind.title) }
                            }
                        }
                        dd { (kind.about) ". " code { (kind.sample.lines().next().unwrap_or_default()) } }
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
                    "The " a href=(frame.link("/")) { "fleet" } " shows which stores need attention now, each store's page when it was "
                    "online and how that is known, and " a href=(frame.link("/reports")) { "reports" } " are made at a click."
                }
            }
        }
    }
}

fn form() -> Markup {
    html! {
        form.upload action="/load" method="post" enctype="multipart/form-data" data-drop="" {
            label for="files" { "Choose files or drop them here, several at once if you like" }
            input #files type="file" name="files" multiple accept=".csv,.gz,.zip,.xlsx,.ods,text/csv,application/gzip" required;
            p.check {
                input #skip type="checkbox" name="on_bad_row" value="skip";
                label for="skip" { "Take the good rows even if others are bad" }
            }
            button.primary type="submit" { "Load" }
            p.progress hidden="" role="status" {
                progress aria-label="Upload" max="100" value="0" {} " " span {}
            }
        }
    }
}

/// `POST /load`: the files of the form, accepted whole or not at all.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let boundary = multipart::boundary(request.header("Content-Type").unwrap_or_default());
    let Some(boundary) = boundary else {
        let detail =
            "send the form of /load as multipart/form-data (programs send rows to /api/polls and its siblings)";
        return Ok(Response::problem(415, detail));
    };
    let bytes_max = app.site.body_bytes_max;
    if request.body_bytes.is_some_and(|bytes| bytes > bytes_max) {
        return Ok(intake::too_large(bytes_max).with("Connection", "close"));
    }
    let mut body = (&mut *request.body).take(bytes_max);
    let loaded = take(app, Form::new(&mut body, &boundary), bytes_max)?;
    let frame = Frame::new(app, request, Section::Load)?;
    let status = match &loaded {
        None => 400,
        Some(Ok(_)) => 200,
        Some(Err(Refusal::File { file, .. })) if file.code == Code::TooLarge => 413,
        Some(Err(_)) => 422,
    };
    let body = html! {
        h1 { "Load data" }
        (outcome(&frame, &loaded))
        (steps(&frame))
    };
    let page = Response::page(status, frame.page("Load data", None, &body));
    Ok(page.cached("no-store"))
}

/// Reads, judges and writes the files; none if the form has no file.
fn take(app: &App, form: Form<'_>, bytes_max: u64) -> Result<Option<Result<Summary, Refusal>>> {
    let form = Mutex::new(form);
    let (files, on_bad_row, broken) = (Cell::new(0), Cell::new(None), Cell::new(None));
    let next_file = || -> Result<Option<Source<'_>>> {
        loop {
            let part = lock(&form).next_part()?;
            let Some(part) = part else {
                return Ok(None);
            };
            match part.file_name {
                None if part.name == "on_bad_row" => {
                    let mut value = String::new();
                    let read = FilePart(&form).take(FORM_BYTES_MAX).read_to_string(&mut value);
                    read.map_err(|error| Error::invalid("the form broke off").because(error))?;
                    on_bad_row.set(Some(value));
                }
                // An empty picker sends a file without a name.
                Some(name) if !name.is_empty() => {
                    files.set(files.get() + 1);
                    return Ok(Some(import::upload(&name, FilePart(&form), bytes_max)));
                }
                _ => {}
            }
        }
    };
    let sources = iter::from_fn(|| {
        next_file().unwrap_or_else(|error| {
            broken.set(Some(error));
            None
        })
    });
    let (at, folder) = (clock::machine_us(), app.site.folder());
    let choice = || OnBadRow::parse(on_bad_row.take().as_deref());
    let read = import::read(sources, at, folder, choice, &mut |_, _| Ok(()));
    if let Some(error) = broken.take().or_else(|| lock(&form).cut()) {
        return Err(error);
    }
    if files.get() == 0 {
        return Ok(None);
    }
    let batch = match read {
        Ok(batch) => batch,
        Err(Refusal::Failed(error)) => return Err(error),
        Err(refusal) => return Ok(Some(Err(refusal))),
    };
    let summary = app.site.writer.try_load(move |db| {
        let mut summary = load::write(db, batch)?;
        let change = summary.change.take();
        Ok((summary, change))
    })?;
    Ok(Some(Ok(summary)))
}

/// The bytes of the form's current part.
struct FilePart<'f, 'a>(&'f Mutex<Form<'a>>);

impl Read for FilePart<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(self.0).read(buffer)
    }
}

fn lock<'f, 'a>(form: &'f Mutex<Form<'a>>) -> MutexGuard<'f, Form<'a>> {
    form.lock().unwrap_or_else(PoisonError::into_inner)
}

fn outcome(frame: &Frame, loaded: &Option<Result<Summary, Refusal>>) -> Markup {
    let locale = frame.locale();
    let count = |rows: u64| locale.count(usize::try_from(rows).unwrap_or(usize::MAX));
    html! {
        section.card.outcome role="status" {
            @match loaded {
                Some(Ok(summary)) => {
                    h2 { "Loaded" }
                    p.big { (count(summary.accepted)) " " small { "new rows" } }
                    p {
                        (count(summary.replaced)) " took the place of others, "
                        (count(summary.unchanged)) " were known already, "
                        (count(summary.rejected)) " were refused."
                    }
                    @if !summary.notes.is_empty() {
                        p { "Unusual rows that were accepted:" }
                        ul { @for note in &summary.notes {
                            li {
                                (note.source) ": " code { (note.note.code.as_str()) } " × "
                                (count(note.note.count))
                                @if let Some(line) = note.note.line { ", first on line " (line) }
                            }
                        } }
                    }
                    p { a.primary href=(frame.link("/")) { "Look at the fleet" } }
                    (table(&summary.bad_rows))
                }
                Some(Err(refusal)) => {
                    h2 { "Nothing was loaded" }
                    @match refusal {
                        Refusal::Rows { count: rows, told } => {
                            p {
                                (count(*rows)) @if *rows == 1 { " row is" } @else { " rows are" }
                                " bad. Correct them, or tick “take the good rows” and load the files again."
                            }
                            (table(told))
                        }
                        Refusal::File { source, file } => {
                            p { (file.in_file(source)) " (" code { (file.code.as_str()) } ")" }
                        }
                        Refusal::Failed(error) => { p { (error.message()) } }
                    }
                }
                None => { h2 { "Nothing was loaded" } p { "No file was chosen." } }
            }
        }
    }
}

fn table(bad_rows: &[SourceBadRow]) -> Markup {
    html! {
        @if !bad_rows.is_empty() { div.scroll tabindex="0" role="region" aria-label="Bad rows" {
            table.rows.bad {
                caption.aside { "Bad rows, the first " (BAD_ROWS_TOLD) }
                thead { tr {
                    th scope="col" { "File" } th.number scope="col" { "Line" } th scope="col" { "Column" }
                    th scope="col" { "Value" } th scope="col" { "What is wrong" } th scope="col" { "Code" }
                } }
                tbody { @for SourceBadRow { source, bad } in bad_rows {
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
        } }
    }
}

/// The fields of a form without files.
///
/// # Errors
/// When it is too long or ends early.
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
