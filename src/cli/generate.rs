//! `generate`: synthetic CSV files in the shape of real ones; the same seed gives the same files.

use std::io::IsTerminal;
use std::path::PathBuf;

use indicatif::ProgressBar;

use super::output::note;
use crate::error::Result;
use crate::generate::{self, Order};

/// The options of `generate`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The folder to write to; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// How many stores
    #[arg(
        long,
        env = "STORE_MONITOR_STORES",
        value_name = "N",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    stores: u32,

    /// How many days of polls
    #[arg(
        long,
        env = "STORE_MONITOR_DAYS",
        value_name = "D",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..=3660)
    )]
    days: u32,

    /// What the data are drawn from: the same seed gives the same bytes
    #[arg(long, env = "STORE_MONITOR_SEED", value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Name stores by UUIDs in place of 64-bit integers
    #[arg(
        long,
        env = "STORE_MONITOR_UUID",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    uuid: bool,

    /// Leave out holidays, changes of hours, sales and targets
    #[arg(
        long,
        env = "STORE_MONITOR_PLAIN",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    plain: bool,

    /// The order of the rows of polls
    #[arg(long, env = "STORE_MONITOR_ORDER", value_name = "ORDER", default_value = "time")]
    order: OrderName,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum OrderName {
    /// As a poller writes them
    Time,
    /// By store id, then by time
    Store,
    /// Drawn from the seed
    Shuffled,
}

/// Writes the files.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn run(options: &Options) -> Result<()> {
    let shape = generate::Options {
        uuid: options.uuid,
        plain: options.plain,
        order: match options.order {
            OrderName::Time => Order::Time,
            OrderName::Store => Order::Store,
            OrderName::Shuffled => Order::Shuffled,
        },
        ..generate::Options::new(options.stores, options.days, options.seed)
    };
    let hours = shape.store_hours();
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(hours)
    } else {
        ProgressBar::hidden()
    };
    let written = generate::write(&shape, &options.folder, &mut |done| bar.set_position(done))?;
    bar.finish_and_clear();
    note!(
        "{}: {} polls, {} rows of business hours, {} of special hours, {} time zones, {} stores",
        options.folder.display(),
        written.polls,
        written.business_hours,
        written.special_hours,
        written.timezones,
        written.stores,
    );
    Ok(())
}
