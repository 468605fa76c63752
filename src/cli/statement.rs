//! `statement`: prints the statement of any period, computed in this process.

use super::numbers::{Numbers, names};
use super::output::note;
use crate::access::Audience;
use crate::civil;
use crate::db::polls;
use crate::error::Result;
use crate::hot_window::HotWindow;
use crate::product::statement::{Parameters, Statement, before_the_oldest_poll};
use crate::render::statement::Per;
use crate::uptime::calendar::LocalDate;
use crate::uptime::period::{By, Period};

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
    #[arg(long, env = "STORE_MONITOR_BY", value_name = "BUCKET", default_value = "total",
          value_parser = names(By::ALL.map(By::as_str), By::from_name))]
    by: By,

    /// Whose rows to print: of each store, of all stores of each owner, or of all
    #[arg(long, env = "STORE_MONITOR_PER", value_name = "WHOM", default_value = "store",
          value_parser = names(Per::ALL.map(Per::as_str), Per::from_name))]
    per: Per,

    /// Only this store
    #[arg(long, env = "STORE_MONITOR_STORE", value_name = "ID")]
    store: Option<String>,

    /// Only this owner's stores
    #[arg(long, env = "STORE_MONITOR_GROUP", value_name = "GROUP")]
    group: Option<String>,

    #[command(flatten)]
    numbers: Numbers,
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
    let (_held, mut db, question) = options.numbers.open()?;
    if let Some(told) = before_the_oldest_poll(polls::first(&db, polls::ALL_TIME)?, &parameters.period) {
        note!("note: {told}");
    }
    options.numbers.print(&Statement::new(
        &mut db,
        (&HotWindow::default(), &Audience::All),
        parameters,
        question,
    )?)
}
