//! The reserve: room on the disk that is kept for the day on which the disk is full.
//!
//! A full disk cannot even delete: SQLite first writes what it deletes into its log, and a start needs room for shared
//! memory. So the file `FILE-reserve` takes room beside the database while there is some. It is cut to nothing for a
//! deletion, and by a little for a start that finds no room. It is taken back as soon as there is room again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use rusqlite::Connection;

use super::disk::{self, folder_of};
use super::watch::beside;
use crate::error::{Error, Result};

/// How many bytes the reserve has by default: enough for a transaction that forgets polls.
pub const RESERVE_BYTES: u64 = 16 << 20;

/// How many bytes a start takes off the reserve: its shared memory and the beginning of a log.
const START_BYTES: u64 = 1 << 20;

/// As many bytes are written at once where the system cannot allocate.
const PIECE_BYTES: usize = 1 << 16;

/// How often the room for the reserve must be free before it is taken: it must not take the last room itself.
const ROOM_FACTOR: u64 = 2;

/// Makes the reserve of the database `file` as long as `bytes`; 0 removes it.
///
/// # Errors
/// [`ErrorKind::NoSpace`](crate::error::ErrorKind) while there is not enough room for it.
pub fn keep(file: &Path, bytes: u64) -> Result<()> {
    let path = beside(file, "-reserve");
    let failed =
        |error: io::Error| Error::failed(format!("the reserve {} cannot be written", path.display())).because(error);
    if bytes == 0 {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    }
    let length = path.metadata().map_or(0, |facts| facts.len());
    if length == bytes {
        return Ok(());
    }
    let lacking = bytes.saturating_sub(length);
    let folder = folder_of(file);
    let no_room = |free: u64| {
        Error::no_space(format!(
            "{} KiB are free in {}, too few for the reserve of {} KiB: nothing is kept for the day on which the disk \
             is full (free some space)",
            free >> 10,
            folder.display(),
            bytes >> 10
        ))
    };
    if let Some(free) = disk::free(folder).filter(|free| *free < lacking.saturating_mul(ROOM_FACTOR)) {
        return Err(no_room(free));
    }
    let reserve = open(&path).map_err(failed)?;
    if let Err(error) = reserve
        .set_len(length.min(bytes))
        .and_then(|()| fill(&reserve, length, bytes))
    {
        let _ = reserve.set_len(0);
        return match error.kind() {
            io::ErrorKind::StorageFull => Err(no_room(disk::free(folder).unwrap_or(0))),
            _ => Err(failed(error)),
        };
    }
    Ok(())
}

/// Gives the reserve to a deletion, if the disk has less room than that.
pub(super) fn make_room(db: &Connection) {
    let Some(file) = db.path().map(Path::new).filter(|file| !file.as_os_str().is_empty()) else {
        return;
    };
    let path = beside(file, "-reserve");
    let length = path.metadata().map_or(0, |facts| facts.len());
    let is_short = disk::free(folder_of(file)).is_some_and(|free| free < length);
    if is_short && shrink(&path, 0) {
        tracing::warn!("the disk is nearly full: the reserve was given up for a deletion");
    }
}

/// Takes a little off the reserve for a start; whether there was one.
pub(super) fn make_start(file: &Path) -> bool {
    let path = beside(file, "-reserve");
    let length = path.metadata().map_or(0, |facts| facts.len());
    let is_given = length > 0 && shrink(&path, length.saturating_sub(START_BYTES));
    if is_given {
        tracing::warn!("the disk is full: a part of the reserve was given up to open the database");
    }
    is_given
}

fn shrink(path: &Path, length: u64) -> bool {
    let shrunk = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(length));
    shrunk.is_ok()
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Really takes the bytes from the disk: a length alone would not.
fn fill(mut file: &File, from: u64, to: u64) -> io::Result<()> {
    if to <= from {
        return Ok(());
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(file, FallocateFlags::empty(), from, to.saturating_sub(from)) {
            Ok(()) => return Ok(()),
            Err(error) if error == rustix::io::Errno::OPNOTSUPP => {}
            Err(error) => return Err(error.into()),
        }
    }
    let piece = vec![1; PIECE_BYTES];
    io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
    let mut left = to.saturating_sub(from);
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        file.write_all(&piece[..count])?;
        left -= count as u64;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_takes_room_gives_it_up_and_takes_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let path = beside(&file, "-reserve");
        let length = || path.metadata().map_or(0, |facts| facts.len());
        keep(&file, 3 << 20).unwrap();
        assert_eq!(length(), 3 << 20);
        #[cfg(unix)]
        assert!(std::os::unix::fs::MetadataExt::blocks(&path.metadata().unwrap()) * 512 >= 3 << 20);
        assert!(make_start(&file) && make_start(&file));
        assert_eq!(length(), 1 << 20);
        keep(&file, 3 << 20).unwrap();
        assert_eq!(length(), 3 << 20);
        keep(&file, 1 << 20).unwrap();
        assert_eq!(length(), 1 << 20);
        keep(&file, 0).unwrap();
        assert!(!path.exists() && !make_start(&file));
        let error = keep(&file, 1 << 50).unwrap_err();
        assert!(error.to_string().contains("too few for the reserve"), "{error}");
        assert!(!path.exists());
    }
}
