//! Packed hours: the polls of one hour in one value, which is read some ten times as fast as its rows.
//!
//! They are derived: the rows of `poll` are the truth, and whatever changes a row of an hour forgets the
//! packed hour in the same transaction. Where there is none, rows are read; nothing but time depends on
//! it, and `check` compares the two. Only hours that reports of the newest day reach are kept.
//!
//! An hour is packed as its polls are added, where they come in order and find none of it there
//! ([`polls::add`]), else from its rows, once newer polls have come in ([`pack_all`]).

use rusqlite::{Connection, OptionalExtension};

use super::packed_bytes::{PackedHours, pack, span_of};
use super::{Changed, Changes, polls};
use crate::error::{Error, Result};
use crate::uptime::fleet::StoreKey;
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
            in_order: true,
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
    let mut from = span.start;
    // In one piece of memory, which goes back to the system as a whole.
    let mut bytes = view.prepare_cached(
        "SELECT coalesce(sum(length(polls)), 0) FROM packed_hour WHERE hour BETWEEN ?1 AND ?2",
    )?;
    let mut packed = PackedHours::with_capacity(span, bytes.query_row(range, |row| row.get(0))?);
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
