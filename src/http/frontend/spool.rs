//! Spools: bytes that wait to be read, some in memory and the rest in an unnamed file.
//!
//! All spools together stay within their `SpoolBudget`, in memory and on disk.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::scratch::{Scratch, ScratchFile};

/// How many bytes of one spool stay in memory.
const MEMORY_BYTES_MAX: usize = 1 << 20;
/// How many bytes of all spools stay in memory.
const ALL_MEMORY_BYTES_MAX: u64 = 16 << 20;

/// How many shared bytes wait in all spools; each counts once for every spool it waits in.
const SHARED_BYTES_MAX: u64 = 256 << 20;

/// The bytes that all spools may hold together.
#[derive(Debug)]
pub(super) struct SpoolBudget {
    scratch: Scratch,
    memory_bytes_left: AtomicU64,
    shared_bytes_left: AtomicU64,
}

impl SpoolBudget {
    pub(super) fn new(scratch: Scratch) -> Arc<Self> {
        Arc::new(Self {
            scratch,
            memory_bytes_left: AtomicU64::new(ALL_MEMORY_BYTES_MAX),
            shared_bytes_left: AtomicU64::new(SHARED_BYTES_MAX),
        })
    }

    /// Whether a body of this length fits.
    pub(super) fn has(&self, bytes: u64) -> bool {
        bytes <= self.memory_bytes_left.load(Ordering::SeqCst) || self.scratch.has(bytes)
    }
}

/// Takes bytes from the budget; returns whether it had enough.
fn take(left: &AtomicU64, bytes: u64) -> bool {
    let rest = |left: u64| left.checked_sub(bytes);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, rest).is_ok()
}

/// Returns bytes to the budget.
fn give(left: &AtomicU64, bytes: u64) {
    left.fetch_add(bytes, Ordering::SeqCst);
}

/// A queue of bytes. Memory comes before the file: once there is a file, all bytes go there. Shared bytes come
/// last.
#[derive(Debug)]
pub struct Spool {
    budget: Arc<SpoolBudget>,
    memory: Vec<u8>,
    /// How much of `memory` was read.
    taken: usize,
    file: Option<Overflow>,
    shared: Option<SharedBytes>,
}

/// Bytes that other owners share.
#[derive(Debug)]
struct SharedBytes {
    bytes: Arc<Vec<u8>>,
    taken: usize,
}

#[derive(Debug)]
struct Overflow {
    file: ScratchFile,
    written: u64,
    taken: u64,
}

impl Spool {
    pub(super) fn new(budget: &Arc<SpoolBudget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            memory: Vec::new(),
            taken: 0,
            file: None,
            shared: None,
        }
    }

    /// How many bytes wait.
    pub fn len(&self) -> u64 {
        let shared = self.shared.as_ref();
        let shared = shared.map_or(0, |shared| shared.bytes.len() - shared.taken);
        (self.memory.len() - self.taken + shared) as u64 + self.in_file()
    }

    fn in_file(&self) -> u64 {
        let file = self.file.as_ref();
        file.map_or(0, |file| file.written - file.taken)
    }

    /// Whether no bytes wait.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When the budget is spent, or the disk fails.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(shared) = self.shared.take() {
            give(&self.budget.shared_bytes_left, shared.bytes.len() as u64);
            self.push(&shared.bytes[shared.taken..])?;
        }
        let fits = self.memory.len() + bytes.len() <= MEMORY_BYTES_MAX;
        if self.file.is_none() && fits && take(&self.budget.memory_bytes_left, bytes.len() as u64) {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Overflow {
                file: self.budget.scratch.file()?,
                written: 0,
                taken: 0,
            }),
        };
        file.file.seek(SeekFrom::Start(file.written))?;
        file.file.write_all(bytes)?;
        file.written += bytes.len() as u64;
        Ok(())
    }

    /// Adds shared bytes without a copy, or as a copy if too many are shared.
    ///
    /// # Errors
    /// When the budget is spent, or the disk fails.
    pub(super) fn share(&mut self, bytes: Arc<Vec<u8>>) -> io::Result<()> {
        let fits = self.shared.is_none();
        if !fits || !take(&self.budget.shared_bytes_left, bytes.len() as u64) {
            return self.push(&bytes);
        }
        self.shared = Some(SharedBytes { bytes, taken: 0 });
        Ok(())
    }

    /// Adds a file without a copy, whose bytes count in the budget already.
    ///
    /// # Errors
    /// When there is a file in the spool, which only a reply has.
    pub(super) fn follow(&mut self, file: ScratchFile) -> io::Result<()> {
        if self.file.is_some() || self.shared.is_some() {
            return Err(io::Error::other("a reply has one file"));
        }
        let written = file.written();
        self.file = Some(Overflow {
            file,
            written,
            taken: 0,
        });
        Ok(())
    }

    /// The next bytes, which stay until consumed; `buffer` holds those from the file.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn peek<'a>(&'a mut self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        if self.taken < self.memory.len() {
            return Ok(&self.memory[self.taken..]);
        }
        let Some(file) = self.unread_file() else {
            let shared = self.shared.as_ref();
            return Ok(shared.map_or(&[], |shared| &shared.bytes[shared.taken..]));
        };
        file.file.seek(SeekFrom::Start(file.taken))?;
        match file.file.read(buffer)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            length => Ok(&buffer[..length]),
        }
    }

    /// The file, if the next bytes come from it.
    fn unread_file(&mut self) -> Option<&mut Overflow> {
        let file = self.file.as_mut().filter(|_| self.taken == self.memory.len());
        file.filter(|file| file.taken < file.written)
    }

    /// Removes bytes from the front, at most as many as were peeked at.
    pub(super) fn consume(&mut self, bytes: usize) {
        if self.taken < self.memory.len() {
            self.taken += bytes;
        } else if self.in_file() > 0
            && let Some(file) = &mut self.file
        {
            file.taken += bytes as u64;
        } else if let Some(shared) = &mut self.shared {
            shared.taken += bytes;
        }
        if self.is_empty() {
            self.clear();
        }
    }

    /// Drops all bytes and returns them to the budget; a small buffer is kept for reuse.
    fn clear(&mut self) {
        give(&self.budget.memory_bytes_left, self.memory.len() as u64);
        self.memory.clear();
        self.memory.shrink_to(4096);
        self.taken = 0;
        self.file = None;
        if let Some(shared) = self.shared.take() {
            give(&self.budget.shared_bytes_left, shared.bytes.len() as u64);
        }
    }
}

