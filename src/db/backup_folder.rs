//! The folder of backups that a server makes by itself: `NAME-2026-11-29T0600Z.db`, named by the machine's clock.
//!
//! That clock may be wrong. So backups are counted and never judged by their age: the first by name go, but never the
//! one that was made last.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::backup::{self, Care};
use super::part;
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::interval::{MINUTE, Micros};

/// The backups of a database in a folder.
#[derive(Debug)]
pub struct BackupFolder {
    folder: PathBuf,
    /// The name of the database without its extension.
    stem: String,
    keep: usize,
    /// What the folder held when it was last read.
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    made: Option<(Micros, PathBuf)>,
    count: usize,
}

/// A backup in the folder, in the order of the names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Micros,
    /// Of several in one minute.
    number: u32,
    path: PathBuf,
}

impl BackupFolder {
    /// The backups of `database` in `folder`; `keep` of them stay. The folder may be missing, such as a disk that is
    /// not there yet: a server must start all the same.
    pub fn open(folder: &Path, database: &Path, keep: usize) -> Self {
        let stem = database.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let this = Self {
            folder: folder.to_owned(),
            stem,
            keep: keep.max(1),
            state: Mutex::default(),
        };
        let entries = this.entries();
        this.set(State {
            made: entries.last().map(|entry| (entry.at, entry.path.clone())),
            count: entries.len(),
        });
        this
    }

    /// The instant in the name of the backup that was made last; at the start of a server, of the last by name.
    pub fn newest(&self) -> Option<Micros> {
        self.state().made.map(|(at, _)| at)
    }

    /// How many backups the folder has.
    pub fn count(&self) -> usize {
        self.state().count
    }

    /// Makes a backup of `database` with the name of the instant `at`, then removes the first ones beyond the number
    /// that stays; returns its name.
    ///
    /// # Errors
    /// As [`backup::copy`], and when the folder cannot be made.
    pub fn make(&self, database: &Path, at: Micros, care: &mut Care<'_>) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(|error| {
            let folder = self.folder.display();
            Error::invalid(format!(
                "cannot use the backup folder {folder} (check its name and your permissions)"
            ))
            .because(error)
        })?;
        part::clear_where(&self.folder, |name| self.parse(name).is_some());
        let path = self.free_name(at);
        backup::copy(database, &path, care)?;
        let mut entries = self.entries();
        let surplus = entries.len().saturating_sub(self.keep);
        let old: Vec<Entry> = entries
            .iter()
            .filter(|entry| entry.path != path)
            .take(surplus)
            .cloned()
            .collect();
        for entry in old {
            match fs::remove_file(&entry.path) {
                Ok(()) => entries.retain(|other| *other != entry),
                Err(error) => tracing::warn!(%error, file = %entry.path.display(), "an old backup cannot be removed"),
            }
        }
        self.set(State {
            made: Some((minute(at), path.clone())),
            count: entries.len(),
        });
        Ok(path)
    }

    fn free_name(&self, at: Micros) -> PathBuf {
        let minutes = at.div_euclid(MINUTE);
        let (day, minutes) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
        let stamp = format!("{}T{:02}{:02}Z", civil::format_day(day), minutes / 60, minutes % 60);
        let name = |number: u32| {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            self.folder.join(format!("{}-{stamp}{suffix}.db", self.stem))
        };
        (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(1))
    }

    /// The instant and number of a backup's name.
    fn parse(&self, name: &str) -> Option<(Micros, u32)> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?.strip_suffix(".db")?;
        let (stamp, rest) = rest.split_at_checked(STAMP.len())?;
        let number = match rest.strip_prefix('-') {
            Some(number) => number.parse().ok()?,
            None if rest.is_empty() => 1,
            None => return None,
        };
        let (hours, minutes) = (stamp.get(..13)?, stamp.get(13..15)?);
        let at = civil::parse_instant(&format!("{hours}:{minutes}:00Z")).ok()?;
        stamp.ends_with('Z').then_some((at, number))
    }

    fn entries(&self) -> Vec<Entry> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut entries: Vec<Entry> = files
            .filter_map(|file| {
                let (at, number) = self.parse(file.file_name().to_str()?)?;
                let path = file.path();
                Some(Entry { at, number, path })
            })
            .collect();
        entries.sort();
        entries
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// The shape of a stamp.
const STAMP: &str = "1970-01-01T0000Z";

/// The whole minute that `at` is in.
fn minute(at: Micros) -> Micros {
    at.div_euclid(MINUTE) * MINUTE
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::*;
    use crate::uptime::interval::DAY;

    #[test]
    fn the_first_by_name_go_and_the_last_made_stays_whatever_the_clock_says() {
        let home = tempfile::tempdir().unwrap();
        let (database, folder) = (home.path().join("my.shop.db"), home.path().join("backups"));
        drop(open_writer(&database).unwrap());
        let backups = BackupFolder::open(&folder, &database, 2);
        assert_eq!((backups.newest(), backups.count()), (None, 0));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("my.shop-notes.db"), "").unwrap();
        let mut progress = |_, _| {};
        let mut care = Care {
            progress: &mut progress,
            findings: &|_| Ok(Vec::new()),
        };
        let at = civil::parse_instant("2026-11-29 06:00:30 UTC").unwrap();
        let mut make = |at| {
            let made = backups.make(&database, at, &mut care).unwrap();
            made.file_name().unwrap().to_string_lossy().into_owned()
        };
        assert_eq!(make(at), "my.shop-2026-11-29T0600Z.db");
        assert_eq!(make(at), "my.shop-2026-11-29T0600Z-2.db");
        assert_eq!(make(at + DAY), "my.shop-2026-11-30T0600Z.db");
        assert_eq!(make(at - 400 * DAY), "my.shop-2025-10-25T0600Z.db");
        let mut left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "my.shop-2025-10-25T0600Z.db",
                "my.shop-2026-11-30T0600Z.db",
                "my.shop-notes.db"
            ]
        );
        assert_eq!((backups.newest(), backups.count()), (Some(minute(at - 400 * DAY)), 2));
        // The next start knows them by their names alone.
        let next = BackupFolder::open(&folder, &database, 2);
        assert_eq!((next.newest(), next.count()), (Some(minute(at + DAY)), 2));
    }
}
