//! The records of jobs, each written before its id is returned, and their products.
//!
//! A product is stored as its numbers. Equal lists of stores are stored once. Together that is a third of the
//! CSV's bytes for a commit to write.

mod retention;

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::digest::checksum;
use super::made_up;
pub use super::triggered::{Requester, Triggered};
use crate::access::Audience;
use crate::error::{Error, Result};
use crate::render::store_list::StoreList;
use crate::uptime::interval::Micros;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

pub use retention::{ALL_REPORTS_FACTOR, forget_old};

/// The state of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// Waiting for a worker, or in progress.
    Running,
    /// Complete: its rows are in the database.
    Complete,
    /// Failed; the record has the reason.
    Failed,
}

impl ReportState {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }

    /// The state with that word; the schema's CHECKs allow no other word.
    fn from_word(word: &str) -> Self {
        match word {
            "Complete" => Self::Complete,
            "Failed" => Self::Failed,
            _ => Self::Running,
        }
    }
}

/// A report that a stop left unfinished.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// The report.
    pub report: Triggered,
    /// At how many unclean ends in a row it was being made.
    pub attempts: u32,
}

/// The record of a report, without its rows.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its place in the order of arrival: no clock can change that.
    pub number: i64,
    /// Its public id.
    pub id: Uuid,
    /// Its state.
    pub state: ReportState,
    /// The kind of product.
    pub kind: String,
    /// Its parameters besides the question, as a JSON object.
    pub parameters: String,
    /// The instant and the rule, fixed when it was triggered.
    pub question: Question,
    /// When it was triggered, by the machine's clock.
    pub triggered_at: Micros,
    /// When it was completed or failed; none while it runs.
    pub finished_at: Option<Micros>,
    /// Why it failed.
    pub error: Option<String>,
    /// How long its CSV is, in bytes.
    pub csv_bytes: Option<u32>,
    /// The key of the credential that triggered it.
    pub credential: Option<i64>,
    /// The stores that it is about. Only who sees all of them sees the report.
    pub audience: Audience,
    /// The receiver that is told once it has ended.
    pub callback: Option<String>,
}

/// A complete product, as its record needs it.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The stores of its rows.
    pub stores: &'a StoreList,
    /// The rows.
    pub rows: &'a [u8],
    /// How long its CSV is.
    pub csv_bytes: usize,
}

/// A product in its stored form.
#[derive(Clone, Debug)]
pub enum Kept {
    /// The CSV itself, from a schema older than 4.
    Csv(Vec<u8>),
    /// Its rows.
    Rows(KeptRows),
}

/// The rows of a product, and what tells their meaning.
#[derive(Clone, Debug)]
pub struct KeptRows {
    /// The kind of product.
    pub kind: String,
    /// Its parameters besides the question, as a JSON object.
    pub parameters: String,
    /// The instant and the rule.
    pub question: Question,
    /// The JSON of its store list; empty if that is missing.
    pub stores: String,
    /// The rows.
    pub rows: Vec<u8>,
}

const COLUMNS: &str = "id, state, kind, parameters, as_of, interpolation,
                       triggered_at, finished_at, error, csv_bytes, number, credential, audience, callback";

fn report(row: &Row<'_>) -> rusqlite::Result<Report> {
    let rule = Interpolation::from_name(row.get_ref(5)?.as_str()?).unwrap_or_default();
    Ok(Report {
        id: id(row)?,
        state: ReportState::from_word(row.get_ref(1)?.as_str()?),
        kind: row.get(2)?,
        parameters: row.get(3)?,
        question: Question {
            as_of: row.get(4)?,
            rule,
        },
        triggered_at: row.get(6)?,
        finished_at: row.get(7)?,
        error: row.get(8)?,
        csv_bytes: row.get(9)?,
        number: row.get(10)?,
        credential: row.get(11)?,
        audience: audience(row, 12)?,
        callback: row.get(13)?,
    })
}

/// The audience in a column; a damaged one is that of a store that cannot be.
fn audience(row: &Row<'_>, column: usize) -> rusqlite::Result<Audience> {
    let text: Option<String> = row.get(column)?;
    Ok(Audience::from_json(text.as_deref()).unwrap_or_else(|| Audience::Store("".into())))
}

/// The id in the first column.
fn id(row: &Row<'_>) -> rusqlite::Result<Uuid> {
    // `check` reports malformed ids.
    Ok(Uuid::try_parse(row.get_ref(0)?.as_str()?).unwrap_or_default())
}

