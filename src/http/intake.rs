//! Rows over HTTP: the inputs of the API, accepted whole or not at all.

use std::io::{self, Read};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::app::App;
use super::request::Request;
use super::response::Response;
use crate::access::Scope;
use crate::civil::format_day;
use crate::db::fit::{Fit, Lacking, NEXT_HOURS, NEXT_POLLS};
use crate::db::idempotency::{self, ANSWER_BYTES_MAX, Earlier};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::batch::Batch;
use crate::ingest::import::{self, Choices, OnBadRow};
use crate::ingest::kind::Kind;
use crate::ingest::load::{self, Summary};
use crate::ingest::options::{DayNumbers, HoursMode, ReadOptions, valid_from};
use crate::ingest::problem::{BadFile, BadRow, Code, excerpt};
use crate::ingest::rows::Format;
use crate::ingest::source::{Refusal, Source, SourceBadRow, SourceNote};
use crate::uptime::interval::Micros;

/// The name of a body in messages.
const BODY: &str = "the body";

/// The media types of archives, whose files or sheets are CSV.
pub(super) const ARCHIVES: [&str; 3] = [
    "application/zip",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.spreadsheet",
];

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// When a client may send polls again that wait for a clock to be set, in seconds.
const DOUBT_RETRY_SECONDS: &str = "60";

/// The longest `Idempotency-Key`.
pub(super) const KEY_BYTES_MAX: usize = 255;

/// `POST /api/polls` and the routes of the other kinds: loads the body's rows, and answers 200 once they are
/// durable.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let slug = request.path.trim_start_matches("/api/").trim_end_matches('/');
    let kind = Kind::of_slug(slug).ok_or_else(|| Error::not_found("there are no such rows"))?;
    let bytes_max = app.site.body_bytes_max;
    if request.body_bytes.is_some_and(|bytes| bytes > bytes_max) {
        return Ok(too_large(bytes_max));
    }
    let Some(format) = format(request.header("Content-Type")) else {
        let detail = "send text/csv with a header, application/x-ndjson, a JSON array as application/json, \
                      or a zip of CSV files or a spreadsheet as their own types";
        return Ok(unknown_type(request, "Content-Type", detail));
    };
    let coding = request.header("Content-Encoding").unwrap_or_default();
    let is_packed = match coding.to_ascii_lowercase().as_str() {
        "" | "identity" => false,
        "gzip" | "x-gzip" => true,
        _ => {
            let detail = "send the body as it is, or with Content-Encoding: gzip";
            return Ok(unknown_type(request, "Content-Encoding", detail));
        }
    };
    let choices = Choices {
        on_bad_row: OnBadRow::parse(request.field("on_bad_row")?)?,
        hours: HoursMode::parse(request.field("hours")?)?,
    };
    let options = ReadOptions {
        days: DayNumbers::parse(request.field("days")?)?,
        ids_as_written: flag(request, "ids_as_written")?,
        new_stores: app.new_stores(),
        valid_from: valid_from(request.field("valid_from")?)?,
        ..ReadOptions::until(Micros::MAX)
    };
    let key = key(request)?;
    let time = app.machine_time()?;

    let mut head = Vec::new();
    if is_packed {
        let head_bytes = GZIP.len() as u64;
        let read = (&mut *request.body).take(head_bytes).read_to_end(&mut head);
        read.map_err(|error| Error::failed("the body: cannot be read").because(error))?;
        if !head.is_empty() && head != GZIP {
            return Ok(not_packed());
        }
    }
    let mut body = Measured {
        body: &mut head.chain(&mut *request.body),
        hash: key.is_some().then(Sha256::new),
        bytes: 0,
        bytes_max,
    };
    let source = Source {
        expected: Some(kind),
        format,
        options,
        ..import::upload(BODY, &mut body, bytes_max)
    };
    let meters = Arc::clone(&app.site.meters);
    let meter = meters.rows.of(Some(kind));
    let read = import::read([source], time, &app.site.scratch, || Ok(choices), &mut |_, bad| {
        meter.refused(bad.code);
        Ok(())
    });
    let identity = key.map(|key| {
        // A body that was refused half-way is read to its end: the fingerprint is of all of it.
        let _ = io::copy(&mut body, &mut io::sink());
        let chosen = [
            choices.on_bad_row.as_str(),
            choices.hours.as_str(),
            options.days.as_str(),
            if options.ids_as_written { "as written" } else { "" },
            &options.valid_from.map(format_day).unwrap_or_default(),
        ];
        let hash = body.hash.take().unwrap_or_default().finalize();
        let fingerprint = format!("{} {} {}", kind.as_str(), chosen.join(" "), HEXLOWER.encode(&hash));
        let at = time.at;
        Identity {
            credential: app.visitor.credential.unwrap_or(0),
            key,
            fingerprint,
            at,
        }
    });
    let is_too_large = body.bytes > bytes_max;
    let refusal = match read {
        Ok(batch) => return write(app, batch, kind, identity),
        Err(refusal) => refusal,
    };
    meter.refused_whole(&refusal);
    // The rows may have been good when the answer was made: a clock that was set since refuses no retry.
    if let Some(identity) = identity
        && let Ok(Some(answer)) = identity.earlier(app.db()?)
    {
        return Ok(answered(&answer, true));
    }
    match refusal {
        _ if is_too_large => Ok(too_large(bytes_max)),
        Refusal::Rows { count, told, .. } => Ok(refused_rows(count, &told, choices.on_bad_row)),
        Refusal::File { source, file } => Ok(refused_file(&source, &file)),
        Refusal::Store { source, bad } => Ok(refused_store(&source, *bad)),
        // A person has to set the clock first.
        Refusal::Failed(error) if time.doubt.is_some() && error.kind() == ErrorKind::Unavailable => {
            Ok(Response::problem(503, error.message()).with("Retry-After", DOUBT_RETRY_SECONDS))
        }
        Refusal::Failed(error) => Err(error),
    }
}

