//! Packed hours: the polls of one hour in one value, which is read some ten times as fast as its rows.
//!
//! They are derived: the rows of `poll` are the truth, and whatever changes a row of an hour forgets the
//! packed hour in the same transaction. Where there is none, rows are read; nothing but time depends on
//! it, and `check` compares the two. Only hours that reports of the newest day reach are kept.
//!
//! An hour is packed as its polls are added, where they come in order and find none of it there
//! ([`polls::add`]), else from its rows, once newer polls have come in ([`pack_all`]).
//!
//! # The format
//! Polls lie in groups, one for each status of each block of 256 store keys: as a report's memory is laid
//! out by block, a group is read straight into its place, by whichever thread has that block. First how
//! many groups there are; then for each its number (the block, doubled, plus one when active) and where
//! its polls end, counted from the first group's first; then the groups: for each poll its store's place
//! in the block, a byte; for each the microseconds since the hour began. Numbers take four bytes, the
//! lowest first. That is five bytes a poll, for any number of stores, where a row takes some twenty.

use rusqlite::{Connection, OptionalExtension};

use super::{Changed, Changes, landing, polls};
use crate::error::{Error, Result};
use crate::uptime::fleet::StoreKey;
use crate::uptime::gather::{ByBlock, Group};
use crate::uptime::history::BLOCK_STORES;
use crate::uptime::interval::{HOUR, Interval, Micros};
use crate::uptime::poll::Poll;
use crate::uptime::timeline::REACH;

/// How few polls are left as rows: reading those costs some microseconds.
const PACKED_POLLS_MIN: usize = 32;

/// How many hours are kept, counted back from the newest: a report's reach, and a quarter of a day in
/// which its reader may lag behind.
const KEPT_HOURS: i64 = REACH / HOUR + 6;

/// The hour of an instant, counted from 1970.
fn hour_of(at: Micros) -> i64 {
    at.div_euclid(HOUR)
}

/// The stretch of time that an hour is.
fn span_of(hour: i64) -> Interval {
    Interval::new(hour * HOUR, (hour + 1) * HOUR)
}

/// Packs polls as they are added, by [`polls::add`]: each chunk is shown before and after it is written.
pub(super) struct Packing<'db> {
    db: &'db Connection,
    /// Hours before this are too old to be kept.
    oldest: i64,
    /// The hour of the polls seen last.
    hour: Option<i64>,
    /// The packed polls of that hour; none where they are not all there are of it.
    packer: Option<Packer>,
    /// Hours that had polls before, among those that the next chunk touches.
    touched: Vec<i64>,
    /// Whether all polls so far came in order.
    in_order: bool,
}

impl<'db> Packing<'db> {
    pub(super) fn new(db: &'db Connection) -> Result<Self> {
        let newest = polls::newest(db)?;
        Ok(Self {
            db,
            oldest: newest.map_or(i64::MIN, |newest| hour_of(newest) - KEPT_HOURS),
            hour: None,
            packer: None,
            touched: Vec::new(),
            // What has landed is not among the rows yet: then nothing is packed.
            in_order: !landing::has_landed(db)?,
        })
    }

    /// To be called before the chunk is written.
    pub(super) fn before(&mut self, chunk: &[(StoreKey, Poll)]) -> Result<()> {
        for &(store, poll) in chunk {
            let hour = hour_of(poll.at());
            if self.hour != Some(hour) {
                self.keep()?;
                self.in_order &= self.hour.is_none_or(|before| before < hour);
                self.hour = Some(hour);
                if !self.in_order || has_polls(self.db, hour)? {
                    self.touched.push(hour);
                } else if hour >= self.oldest {
                    self.packer = Some(Packer::new(hour));
                }
            }
            if let Some(packer) = &mut self.packer {
                packer.add(store, poll);
            }
        }
        Ok(())
    }

