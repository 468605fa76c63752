//! The check: SQLite's own integrity check, and every invariant that the schema cannot express.
//!
//! Each finding is a sentence. Nothing is changed; [`repair`](super::repair) does that.

use rusqlite::Connection;

use super::{credentials, digest, packed, poll_table, reports, schedules, special_hours};
use crate::civil;
use crate::error::Result;
use crate::uptime::interval::HOUR;

/// How many findings of one kind are listed; the others are counted.
const FINDINGS_MAX: usize = 20;

/// Every fault of the database; empty if there is none. What cannot even be read is a finding, too.
/// `begin` receives the name of each part of the work.
pub fn findings(db: &Connection, begin: &mut dyn FnMut(&str)) -> Vec<String> {
    let mut findings = Vec::new();
    for (what, part) in PARTS {
        begin(what);
        if let Err(error) = part(db, &mut findings) {
            findings.push(format!("{what} cannot be read: {error}"));
        }
    }
    findings
}

/// A part of the check.
type Part = fn(&Connection, &mut Vec<String>) -> Result<()>;

const PARTS: [(&str, Part); 5] = [
    ("the file", integrity),
    ("the rows", invariants),
    ("the polls", polls),
    ("the stores", fleet),
    ("the reports", kept_reports),
];

/// The rows that were stored are there, and no others.
fn polls(db: &Connection, findings: &mut Vec<String>) -> Result<()> {
    let differences = poll_table::differences(db)?;
    let hours = differences
        .iter()
        .map(|difference| format!("{difference} (`check --repair` tells what is lost)"));
    add(findings, hours);
    let wrong = packed::wrong(db)?;
    let hours = wrong.iter().map(|hour| {
        let from = civil::format_utc(hour.saturating_mul(HOUR));
        format!(
            "the packed polls of the hour from {from} are not those of its rows (`check --repair` packs them again)"
        )
    });
    add(findings, hours);
    Ok(())
}

fn fleet(db: &Connection, findings: &mut Vec<String>) -> Result<()> {
    if !digest::is_fleet_right(db)? {
        findings.push(
            "stores, zones, names or hours are not those that were stored (compare `export` with your files; `check \
             --repair` takes them as they are)"
                .to_owned(),
        );
    }
    Ok(())
}

fn kept_reports(db: &Connection, findings: &mut Vec<String>) -> Result<()> {
    let ids = reports::damaged(db)?;
    add(
        findings,
        ids.iter()
            .map(|id| format!("report {id} is damaged (`check --repair` deletes it)")),
    );
    Ok(())
}

/// Adds findings of one kind, as many as are listed.
fn add(findings: &mut Vec<String>, more: impl ExactSizeIterator<Item = String>) {
    let count = more.len();
    findings.extend(more.take(FINDINGS_MAX));
    if let Some(more) = count.checked_sub(FINDINGS_MAX).filter(|&more| more > 0) {
        findings.push(format!("{more} more of the last kind"));
    }
}

