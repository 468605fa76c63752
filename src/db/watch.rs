//! The watch over the database's files: a server must notice when someone removes or replaces them while it runs.
//!
//! SQLite goes on with the files that it has open, although no name leads to them any more: all that is written to them
//! is gone with the process. So no change is acknowledged before the names were compared with the open files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::health::{Condition, Health};

/// What tells one file from another: its device and its number there.
type Identity = (u64, u64);

/// The files of an open database.
#[derive(Debug)]
pub struct Watch {
    files: Vec<(PathBuf, Identity)>,
    health: Arc<Health>,
}

impl Watch {
    /// Watches the database `file` and the files of its log, which a connection has open already.
    pub(super) fn new(file: &Path, health: Arc<Health>) -> Self {
        let files = ["", "-wal", "-shm"].map(|end| beside(file, end)).into_iter();
        let files = files.filter_map(|file| identity(&file).map(|known| (file, known)));
        Self {
            files: files.collect(),
            health,
        }
    }

    /// Refuses to go on if a file is not the one that was opened. It never recovers: what was committed meanwhile may
    /// be lost, and only a restart reads what is there now.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind) with what happened and the remedy.
    pub fn verify(&self) -> Result<()> {
        if let Some(sentence) = self.health.get(Condition::DatabaseReplaced) {
            return Err(Error::unavailable(sentence));
        }
        for (file, known) in &self.files {
            let now = identity(file);
            if now != Some(*known) {
                let what = if now.is_none() { "removed" } else { "replaced" };
                let sentence = format!(
                    "{} was {what} while the server had it open, so nothing more is stored (put the database in place, \
                     from a backup if it is lost, and restart the server)",
                    file.display()
                );
                self.health.set(Condition::DatabaseReplaced, sentence.clone());
                return Err(Error::unavailable(sentence));
            }
        }
        Ok(())
    }

    /// Whether the log is still the one that was opened. If it is another database's, the connection must not be
    /// closed: SQLite would delete that log by its name.
    pub fn owns_log(&self) -> bool {
        let is_log = |file: &Path| file.as_os_str().as_encoded_bytes().ends_with(b"-wal");
        let mut logs = self.files.iter().filter(|(file, _)| is_log(file));
        logs.all(|(file, known)| identity(file) == Some(*known))
    }

    /// The health that it reports to.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }
}

/// The file whose name is that of `file` with `end`.
pub(super) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(unix)]
fn identity(file: &Path) -> Option<Identity> {
    let facts = fs::metadata(file).ok()?;
    let (device, number) = (
        std::os::unix::fs::MetadataExt::dev(&facts),
        std::os::unix::fs::MetadataExt::ino(&facts),
    );
    Some((device, number))
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn identity(file: &Path) -> Option<Identity> {
    fs::metadata(file).ok().map(|_| (0, 0))
}
