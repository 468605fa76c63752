//! `export`: what is stored, as CSV that `import` takes back unchanged, or as a lake of files.

use std::io::Write;
use std::path::PathBuf;

use rusqlite::Connection;

use super::{Database, folder_of, lake, output};
use crate::db;
use crate::db::connection::open_reader;
use crate::error::{Error, Result};
use crate::export;

/// What can be exported.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print every poll
    Polls,
    /// Print every row of weekly hours
    BusinessHours,
    /// Print every store's time zone
    Timezones,
    /// Print every store's name and group
    Stores,
    /// Write files by day, which DuckDB, ClickHouse, Spark, Trino and BigQuery read as they are
    Lake(lake::Options),
}

/// What `export` can be told.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,

    /// Write to this file in place of stdout; it appears whole or not at all
    #[arg(long, env = "STORE_MONITOR_OUTPUT", value_name = "FILE", global = true)]
    output: Option<PathBuf>,

    #[command(flatten)]
    database: Database,
}

/// Writes one kind of data, as a view of the database has it.
type Export = fn(&Connection, &mut dyn Write) -> Result<()>;

/// Prints one kind of data, or writes a lake, from one consistent view of the database.
///
/// # Errors
/// When the database cannot be read or the output not be written.
pub fn run(options: &Options) -> Result<()> {
    let file = &options.database.file;
    let export: Export = match &options.what {
        What::Polls => |view, out| export::polls(view, out),
        What::BusinessHours => |view, out| export::business_hours(view, out),
        What::Timezones => |view, out| export::timezones(view, out),
        What::Stores => |view, out| export::stores(view, out),
        What::Lake(_) if options.output.is_some() => {
            let reason = "a lake is a folder of files (leave --output away, and name DIR)";
            return Err(Error::invalid(reason));
        }
        What::Lake(options) => return lake::run(options, file),
    };
    let mut db = open_reader(file)?;
    // The view lasts as long as the database is read, and no longer.
    let write = |out: &mut dyn Write| {
        let view = db::read(&mut db)?;
        export(&view, out)
    };
    match &options.output {
        Some(file) => output::to_file(file, write),
        None => output::to_stdout_buffered(folder_of(&options.database.file), write),
    }
}
