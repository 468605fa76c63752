//! What `report`, `statement` and `digest` share: the instant and the rule of their numbers, and where their file goes.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use rusqlite::Connection;

use super::Database;
use super::output::{self, note};
use crate::civil;
use crate::clock;
use crate::db::lock;
use crate::db::polls;
use crate::error::{Error, Result};
use crate::product::Product;
use crate::render::Format;
use crate::uptime::interval::Micros;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

/// The instant and the rule of a command that prints numbers.
#[derive(Debug, clap::Args)]
pub struct AskedQuestion {
    /// The instant at which the numbers end, such as `2026-11-08 20:00:00 UTC` [default: the newest
    /// poll's]
    #[arg(long, env = "STORE_MONITOR_AS_OF", value_name = "TIME", value_parser = as_of)]
    as_of: Option<Micros>,

    /// How the time between two polls is filled in
    #[arg(long, env = "STORE_MONITOR_INTERPOLATION", value_name = "RULE", default_value = "nearest",
          value_parser = names(Interpolation::ALL.map(Interpolation::as_str), Interpolation::from_name))]
    interpolation: Interpolation,

    #[command(flatten)]
    database: Database,
}

/// The options of a command that prints a product.
#[derive(Debug, clap::Args)]
pub struct Numbers {
    #[command(flatten)]
    question: AskedQuestion,

    /// The format: CSV, or a workbook of Excel
    #[arg(long, env = "STORE_MONITOR_FORMAT", value_name = "FORMAT", default_value = "csv",
          value_parser = names(Format::ALL.map(Format::as_str), Format::from_name))]
    format: Format,

    /// Write to this file in place of stdout; it appears whole or not at all
    #[arg(long, env = "STORE_MONITOR_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,
}

impl AskedQuestion {
    /// Opens the database, and fixes the instant.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn open(&self) -> Result<(lock::Held, Connection, Question)> {
        let (held, db) = self.database.reader()?;
        let as_of = match self.as_of {
            Some(as_of) => as_of,
            None => polls::newest(&db)?.unwrap_or_else(|| {
                tracing::warn!("there are no polls yet: the numbers are as of the machine's clock");
                clock::machine_us()
            }),
        };
        let rule = self.interpolation;
        Ok((held, db, Question { as_of, rule }))
    }
}

impl Numbers {
    /// As [`AskedQuestion::open`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn open(&self) -> Result<(lock::Held, Connection, Question)> {
        self.question.open()
    }

    /// Prints the product's file.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(super) fn print(&self, product: &dyn Product) -> Result<()> {
        print(&product.render(self.format)?, self.output.as_deref())
    }
}

/// Writes bytes to a file, or to stdout.
///
/// # Errors
/// When they cannot be written.
pub(super) fn print(bytes: &[u8], output: Option<&Path>) -> Result<()> {
    let write = |out: &mut dyn std::io::Write| {
        out.write_all(bytes)
            .map_err(|error| Error::failed("the output cannot be written").because(error))
    };
    match output {
        Some(file) => output::to_file(file, write),
        None => output::to_stdout(write),
    }
}

/// An instant; a date alone is its first instant in UTC, and stderr says so.
fn as_of(text: &str) -> Result<Micros> {
    let at = civil::parse_instant(text)?;
    if civil::parse_day(text).is_ok() {
        note!("note: the date {text} is read as {}", civil::format_utc(at));
    }
    Ok(at)
}

/// Parses one of these names to the value that `from_name` has for it; the help lists all.
pub(super) fn names<T: Clone + Default + Send + Sync + 'static, const N: usize>(
    names: [&'static str; N],
    from_name: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names).map(move |name| from_name(&name).unwrap_or_default())
}