/// Adds a running report, whose making has begun or not; a report that has already ended stays as it is.
///
/// # Errors
/// When the database cannot be written.
pub fn add(db: &Connection, triggered: &Triggered, is_begun: bool) -> Result<()> {
    let Question { as_of, rule } = triggered.question;
    let mut insert = db.prepare_cached(
        "INSERT INTO report (id, state, kind, parameters, as_of, interpolation, triggered_at, attempts,
                             credential, audience, callback)
         VALUES (?1, 'Running', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let added = insert.execute((
        triggered.id.to_string(),
        &triggered.kind,
        &triggered.parameters,
        as_of,
        rule.as_str(),
        triggered.triggered_at,
        is_begun,
        triggered.by.credential,
        triggered.by.audience.json(),
        &triggered.by.callback,
    ))?;
    match added {
        0 => Ok(()),
        _ => triggered.audit(db),
    }
}

/// Notes that the making of a running report begins: an end of the process counts against it from now on.
///
/// # Errors
/// When the database cannot be written.
pub fn begin(db: &Connection, id: Uuid) -> Result<()> {
    db.prepare_cached("UPDATE report SET attempts = attempts + 1 WHERE id = ?1 AND state = 'Running'")?
        .execute([id.to_string()])?;
    Ok(())
}

/// Takes back what was counted against running reports: the process ends cleanly.
///
/// # Errors
/// When the database cannot be written.
pub fn forgive(db: &Connection) -> Result<()> {
    db.execute(
        "UPDATE report SET attempts = 0 WHERE state = 'Running' AND attempts > 0",
        [],
    )?;
    Ok(())
}

/// Stores a complete product, whether its report has a row or not.
///
/// # Errors
/// When the database cannot be written.
pub fn complete(db: &Connection, triggered: &Triggered, made: Rows<'_>, finished_at: Micros) -> Result<()> {
    // Made-up stores may have been taken out while it was made.
    if made.stores.json().starts_with(&first_id(made_up::PREFIX)) && !made_up::is_present(db)? {
        return Ok(());
    }
    keep_list(db, made.stores)?;
    let Question { as_of, rule } = triggered.question;
    let mut known = db.prepare_cached("SELECT 1 FROM report WHERE id = ?1")?;
    if !known.exists([triggered.id.to_string()])? {
        triggered.audit(db)?;
    }
    // One statement, because most reports have no row yet.
    db.prepare_cached(
        "INSERT INTO report (id, state, kind, parameters, as_of, interpolation, triggered_at,
                             finished_at, csv_bytes, stores, rows, checksum, credential, audience, callback)
         VALUES (?1, 'Complete', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (id) DO UPDATE SET
             state = excluded.state, finished_at = excluded.finished_at,
             csv_bytes = excluded.csv_bytes, stores = excluded.stores, rows = excluded.rows,
             checksum = excluded.checksum",
    )?
    .execute((
        triggered.id.to_string(),
        &triggered.kind,
        &triggered.parameters,
        as_of,
        rule.as_str(),
        triggered.triggered_at,
        finished_at,
        made.csv_bytes,
        made.stores.hash(),
        made.rows,
        checksum(made.rows),
        triggered.by.credential,
        triggered.by.audience.json(),
        &triggered.by.callback,
    ))?;
    Ok(())
}

/// Stores a list of stores, unless it is there.
pub(super) fn keep_list(db: &Connection, stores: &StoreList) -> rusqlite::Result<()> {
    let mut known = db.prepare_cached("SELECT 1 FROM store_list WHERE hash = ?1")?;
    if !known.exists([stores.hash()])? {
        db.prepare_cached("INSERT INTO store_list (hash, store_ids) VALUES (?1, ?2)")?
            .execute((stores.hash(), stores.json()))?;
    }
    Ok(())
}

/// Stores the reason of a failure, whether its report has a row or not.
///
/// # Errors
/// When the database cannot be written.
pub fn fail(db: &Connection, triggered: &Triggered, error: &str, finished_at: Micros) -> Result<()> {
    add(db, triggered, false)?;
    db.prepare_cached("UPDATE report SET state = 'Failed', finished_at = ?2, error = ?3 WHERE id = ?1")?
        .execute((triggered.id.to_string(), finished_at, error))?;
    Ok(())
}

/// Deletes the store lists that no report has any more.
fn forget_lists(db: &Connection, lists: BTreeSet<String>) -> Result<()> {
    // Deletes them one by one: a scan of all reports would read a page of each.
    let mut delete = db.prepare_cached(
        "DELETE FROM store_list WHERE hash = ?1
         AND NOT EXISTS (SELECT 1 FROM report WHERE stores = ?1)",
    )?;
    for list in lists {
        delete.execute([list])?;
    }
    Ok(())
}

/// Deletes the reports of stores whose ids begin with `prefix`, and those that are being made; returns their ids.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget_made_up(db: &Connection, prefix: &str) -> Result<Vec<Uuid>> {
    let mut delete = db.prepare_cached(
        "DELETE FROM report WHERE state = 'Running'
             OR stores IN (SELECT hash FROM store_list WHERE substr(store_ids, 1, length(?1)) = ?1)
         RETURNING id, stores",
    )?;
    let (mut ids, mut lists) = (Vec::new(), BTreeSet::new());
    let mut rows = delete.query([first_id(prefix)])?;
    while let Some(row) = rows.next()? {
        ids.push(id(row)?);
        lists.extend(row.get::<_, Option<String>>(1)?);
    }
    forget_lists(db, lists)?;
    Ok(ids)
}

/// How the JSON of a store list begins whose first id begins with `prefix`.
fn first_id(prefix: &str) -> String {
    format!("[\"{prefix}")
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
    found.ok_or_else(|| unknown(id))
}

