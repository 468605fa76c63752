//! The look at a database before it is used: is all of it there, and is it of one piece?
//!
//! SQLite opens a copy that was made while a server wrote, and reads pages of two moments side by side. It drops the
//! rest of a log behind a damaged frame. Both are noticed here, in some milliseconds. `check` looks at every row.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::digest::hour_of;
use super::lock::Held;
use super::log_file::{self, LogFile};
use super::migrate::SCHEMA_VERSION;
use super::watch::beside;
use super::{disk, poll_table};
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::interval::{HOUR, Interval};

/// How many polls are compared with their digests at most; the newest hour always is.
const POLLS_COMPARED: i64 = 30_000;

/// How many of the newest hours are compared at most.
const HOURS_COMPARED: i64 = 3;

/// What to do with a log that is damaged beyond repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDamage {
    /// Refuse to open the database, so that the log stays as it is.
    Refuse,
    /// Copy the log beside the database, and open it without the changes that are lost.
    SetAside,
}

/// What the files of a database looked like before it was opened.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// How many frames of the log were not yet copied to the database; none if another process had it open.
    log: Option<LogFile>,
    /// What an operator must know of the log.
    pub damage: Option<String>,
}

/// Looks at the files of the database `file` before this process opens it. A single flipped bit of the log is put
/// right. Nothing is looked at while another process has the database: its files change.
///
/// # Errors
/// [`ErrorKind::Failed`](crate::error::ErrorKind) when the file is not of one piece, or the log is damaged and
/// `on_damage` says so.
pub fn files(file: &Path, held: &Held, on_damage: OnDamage) -> Result<Files> {
    let Some(_alone) = held.alone() else {
        return Ok(Files::default());
    };
    let name = beside(file, "-wal");
    let log = log_file::inspect(&name)
        .map_err(|error| Error::failed(format!("{} cannot be read", name.display())).because(error))?;
    if log.frames == 0 && log.damaged.is_none() {
        whole(file)?;
    }
    let mut damage = (log.bits_mended > 0).then(|| {
        let (name, bits) = (name.display(), log.bits_mended);
        format!(
            "{bits} flipped bit(s) of {name} were put right, and nothing was lost; the disk or the memory of this \
             machine is failing (make a backup elsewhere)"
        )
    });
    if let Some(frame) = log.damaged {
        let sentence = format!(
            "{} is damaged in frame {frame}: changes behind it were acknowledged, and are lost",
            name.display()
        );
        let aside = aside(file);
        match on_damage {
            OnDamage::Refuse => {
                return Err(Error::broken(format!(
                    "{sentence} (restore a backup, or run `check`, which keeps the log as {} and goes on without them)",
                    aside.display()
                )));
            }
            OnDamage::SetAside => {
                let kept = fs::copy(&name, &aside).and_then(|_| File::open(&aside)?.sync_all());
                kept.map_err(|error| Error::failed(format!("{} cannot be written", aside.display())).because(error))?;
                damage = Some(format!("{sentence}; the log is kept as {}", aside.display()));
            }
        }
    }
    Ok(Files { log: Some(log), damage })
}

/// Where a damaged log is kept.
fn aside(file: &Path) -> PathBuf {
    beside(file, "-wal.damaged")
}

/// A sentence about a damaged log that an earlier start kept.
pub fn kept_log(file: &Path) -> Option<String> {
    let aside = aside(file);
    aside.exists().then(|| {
        format!(
            "{} is a log that was damaged; acknowledged changes in it are lost (load them again, then delete it)",
            aside.display()
        )
    })
}

/// Refuses a file without a log whose header does not fit its length or its free pages.
fn whole(file: &Path) -> Result<()> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        // Opening it says why.
        Err(_) => return Ok(()),
    };
    match header_fault(opened) {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => Err(Error::broken(format!(
            "database {} is not of one piece: {fault} (was it copied while a server wrote? `backup` makes whole copies; \
             restore one)",
            file.display()
        ))),
        Err(error) => Err(Error::broken(format!("database {} cannot be read", file.display())).because(error)),
    }
}

