//! `check`: the integrity of the database and of every stored invariant; with `--repair`, what can be put right.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Database, output};
use crate::clock;
use crate::db::connection::{open_reader, open_writer};
use crate::db::inspect::{self, OnDamage};
use crate::db::{self, check, packed, polls, repair};
use crate::error::{Error, Result};
use crate::ingest::machine_time::MachineTime;
use crate::product;

/// How often the time on the terminal is brought up to date.
const TICK: Duration = Duration::from_millis(100);

/// The options of `check`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Also make every kept report's file again, with progress on a terminal
    #[arg(long, env = "STORE_MONITOR_DEEP")]
    deep: bool,

    /// Make derived data again, and take damaged rows as they are; stderr tells what is lost
    #[arg(long, env = "STORE_MONITOR_REPAIR")]
    repair: bool,

    #[command(flatten)]
    database: Database,
}

/// Prints `ok`, or every finding and an error with their count.
///
/// # Errors
/// When the database has faults, or cannot be read at all.
pub fn run(options: &Options) -> Result<()> {
    let file = &options.database.file;
    let held = options.database.hold()?;
    options.database.require()?;
    if options.repair && held.alone().is_none() {
        return Err(Error::unavailable(format!(
            "another process has {} open (stop the server before a repair)",
            file.display()
        )));
    }
    // A file of two moments is a finding, not the end: rows may still be read.
    let (files, torn) = match inspect::files(file, &held, OnDamage::SetAside) {
        Ok(files) => (files, None),
        Err(error) => (inspect::Files::default(), Some(error.to_string())),
    };
    if options.repair {
        repair(options)?;
    }
    let db = open_reader(file)?;
    let now = clock::machine_us();
    for line in inspect::diagnosis(&db, file, &held, &files, now)? {
        eprintln!("{line}");
    }
    let time = MachineTime::new(now, 0, clock::BUILT_US, polls::newest(&db)?);
    if let Some(doubt) = time.sentence() {
        eprintln!("warning: {doubt}");
    }
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(TICK);
    let mut findings: Vec<String> = torn
        .into_iter()
        .chain(files.damage)
        .chain(inspect::kept_log(file))
        .collect();
    findings.extend(check::findings(&db, &mut |part| bar.set_message(part.to_owned())));
    if options.deep {
        bar.set_message("the files of all reports");
        findings.extend(product::findings(&db)?);
    }
    bar.finish_and_clear();
    tell(options, &findings)
}

/// Puts right what can be put right.
fn repair(options: &Options) -> Result<()> {
    let mut db = open_writer(&options.database.file)?;
    for sentence in db::write(&mut db, repair::repair)? {
        eprintln!("{sentence}");
    }
    packed::pack_all(&mut db, Duration::MAX)
}

/// Prints the findings.
fn tell(options: &Options, findings: &[String]) -> Result<()> {
    let failed = |error: std::io::Error| Error::failed("stdout cannot be written").because(error);
    output::to_stdout(|out| {
        for finding in findings {
            writeln!(out, "{finding}").map_err(failed)?;
        }
        if findings.is_empty() {
            writeln!(out, "ok").map_err(failed)?;
        }
        Ok(())
    })?;
    match findings.len() {
        0 => Ok(()),
        count => Err(Error::failed(format!(
            "{} has {count} fault{} (restore a backup; without one, keep a copy of the file, then `check --repair`)",
            options.database.file.display(),
            if count == 1 { "" } else { "s" }
        ))),
    }
}
