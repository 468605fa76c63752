//! `export`: the stored rows, as CSV that `import` accepts unchanged, the audit, reasons, or a lake of files.

use std::io::Write;
use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use rusqlite::Connection;

use super::{Database, folder_of, lake, output};
use crate::db;
use crate::error::{Error, Result};
use crate::export;
use crate::ingest::kind::Kind;

/// How many times larger than the database its rows are as text, at most.
const TEXT_FACTOR: u64 = 8;

/// The data to export: rows of one kind, or a lake. The subcommands of kinds come from their list.
#[derive(Debug)]
enum Subject {
    Rows(Kind),
    Audit,
    Reasons,
    Lake(lake::Options),
}

impl Subcommand for Subject {
    fn augment_subcommands(command: Command) -> Command {
        let kind = |kind: Kind| {
            let description = kind.description();
            Command::new(description.slug).about(description.export_about)
        };
        let about = "Write files by day, which DuckDB, ClickHouse, Spark, Trino and BigQuery read as they are";
        command
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(Kind::ALL.map(kind))
            .subcommand(
                Command::new("audit").about("Print who changed what: loads, deletions, reports, tokens and links"),
            )
            .subcommand(Command::new("reasons").about("Print why stores were offline, as their owners said"))
            .subcommand(lake::Options::augment_args(Command::new("lake")).about(about))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        matches!(name, "lake" | "audit" | "reasons") || Kind::of_slug(name).is_some()
    }
}

impl FromArgMatches for Subject {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand() {
            Some(("lake", matches)) => lake::Options::from_arg_matches(matches).map(Self::Lake),
            Some(("audit", _)) => Ok(Self::Audit),
            Some(("reasons", _)) => Ok(Self::Reasons),
            other => {
                let kind = other.and_then(|(name, _)| Kind::of_slug(name));
                let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
                kind.map(Self::Rows).ok_or_else(missing)
            }
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The options of `export`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    subject: Subject,

    /// Write to this file in place of stdout; it appears whole or not at all
    #[arg(long, env = "STORE_MONITOR_OUTPUT", value_name = "FILE", global = true)]
    output: Option<PathBuf>,

    #[command(flatten)]
    database: Database,
}

/// Prints one kind of data, or writes a lake, from one consistent view of the database.
///
/// # Errors
/// When the database cannot be read, or the output cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let write_rows: &dyn Fn(&Connection, &mut dyn Write) -> Result<()> = match &options.subject {
        Subject::Rows(kind) => &|view, out| export::rows(*kind, view, out),
        Subject::Audit => &|view, out| export::audit(view, out),
        Subject::Reasons => &|view, out| export::reasons(view, out),
        Subject::Lake(_) if options.output.is_some() => {
            let reason = "a lake is a folder of files (leave --output away, and name DIR)";
            return Err(Error::invalid(reason));
        }
        Subject::Lake(lake) => return lake::run(lake, &options.database),
    };
    let (_held, mut db) = options.database.reader()?;
    // The view ends as soon as the database was read.
    let write = |out: &mut dyn Write| {
        let view = db::read(&mut db)?;
        write_rows(&view, out)
    };
    match &options.output {
        Some(file) => output::to_file(file, write),
        None => {
            let file = &options.database.file;
            let bytes = file
                .metadata()
                .map_or(0, |facts| facts.len())
                .saturating_mul(TEXT_FACTOR);
            output::to_stdout_buffered(folder_of(file), bytes, write)
        }
    }
}
