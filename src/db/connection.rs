//! Opening the database file: the settings of every connection, and the files that are refused.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::migrate::{SCHEMA_VERSION, migrate};
use crate::error::{Error, Result};
use crate::parallel;

/// `PRAGMA application_id` of our databases: "Stor".
const APPLICATION_ID: i32 = 0x5374_6F72;

/// The size of a new database's pages. Twice SQLite's default reads a window of polls and keeps a
/// report's numbers with half as many system calls; more would make a single poll's commit dear.
pub const PAGE_BYTES: u32 = 8192;

/// How long a connection waits for another process's lock before it says so.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a database that is being made is written to the disk.
const FLUSH_PERIOD: Duration = Duration::from_millis(50);

/// The size to which a checkpoint cuts the WAL file back.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// Opens `file` for writing; creates it, readable by its owner only, if it is missing.
///
/// # Errors
/// The file is not a database, not one of ours, newer than this program, locked, or unreachable; the
/// message says which, and the remedy.
pub fn open_writer(file: &Path) -> Result<Connection> {
    create_private(file)?;
    let mut db = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&mut db, file)?;
    trust(&db).map_err(|error| explain(error, file))?;
    Ok(db)
}

/// Makes the database `file`, which must not exist yet, of what `fill` writes.
///
/// It gets its name once it is whole and on disk, so it needs no journal, which halves the bytes written.
///
/// # Errors
/// Those of `fill`; the file cannot be made, or another process made it meanwhile. Then there is none, or
/// theirs.
pub fn create<T>(file: &Path, fill: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
    let folder = folder_of(file);
    let failed = |error: io::Error| Error::invalid(format!("cannot create database {}", file.display())).because(error);
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part-");
    let part = tempfile::Builder::new().prefix(&name).tempfile_in(folder);
    let part = part.map_err(failed)?;
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
    part.persist_noclobber(file).map_err(|error| {
        if error.error.kind() == io::ErrorKind::AlreadyExists {
            let file = file.display();
            return Error::unavailable(format!(
                "another process made the database {file} meanwhile (run this again)"
            ));
        }
        failed(error.error)
    })?;
    // The new name is durable once its folder is.
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed)?;
    Ok(answer)
}

/// The folder that `file` is in.
pub fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Turns the schema's CHECKs off. They guard against changes by hand: this program's types hold the same
/// already, and a large load would check every row.
fn trust(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "ignore_check_constraints", true)
}

/// Runs `work`, and syncs `file` from time to time meanwhile: else the one sync at the end would wait for all
/// of it to be written.
///
/// The system reports a failed write to one sync only, so the outcome of the syncs is returned, too.
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

/// Opens `file`, which must exist, for reading only; one of an older version is brought up to date first.
///
/// # Errors
/// As [`open_writer`], and the file does not exist.
pub fn open_reader(file: &Path) -> Result<Connection> {
    if !file.exists() {
        return Err(Error::invalid(format!(
            "database {} does not exist (`import` creates it, --database names another)",
            file.display()
        )));
    }
    // Read-write underneath: a reader of a WAL database must be able to make its shared memory.
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

/// Makes sure that `file` exists; a new one is for its owner alone. SQLite gives the WAL the same mode.
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
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags).map_err(|error| explain(error, file))?;
    configure(&db).map_err(|error| explain(error, file))?;
    Ok(db)
}

/// Settings that hold for one connection and must be made on each.
fn configure(db: &Connection) -> rusqlite::Result<()> {
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

/// Refuses a database that is another program's, or newer than this one.
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

/// Gives an empty file its schema and an older one what it lacks, and makes sure of the journal mode.
fn prepare(db: &mut Connection, file: &Path) -> Result<()> {
    let (application, version, tables) = identity(db, file)?;
    check_identity(file, application, version, tables)?;
    let failed = |error| explain(error, file);
    if application == 0 {
        db.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed)?;
    }
    let write = db.transaction_with_behavior(TransactionBehavior::Immediate);
    let write = write.map_err(failed)?;
    // Another process may have been here first: only now is its version certain.
    let version = write.pragma_query_value(None, "user_version", |row| row.get(0));
    let version = version.map_err(failed)?;
    if version < SCHEMA_VERSION {
        migrate(&write, version)?;
    }
    write.commit().map_err(failed)?;
    set_wal(db, file)
}

/// Puts the database in WAL mode, in which readers and a writer do not wait for each other.
fn set_wal(db: &Connection, file: &Path) -> Result<()> {
    let mode = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
    let mode: String = mode.map_err(|error| explain(error, file))?;
    if mode != "wal" {
        return Err(Error::failed(format!(
            "database {} cannot be put in WAL mode, only `{mode}` (keep it on a local disk)",
            file.display()
        )));
    }
    Ok(())
}

/// Describes an SQLite error about `file`.
fn explain(error: rusqlite::Error, file: &Path) -> Error {
    describe(error, &format!("database {}", file.display()))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        describe(error, "the database")
    }
}

/// The one table from SQLite's codes to our kinds and remedies.
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
        Some(ErrorCode::DiskFull) => Error::failed(format!("no space left for {database} (free some, then try again)")),
        Some(ErrorCode::DatabaseCorrupt) => {
            Error::failed(format!("{database} is damaged (`check` tells how)")).because(error)
        }
        _ => Error::failed(format!("{database} failed")).because(error),
    }
}
