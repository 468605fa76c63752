//! `config`: what is in force and where it comes from; what is wrong with a configuration file; an example of one.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Arg, Command, Subcommand};

use super::output::{note, print};
use super::settings::{self, InForce, Origin};
use super::{Database, config_example, token};
use crate::config::Messaging;
use crate::config::file::File;
use crate::db::connection::open_reader;
use crate::error::{Error, Result};

/// The options of `config`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    action: Option<Action>,

    /// The command whose settings are printed
    #[arg(
        long = "command",
        env = "STORE_MONITOR_COMMAND",
        value_name = "COMMAND",
        default_value = "serve"
    )]
    name: String,

    /// How they are printed: a table, or a file that `--config` takes
    #[arg(long, env = "STORE_MONITOR_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// Flags of that command, after `--`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<OsString>,

    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print `ok`, or all that is wrong with a configuration file
    Check {
        /// The file; by itself that of --config
        #[arg(value_name = "FILE")]
        path: Option<PathBuf>,
    },
    /// Print a configuration file with every key, its meaning and its default, as comments
    Example,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people
    Text,
    /// A configuration file
    Toml,
}

/// Whether the command named is one that reads the file itself, whatever is wrong with it.
pub(super) fn reads_itself(matches: &clap::ArgMatches) -> bool {
    matches!(matches.subcommand(), Some(("config", below)) if below.subcommand_name().is_some())
}

/// Prints what is asked for.
///
/// # Errors
/// When the file is wrong, there is no such command, or stdout cannot be written.
pub fn run(options: &Options, plain: fn() -> Command, named: Option<&Path>, file: Option<&File>) -> Result<()> {
    match &options.action {
        Some(Action::Example) => print(&config_example::text(&plain())),
        Some(Action::Check { path }) => check(options, &plain(), path.as_deref().or(named)),
        None => show(options, file),
    }
}

/// The command line without any duty: what is in force can be told of a part of it.
fn relaxed() -> Command {
    fn relax(command: Command) -> Command {
        let below: Vec<_> = command
            .get_subcommands()
            .map(|below| below.get_name().to_owned())
            .collect();
        let relaxed = |flag: Arg| match flag.get_long() {
            None => flag.required(false).required_unless_present(Resettable::Reset),
            Some(_) => flag.required(false),
        };
        let command = command.subcommand_required(false).arg_required_else_help(false);
        let command = command.mut_args(relaxed);
        below
            .into_iter()
            .fold(command, |command, name| command.mut_subcommand(name, relax))
    }
    relax(super::command())
}

/// Prints the settings in force.
fn show(options: &Options, file: Option<&File>) -> Result<()> {
    let program = OsString::from("store-monitor");
    let words = options.name.split_whitespace().map(OsString::from);
    let mut arguments: Vec<_> = std::iter::once(program).chain(words).collect();
    // Those before `--` are flags of every command.
    let own: Vec<_> = std::env::args_os().collect();
    for flag in ["--database", "--log", "--log-format"] {
        if let Some(value) = settings::named(&own, flag, "") {
            arguments.extend([flag.into(), value]);
        }
    }
    arguments.extend(options.flags.iter().cloned());
    let parsed = settings::parse(relaxed, &arguments, file);
    let parsed = parsed.map_err(|error| Error::invalid(settings::sentence(&error)))?;
    let mut in_force = parsed.in_force(file);
    in_force.sort_by(|one, other| one.key.cmp(&other.key));
    let path = file.map(|file| file.path.display().to_string()).unwrap_or_default();
    let tables = file.map(File::named_tables).unwrap_or_default();
    print(&match options.format {
        Format::Text => table(&in_force, &tables, &path),
        Format::Toml => toml(&in_force, &tables, &path, &options.name),
    })?;
    // Last: what flags say is worth knowing, whatever is wrong with the tables.
    file.map_or(Ok(()), |file| file.messaging().map(drop))
}

fn origin(of: &InForce, path: &str) -> String {
    match &of.from {
        Origin::Flag => format!("--{}", of.key.replace('_', "-")),
        Origin::Variable(name) => name.clone(),
        Origin::Line(line) => format!("{path} line {line}"),
        Origin::Default => "default".to_owned(),
    }
}

fn table(in_force: &[InForce], tables: &[(String, String, usize)], path: &str) -> String {
    let header = ["SETTING", "VALUE", "FROM"].map(str::to_owned);
    let row = |of: &InForce| [of.key.clone(), of.told().escape_debug().to_string(), origin(of, path)];
    let below = tables.iter().map(|(kind, name, line)| {
        [
            kind.clone(),
            name.escape_debug().to_string(),
            format!("{path} line {line}"),
        ]
    });
    let rows = std::iter::once(header).chain(in_force.iter().map(row));
    let rows: Vec<_> = rows.chain(below).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (keys, values) = (width(0), width(1));
    let line = |[key, value, from]: &[String; 3]| format!("{key:keys$}  {value:values$}  {from}\n");
    rows.iter().map(line).collect()
}

fn toml(in_force: &[InForce], tables: &[(String, String, usize)], path: &str, command: &str) -> String {
    let mut text = format!("# What is in force for `{command}`.\n");
    for of in in_force {
        let value = match of.values.as_slice() {
            [] => {
                let _ = writeln!(text, "# {} is not set", of.key);
                continue;
            }
            values if of.is_list => {
                let values: Vec<_> = values.iter().map(|value| config_example::literal(value)).collect();
                format!("[{}]", values.join(", "))
            }
            [value, ..] if of.is_switch => value.clone(),
            [value, ..] => config_example::literal(value),
        };
        let _ = writeln!(text, "{} = {value}  # {}", of.key, origin(of, path));
    }
    for (kind, name, line) in tables {
        let _ = writeln!(text, "# {kind} {} is in {path} line {line}", name.escape_debug());
    }
    text
}

/// Prints `ok`, or what is wrong; what may be meant otherwise is noted on stderr.
fn check(options: &Options, command: &Command, path: Option<&Path>) -> Result<()> {
    let path = path.ok_or_else(|| Error::invalid("no configuration file is named (add it: config check FILE)"))?;
    let (file, mut faults) = File::read_all(path)?;
    faults.extend(settings::faults(command, &file));
    let (messaging, more) = Messaging::read_all(&mut file.tables());
    faults.extend(more);
    let database = file.text("database").map(PathBuf::from);
    note_unknown_names(&messaging, &database.unwrap_or_else(|| options.database.file.clone()));
    match faults.len() {
        0 => print("ok\n"),
        count => {
            let lines: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
            print(&lines)?;
            let (things, remedy) = match count {
                1 => ("thing is", "mend it"),
                _ => ("things are", "mend them"),
            };
            Err(Error::invalid(format!(
                "{count} {things} wrong with {} ({remedy}, then check again)",
                path.display()
            )))
        }
    }
}

/// Notes which stores and owners of rules and digests the database does not know: they may come later.
fn note_unknown_names(messaging: &Messaging, database: &Path) {
    if !database.exists() {
        return;
    }
    let Ok(db) = open_reader(database) else {
        note!("note: {} cannot be read, so no store was looked up", database.display());
        return;
    };
    let rules = messaging.alerts.iter().map(|rule| &rule.stores);
    for stores in rules.chain(messaging.digests.iter().map(|digest| &digest.stores)) {
        if let Err(error) = token::look_up(&db, stores) {
            note!("note: {error}");
        }
    }
}
