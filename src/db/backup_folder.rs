//! The folder of backups that a server makes by itself: `NAME-2026-11-29T0600Z.db`, named by the machine's clock.
//!
//! That clock may be wrong. So backups are counted and never judged by their age: the first by name go, but never the
//! one that was made last.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::backup::{self, Care};
use super::part;
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::interval::{HOUR, MINUTE, Micros};

/// The backups of a database in a folder.
#[derive(Debug)]
pub struct BackupFolder {
    folder: PathBuf,
    /// The name of the database without its extension.
    stem: String,
    keep: usize,
    /// When backups are due; none if nobody makes them by a schedule.
    schedule: Option<Schedule>,
    /// Whether the last try failed.
    is_failing: AtomicBool,
    /// What the folder held when it was last read.
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    made: Option<(Micros, PathBuf)>,
    count: usize,
}

/// When backups are due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    every: Micros,
    /// When the server started, which makes them.
    from: Micros,
}

/// How long after its instant a backup may come without being missed.
const LATE: Micros = HOUR;

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
            schedule: None,
            is_failing: AtomicBool::new(false),
            state: Mutex::default(),
        };
        let entries = this.entries();
        this.set(State {
            made: entries.last().map(|entry| (entry.at, entry.path.clone())),
            count: entries.len(),
        });
        this
    }

    /// The same folder, in which a server that started at `from` makes a backup `every` so often.
    #[must_use]
    pub fn scheduled(mut self, every: Micros, from: Micros) -> Self {
        self.schedule = Some(Schedule { every, from });
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many backups stay.
    pub fn keep(&self) -> usize {
        self.keep
    }

    /// How often a backup is made, if by a schedule.
    pub fn every(&self) -> Option<Micros> {
        self.schedule.map(|schedule| schedule.every)
    }

    /// Notes whether the last try failed.
    pub fn tried(&self, is_ok: bool) {
        self.is_failing.store(!is_ok, Ordering::Relaxed);
    }

    /// When the next backup is due: at the start of the server, if the newest is too old, missing or of the future.
    pub fn due_at(&self, now: Micros) -> Option<Micros> {
        let Schedule { every, from } = self.schedule?;
        let newest = self.newest().filter(|newest| *newest <= now);
        Some(newest.map_or(from, |newest| newest + every))
    }

    /// Since when backups are missed, if two in a row are: the second was due, too, and the last try failed, or it is
    /// an hour late. A server that has just started has an hour to make one.
    pub fn missed_since(&self, now: Micros) -> Option<Micros> {
        let Schedule { every, from } = self.schedule?;
        let first = self.due_at(now)?;
        let second = first + every;
        let patience = match self.is_failing.load(Ordering::Relaxed) {
            true => second,
            false => second.max(from) + LATE,
        };
        (now >= patience).then_some(first)
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
        let stamp = stamp(at);
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

/// The minute of an instant in the name of a backup.
fn stamp(at: Micros) -> String {
    let minutes = at.div_euclid(MINUTE);
    let (day, minutes) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
    format!("{}T{:02}{:02}Z", civil::format_day(day), minutes / 60, minutes % 60)
}

/// The name of a backup of `database` that is made at `at`.
pub fn name_of(database: &Path, at: Micros) -> String {
    let stem = database.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}-{}.db", stamp(at))
}

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

    #[test]
    fn two_backups_in_a_row_are_missed_when_the_second_is_due_or_an_hour_late() {
        let home = tempfile::tempdir().unwrap();
        let database = home.path().join("a.db");
        let folder = home.path().join("backups");
        fs::create_dir(&folder).unwrap();
        let from = 100 * DAY;
        let open = || BackupFolder::open(&folder, &database, 2);
        assert_eq!(open().missed_since(from + 100 * DAY), None, "nobody makes any");

        let never = open().scheduled(DAY, from);
        assert_eq!(never.due_at(from), Some(from));
        assert_eq!(never.missed_since(from + DAY + HOUR - 1), None);
        assert_eq!(never.missed_since(from + DAY + HOUR), Some(from));
        never.tried(false);
        assert_eq!(never.missed_since(from + DAY - 1), None, "one is missing");
        assert_eq!(never.missed_since(from + DAY), Some(from), "two failed");

        let newest = from - 10 * DAY;
        fs::write(folder.join(name_of(&database, newest)), "").unwrap();
        let old = open().scheduled(DAY, from);
        assert_eq!(old.due_at(from), Some(newest + DAY));
        assert_eq!(old.missed_since(from + HOUR - 1), None, "it has just started");
        assert_eq!(old.missed_since(from + HOUR), Some(newest + DAY));
        old.tried(false);
        assert_eq!(old.missed_since(from), Some(newest + DAY));
        old.tried(true);
        assert_eq!(old.missed_since(from), None);
        // A name from the future says nothing.
        assert_eq!(old.due_at(newest - DAY), Some(from));
    }
}
