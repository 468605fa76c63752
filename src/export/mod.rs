//! Export: what is stored, as the CSV that `import` takes back unchanged. The mirror of `ingest`.
//! [`lake`] writes the same for a warehouse, in files by day.
//!
//! It streams, in an order that depends on the data alone and not on how it came in, so that a round
//! trip is byte-identical. Ids are written as they are, quoted only where RFC 4180 asks for it: one
//! such as `=1+1` is legal, and a spreadsheet is kept from running it by importing the column as text.

pub mod lake;

use std::collections::HashMap;
use std::io::Write;

use rusqlite::Connection;

use crate::civil;
use crate::db::{fleet, polls, schedules, store_keys};
use crate::error::{Error, Result};
use crate::uptime::business_hours::WeeklyRow;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Status;

/// Writes every poll, ordered by instant and store id.
///
/// # Errors
/// When the database cannot be read or `out` not be written.
pub fn polls(db: &Connection, out: impl Write) -> Result<()> {
    let mut csv = writer(out, &["store_id", "status", "timestamp_utc"])?;
    let ids = store_keys::ids(db)?;
    let mut timestamp = Vec::new();
    let mut write = |at: Micros, polls: &mut Vec<(&str, Status)>| -> Result<()> {
        // The table orders one instant's polls by key, which is the order in which stores came in.
        polls.sort_unstable_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        timestamp.clear();
        civil::write_timestamp(&mut timestamp, at);
        for (id, status) in polls.drain(..) {
            csv.write_record([id.as_bytes(), status.as_str().as_bytes(), &timestamp])
                .map_err(unwritten)?;
        }
        Ok(())
    };
    let (mut instant, mut same) = (Micros::MIN, Vec::new());
    polls::for_each(db, |at, store, status| {
        if at != instant {
            write(instant, &mut same)?;
            instant = at;
        }
        same.push((id_of(&ids, store)?, status));
        Ok(())
    })?;
    write(instant, &mut same)?;
    csv.flush().map_err(|error| unwritten(error.into()))
}

/// Writes every row of weekly hours, ordered by store id, day and times.
///
/// # Errors
/// As [`polls()`].
pub fn business_hours(db: &Connection, out: impl Write) -> Result<()> {
    let mut csv = writer(
        out,
        &["store_id", "day", "start_time_local", "end_time_local"],
    )?;
    let ids = store_keys::ids(db)?;
    let mut rows: Vec<(&str, WeeklyRow)> = Vec::new();
    schedules::for_each(db, |store, row| {
        rows.push((id_of(&ids, store)?, row));
        Ok(())
    })?;
    rows.sort_unstable_by(|(a, x), (b, y)| (a.as_bytes(), x).cmp(&(b.as_bytes(), y)));
    for (id, row) in rows {
        let time = civil::format_local_time;
        let (start, end) = (time(row.start_us_local), time(row.end_us_local));
        csv.write_record([id, &row.weekday.to_string(), &start, &end])
            .map_err(unwritten)?;
    }
    csv.flush().map_err(|error| unwritten(error.into()))
}

/// Writes the zone of every store that has one, ordered by store id.
///
/// # Errors
/// As [`polls()`].
pub fn timezones(db: &Connection, out: impl Write) -> Result<()> {
    let mut csv = writer(out, &["store_id", "timezone_str"])?;
    fleet::for_each_zone(db, |id, zone| {
        csv.write_record([id, zone]).map_err(unwritten)
    })?;
    csv.flush().map_err(|error| unwritten(error.into()))
}

/// Writes the name and group of every store that has them, ordered by store id.
///
/// # Errors
/// As [`polls()`].
pub fn stores(db: &Connection, out: impl Write) -> Result<()> {
    let mut csv = writer(out, &["store_id", "name", "group"])?;
    fleet::for_each_label(db, |id, name, group| {
        csv.write_record([id, name, group]).map_err(unwritten)
    })?;
    csv.flush().map_err(|error| unwritten(error.into()))
}

fn writer<W: Write>(out: W, header: &[&str]) -> Result<csv::Writer<W>> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(header).map_err(unwritten)?;
    Ok(csv)
}

fn id_of(ids: &HashMap<StoreKey, String>, store: StoreKey) -> Result<&str> {
    let id = ids.get(&store).map(String::as_str);
    id.ok_or_else(|| Error::failed(format!("store key {store} has no store (run `check`)")))
}

fn unwritten(error: csv::Error) -> Error {
    let failed = Error::failed("the export cannot be written");
    match error.into_kind() {
        // Unpacked: a `csv::Error` names no source, and a pipe closed by its reader must be seen below.
        csv::ErrorKind::Io(error) => failed.because(error),
        other => failed.because(format!("{other:?}")),
    }
}
