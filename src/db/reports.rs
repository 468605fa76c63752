//! Reports in the database: a row before the id is given out, the numbers once they are made.
//!
//! A report is kept as its numbers ([`Rows`]), and the ids of their stores once for all reports of the same
//! fleet: an eighth of its CSV or so, which is an eighth of what a commit must write.
//! It must never know how a report is made.

use std::collections::BTreeSet;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::uptime::interval::Micros;
use crate::uptime::report::{self, Question};
use crate::uptime::rows::Rows;
use crate::uptime::timeline::Interpolation;

/// How far a report has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// Waiting for a worker, or being made.
    Running,
    /// Made: its numbers are in the database.
    Complete,
    /// It could not be made; the report says why.
    Failed,
}

impl ReportState {
    /// The word that callers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }

    /// The state by its word; the schema's CHECKs leave no other words.
    fn from_word(word: &str) -> Self {
        match word {
            "Complete" => Self::Complete,
            "Failed" => Self::Failed,
            _ => Self::Running,
        }
    }
}

/// What a report is from its trigger on.
#[derive(Clone, Copy, Debug)]
pub struct Triggered {
    /// What callers ask for it by.
    pub id: Uuid,
    /// What it answers.
    pub question: Question,
    /// When it was triggered, by the machine's clock.
    pub triggered_at: Micros,
}

/// The record of a report: everything but its rows.
#[derive(Clone, Debug)]
pub struct Report {
    /// What callers ask for it by.
    pub id: Uuid,
    /// How far it has come.
    pub state: ReportState,
    /// What it answers; fixed when it was triggered.
    pub question: Question,
    /// When it was triggered, by the machine's clock.
    pub triggered_at: Micros,
    /// When it was complete or failed; none while it runs.
    pub finished_at: Option<Micros>,
    /// Why it failed.
    pub error: Option<String>,
    /// How long its CSV is, in bytes.
    pub csv_bytes: Option<u32>,
}

const COLUMNS: &str =
    "id, state, as_of, interpolation, triggered_at, finished_at, error, csv_bytes";

fn report(row: &Row<'_>) -> rusqlite::Result<Report> {
    let state = ReportState::from_word(row.get_ref(1)?.as_str()?);
    let rule = Interpolation::from_name(row.get_ref(3)?.as_str()?).unwrap_or_default();
    Ok(Report {
        id: id(row)?,
        state,
        question: Question {
            as_of: row.get(2)?,
            rule,
        },
        triggered_at: row.get(4)?,
        finished_at: row.get(5)?,
        error: row.get(6)?,
        csv_bytes: row.get(7)?,
    })
}

/// The id in the first column.
fn id(row: &Row<'_>) -> rusqlite::Result<Uuid> {
    // One that is none is for `check` to tell.
    Ok(Uuid::try_parse(row.get_ref(0)?.as_str()?).unwrap_or_default())
}

/// Adds a report that runs; one that has ended meanwhile stays as it is.
///
/// # Errors
/// When the database cannot be written.
pub fn add(db: &Connection, triggered: Triggered) -> Result<()> {
    let Triggered {
        id,
        question: Question { as_of, rule },
        triggered_at,
    } = triggered;
    db.prepare_cached(
        "INSERT INTO report (id, state, as_of, interpolation, triggered_at)
         VALUES (?1, 'Running', ?2, ?3, ?4)
         ON CONFLICT (id) DO NOTHING",
    )?
    .execute((id.to_string(), as_of, rule.as_str(), triggered_at))?;
    Ok(())
}

/// Keeps a report that is made, whether it has a row or not. `fleet` is the generation of its stores.
///
/// # Errors
/// When the database cannot be written.
pub fn complete(
    db: &Connection,
    triggered: Triggered,
    report: &report::Report,
    fleet: i64,
    finished_at: Micros,
) -> Result<()> {
    let mut known = db.prepare_cached("SELECT 1 FROM report_fleet WHERE generation = ?1")?;
    if !known.exists([fleet])? {
        let ids = report.fleet().stores().iter().map(|store| &*store.id);
        let ids = serde_json::Value::from_iter(ids).to_string();
        db.prepare_cached("INSERT INTO report_fleet (generation, store_ids) VALUES (?1, ?2)")?
            .execute((fleet, ids))?;
    }
    let Triggered {
        id,
        question: Question { as_of, rule },
        triggered_at,
    } = triggered;
    db.prepare_cached(
        "INSERT INTO report (id, state, as_of, interpolation, triggered_at,
                             finished_at, csv_bytes, fleet, numbers, shared)
         VALUES (?1, 'Complete', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET
             state = excluded.state, finished_at = excluded.finished_at,
             csv_bytes = excluded.csv_bytes, fleet = excluded.fleet,
             numbers = excluded.numbers, shared = excluded.shared",
    )?
    .execute((
        id.to_string(),
        as_of,
        rule.as_str(),
        triggered_at,
        finished_at,
        report.csv_bytes(),
        fleet,
        report.rows().own_bytes(),
        report.rows().shared_bytes(),
    ))?;
    Ok(())
}

/// Keeps the reason why a report could not be made, whether it has a row or not.
///
/// # Errors
/// When the database cannot be written.
pub fn fail(db: &Connection, triggered: Triggered, error: &str, finished_at: Micros) -> Result<()> {
    add(db, triggered)?;
    db.prepare_cached(
        "UPDATE report SET state = 'Failed', finished_at = ?2, error = ?3 WHERE id = ?1",
    )?
    .execute((triggered.id.to_string(), finished_at, error))?;
    Ok(())
}

