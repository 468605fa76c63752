//! Buffered output: a writer that never waits for its reader.
//!
//! An export holds a view of the database, and the write-ahead log cannot shrink meanwhile. So an export must not
//! wait for a pipe that a person pages through. The bytes go into an unnamed temporary file, and a thread
//! copies them from there at the reader's pace.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::parallel;

/// How many bytes are copied at once.
const PIECE_BYTES: usize = 1 << 18;

#[derive(Debug, Default)]
struct Progress {
    /// The size of the file.
    bytes: u64,
    has_ended: bool,
    /// Whether the reader has closed its end; then no more need be written.
    is_closed: bool,
}

/// The progress, and a signal for each change of it.
#[derive(Debug, Default)]
struct Watched {
    progress: Mutex<Progress>,
    changed: Condvar,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        let answer = change(&mut self.lock());
        self.changed.notify_all();
        answer
    }
}

/// Gives `write` a writer that never waits for `out`; `out` has every byte once this function returns.
///
/// The temporary file is in `folder`.
///
/// # Errors
/// Those of `write`, and when the file or `out` cannot be written.
pub(super) fn write(
    out: &mut (dyn Write + Send),
    folder: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    // Two handles, each with its own position in the file; the name is removed at once.
    let files = tempfile::NamedTempFile::new_in(folder).and_then(|file| Ok((file.reopen()?, file.into_file())));
    let (source, file) = files.map_err(|error| {
        let place = folder.display();
        Error::failed(format!("no temporary file can be made in {place} (is there room?)")).because(error)
    })?;
    let watched = Watched::default();
    let copy = || {
        let copied = copy(source, out, &watched);
        watched.update(|progress| progress.is_closed = true);
        copied
    };
    let watched = &watched;
    let (copied, written) = parallel::join(copy, || write(&mut Buffer { file, watched }));
    // The reader's end was closed, so the writer failed.
    copied.map_err(|error| Error::failed("stdout cannot be written").because(error))?;
    written
}

/// The writing end; dropping it marks the end of the bytes.
struct Buffer<'a> {
    file: File,
    watched: &'a Watched,
}

impl Write for Buffer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        let is_closed = self.watched.update(|progress| {
            progress.bytes += count as u64;
            progress.is_closed
        });
        if is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        self.watched.update(|progress| progress.has_ended = true);
    }
}

/// Copies the file to `out` as it grows, until its end.
fn copy(mut file: File, out: &mut dyn Write, watched: &Watched) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut copied = 0;
    loop {
        let (bytes, has_ended) = {
            let idle = |progress: &mut Progress| progress.bytes == copied && !progress.has_ended;
            let progress = watched.changed.wait_while(watched.lock(), idle);
            let progress = progress.unwrap_or_else(PoisonError::into_inner);
            (progress.bytes, progress.has_ended)
        };
        while copied < bytes {
            let count = file.read(&mut piece)?;
            out.write_all(&piece[..count])?;
            copied += count as u64;
        }
        out.flush()?;
        if has_ended && copied == bytes {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A reader that blocks until the other end of the channel is dropped.
    struct Slow {
        may: mpsc::Receiver<()>,
        taken: Vec<u8>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The error says that the other end was dropped.
            let _ = self.may.recv();
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A reader that has closed its end.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_writer_ends_before_a_slow_reader_has_begun() {
        let (allow, may) = mpsc::channel();
        let mut slow = Slow { may, taken: Vec::new() };
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let folder = tempfile::tempdir().unwrap();
        write(&mut slow, folder.path(), |out| {
            for piece in bytes.chunks(77_777) {
                out.write_all(piece).unwrap();
            }
            // Everything is written; now the reader may begin.
            drop(allow);
            Ok(())
        })
        .unwrap();
        assert!(slow.taken == bytes);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_closed_reader_ends_the_writing() {
        let folder = tempfile::tempdir().unwrap();
        let mut pieces = 0;
        let ended = write(&mut Closed, folder.path(), |out| {
            loop {
                pieces += 1;
                if let Err(error) = out.write_all(&[0; 1000]) {
                    return Err(Error::failed("cannot write").because(error));
                }
            }
        });
        assert!(ended.is_err());
        assert!(pieces > 0);
    }
}
