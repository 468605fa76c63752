//! The write-ahead log as a file: whether all of it is there that SQLite once wrote and synced.
//!
//! SQLite reads the log up to the first frame whose checksum is wrong, and takes the rest for a write that a power
//! cut interrupted. After a power cut that is right: nobody was told that such a change is stored. But a disk that
//! flips one bit of an older frame takes all later changes with it, without a word. This file tells the two apart,
//! and puts a single flipped bit right.
//!
//! A frame is certainly damaged if a later change begins behind its own: SQLite begins the next change only once the
//! one before is synced. It is damaged, too, if one flipped bit explains its checksum, for a write that was cut short
//! ends between sectors.
//!
//! The format is that of SQLite's documentation: a header of 32 bytes; frames of a header of 24 bytes and a page each.
//! Checksums run on from frame to frame.

use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The first four bytes, but for the last bit: that one says in which order the checksums read bytes.
const MAGIC: u32 = 0x377f_0682;

/// How many flipped bits are put right in one log.
const BITS_MAX: usize = 64;

/// What was found in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LogFile {
    /// How many whole frames it has.
    pub(super) frames: usize,
    /// How many single bits were wrong, and are right now.
    pub(super) bits_mended: usize,
    /// The first frame, from 1, that is damaged beyond that; its change and all later ones are lost.
    pub(super) damaged: Option<usize>,
    /// Whether the last change is not whole, as a power cut leaves it.
    pub(super) is_torn: bool,
}

/// Reads the log `file` and puts single flipped bits right, in the file, too. A missing log is an empty one.
///
/// No other process may have the database.
pub(super) fn inspect(file: &Path) -> io::Result<LogFile> {
    let mut bytes = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LogFile::default()),
        bytes => bytes?,
    };
    let mut mended = Vec::new();
    let found = walk(&mut bytes, &mut mended);
    if !mended.is_empty() {
        let mut log = OpenOptions::new().write(true).open(file)?;
        for at in mended {
            log.seek(SeekFrom::Start(at as u64))?;
            log.write_all(&bytes[at..=at])?;
        }
        log.sync_all()?;
    }
    Ok(found)
}

/// The running checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    /// The sum after these bytes, an even number of words.
    fn after(mut self, bytes: &[u8], is_big: bool) -> Self {
        for pair in bytes.as_chunks::<8>().0 {
            let [a, b, c, d, e, f, g, h] = *pair;
            self.0 = self.0.wrapping_add(word([a, b, c, d], is_big)).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(word([e, f, g, h], is_big)).wrapping_add(self.0);
        }
        self
    }

    /// How many bits part it from another.
    fn distance(self, other: Self) -> u32 {
        (self.0 ^ other.0).count_ones() + (self.1 ^ other.1).count_ones()
    }
}

fn word(bytes: [u8; 4], is_big: bool) -> u32 {
    if is_big {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    }
}

/// The two words at `at`, as headers store them.
fn pair(bytes: &[u8], at: usize) -> Sum {
    let read = |at: usize| bytes[at..].first_chunk().map_or(0, |&word| u32::from_be_bytes(word));
    Sum(read(at), read(at + 4))
}

/// The log's facts that all frames share.
struct Log {
    is_big: bool,
    salt: Sum,
    frame_bytes: usize,
}

/// Walks all frames; `mended` receives the places of bytes that were put right in `bytes`.
fn walk(bytes: &mut [u8], mended: &mut Vec<usize>) -> LogFile {
    let mut found = LogFile::default();
    if bytes.len() < HEADER_BYTES {
        return found;
    }
    let Some((log, mut sum)) = header(bytes).or_else(|| {
        let at = mend_header(bytes)?;
        mended.push(at);
        header(bytes)
    }) else {
        // A header is written before anything of its log is acknowledged. Two frames that follow each other tell that
        // more was.
        let looks_used = frame_sizes().any(|frame_bytes| follows_somewhere(bytes, frame_bytes));
        found.damaged = looks_used.then_some(1);
        return found;
    };
    let mut at = HEADER_BYTES;
    while at + log.frame_bytes <= bytes.len() {
        let mut next = log.verify(&bytes[at..at + log.frame_bytes], sum);
        let mut flip = Flip::None;
        if next.is_none() && mended.len() < BITS_MAX {
            flip = log.mend(&mut bytes[at..at + log.frame_bytes], sum);
            if let Flip::Mended(place) = flip {
                mended.push(at + place);
                next = log.verify(&bytes[at..at + log.frame_bytes], sum);
            }
        }
        let Some(next) = next else {
            // Frames of another salt are an earlier log's, which this one has not overwritten yet.
            found.is_torn = log.is_own(&bytes[at..]);
            if flip == Flip::Several || log.has_later_change(&bytes[at..], sum) {
                found.damaged = Some(found.frames + 1);
            }
            break;
        };
        sum = next;
        found.frames += 1;
        at += log.frame_bytes;
    }
    found.bits_mended = mended.len();
    found
}