/// The error for a report that is not there, or that the caller must not know of.
pub fn unknown(id: Uuid) -> Error {
    Error::not_found(format!("there is no report {id} (POST /trigger_report makes one)"))
}

/// The product of a report; none unless it is complete.
///
/// # Errors
/// When the database cannot be read.
pub fn kept(db: &Connection, id: Uuid) -> Result<Option<Kept>> {
    let mut select = db.prepare_cached(
        "SELECT csv, kind, rows, coalesce((SELECT store_ids FROM store_list WHERE hash = stores), ''), stores, checksum,
                parameters, as_of, interpolation
         FROM report WHERE id = ?1 AND state = 'Complete'",
    )?;
    let kept = |row: &Row<'_>| {
        let sum: Option<i64> = row.get(5)?;
        let csv: Option<Vec<u8>> = row.get(0)?;
        if let Some(csv) = csv {
            return Ok((sum == Some(checksum(&csv))).then_some(Kept::Csv(csv)));
        }
        let (rows, hash): (Option<Vec<u8>>, Option<String>) = (row.get(2)?, row.get(4)?);
        let (rows, stores) = (rows.unwrap_or_default(), row.get::<_, String>(3)?);
        let is_right = sum == Some(checksum(&rows)) && hash.is_none_or(|hash| hash == StoreList::hash_of(&stores));
        let rule = Interpolation::from_name(row.get_ref(8)?.as_str()?).unwrap_or_default();
        let kept = KeptRows {
            kind: row.get(1)?,
            parameters: row.get(6)?,
            question: Question {
                as_of: row.get(7)?,
                rule,
            },
            stores,
            rows,
        };
        Ok(is_right.then_some(Kept::Rows(kept)))
    };
    match select.query_row([id.to_string()], kept).optional()? {
        None => Ok(None),
        Some(Some(kept)) => Ok(Some(kept)),
        Some(None) => Err(Error::broken(format!(
            "report {id} is damaged: its rows are not those that were stored (make it again)"
        ))),
    }
}

/// The ids of complete reports whose rows are not those that were stored.
///
/// # Errors
/// When the database cannot be read.
pub fn damaged(db: &Connection) -> Result<Vec<Uuid>> {
    let ids = complete_ids(db)?;
    Ok(ids.into_iter().filter(|&id| kept(db, id).is_err()).collect())
}

/// Deletes a report.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget(db: &Connection, id: Uuid) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM report WHERE id = ?1 RETURNING stores")?;
    let list: Option<Option<String>> = delete.query_row([id.to_string()], |row| row.get(0)).optional()?;
    forget_lists(db, list.flatten().into_iter().collect())
}

/// The ids of all complete reports.
///
/// # Errors
/// When the database cannot be read.
pub fn complete_ids(db: &Connection) -> Result<Vec<Uuid>> {
    let mut select = db.prepare("SELECT id FROM report WHERE state = 'Complete'")?;
    Ok(select.query_map([], id)?.collect::<rusqlite::Result<_>>()?)
}

/// The newest reports that an audience may see first, at most `limit`; with `before`, only those with a lower number.
///
/// # Errors
/// When the database cannot be read.
pub fn list(db: &Connection, before: Option<i64>, limit: u32, audience: &Audience) -> Result<Vec<Report>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM report WHERE number < ?1 ORDER BY number DESC"
    ))?;
    let mut rows = select.query([before.unwrap_or(i64::MAX)])?;
    let mut reports = Vec::new();
    while reports.len() < limit as usize
        && let Some(row) = rows.next()?
    {
        let report = report(row)?;
        if audience.covers(&report.audience) {
            reports.push(report);
        }
    }
    Ok(reports)
}

/// The number of reports in each state; a state without any is left out.
///
/// # Errors
/// When the database cannot be read.
pub fn counts(db: &Connection) -> Result<Vec<(ReportState, i64)>> {
    let mut select = db.prepare_cached("SELECT state, count(*) FROM report GROUP BY state")?;
    let counts = select.query_map([], |row| {
        Ok((ReportState::from_word(row.get_ref(0)?.as_str()?), row.get(1)?))
    })?;
    Ok(counts.collect::<rusqlite::Result<_>>()?)
}

/// The reports that a stop left unfinished, the oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn unfinished(db: &Connection) -> Result<Vec<Unfinished>> {
    let select = format!("SELECT {COLUMNS}, attempts FROM report WHERE state = 'Running' ORDER BY number");
    let mut select = db.prepare(&select)?;
    let reports = select.query_map([], |row| {
        let report = report(row)?;
        let triggered = Triggered {
            id: report.id,
            kind: report.kind,
            parameters: report.parameters,
            question: report.question,
            triggered_at: report.triggered_at,
            by: Requester {
                credential: report.credential,
                audience: report.audience,
                actor: None,
                callback: report.callback,
            },
        };
        Ok(Unfinished {
            report: triggered,
            attempts: row.get(14)?,
        })
    })?;
    Ok(reports.collect::<rusqlite::Result<_>>()?)
}
