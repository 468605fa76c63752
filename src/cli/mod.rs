//! The command line: one file a command.
//!
//! Every setting is a flag and an environment variable. Data goes to stdout, all else to stderr.

pub mod alert;
pub mod backup;
mod buffered_output;
pub mod check;
pub mod completions;
pub mod config;
mod config_example;
mod configuration;
pub mod containerfile;
pub mod dashboard;
pub mod demo;
pub mod digest;
pub mod docs;
pub mod export;
pub mod generate;
pub mod healthcheck;
pub mod import;
pub mod lake;
mod log;
pub mod man;
pub mod numbers;
pub mod output;
pub mod proxy_recipe;
pub mod report;
pub mod restore;
pub mod serve;
mod server_options;
mod settings;
pub mod statement;
pub mod status;
mod status_facts;
mod status_file;
mod status_shown;
mod supervisor;
pub mod systemd_unit;
pub mod token;
pub mod upkeep;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use rusqlite::Connection;

use self::configuration::Configuration;
use self::log::LogFormat;
use self::settings::Parsed;
use crate::config::file::File;
use crate::db::connection::{self, folder_of};
use crate::db::inspect::{self, OnDamage};
use crate::db::lock;
use crate::error::{Error, Result};

/// Reports how long each store was online during its business hours
///
/// store-monitor takes polls (`active` or `inactive`, about one an hour), business hours and time
/// zones, and reports the uptime and downtime of every store for the last hour, day and week. One
/// binary, one database file, nothing else to install.
#[derive(Debug, Parser)]
#[command(name = "store-monitor", version, max_term_width = 100)]
#[command(after_help = "Start with:  store-monitor demo")]
pub struct CommandLine {
    /// The least severe messages on stderr: error, warn, info or debug
    #[arg(
        long,
        env = "STORE_MONITOR_LOG",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    log: tracing::Level,

    /// How messages on stderr look
    #[arg(
        long,
        env = "STORE_MONITOR_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "human",
        global = true
    )]
    log_format: LogFormat,

    /// A configuration file: settings under the names of their flags, receivers, alert rules and digests
    #[arg(long, env = "STORE_MONITOR_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    #[command(flatten)]
    database: Database,

    #[command(subcommand)]
    command: Command,

    /// The configuration file, read.
    #[arg(skip)]
    file: Option<File>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a temporary database that is filled with the data of a small chain of restaurants
    Demo(demo::Options),
    /// Serve a database over HTTP
    Serve(serve::Options),
    /// Load CSV files of polls, business hours, special hours, time zones or stores; the header says which
    Import(import::Options),
    /// Print the report as CSV
    Report(report::Options),
    /// Print the statement of any period as CSV: days, weeks, months or a total
    Statement(statement::Options),
    /// Print what a day, a week or a month was like, for people: in sentences, worst first
    Digest(digest::Options),
    /// Print what is stored, as CSV that `import` takes back unchanged, or write files for a warehouse
    Export(export::Options),
    /// Check the database: its file, and every rule its rows must keep
    Check(check::Options),
    /// Copy the database to a file, whole and checked, also while a server runs
    Backup(backup::Options),
    /// Put a backup in the place of the database, which is set aside
    Restore(restore::Options),
    /// Print how the server and its database are: polls, reports, queues, backups, and how long the disk lasts
    Status(status::Options),
    /// Ask a server whether it is well; exits with 0 or 1
    Healthcheck(healthcheck::Options),
    /// Write synthetic CSV files in the shape of real ones, the same for the same seed
    Generate(generate::Options),
    /// Make, list or revoke the tokens that say who may do what
    Token(token::TokenOptions),
    /// Make, list or revoke links that show one store, or one owner's stores, to whoever has them
    Link(token::LinkOptions),
    /// Print a Grafana dashboard of the server's numbers, or alert rules for Prometheus
    Dashboard(dashboard::Options),
    /// Try alert rules on the past
    Alert(alert::Options),
    /// Print the settings in force and where each comes from, check a configuration file, or print an example
    Config(config::Options),
    /// Print the configuration of a proxy that gives a server TLS
    ProxyRecipe(proxy_recipe::Options),
    /// Print a systemd unit that starts a server with these flags
    SystemdUnit(systemd_unit::Options),
    /// Print the recipe of a container image that holds the program alone
    Containerfile,
    /// Print a shell's script that completes commands and flags
    Completions(completions::Options),
    /// Print a manual page, or write all of them
    Man(man::Options),
    /// Print a guide as Markdown, or the list of guides
    Docs(docs::Options),
}

/// The commands without a database.
const WITHOUT_DATABASE: [&str; 9] = [
    "demo",
    "healthcheck",
    "generate",
    "dashboard",
    "proxy-recipe",
    "containerfile",
    "completions",
    "man",
    "docs",
];

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

impl Database {
    /// Tells other processes that this one has the database, for as long as the answer is kept.
    fn hold(&self) -> Result<lock::Held> {
        lock::hold(&self.file, None)
    }

    /// Holds it, and refuses one that is not of one piece, or whose log is damaged.
    fn hold_whole(&self) -> Result<lock::Held> {
        let held = self.hold()?;
        if let Some(damage) = inspect::files(&self.file, &held, OnDamage::Refuse)?.damage {
            tracing::warn!("{damage}");
        }
        Ok(held)
    }

