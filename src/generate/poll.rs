//! The polls of synthetic stores: hourly sweeps, incidents, and the faults of real sources.
//!
//! Memory holds a few bytes a store: polls are written at once.

use std::io::{self, Write};
use std::path::Path;
use std::vec::IntoIter;

use super::order::{Order, Ordered};
use super::random::{Purpose, Random};
use super::store::Id;
use crate::uptime::interval::{DAY, HOUR, MINUTE, Micros, SECOND};

/// Most polls land in the first minutes of their hour, and the earlier the likelier.
const SWEEP_MICROS: u32 = 13 * 60 * 1_000_000;
const HOUR_MICROS: u32 = 3_600_000_000;
/// How many polls in a thousand land anywhere in the hour.
const STRAGGLERS_PER_MILLE: u32 = 80;

/// A late row is written one to this many sweeps after its own sweep.
const LATE_SWEEPS_MAX: u32 = 5;
/// The ring of late rows: a place for each later sweep, and one for the current sweep.
const LATE_RING: usize = LATE_SWEEPS_MAX as usize + 1;

/// How many stores are swept together, so that their state fits into a processor's cache.
const BLOCK_STORES: u32 = 2048;

/// The poller fails once in this many hours, but never in the last day of them.
const OUTAGE_EVERY_HOURS: u32 = 96;
const OUTAGE_HOURS: std::ops::Range<u32> = 5..13;

/// The fate of a store's poll in one sweep, in ten-thousandths.
const FATES: [(u32, Fate); 6] = [
    (9095, Fate::Once),
    (450, Fate::Missing),
    (400, Fate::Twice),
    (40, Fate::Late),
    (10, Fate::Duplicate),
    (5, Fate::Contradicted),
];

#[derive(Clone, Copy)]
enum Fate {
    Once,
    Missing,
    /// Two polls in one hour.
    Twice,
    /// Its row is written in a later sweep.
    Late,
    /// The same row again.
    Duplicate,
    /// Also the other status at the same instant; the last write wins.
    Contradicted,
}

/// A store and its incidents, which come from a stream of its own.
pub(super) struct Polled {
    id: Id,
    random: Random,
    incident: (Micros, Micros),
    /// The mean time between incidents, in minutes; zero for a store that is never active.
    calm_minutes: u32,
}

impl Polled {
    /// Store number `index`, with its first incident some time after `start`.
    pub(super) fn new(seed: u64, index: u32, id: Id, start: Micros) -> Self {
        const DAY_MINUTES: u32 = 24 * 60;
        let mut random = Random::stream(seed, Purpose::Incidents, u64::from(index));
        let calm_minutes = *random.weighted(&[
            (70, 45 * DAY_MINUTES),
            (24, 6 * DAY_MINUTES),
            (5, DAY_MINUTES / 2),
            (1, 0),
        ]);
        let mut store = Self {
            id,
            random,
            incident: (start, start),
            calm_minutes,
        };
        store.next_incident();
        store
    }

    /// Moves to the next incident: 15 minutes to 16 hours, short ones likelier, after a time of calm.
    fn next_incident(&mut self) {
        let calm = 1 + self.random.below(2 * self.calm_minutes);
        let longest = 1 + self.random.below(16 * 60);
        let length = 15 + self.random.below(longest);
        let start = self.incident.1 + Micros::from(calm) * MINUTE;
        self.incident = (start, start + Micros::from(length) * MINUTE);
    }

    /// Whether the store is active at `at`; calls must go forward in time.
    fn is_active(&mut self, at: Micros) -> bool {
        if self.calm_minutes == 0 {
            return false;
        }
        while self.incident.1 <= at {
            self.next_incident();
        }
        at < self.incident.0
    }
}

/// A poll that is written in a later sweep.
struct Late {
    store: u32,
    at: Micros,
    active: bool,
}

