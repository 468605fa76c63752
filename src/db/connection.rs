//! Opening the database file: the settings of every connection, and the files to refuse.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi};

pub use super::disk::folder_of;
use super::migrate::{SCHEMA_VERSION, migrate};
use super::watch::beside;
use super::{disk, lock, part, reserve};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel;

/// `PRAGMA application_id` of this program's databases: "Stor".
const APPLICATION_ID: i32 = 0x5374_6F72;

/// The page size of a new database. Twice SQLite's default halves the system calls for reading a window of polls
/// and storing a report's numbers; larger pages would make a single poll's commit slow.
pub const PAGE_BYTES: u32 = 8192;

/// How many statements a connection keeps prepared: more than a change uses, which would prepare each anew otherwise.
const STATEMENTS_KEPT: usize = 64;

/// How long a connection waits for another process's lock before it fails.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the file of a new database is synced while it is filled.
const FLUSH_PERIOD: Duration = Duration::from_millis(50);

/// How many bytes of pages the reader of a handler keeps. SQLite's own default is four times as many.
const READER_CACHE_BYTES: i64 = 512 << 10;

/// The size to which a checkpoint cuts the WAL file back.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// Opens `file` for writing; a missing file is created, readable by its owner only.
///
/// # Errors
/// The file is not a database, is another program's, newer than this program, locked, or unreachable; the
/// message says which, and the remedy.
pub fn open_writer(file: &Path) -> Result<Connection> {
    with_reserve(file, || open_writer_once(file))
}

fn open_writer_once(file: &Path) -> Result<Connection> {
    create_private(file)?;
    let mut db = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&mut db, file)?;
    trust(&db).map_err(|error| explain(error, file))?;
    Ok(db)
}

/// Creates the database `file`, which must not exist yet, with the rows that `fill` writes.
///
/// It gets its name once it is whole and on disk. So it needs no journal, which halves the bytes written.
///
/// # Errors
/// Those of `fill`; when the file cannot be created, or another process created it meanwhile. This call then
/// leaves no file.
pub fn create<T>(file: &Path, fill: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
    let folder = folder_of(file);
    let failed = |error: io::Error| Error::invalid(format!("cannot create database {}", file.display())).because(error);
    let part = part::new(file, part::Look::Plain, 0o600).map_err(failed)?;
    let mut db = open(part.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let prepare = |db: &Connection| {
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        db.pragma_update(None, "synchronous", "OFF")?;
        trust(db)?;
        db.pragma_update_and_check(None, "journal_mode", "OFF", |row| row.get::<_, String>(0))
    };
    prepare(&db).map_err(|error| explain(error, file))?;
    migrate(&db, 0)?;
    let (answer, flushed) = flush_while(part.as_file(), || fill(&mut db));
    let answer = answer?;
    flushed.map_err(failed)?;
    set_wal(&db, file)?;
    db.close().map_err(|(_, error)| explain(error, file))?;
    part.as_file().sync_all().map_err(failed)?;
    require_wal(mode_in_header(part.as_file()).map_err(failed)?, file)?;
    part.persist_noclobber(file).map_err(|error| {
        if error.error.kind() == io::ErrorKind::AlreadyExists {
            let file = file.display();
            return Error::unavailable(format!(
                "another process made the database {file} meanwhile (run this again)"
            ));
        }
        failed(error.error)
    })?;
    // The new name is durable once its folder is synced.
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed)?;
    Ok(answer)
}

/// The journal mode that the header of a closed database says.
fn mode_in_header(mut file: &File) -> io::Result<&'static str> {
    let mut header = [0; 20];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut header)?;
    Ok(if header[18..] == [2, 2] { "wal" } else { "delete" })
}

/// Turns the schema's CHECKs off. They guard against changes by hand: this program's types enforce the same
/// rules, and a large load would check every row.
fn trust(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "ignore_check_constraints", true)
}

/// Runs `work`, and syncs `file` from time to time. Otherwise the final sync would wait for all of it to be
/// written.
///
/// The system reports a failed write to one sync only, so the syncs' result is returned, too.
fn flush_while<T>(file: &File, work: impl FnOnce() -> T) -> (T, io::Result<()>) {
    let (done, is_done) = bounded::<()>(0);
    let flush = || {
        while is_done.recv_timeout(FLUSH_PERIOD) == Err(RecvTimeoutError::Timeout) {
            file.sync_data()?;
        }
        Ok(())
    };
    let work = move || {
        let made = work();
        drop(done);
        made
    };
    let (flushed, made) = parallel::join(flush, work);
    (made, flushed)
}

/// The error for a database that does not exist.
pub fn missing(file: &Path) -> Error {
    Error::invalid(format!(
        "database {} does not exist (`import` creates it, --database names another)",
        file.display()
    ))
}

