//! `status`: how the server and its database are.

use std::path::PathBuf;

use super::output::print;
use super::{Database, status_facts, status_shown};
use crate::error::{Error, Result};
use crate::phrases::plural;

/// The options of `status`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    database: Database,

    /// How it is printed
    #[arg(long, env = "STORE_MONITOR_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// The folder of the backups, if no server runs that knows it
    #[arg(long, env = "STORE_MONITOR_BACKUP_DIR", value_name = "DIR")]
    backup_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Prints the status.
///
/// # Errors
/// When something is wrong, which is printed, too.
pub fn run(options: &Options) -> Result<()> {
    let _held = options.database.hold()?;
    options.database.require()?;
    let status = status_facts::look(&options.database.file, options.backup_dir.as_deref());
    print(&match options.format {
        Format::Text => status_shown::text(&status),
        Format::Json => format!("{:#}\n", status_shown::json(&status)),
    })?;
    match status.problems.len() {
        0 => Ok(()),
        count => Err(Error::failed(format!(
            "{count} thing{} need{} attention",
            plural(count),
            if count == 1 { "s" } else { "" }
        ))),
    }
}