/// Writes all polls of `stores` in `[start, start + hours)`, and calls `sweep_done` after each hour.
/// Spools for sorting go to `dir`. Returns the number of rows.
pub(super) fn write(
    (order, seed): (Order, u64),
    stores: &mut [Polled],
    (start, hours): (Micros, u32),
    (dir, out): (&Path, &mut impl Write),
    sweep_done: &mut dyn FnMut(),
) -> io::Result<u64> {
    let polls_max = stores.len() as u64 * u64::from(hours);
    let ids = stores.iter().map(|store| &store.id);
    let rows = Ordered::new((order, seed), ids, polls_max, dir, out)?;
    let mut poller = Poller {
        stores,
        rows,
        late: Default::default(),
    };
    let down = outages(seed, hours);
    for (sweep, down) in (0..hours).zip(down) {
        let mut due = poller.late_rows_due(sweep);
        if !down {
            let at = start + Micros::from(sweep) * HOUR;
            let random = Random::stream(seed, Purpose::Sweep, u64::from(sweep));
            poller.sweep((sweep, at), random, &mut due)?;
        }
        due.try_for_each(|late| poller.write_late(&late))?;
        sweep_done();
    }
    for sweep in hours..hours.saturating_add(LATE_SWEEPS_MAX) {
        let mut due = poller.late_rows_due(sweep);
        due.try_for_each(|late| poller.write_late(&late))?;
    }
    let stores = &*poller.stores;
    poller.rows.finish(|store| &stores[store as usize].id)
}

/// The poller: its stores and its file.
struct Poller<'a, W> {
    stores: &'a mut [Polled],
    rows: Ordered<'a, W>,
    late: [Vec<Late>; LATE_RING],
}

impl<W: Write> Poller<'_, W> {
    /// About one poll of each store, in an order of this sweep's own: blocks in random order, and stores in random
    /// order within each block. The rows of `due` are mixed in.
    fn sweep(&mut self, sweep: (u32, Micros), mut random: Random, due: &mut IntoIter<Late>) -> io::Result<()> {
        let count = u32::try_from(self.stores.len()).unwrap_or(u32::MAX);
        let due_every = self.stores.len() / (due.len() + 1) + 1;
        let mut visited = 0;
        for block in Walk::new(&mut random, count.div_ceil(BLOCK_STORES)) {
            let first = block * BLOCK_STORES;
            for store in Walk::new(&mut random, BLOCK_STORES.min(count - first)) {
                self.poll(first + store, sweep, &mut random)?;
                visited += 1;
                if visited % due_every == 0
                    && let Some(late) = due.next()
                {
                    self.write_late(&late)?;
                }
            }
        }
        Ok(())
    }

    /// Writes one store's rows in one sweep.
    fn poll(&mut self, store: u32, (sweep, hour): (u32, Micros), random: &mut Random) -> io::Result<()> {
        let polled = &mut self.stores[store as usize];
        let fate = *random.weighted(&FATES);
        let at = hour + jitter(random);
        match fate {
            Fate::Missing => Ok(()),
            Fate::Once => {
                let active = polled.is_active(at);
                self.rows.write(store, &polled.id, at, active)
            }
            Fate::Twice => {
                let other = hour + jitter(random);
                for at in [at.min(other), at.max(other)] {
                    let active = polled.is_active(at);
                    self.rows.write(store, &polled.id, at, active)?;
                }
                Ok(())
            }
            Fate::Late => {
                let active = polled.is_active(at);
                let written = sweep + 1 + random.below(LATE_SWEEPS_MAX);
                let late = Late { store, at, active };
                self.late[written as usize % LATE_RING].push(late);
                Ok(())
            }
            Fate::Duplicate | Fate::Contradicted => {
                let active = polled.is_active(at);
                self.rows.write(store, &polled.id, at, active)?;
                let again = active ^ matches!(fate, Fate::Contradicted);
                self.rows.write(store, &polled.id, at, again)
            }
        }
    }

    /// Takes the late rows that are due in `sweep`.
    fn late_rows_due(&mut self, sweep: u32) -> IntoIter<Late> {
        std::mem::take(&mut self.late[sweep as usize % LATE_RING]).into_iter()
    }

    fn write_late(&mut self, late: &Late) -> io::Result<()> {
        let id = &self.stores[late.store as usize].id;
        self.rows.write(late.store, id, late.at, late.active)
    }
}

