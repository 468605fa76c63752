//! Packed hours: the polls of one hour in one value, which is read about ten times as fast as its rows.
//!
//! They are derived data. The rows of `poll` are the truth: changing a row deletes its packed hour in the same
//! transaction. If an hour is not packed, its rows are read: slower, with the same result. `check` compares the
//! two. Hours of any age are kept, so that a year reads as fast as the newest week.
//!
//! An hour is packed while its polls are added, if they come in order and it had none (`Packing`). Otherwise it
//! is packed from its rows, once newer polls have come in: by a server from time to time, and after an import
//! ([`pack_all`]). So a poll that comes late costs no packing of its own.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::blob::Blob;
use rusqlite::{Connection, OptionalExtension};

use super::digest::{HourDigests, hour_of};
use super::packed_bytes::{ALL_BLOCKS, PackedHours, list_bytes, pack, span_of, weigh};
use super::{Changed, poll_table, write};
use crate::civil;
use crate::error::{ErrorKind, Result};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Interval;
use crate::uptime::poll::Poll;

/// An hour with fewer polls is not packed: its rows are read in some microseconds.
const PACKED_POLLS_MIN: usize = 32;

/// How many polls one transaction of [`pack_all`] packs, or those of one hour: other writers get a turn.
const TURN_POLLS: u64 = 1 << 17;

/// How long an import may pack hours that were there before: one that touches every hour of a year leaves the oldest
/// of them to a server, or to the next import.
pub const AFTER_IMPORT: Duration = Duration::from_secs(2);

/// Packs polls while they are added; the caller reports each chunk before and after it is written.
pub(super) struct Packing<'db> {
    db: &'db Connection,
    /// The hour of the latest polls.
    hour: Option<i64>,
    /// That hour's polls so far; none if it is not to be packed.
    polls: Option<Vec<(StoreKey, Poll)>>,
    /// The hours of the next chunk that had polls before.
    touched: Vec<i64>,
    /// Whether all polls so far were in order.
    in_order: bool,
}

impl<'db> Packing<'db> {
    pub(super) fn new(db: &'db Connection) -> Self {
        Self {
            db,
            hour: None,
            polls: None,
            touched: Vec::new(),
            in_order: true,
        }
    }

    /// To be called before a chunk is written. Returns whether all of its hours were empty.
    pub(super) fn before(&mut self, chunk: &[(StoreKey, Poll)]) -> Result<bool> {
        for &(store, poll) in chunk {
            let hour = hour_of(poll.at());
            if self.hour != Some(hour) {
                self.keep()?;
                self.in_order &= self.hour.is_none_or(|before| before < hour);
                self.hour = Some(hour);
                if !self.in_order || poll_table::first(self.db, span_of(hour))?.is_some() {
                    self.touched.push(hour);
                } else {
                    self.polls = Some(Vec::new());
                }
            }
            if let Some(polls) = &mut self.polls {
                polls.push((store, poll));
            }
        }
        Ok(self.touched.is_empty())
    }

    /// To be called after a chunk was written.
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

    /// Stores the finished hour, if it is to be packed and large enough.
    fn keep(&mut self) -> Result<()> {
        match (self.hour, self.polls.take()) {
            (Some(hour), Some(polls)) => keep(self.db, hour, &polls),
            _ => Ok(()),
        }
    }
}

/// Stores an hour in packed form, if it is large enough. Its polls are in order of time, or nearly.
fn keep(db: &Connection, hour: i64, polls: &[(StoreKey, Poll)]) -> Result<()> {
    if polls.len() < PACKED_POLLS_MIN {
        return Ok(());
    }
    let packed = pack(span_of(hour).start, polls);
    db.prepare_cached("INSERT OR REPLACE INTO packed_hour (hour, polls) VALUES (?1, ?2)")?
        .execute((hour, packed))?;
    Ok(())
}

