//! The packed fleet: all stores with their zones and hours in one value, which is read some thirty times
//! as fast as their rows.
//!
//! It is derived: the rows of `store` and `business_hours` are the truth. It carries the generation of
//! the fleet that it was made of, and is good for as long as that stands; every transaction that changes
//! a store, a zone or hours advances it. Else the rows are read; nothing but time depends on it, and
//! `check` compares the two.
//!
//! # The format
//! How many patterns there are, then each: its zone's name, how many rows of weekly hours it has, and
//! for each the weekday in a byte and both times in eight. How many stores there are, then each, sorted
//! by id: its key, its pattern's place, its id. Text has its length before it; lengths, counts, keys and
//! places take four bytes, and all numbers have their lowest byte first.

use rusqlite::{Connection, OptionalExtension};

use super::{Changes, fleet, generation};
use crate::error::Result;
use crate::uptime::business_hours::WeeklyRow;
use crate::uptime::fleet::{Fleet, Pattern, StoreKey};

/// More does not fit in one value of SQLite's; rows are read then.
const BYTES_MAX: usize = 900_000_000;

/// Every store, if the packed fleet is that of now.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn read(db: &Connection) -> Result<Option<Fleet>> {
    let mut select = db.prepare_cached("SELECT fleet FROM packed_fleet WHERE generation = ?1")?;
    let mut rows = select.query([generation::current(db)?.fleet])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(unpack(bytes))
}

/// A fleet that is packed and not kept yet.
#[derive(Debug)]
pub struct PackedFleet {
    generation: i64,
    bytes: Vec<u8>,
}

/// Packs the fleet; none where that is done already.
///
/// # Errors
/// When the database cannot be read, or holds what [`fleet::load`] refuses.
pub fn pack(db: &mut Connection) -> Result<Option<PackedFleet>> {
    let view = super::read(db)?;
    let now = generation::current(&view)?.fleet;
    let mut select = view.prepare_cached("SELECT 1 FROM packed_fleet WHERE generation = ?1")?;
    if select.exists([now])? {
        return Ok(None);
    }
    Ok(Some(PackedFleet {
        generation: now,
        bytes: packed(&fleet::load_rows(&view)?),
    }))
}

/// Keeps a packed fleet, unless the fleet has changed since: apart from packing, so that nobody who
/// writes waits for that.
///
/// # Errors
/// When the database cannot be written.
pub fn keep(changes: &mut impl Changes, fleet: PackedFleet) -> Result<()> {
    changes.change(move |db| {
        let fits = fleet.bytes.len() <= BYTES_MAX;
        if fits && generation::current(db)?.fleet == fleet.generation {
            db.prepare_cached("INSERT OR REPLACE INTO packed_fleet VALUES (1, ?1, ?2)")?
                .execute((fleet.generation, &fleet.bytes))?;
        }
        Ok(())
    })
}

/// Whether the packed fleet says that it is that of now, and is not.
///
/// # Errors
/// When the database cannot be read.
pub fn is_wrong(db: &Connection) -> Result<bool> {
    let now = generation::current(db)?.fleet;
    let mut select = db.prepare("SELECT fleet FROM packed_fleet WHERE generation = ?1")?;
    let found: Option<Vec<u8>> = select.query_row([now], |row| row.get(0)).optional()?;
    match found {
        Some(found) => Ok(found != packed(&fleet::load_rows(db)?)),
        None => Ok(false),
    }
}

/// A fleet as it is stored.
fn packed(fleet: &Fleet) -> Vec<u8> {
    // What a database holds has fewer than 2³² of anything.
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::new();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend_from_slice(&number(text.len()));
        bytes.extend_from_slice(text.as_bytes());
    };
    bytes.extend_from_slice(&number(fleet.patterns().len()));
    for pattern in fleet.patterns() {
        text(&mut bytes, pattern.zone.name());
        bytes.extend_from_slice(&number(pattern.rows.len()));
        for row in &pattern.rows {
            bytes.push(row.weekday);
            bytes.extend_from_slice(&row.start_us_local.to_le_bytes());
            bytes.extend_from_slice(&row.end_us_local.to_le_bytes());
        }
    }
    bytes.extend_from_slice(&number(fleet.stores().len()));
    for store in fleet.stores() {
        bytes.extend_from_slice(&store.key.to_le_bytes());
        bytes.extend_from_slice(&number(store.pattern));
        text(&mut bytes, &store.id);
    }
    bytes
}

/// The fleet that was stored as these bytes; none where that cannot be.
fn unpack(bytes: &[u8]) -> Option<Fleet> {
    let mut rest = Rest(bytes);
    let patterns = rest.number()?;
    let patterns = (0..patterns).map(|_| {
        let zone = rest.text()?.parse().ok()?;
        let rows = rest.number()?;
        let rows = (0..rows).map(|_| {
            let [weekday] = rest.bytes()?;
            Some(WeeklyRow {
                weekday,
                start_us_local: i64::from_le_bytes(rest.bytes()?),
                end_us_local: i64::from_le_bytes(rest.bytes()?),
            })
        });
        let rows = rows.collect::<Option<_>>()?;
        Some(Pattern { zone, rows })
    });
    let patterns: Vec<_> = patterns.collect::<Option<_>>()?;
    let stores = rest.number()?;
    let store = |_| {
        let key: StoreKey = rest.number()?;
        let pattern = rest.number()? as usize;
        let id = rest.text()?.into();
        (pattern < patterns.len()).then_some((key, id, pattern))
    };
    let stores: Vec<_> = (0..stores).map(store).collect::<Option<_>>()?;
    rest.0
        .is_empty()
        .then(|| Fleet::of_patterns(patterns, stores))
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    #[test]
    fn a_packed_fleet_is_the_fleet_and_damaged_bytes_are_none() {
        let row = WeeklyRow {
            weekday: 6,
            start_us_local: 1,
            end_us_local: 86_400_000_000,
        };
        let pattern = |zone, rows| Pattern { zone, rows };
        let fleet = Fleet::new([
            (
                7,
                "b, \"quoted\"".into(),
                pattern(Tz::Asia__Kolkata, vec![row]),
            ),
            (3, "ü".into(), pattern(Tz::UTC, Vec::new())),
            (9, "a".into(), pattern(Tz::Asia__Kolkata, vec![row])),
        ]);
        let bytes = packed(&fleet);
        let again = unpack(&bytes).unwrap();
        assert_eq!(format!("{again:?}"), format!("{fleet:?}"));
        for length in 0..bytes.len() {
            assert!(unpack(&bytes[..length]).is_none(), "{length}");
        }
        assert!(unpack(&[&bytes[..], &[0]].concat()).is_none());
    }
}
