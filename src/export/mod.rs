//! Export: the stored rows, as CSV that `import` accepts unchanged. The mirror of `ingest`.
//! [`lake`] writes files by day for a warehouse.
//!
//! It streams. The order depends on the data alone, not on the order of import, so a round trip is
//! byte-identical. Ids are written unchanged, quoted only where RFC 4180 requires it. An id such as `=1+1` is
//! legal: a spreadsheet must import the column as text.

pub mod lake;

use std::io::Write;

use rusqlite::Connection;

use crate::civil::format_utc;
use crate::db::audit::{self, Actor};
use crate::db::incident_reasons;
use crate::error::{Error, Result};
use crate::ingest::kind::Kind;

/// Writes every row of a kind. A column that no row uses is left out, as in the files of those who do not need it.
///
/// # Errors
/// When the database cannot be read or `out` not be written.
pub fn rows(kind: Kind, db: &Connection, out: impl Write) -> Result<()> {
    let unused = kind.unused(db)?;
    let columns = kind.description().exported.iter();
    let is_used: Vec<bool> = columns.clone().map(|column| !unused.contains(column)).collect();
    let columns: Vec<&str> = columns
        .zip(&is_used)
        .filter(|(_, is)| **is)
        .map(|(column, _)| *column)
        .collect();
    let mut csv = writer(out, &columns)?;
    kind.export(db, &mut |fields| {
        let used = fields.iter().zip(&is_used).filter(|(_, is)| **is);
        csv.write_record(used.map(|(field, _)| field)).map_err(unwritten)
    })?;
    csv.flush().map_err(|error| unwritten(error.into()))
}

/// Writes why stores were offline, as their owners said, by store and instant. `import` does not take it back.
///
/// # Errors
/// When the database cannot be read or `out` not be written.
pub fn reasons(db: &Connection, out: impl Write) -> Result<()> {
    let mut csv = writer(out, &["store_id", "at", "reason", "line", "noted_at"])?;
    incident_reasons::for_each(db, |id, noted| {
        let (at, noted_at, note) = (format_utc(noted.at), format_utc(noted.noted_at), &noted.note);
        csv.write_record([id, &at, note.reason.as_str(), &note.line, &noted_at])
            .map_err(unwritten)
    })?;
    csv.flush().map_err(|error| unwritten(error.into()))
}

/// Writes the audit, the oldest row first. Unlike the other exports, `import` does not take it back.
///
/// # Errors
/// When the database cannot be read or `out` not be written.
pub fn audit(db: &Connection, out: impl Write) -> Result<()> {
    let mut csv = writer(out, &["at", "credential", "action", "subject", "count", "address"])?;
    audit::for_each(db, |row| {
        let (at, count) = (format_utc(row.at), row.count.to_string());
        let Actor { credential, address } = &row.actor;
        csv.write_record([at.as_str(), credential, &row.action, &row.subject, &count, address])
            .map_err(unwritten)
    })?;
    csv.flush().map_err(|error| unwritten(error.into()))
}

fn writer<W: Write>(out: W, header: &[&str]) -> Result<csv::Writer<W>> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(header).map_err(unwritten)?;
    Ok(csv)
}

fn unwritten(error: csv::Error) -> Error {
    let failed = Error::failed("the export cannot be written");
    match error.into_kind() {
        // Unwrapped: a `csv::Error` hides its source, and the caller must recognise a closed pipe.
        csv::ErrorKind::Io(error) => failed.because(error),
        other => failed.because(format!("{other:?}")),
    }
}
