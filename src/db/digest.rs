//! Digests: what rows add up to. They tell when rows changed on the disk without a write.
//!
//! The digest of a set of rows is the sum of the hashes of its rows, so it does not depend on their order, and a change
//! of one row changes it without a look at the others. It changes in the transaction that changes the rows. A reader
//! that has read all rows of a set compares them, and refuses the set if they differ: SQLite's pages have no checksums.
//!
//! Polls have a digest an hour; stores, zones, names and hours have one together. Values of many bytes end in a
//! checksum of their own, or have a column for it.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};
use xxhash_rust::xxh3::xxh3_64;

use super::generation;
use crate::civil;
use crate::error::{Error, Result};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{HOUR, Interval, Micros};
use crate::uptime::poll::{Poll, Status};

/// The checksum of a value's bytes, as the database stores it.
pub fn checksum(bytes: &[u8]) -> i64 {
    xxh3_64(bytes).cast_signed()
}

/// Runs `work` while SQL knows the function `checksum`, which is null for null.
pub(super) fn with_function<T>(db: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    db.create_scalar_function("checksum", 1, FunctionFlags::SQLITE_DIRECTONLY, |call| {
        Ok(call.get_raw(0).as_bytes_or_null()?.map(checksum))
    })?;
    let done = work(db)?;
    db.remove_function("checksum", 1)?;
    Ok(done)
}

/// A number of rows, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    rows: i64,
    sum: i64,
}

impl Digest {
    fn of_poll(at: Micros, store: StoreKey, status: Status) -> Self {
        let mut row = [0; 13];
        row[..8].copy_from_slice(&at.to_le_bytes());
        row[8..12].copy_from_slice(&store.to_le_bytes());
        row[12] = (status == Status::Active).into();
        Self {
            rows: 1,
            sum: checksum(&row),
        }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    fn subtract(&mut self, other: Self) {
        self.rows -= other.rows;
        self.sum = self.sum.wrapping_sub(other.sum);
    }
}

/// The hour of an instant, counted from 1970.
pub(super) fn hour_of(at: Micros) -> i64 {
    at.div_euclid(HOUR)
}

/// The whole hours that `span` touches.
pub(super) fn whole_hours(span: Interval) -> Interval {
    let floor = |at: Micros| hour_of(at).saturating_mul(HOUR);
    Interval::new(
        floor(span.start),
        floor(span.end.saturating_sub(1)).saturating_add(HOUR),
    )
}

/// The digests of the polls that someone reads, adds or removes, by hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HourDigests {
    earlier: BTreeMap<i64, Digest>,
    /// The hour of the last poll: mostly also that of the next.
    last: Option<(i64, Digest)>,
}

impl HourDigests {
    fn hour(&mut self, at: Micros) -> &mut Digest {
        let hour = hour_of(at);
        if let Some((last, digest)) = self.last.filter(|(last, _)| *last != hour) {
            self.earlier.insert(last, digest);
            self.last = None;
        }
        let earlier = &mut self.earlier;
        let (_, digest) = self
            .last
            .get_or_insert_with(|| (hour, earlier.remove(&hour).unwrap_or_default()));
        digest
    }

    pub(super) fn add(&mut self, at: Micros, store: StoreKey, status: Status) {
        self.hour(at).add(Digest::of_poll(at, store, status));
    }

    pub(super) fn subtract(&mut self, at: Micros, store: StoreKey, status: Status) {
        self.hour(at).subtract(Digest::of_poll(at, store, status));
    }

