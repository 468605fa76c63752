//! Checks the disk before a load begins. A transaction that runs out of room rolls all of its rows back, after
//! minutes in which other writers waited.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::{Error, Result};

/// How many bytes a new poll adds to the database file, with its packed form and its share of half-full pages.
const FILE_BYTES_A_POLL: u64 = 36;

/// How many bytes it adds to the write-ahead log of its transaction.
const LOG_BYTES_A_POLL: u64 = 40;

/// A load below this size is not checked: the log grows by as much between two checkpoints anyway.
const UNCHECKED_BYTES: u64 = 64 << 20;

/// A disk with less room is as good as full: the write-ahead log alone grows by more between two checkpoints.
const SHORT_BYTES: u64 = 1 << 20;

/// The folder of the database that this process opened last: errors of SQLite do not name it.
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The folder that `file` is in.
pub fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Notes the folder of a database for [`no_space`].
pub(super) fn note_folder(file: &Path) {
    let folder = folder_of(file);
    let mut noted = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.as_deref() != Some(folder) {
        *noted = Some(folder.to_owned());
    }
}

/// The error of a full disk: the folder, what is free there, and the remedy.
pub fn no_space() -> Error {
    let noted = FOLDER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    noted.map_or_else(
        || Error::no_space("no space is left for the database (free some, then try again)"),
        |folder| no_space_in(&folder, "the database"),
    )
}

/// The error of a full disk where `what` is written.
pub fn no_space_in(folder: &Path, what: &str) -> Error {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let free = free(&absolute).map_or_else(String::new, |free| format!(", where {} KiB are free", free >> 10));
    Error::no_space(format!(
        "no space is left for {what} in {}{free} (free some space, or forget old polls with \
         `import --prune-before TIME`)",
        absolute.display()
    ))
}

/// The most bytes that a transaction with `polls` new polls takes on the disk. If they lie among older ones
/// (`is_late`), each may rewrite a page.
fn needed(db: &Connection, polls: u64, is_late: bool) -> Result<u64> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
    let mut bytes = polls * FILE_BYTES_A_POLL;
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "wal" {
        bytes += polls * LOG_BYTES_A_POLL;
        if is_late {
            bytes += polls.min(number("page_count")?) * number("page_size")?;
        }
    }
    Ok(bytes)
}

/// Refuses a load that does not fit on the database's disk.
///
/// # Errors
/// [`ErrorKind::NoSpace`](crate::error::ErrorKind), with the needed and the free bytes.
pub fn require(db: &Connection, polls: u64, is_late: bool) -> Result<()> {
    let needed = needed(db, polls, is_late)?;
    let folder = db.path().and_then(|file| Path::new(file).parent());
    let Some(folder) = folder.filter(|_| needed > UNCHECKED_BYTES) else {
        return Ok(());
    };
    match free(folder) {
        Some(free) if free < needed => Err(Error::no_space(format!(
            "loading {polls} polls needs up to {} MiB in {}, where {} MiB are free, so nothing was written \
             (free some space, or load fewer at a time)",
            needed >> 20,
            folder.display(),
            free >> 20
        ))),
        _ => Ok(()),
    }
}

/// The error of a disk on which the database `file` can hardly be written any more; none while it has room.
pub fn shortage(file: &Path) -> Option<Error> {
    let folder = folder_of(file);
    let is_short = free(folder).is_some_and(|free| free < SHORT_BYTES);
    is_short.then(|| no_space_in(folder, "the database"))
}

/// Whether two folders are on one disk; false if the system cannot say.
pub fn is_same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        let disk = |folder: &Path| {
            folder
                .metadata()
                .map(|facts| std::os::unix::fs::MetadataExt::dev(&facts))
        };
        matches!((disk(one), disk(other)), (Ok(one), Ok(other)) if one == other)
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        false
    }
}

/// Whether so many bytes are free in `folder`; true if the system cannot say.
pub fn has_bytes(folder: &Path, bytes: u64) -> bool {
    free(folder).is_none_or(|free| free >= bytes)
}

/// Whether the disk of a database has room for so many of its pages.
pub(super) fn has_room(db: &Connection, pages: i64) -> Result<bool> {
    let page_bytes: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let bytes = u64::try_from(pages.saturating_mul(page_bytes)).unwrap_or(0);
    let free = db.path().and_then(|file| free(folder_of(Path::new(file))));
    Ok(free.is_none_or(|free| free >= bytes))
}

/// Refuses to write `bytes` for `what` into a folder that has not as many free.
pub(super) fn require_bytes(folder: &Path, bytes: u64, what: &str) -> Result<()> {
    match free(folder) {
        Some(free) if free < bytes => Err(Error::no_space(format!(
            "{what} needs {} MiB in {}, where {} MiB are free, so nothing was written (free some space)",
            bytes.div_ceil(1 << 20),
            folder.display(),
            free >> 20
        ))),
        _ => Ok(()),
    }
}

/// How many bytes this process may still write to the disk of `folder`; none if the system cannot say.
#[cfg(unix)]
pub(super) fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
pub(super) fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::super::connection::open_writer;
    use super::super::{packed, polls, write};
    use super::*;
    use crate::uptime::poll::{Poll, Status};

    /// Loads polls of so many stores, whose keys are so far apart, each every so many minutes.
    fn a_load_takes_no_more_than_was_asked_for(stores: i64, keys_apart: i64, minutes: i64) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let mut db = open_writer(&file).unwrap();
        let bytes = || -> u64 {
            let files = fs::read_dir(folder.path()).unwrap();
            files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
        };
        let instant = |minute: i64| 1_700_000_000_000_000 + minute * 60_000_000;
        // The first half is new; the second half lies among the first, and its hours are packed again.
        let count = 100_000_i64;
        for (offset, is_late) in [(0, false), (minutes / 2, true)] {
            let before = bytes();
            let needed = needed(&db, count.unsigned_abs(), is_late).unwrap();
            let rows = (0..count).map(|number| {
                let store = u32::try_from(number % stores * keys_apart).unwrap();
                Ok((
                    store,
                    Poll::new(instant(number / stores * minutes + offset), Status::Active),
                ))
            });
            write(&mut db, |db| polls::add(db, rows)).unwrap();
            packed::pack_all(&mut db, Duration::MAX).unwrap();
            db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
            let taken = bytes() - before;
            assert!(taken <= needed, "{taken} of {needed}");
            assert!(is_late || taken > needed / 2, "{taken} of {needed}");
        }
    }

    #[test]
    fn a_load_of_a_week_takes_no_more_than_was_asked_for() {
        a_load_takes_no_more_than_was_asked_for(50, 1, 2);
    }

    #[test]
    fn a_load_of_months_takes_no_more_than_was_asked_for() {
        // So many polls an hour that a page has room for one packed hour and a half.
        a_load_takes_no_more_than_was_asked_for(840, 1, 60);
        // Few an hour, each in a block of its own: their packed form is longest.
        a_load_takes_no_more_than_was_asked_for(32, 300, 60);
    }

    #[test]
    fn a_load_that_no_disk_can_hold_is_refused_before_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_writer(&folder.path().join("a.db")).unwrap();
        let error = require(&db, 1 << 50, false).unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
        assert!(require(&db, 1_000_000, false).is_ok());
    }
}
