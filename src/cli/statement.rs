//! `statement`: prints the statement of any period, computed in this process.

use std::path::PathBuf;

use super::Database;
use super::output::{self, note};
use super::report::{FileFormat, Moment, newest_poll};
use crate::civil;
use crate::error::{Error, Result};
use crate::product::Product;
use crate::product::statement::{Parameters, Statement, before_the_oldest_poll};
use crate::render::statement::Per;
use crate::uptime::calendar::LocalDate;
use crate::uptime::period::{By, Period};
use crate::uptime::report::Question;

/// The options of `statement`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The first date, by each store's own clock, such as `2026-10-01`
    #[arg(long, env = "STORE_MONITOR_FROM", value_name = "DAY", value_parser = civil::parse_day)]
    from: LocalDate,

    /// The last date
    #[arg(long, env = "STORE_MONITOR_TO", value_name = "DAY", value_parser = civil::parse_day)]
    to: LocalDate,

    /// How the period is cut; weeks are ISO weeks, and the period cuts its first and its last
    #[arg(long, env = "STORE_MONITOR_BY", value_name = "BUCKET", default_value = "total", value_parser = by())]
    by: By,

    /// Whose rows to print: of each store, of all stores of each owner, or of all
    #[arg(long, env = "STORE_MONITOR_PER", value_name = "WHOM", default_value = "store", value_parser = per())]
    per: Per,

    /// Only this store
    #[arg(long, env = "STORE_MONITOR_STORE", value_name = "ID")]
    store: Option<String>,

    /// Only this owner's stores
    #[arg(long, env = "STORE_MONITOR_GROUP", value_name = "GROUP")]
    group: Option<String>,

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

/// Parses the name of a bucket; the help lists all.
fn by() -> impl clap::builder::TypedValueParser<Value = By> {
    use clap::builder::TypedValueParser;
    let names = By::ALL.map(By::as_str);
    clap::builder::PossibleValuesParser::new(names).map(|name| By::from_name(&name).unwrap_or_default())
}

/// Parses the name of whose rows are wanted; the help lists all.
fn per() -> impl clap::builder::TypedValueParser<Value = Per> {
    use clap::builder::TypedValueParser;
    let names = Per::ALL.map(Per::as_str);
    clap::builder::PossibleValuesParser::new(names).map(|name| Per::from_name(&name).unwrap_or_default())
}

/// Prints the statement.
///
/// # Errors
/// When the period is none, the store or owner is not there, the database cannot be read, or the output cannot be
/// written.
pub fn run(options: &Options) -> Result<()> {
    let parameters = Parameters {
        period: Period {
            from: options.from,
            to: options.to,
            by: options.by,
        },
        per: options.per,
        store: options.store.clone(),
        group: options.group.clone(),
    };
    let parameters = parameters.checked()?;
    let (_held, mut db) = options.database.reader()?;
    let as_of = match options.moment.as_of {
        Some(as_of) => as_of,
        None => newest_poll(&db)?,
    };
    let question = Question {
        as_of,
        rule: options.moment.interpolation,
    };
    if let Some(told) = before_the_oldest_poll(&db, &parameters.period)? {
        note!("note: {told}");
    }
    let bytes = Statement::new(&mut db, parameters, question)?.render(options.format.format)?;
    let write = |out: &mut dyn std::io::Write| {
        out.write_all(&bytes)
            .map_err(|error| Error::failed("the statement cannot be written").because(error))
    };
    match &options.output {
        Some(file) => output::to_file(file, write),
        None => output::to_stdout(write),
    }
}