/// Opens `file`, which must exist, for reading only; an older version is upgraded first.
///
/// # Errors
/// Those of [`open_writer`], and when the file does not exist.
pub fn open_reader(file: &Path) -> Result<Connection> {
    if !file.exists() {
        return Err(missing(file));
    }
    without_room(file, || open_reader_once(file))
}

/// Lets a connection keep few pages in memory: a server has a reader for each handler, and the system keeps pages, too.
///
/// # Errors
/// When the setting is refused.
pub fn keep_few_pages(db: &Connection) -> Result<()> {
    Ok(db.pragma_update(None, "cache_size", -(READER_CACHE_BYTES >> 10))?)
}

/// Runs `open`; if the disk is full and the reserve empty, the file is opened as immutable.
fn without_room(file: &Path, open: impl Fn() -> Result<Connection>) -> Result<Connection> {
    match with_reserve(file, open) {
        // Without a log and without others, a reader needs no shared memory.
        Err(error) if error.kind() == ErrorKind::NoSpace && is_at_rest(file) => open_immutable(file).map_err(|_| error),
        opened => opened,
    }
}

/// Runs `open`; if the disk is full, once more with a part of the reserve.
fn with_reserve<T>(file: &Path, open: impl Fn() -> Result<T>) -> Result<T> {
    match open() {
        Err(error) if error.kind() == ErrorKind::NoSpace && reserve::make_start(file) => open(),
        opened => opened,
    }
}

/// Whether the log is empty and no other process has the database.
fn is_at_rest(file: &Path) -> bool {
    let log_bytes = beside(file, "-wal").metadata().map_or(0, |facts| facts.len());
    log_bytes == 0 && !lock::others(file)
}

/// Opens the file as immutable: SQLite then needs no log and no shared memory beside it.
pub(super) fn open_immutable(file: &Path) -> Result<Connection> {
    let escape = |text: &str| text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = file.to_str().map(|path| format!("file:{}?immutable=1", escape(path)));
    open_source_once(Path::new(&uri.unwrap_or_default()))
}

fn open_reader_once(file: &Path) -> Result<Connection> {
    // Opened read-write, because a reader of a WAL database must be able to create its shared memory.
    let db = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let (application, version, tables) = identity(&db, file)?;
    check_identity(file, application, version, tables)?;
    if application == 0 {
        return Err(Error::invalid(format!(
            "database {} is empty (`import` fills it)",
            file.display()
        )));
    }
    if version < SCHEMA_VERSION {
        drop(open_writer(file)?);
    }
    db.pragma_update(None, "query_only", true)
        .map_err(|error| explain(error, file))?;
    Ok(db)
}

/// Opens `file`, or the URI of one, as it is, to read it; no other version is upgraded.
///
/// # Errors
/// The file is not a database of this program, or newer than this program.
pub(super) fn open_source(file: &Path) -> Result<Connection> {
    without_room(file, || open_source_once(file))
}

fn open_source_once(file: &Path) -> Result<Connection> {
    let db = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?;
    let (application, version, tables) = identity(&db, file)?;
    check_identity(file, application, version, tables)?;
    if application == 0 {
        let file = file.display();
        return Err(Error::invalid(format!("{file} is no database of this program")));
    }
    Ok(db)
}

/// Creates `file` if it is missing, readable by its owner only. SQLite gives the WAL the same mode.
fn create_private(file: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::invalid(format!("cannot create database {}", file.display())).because(error)),
    }
}

fn open(file: &Path, flags: OpenFlags) -> Result<Connection> {
    disk::note_folder(file);
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags).map_err(|error| explain(error, file))?;
    configure(&db).map_err(|error| explain(error, file))?;
    Ok(db)
}

/// Whether another program copies the write-ahead log and truncates it.
static CHECKPOINTS_ARE_EXTERNAL: AtomicBool = AtomicBool::new(false);

/// Leaves the write-ahead log to another program: no connection of this process that is opened later copies it.
pub fn leave_checkpoints() {
    CHECKPOINTS_ARE_EXTERNAL.store(true, Ordering::SeqCst);
}

/// Whether [`leave_checkpoints`] was called.
pub fn checkpoints_are_external() -> bool {
    CHECKPOINTS_ARE_EXTERNAL.load(Ordering::SeqCst)
}

