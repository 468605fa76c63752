//! The repair of a damaged database: what is derived is made again; of rows, it says what is lost.
//!
//! Three copies of an hour's polls vote: its rows, its digest, and its packed form if there is one. Rows that differ
//! are written again if the other two agree. Otherwise the rows that are there count from now on.

use rusqlite::Connection;

use super::digest::{self, Difference, HourDigests};
use super::packed_bytes::span_of;
use super::{credentials, generation, packed, poll_table, reports, schedules, special_hours};
use crate::civil;
use crate::error::Result;

/// Repairs what can be repaired, in the caller's transaction; returns what was done and what is lost, a sentence each.
///
/// # Errors
/// When the database cannot be read or written; its pages may be too damaged.
pub fn repair(db: &Connection) -> Result<Vec<String>> {
    let mut told = Vec::new();
    // Indexes are derived from the tables.
    db.execute_batch("REINDEX")?;
    let mut changed = false;
    for difference in poll_table::differences(db)? {
        told.push(hour(db, difference)?);
        changed = true;
    }
    let wrong = packed::wrong(db)?;
    packed::forget_hours(db, &wrong)?;
    if !wrong.is_empty() {
        told.push(format!(
            "{} packed hours were wrong; they are packed again from their rows",
            wrong.len()
        ));
    }
    if !digest::is_fleet_right(db)? {
        told.push(
            "stores, zones, names or hours had changed without a write; nothing tells which, and they count as they \
             are (compare them with your files, or load those again)"
                .to_owned(),
        );
        schedules::forget_unused(db)?;
        special_hours::forget_unused(db)?;
        generation::advance(db, generation::Kind::Fleet)?;
        digest::seal_fleet(db)?;
    }
    for id in reports::damaged(db)? {
        reports::forget(db, id)?;
        told.push(format!("report {id} was damaged and is deleted; trigger it again"));
    }
    for key in credentials::all(db)?.damaged {
        credentials::forget_damaged(db, key)?;
        told.push(format!(
            "the token or link with key {key} was damaged and is deleted; make a new one"
        ));
    }
    if changed {
        generation::advance(db, generation::Kind::Polls)?;
    }
    Ok(told)
}

/// Puts the polls of an hour right, or its digest; returns what happened.
fn hour(db: &Connection, Difference { hour, stored, found }: Difference) -> Result<String> {
    let span = span_of(hour);
    let from = civil::format_utc(span.start);
    if let Some(packed) = packed::polls_of(db, hour)? {
        let mut digests = HourDigests::default();
        digests.add_polls(&packed);
        if digests.differences(db, span)?.is_empty() {
            poll_table::rewrite(db, span, &packed)?;
            return Ok(format!(
                "the polls of the hour from {from} were wrong; they are written again from their packed copy"
            ));
        }
    }
    packed::forget(db, span)?;
    poll_table::trust(db, span)?;
    Ok(match found - stored {
        0 => format!("of the {stored} polls of the hour from {from}, some have changed; nothing tells which"),
        more @ 1.. => format!("the hour from {from} has {more} polls more than were stored"),
        fewer => format!("the hour from {from} has lost {} of {stored} polls", -fewer),
    })
}
