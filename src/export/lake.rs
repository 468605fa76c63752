//! The lake: the database as files by UTC day, in Hive's layout, which warehouses read directly.
//!
//! - `polls/day=…/polls.csv.gz`: one row a poll, ordered by instant and store.
//! - `open_intervals/day=…/open_intervals.csv.gz`: business time in half-open intervals, with seams closed. They
//!   are cut at midnight UTC, so a query for one day reads one file.
//! - `stores/stores.csv.gz`: every store, with the zone that the report uses.
//!
//! Each instant is written twice: as text, and as microseconds since 1970 for exact arithmetic. The same data
//! give the same bytes. The caller creates the files.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;

use flate2::{Compression, GzBuilder};
use rusqlite::Connection;

use super::{unwritten, writer};
use crate::civil;
use crate::db::fleet::{self, Label};
use crate::db::polls;
use crate::error::{Error, Result};
use crate::uptime::fleet::{BusinessTime, Fleet, StoreKey};
use crate::uptime::hundredths;
use crate::uptime::interval::{DAY, Interval, Micros};
use crate::uptime::poll::Status;

/// The fastest level: only machines read these files, so size matters less.
const COMPRESSION: Compression = Compression::fast();

/// Writes the contents of one file.
pub type Fill<'a> = dyn FnMut(&mut dyn Write) -> Result<()> + 'a;

/// Creates the files of a lake.
pub trait Files {
    /// Creates or replaces the file at `path` (relative, with `/`) with the bytes that `fill` writes.
    ///
    /// # Errors
    /// Those of `fill`, and when the file cannot be written.
    fn make(&mut self, path: &str, fill: &mut Fill<'_>) -> Result<()>;
}

/// How much was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of polls.
    pub polls: u64,
    /// Rows of business time.
    pub open_intervals: u64,
    /// Rows of stores.
    pub stores: u64,
    /// The days without polls, whose existing files were not touched.
    pub days_without_polls: Vec<i64>,
}

/// Writes the polls and the business time of `days`, counted from 1970-01-01, and every store.
///
/// `view` is a connection inside a read transaction. Memory: some hundred bytes a store, however many polls.
///
/// The file of a day without polls is not replaced: the database may have forgotten polls that the lake keeps.
///
/// # Errors
/// When `days` have no poll or the database cannot be read; those of `files`.
pub fn write(view: &Connection, days: RangeInclusive<i64>, files: &mut impl Files) -> Result<Summary> {
    let all = Interval::new(span_of(*days.start()).start, span_of(*days.end()).end);
    if polls::first(view, all)?.is_none() {
        return Err(no_polls(view, &days)?);
    }
    let fleet = fleet::load(view)?;
    let mut summary = Summary::default();
    files.make("stores/stores.csv.gz", &mut |out| {
        summary.stores = stores(view, &fleet, out)?;
        Ok(())
    })?;
    let places: HashMap<StoreKey, usize> = (0..)
        .zip(fleet.stores())
        .map(|(place, store)| (store.key, place))
        .collect();
    for day in days {
        let (name, span) = (civil::format_day(day), span_of(day));
        let path = format!("open_intervals/day={name}/open_intervals.csv.gz");
        files.make(&path, &mut |out| {
            summary.open_intervals += open_intervals(&fleet, span, out)?;
            Ok(())
        })?;
        if polls::first(view, span)?.is_none() {
            summary.days_without_polls.push(day);
            continue;
        }
        files.make(&format!("polls/day={name}/polls.csv.gz"), &mut |out| {
            summary.polls += polls_of(view, &fleet, &places, span, out)?;
            Ok(())
        })?;
    }
    Ok(summary)
}

fn span_of(day: i64) -> Interval {
    Interval::new(day * DAY, (day + 1) * DAY)
}

/// The error for days without any poll.
fn no_polls(view: &Connection, days: &RangeInclusive<i64>) -> Result<Error> {
    let [first, last] = [days.start(), days.end()].map(|&day| civil::format_day(day));
    let remedy = match (polls::first(view, polls::ALL_TIME)?, polls::newest(view)?) {
        (Some(oldest), Some(newest)) => {
            let [oldest, newest] = [oldest, newest].map(|at| civil::format_day(at.div_euclid(DAY)));
            format!("those in the database are from {oldest} to {newest}")
        }
        _ => "`import` brings some".to_owned(),
    };
    Ok(Error::invalid(format!(
        "there are no polls from {first} to {last} ({remedy})"
    )))
}

