//! Where output goes: stdout, or a file that appears whole or not at all.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{buffered_output, log};
use crate::db::disk;
use crate::db::part::{self, Look};
use crate::error::{Error, Result};

/// Whether stdout was closed when the process began. By then it is `/dev/null`: the standard library opens it.
static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Records that this process began without a stdout.
pub fn mark_stdout_closed() {
    STDOUT_IS_CLOSED.store(true, Ordering::Relaxed);
}

/// Refuses to print into nothing.
fn require_stdout() -> Result<()> {
    match STDOUT_IS_CLOSED.load(Ordering::Relaxed) {
        true => Err(Error::failed(
            "stdout is closed, so nothing was printed (leave `>&-` away)",
        )),
        false => Ok(()),
    }
}

/// Prints a line to stderr. A stderr that is full or gone must not end the work, as `eprintln` would by a panic.
pub fn to_stderr(line: fmt::Arguments<'_>) {
    match log::is_json() {
        true => tracing::info!("{line}"),
        false => drop(writeln!(io::stderr().lock(), "{line}")),
    }
}

/// Prints why the program fails.
pub fn failure(reason: fmt::Arguments<'_>) {
    match log::is_json() {
        true => tracing::error!("{reason}"),
        false => to_stderr(format_args!("store-monitor: {reason}")),
    }
}

/// As `eprintln`, through [`to_stderr`].
macro_rules! note {
    ($($part:tt)*) => {
        $crate::cli::output::to_stderr(format_args!($($part)*))
    };
}
pub(super) use note;

/// Gives `write` a writer to stdout; if the reader closes its end early, that is no error.
///
/// # Errors
/// Those of `write`, and when stdout cannot be written.
pub fn to_stdout(write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    require_stdout()?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = write(&mut out).and_then(|()| {
        out.flush()
            .map_err(|error| Error::failed("stdout cannot be written").because(error))
    });
    match written {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        written => written,
    }
}

/// Writes a text to stdout.
///
/// # Errors
/// When stdout cannot be written.
pub fn print(text: &str) -> Result<()> {
    to_stdout(|out| {
        let written = out.write_all(text.as_bytes());
        written.map_err(|error| Error::failed("stdout cannot be written").because(error))
    })
}

/// Like [`to_stdout`], but `write` never waits for a pipe or a terminal: unread bytes wait in a temporary file
/// in `folder`. If that has no room for some `bytes`, `write` waits all the same.
///
/// # Errors
/// Those of `write`, and when stdout or a file in `folder` cannot be written.
pub fn to_stdout_buffered(folder: &Path, bytes: u64, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    require_stdout()?;
    if is_file(&io::stdout()) || !disk::has_bytes(folder, bytes) {
        return to_stdout(write);
    }
    let written = buffered_output::write(&mut io::stdout(), folder, |out| {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        write(&mut out)?;
        out.flush()
            .map_err(|error| Error::failed("stdout cannot be written").because(error))
    });
    match written {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        written => written,
    }
}

/// Whether output goes to a file, which never makes a writer wait.
fn is_file(out: &io::Stdout) -> bool {
    #[cfg(unix)]
    {
        let out = std::os::fd::AsFd::as_fd(out).try_clone_to_owned();
        let facts = out.and_then(|out| File::from(out).metadata());
        facts.is_ok_and(|facts| facts.is_file())
    }
    #[cfg(not(unix))]
    {
        let _ = out;
        false
    }
}

/// Gives `write` a writer to a new file beside `file`, and renames it to `file` once it is whole and on disk.
/// A link is followed; a device or a pipe is written directly, because it cannot be replaced.
///
/// # Errors
/// Those of `write`, and when the file cannot be written; then `file` stays as it was.
pub fn to_file(file: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let failed = |error: io::Error| {
        Error::invalid(format!(
            "cannot write {} (check the folder and your permissions)",
            file.display()
        ))
        .because(error)
    };
    if fs::metadata(file).is_ok_and(|facts| !facts.is_file() && !facts.is_dir()) {
        let opened = OpenOptions::new().write(true).open(file);
        let mut out = BufWriter::new(opened.map_err(failed)?);
        return write(&mut out).and_then(|()| out.flush().map_err(failed));
    }
    let place = fs::canonicalize(file);
    let file = place.as_deref().unwrap_or(file);
    // A hidden name: programs that read all files of a folder skip it.
    let part = part::new(file, Look::Hidden, 0o666).map_err(failed)?;
    let mut out = BufWriter::new(part.as_file());
    write(&mut out)?;
    out.flush().map_err(failed)?;
    drop(out);
    part::publish(part, file).map_err(failed)
}

fn is_broken_pipe(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}
