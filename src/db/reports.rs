//! Reports in the database: a row before the id is given out, the CSV when it is complete.
//!
//! It must never know how a report is made.

use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::polls;
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

/// How far a report has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// Waiting for a worker, or being made.
    Running,
    /// Made: its CSV is in the database.
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
}

/// The record of a report: everything but its CSV.
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
    "id, state, as_of, interpolation, triggered_at, finished_at, error, length(csv)";

fn report(row: &Row<'_>) -> rusqlite::Result<Report> {
    // The schema's CHECKs leave no other words.
    let state = match row.get_ref(1)?.as_str()? {
        "Complete" => ReportState::Complete,
        "Failed" => ReportState::Failed,
        _ => ReportState::Running,
    };
    let rule = Interpolation::from_name(row.get_ref(3)?.as_str()?).unwrap_or_default();
    let id = Uuid::try_parse(row.get_ref(0)?.as_str()?).unwrap_or_default();
    Ok(Report {
        id,
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

/// Adds a report that is about to run. `as_of` none: the newest poll's instant, or `triggered_at`
/// where there are no polls.
///
/// # Errors
/// When the database cannot be written.
pub fn add(
    db: &Connection,
    id: Uuid,
    as_of: Option<Micros>,
    rule: Interpolation,
    triggered_at: Micros,
) -> Result<Question> {
    let as_of = match as_of {
        Some(as_of) => as_of,
        None => polls::newest(db)?.unwrap_or(triggered_at),
    };
    db.prepare_cached(
        "INSERT INTO report (id, state, as_of, interpolation, triggered_at) VALUES (?1, 'Running', ?2, ?3, ?4)",
    )?
    .execute((id.to_string(), as_of, rule.as_str(), triggered_at))?;
    Ok(Question { as_of, rule })
}

/// Keeps the outcome of a report: its CSV, or why there is none.
///
/// # Errors
/// When the database cannot be written.
pub fn finish(
    db: &Connection,
    id: Uuid,
    outcome: Result<&[u8], &String>,
    finished_at: Micros,
) -> Result<()> {
    let (state, csv, error) = match outcome {
        Ok(csv) => (ReportState::Complete, Some(csv), None),
        Err(error) => (ReportState::Failed, None, Some(error)),
    };
    db.prepare_cached(
        "UPDATE report SET state = ?2, csv = ?3, error = ?4, finished_at = ?5 WHERE id = ?1",
    )?
    .execute((id.to_string(), state.as_str(), csv, error, finished_at))?;
    Ok(())
}

/// Forgets the oldest finished reports beyond the newest `keep`.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_old(db: &Connection, keep: u32) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM report WHERE state <> 'Running' AND rowid IN (
             SELECT rowid FROM report ORDER BY triggered_at DESC, id DESC LIMIT -1 OFFSET ?1)",
    )?
    .execute([keep])?;
    Ok(())
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
/// When the database cannot be read.
pub fn csv(db: &Connection, id: Uuid) -> Result<Option<Vec<u8>>> {
    let mut select = db.prepare_cached("SELECT csv FROM report WHERE id = ?1")?;
    Ok(select
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?
        .flatten())
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

/// Reports that a stop left unfinished, the oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn unfinished(db: &Connection) -> Result<Vec<Report>> {
    let select =
        format!("SELECT {COLUMNS} FROM report WHERE state = 'Running' ORDER BY triggered_at, id");
    let mut select = db.prepare(&select)?;
    let reports = select.query_map([], report)?;
    Ok(reports.collect::<rusqlite::Result<_>>()?)
}
