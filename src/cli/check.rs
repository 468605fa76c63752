//! `check`: the integrity of the database and of every stored invariant.

use super::{Database, output};
use crate::db::check;
use crate::db::connection::open_reader;
use crate::error::{Error, Result};
use crate::product;

/// The options of `check`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    database: Database,
}

/// Prints `ok`, or every finding and an error with their count.
///
/// # Errors
/// When the database has faults, or cannot be read at all.
pub fn run(options: &Options) -> Result<()> {
    let file = &options.database.file;
    let _held = options.database.hold()?;
    let db = open_reader(file)?;
    let mut findings = check::findings(&db)?;
    findings.extend(product::findings(&db)?);
    let failed = |error: std::io::Error| Error::failed("stdout cannot be written").because(error);
    output::to_stdout(|out| {
        for finding in &findings {
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
            "{} has {count} fault{} (keep a copy, then export what can be read and import it elsewhere)",
            file.display(),
            if count == 1 { "" } else { "s" }
        ))),
    }
}