/// Every rule of the rows that the schema cannot express.
fn invariants(db: &Connection, findings: &mut Vec<String>) -> Result<()> {
    for (query, what) in [
        (
            "SELECT DISTINCT store FROM poll WHERE store NOT IN (SELECT key FROM store)",
            "polls of a store key that no store has",
        ),
        (
            "SELECT DISTINCT store FROM store_hours WHERE store NOT IN (SELECT key FROM store)",
            "business hours of a store key that no store has",
        ),
        (
            "SELECT DISTINCT store FROM incident_reason WHERE store NOT IN (SELECT key FROM store)",
            "reasons of a store key that no store has",
        ),
        (
            "SELECT DISTINCT store FROM store_hours WHERE schedule NOT IN (SELECT key FROM schedule)",
            "business hours of a schedule that is not there, of store key",
        ),
        (
            "SELECT key FROM schedule WHERE key NOT IN (SELECT schedule FROM store_hours)",
            "a schedule that no store keeps, key",
        ),
        (
            "SELECT store_id FROM store
             WHERE special_days IS NOT NULL AND special_days NOT IN (SELECT key FROM special_days)",
            "special days that are not there, of store",
        ),
        (
            "SELECT key FROM special_days
             WHERE key NOT IN (SELECT special_days FROM store WHERE special_days IS NOT NULL)",
            "a set of special days that no store keeps, key",
        ),
        (
            "SELECT store_id FROM store WHERE sales_per_hour < 0 OR target NOT BETWEEN 0 AND 10000",
            "a negative rate, or a target that is no per cent, of store",
        ),
        (
            "SELECT key FROM store WHERE key NOT BETWEEN 0 AND 4294967295",
            "a store key that is not a 32-bit number",
        ),
        (
            "SELECT key FROM store WHERE store_id = ''",
            "a store with an empty id, key",
        ),
        (
            "SELECT store_id FROM store WHERE (name IS NULL) <> (store_group IS NULL)",
            "a name without a group, or the other way round, of store",
        ),
        (
            "SELECT id FROM report WHERE (state = 'Complete') <> (csv IS NOT NULL OR rows IS NOT NULL)",
            "a complete report without its rows, or rows of one that is not, id",
        ),
        (
            "SELECT id FROM report WHERE (state = 'Failed') <> (error IS NOT NULL)",
            "a failed report without its reason, or a reason of one that did not, id",
        ),
        (
            "SELECT id FROM report WHERE (state = 'Running') <> (finished_at IS NULL)",
            "a finished report without its end, or an end of one that runs, id",
        ),
    ] {
        values(db, query, |value| Some(format!("{what} {value}")), findings)?;
    }
    values(
        db,
        "SELECT DISTINCT timezone FROM store WHERE timezone IS NOT NULL",
        |zone| {
            zone.parse::<chrono_tz::Tz>()
                .is_err()
                .then(|| format!("an unknown time zone `{zone}`"))
        },
        findings,
    )?;
    values(
        db,
        "SELECT week FROM schedule",
        |week| schedules::decode(week).err().map(|error| error.message().to_owned()),
        findings,
    )?;
    values(
        db,
        "SELECT DISTINCT valid_from FROM store_hours",
        |date| {
            schedules::decode_date(date)
                .err()
                .map(|error| error.message().to_owned())
        },
        findings,
    )?;
    values(
        db,
        "SELECT days FROM special_days",
        |days| {
            special_hours::decode(days)
                .err()
                .map(|error| error.message().to_owned())
        },
        findings,
    )?;
    values(
        db,
        "SELECT id FROM report",
        |id| {
            uuid::Uuid::try_parse(id)
                .is_err()
                .then(|| format!("a report id that is no UUID, `{id}`"))
        },
        findings,
    )?;
    for key in credentials::all(db)?.damaged {
        findings.push(format!(
            "a token or link that is not as it was made, key {key}: it opens nothing"
        ));
    }
    Ok(())
}

/// SQLite's own check of pages, indexes, types and constraints.
fn integrity(db: &Connection, findings: &mut Vec<String>) -> Result<()> {
    values(
        db,
        "PRAGMA integrity_check(20)",
        |line| (line != "ok").then(|| format!("SQLite reports: {line}")),
        findings,
    )
}

/// Calls `find` with each value in the first column of `query`, and adds the findings.
fn values(
    db: &Connection,
    query: &str,
    find: impl Fn(&str) -> Option<String>,
    findings: &mut Vec<String>,
) -> Result<()> {
    let mut select = db.prepare(query)?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let value = match row.get_ref(0)? {
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        if let Some(finding) = find(&value) {
            count += 1;
            if count <= FINDINGS_MAX {
                findings.push(finding);
            }
        }
    }
    if let Some(more) = count.checked_sub(FINDINGS_MAX).filter(|&more| more > 0) {
        findings.push(format!("{more} more of the last kind"));
    }
    Ok(())
}