    /// To be called after the chunk was written.
    pub(super) fn after(&mut self, changed: Changed) -> Result<()> {
        if changed.new + changed.replaced > 0 {
            for &hour in &self.touched {
                forget(self.db, span_of(hour))?;
            }
        }
        let last = self.hour;
        self.touched.retain(|&hour| Some(hour) == last);
        Ok(())
    }

    /// To be called after the last chunk.
    pub(super) fn finish(mut self) -> Result<()> {
        self.keep()
    }

    /// Keeps the hour that has come to its end, if it is packed and worth it.
    fn keep(&mut self) -> Result<()> {
        match self.packer.take() {
            Some(packer) => packer.keep(self.db),
            None => Ok(()),
        }
    }
}

/// One hour's polls while they are packed.
struct Packer {
    hour: i64,
    /// In order of time, or nearly.
    polls: Vec<(StoreKey, Poll)>,
}

impl Packer {
    fn new(hour: i64) -> Self {
        let polls = Vec::new();
        Self { hour, polls }
    }

    /// Adds a poll of the hour.
    fn add(&mut self, store: StoreKey, poll: Poll) {
        self.polls.push((store, poll));
    }

    fn keep(self, db: &Connection) -> Result<()> {
        if self.polls.len() < PACKED_POLLS_MIN {
            return Ok(());
        }
        let packed = pack(span_of(self.hour).start, &self.polls);
        db.prepare_cached("INSERT OR REPLACE INTO packed_hour (hour, polls) VALUES (?1, ?2)")?
            .execute((self.hour, packed))?;
        db.prepare_cached("DELETE FROM packed_hour WHERE hour < ?1")?
            .execute([self.hour - KEPT_HOURS])?;
        Ok(())
    }
}

/// How many store keys share a block.
const BLOCK_KEYS: StoreKey = 256;

const _: () = assert!(
    BLOCK_KEYS as usize == BLOCK_STORES,
    "what is stored by block is read by block"
);

/// The number of a poll's group.
fn group_of(store: StoreKey, poll: Poll) -> u32 {
    store / BLOCK_KEYS * 2 + u32::from(poll.is_active())
}

/// The polls of the hour that begins at `start`, as they are stored.
fn pack(start: Micros, polls: &[(StoreKey, Poll)]) -> Vec<u8> {
    let mut polls: Vec<_> = polls
        .iter()
        .map(|&(store, poll)| (group_of(store, poll), store, poll))
        .collect();
    // Stable: each group stays in order of time.
    polls.sort_by_key(|&(group, ..)| group);
    let groups = || polls.chunk_by(|(a, ..), (b, ..)| a == b);
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut packed = Vec::from(number(groups().count()));
    let mut end = 0;
    for group in groups() {
        end += group.len();
        packed.extend_from_slice(&group[0].0.to_le_bytes());
        packed.extend_from_slice(&number(end));
    }
    for group in groups() {
        packed.extend(group.iter().map(|&(_, store, _)| store.to_le_bytes()[0]));
        for (_, _, poll) in group {
            // An hour has fewer than 2³² microseconds.
            let since = u32::try_from(poll.at() - start).unwrap_or(u32::MAX);
            packed.extend_from_slice(&since.to_le_bytes());
        }
    }
    packed
}

/// The packed hours within a span, end to end as they are stored.
#[derive(Debug)]
pub struct PackedHours {
    span: Interval,
    bytes: Vec<u8>,
    hours: Vec<PackedHour>,
}

/// Where one of them lies.
#[derive(Clone, Copy, Debug)]
struct PackedHour {
    hour: i64,
    /// Where its groups are listed, and where their polls begin.
    listed: usize,
    polls: usize,
}

/// One entry of the list of groups: its number, and where its polls end.
type Listed = [u8; 8];

fn listed(entry: &Listed) -> (u32, usize) {
    let [a, b, c, d, end @ ..] = *entry;
    (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes(end) as usize,
    )
}

/// How many bytes a poll takes.
const POLL_BYTES: usize = 5;

impl PackedHours {
    fn with_capacity(span: Interval, bytes: usize) -> Self {
        Self {
            span,
            bytes: Vec::with_capacity(bytes),
            hours: Vec::new(),
        }
    }

