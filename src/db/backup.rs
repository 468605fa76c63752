//! Backup: a whole copy of the database as of one moment, taken while others read and write; and back again.
//!
//! The copy is made beside its place by SQLite's online backup, in one read transaction: a busy writer can neither
//! change it half-way nor make it start again. It is checked, synced and only then gets its name. It is one file in
//! rollback mode, so that it is complete without a write-ahead log and opens on a disk that cannot be written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tempfile::NamedTempFile;

use super::connection::{open_immutable, open_source, open_writer};
use super::disk::{self, folder_of};
use super::lock::{self, Alone};
use super::migrate::SCHEMA_VERSION;
use super::part::{self, Look};
use super::watch::beside;
use super::{check, polls};
use crate::civil;
use crate::error::{Error, ErrorKind, Result};
use crate::scratch::{Scratch, ScratchFile};
use crate::uptime::interval::Micros;

/// How many pages are copied between two reports of progress.
const STEP_PAGES: i32 = 2048;

/// Only the owner may read a copy, as with the database.
const MODE: u32 = 0o600;

/// A finished copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// The instant of its newest poll.
    pub newest_poll: Option<Micros>,
}

/// Who watches a copy, and what it checks beside what [`check`] knows.
pub struct Care<'a> {
    /// Called with the pages that are copied and all pages; with as many of both once the check begins.
    pub progress: &'a mut dyn FnMut(u64, u64),
    /// More findings.
    pub findings: &'a dyn Fn(&Connection) -> Result<Vec<String>>,
}

/// Copies the database `from` to the file `to`, which is replaced once the copy is whole, checked and on disk.
///
/// # Errors
/// When `to` is a database in use, its disk has no room, or the copy has faults.
pub fn copy(from: &Path, to: &Path, care: &mut Care<'_>) -> Result<Copied> {
    refuse_in_use(from, to)?;
    let failed = |error: io::Error| {
        let to = to.display();
        Error::invalid(format!(
            "cannot write the backup {to} (check the folder and your permissions)"
        ))
        .because(error)
    };
    let part = part::new(to, Look::Hidden, MODE).map_err(failed)?;
    let filled = fill(&open_source(from)?, &part, care, from);
    let newest_poll = filled.map_err(|error| match error.kind() {
        // SQLite does not tell which of the two folders is full.
        ErrorKind::NoSpace => disk::no_space_in(folder_of(to), "the backup"),
        _ => error,
    })?;
    let bytes = part.as_file().metadata().map_err(failed)?.len();
    part::publish(part, to).map_err(failed)?;
    Ok(Copied { bytes, newest_poll })
}

/// Copies the database `from` into a checked file without a name, which counts as one of `scratch`. It need not survive
/// a power cut.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when `scratch` has no room for it; when its disk has none, or the copy has faults.
pub fn spooled(from: &Path, scratch: &Scratch, care: &mut Care<'_>) -> Result<(ScratchFile, Copied)> {
    let source = open_source(from)?;
    let number = |pragma| source.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
    let bytes = number("page_count")? * number("page_size")?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::ResourceBusy => Error::unavailable(format!(
            "there is no room for a copy of {} MiB among the temporary files of requests (try again, or make it with \
             `store-monitor backup FILE` on the server's machine; --max-body gives more room)",
            bytes.div_ceil(1 << 20)
        )),
        _ => Error::failed("the backup cannot be written beside the database").because(error),
    };
    let room = scratch.room(bytes).map_err(failed)?;
    let part = part::new(from, Look::Hidden, MODE).map_err(failed)?;
    let newest_poll = fill(&source, &part, care, from)?;
    let (file, name) = part.into_parts();
    name.close().map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let file = ScratchFile::within(file, bytes, room).map_err(failed)?;
    Ok((file, Copied { bytes, newest_poll }))
}

/// Puts the backup `from` in the place of the database `to`, which no other process may have open; an older version is
/// brought up to date. Returns the copy's facts and where the database before it is now, if there was one.
///
/// # Errors
/// When `from` has faults or is no backup; nothing has changed then.
pub fn restore(
    from: &Path,
    to: &Path,
    at: Micros,
    alone: &Alone,
    care: &mut Care<'_>,
) -> Result<(Copied, Option<PathBuf>)> {
    if !from.exists() {
        return Err(Error::invalid(format!("the backup {} does not exist", from.display())));
    }
    if same_file(from, to) {
        return Err(Error::invalid(format!("{} is the database itself", from.display())));
    }
    let failed = |error: io::Error| {
        let to = to.display();
        Error::invalid(format!(
            "cannot write the database {to} (check the folder and your permissions)"
        ))
        .because(error)
    };
    let part = part::new(to, Look::Plain, MODE).map_err(failed)?;
    let newest_poll = fill(&open_backup(from)?, &part, care, from)?;
    // Brings an older version up to date, and sets the journal mode.
    let db = open_writer(part.path())?;
    refuse_faults(&db, care, from)?;
    db.close().map_err(|(_, error)| Error::from(error))?;
    let bytes = part.as_file().metadata().map_err(failed)?.len();
    let aside = set_aside(to, at, alone)?;
    part::publish(part, to).map_err(failed)?;
    alone.forget_ends();
    Ok((Copied { bytes, newest_poll }, aside))
}

