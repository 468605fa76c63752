//! `/load`: loads files by picker or drag, with the API's own answers about bad rows. On an empty database it is
//! also the first page.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use maud::{Markup, html};
use uuid::Uuid;

use super::layout::{Frame, Section};
use super::loaded::Loaded;
use super::{made_up, mend};
use crate::access::Scope;
use crate::error::{Error, Result};
use crate::http::app::App;
use crate::http::forms;
use crate::http::intake;
use crate::http::multipart::{self, Form};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::uploads::{Upload, UploadedFile};
use crate::ingest::batch::Batch;
use crate::ingest::import::{self, Choices, OnBadRow};
use crate::ingest::kind::Kind;
use crate::ingest::load;
use crate::ingest::machine_time::MachineTime;
use crate::ingest::options::{DayNumbers, HoursMode, NewStores, ReadOptions, valid_from};
use crate::ingest::problem::{BadRow, Code};
use crate::ingest::source::{Refusal, Source};
use crate::scratch::ScratchFile;
use crate::uptime::interval::Micros;

/// The longest value of a field without a file.
const VALUE_BYTES_MAX: u64 = 64 << 10;

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
    if !app.visitor.may(Scope::Admin) {
        let body = html! {
            h1 { "No data yet" }
            p.lead { "There is no store to be seen here yet." }
        };
        return Ok(Response::page(200, frame.page("No data yet", None, &body)));
    }
    let body = html! {
        h1 { "No data yet" }
        p.lead { "Three steps to see how long each of your stores was really online during its business hours." }
        (steps(&frame))
        (made_up::offer(&frame))
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
                        @let header = kind.sample.lines().next().unwrap_or_default();
                        @let known = |column: &&&str| header.split(',').any(|name| name == **column);
                        @let more: Vec<_> = kind.exported.iter().filter(|column| !known(column)).copied().collect();
                        dt {
                            (kind.title) " "
                            a href={"/samples/" (kind.sample_file)} download=(kind.sample_file) {
                                "sample" span.aside { " of " (kind.title) }
                            }
                        }
                        dd {
                            (kind.about) ". " code { (header) }
                            @if !more.is_empty() { " You may add: " (more.join(", ")) "." }
                        }
                    }
                }
            }
            li.card {
                h2 { "2. Load them" }
                @if frame.is_read_only() {
                    p { "Pages are read-only here. Load files with " code { "store-monitor import FILE…" } " or by the API." }
                } @else { (form(frame)) }
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

fn form(frame: &Frame) -> Markup {
    let choice = |name: &str, label: &str, options: &[(&str, &str)]| {
        html! {
            p.choice {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    @for (value, text) in options { option value=(value) { (text) } }
                }
            }
        }
    };
    html! {
        form.upload action="/load" method="post" enctype="multipart/form-data" data-drop="" {
            // The first field, so that it is checked before a file is read.
            (frame.csrf())
            label for="files" { "Choose files or drop them here, several at once if you like" }
            // The choices come before the files, so that they are known when the files are read.
            details.choices {
                summary { "Choices" }
                p.check {
                    input #skip type="checkbox" name="on_bad_row" value="skip";
                    label for="skip" { "Skip bad rows and load the rest" }
                }
                p.check {
                    input #ids type="checkbox" name="ids_as_written" value="true";
                    label for="ids" { "Take store ids as they are, even if a spreadsheet seems to have changed them" }
                }
                (choice("days", "Days of business hours", &[
                    ("monday=0", "0 is Monday … 6 is Sunday"),
                    ("monday=1", "1 is Monday … 7 is Sunday"),
                    ("sunday=0", "0 is Sunday … 6 is Saturday"),
                    ("sunday=1", "1 is Sunday … 7 is Saturday"),
                ]))
                (choice("hours", "New business hours of a store replace", &[
                    ("replace", "all its hours"),
                    ("merge", "only the weekdays in the file"),
                ]))
                p.choice {
                    label for="valid_from" { "Business hours in a file without dates hold from this day on (empty: always)" }
                    input #valid_from type="date" name="valid_from" min="1900-01-01" max="2199-12-31";
                }
            }
            input #files type="file" name="files" multiple accept=".csv,.gz,.zip,.xlsx,.ods,text/csv,application/gzip" required;
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
    let time = app.machine_time()?;
    let is_from_browser = forms::is_from_browser(request);
    let mut body = (&mut *request.body).take(bytes_max);
    let mut form = Form::new(&mut body, &boundary);
    forms::take_first(&app.visitor, is_from_browser, &mut form)?;
    let loaded = take(app, time, form, bytes_max)?;
    answer(app, request, &loaded)
}

/// `POST /load/mend`: the kept files again, with the corrections of the form.
pub fn mend(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let fields = std::mem::take(&mut request.form);
    let value = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let id = value("upload").and_then(|id| Uuid::try_parse(id).ok());
    let found = id.and_then(|id| Some((id, app.site.uploads.find(id)?)));
    let Some((id, upload)) = found else {
        return answer(app, request, &Loaded::Gone);
    };
    let time = app.machine_time()?;
    let loaded = {
        let mut upload = lock(&upload);
        for (source, line, correction) in mend::corrections(&fields)? {
            upload.corrections.entry(source).or_default().insert(line, correction);
        }
        let choices = Choices {
            on_bad_row: OnBadRow::parse(value("on_bad_row"))?,
            ..upload.choices
        };
        let sources = upload.sources(app.site.body_bytes_max);
        let sources = sources.map_err(|error| Error::failed("the files cannot be read again").because(error))?;
        match import::read(sources, time, &app.site.scratch, || Ok(choices), &mut counted(app)) {
            Ok(batch) => write(app, batch)?,
            Err(Refusal::Failed(error)) => return Err(error),
            Err(refusal) => Loaded::Refused {
                upload: matches!(refusal, Refusal::Rows { .. }).then_some(id),
                refusal,
            },
        }
    };
    if !matches!(loaded, Loaded::Refused { upload: Some(_), .. }) {
        app.site.uploads.forget(id);
    }
    answer(app, request, &loaded)
}

fn answer(app: &mut App, request: &Request<'_>, loaded: &Loaded) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Load)?;
    let status = match loaded {
        Loaded::NoFile | Loaded::Gone => 400,
        Loaded::Done(..) => 200,
        Loaded::Refused {
            refusal: Refusal::File { file, .. },
            ..
        } if file.code == Code::TooLarge => 413,
        Loaded::Refused { .. } => 422,
    };
    let body = html! {
        h1 { "Load data" }
        (loaded.shown(&frame))
        (steps(&frame))
    };
    let page = Response::page(status, frame.page("Load data", None, &body));
    Ok(page.cached("no-store"))
}

/// The choices of a form, as its fields arrive.
#[derive(Default)]
struct FormChoices {
    on_bad_row: Option<String>,
    hours: Option<String>,
    days: Option<String>,
    valid_from: Option<String>,
    ids_as_written: bool,
}

impl FormChoices {
    fn set(&mut self, name: &str, value: String) {
        match name {
            "on_bad_row" => self.on_bad_row = Some(value),
            "hours" => self.hours = Some(value),
            "days" => self.days = Some(value),
            "valid_from" => self.valid_from = Some(value),
            "ids_as_written" => self.ids_as_written = value == "true",
            _ => {}
        }
    }

    fn choices(&self) -> Result<Choices> {
        Ok(Choices {
            on_bad_row: OnBadRow::parse(self.on_bad_row.as_deref())?,
            hours: HoursMode::parse(self.hours.as_deref())?,
        })
    }

    fn options(&self, new_stores: NewStores) -> Result<ReadOptions> {
        Ok(ReadOptions {
            days: DayNumbers::parse(self.days.as_deref())?,
            ids_as_written: self.ids_as_written,
            valid_from: valid_from(self.valid_from.as_deref())?,
            new_stores,
            ..ReadOptions::until(Micros::MAX)
        })
    }
}

/// Reads, judges and writes the files of a form. Files with bad rows are kept for corrections.
fn take(app: &App, time: MachineTime, form: Form<'_>, bytes_max: u64) -> Result<Loaded> {
    let form = Mutex::new(form);
    let (scratch, new_stores) = (&app.site.scratch, app.new_stores());
    let (chosen, files) = (RefCell::new(FormChoices::default()), RefCell::new(Vec::new()));
    let broken = Cell::new(None);
    let next_file = || -> Result<Option<Source<'_>>> {
        loop {
            let part = lock(&form).next_part()?;
            let Some(part) = part else {
                return Ok(None);
            };
            match part.file_name {
                None => {
                    let mut value = String::new();
                    let read = lock(&form).by_ref().take(VALUE_BYTES_MAX).read_to_string(&mut value);
                    read.map_err(|error| Error::invalid("the form broke off").because(error))?;
                    chosen.borrow_mut().set(&part.name, value);
                }
                // An empty picker sends a file without a name.
                Some(name) if !name.is_empty() => {
                    // Without room for a copy the rows can be loaded, but not corrected in place.
                    let copy = scratch.file().and_then(|copy| Ok((copy.try_clone()?, copy)));
                    let (kept, copy) = copy.map_or((None, None), |(kept, copy)| (Some(kept), Some(copy)));
                    files.borrow_mut().push((name.clone(), kept));
                    let options = chosen.borrow().options(new_stores)?;
                    let bytes = FilePart { form: &form, copy };
                    return Ok(Some(Source {
                        options,
                        ..import::upload(&name, bytes, bytes_max)
                    }));
                }
                Some(_) => {}
            }
        }
    };
    let sources = iter::from_fn(|| {
        next_file().unwrap_or_else(|error| {
            broken.set(Some(error));
            None
        })
    });
    let choices = || chosen.borrow().choices();
    let read = import::read(sources, time, scratch, choices, &mut counted(app));
    if let Some(error) = broken.take().or_else(|| lock(&form).cut()) {
        return Err(error);
    }
    if files.borrow().is_empty() {
        return Ok(Loaded::NoFile);
    }
    match read {
        Ok(batch) => write(app, batch),
        Err(Refusal::Failed(error)) => Err(error),
        Err(refusal) => {
            app.site.meters.rows.of(None).refused_whole(&refusal);
            let kept = files.take().into_iter();
            let kept = kept.map(|(name, bytes)| Some(UploadedFile { name, bytes: bytes? }));
            let kept: Option<Vec<_>> = kept.collect();
            let kept = kept.filter(|_| matches!(refusal, Refusal::Rows { .. }));
            let (options, choices) = (chosen.borrow().options(new_stores)?, chosen.borrow().choices()?);
            let keep = |files| {
                app.site.uploads.keep(Upload {
                    files,
                    options,
                    choices,
                    corrections: HashMap::new(),
                })
            };
            Ok(Loaded::Refused {
                refusal,
                upload: kept.map(keep),
            })
        }
    }
}

fn write(app: &App, batch: Batch) -> Result<Loaded> {
    let (fits, author) = (Arc::clone(&app.site.fits), app.author());
    let loaded = app.site.writer.try_load(move |db| {
        if let Some(refusal) = load::refuse(db, &batch)? {
            return Ok((Err(refusal), None));
        }
        let mut summary = load::write(db, batch)?;
        summary.audit(db, &author)?;
        let change = summary.change.take();
        Ok((Ok((summary, fits.get(db)?)), change))
    })?;
    match loaded {
        Ok((summary, fit)) => {
            app.site.fits.keep(fit.clone());
            app.site.meters.rows.of(None).taken(&summary);
            Ok(Loaded::Done(summary, fit.1))
        }
        Err(refusal) => Ok(Loaded::Refused { refusal, upload: None }),
    }
}

/// Counts bad rows.
fn counted(app: &App) -> impl FnMut(&str, BadRow) -> Result<()> {
    let meters = Arc::clone(&app.site.meters);
    move |_, bad| {
        meters.rows.of(None).refused(bad.code);
        Ok(())
    }
}

/// The bytes of the form's current part, and a copy of them.
struct FilePart<'f, 'a> {
    form: &'f Mutex<Form<'a>>,
    copy: Option<ScratchFile>,
}

impl Read for FilePart<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = lock(self.form).read(buffer)?;
        if let Some(copy) = &mut self.copy {
            copy.write_all(&buffer[..count])?;
        }
        Ok(count)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