    /// Adds an hour; false if its bytes cannot be one.
    fn add(&mut self, hour: i64, packed: &[u8]) -> bool {
        let Some((groups, rest)) = packed.split_first_chunk() else {
            return false;
        };
        let (list, _) = rest.as_chunks::<8>();
        let Some(list) = list.get(..u32::from_le_bytes(*groups) as usize) else {
            return false;
        };
        let entries = || list.iter().map(listed);
        let polls = entries().next_back().map_or(0, |(_, end)| end);
        let whole = polls.checked_mul(POLL_BYTES) == Some(rest.len() - list.as_flattened().len());
        if !whole || !entries().is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) {
            return false;
        }
        let listed = self.bytes.len() + groups.len();
        let polls = listed + list.as_flattened().len();
        self.bytes.extend_from_slice(packed);
        self.hours.push(PackedHour {
            hour,
            listed,
            polls,
        });
        true
    }

    fn list(&self, hour: PackedHour) -> &[Listed] {
        self.bytes[hour.listed..hour.polls].as_chunks().0
    }

    /// The group at `index` of an hour's list.
    fn group(&self, hour: PackedHour, index: usize) -> Group<'_> {
        let list = self.list(hour);
        let (number, end) = listed(&list[index]);
        let first = index
            .checked_sub(1)
            .map_or(0, |before| listed(&list[before]).1);
        let polls = &self.bytes[hour.polls..][first * POLL_BYTES..end * POLL_BYTES];
        let (slots, since) = polls.split_at(end - first);
        let whole = span_of(hour.hour);
        Group {
            slots,
            since: since.as_chunks().0,
            start: whole.start,
            status: polls::status(number % 2 == 1),
            within: (whole.intersection(self.span) != whole).then_some(self.span),
        }
    }

    /// Calls `each` with all polls and their stores.
    fn each(&self, mut each: impl FnMut(StoreKey, Poll)) {
        for &hour in &self.hours {
            for (index, entry) in self.list(hour).iter().enumerate() {
                let first = listed(entry).0 / 2 * BLOCK_KEYS;
                self.group(hour, index)
                    .each(|slot, poll| each(first + StoreKey::from(slot), poll));
            }
        }
    }
}

impl ByBlock for PackedHours {
    fn blocks(&self) -> usize {
        let last = |&hour: &PackedHour| self.list(hour).last().map(listed);
        let last = self.hours.iter().filter_map(last).map(|(group, _)| group);
        last.max().map_or(0, |group| group as usize / 2 + 1)
    }

    fn groups(&self, block: usize) -> impl Iterator<Item = Group<'_>> {
        self.hours.iter().flat_map(move |&hour| {
            let list = self.list(hour);
            let from = list.partition_point(|entry| (listed(entry).0 as usize) < block * 2);
            let own = |entry: &&Listed| listed(entry).0 as usize / 2 == block;
            let count = list[from..].iter().take_while(own).count();
            (from..from + count).map(move |index| self.group(hour, index))
        })
    }
}

fn damaged(hour: i64) -> Error {
    Error::failed(format!(
        "the packed hour {hour} of the database is damaged (`DELETE FROM packed_hour` in the sqlite3 shell mends it: rows are read then)"
    ))
}