/// Visits each number below `count` once, in the order of a random stride.
struct Walk {
    next: u32,
    stride: u32,
    count: u32,
    left: u32,
}

impl Walk {
    /// A stride that shares no factor with `count` reaches every number.
    fn new(random: &mut Random, count: u32) -> Self {
        let next = random.below(count);
        let mut stride = 1;
        if count > 2 {
            stride = 1 + random.below(count - 1);
            while gcd(stride, count) != 1 {
                stride = 1 + random.below(count - 1);
            }
        }
        Self {
            next,
            stride,
            count,
            left: count,
        }
    }
}

impl Iterator for Walk {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let this = self.next;
        // The sum modulo `count`, without overflow.
        let ahead = self.count - this;
        self.next = if self.stride < ahead {
            this + self.stride
        } else {
            self.stride - ahead
        };
        Some(this)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How long after the hour a poll lands. Microseconds are random to the last digit, but one poll in four
/// thousand lands on a full second.
fn jitter(random: &mut Random) -> Micros {
    let micros = if random.chance(STRAGGLERS_PER_MILLE) {
        random.below(HOUR_MICROS)
    } else {
        random.below(SWEEP_MICROS).min(random.below(SWEEP_MICROS))
    };
    let micros = Micros::from(micros);
    if random.below(4000) == 0 {
        micros - micros % SECOND
    } else {
        micros
    }
}

/// For each hour, whether the poller was down. Counted back from the last hour, so that the end has no outage.
fn outages(seed: u64, hours: u32) -> Vec<bool> {
    let mut down = vec![false; hours as usize];
    for block in 0..=hours / OUTAGE_EVERY_HOURS {
        let mut random = Random::stream(seed, Purpose::Outages, u64::from(block));
        let length = OUTAGE_HOURS.start + random.below(OUTAGE_HOURS.end - OUTAGE_HOURS.start);
        let before_end = block * OUTAGE_EVERY_HOURS + 24 + random.below(OUTAGE_EVERY_HOURS - 24 - length);
        for back in before_end..before_end + length {
            if let Some(hour) = hours.checked_sub(back + 1) {
                down[hour as usize] = true;
            }
        }
    }
    down
}

/// The number of sweeps in `days`.
pub(super) fn sweeps(days: u32) -> u32 {
    let a_day = u32::try_from(DAY / HOUR).unwrap_or(24);
    days.saturating_mul(a_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_visits_every_store_once() {
        let mut random = Random::stream(3, Purpose::Sweep, 0);
        for count in [0, 1, 2, 7, 60, 1000] {
            let mut seen = vec![false; count as usize];
            for store in Walk::new(&mut random, count) {
                assert!(!std::mem::replace(&mut seen[store as usize], true));
            }
            assert!(seen.iter().all(|seen| *seen));
        }
        let huge = Walk {
            next: u32::MAX - 2,
            stride: u32::MAX - 1,
            count: u32::MAX,
            left: 2,
        };
        assert!(huge.eq([u32::MAX - 2, u32::MAX - 3]));
    }

    #[test]
    fn the_poller_fails_for_hours_but_never_in_the_last_day() {
        for seed in 0..50 {
            let down = outages(seed, 192);
            assert!(down[168..].iter().all(|down| !down));
            let hours = down.iter().filter(|down| **down).count();
            assert!((10..=24).contains(&hours), "{hours}");
        }
    }

    #[test]
    fn a_store_in_an_incident_is_inactive_and_then_recovers() {
        let mut store = Polled::new(1, 0, Id::new(1, 0, false), 0);
        store.calm_minutes = 60;
        let (from, to) = store.incident;
        assert!(store.is_active(from - 1));
        assert!(!store.is_active(from) && !store.is_active(to - 1));
        assert!(store.is_active(to));
    }
}