    /// Adds polls, and takes them out here.
    pub(super) fn add_polls<'a>(&mut self, polls: impl IntoIterator<Item = &'a (StoreKey, Poll)>) {
        for &(store, poll) in polls {
            self.add(poll.at(), store, poll.status());
        }
    }

    /// The hours of which there is a digest, in any order.
    pub(super) fn hours(&self) -> Vec<i64> {
        let last = self.last.iter().map(|&(hour, _)| hour);
        self.earlier.keys().copied().chain(last).collect()
    }

    fn into_hours(self) -> BTreeMap<i64, Digest> {
        let mut hours = self.earlier;
        hours.extend(self.last);
        hours
    }

    /// Adds these changes to the stored digests, in the transaction that changes the polls.
    pub(super) fn store(self, db: &Connection) -> Result<()> {
        let mut select = db.prepare_cached("SELECT polls, digest FROM hour_digest WHERE hour = ?1")?;
        let mut replace = db.prepare_cached("INSERT OR REPLACE INTO hour_digest VALUES (?1, ?2, ?3)")?;
        let mut delete = db.prepare_cached("DELETE FROM hour_digest WHERE hour = ?1")?;
        for (hour, change) in self.into_hours() {
            if change == Digest::default() {
                continue;
            }
            let stored = select.query_row([hour], |row| {
                Ok(Digest {
                    rows: row.get(0)?,
                    sum: row.get(1)?,
                })
            });
            let mut digest = stored.optional()?.unwrap_or_default();
            digest.add(change);
            if digest == Digest::default() {
                delete.execute([hour])?;
            } else {
                replace.execute((hour, digest.rows, digest.sum))?;
            }
        }
        Ok(())
    }

    /// The hours within `span` whose polls are not the stored ones; all polls within `span`, which is of whole hours,
    /// are here.
    pub(super) fn differences(self, db: &Connection, span: Interval) -> Result<Vec<Difference>> {
        let mut select = db
            .prepare_cached("SELECT hour, polls, digest FROM hour_digest WHERE hour BETWEEN ?1 AND ?2 ORDER BY hour")?;
        let mut hours = select.query([hour_of(span.start), hour_of(span.end.saturating_sub(1))])?;
        let mut read = self.into_hours();
        let mut differences = Vec::new();
        while let Some(row) = hours.next()? {
            let (hour, rows, sum) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let found = read.remove(&hour).unwrap_or_default();
            if found != (Digest { rows, sum }) {
                differences.push(Difference {
                    hour,
                    stored: rows,
                    found: found.rows,
                });
            }
        }
        differences.extend(read.into_iter().map(|(hour, found)| Difference {
            hour,
            stored: 0,
            found: found.rows,
        }));
        differences.sort_unstable_by_key(|difference| difference.hour);
        Ok(differences)
    }

    /// Refuses polls that are not the stored ones: all polls within `span`, which is of whole hours, are here.
    pub(super) fn verify(self, db: &Connection, span: Interval) -> Result<()> {
        match self.differences(db, span)?.first() {
            None => Ok(()),
            Some(difference) => Err(Error::broken(format!(
                "{difference}: the disk or another program changed them (`check` lists all, a backup has the right ones)"
            ))),
        }
    }
}

/// An hour whose polls are not those that were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The hour, counted from 1970.
    pub(super) hour: i64,
    /// How many polls were stored.
    pub(super) stored: i64,
    /// How many are there.
    pub(super) found: i64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = civil::format_utc(self.hour.saturating_mul(HOUR));
        let Self { stored, found, .. } = self;
        write!(
            f,
            "the polls of the hour from {from} are not those that were stored ({stored} were stored, {found} are there)"
        )
    }
}

/// Removes the digests of all hours.
pub(super) fn forget_polls(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM hour_digest", [])?;
    Ok(())
}

/// The queries of the rows that make up the fleet; a name for each sort of row keeps equal rows of two sorts apart.
const FLEET: [(&str, &str); 4] = [
    (
        "store",
        "SELECT key, store_id, timezone, name, store_group, special_days, sales_per_hour, target FROM store",
    ),
    ("week", "SELECT key, week FROM schedule"),
    ("special", "SELECT key, days FROM special_days"),
    ("hours", "SELECT store, valid_from, schedule FROM store_hours"),
];

/// The digest of stores, zones, names and hours as they are.
fn of_fleet(db: &Connection) -> Result<Digest> {
    let mut digest = Digest::default();
    let mut bytes = Vec::new();
    for (sort, query) in FLEET {
        let mut select = db.prepare_cached(query)?;
        let columns = select.column_count();
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            bytes.clear();
            bytes.extend_from_slice(sort.as_bytes());
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Integer(number) => {
                        bytes.push(1);
                        bytes.extend_from_slice(&number.to_le_bytes());
                    }
                    ValueRef::Text(text) | ValueRef::Blob(text) => {
                        bytes.push(2);
                        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                        bytes.extend_from_slice(text);
                    }
                    _ => bytes.push(0),
                }
            }
            digest.add(Digest {
                rows: 1,
                sum: checksum(&bytes),
            });
        }
    }
    Ok(digest)
}

/// The generation and the digest of the fleet as stored.
fn stored_fleet(db: &Connection) -> Result<Option<(i64, i64)>> {
    let mut select = db.prepare_cached("SELECT generation, digest FROM fleet_digest")?;
    Ok(select.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Brings the digest of the fleet up to date, if the transaction changed the fleet; to be called before its commit.
pub(super) fn seal_fleet(db: &Connection) -> Result<()> {
    let generation = generation::current(db)?.fleet;
    if stored_fleet(db)?.is_none_or(|(sealed, _)| sealed != generation) {
        db.prepare_cached("INSERT OR REPLACE INTO fleet_digest VALUES (1, ?1, ?2)")?
            .execute((generation, of_fleet(db)?.sum))?;
    }
    Ok(())
}

/// Whether stores, zones, names and hours are those that were stored.
pub(super) fn is_fleet_right(db: &Connection) -> Result<bool> {
    let stored = stored_fleet(db)?;
    Ok(stored == Some((generation::current(db)?.fleet, of_fleet(db)?.sum)))
}

/// Refuses a fleet that is not the stored one.
///
/// # Errors
/// When it is not, or the database cannot be read.
pub fn verify_fleet(db: &Connection) -> Result<()> {
    if is_fleet_right(db)? {
        return Ok(());
    }
    Err(Error::broken(
        "the stores, zones, names or hours are not those that were stored: the disk or another program changed them \
         (`check` tells more, a backup has the right ones)",
    ))
}
