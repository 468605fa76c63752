//! Scratch: temporary files without names, and the bytes that all of them may have together.
//!
//! Bodies, archives and rows wait in such files. Without a bound a few requests would fill the disk of the database.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder for temporary files, with a bound that all copies of this value share.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    folder: PathBuf,
    /// How many more bytes there may be; none: as many as the disk has.
    left: Option<Arc<AtomicU64>>,
}

impl Scratch {
    /// Temporary files as long as the disk has room.
    pub fn unbounded(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            left: None,
        }
    }

    /// Temporary files of at most `bytes_max` bytes together.
    pub fn bounded(folder: &Path, bytes_max: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            left: Some(Arc::new(AtomicU64::new(bytes_max))),
        }
    }

    /// Whether so many more bytes fit.
    pub fn has(&self, bytes: u64) -> bool {
        let left = |left: &Arc<AtomicU64>| left.load(Ordering::SeqCst);
        self.left.as_ref().is_none_or(|bound| bytes <= left(bound))
    }

    /// Room for so many bytes of a file that others will write.
    ///
    /// # Errors
    /// When there is not so much.
    pub fn room(&self, bytes: u64) -> io::Result<Room> {
        let room = Room {
            left: self.left.clone(),
            taken: AtomicU64::new(0),
        };
        room.take(bytes)?;
        Ok(room)
    }

    /// A new, empty file.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn file(&self) -> io::Result<ScratchFile> {
        Ok(ScratchFile {
            file: tempfile::tempfile_in(&self.folder)?,
            room: Arc::new(Room {
                left: self.left.clone(),
                taken: AtomicU64::new(0),
            }),
        })
    }
}

/// A temporary file. Its bytes count from the write until the last handle is dropped.
#[derive(Debug)]
pub struct ScratchFile {
    file: File,
    room: Arc<Room>,
}

/// The bytes of a file; they are given back with it.
#[derive(Debug)]
pub struct Room {
    left: Option<Arc<AtomicU64>>,
    taken: AtomicU64,
}

impl ScratchFile {
    /// A file of so many bytes that others wrote, in the room that was taken for it.
    ///
    /// # Errors
    /// When it is longer, and there is no more room.
    pub fn within(file: File, bytes: u64, room: Room) -> io::Result<Self> {
        let taken = room.taken.load(Ordering::SeqCst);
        match bytes.checked_sub(taken) {
            Some(more) => room.take(more)?,
            None => room.give_back(taken - bytes),
        }
        Ok(Self {
            file,
            room: Arc::new(room),
        })
    }

    /// Another handle of the same file, with the same position.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            room: Arc::clone(&self.room),
        })
    }

    /// How many bytes were written.
    pub fn written(&self) -> u64 {
        self.room.taken.load(Ordering::SeqCst)
    }
}

impl Room {
    /// Takes bytes from the bound.
    fn take(&self, bytes: u64) -> io::Result<()> {
        if let Some(left) = &self.left {
            let rest = |left: u64| left.checked_sub(bytes);
            // The kind says that others hold the room: a full disk has another.
            let spent = |_| {
                io::Error::new(
                    ErrorKind::ResourceBusy,
                    "other requests hold all room for temporary files",
                )
            };
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, rest)
                .map_err(spent)?;
        }
        self.taken.fetch_add(bytes, Ordering::SeqCst);
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::SeqCst);
        if let Some(left) = &self.left {
            left.fetch_add(bytes, Ordering::SeqCst);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back(self.taken.load(Ordering::SeqCst));
    }
}

impl Write for ScratchFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u64;
        self.room.take(length)?;
        let written = self.file.write(bytes);
        let kept = written.as_ref().map_or(0, |&count| count as u64);
        self.room.give_back(length - kept);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for ScratchFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for ScratchFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_share_one_bound_and_give_their_bytes_back() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::bounded(folder.path(), 100);
        let (mut a, mut b) = (scratch.file().unwrap(), scratch.clone().file().unwrap());
        a.write_all(&[1; 60]).unwrap();
        assert!(scratch.has(40) && !scratch.has(41));
        assert_eq!(b.write_all(&[2; 41]).unwrap_err().kind(), ErrorKind::ResourceBusy);
        b.write_all(&[2; 40]).unwrap();
        let mut again = a.try_clone().unwrap();
        drop(a);
        assert!(!scratch.has(1), "another handle holds it");
        let mut bytes = Vec::new();
        again.rewind().unwrap();
        again.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.len(), again.written()), (60, 60));
        drop((again, b));
        assert!(scratch.has(100) && !scratch.has(101));
        assert!(Scratch::unbounded(folder.path()).has(u64::MAX));
    }
}
