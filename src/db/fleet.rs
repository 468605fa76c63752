//! Stores in the database: their zones and names, and the fleet of them.

use std::collections::HashMap;

use chrono_tz::Tz;
use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, Row};

use super::schedules::{self, ScheduleKey};
use super::{Changed, digest, generation};
use crate::error::{Error, Result};
use crate::uptime::business_hours::{Pattern, ZONE_DEFAULT};
use crate::uptime::fleet::{Fleet, PatternIndex, StoreKey};

/// A store's name and owner from a stores file; both may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The store's name.
    pub name: String,
    /// The store's owner.
    pub group: String,
}

/// Every store with its zone and hours.
///
/// # Errors
/// When the database cannot be read, or holds a zone or hours that this program does not know: another
/// program wrote them, and `check` lists them all.
pub fn load(db: &Connection) -> Result<Fleet> {
    digest::verify_fleet(db)?;
    let weeks = schedules::all(db)?;
    let mut zones: HashMap<String, Tz, RandomState> = HashMap::default();
    let mut places: HashMap<(Tz, Option<ScheduleKey>), PatternIndex, RandomState> = HashMap::default();
    let (mut stores, mut patterns) = (Vec::new(), Vec::new());
    let mut select = db.prepare_cached(
        "SELECT key, store_id, timezone, schedule
         FROM store LEFT JOIN store_hours ON store = key ORDER BY key",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id: Box<str> = row.get(1)?;
        let zone = row.get_ref(2)?;
        let zone = match zone.as_str_or_null().map_err(rusqlite::Error::from)? {
            None => ZONE_DEFAULT,
            Some(name) => match zones.get(name) {
                Some(&zone) => zone,
                None => {
                    let zone = name.parse().map_err(|_| {
                        Error::failed(format!("store {id} has the unknown time zone `{name}` (run `check`)"))
                    })?;
                    zones.insert(name.to_owned(), zone);
                    zone
                }
            },
        };
        let schedule: Option<ScheduleKey> = row.get(3)?;
        let place = match places.get(&(zone, schedule)) {
            Some(&place) => place,
            None => {
                let rows = schedule.map(|key| schedules::find(&weeks, key)).transpose()?;
                let rows = rows.cloned().unwrap_or_default();
                patterns.push(Pattern { zone, rows });
                places.insert((zone, schedule), patterns.len() - 1);
                patterns.len() - 1
            }
        };
        stores.push((row.get(0)?, id, place));
    }
    Ok(Fleet::of_patterns(patterns, stores))
}

/// Calls `each` with the id and zone (as written) of every store with a zone, ordered by id as bytes.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each_zone(db: &Connection, mut each: impl FnMut(&str, &str) -> Result<()>) -> Result<()> {
    digest::verify_fleet(db)?;
    // Without the index, which no digest covers.
    let mut select =
        db.prepare("SELECT store_id, timezone FROM store WHERE timezone IS NOT NULL ORDER BY +store_id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(text(row, 0)?, text(row, 1)?)?;
    }
    Ok(())
}

/// Calls `each` with the id, name and group of every store with a label, ordered by id as bytes.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each_label(db: &Connection, mut each: impl FnMut(&str, &str, &str) -> Result<()>) -> Result<()> {
    digest::verify_fleet(db)?;
    let mut select =
        db.prepare("SELECT store_id, name, store_group FROM store WHERE name IS NOT NULL ORDER BY +store_id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(text(row, 0)?, text(row, 1)?, text(row, 2)?)?;
    }
    Ok(())
}

/// The name and group of every store with a label, by its key.
///
/// # Errors
/// When the database cannot be read.
pub fn labels(db: &Connection) -> Result<HashMap<StoreKey, Label>> {
    let mut select = db.prepare_cached("SELECT key, name, store_group FROM store WHERE name IS NOT NULL")?;
    let label = |row: &Row<'_>| {
        let (name, group) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, Label { name, group }))
    };
    let labels = select.query_map([], label)?;
    Ok(labels.collect::<rusqlite::Result<_>>()?)
}

/// The name and group of one store, and its zone as written; each is none if no input has it.
///
/// # Errors
/// When the database cannot be read.
pub fn written(db: &Connection, store: StoreKey) -> Result<(Option<Label>, Option<String>)> {
    let mut select = db.prepare_cached("SELECT name, store_group, timezone FROM store WHERE key = ?1")?;
    let found = select.query_row([store], |row| {
        let (name, group): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
        let label = name.map(|name| Label {
            name,
            group: group.unwrap_or_default(),
        });
        Ok((label, row.get(2)?))
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// A column's text, borrowed from the row.
fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row str> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

/// Replaces the zone of each store.
///
/// # Errors
/// When the database cannot be written.
pub fn replace_zones<'a>(db: &Connection, zones: impl IntoIterator<Item = (StoreKey, &'a str)>) -> Result<Changed> {
    let mut changed = Changed::default();
    let mut select = db.prepare_cached("SELECT timezone FROM store WHERE key = ?1")?;
    let mut update = db.prepare_cached("UPDATE store SET timezone = ?2 WHERE key = ?1")?;
    for (store, zone) in zones {
        match select.query_row([store], |row| row.get::<_, Option<String>>(0))? {
            Some(known) if known == zone => {
                changed.unchanged += 1;
                continue;
            }
            Some(_) => changed.replaced += 1,
            None => changed.new += 1,
        }
        update.execute((store, zone))?;
    }
    advance_if_changed(db, changed)
}

/// Replaces the name and group of each store.
///
/// # Errors
/// When the database cannot be written.
pub fn replace_labels<'a>(db: &Connection, labels: impl IntoIterator<Item = (StoreKey, &'a Label)>) -> Result<Changed> {
    let mut changed = Changed::default();
    let mut select = db.prepare_cached("SELECT name, store_group FROM store WHERE key = ?1")?;
    let mut update = db.prepare_cached("UPDATE store SET name = ?2, store_group = ?3 WHERE key = ?1")?;
    for (store, label) in labels {
        let known: (Option<String>, Option<String>) =
            select.query_row([store], |row| Ok((row.get(0)?, row.get(1)?)))?;
        match known {
            (Some(name), Some(group)) if name == label.name && group == label.group => {
                changed.unchanged += 1;
                continue;
            }
            (None, None) => changed.new += 1,
            _ => changed.replaced += 1,
        }
        update.execute((store, &label.name, &label.group))?;
    }
    advance_if_changed(db, changed)
}

fn advance_if_changed(db: &Connection, changed: Changed) -> Result<Changed> {
    if changed.new + changed.replaced > 0 {
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(changed)
}
