//! `export lake`: writes files by day for a warehouse.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::Database;
use super::output::{self, note};
use crate::civil;
use crate::db;
use crate::db::connection::folder_of;
use crate::error::{Error, Result};
use crate::export::lake::{self, Fill};

/// The options of `export lake`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The folder to write to; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The first day, such as `2026-11-01`; days are UTC days
    #[arg(long, env = "STORE_MONITOR_FROM", value_name = "DAY", value_parser = civil::parse_day)]
    from: i64,

    /// The last day, itself included
    #[arg(long, env = "STORE_MONITOR_TO", value_name = "DAY", value_parser = civil::parse_day)]
    to: i64,
}

/// Writes the files of the chosen days, from one consistent view of the database.
///
/// # Errors
/// When no day is chosen, the database has no polls in them or cannot be read, or a file cannot be written.
pub(super) fn run(options: &Options, database: &Database) -> Result<()> {
    let &Options { from, to, .. } = options;
    if from > to {
        let [from, to] = [from, to].map(civil::format_day);
        return Err(Error::invalid(format!(
            "--from {from} is after --to {to} (exchange them)"
        )));
    }
    let (_held, mut db) = database.reader()?;
    let view = db::read(&mut db)?;
    let bar = if io::stderr().is_terminal() {
        ProgressBar::new((to - from).unsigned_abs() * 2 + 3)
    } else {
        ProgressBar::hidden()
    };
    let mut files = Files {
        folder: &options.folder,
        bar: &bar,
    };
    let written = lake::write(&view, from..=to, &mut files);
    bar.finish_and_clear();
    let written = written?;
    note!(
        "{}: {} polls, {} open intervals, {} stores in {} days",
        options.folder.display(),
        written.polls,
        written.open_intervals,
        written.stores,
        to - from + 1,
    );
    if let Some(&first) = written.days_without_polls.first() {
        note!(
            "{} of these days have no polls in the database, the first is {}: their files in DIR were left as they are",
            written.days_without_polls.len(),
            civil::format_day(first),
        );
    }
    Ok(())
}

/// Creates the files in a folder.
struct Files<'a> {
    folder: &'a Path,
    bar: &'a ProgressBar,
}

impl lake::Files for Files<'_> {
    fn make(&mut self, path: &str, fill: &mut Fill<'_>) -> Result<()> {
        let file = self.folder.join(path);
        if let Some(folder) = file.parent() {
            make_folder(folder).map_err(|cause| {
                let folder = folder.display();
                Error::invalid(format!(
                    "cannot make {folder} (check your permissions, or name another folder)"
                ))
                .because(cause)
            })?;
        }
        output::to_file(&file, |out| fill(out))?;
        self.bar.inc(1);
        Ok(())
    }
}

/// Creates a folder and its missing parents, durably: a file's name is only as durable as its folder's.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder_of(folder);
    make_folder(above)?;
    match fs::create_dir(folder) {
        // Another process may have created it meanwhile.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(above)?.sync_all()
}