/// The identity of a request: its `Idempotency-Key`, and a fingerprint of its contents.
#[derive(Clone)]
struct Identity {
    /// The key of the client's credential; 0 without one.
    credential: i64,
    key: String,
    fingerprint: String,
    at: Micros,
}

impl Identity {
    /// The answer to the same request before.
    fn earlier(&self, db: &Connection) -> Result<Option<String>> {
        match idempotency::find(db, self.credential, &self.key, &self.fingerprint)? {
            Earlier::None => Ok(None),
            Earlier::Same(answer) => Ok(Some(answer)),
            Earlier::Other => Err(Error::invalid(
                "this Idempotency-Key came with another request before (use a new key for new rows)",
            )),
        }
    }

    fn keep(&self, db: &Connection, answer: &str) -> Result<()> {
        idempotency::keep(db, self.credential, &self.key, &self.fingerprint, answer, self.at)
    }
}

/// Writes the batch and answers. A request that was answered before under the same key gets the same
/// answer.
fn write(app: &mut App, batch: Batch, kind: Kind, identity: Option<Identity>) -> Result<Response> {
    let (fits, author) = (Arc::clone(&app.site.fits), app.author());
    // Whoever may only send polls learns nothing of the stores.
    let tells_of_stores = app.visitor.may(Scope::Read);
    let (kept, loaded) = match app.site.writer.try_load(move |db| {
        if let Some(identity) = &identity
            && let Some(answer) = identity.earlier(db)?
        {
            return Ok((Ok((Some(answer), None)), None));
        }
        if let Some(refusal) = load::refuse(db, &batch)? {
            return Ok((Err(refusal), None));
        }
        let mut summary = load::write(db, batch)?;
        summary.audit(db, &author)?;
        let change = summary.change.take();
        let fit = fits.get(db)?;
        // Only an answer that is kept is made here: all changes wait for this thread.
        let kept = match &identity {
            Some(identity) => {
                let answer = cut(accepted(&summary, tells_of_stores.then_some(&fit.1)));
                identity.keep(db, &answer)?;
                Some(answer)
            }
            None => None,
        };
        Ok((Ok((kept, Some((summary, fit)))), change))
    })? {
        Ok(loaded) => loaded,
        Err(refusal) => {
            app.site.meters.rows.of(Some(kind)).refused_whole(&refusal);
            return match refusal {
                Refusal::Store { source, bad } => Ok(refused_store(&source, *bad)),
                refusal => Err(refusal.into()),
            };
        }
    };
    let is_earlier = loaded.is_none();
    let answer = match (kept, &loaded) {
        (None, Some((summary, fit))) => accepted(summary, tells_of_stores.then_some(&fit.1)).to_string(),
        (kept, _) => kept.unwrap_or_default(),
    };
    if let Some((summary, fit)) = loaded {
        app.site.meters.rows.of(Some(kind)).taken(&summary);
        app.site.fits.keep(fit);
    }
    Ok(answered(&answer, is_earlier))
}