/// The packed hours within `span`; `rows` is told each stretch of it that must be read from the rows.
///
/// # Errors
/// When the database cannot be read or a packed hour is damaged, and those of `rows`.
pub(super) fn read(
    view: &Connection,
    span: Interval,
    mut rows: impl FnMut(Interval) -> Result<()>,
) -> Result<PackedHours> {
    let range = [hour_of(span.start), hour_of(span.end)];
    let mut packed = PackedHours::with_capacity(span, 0);
    let mut from = span.start;
    // What has landed is not in the packed hours.
    if !landing::has_landed(view)? {
        // In one piece of memory, which goes back to the system as a whole.
        let mut bytes = view.prepare_cached(
            "SELECT coalesce(sum(length(polls)), 0) FROM packed_hour WHERE hour BETWEEN ?1 AND ?2",
        )?;
        packed = PackedHours::with_capacity(span, bytes.query_row(range, |row| row.get(0))?);
        let mut select = view.prepare_cached(
            "SELECT hour, polls FROM packed_hour WHERE hour BETWEEN ?1 AND ?2 ORDER BY hour",
        )?;
        let mut hours = select.query(range)?;
        while let Some(row) = hours.next()? {
            let hour = row.get(0)?;
            let inside = span_of(hour).intersection(span);
            if inside.is_empty() {
                continue;
            }
            if from < inside.start {
                rows(Interval::new(from, inside.start))?;
            }
            let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            if !packed.add(hour, bytes) {
                return Err(damaged(hour));
            }
            from = inside.end;
        }
    }
    if from < span.end {
        rows(Interval::new(from, span.end))?;
    }
    Ok(packed)
}

/// Forgets the packed hours that `span` touches: their polls are about to change.
///
/// # Errors
/// When the database cannot be written.
pub fn forget(db: &Connection, span: Interval) -> Result<()> {
    db.prepare_cached("DELETE FROM packed_hour WHERE hour BETWEEN ?1 AND ?2")?
        .execute([hour_of(span.start), hour_of(span.end - 1)])?;
    Ok(())
}

/// Packs every hour that could be packed and is not, each in a transaction of its own.
///
/// # Errors
/// When the database cannot be written.
pub fn pack_all(changes: &mut impl Changes) -> Result<()> {
    let mut from = i64::MIN;
    while let Some(hour) = changes.change(move |db| pack_next(db, from))? {
        from = hour + 1;
    }
    Ok(())
}

/// Packs the oldest hour from `from` on that could be packed and is not: newer polls have come in, so
/// that its own are all there, as far as anybody can tell. Returns which one it was.
fn pack_next(db: &Connection, from: i64) -> Result<Option<i64>> {
    if landing::has_landed(db)? {
        return Ok(None);
    }
    let Some(newest) = polls::newest(db)?.map(hour_of) else {
        return Ok(None);
    };
    let mut packed = db.prepare_cached("SELECT 1 FROM packed_hour WHERE hour = ?1")?;
    let mut enough =
        db.prepare_cached("SELECT 1 FROM poll WHERE at >= ?1 AND at < ?2 LIMIT 1 OFFSET ?3")?;
    for hour in from.max(newest - KEPT_HOURS)..newest {
        let Interval { start, end } = span_of(hour);
        if !packed.exists([hour])? && enough.exists((start, end, PACKED_POLLS_MIN - 1))? {
            let mut packer = Packer::new(hour);
            each_row(db, span_of(hour), |store, poll| packer.add(store, poll))?;
            packer.keep(db)?;
            return Ok(Some(hour));
        }
    }
    Ok(None)
}

fn each_row(db: &Connection, span: Interval, mut each: impl FnMut(StoreKey, Poll)) -> Result<()> {
    let mut select = db.prepare_cached(
        "SELECT at, store, active FROM poll WHERE at >= ?1 AND at < ?2 ORDER BY at, store",
    )?;
    let mut rows = select.query([span.start, span.end])?;
    while let Some(row) = rows.next()? {
        each(
            row.get(1)?,
            Poll::new(row.get(0)?, polls::status(row.get(2)?)),
        );
    }
    Ok(())
}

fn has_polls(db: &Connection, hour: i64) -> Result<bool> {
    let Interval { start, end } = span_of(hour);
    let mut select = db.prepare_cached("SELECT 1 FROM poll WHERE at >= ?1 AND at < ?2 LIMIT 1")?;
    Ok(select
        .query_row([start, end], |_| Ok(()))
        .optional()?
        .is_some())
}

