//! The command line: what can be said, and which file does it.
//!
//! Every setting is a flag and an environment variable. Data goes to stdout, all else to stderr.
//! It must never know how anything is done beyond whom to call.

mod behind;
pub mod check;
pub mod demo;
pub mod export;
pub mod generate;
pub mod import;
pub mod lake;
pub mod output;
pub mod report;
pub mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::db::connection::folder_of;
use crate::error::Result;

/// How long were your stores really online during their business hours?
///
/// store-monitor takes polls (`active` or `inactive`, about one an hour), business hours and time
/// zones, and reports the uptime and downtime of every store for the last hour, day and week. One
/// binary, one database file, nothing else to install.
#[derive(Debug, Parser)]
#[command(name = "store-monitor", version, max_term_width = 100)]
#[command(after_help = "Start with:  store-monitor demo")]
pub struct CommandLine {
    /// What to tell on stderr: error, warn, info or debug
    #[arg(
        long,
        env = "STORE_MONITOR_LOG",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    log: tracing::Level,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a throw-away database filled with the data of a small chain of restaurants
    Demo(demo::Options),
    /// Serve a database over HTTP
    Serve(serve::Options),
    /// Load CSV files: polls, business hours, time zones, stores; told apart by their header
    Import(import::Options),
    /// Print the report as CSV
    Report(report::Options),
    /// Print what is stored, as CSV that `import` takes back unchanged, or write files for a warehouse
    Export(export::Options),
    /// Check the database and every promise it makes
    Check(check::Options),
    /// Write synthetic CSV files in the shape of real ones, the same for the same seed
    Generate(generate::Options),
}

/// The database that a command works on.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// The database file
    #[arg(
        long = "database",
        env = "STORE_MONITOR_DATABASE",
        value_name = "FILE",
        default_value = "store-monitor.db",
        global = true
    )]
    file: PathBuf,
}

/// The command line of this process; wrong usage, `--help` and `--version` end it here.
pub fn parse() -> CommandLine {
    CommandLine::parse()
}

/// Sends the log to stderr.
pub fn start_log(command_line: &CommandLine) {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(command_line.log)
        .with_target(false)
        .with_ansi(false)
        .init();
}

/// Does what the command line says.
///
/// # Errors
/// What went wrong, in a sentence that names the remedy.
pub fn run(command_line: CommandLine) -> Result<()> {
    match command_line.command {
        Command::Demo(options) => demo::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Generate(options) => generate::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::CommandLine::command().debug_assert();
    }
}
