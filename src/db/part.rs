//! Part files: a file that is being made beside its place, `NAME.part-…`, and gets its name once it is whole.
//!
//! Its maker holds a lock on it, so that a part without one was left behind by a kill and may be removed.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::disk::folder_of;

/// What stands between the name of the file to be and the part's own letters.
const INFIX: &str = ".part-";

/// The files that SQLite makes beside a database of that name.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Whether a part is left out by programs that read all files of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Its name begins with a full stop.
    Hidden,
    /// Its name begins with that of its target.
    Plain,
}

/// A new part of `target`, locked, with these permissions less the umask; parts that a kill left are removed first.
///
/// # Errors
/// When the folder cannot be written.
pub fn new(target: &Path, look: Look, mode: u32) -> io::Result<NamedTempFile> {
    clear(target);
    let mut prefix = match look {
        Look::Hidden => OsStr::new(".").to_owned(),
        Look::Plain => OsStr::new("").to_owned(),
    };
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(INFIX);
    loop {
        let part = Builder::new()
            .prefix(&prefix)
            .permissions(permissions(mode))
            .tempfile_in(folder_of(target))?;
        let taken = matches!(part.as_file().try_lock(), Err(TryLockError::WouldBlock));
        // Another process may have found it before it was locked, and removed it.
        if !taken && part.path().exists() {
            return Ok(part);
        }
    }
}

#[cfg(unix)]
fn permissions(mode: u32) -> Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// Gives a part its name and waits until both are on the disk; a file of that name is replaced.
///
/// # Errors
/// When the disk fails; the part is then removed.
pub fn publish(part: NamedTempFile, target: &Path) -> io::Result<()> {
    part.as_file().sync_all()?;
    part.persist(target).map_err(|error| error.error)?;
    sync_folder(target)
}

/// Makes the names in the folder of `file` durable.
///
/// # Errors
/// When the disk fails.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder_of(file)).and_then(|folder| folder.sync_all())
}

/// Removes the parts of `target` that no process holds.
pub fn clear(target: &Path) {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    clear_where(folder_of(target), |of| of == name);
}

/// Removes the parts in `folder` that no process holds and whose target's name satisfies `is_meant`.
pub fn clear_where(folder: &Path, is_meant: impl Fn(&str) -> bool) {
    // A folder that cannot be read gives its error to the next step.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    // A part comes before the files beside it, which go once it is gone.
    names.sort_unstable();
    for name in names {
        let Some((target, letters)) = name.to_str().and_then(|name| name.rsplit_once(INFIX)) else {
            continue;
        };
        if !is_meant(target.strip_prefix('.').unwrap_or(target)) && !is_meant(target) {
            continue;
        }
        let path = folder.join(&name);
        let side = SIDES
            .iter()
            .find_map(|side| letters.strip_suffix(side).map(|_| side.len()));
        let is_beside_part = side.is_some_and(|length| {
            let text = path.to_string_lossy();
            Path::new(&text[..text.len() - length]).exists()
        });
        if !is_beside_part && is_left_behind(&path) && fs::remove_file(&path).is_ok() {
            tracing::info!(file = %path.display(), "removed a part of a file that a kill left behind");
        }
    }
}

fn is_left_behind(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file());
    is_file && File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_kill_are_removed_and_those_in_progress_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.db");
        for name in [
            "a.db.part-old",
            ".a.db.part-old",
            "a.db.part-old-wal",
            "b.db.part-old",
            "a.db",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let first = new(&target, Look::Plain, 0o600).unwrap();
        let second = new(&target, Look::Hidden, 0o600).unwrap();
        clear(&target);
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        left.sort();
        let mut expected = [
            first.path(),
            second.path(),
            &target,
            &folder.path().join("b.db.part-old"),
        ];
        expected.sort();
        assert_eq!(left, expected);
        publish(first, &target).unwrap();
        clear(&target);
        assert!(target.exists() && second.path().exists());
    }
}
