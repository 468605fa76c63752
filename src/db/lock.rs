//! The lock beside the database: which processes have the database, and whether the last server ended cleanly.
//!
//! Every command that opens the database `FILE` holds a shared lock on `FILE-lock` for its life. A restore, and an
//! inspection that must be alone, take the exclusive lock. The database itself is never locked or opened here: closing
//! such a descriptor would release SQLite's own locks.
//!
//! A server writes a line into the file at its start, and takes it out at a clean stop. A line of a process that has
//! ended therefore means an unclean end. An empty file is removed by the last process that leaves.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::disk::folder_of;
use crate::error::{Error, Result};

/// How long a start waits for a process that holds the lock alone. An inspection takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it pauses between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest content that is read.
const CONTENT_BYTES_MAX: u64 = 1 << 16;

/// The lock files that this process holds, by their path: a second descriptor would be another holder.
static HELD: Mutex<Option<HashMap<PathBuf, Weak<Shared>>>> = Mutex::new(None);

/// This process's share of a database.
#[derive(Clone, Debug)]
pub struct Held {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None where the folder has no room or cannot be written: then nothing is known of others.
    file: Option<File>,
    /// The line that this process wrote.
    mark: Option<String>,
    ended_uncleanly: bool,
}

/// The lock held alone; dropping it shares the lock again, or gives it up.
#[derive(Debug)]
pub struct Alone {
    held: Held,
}

/// Holds the database `file` until the last clone is dropped. A server passes its name as `mark`, which stays in the
/// file if the process is killed.
///
/// # Errors
/// [`ErrorKind::Unavailable`](crate::error::ErrorKind) while another process restores the database.
pub fn hold(file: &Path, mark: Option<&str>) -> Result<Held> {
    let path = path_of(file);
    let mut all = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    all.retain(|_, shared| shared.strong_count() > 0);
    let shared = match all.get(&path).and_then(Weak::upgrade) {
        Some(shared) => shared,
        None => {
            let opened = open_shared(&path, file)?;
            let state = State {
                file: opened,
                mark: None,
                ended_uncleanly: false,
            };
            let shared = Arc::new(Shared {
                path: path.clone(),
                state: Mutex::new(state),
            });
            all.insert(path, Arc::downgrade(&shared));
            shared
        }
    };
    let held = Held { shared };
    match mark {
        Some(mark) => held.shared.mark(mark),
        None => held.shared.look(),
    }
    Ok(held)
}

/// Whether another process has the database; true where that cannot be known.
pub fn others(file: &Path) -> bool {
    match hold(file, None) {
        Ok(held) => held.alone().is_none(),
        Err(_) => true,
    }
}

/// The servers of a database, by the lines of its lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// The processes of those that run.
    pub live: Vec<u32>,
    /// Whether one ended without a clean stop.
    pub has_ended: bool,
}

/// The servers of the database `file`.
pub fn servers(file: &Path) -> Servers {
    let text = std::fs::read_to_string(path_of(file)).unwrap_or_default();
    let mut servers = Servers::default();
    for line in text.lines() {
        let number = line.rsplit(' ').next().and_then(|number| number.parse().ok());
        match number.filter(|_| lives(line)) {
            Some(number) => servers.live.push(number),
            None => servers.has_ended = true,
        }
    }
    servers
}

impl Held {
    /// Whether the last server before this process ended without a clean stop.
    pub fn ended_uncleanly_before(&self) -> bool {
        self.shared.lock().ended_uncleanly
    }

    /// The lock for this process alone; none while another process has the database, or where that cannot be known.
    pub fn alone(&self) -> Option<Alone> {
        let state = self.shared.lock();
        let file = state.file.as_ref()?;
        if file.try_lock().is_ok() {
            drop(state);
            return Some(Alone { held: self.clone() });
        }
        // A failed change of the lock may have lost it.
        reshare(file);
        None
    }

    /// Takes this server's mark back: the stop is clean. Dropping the last clone does so, too, except in a panic.
    pub fn end_cleanly(&self) {
        self.shared.lock().take_mark_back();
    }
}

