//! Output to a slow reader: what is written goes to a file without a name, and from there to the reader
//! at the reader's own pace.
//!
//! Whoever writes holds a view of the database, which keeps its log from being emptied; so the writer
//! must not wait for a pipe that somebody pages through. It must never know what is written.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::error::{Error, Result};

/// How much is passed on at once.
const PIECE_BYTES: usize = 1 << 18;

/// How far the writer has come.
#[derive(Debug, Default)]
struct Progress {
    bytes: u64,
    has_ended: bool,
    /// The reader has left; there is no use in going on.
    is_unread: bool,
}

/// What the writer and the reader share.
#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    moved: Condvar,
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }
}

/// Gives `write` a writer that never waits for `out`, which has all of it once this returns.
///
/// What `out` has not yet taken is kept in `folder`.
///
/// # Errors
/// Those of `write`, and when the file or `out` cannot be written.
pub(super) fn write(
    out: &mut (dyn Write + Send),
    folder: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    // Two handles, each with a place of its own in the file; its name can go.
    let kept = tempfile::NamedTempFile::new_in(folder)
        .and_then(|file| Ok((file.reopen()?, file.into_file())));
    let (read, written) = kept.map_err(unkept)?;
    let shared = Shared::default();
    thread::scope(|scope| {
        let shared = &shared;
        let reader = scope.spawn(move || {
            let passed = pass_on(read, out, shared);
            shared.update(|progress| progress.is_unread = true);
            passed
        });
        let mut writer = Kept {
            file: written,
            shared,
            bytes: 0,
        };
        let result = write(&mut writer);
        shared.update(|progress| progress.has_ended = true);
        let passed = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // A reader that left is why the writer failed.
        passed.map_err(|error| Error::failed("stdout cannot be written").because(error))?;
        result
    })
}

fn unkept(error: io::Error) -> Error {
    Error::failed(
        "what a slow reader has not yet taken cannot be kept beside the database (is there room?)",
    )
    .because(error)
}

/// The writing end.
struct Kept<'a> {
    file: File,
    shared: &'a Shared,
    bytes: u64,
}

impl Write for Kept<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.bytes += count as u64;
        let mut unread = false;
        self.shared.update(|progress| {
            progress.bytes = self.bytes;
            unread = progress.is_unread;
        });
        if unread {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The reading end: passes on what has been written until nothing more comes.
fn pass_on(mut file: File, out: &mut dyn Write, shared: &Shared) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut passed = 0;
    loop {
        let (bytes, has_ended) = {
            let progress = shared
                .progress
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let progress = shared
                .moved
                .wait_while(progress, |progress| {
                    progress.bytes == passed && !progress.has_ended
                })
                .unwrap_or_else(PoisonError::into_inner);
            (progress.bytes, progress.has_ended)
        };
        while passed < bytes {
            let count = file.read(&mut piece)?;
            out.write_all(&piece[..count])?;
            passed += count as u64;
        }
        out.flush()?;
        if has_ended && passed == bytes {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes nothing until it may.
    struct Slow {
        may: mpsc::Receiver<()>,
        taken: Vec<u8>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Once the other end is gone there is no more waiting.
            let _ = self.may.recv();
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Has seen enough.
    struct Gone;

    impl Write for Gone {
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
        let mut slow = Slow {
            may,
            taken: Vec::new(),
        };
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let folder = tempfile::tempdir().unwrap();
        write(&mut slow, folder.path(), |out| {
            for piece in bytes.chunks(77_777) {
                out.write_all(piece).unwrap();
            }
            // All is written; only now may the reader go on.
            drop(allow);
            Ok(())
        })
        .unwrap();
        assert!(slow.taken == bytes);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_reader_that_leaves_ends_the_writing() {
        let folder = tempfile::tempdir().unwrap();
        let mut pieces = 0;
        let ended = write(&mut Gone, folder.path(), |out| {
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