/// The polls of an hour from their rows, in order of time and store key.
fn rows_of(db: &Connection, hour: i64) -> Result<Vec<(StoreKey, Poll)>> {
    let mut polls = Vec::new();
    poll_table::for_each_within(db, span_of(hour), |at, store, status| {
        polls.push((store, Poll::new(at, status)));
        Ok(())
    })?;
    Ok(polls)
}

/// The packed polls within `span` of the stores in `blocks`. `rows` receives each stretch that is not packed, or
/// whose packed form is damaged. The memory is that of `spare`.
///
/// # Errors
/// When the database cannot be read, and those of `rows`.
pub(super) fn read(
    view: &Connection,
    span: Interval,
    blocks: &Range<usize>,
    spare: PackedHours,
    mut rows: impl FnMut(Interval) -> Result<()>,
) -> Result<PackedHours> {
    let range = [hour_of(span.start), hour_of(span.end)];
    let mut from = span.start;
    // One piece of memory, which the system takes back as a whole.
    let mut bytes =
        view.prepare_cached("SELECT coalesce(sum(length(polls)), 0) FROM packed_hour WHERE hour BETWEEN ?1 AND ?2")?;
    let mut packed = spare.cleared(span, bytes.query_row(range, |row| row.get(0))?);
    let mut select =
        view.prepare_cached("SELECT hour, polls FROM packed_hour WHERE hour BETWEEN ?1 AND ?2 ORDER BY hour")?;
    let mut hours = select.query(range)?;
    while let Some(row) = hours.next()? {
        let hour = row.get(0)?;
        let inside = span_of(hour).intersection(span);
        if inside.is_empty() {
            continue;
        }
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if !packed.add(hour, bytes, blocks) {
            tracing::warn!(
                hour = civil::format_utc(span_of(hour).start),
                "a packed hour is damaged, so its rows are read (`check --repair` packs it again)"
            );
            continue;
        }
        if from < inside.start {
            rows(Interval::new(from, inside.start))?;
        }
        from = inside.end;
    }
    if from < span.end {
        rows(Interval::new(from, span.end))?;
    }
    Ok(packed)
}

/// Calls `each` with every group of every packed hour from `first` to `last`: its block, how many polls it has and how
/// many bytes they take. It reads the lists of the groups alone, as they are.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn lists(
    view: &Connection,
    [first, last]: [i64; 2],
    mut each: impl FnMut(usize, usize, usize),
) -> Result<()> {
    let mut select = view.prepare_cached("SELECT hour FROM packed_hour WHERE hour BETWEEN ?1 AND ?2")?;
    let mut value: Option<Blob<'_>> = None;
    let mut list = Vec::new();
    for hour in select.query_map([first, last], |row| row.get(0))? {
        let value = match &mut value {
            Some(value) => {
                value.reopen(hour?)?;
                value
            }
            none => none.insert(view.blob_open("main", "packed_hour", "polls", hour?, true)?),
        };
        let mut groups = [0; 4];
        let read = value.read_at(&mut groups, 0)?;
        list.resize(list_bytes(groups).min(value.len()), 0);
        value.read_at(&mut list, read)?;
        weigh(&list, &mut each);
    }
    Ok(())
}

/// Deletes the packed hours that `span` touches, before their polls change.
///
/// # Errors
/// When the database cannot be written.
pub fn forget(db: &Connection, span: Interval) -> Result<()> {
    db.prepare_cached("DELETE FROM packed_hour WHERE hour BETWEEN ?1 AND ?2")?
        .execute([hour_of(span.start), hour_of(span.end - 1)])?;
    Ok(())
}

/// An hour that can be packed and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The hour, counted from 1970.
    pub hour: i64,
    /// How many polls it has.
    pub polls: u64,
}