fn answered(answer: &str, is_earlier: bool) -> Response {
    let response = Response::new(200, "application/json", format!("{answer}\n").into_bytes());
    if is_earlier {
        response.with("Idempotent-Replayed", "true")
    } else {
        response
    }
}

fn accepted(summary: &Summary, fit: Option<&Fit>) -> Value {
    let note = |SourceNote { source, note }: &SourceNote| {
        let mut told = json!({"code": note.code.as_str(), "count": note.count, "line": note.line});
        if !note.names.is_empty() {
            told["names"] = json!(note.names);
            told["meaning"] = json!(note.code.meaning());
        }
        in_part(source, told)
    };
    let lacking = |lacking: &Lacking, next: &str| {
        json!({
            "stores": lacking.stores,
            "examples": lacking.examples,
            "next": (lacking.stores > 0).then_some(next),
        })
    };
    let mut answer = json!({
        "accepted": summary.accepted,
        "unchanged": summary.unchanged,
        "replaced": summary.replaced,
        "removed": summary.removed,
        "rejected": summary.rejected,
        "notes": summary.notes.iter().map(note).collect::<Vec<_>>(),
    });
    if let Some(fit) = fit {
        answer["without_hours_and_zone"] = lacking(&fit.without_hours_and_zone, NEXT_HOURS);
        answer["without_polls"] = lacking(&fit.without_polls, NEXT_POLLS);
    }
    if summary.rejected > 0 {
        answer["errors"] = summary.bad_rows.iter().map(describe).collect();
    }
    answer
}

/// An answer that is short enough to be kept: it lists fewer of the bad rows, and less of each. The counts stay.
fn cut(mut answer: Value) -> String {
    let fits = |answer: &Value| Some(answer.to_string()).filter(|text| text.len() <= ANSWER_BYTES_MAX);
    if let Some(text) = fits(&answer) {
        return text;
    }
    let errors = answer.get_mut("errors").and_then(Value::as_array_mut);
    for error in errors.into_iter().flatten() {
        let row = error["row"].as_str().map(|row| excerpt(row.as_bytes()));
        error["row"] = row.into();
    }
    loop {
        if let Some(text) = fits(&answer) {
            return text;
        }
        let is_long = |list: &&str| answer[*list].as_array().is_some_and(|list| !list.is_empty());
        let list = ["errors", "notes"].into_iter().find(is_long);
        let Some(list) = list.and_then(|list| answer[list].as_array_mut()) else {
            return answer.to_string();
        };
        list.truncate(list.len() / 2);
    }
}

/// Names the file or sheet, if the body has several.
fn in_part(source: &str, mut about: Value) -> Value {
    let part = source.strip_prefix(BODY).and_then(|part| part.strip_prefix(", "));
    if let Some(part) = part {
        about["part"] = part.into();
    }
    about
}

fn describe(SourceBadRow { source, bad, .. }: &SourceBadRow) -> Value {
    let row = json!({
        "line": bad.line,
        "column": bad.column,
        "code": bad.code.as_str(),
        "value": bad.value,
        "reason": bad.reason,
        "row": String::from_utf8_lossy(&bad.raw),
    });
    in_part(source, row)
}

fn refused_rows(count: u64, told: &[SourceBadRow], on_bad_row: OnBadRow) -> Response {
    let rows = if count == 1 {
        "1 row is".to_owned()
    } else {
        format!("{count} rows are")
    };
    let detail = match on_bad_row {
        OnBadRow::Refuse => {
            format!("{rows} bad, so nothing was written (correct them, or take the good rows with ?on_bad_row=skip)")
        }
        OnBadRow::Skip => format!("{rows} bad and none is good, so nothing was written (correct them)"),
    };
    problem(422, &detail, count, told.iter().map(describe).collect())
}