/// The settings that each connection needs.
fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    if checkpoints_are_external() {
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

/// The application id, the schema version and the number of tables of a database.
fn identity(db: &Connection, file: &Path) -> Result<(i32, i32, u32)> {
    let read = || {
        Ok((
            db.pragma_query_value(None, "application_id", |row| row.get(0))?,
            db.pragma_query_value(None, "user_version", |row| row.get(0))?,
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        ))
    };
    read().map_err(|error| explain(error, file))
}

/// Refuses another program's database, and a newer one.
fn check_identity(file: &Path, application: i32, version: i32, tables: u32) -> Result<()> {
    let file = file.display();
    match application {
        APPLICATION_ID if version <= SCHEMA_VERSION => Ok(()),
        APPLICATION_ID => Err(Error::invalid(format!(
            "database {file} has schema version {version}, this program knows {SCHEMA_VERSION} (use a newer store-monitor)"
        ))),
        0 if version == 0 && tables == 0 => Ok(()),
        _ => Err(Error::invalid(format!(
            "{file} is an SQLite database of another program (name another file with --database)"
        ))),
    }
}

/// Gives an empty file its schema, upgrades an older one, and sets the journal mode.
fn prepare(db: &mut Connection, file: &Path) -> Result<()> {
    let (application, version, tables) = identity(db, file)?;
    check_identity(file, application, version, tables)?;
    let failed = |error| explain(error, file);
    if application == 0 {
        db.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed)?;
    }
    let is_switched = set_wal(db, file)?;
    let write = db.transaction_with_behavior(TransactionBehavior::Immediate);
    let write = write.map_err(failed)?;
    // Another process may have upgraded it: only under the lock is its version certain.
    let version = write.pragma_query_value(None, "user_version", |row| row.get(0));
    let version = version.map_err(failed)?;
    if version < SCHEMA_VERSION {
        migrate(&write, version)?;
    }
    if is_switched {
        // The mode is part of the header, and this write brings it to the disk.
        write
            .pragma_update(None, "user_version", SCHEMA_VERSION)
            .map_err(failed)?;
    }
    write.commit().map_err(failed)?;
    // The row of the switch is no proof: SQLite swallows a sync that fails then, and stays in the old mode.
    require_wal(&journal_mode(db, file)?, file)
}

/// Puts the database in WAL mode, in which readers and a writer do not wait for each other; returns whether it was not
/// before.
fn set_wal(db: &Connection, file: &Path) -> Result<bool> {
    if journal_mode(db, file)? == "wal" {
        return Ok(false);
    }
    let mode = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    require_wal(&mode.map_err(|error| explain(error, file))?, file)?;
    Ok(true)
}

fn journal_mode(db: &Connection, file: &Path) -> Result<String> {
    let mode = db.pragma_query_value(None, "journal_mode", |row| row.get(0));
    mode.map_err(|error| explain(error, file))
}

fn require_wal(mode: &str, file: &Path) -> Result<()> {
    if mode == "wal" {
        return Ok(());
    }
    Err(Error::failed(format!(
        "database {} cannot be put in WAL mode, only `{mode}` (is its disk a local one, and sound?)",
        file.display()
    )))
}

/// Describes an SQLite error about `file`.
fn explain(error: rusqlite::Error, file: &Path) -> Error {
    describe(error, &format!("database {}", file.display()))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let described = describe(error, "the database");
        match described.kind() {
            // The file is open already: no caller named a wrong one.
            ErrorKind::Invalid => described.of_kind(ErrorKind::Broken),
            _ => described,
        }
    }
}

/// Whether SQLite could not make or lengthen its shared memory.
fn is_shared_memory(error: &rusqlite::Error) -> bool {
    let codes = [
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMOPEN,
        ffi::SQLITE_IOERR_SHMMAP,
    ];
    error
        .sqlite_error()
        .is_some_and(|error| codes.contains(&error.extended_code))
}

/// The one table from SQLite's codes to error kinds and remedies.
fn describe(error: rusqlite::Error, database: &str) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::invalid(format!(
            "{database} is not an SQLite database (name another file with --database)"
        )),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::unavailable(format!(
            "{database} is locked by another process (wait for it to finish, then try again)"
        )),
        Some(ErrorCode::CannotOpen) => Error::invalid(format!(
            "cannot open {database} (is it a file, and may you read and write it?)"
        )),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Error::invalid(format!("{database} cannot be written (check its permissions)"))
        }
        Some(ErrorCode::DiskFull) => disk::no_space(),
        // The shared memory of a reader needs room, too.
        Some(ErrorCode::SystemIoFailure) if is_shared_memory(&error) => disk::no_space(),
        Some(ErrorCode::DatabaseCorrupt) => {
            Error::broken(format!("{database} is damaged (`check` tells how)")).because(error)
        }
        Some(ErrorCode::SystemIoFailure) => {
            Error::broken(format!("the disk of {database} fails (see the system's log)")).because(error)
        }
        _ => Error::failed(format!("{database} failed")).because(error),
    }
}
