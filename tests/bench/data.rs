//! The data: generated files and the database of them, kept in `bench-data` of the target folder.
//!
//! They are made again when the program is newer.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Result, program, target};

/// A generated chain of stores.
pub(crate) struct Data {
    /// Where its CSV files are, and nothing but them and databases.
    pub(crate) folder: PathBuf,
    /// All of them, imported.
    pub(crate) database: PathBuf,
    /// How many stores it was asked for, and over how many days.
    pub(crate) size: (u32, u32),
    /// How many polls its file has, duplicates included.
    pub(crate) rows: u32,
    /// How large that file is.
    pub(crate) bytes: u64,
}

impl Data {
    pub(crate) fn make(name: &str, stores: u32, days: u32) -> Result<Self> {
        let folder = target().join("bench-data").join(name);
        let database = folder.join("all.db");
        if !is_newer(&database, Path::new(program::PATH)) {
            eprintln!("data: {stores} stores, {days} days …");
            make(&folder, &database, stores, days)?;
        }
        let mut data = Self {
            folder,
            database,
            size: (stores, days),
            rows: 0,
            bytes: 0,
        };
        (data.rows, data.bytes) = count(&data.polls())?;
        Ok(data)
    }

    pub(crate) fn polls(&self) -> PathBuf {
        self.folder.join("store_status.csv")
    }

    /// Imports all of it but special days and versions of hours into a new database.
    pub(crate) fn import_plain_hours(&self, into: &Path) -> Result<()> {
        let hours = fs::read_to_string(self.folder.join("menu_hours.csv"))?;
        let plain = tempfile::Builder::new().suffix(".csv").tempfile()?;
        fs::write(plain.path(), without_versions(&hours))?;
        let mut files = vec![plain.path().to_owned()];
        for file in csv_files(&self.folder)? {
            let name = file.file_name().unwrap_or_default();
            if name != "menu_hours.csv" && name != "special_hours.csv" {
                files.push(file);
            }
        }
        remove_database(into)?;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        program::finish(program::import_command(&files, into))
    }

    /// The same rows in another order.
    pub(crate) fn polls_by(&self, order: &str) -> Result<PathBuf> {
        if order == "time" {
            return Ok(self.polls());
        }
        let folder = self.folder.join(order);
        let polls = folder.join("store_status.csv");
        if !polls.exists() {
            eprintln!("data: polls by {order} …");
            program::generate(&folder, self.size.0, self.size.1, order)?;
        }
        Ok(polls)
    }
}

/// Writes the files and imports them; the database has its name only once it is whole.
fn make(folder: &Path, database: &Path, stores: u32, days: u32) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    program::generate(folder, stores, days, "time")?;
    let files = csv_files(folder)?;
    let part = folder.join("part.db");
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    program::finish(program::import_command(&files, &part))?;
    Ok(fs::rename(part, database)?)
}

/// The CSV files of a folder, in the order of their names.
fn csv_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Business hours without the rows that have a `valid_from`, and without that column, which is the last.
fn without_versions(hours: &str) -> String {
    let header = hours.lines().next().unwrap_or_default();
    if !header.ends_with(",valid_from") {
        return hours.to_owned();
    }
    let rows = hours.lines().filter_map(|row| row.rsplit_once(','));
    let plain = rows.filter(|(_, valid_from)| valid_from.is_empty() || *valid_from == "valid_from");
    plain.map(|(row, _)| format!("{row}\n")).collect()
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let changed = |file: &Path| file.metadata().and_then(|facts| facts.modified()).ok();
    changed(file).is_some_and(|file| Some(file) > changed(than))
}

/// How many lines stand below the header, and how many bytes there are.
fn count(file: &Path) -> Result<(u32, u64)> {
    let (mut file, mut buffer) = (File::open(file)?, vec![0; 1 << 20]);
    let (mut lines, mut bytes) = (0, 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((u32::try_from(lines - 1)?, bytes));
        }
        lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count();
        bytes += u64::try_from(read)?;
    }
}

/// Removes a database, if it is there, with what SQLite keeps beside it.
pub(crate) fn remove_database(file: &Path) -> Result<()> {
    for suffix in [
        "", "-wal", "-shm", "-journal", ".wal", "-lock", "-reserve", "-status",
    ] {
        let mut name = OsString::from(file);
        name.push(suffix);
        match fs::remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