/// What is wrong with the header and the list of free pages, if it is an SQLite database at all.
fn header_fault(mut file: File) -> io::Result<Option<String>> {
    let length = file.metadata()?.len();
    let mut header = [0; 100];
    if length < header.len() as u64 {
        return Ok(None);
    }
    file.read_exact(&mut header)?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Ok(None);
    }
    let number =
        |bytes: &[u8], at: usize| u64::from(bytes[at..].first_chunk().map_or(0, |&word| u32::from_be_bytes(word)));
    let page_bytes = match u64::from(header[16]) << 8 | u64::from(header[17]) {
        1 => 65536,
        bytes => bytes.max(512),
    };
    let pages = number(&header, 28);
    if number(&header, 24) == number(&header, 92) && length != pages * page_bytes {
        return Ok(Some(format!(
            "its header says {pages} pages of {page_bytes} bytes, and the file has {length} bytes"
        )));
    }
    let (mut trunk, free) = (number(&header, 32), number(&header, 36));
    let mut found = 0;
    while trunk != 0 {
        if trunk > pages || found > free {
            return Ok(Some("its list of free pages leads nowhere".to_owned()));
        }
        let mut start = [0; 8];
        file.seek(SeekFrom::Start((trunk - 1) * page_bytes))?;
        file.read_exact(&mut start)?;
        found += 1 + number(&start, 4);
        trunk = number(&start, 0);
    }
    Ok((found != free).then(|| format!("its header says {free} free pages, and its list has {found}")))
}

/// Compares the newest hours with their digests: a torn copy mostly has pages of two moments there.
///
/// # Errors
/// [`ErrorKind::Failed`](crate::error::ErrorKind) when they are not what was stored.
pub fn newest(db: &Connection) -> Result<()> {
    let newest: Option<i64> = db.query_row("SELECT max(hour) FROM hour_digest", [], |row| row.get(0))?;
    let last_poll = poll_table::newest(db)?.map(hour_of);
    let Some(newest) = newest.max(last_poll) else {
        return Ok(());
    };
    let mut counts = db.prepare("SELECT polls FROM hour_digest WHERE hour <= ?1 ORDER BY hour DESC LIMIT ?2")?;
    let counts = counts.query_map((newest, HOURS_COMPARED), |row| row.get::<_, i64>(0))?;
    let counts = counts.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut polls = 0_i64;
    let few = counts.iter().take_while(|&&count| {
        polls = polls.saturating_add(count.max(0));
        polls <= POLLS_COMPARED
    });
    let hours = i64::try_from(few.count()).unwrap_or(1).max(1);
    let (start, end) = (newest - hours + 1, newest + 1);
    let span = Interval::new(start.saturating_mul(HOUR), end.saturating_mul(HOUR));
    poll_table::for_each_within(db, span, |_, _, _| Ok(()))
}

/// What was found at the start, a line each: version, size, newest poll, end of the last server, log, disk.
///
/// # Errors
/// When the database cannot be read.
pub fn diagnosis(db: &Connection, file: &Path, held: &Held, files: &Files, now: i64) -> Result<Vec<String>> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20);
    let size = number("page_count")? * number("page_size")?;
    let newest = poll_table::newest(db)?;
    let log = match files.log {
        None => "another process has the database open, so the log was not looked at".to_owned(),
        Some(LogFile { frames: 0, .. }) => "empty".to_owned(),
        Some(LogFile { frames, is_torn, .. }) => {
            let torn = if is_torn {
                "; its last change was cut short, as by a power cut"
            } else {
                ""
            };
            format!("{frames} whole frames that wait for a checkpoint{torn}")
        }
    };
    let mut lines = vec![
        format!(
            "database: {}, schema version {SCHEMA_VERSION}, {}",
            file.display(),
            mib(size)
        ),
        format!(
            "newest poll: {}",
            newest.map_or_else(|| "none yet".to_owned(), civil::format_utc)
        ),
        format!(
            "last server: {}",
            match held.ended_uncleanly_before() {
                true => "ended without a stop (a kill, a crash or a power cut)",
                false => "ended cleanly, or none ran",
            }
        ),
        format!("write-ahead log: {log}"),
    ];
    lines.extend(disk::free(disk::folder_of(file)).map(|free| format!("disk: {} free", mib(free))));
    lines.push(format!("machine's clock: {}", civil::format_utc(now)));
    Ok(lines)
}