fn refused_file(source: &str, file: &BadFile) -> Response {
    let status = if file.code == Code::TooLarge { 413 } else { 422 };
    let error = json!({
        "line": file.line,
        "column": null,
        "code": file.code.as_str(),
        "value": null,
        "reason": file.reason,
    });
    problem(
        status,
        &format!("{}; nothing was written", file.in_file(source)),
        0,
        vec![in_part(source, error)],
    )
}

/// The refusal of a body for a store that it may not add.
fn refused_store(source: &str, bad: BadRow) -> Response {
    let detail = format!("{}; nothing was written", bad.in_file(source));
    let row = SourceBadRow {
        source: source.to_owned(),
        bad,
        columns: Arc::default(),
    };
    problem(422, &detail, 0, vec![describe(&row)])
}

/// The refusal of a body that is declared as gzip and is not, even if it looks like text.
fn not_packed() -> Response {
    let reason =
        "its Content-Encoding is gzip, but it does not begin as gzip does (leave the header field out, or pack it)";
    refused_file(
        BODY,
        &BadFile {
            line: None,
            code: Code::Compressed,
            reason: reason.to_owned(),
        },
    )
}

/// The refusal of an unsupported type or coding, which the header field `name` declares.
fn unknown_type(request: &Request<'_>, name: &str, detail: &str) -> Response {
    let error = json!({
        "line": null,
        "column": null,
        "code": "media_type",
        "value": excerpt(request.header(name).unwrap_or_default().as_bytes()),
        "reason": format!("{name} is not one that is taken ({detail})"),
    });
    problem(415, detail, 0, vec![error])
}

/// The answer to a body of rows that is longer than `bytes_max`.
pub(super) fn too_large(bytes_max: u64) -> Response {
    let detail = format!("a body may have {bytes_max} bytes at most (send it in parts, or gzipped)");
    let error = json!({
        "line": null,
        "column": null,
        "code": Code::TooLarge.as_str(),
        "value": null,
        "reason": detail,
    });
    problem(413, &detail, 0, vec![error])
}

fn problem(status: u16, detail: &str, rejected: u64, errors: Vec<Value>) -> Response {
    let mut members = Map::new();
    members.insert("rejected".to_owned(), rejected.into());
    members.insert("errors".to_owned(), Value::Array(errors));
    Response::problem_with(status, detail, members)
}

/// The format of the rows by their media type; none if it is unsupported.
fn format(content_type: Option<&str>) -> Option<Format> {
    let media_type = content_type?.split(';').next()?.trim().to_ascii_lowercase();
    match media_type.as_str() {
        "text/csv" | "application/csv" => Some(Format::Csv),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Format::Ndjson),
        "application/json" => Some(Format::JsonArray),
        archive if ARCHIVES.contains(&archive) => Some(Format::Csv),
        _ => None,
    }
}

/// Whether a field of the query says yes.
fn flag(request: &Request<'_>, name: &str) -> Result<bool> {
    match request.field(name)? {
        None | Some("false" | "0" | "no") => Ok(false),
        Some("" | "true" | "1" | "yes") => Ok(true),
        Some(other) => {
            let other = other.escape_debug();
            Err(Error::invalid(format!(
                "unknown {name} `{other}` (expected `true` or `false`)"
            )))
        }
    }
}

/// The request's `Idempotency-Key`.
fn key(request: &Request<'_>) -> Result<Option<String>> {
    match request.header("Idempotency-Key") {
        Some(key) if key.is_empty() || key.len() > KEY_BYTES_MAX => Err(Error::invalid(format!(
            "an Idempotency-Key has 1 to {KEY_BYTES_MAX} characters"
        ))),
        key => Ok(key.map(str::to_owned)),
    }
}

/// Counts a body and hashes it during the read, if that is asked for; a body that is too long ends in an error.
struct Measured<'a> {
    body: &'a mut (dyn Read + Send),
    hash: Option<Sha256>,
    bytes: u64,
    bytes_max: u64,
}

impl Read for Measured<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(buffer)?;
        self.bytes += count as u64;
        if self.bytes > self.bytes_max {
            return Err(io::Error::other("the body is too large"));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}
