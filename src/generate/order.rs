//! The order of the rows of polls: by time, by store, or shuffled.
//!
//! The last two use spools. Each poll goes to one of many temporary files, chosen by its sort key, and each file
//! is sorted in memory. Polls of one store and instant keep their order, so every order has the same
//! meaning.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

use super::random::{Purpose, Random};
use super::rows::Rows;
use super::store::Id;
use crate::uptime::interval::Micros;

/// How many polls are sorted at once, 24 bytes each, unless that takes more than [`SPOOLS_MAX`] spools.
const SPOOL_POLLS: u64 = 1 << 20;
/// The most spools; each is an open file.
const SPOOLS_MAX: u64 = 256;
const SPOOL_BUFFER_BYTES: usize = 1 << 14;

/// The order of the rows of polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Sweep after sweep, as a poller writes them; a few rows are late.
    #[default]
    Time,
    /// By store id as bytes, then by time, as a database exports them.
    Store,
    /// Random, drawn from the seed.
    Shuffled,
}

/// A spooled poll: its sort key, instant, store and whether it is active.
type Waiting = (u64, Micros, u32, bool);
const WAITING_BYTES: usize = 8 + 8 + 4 + 1;

/// Writes rows in the wanted order.
pub(super) struct Ordered<'a, W> {
    rows: Rows<'a, W>,
    keys: Keys,
    spools: Vec<BufWriter<File>>,
}

enum Keys {
    None,
    /// The rank of each store's id, spread over all 64-bit numbers.
    Place(Vec<u64>),
    /// A hash of this seed, the store and the instant.
    Drawn(u64),
}

impl<'a, W: Write> Ordered<'a, W> {
    /// An empty file, for up to `polls_max` rows of stores with these ids. Spools go to `dir`.
    pub(super) fn new<'id>(
        (order, seed): (Order, u64),
        ids: impl Iterator<Item = &'id Id>,
        polls_max: u64,
        dir: &Path,
        out: &'a mut W,
    ) -> io::Result<Self> {
        let (keys, spools) = match order {
            Order::Time => (Keys::None, 0),
            Order::Store => (Keys::Place(places(ids)), polls_max / SPOOL_POLLS + 1),
            Order::Shuffled => (Keys::Drawn(seed), polls_max / SPOOL_POLLS + 1),
        };
        let spool = |_| {
            let file = tempfile::tempfile_in(dir)?;
            Ok(BufWriter::with_capacity(SPOOL_BUFFER_BYTES, file))
        };
        let spools = (0..spools.min(SPOOLS_MAX)).map(spool);
        Ok(Self {
            rows: Rows::new(out),
            keys,
            spools: spools.collect::<io::Result<_>>()?,
        })
    }

    /// Adds one poll of store number `store`.
    pub(super) fn write(&mut self, store: u32, id: &Id, at: Micros, active: bool) -> io::Result<()> {
        let key = match &self.keys {
            Keys::None => return self.rows.write(id, at, active),
            Keys::Place(places) => places[store as usize],
            Keys::Drawn(seed) => {
                let mut of_store = Random::stream(*seed, Purpose::Shuffle, u64::from(store));
                Random::stream(of_store.next(), Purpose::Shuffle, at.cast_unsigned()).next()
            }
        };
        let spool = ((key >> 32) * self.spools.len() as u64) >> 32;
        let out = &mut self.spools[usize::try_from(spool).unwrap_or(0)];
        out.write_all(&key.to_le_bytes())?;
        out.write_all(&at.to_le_bytes())?;
        out.write_all(&store.to_le_bytes())?;
        out.write_all(&[u8::from(active)])
    }

    /// Writes the spooled rows, and returns the count of all rows.
    pub(super) fn finish<'id>(mut self, id: impl Fn(u32) -> &'id Id) -> io::Result<u64> {
        for spool in self.spools {
            let mut polls = read(spool)?;
            polls.sort_by_key(|&(key, at, ..)| (key, at));
            for (_, at, store, active) in polls {
                self.rows.write(id(store), at, active)?;
            }
        }
        Ok(self.rows.count)
    }
}

fn places<'id>(ids: impl Iterator<Item = &'id Id>) -> Vec<u64> {
    let mut sorted: Vec<(&[u8], usize)> = ids.map(Id::as_bytes).zip(0..).collect();
    sorted.sort_unstable();
    let apart = u64::MAX / (sorted.len() as u64 + 1);
    let mut places = vec![0; sorted.len()];
    for (place, (_, store)) in (0..).zip(sorted) {
        places[store] = place * apart;
    }
    places
}

fn read(spool: BufWriter<File>) -> io::Result<Vec<Waiting>> {
    let mut file = spool.into_inner()?;
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (records, _) = bytes.as_chunks::<WAITING_BYTES>();
    let poll = |record: &[u8; WAITING_BYTES]| {
        let [
            k0,
            k1,
            k2,
            k3,
            k4,
            k5,
            k6,
            k7,
            a0,
            a1,
            a2,
            a3,
            a4,
            a5,
            a6,
            a7,
            s0,
            s1,
            s2,
            s3,
            active,
        ] = *record;
        let key = u64::from_le_bytes([k0, k1, k2, k3, k4, k5, k6, k7]);
        let at = Micros::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
        (key, at, u32::from_le_bytes([s0, s1, s2, s3]), active != 0)
    };
    Ok(records.iter().map(poll).collect())
}