/// Fills a part with a checked copy of `source`; returns the instant of its newest poll.
fn fill(source: &Connection, part: &NamedTempFile, care: &mut Care<'_>, from: &Path) -> Result<Option<Micros>> {
    // One read transaction for all steps: none of them finds a changed database and starts again.
    source.execute_batch("BEGIN")?;
    let number = |pragma| source.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
    let version = number("user_version")?;
    let bytes = number("page_count")? * number("page_size")?;
    let newest_poll = polls::newest(source)?;
    disk::require_bytes(folder_of(part.path()), bytes, "the copy")?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(part.path(), flags)?;
    copy.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    copy.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    {
        let backup = Backup::new(source, &mut copy)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let state = backup.progress();
            let [all, left] = [state.pagecount, state.remaining].map(|pages| u64::try_from(pages).unwrap_or(0));
            (care.progress)(all - left, all);
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => {
                    return Err(Error::unavailable(
                        "the database is locked by another process (try again)",
                    ));
                }
            }
        }
    }
    source.execute_batch("ROLLBACK")?;
    let mode: String = copy.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    if mode != "delete" {
        return Err(Error::failed(format!(
            "the copy cannot leave the journal mode `{mode}`"
        )));
    }
    if i64::try_from(version) == Ok(SCHEMA_VERSION.into()) {
        refuse_faults(&copy, care, from)?;
    } else {
        let sound: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        refuse(
            from,
            if sound == "ok" {
                &[]
            } else {
                std::slice::from_ref(&sound)
            },
        )?;
    }
    copy.close().map_err(|(_, error)| Error::from(error))?;
    Ok(newest_poll)
}

fn refuse_faults(copy: &Connection, care: &Care<'_>, from: &Path) -> Result<()> {
    let mut findings = check::findings(copy, &mut |_| ());
    findings.extend((care.findings)(copy)?);
    refuse(from, &findings)
}

fn refuse(from: &Path, findings: &[String]) -> Result<()> {
    let Some(first) = findings.first() else {
        return Ok(());
    };
    Err(Error::failed(format!(
        "{} has {} fault{}, so nothing was written: {first} (`check` names all)",
        from.display(),
        findings.len(),
        if findings.len() == 1 { "" } else { "s" },
    )))
}

/// Refuses to replace the database itself, and any other that is in use.
fn refuse_in_use(from: &Path, to: &Path) -> Result<()> {
    let refused = |reason: &str| Err(Error::invalid(format!("{} {reason} (name another file)", to.display())));
    if to.is_dir() {
        return refused("is a folder");
    }
    if same_file(from, to) {
        return refused("is the database itself");
    }
    // SQLite would take them for parts of the new file.
    if let Some(side) = ["-wal", "-journal"]
        .map(|side| beside(to, side))
        .iter()
        .find(|side| side.exists())
    {
        return refused(&format!("is a database in use: {} lies beside it", side.display()));
    }
    if to.exists() && beside(to, "-lock").exists() && lock::others(to) {
        return refused("is a database that another process has open");
    }
    Ok(())
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Opens a backup for reading. One in WAL mode, such as a plain copy, may lie where no shared memory can be made.
fn open_backup(from: &Path) -> Result<Connection> {
    let error = match open_source(from) {
        Ok(db) => return Ok(db),
        Err(error) => error,
    };
    match beside(from, "-wal").exists() {
        true => Err(error),
        false => open_immutable(from).map_err(|_| error),
    }
}

/// Takes the database `to` out of the way with its write-ahead log; returns its new name.
///
/// At each moment either the old database is in its place or the new one is.
fn set_aside(to: &Path, at: Micros, _alone: &Alone) -> Result<Option<PathBuf>> {
    if !to.exists() {
        // A log without its database would be taken for the new one's.
        for side in ["-wal", "-shm", "-journal"] {
            remove(&beside(to, side))?;
        }
        return Ok(None);
    }
    fold_log(to)?;
    let stamp = civil::format_rfc3339(at).replace(':', "");
    let free = |number: u32| {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        beside(to, &format!(".before-restore-{stamp}{suffix}"))
    };
    let aside = (1..).map(free).find(|name| !name.exists()).unwrap_or_else(|| free(1));
    let failed = |error: io::Error| {
        Error::invalid(format!("cannot set {} aside (check your permissions)", to.display())).because(error)
    };
    for side in ["-wal", "-journal"] {
        if beside(to, side).exists() {
            second_name(&beside(to, side), &beside(&aside, side)).map_err(failed)?;
        }
    }
    second_name(to, &aside).map_err(failed)?;
    part::sync_folder(to).map_err(failed)?;
    for side in ["-wal", "-shm", "-journal"] {
        remove(&beside(to, side))?;
    }
    part::sync_folder(to).map_err(failed)?;
    Ok(Some(aside))
}

/// Copies the write-ahead log into the database, so that it is one file; a damaged one keeps its log.
///
/// # Errors
/// When another program has it open, which [`Alone`] cannot know.
fn fold_log(to: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fold = || -> rusqlite::Result<()> {
        let db = Connection::open_with_flags(to, flags)?;
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        db.close().map_err(|(_, error)| error)
    };
    match fold() {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
            Err(Error::unavailable(format!(
                "another program has the database {} open (end it, then try again)",
                to.display()
            )))
        }
        Err(error) => {
            tracing::warn!(%error, "the database that is replaced cannot be read; it is set aside as it is");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Gives a file a second name; where the disk has no links, its only one.
fn second_name(file: &Path, name: &Path) -> io::Result<()> {
    fs::hard_link(file, name).or_else(|_| fs::rename(file, name))
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::failed(format!("cannot remove {}", file.display())).because(error))
        }
        _ => Ok(()),
    }
}