/// Gives `write` a gzip writer, and returns its count of rows.
fn compressed(out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> Result<u64>) -> Result<u64> {
    let failed = |error: io::Error| Error::failed("the export cannot be written").because(error);
    // No file name or time in the header: the same rows give the same bytes.
    let gzip = GzBuilder::new().write(out, COMPRESSION);
    let mut buffered = BufWriter::with_capacity(1 << 16, gzip);
    let rows = write(&mut buffered)?;
    let gzip = buffered.into_inner().map_err(|error| failed(error.into()))?;
    gzip.finish().map_err(failed)?;
    Ok(rows)
}

/// Every store, ordered by id as bytes.
fn stores(view: &Connection, fleet: &Fleet, out: &mut dyn Write) -> Result<u64> {
    compressed(out, |out| {
        let header = ["store_id", "name", "group", "timezone", "sales_per_hour", "target"];
        let mut csv = writer(out, &header)?;
        let mut rest = fleet.stores().iter();
        let (mut rows, unlabelled) = (0, Label::default());
        let mut write = |id: &str, label: &Label, pattern: usize| {
            rows += 1;
            let zone = fleet.patterns()[pattern].zone.name();
            let numbers = [label.sales_per_hour, label.target];
            let [sales, target] = numbers.map(|number| number.map(hundredths::format).unwrap_or_default());
            let record = [id, &label.name, &label.group, zone, &sales, &target];
            csv.write_record(record).map_err(unwritten)
        };
        // Both lists are sorted by id, and every label belongs to a store.
        fleet::for_each_label(view, |id, label| {
            for store in rest.by_ref() {
                if &*store.id == id {
                    return write(id, label, store.pattern);
                }
                write(&store.id, &unlabelled, store.pattern)?;
            }
            Ok(())
        })?;
        for store in rest {
            write(&store.id, &unlabelled, store.pattern)?;
        }
        csv.flush().map_err(|error| unwritten(error.into()))?;
        drop(csv);
        Ok(rows)
    })
}

/// The business time of every store within a day, ordered by store id and instant.
fn open_intervals(fleet: &Fleet, span: Interval, out: &mut dyn Write) -> Result<u64> {
    let business = BusinessTime::new(fleet, span);
    // Each pattern is formatted once: thousands of stores share it.
    let fields = |interval: &Interval| {
        let (start, end) = (interval.start, interval.end);
        [
            civil::format_utc(start),
            civil::format_utc(end),
            start.to_string(),
            end.to_string(),
        ]
    };
    let written: Vec<Vec<[String; 4]>> = (0..fleet.patterns().len())
        .map(|pattern| business.of(pattern).intervals().as_slice())
        .map(|intervals| intervals.iter().map(fields).collect())
        .collect();
    compressed(out, |out| {
        let header = ["store_id", "start_utc", "end_utc", "start_us", "end_us"];
        let mut csv = writer(out, &header)?;
        let mut rows = 0;
        for store in fleet.stores() {
            for [start, end, start_us, end_us] in &written[store.pattern] {
                csv.write_record([&*store.id, start, end, start_us, end_us])
                    .map_err(unwritten)?;
                rows += 1;
            }
        }
        csv.flush().map_err(|error| unwritten(error.into()))?;
        drop(csv);
        Ok(rows)
    })
}

/// Every poll within a day, ordered by instant and store id.
fn polls_of(
    view: &Connection,
    fleet: &Fleet,
    places: &HashMap<StoreKey, usize>,
    span: Interval,
    out: &mut dyn Write,
) -> Result<u64> {
    compressed(out, |out| {
        let header = ["store_id", "timestamp_utc", "status", "timestamp_us"];
        let mut csv = writer(out, &header)?;
        let (mut rows, mut instant, mut same) = (0, Micros::MIN, Vec::new());
        let mut timestamp = Vec::new();
        let mut write = |at: Micros, polls: &mut Vec<(usize, Status)>| -> Result<()> {
            // The table orders the polls of one instant by store key, not by id.
            polls.sort_unstable_by_key(|&(place, _)| place);
            timestamp.clear();
            civil::write_timestamp(&mut timestamp, at);
            let at = at.to_string();
            for (place, status) in polls.drain(..) {
                let (id, status) = (fleet.stores()[place].id.as_bytes(), status.as_str());
                csv.write_record([id, &timestamp, status.as_bytes(), at.as_bytes()])
                    .map_err(unwritten)?;
                rows += 1;
            }
            Ok(())
        };
        polls::for_each_within(view, span, |at, store, status| {
            if at != instant {
                write(instant, &mut same)?;
                instant = at;
            }
            let place = places.get(&store).copied();
            let place = place.ok_or_else(|| Error::failed(format!("store key {store} has no store (run `check`)")))?;
            same.push((place, status));
            Ok(())
        })?;
        write(instant, &mut same)?;
        csv.flush().map_err(|error| unwritten(error.into()))?;
        drop(csv);
        Ok(rows)
    })
}