impl Alone {
    /// Forgets the servers that did not stop cleanly: what they left was replaced.
    pub(super) fn forget_ends(&self) {
        if let Some(file) = &self.held.shared.lock().file
            && let Err(error) = replace(file, "")
        {
            tracing::warn!(%error, "the lock file could not be written; the next start will speak of an unclean end");
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(file) = &self.held.shared.lock().file {
            reshare(file);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for lines of servers that have ended.
    fn look(&self) {
        let mut state = self.lock();
        let text = state.file.as_ref().and_then(|file| content(file).ok());
        if state.mark.is_none() {
            state.ended_uncleanly = text.is_some_and(|text| text.lines().any(|line| !lives(line)));
        }
    }

    /// Writes this server's line, and finds the lines of servers that have ended.
    fn mark(&self, who: &str) {
        let mut state = self.lock();
        let State {
            file,
            mark,
            ended_uncleanly,
        } = &mut *state;
        let Some(file) = file else { return };
        let is_alone = file.try_lock().is_ok();
        let line = format!("{who}, pid {}", std::process::id());
        let written = content(file).and_then(|text| {
            let lives = |line: &&str| !is_alone && lives(line);
            let (live, ended): (Vec<&str>, Vec<&str>) = text.lines().partition(lives);
            *ended_uncleanly = !ended.is_empty();
            let lines = live.into_iter().chain([line.as_str()]);
            replace(file, &lines.map(own_line).collect::<String>())
        });
        reshare(file);
        match written {
            Ok(()) => *mark = Some(line),
            Err(error) => tracing::warn!(%error, "the lock file could not be written; a kill will not be noticed"),
        }
    }
}

impl State {
    fn take_mark_back(&mut self) {
        let (Some(file), Some(mark)) = (&self.file, self.mark.take()) else {
            return;
        };
        let written = content(file).and_then(|text| {
            let others = text.lines().filter(|line| *line != mark);
            replace(file, &others.map(own_line).collect::<String>())
        });
        if let Err(error) = written {
            tracing::warn!(%error, "the lock file could not be written; the next start will take this stop for a kill");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !thread::panicking() {
            state.take_mark_back();
        }
        let Some(file) = &state.file else { return };
        // Removed only while it is locked alone: a process that has opened it meanwhile sees that its name is gone.
        if file.try_lock().is_ok() && file.metadata().is_ok_and(|facts| facts.len() == 0) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// `FILE-lock`, beside the file that a link leads to.
fn path_of(file: &Path) -> PathBuf {
    let absolute = file.canonicalize().or_else(|_| {
        let folder = folder_of(file).canonicalize()?;
        Ok::<_, io::Error>(folder.join(file.file_name().unwrap_or_default()))
    });
    let mut name: OsString = absolute.unwrap_or_else(|_| file.to_owned()).into();
    name.push("-lock");
    name.into()
}

/// The lock file with a shared lock; none where it cannot be made.
fn open_shared(path: &Path, database: &Path) -> Result<Option<File>> {
    let unknown = |error: io::Error| {
        tracing::debug!(%error, "no lock beside the database: other processes are not noticed");
        Ok(None)
    };
    let start = Instant::now();
    loop {
        let file = match open(path) {
            Ok(file) => file,
            Err(error) => return unknown(error),
        };
        match file.try_lock_shared() {
            Ok(()) if is_at(&file, path) => return Ok(Some(file)),
            // Another process left, and removed the file between the two lines above.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return unknown(error),
        }
        if start.elapsed() > PATIENCE {
            let database = database.display();
            return Err(Error::unavailable(format!(
                "another process restores the database {database} (try again when it has ended)"
            )));
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether `path` still names this open file.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |facts: std::fs::Metadata| (facts.dev(), facts.ino());
        let (open, named) = (file.metadata().map(identity), path.metadata().map(identity));
        matches!((open, named), (Ok(open), Ok(named)) if open == named)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// Shares the lock again. Another process may hold it alone for a moment.
fn reshare(file: &File) {
    if let Err(error) = file.lock_shared() {
        tracing::warn!(%error, "the lock beside the database was lost");
    }
}

fn content(mut file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(CONTENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn replace(mut file: &File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

fn own_line(line: &str) -> String {
    format!("{line}\n")
}

/// Whether the process of a line still runs. This process's own number is that of an earlier one, as in a container,
/// where every server has number 1.
fn lives(line: &str) -> bool {
    let number = line.rsplit(' ').next().and_then(|number| number.parse::<i32>().ok());
    let Some(number) = number.filter(|number| u32::try_from(*number) != Ok(std::process::id())) else {
        return false;
    };
    #[cfg(unix)]
    {
        let process = rustix::process::Pid::from_raw(number);
        process.is_some_and(|process| {
            let tried = rustix::process::test_kill_process(process);
            tried != Err(rustix::io::Errno::SRCH)
        })
    }
    #[cfg(not(unix))]
    {
        let _ = number;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Another process, as far as the lock can tell: a descriptor of its own.
    fn another(file: &Path) -> File {
        let other = open(&path_of(file)).unwrap();
        other.try_lock_shared().unwrap();
        other
    }

    #[test]
    fn a_process_knows_whether_it_is_alone_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        assert!(!others(&file));
        let held = hold(&file, None).unwrap();
        assert!(!others(&file));
        let other = another(&file);
        assert!(others(&file) && held.alone().is_none());
        drop(other);
        let alone = held.alone().unwrap();
        assert!(open(&path_of(&file)).unwrap().try_lock_shared().is_err());
        drop(alone);
        another(&file);
        drop(held);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_server_that_was_killed_left_its_mark_and_one_that_stopped_did_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let stopped = hold(&file, Some("serve")).unwrap();
        assert!(!stopped.ended_uncleanly_before());
        drop(stopped);
        assert!(!hold(&file, Some("serve")).unwrap().ended_uncleanly_before());
        // What a kill leaves, in a container where every server has the same number.
        fs::write(path_of(&file), format!("serve, pid {}\n", std::process::id())).unwrap();
        // A command that only reads does not clear the mark.
        drop(hold(&file, None).unwrap());
        let next = hold(&file, Some("serve")).unwrap();
        assert!(next.ended_uncleanly_before());
        drop(next);
        // Others that have the database do not hide it.
        fs::write(path_of(&file), format!("serve, pid {}\n", std::process::id())).unwrap();
        let reader = another(&file);
        assert!(hold(&file, Some("serve")).unwrap().ended_uncleanly_before());
        drop(reader);
    }

    #[test]
    fn a_second_server_beside_the_first_is_no_unclean_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        // The process that started the tests runs, and is not this one.
        let parent = std::os::unix::process::parent_id();
        fs::write(path_of(&file), format!("serve, pid {parent}\n")).unwrap();
        let first = another(&file);
        let second = hold(&file, Some("serve")).unwrap();
        assert!(!second.ended_uncleanly_before());
        second.end_cleanly();
        assert_eq!(
            fs::read_to_string(path_of(&file)).unwrap(),
            format!("serve, pid {parent}\n")
        );
        drop(first);
    }

    #[test]
    fn where_no_lock_can_be_made_the_database_opens_all_the_same() {
        let file = Path::new("/nonexistent/a.db");
        let held = hold(file, Some("serve")).unwrap();
        assert!(others(file) && !held.ended_uncleanly_before());
    }
}