impl Read for Spool {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = if let Some(file) = self.unread_file() {
            file.file.seek(SeekFrom::Start(file.taken))?;
            file.file.read(buffer)?
        } else {
            self.peek(&mut [])?.read(buffer)?
        };
        self.consume(length);
        Ok(length)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_from_memory_and_file_and_give_their_room_back() {
        let folder = tempfile::tempdir().unwrap();
        let budget = SpoolBudget::new(Scratch::bounded(folder.path(), 8 << 20));
        let mut spool = Spool::new(&budget);
        let bytes: Vec<u8> = (0..6_u32 << 20).map(|i| i.to_le_bytes()[1]).collect();
        for piece in bytes.chunks(70_000) {
            spool.push(piece).unwrap();
        }
        assert!(spool.file.is_some() && spool.memory.len() <= MEMORY_BYTES_MAX);
        assert_eq!(spool.len(), bytes.len() as u64);
        assert!(!budget.has(20 << 20));
        let (mut out, mut buffer) = (Vec::new(), vec![0; 4096]);
        while !spool.is_empty() {
            let next = spool.peek(&mut buffer).unwrap();
            let length = next.len().min(3000);
            out.extend_from_slice(&next[..length]);
            spool.consume(length);
        }
        assert!(out == bytes);
        // Shared bytes come last, but before bytes that are pushed after them.
        spool.push(b"head ").unwrap();
        spool.share(Arc::new(b"shared ".to_vec())).unwrap();
        assert_eq!(spool.len(), 12);
        spool.consume(5);
        spool.consume(2);
        spool.push(b"more").unwrap();
        assert_eq!(spool.peek(&mut buffer).unwrap(), b"ared more");
        spool.share(Arc::new(b"!".to_vec())).unwrap();
        spool.consume(9);
        assert_eq!(spool.peek(&mut buffer).unwrap(), b"!");
        spool.consume(1);
        assert!(spool.is_empty());
        let full = io::ErrorKind::ResourceBusy;
        for _ in 0..9 {
            let _ = spool.push(&vec![0; MEMORY_BYTES_MAX]);
        }
        assert_eq!(spool.push(&[0; 1 << 20]).unwrap_err().kind(), full);
        drop(spool);
        let left = |left: &AtomicU64| left.load(Ordering::SeqCst);
        assert_eq!(left(&budget.memory_bytes_left), ALL_MEMORY_BYTES_MAX);
        assert!(budget.scratch.has(8 << 20));
        assert_eq!(left(&budget.shared_bytes_left), SHARED_BYTES_MAX);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
