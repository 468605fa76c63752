//! `report`: prints the report, computed in this process.

use super::numbers::Numbers;
use crate::error::Result;
use crate::hot_window::read_inputs;
use crate::parallel::threads;
use crate::product::report::FleetReport;

/// The options of `report`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    numbers: Numbers,
}

/// Prints the report.
///
/// # Errors
/// When the database cannot be read, or the output cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let (_held, mut db, question) = options.numbers.open()?;
    let inputs = read_inputs(&mut db, question.as_of)?;
    let report = FleetReport::new(&inputs, question, threads());
    // The process ends next, and the system frees all its memory at once.
    std::mem::forget(inputs);
    options.numbers.print(&report)
}
