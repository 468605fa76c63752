//! The sizes of a database's files, and the room beside them.

use std::io::ErrorKind;
use std::path::Path;

use super::disk::{self, folder_of};
use super::watch::beside;

/// How much a database takes; what the system does not say is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The bytes of the file itself.
    pub database: Option<u64>,
    /// Those of its write-ahead log.
    pub log: Option<u64>,
    /// How many bytes are free on its disk.
    pub free: Option<u64>,
}

impl Sizes {
    /// The sizes of the database `file` now.
    pub fn of(file: &Path) -> Self {
        let length = |path: &Path| match path.metadata() {
            Ok(facts) => Some(facts.len()),
            // A database that nobody has open has no log.
            Err(error) if error.kind() == ErrorKind::NotFound => Some(0),
            Err(_) => None,
        };
        Self {
            database: length(file).filter(|bytes| *bytes > 0),
            log: length(&beside(file, "-wal")),
            free: disk::free(folder_of(file)),
        }
    }
}