    /// Holds it and opens it for reading, unless it is damaged where every report would notice.
    fn reader(&self) -> Result<(lock::Held, Connection)> {
        let held = self.hold_whole()?;
        let db = connection::open_reader(&self.file)?;
        inspect::newest(&db)?;
        Ok((held, db))
    }

    /// Refuses a database that does not exist.
    fn require(&self) -> Result<()> {
        match self.file.exists() {
            true => Ok(()),
            false => Err(connection::missing(&self.file)),
        }
    }
}

impl CommandLine {
    /// Whether the command runs until it is stopped.
    pub fn is_server(&self) -> bool {
        matches!(self.command, Command::Serve(_) | Command::Demo(_))
    }
}

/// The command line for clap. The help of a command without a database hides `--database`.
pub fn command() -> clap::Command {
    let hide = |command: clap::Command| {
        // It has the id of the global flag, and so replaces it.
        command.arg(Arg::new("file").long("database").hide(true))
    };
    let command = CommandLine::command();
    WITHOUT_DATABASE
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, hide))
}

/// Parses the command line of this process, with what its configuration file says; wrong usage, `--help` and
/// `--version` end the process here.
///
/// # Errors
/// When the configuration file is wrong, or the help or the version cannot be printed.
pub fn parse() -> Result<CommandLine> {
    let arguments: Vec<_> = std::env::args_os().collect();
    // What is wrong with the command line is told in this form, too.
    if settings::named(&arguments, "--log-format", "STORE_MONITOR_LOG_FORMAT").is_some_and(|format| format == "json") {
        log::start(LogFormat::Json, tracing::Level::INFO);
    }
    let (file, fault) = match settings::file_named(&arguments).map(|path| File::read_all(&path)) {
        None => (None, None),
        Some(Err(error)) => (None, Some(error)),
        Some(Ok((file, errors))) => {
            let fault = errors.into_iter().chain(settings::faults(&command(), &file)).next();
            (Some(file), fault)
        }
    };
    let Parsed {
        mut command,
        mut matches,
    } = match settings::parse(command, &arguments, file.as_ref()) {
        Ok(parsed) => parsed,
        Err(error) if error.use_stderr() => match fault {
            Some(fault) => return Err(fault),
            None if log::is_json() => {
                output::failure(format_args!("{}", settings::sentence(&error)));
                std::process::exit(error.exit_code())
            }
            None => error.exit(),
        },
        Err(error) => {
            // By itself clap would not notice that nothing was printed.
            output::to_stdout(|out| {
                let failed = |error: std::io::Error| Error::failed("stdout cannot be written").because(error);
                write!(out, "{}", error.render()).map_err(failed)
            })?;
            std::process::exit(error.exit_code())
        }
    };
    if let Some((name, options)) = matches.subcommand()
        && WITHOUT_DATABASE.contains(&name)
        && options.value_source("file") == Some(ValueSource::CommandLine)
    {
        let reason = format!("`{name}` has no database (leave --database away)");
        command.error(ErrorKind::ArgumentConflict, reason).exit();
    }
    if let Some(fault) = fault.filter(|_| !config::reads_itself(&matches)) {
        return Err(fault);
    }
    let line = CommandLine::from_arg_matches_mut(&mut matches);
    let line = line.unwrap_or_else(|error| error.format(&mut command).exit());
    Ok(CommandLine { file, ..line })
}

/// Sends the log to stderr, a server's by a thread of its own.
///
/// # Errors
/// When the system gives no thread.
pub fn start_log(command_line: &CommandLine) -> Result<()> {
    log::start(command_line.log_format, command_line.log);
    match command_line.is_server() {
        true => log::queue(),
        false => Ok(()),
    }
}

/// Waits until the log is written.
pub fn finish_log() {
    log::finish();
}

/// Prints an error, after what is still to be logged.
pub fn tell(error: &Error) {
    if !log::is_json() {
        log::finish();
    }
    output::failure(format_args!("{error}"));
    log::finish();
}

/// Runs the command.
///
/// # Errors
/// The command's own, in a sentence that names the remedy.
pub fn run(command_line: CommandLine) -> Result<()> {
    let file = command_line.file;
    match command_line.command {
        Command::Demo(options) => demo::run(&options, Configuration::new(command, file)?),
        Command::Serve(options) => serve::run(&options, Configuration::new(command, file)?),
        Command::Import(options) => import::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Statement(options) => statement::run(&options),
        Command::Digest(options) => digest::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(&options),
        Command::Status(options) => status::run(&options),
        Command::Healthcheck(options) => healthcheck::run(&options),
        Command::Generate(options) => generate::run(&options),
        Command::Dashboard(options) => dashboard::run(&options),
        Command::Token(options) => token::run(&options),
        Command::Link(options) => token::run_link(&options),
        Command::Alert(options) => alert::run(&options, &Configuration::new(command, file)?),
        Command::Config(options) => config::run(&options, command, command_line.config.as_deref(), file.as_ref()),
        Command::ProxyRecipe(options) => proxy_recipe::run(&options),
        Command::SystemdUnit(options) => systemd_unit::run(&options),
        Command::Containerfile => containerfile::run(),
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => man::run(&options),
        Command::Docs(options) => docs::run(&options),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