/// Forgets the oldest finished reports beyond the newest `keep`; returns which.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_old(db: &Connection, keep: u32) -> Result<Vec<Uuid>> {
    let mut delete = db.prepare_cached(
        "DELETE FROM report WHERE state <> 'Running' AND rowid IN (
             SELECT rowid FROM report ORDER BY triggered_at DESC, id DESC LIMIT -1 OFFSET ?1)
         RETURNING id, fleet",
    )?;
    let (mut ids, mut fleets) = (Vec::new(), BTreeSet::new());
    let mut rows = delete.query([keep])?;
    while let Some(row) = rows.next()? {
        ids.push(id(row)?);
        fleets.extend(row.get::<_, Option<i64>>(1)?);
    }
    // One after the other, and only those: a look through all reports would read a page of each.
    let mut delete = db.prepare_cached(
        "DELETE FROM report_fleet WHERE generation = ?1
         AND NOT EXISTS (SELECT 1 FROM report WHERE fleet = ?1)",
    )?;
    for fleet in fleets {
        delete.execute([fleet])?;
    }
    Ok(ids)
}

/// The report called `id`.
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::error::ErrorKind) when there is none.
pub fn find(db: &Connection, id: Uuid) -> Result<Report> {
    let select = format!("SELECT {COLUMNS} FROM report WHERE id = ?1");
    let found = db
        .prepare_cached(&select)?
        .query_row([id.to_string()], report)
        .optional()?;
    found.ok_or_else(|| {
        Error::not_found(format!(
            "there is no report {id} (POST /trigger_report makes one)"
        ))
    })
}

/// The CSV of a report; none unless it is complete.
///
/// # Errors
/// When the database cannot be read, or the report is damaged.
pub fn csv(db: &Connection, id: Uuid) -> Result<Option<Vec<u8>>> {
    let mut select = db.prepare_cached(
        "SELECT csv, numbers, shared, (SELECT store_ids FROM report_fleet WHERE generation = fleet)
         FROM report WHERE id = ?1",
    )?;
    let mut rows = select.query([id.to_string()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    if let Some(csv) = row.get(0)? {
        return Ok(Some(csv));
    }
    if row.get_ref(1)? == ValueRef::Null {
        return Ok(None);
    }
    let (ids, rows) = kept_rows(row)?
        .ok_or_else(|| Error::failed(format!("report {id} is damaged (`check` tells how)")))?;
    Ok(Some(report::csv(ids.iter().map(String::as_str), &rows)))
}

/// The stores of a report and their rows, from the columns `numbers`, `shared` and `store_ids` that follow
/// the first; none if they do not belong together.
fn kept_rows(row: &Row<'_>) -> Result<Option<(Vec<String>, Rows)>> {
    let (own, shared) = (row.get_ref(1)?.as_blob(), row.get_ref(2)?.as_blob_or_null());
    let ids = row.get_ref(3)?.as_str().ok();
    let ids = ids.and_then(|ids| serde_json::from_str::<Vec<String>>(ids).ok());
    Ok(match (ids, own, shared) {
        (Some(ids), Ok(own), Ok(shared)) => {
            Rows::from_bytes(ids.len(), own, shared).map(|rows| (ids, rows))
        }
        _ => None,
    })
}

/// The ids of the reports whose numbers are not those of their stores.
///
/// # Errors
/// When the database cannot be read.
pub fn wrong(db: &Connection) -> Result<Vec<String>> {
    let mut select = db.prepare(
        "SELECT id, numbers, shared, store_ids FROM report LEFT JOIN report_fleet ON generation = fleet
         WHERE numbers IS NOT NULL",
    )?;
    let mut rows = select.query([])?;
    let mut wrong = Vec::new();
    while let Some(row) = rows.next()? {
        if kept_rows(row)?.is_none() {
            wrong.push(row.get(0)?);
        }
    }
    Ok(wrong)
}

/// The newest reports first, at most `limit`, from those triggered before `before` if it is given.
///
/// # Errors
/// When the database cannot be read.
pub fn list(db: &Connection, before: Option<(Micros, Uuid)>, limit: u32) -> Result<Vec<Report>> {
    let (at, id) = before.map_or((Micros::MAX, String::new()), |(at, id)| {
        (at, id.to_string())
    });
    let select = format!(
        "SELECT {COLUMNS} FROM report WHERE (triggered_at, id) < (?1, ?2)
         ORDER BY triggered_at DESC, id DESC LIMIT ?3"
    );
    let mut select = db.prepare_cached(&select)?;
    let reports = select.query_map((at, id, limit), report)?;
    Ok(reports.collect::<rusqlite::Result<_>>()?)
}

/// How many reports there are in each state; a state without any is left out.
///
/// # Errors
/// When the database cannot be read.
pub fn counts(db: &Connection) -> Result<Vec<(ReportState, i64)>> {
    let mut select = db.prepare_cached("SELECT state, count(*) FROM report GROUP BY state")?;
    let counts = select.query_map([], |row| {
        Ok((
            ReportState::from_word(row.get_ref(0)?.as_str()?),
            row.get(1)?,
        ))
    })?;
    Ok(counts.collect::<rusqlite::Result<_>>()?)
}

/// Reports that a stop left unfinished, the oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn unfinished(db: &Connection) -> Result<Vec<Triggered>> {
    let select =
        format!("SELECT {COLUMNS} FROM report WHERE state = 'Running' ORDER BY triggered_at, id");
    let mut select = db.prepare(&select)?;
    let reports = select.query_map([], |row| {
        let Report {
            id,
            question,
            triggered_at,
            ..
        } = report(row)?;
        Ok(Triggered {
            id,
            question,
            triggered_at,
        })
    })?;
    Ok(reports.collect::<rusqlite::Result<_>>()?)
}
