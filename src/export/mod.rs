//! Export: what is stored, as the CSV that `import` takes back unchanged. The mirror of `ingest`.
//! [`lake`] writes the same for a warehouse, in files by day.
//!
//! It streams, in an order that depends on the data alone and not on how it came in, so that a round
//! trip is byte-identical. Ids are written as they are, quoted only where RFC 4180 asks for it: one
//! such as `=1+1` is legal, and a spreadsheet is kept from running it by importing the column as text.

pub mod lake;

use std::io::Write;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::ingest::kind::Kind;

/// Writes every row of a kind.
///
/// # Errors
/// When the database cannot be read or `out` not be written.
pub fn rows(kind: Kind, db: &Connection, out: impl Write) -> Result<()> {
    let mut csv = writer(out, kind.description().exported)?;
    kind.export(db, &mut |fields| csv.write_record(fields).map_err(unwritten))?;
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
        // Unpacked: a `csv::Error` names no source, and a pipe closed by its reader must be seen below.
        csv::ErrorKind::Io(error) => failed.because(error),
        other => failed.because(format!("{other:?}")),
    }
}
