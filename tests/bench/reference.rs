//! The references: DuckDB for the report and the import, the sqlite3 shell for the import.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Result, program, target};

const DUCKDB_RUNS: &str = "15";

/// DuckDB's report.
pub(crate) struct DuckDb {
    pub(crate) csv: Vec<u8>,
    /// Of its query and of making the CSV; all else was done before.
    pub(crate) median: Duration,
}

/// DuckDB's report by one of the queries that `duckdb_report.sql` names.
pub(crate) fn duckdb(folder: &Path, query: &str) -> Result<DuckDb> {
    timed_query("duckdb_report.py", folder, query, &[])
}

/// DuckDB's statement by one of the queries that `duckdb_statement.sql` names.
pub(crate) fn duckdb_statement(folder: &Path, query: &str, options: &[&str]) -> Result<DuckDb> {
    timed_query("duckdb_statement.py", folder, query, options)
}

fn timed_query(script: &str, folder: &Path, query: &str, options: &[&str]) -> Result<DuckDb> {
    let python = python().ok_or("DuckDB is missing, see README.md")?;
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines");
    let mut command = Command::new(python);
    command
        .arg(engines.join(script))
        .arg(folder)
        .args(options)
        .args(["--repeat", DUCKDB_RUNS, "--query", query]);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("DuckDB failed: {said}").into());
    }
    let facts: Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    let ms = facts["median_ms"].as_f64().ok_or("DuckDB gave no median")?;
    Ok(DuckDb {
        csv: output.stdout,
        median: Duration::from_secs_f64(ms / 1000.0),
    })
}

/// How long DuckDB takes to load the polls into a table in a file, its checkpoint included.
pub(crate) fn duckdb_import(polls: &Path, into: &Path, rows: u32) -> Result<Duration> {
    let python = python().ok_or("DuckDB is missing, see README.md")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/duckdb_import.py");
    let mut command = Command::new(python);
    command.arg(script).arg(polls).arg(into);
    command.stdout(Stdio::piped());
    let facts: Value = serde_json::from_slice(&program::timed(command)?.0)?;
    if facts["rows"] != rows {
        return Err("DuckDB has not loaded every poll".into());
    }
    let ms = facts["ms"].as_f64().ok_or("DuckDB gave no time")?;
    Ok(Duration::from_secs_f64(ms / 1000.0))
}

/// A Python that has DuckDB: the one `.ci/run` makes, or the machine's.
fn python() -> Option<OsString> {
    let pythons = [
        target().join("engines/bin/python").into_os_string(),
        "python3".into(),
    ];
    pythons.into_iter().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import duckdb"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// How long sqlite3 takes to load the polls as text, with its own defaults, which are durable too.
pub(crate) fn sqlite_import(polls: &Path, into: &Path) -> Result<Duration> {
    let mut sqlite = Command::new("sqlite3");
    sqlite.arg(into);
    sqlite.arg("CREATE TABLE poll (store_id TEXT, status TEXT, timestamp_utc TEXT)");
    // By its bare name: a path would have to be quoted the shell's way.
    sqlite.current_dir(polls.parent().unwrap_or(polls));
    let name = polls.file_name().unwrap_or_default().to_string_lossy();
    sqlite.arg(format!(".import --csv --skip 1 {name} poll"));
    sqlite.stdin(Stdio::null());
    if Command::new("sqlite3").arg("-version").output().is_err() {
        return Err("sqlite3 is missing".into());
    }
    Ok(program::timed(sqlite)?.1)
}
