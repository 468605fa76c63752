//! What a program has promised by some moment, and whether a database on a disk keeps it.
//!
//! A change is acknowledged or not, and whole or absent. Whatever happened: an acknowledged change is there, none
//! is there in part, nothing is there that nobody sent, and `check` finds no fault.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use store_monitor::db::check;
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::export;
use store_monitor::ingest::kind::Kind;
use store_monitor::product;

/// One change of the data, which happens as a whole or not at all. A row is its kind, a bar, and its line in the
/// export.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) what: String,
    pub(crate) adds: Vec<String>,
    pub(crate) removes: Vec<String>,
    /// The line of the record from which on it is acknowledged; none if it never was.
    pub(crate) acknowledged: Option<usize>,
}

/// Everything that was asked for in a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    /// The rows before the session; none where there was no database.
    pub(crate) base: Option<Vec<String>>,
    pub(crate) changes: Vec<Change>,
    /// Reports by id, each with the line from which on it is acknowledged.
    pub(crate) reports: Vec<(String, usize)>,
    /// Keys of requests, each with the line from which on its answer is known.
    pub(crate) keys: Vec<(String, usize)>,
    /// Whether a report may have run at so many sudden ends that it is given up.
    pub(crate) may_poison: bool,
}

/// Every row of a database.
pub(crate) fn rows_of(db: &Connection) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let mut csv = Vec::new();
        export::rows(kind, db, &mut csv).map_err(|error| format!("export: {error}"))?;
        let csv = String::from_utf8(csv).map_err(|error| error.to_string())?;
        let slug = kind.description().slug;
        rows.extend(csv.lines().skip(1).map(|line| format!("{slug}|{line}")));
    }
    Ok(rows)
}

/// The rows, or the faults, of a database file.
fn sound_rows_of(file: &Path) -> Result<(Vec<String>, Connection), String> {
    let db = open_reader(file).map_err(|error| format!("it cannot be opened: {error}"))?;
    let mut findings = check::findings(&db, &mut |_| ());
    findings.extend(product::findings(&db).map_err(|error| format!("check: {error}"))?);
    if !findings.is_empty() {
        return Err(format!("check: {findings:?}"));
    }
    Ok((rows_of(&db)?, db))
}

impl Promises {
    /// Whether anything must be there at that line.
    fn has_any(&self, line: usize) -> bool {
        let changes = self.changes.iter().filter_map(|change| change.acknowledged);
        let reports = self.reports.iter().map(|(_, line)| *line);
        self.base.is_some()
            || changes
                .chain(reports)
                .any(|acknowledged| acknowledged <= line)
    }

    /// Whether the database keeps what was promised by that line; the reason why not.
    pub(crate) fn judge(&self, file: &Path, line: usize) -> Result<(), String> {
        let is_there = fs::metadata(file).is_ok_and(|facts| facts.len() > 0);
        if !is_there && self.has_any(line) {
            return Err("the database is gone".to_owned());
        }
        if !self.has_any(line) {
            // Nothing is promised but that the program can begin.
            return match open_writer(file) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("nothing can begin: {error}")),
            };
        }
        let (rows, db) = sound_rows_of(file)?;
        self.judge_rows(rows, line)?;
        self.judge_reports(&db, line)?;
        drop(db);
        open_writer(file).map_err(|error| format!("it cannot go on: {error}"))?;
        Ok(())
    }

    fn judge_rows(&self, rows: Vec<String>, line: usize) -> Result<(), String> {
        // Of which change a row is: from the base, added by one, or removed by one.
        let mut owners: HashMap<&str, Vec<usize>> = HashMap::new();
        let base = self.base.as_deref().unwrap_or_default();
        base.iter().for_each(|row| {
            owners.insert(row, Vec::new());
        });
        for (number, change) in self.changes.iter().enumerate() {
            for row in change.adds.iter().chain(&change.removes) {
                owners.entry(row).or_default().push(number);
            }
        }
        let mut there: HashMap<&str, bool> = owners.keys().map(|row| (*row, false)).collect();
        for row in &rows {
            match there.get_mut(row.as_str()) {
                None => return Err(format!("nobody sent `{row}`")),
                Some(true) => return Err(format!("`{row}` twice")),
                Some(is_there) => *is_there = true,
            }
        }
        for row in base {
            if owners[row.as_str()].is_empty() && !there[row.as_str()] {
                return Err(format!("`{row}` of before is lost"));
            }
        }
        for change in &self.changes {
            let added = change.adds.iter().filter(|row| there[row.as_str()]).count();
            let gone = change
                .removes
                .iter()
                .filter(|row| !there[row.as_str()])
                .count();
            let of = change.adds.len() + change.removes.len();
            let happened = added + gone;
            if happened != 0 && happened != of {
                return Err(format!("{} is half there: {happened} of {of}", change.what));
            }
            let is_promised = change.acknowledged.is_some_and(|from| from <= line);
            if is_promised && happened == 0 && of > 0 {
                return Err(format!("{} was acknowledged and is lost", change.what));
            }
        }
        Ok(())
    }

    fn judge_reports(&self, db: &Connection, line: usize) -> Result<(), String> {
        for (id, from) in &self.reports {
            if *from <= line {
                let select = "SELECT state FROM report WHERE id = ?1";
                let state: Result<String, _> = db.query_row(select, [id], |row| row.get(0));
                match state.as_deref() {
                    Ok("Running" | "Complete") => {}
                    // It ran at several sudden ends in a row.
                    Ok("Failed") if self.may_poison => {}
                    other => return Err(format!("report {id} is {other:?}")),
                }
            }
        }
        for (key, from) in &self.keys {
            if *from <= line {
                let select = "SELECT 1 FROM idempotency WHERE key = ?1";
                let found = db
                    .prepare(select)
                    .and_then(|mut select| select.exists([key]));
                if found != Ok(true) {
                    return Err(format!("the answer to the key {key} is {found:?}"));
                }
            }
        }
        Ok(())
    }
}
