//! `report`: prints the report CSV, computed in this process.

use std::path::PathBuf;

use rusqlite::Connection;

use super::Database;
use super::output::{self, note};
use crate::civil;
use crate::clock;
use crate::db::polls;
use crate::error::{Error, Result};
use crate::hot_window::read_inputs;
use crate::parallel::threads;
use crate::product::Product;
use crate::product::report::FleetReport;
use crate::render::Format;
use crate::uptime::interval::Micros;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

/// The instant and the rule of a command's numbers.
#[derive(Debug, clap::Args)]
pub struct Moment {
    /// The instant at which the numbers end, such as `2026-11-08 20:00:00 UTC` [default: the newest
    /// poll's]
    #[arg(long, env = "STORE_MONITOR_AS_OF", value_name = "TIME", value_parser = as_of)]
    pub(super) as_of: Option<Micros>,

    /// How the time between two polls is filled in
    #[arg(long, env = "STORE_MONITOR_INTERPOLATION", value_name = "RULE", default_value = "nearest", value_parser = interpolation())]
    pub(super) interpolation: Interpolation,
}

/// The format of a command's file.
#[derive(Debug, clap::Args)]
pub struct FileFormat {
    /// The format: CSV, or a workbook of Excel
    #[arg(long, env = "STORE_MONITOR_FORMAT", value_name = "FORMAT", default_value = "csv", value_parser = format())]
    pub(super) format: Format,
}

/// Parses the name of a format; the help lists all.
fn format() -> impl clap::builder::TypedValueParser<Value = Format> {
    use clap::builder::TypedValueParser;
    let names = Format::ALL.map(Format::as_str);
    clap::builder::PossibleValuesParser::new(names).map(|name| Format::from_name(&name).unwrap_or_default())
}

/// The options of `report`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    moment: Moment,

    #[command(flatten)]
    format: FileFormat,

    /// Write to this file in place of stdout; it appears whole or not at all
    #[arg(long, env = "STORE_MONITOR_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    database: Database,
}

/// An instant; a date alone is its first instant in UTC, and stderr says so.
fn as_of(text: &str) -> Result<Micros> {
    let at = civil::parse_instant(text)?;
    if civil::parse_day(text).is_ok() {
        note!("note: the date {text} is read as {}", civil::format_utc(at));
    }
    Ok(at)
}

/// Parses the name of a rule; the help lists both.
fn interpolation() -> impl clap::builder::TypedValueParser<Value = Interpolation> {
    use clap::builder::TypedValueParser;
    let names = Interpolation::ALL.map(Interpolation::as_str);
    clap::builder::PossibleValuesParser::new(names).map(|name| Interpolation::from_name(&name).unwrap_or_default())
}

/// The instant of the newest poll; that of the machine's clock, with a warning, if there is none.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn newest_poll(db: &Connection) -> Result<Micros> {
    Ok(polls::newest(db)?.unwrap_or_else(|| {
        tracing::warn!("there are no polls yet: the numbers are as of the machine's clock");
        clock::machine_us()
    }))
}

/// Prints the report.
///
/// # Errors
/// When the database cannot be read, or the output cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let (_held, mut db) = options.database.reader()?;
    let as_of = match options.moment.as_of {
        Some(as_of) => as_of,
        None => newest_poll(&db)?,
    };
    let question = Question {
        as_of,
        rule: options.moment.interpolation,
    };
    let inputs = read_inputs(&mut db, as_of)?;
    let bytes = FleetReport::new(&inputs, question, threads()).render(options.format.format)?;
    // The process ends next, and the system frees all its memory at once.
    std::mem::forget(inputs);
    let write = |out: &mut dyn std::io::Write| {
        out.write_all(&bytes)
            .map_err(|error| Error::failed("the report cannot be written").because(error))
    };
    match &options.output {
        Some(file) => output::to_file(file, write),
        None => output::to_stdout(write),
    }
}
