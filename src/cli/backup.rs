//! `backup`: a whole, checked copy of the database, while others read and write it.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::Database;
use super::output::note;
use crate::civil;
use crate::db::backup::{self, Care, Copied};
use crate::error::Result;
use crate::product;

/// The options of `backup`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file to write; it appears whole or not at all, and an earlier backup of that name is replaced
    #[arg(value_name = "FILE")]
    target: PathBuf,

    #[command(flatten)]
    database: Database,
}

/// Writes the backup.
///
/// # Errors
/// When the database is damaged, or the file cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let _held = options.database.hold_whole()?;
    options.database.require()?;
    let copied = with_care(|care| backup::copy(&options.database.file, &options.target, care))?;
    note!("{}: {}", options.target.display(), facts(&copied));
    Ok(())
}

/// Runs `work` with a bar on stderr if that is a terminal, and with every check of this program.
pub(super) fn with_care<T>(work: impl FnOnce(&mut Care<'_>) -> Result<T>) -> Result<T> {
    let bar = match io::stderr().is_terminal() {
        true => ProgressBar::new(0),
        false => ProgressBar::hidden(),
    };
    // The template is a constant of this file; a wrong one would only give the default style.
    let style = ProgressStyle::with_template("{wide_bar} {percent} % {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message("copied");
    let mut progress = |copied, all| {
        bar.set_length(all);
        bar.set_position(copied);
        if copied == all {
            bar.set_message("copied; it is being checked");
        }
    };
    let done = work(&mut Care {
        progress: &mut progress,
        findings: &product::findings,
    });
    bar.finish_and_clear();
    done
}

/// The size and the newest poll of a copy.
pub(super) fn facts(copied: &Copied) -> String {
    let polls = match copied.newest_poll {
        Some(at) => format!("polls up to {}", civil::format_utc(at)),
        None => "no polls".to_owned(),
    };
    format!("{} KiB, {polls}, checked", copied.bytes.div_ceil(1024))
}