/// The hours whose packed polls are not those of their rows.
///
/// # Errors
/// When the database cannot be read.
pub fn wrong(db: &Connection) -> Result<Vec<i64>> {
    let mut select = db.prepare("SELECT hour, polls FROM packed_hour ORDER BY hour")?;
    let mut hours = select.query([])?;
    let mut wrong = Vec::new();
    while let Some(row) = hours.next()? {
        let hour = row.get(0)?;
        let (mut packed, mut rows) = (Vec::new(), Vec::new());
        let mut hour_alone = PackedHours::with_capacity(span_of(hour), 0);
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let whole = hour_alone.add(hour, bytes);
        hour_alone.each(|store, poll| packed.push((store, poll)));
        each_row(db, span_of(hour), |store, poll| rows.push((store, poll)))?;
        // Of those at one instant any may be first.
        packed.sort_unstable_by_key(|&(store, poll): &(StoreKey, Poll)| (poll.at(), store));
        if !whole || packed != rows {
            wrong.push(hour);
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::poll::Status;

    const HOUR_PACKED: i64 = 494_000;

    /// Polls of an hour, of stores in several blocks.
    fn polls_of_an_hour() -> Vec<(StoreKey, Poll)> {
        let start = span_of(HOUR_PACKED).start;
        let poll = |number: i64| {
            let store = StoreKey::try_from(number * 7919 % 3000).unwrap();
            let status = [Status::Active, Status::Active, Status::Inactive];
            let status = status[usize::try_from(number % 3).unwrap()];
            (store, Poll::new(start + number * 3_599_999, status))
        };
        let mut polls: Vec<_> = (0..1000).map(poll).collect();
        polls.push((StoreKey::MAX, Poll::new(start + HOUR - 1, Status::Active)));
        polls
    }

    fn sorted(mut polls: Vec<(StoreKey, Poll)>) -> Vec<(StoreKey, Poll)> {
        polls.sort_unstable();
        polls
    }

    #[test]
    fn a_packed_hour_is_its_polls_and_a_part_of_it_those_within() {
        let polls = polls_of_an_hour();
        let whole = span_of(HOUR_PACKED);
        let bytes = pack(whole.start, &polls);
        for span in [
            whole,
            Interval::new(whole.start + HOUR / 3, whole.end + HOUR),
            Interval::new(whole.start - HOUR, whole.end - HOUR / 3),
        ] {
            let mut hours = PackedHours::with_capacity(span, 0);
            assert!(hours.add(HOUR_PACKED, &bytes));
            let mut read = Vec::new();
            hours.each(|store, poll| read.push((store, poll)));
            let within = polls.iter().filter(|(_, poll)| span.contains(poll.at()));
            assert_eq!(sorted(read), sorted(within.copied().collect()));
            let mut by_block = 0;
            for block in [0, 1, 5, 11, StoreKey::MAX as usize / BLOCK_STORES] {
                for group in hours.groups(block) {
                    group.each(|_, _| by_block += 1);
                }
            }
            let in_these =
                |store: StoreKey| [0, 1, 5, 11, StoreKey::MAX / 256].contains(&(store / 256));
            let within = polls.iter().filter(|(_, poll)| span.contains(poll.at()));
            assert_eq!(
                by_block,
                within.filter(|(store, _)| in_these(*store)).count()
            );
        }
    }

    #[test]
    fn bytes_that_are_no_hour_are_refused() {
        let bytes = pack(span_of(HOUR_PACKED).start, &polls_of_an_hour());
        let taken = |bytes: &[u8]| {
            PackedHours::with_capacity(span_of(HOUR_PACKED), 0).add(HOUR_PACKED, bytes)
        };
        assert!(taken(&bytes));
        assert!((0..bytes.len()).all(|length| !taken(&bytes[..length])));
        for place in 0..4 + 8 * 10 {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x80;
            // Whatever is taken can be read.
            let mut hours = PackedHours::with_capacity(span_of(HOUR_PACKED), 0);
            if hours.add(HOUR_PACKED, &bytes) {
                hours.each(|_, _| {});
            }
        }
    }
}
