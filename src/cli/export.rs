//! `export`: what is stored, as CSV that `import` takes back unchanged.

use std::path::PathBuf;

use super::{Database, folder_of, output};
use crate::db;
use crate::db::connection::open_reader;
use crate::error::Result;
use crate::export;

/// What can be exported.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// Every poll
    Polls,
    /// Every row of weekly hours
    BusinessHours,
    /// Every store's time zone
    Timezones,
    /// Every store's name and group
    Stores,
}

/// What `export` can be told.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// What to print
    what: What,

    /// Write to this file in place of stdout; it appears whole or not at all
    #[arg(long, env = "STORE_MONITOR_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    database: Database,
}

/// Prints one kind of data from one consistent view of the database.
///
/// # Errors
/// When the database cannot be read or the output not be written.
pub fn run(options: &Options) -> Result<()> {
    let mut db = open_reader(&options.database.file)?;
    // The view lasts as long as the database is read, and no longer.
    let write = |out: &mut dyn std::io::Write| {
        let view = db::read(&mut db)?;
        match options.what {
            What::Polls => export::polls(&view, out),
            What::BusinessHours => export::business_hours(&view, out),
            What::Timezones => export::timezones(&view, out),
            What::Stores => export::stores(&view, out),
        }
    };
    match &options.output {
        Some(file) => output::to_file(file, write),
        None => output::to_stdout_behind(folder_of(&options.database.file), write),
    }
}
