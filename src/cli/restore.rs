//! `restore`: a backup in the place of the database, which is set aside.

use std::path::PathBuf;

use super::backup::{facts, with_care};
use super::output::note;
use super::{Database, folder_of};
use crate::clock;
use crate::db::backup;
use crate::db::connection::open_reader;
use crate::db::credentials;
use crate::error::{Error, Result};

/// The options of `restore`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The backup
    #[arg(value_name = "FILE")]
    backup: PathBuf,

    #[command(flatten)]
    database: Database,
}

/// Checks the backup, sets the database aside, and puts a copy of the backup in its place.
///
/// # Errors
/// When a process has the database open, or the backup is damaged; then nothing has changed.
pub fn run(options: &Options) -> Result<()> {
    let file = &options.database.file;
    if !folder_of(file).is_dir() {
        let folder = folder_of(file).display();
        return Err(Error::invalid(format!(
            "the folder {folder} does not exist (make it, or name another database)"
        )));
    }
    let held = options.database.hold()?;
    let Some(alone) = held.alone() else {
        return Err(Error::unavailable(format!(
            "a server or another command has the database {} open (stop it, then try again)",
            file.display()
        )));
    };
    let at = clock::machine_us();
    let (copied, aside) = with_care(|care| backup::restore(&options.backup, file, at, &alone, care))?;
    note!("{}: {}", file.display(), facts(&copied));
    if let Some(aside) = aside {
        note!("the database before it is now {}", aside.display());
    }
    if credentials::has_token(&open_reader(file)?)? {
        note!("tokens and links are those of the backup: one that was revoked since counts again (`token list`)");
    }
    Ok(())
}