/// The facts of a header whose checksum is right, and that checksum.
fn header(bytes: &[u8]) -> Option<(Log, Sum)> {
    let magic = pair(bytes, 0).0;
    let is_big = magic & 1 == 1;
    let sum = Sum::default().after(&bytes[..24], is_big);
    let page_bytes = pair(bytes, 8).0 as usize;
    let is_right = magic & !1 == MAGIC
        && sum == pair(bytes, 24)
        && frame_sizes().any(|size| size == page_bytes + FRAME_HEADER_BYTES);
    is_right.then(|| {
        let salt = pair(bytes, 16);
        let frame_bytes = page_bytes + FRAME_HEADER_BYTES;
        (
            Log {
                is_big,
                salt,
                frame_bytes,
            },
            sum,
        )
    })
}

/// The lengths that a frame may have.
fn frame_sizes() -> impl Iterator<Item = usize> {
    (9..=16).map(|power| (1_usize << power) + FRAME_HEADER_BYTES)
}

/// Puts a header right in which one bit is wrong; returns the place of its byte. The first frame tells which bit, where
/// several would do.
fn mend_header(bytes: &mut [u8]) -> Option<usize> {
    for bit in 0..HEADER_BYTES * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let leads_on = header(bytes).is_some_and(|(log, sum)| {
            let first = bytes[HEADER_BYTES..].get(..log.frame_bytes);
            first.is_none_or(|frame| log.verify(frame, sum).is_some())
        });
        if leads_on {
            return Some(bit / 8);
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    None
}

/// Whether anywhere one frame's checksum leads to the next one's.
fn follows_somewhere(bytes: &[u8], frame_bytes: usize) -> bool {
    let frames = bytes[HEADER_BYTES..].chunks_exact(frame_bytes);
    frames.clone().zip(frames.skip(1)).any(|(first, second)| {
        [false, true].into_iter().any(|is_big| {
            let (salt, sum) = (pair(first, 8), pair(first, 16));
            let log = Log {
                is_big,
                salt,
                frame_bytes,
            };
            log.verify(second, sum).is_some()
        })
    })
}

impl Log {
    fn computed(&self, frame: &[u8], before: Sum) -> Sum {
        let sum = before.after(&frame[..8], self.is_big);
        sum.after(&frame[FRAME_HEADER_BYTES..self.frame_bytes], self.is_big)
    }

    /// The checksum after a frame, if it is right.
    fn verify(&self, frame: &[u8], before: Sum) -> Option<Sum> {
        let stored = pair(frame, 16);
        (pair(frame, 8) == self.salt && self.computed(frame, before) == stored).then_some(stored)
    }

    /// Whether a frame is of this log, by its salt.
    fn is_own(&self, frame: &[u8]) -> bool {
        pair(frame, 8).distance(self.salt) <= 1
    }

    /// Whether a change begins after the one that the first frame of `bytes` belongs to.
    fn has_later_change(&self, bytes: &[u8], before: Sum) -> bool {
        let frames: Vec<&[u8]> = bytes.chunks_exact(self.frame_bytes).collect();
        // A frame is whole if the checksum of the one before leads to it, as stored or as computed.
        let mut bases = vec![before];
        let mut ended = false;
        for frame in frames {
            let next = bases.iter().find_map(|&base| self.verify(frame, base));
            if next.is_some() && ended {
                return true;
            }
            let is_own = pair(frame, 8) == self.salt;
            ended |= is_own && pair(frame, 0).1 != 0;
            let mut computed: Vec<_> = bases.iter().map(|&base| self.computed(frame, base)).collect();
            computed.push(pair(frame, 16));
            bases = next.map_or(computed, |sum| vec![sum]);
            bases.truncate(4);
            if let Some(stored) = bases.last_mut().filter(|_| next.is_none()) {
                *stored = pair(frame, 16);
            }
        }
        false
    }

    /// Puts a frame right in which one bit is wrong.
    fn mend(&self, frame: &mut [u8], before: Sum) -> Flip {
        let (salt, stored) = (pair(frame, 8), pair(frame, 16));
        let computed = self.computed(frame, before);
        let put = |frame: &mut [u8], at: usize, wrong: Sum, right: Sum| {
            frame[at..at + 4].copy_from_slice(&right.0.to_be_bytes());
            frame[at + 4..at + 8].copy_from_slice(&right.1.to_be_bytes());
            let bits = [(wrong.0 ^ right.0).to_be_bytes(), (wrong.1 ^ right.1).to_be_bytes()].concat();
            let place = bits.iter().position(|&byte| byte != 0);
            place.map_or(Flip::None, |place| Flip::Mended(at + place))
        };
        if salt != self.salt {
            return match salt.distance(self.salt) == 1 && computed == stored {
                true => put(frame, 8, salt, self.salt),
                false => Flip::None,
            };
        }
        match (self.flipped(frame, computed, stored), computed.distance(stored) == 1) {
            (Candidates::None, false) => Flip::None,
            (Candidates::None, true) => put(frame, 16, stored, computed),
            (Candidates::One(at, bit), false) => {
                frame[at] ^= bit;
                Flip::Mended(at)
            }
            _ => Flip::Several,
        }
    }

    /// The bits among the checked bytes of a frame whose change makes the computed checksum the stored one.
    ///
    /// A checksum is linear: adding `d` to a word adds `d` times that word's two factors, which are found from the
    /// last word back to the first. The factors repeat in their last bits, so of the highest bits several would do.
    fn flipped(&self, frame: &[u8], computed: Sum, stored: Sum) -> Candidates {
        let missing = Sum(stored.0.wrapping_sub(computed.0), stored.1.wrapping_sub(computed.1));
        let places = (0..8)
            .step_by(4)
            .chain((FRAME_HEADER_BYTES..self.frame_bytes).step_by(4));
        let places: Vec<usize> = places.collect();
        // What an addition to either sum before the words seen so far adds to both sums in the end.
        let (mut of_first, mut of_second) = (Sum(1, 0), Sum(0, 1));
        let add = |a: Sum, b: Sum| Sum(a.0.wrapping_add(b.0), a.1.wrapping_add(b.1));
        let mut candidates = Candidates::None;
        for (index, &at) in places.iter().enumerate().rev() {
            let factor = match index % 2 {
                1 => of_second,
                _ => add(of_first, of_second),
            };
            let bytes = frame[at..].first_chunk().map_or([0; 4], |&bytes| bytes);
            let number = word(bytes, self.is_big);
            for bit in 0..32 {
                let change = match number >> bit & 1 {
                    1 => (1_u32 << bit).wrapping_neg(),
                    _ => 1 << bit,
                };
                if Sum(factor.0.wrapping_mul(change), factor.1.wrapping_mul(change)) == missing {
                    if candidates != Candidates::None {
                        return Candidates::Several;
                    }
                    let byte = if self.is_big { 3 - bit / 8 } else { bit / 8 };
                    candidates = Candidates::One(at + byte, 1 << (bit % 8));
                }
            }
            if index % 2 == 0 {
                let both = add(of_first, of_second);
                (of_first, of_second) = (both, add(both, of_second));
            }
        }
        candidates
    }
}

/// The bits that explain a wrong checksum: the place of a byte, and the bit in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Candidates {
    None,
    One(usize, u8),
    Several,
}