/// The hours that can be packed and are not, newest first: most are read soonest.
///
/// The newest hour is not one of them, because more of its polls may come.
///
/// # Errors
/// When the database cannot be read.
pub fn unpacked(db: &Connection) -> Result<Vec<Unpacked>> {
    let Some(newest) = poll_table::newest(db)?.map(hour_of) else {
        return Ok(Vec::new());
    };
    // The digests count the polls of each hour: no hour is looked into.
    let mut select = db.prepare_cached(
        "SELECT hour, hour_digest.polls FROM hour_digest LEFT JOIN packed_hour USING (hour)
         WHERE hour < ?1 AND hour_digest.polls >= ?2 AND packed_hour.hour IS NULL ORDER BY hour DESC",
    )?;
    let hours = select.query_map((newest, PACKED_POLLS_MIN), |row| {
        Ok(Unpacked {
            hour: row.get(0)?,
            polls: row.get(1)?,
        })
    })?;
    Ok(hours.collect::<rusqlite::Result<_>>()?)
}

/// Packs an hour from its rows, in the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub fn pack_hour(db: &Connection, hour: i64) -> Result<()> {
    match rows_of(db, hour) {
        Ok(rows) => keep(db, hour, &rows),
        // Damaged rows stay rows: a reader that meets them says so.
        Err(error) if error.kind() == ErrorKind::Broken => Ok(()),
        Err(error) => Err(error),
    }
}

/// Packs every hour that can be packed and is not, some in each transaction; begins no more of them after `patience`.
///
/// # Errors
/// When the database cannot be written.
pub fn pack_all(db: &mut Connection, patience: Duration) -> Result<()> {
    let all = Instant::now();
    let mut hours = unpacked(db)?.into_iter().peekable();
    while hours.peek().is_some() && all.elapsed() < patience {
        let begun = Instant::now();
        write(db, |db| {
            let mut polls = 0;
            while polls < TURN_POLLS
                && let Some(next) = hours.next()
            {
                pack_hour(db, next.hour)?;
                polls += next.polls;
            }
            Ok(())
        })?;
        // SQLite's write lock has no queue: this gap lets other processes in.
        thread::sleep(begun.elapsed() / 8);
    }
    Ok(())
}

/// The hours whose packed polls are damaged, or not those of their digest.
///
/// # Errors
/// When the database cannot be read.
pub fn wrong(db: &Connection) -> Result<Vec<i64>> {
    let mut select = db.prepare("SELECT hour, polls FROM packed_hour ORDER BY hour")?;
    let mut hours = select.query([])?;
    let mut wrong = Vec::new();
    while let Some(row) = hours.next()? {
        let hour = row.get(0)?;
        let mut digests = HourDigests::default();
        let mut hour_alone = PackedHours::default().cleared(span_of(hour), 0);
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let whole = hour_alone.add(hour, bytes, &ALL_BLOCKS);
        hour_alone.each(|store, poll| digests.add(poll.at(), store, poll.status()));
        if !whole || !digests.differences(db, span_of(hour))?.is_empty() {
            wrong.push(hour);
        }
    }
    Ok(wrong)
}

/// The polls of a packed hour; none if it is not packed, or damaged.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn polls_of(db: &Connection, hour: i64) -> Result<Option<Vec<(StoreKey, Poll)>>> {
    let mut select = db.prepare_cached("SELECT polls FROM packed_hour WHERE hour = ?1")?;
    let bytes: Option<Vec<u8>> = select.query_row([hour], |row| row.get(0)).optional()?;
    let mut packed = PackedHours::default().cleared(span_of(hour), 0);
    let mut polls = Vec::new();
    if !bytes.is_some_and(|bytes| packed.add(hour, &bytes, &ALL_BLOCKS)) {
        return Ok(None);
    }
    packed.each(|store, poll| polls.push((store, poll)));
    Ok(Some(polls))
}

/// Deletes packed hours that are wrong, or whose polls changed; [`pack_all`] makes them again from their rows.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_hours(db: &Connection, hours: &[i64]) -> Result<()> {
    for &hour in hours {
        forget(db, span_of(hour))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