/// Whether one flipped bit explains a wrong frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flip {
    /// No single bit.
    None,
    /// One did; this is the place of its byte, which is right now.
    Mended(usize),
    /// One of several, and nothing tells which.
    Several,
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// The log of a database after `changes` changes, each with a commit.
    fn log_of(changes: usize) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let db = Connection::open(&file).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA page_size = 4096; CREATE TABLE t (a, b);")
            .unwrap();
        for number in 0..changes {
            db.execute("INSERT INTO t VALUES (?1, randomblob(3000))", [number])
                .unwrap();
        }
        fs::read(folder.path().join("a.db-wal")).unwrap()
    }

    fn found(bytes: &[u8]) -> (LogFile, Vec<u8>) {
        let mut bytes = bytes.to_vec();
        let found = walk(&mut bytes, &mut Vec::new());
        (found, bytes)
    }

    #[test]
    fn a_whole_log_is_whole_wherever_it_ends() {
        let log = log_of(12);
        let (whole, _) = found(&log);
        assert!(whole.frames > 12 && whole.damaged.is_none() && !whole.is_torn);
        let frame = 4096 + FRAME_HEADER_BYTES;
        for length in 0..log.len() {
            let (cut, same) = found(&log[..length]);
            assert_eq!((cut.damaged, cut.bits_mended), (None, 0), "{length}");
            assert_eq!(cut.frames, length.saturating_sub(HEADER_BYTES) / frame);
            assert_eq!(same, log[..length]);
        }
    }

    #[test]
    fn one_flipped_bit_is_put_right_or_told() {
        let log = log_of(3);
        let (mut tried, mut ambiguous) = (0, 0);
        for bit in (0..log.len() * 8).filter(|bit| bit % 61 == 0 || *bit < 500) {
            let mut damaged = log.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let (found, mended) = found(&damaged);
            tried += 1;
            if found.damaged.is_none() {
                assert_eq!((found.bits_mended, found.is_torn), (1, false), "bit {bit}");
                assert!(mended[8..] == log[8..], "bit {bit}");
            } else {
                ambiguous += 1;
            }
        }
        assert!(ambiguous * 3 < tried, "{ambiguous} of {tried}");
    }

    #[test]
    fn a_change_that_was_cut_short_is_no_damage_and_an_older_one_is() {
        let log = log_of(12);
        let frame = 4096 + FRAME_HEADER_BYTES;
        let frames = (log.len() - HEADER_BYTES) / frame;
        let spoil = |number: usize| {
            let mut spoilt = log.clone();
            // A sector that was never written.
            let at = HEADER_BYTES + number * frame + 1024;
            spoilt[at..at + 512].fill(0x5a);
            found(&spoilt).0
        };
        let last = spoil(frames - 1);
        assert!(last.is_torn && last.damaged.is_none());
        for number in 0..frames - 4 {
            assert_eq!(spoil(number).damaged, Some(number + 1));
        }
        let mut headless = log.clone();
        headless[3..20].fill(7);
        assert_eq!(found(&headless).0.damaged, Some(1));
    }
}
