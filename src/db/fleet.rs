//! Stores in the database: their zones, names, rates and targets, and the fleet of them.

use std::collections::HashMap;

use chrono_tz::Tz;
use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, Row};

use super::schedules::{self, ScheduleKey, ValidFrom};
use super::special_hours::{self, SpecialDaysKey};
use super::{Changed, digest, generation};
use crate::error::{Error, Result};
use crate::uptime::business_hours::{Pattern, ZONE_DEFAULT};
use crate::uptime::calendar::{Calendar, Version};
use crate::uptime::fleet::{Fleet, PatternIndex, StoreKey};

/// What a stores file says about a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The store's name; may be empty.
    pub name: String,
    /// The store's owner; may be empty.
    pub group: String,
    /// Its sales in an hour, in hundredths of whatever money; none if not known.
    pub sales_per_hour: Option<i64>,
    /// The uptime that it means to reach, in hundredths of a per cent; none if not known.
    pub target: Option<i64>,
}

/// What an input says about a store. A column that the input does not have is none, and leaves what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelChange {
    /// The store's name.
    pub name: String,
    /// The store's owner.
    pub group: String,
    /// [`Label::sales_per_hour`], if there is such a column.
    pub sales_per_hour: Option<Option<i64>>,
    /// [`Label::target`], if there is such a column.
    pub target: Option<Option<i64>>,
}

/// Every store with its zone and hours.
///
/// # Errors
/// When the database cannot be read, or holds a zone or hours that this program does not know: another
/// program wrote them, and `check` lists them all.
pub fn load(db: &Connection) -> Result<Fleet> {
    digest::verify_fleet(db)?;
    let (weeks, special_days) = (schedules::all(db)?, special_hours::all(db)?);
    let mut zones: HashMap<String, Tz, RandomState> = HashMap::default();
    let mut places: HashMap<PatternKeys, PatternIndex, RandomState> = HashMap::default();
    let (mut stores, mut patterns) = (Vec::<(StoreKey, Box<str>, PatternKeys)>::new(), Vec::new());
    let mut select = db.prepare_cached(
        "SELECT key, store_id, timezone, special_days, valid_from, schedule
         FROM store LEFT JOIN store_hours ON store = key ORDER BY key, valid_from",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        if stores.last().is_none_or(|(last, ..)| *last != key) {
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
            stores.push((key, id, (zone, row.get(3)?, Vec::new())));
        }
        let schedule: Option<ScheduleKey> = row.get(5)?;
        if let (Some(schedule), Some((.., keys))) = (schedule, stores.last_mut()) {
            let valid_from = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
            keys.2.push((schedules::decode_date(valid_from)?, schedule));
        }
    }
    let mut place = |keys: PatternKeys| -> Result<PatternIndex> {
        if let Some(&place) = places.get(&keys) {
            return Ok(place);
        }
        let (zone, special, versions) = &keys;
        let version = |&(valid_from, key): &(ValidFrom, ScheduleKey)| -> Result<Version> {
            let rows = schedules::find(&weeks, key)?.clone();
            Ok(Version { valid_from, rows })
        };
        let special = special.map(|key| special_hours::find(&special_days, key)).transpose()?;
        let calendar = Calendar {
            versions: versions.iter().map(version).collect::<Result<_>>()?,
            special_days: special.cloned().unwrap_or_default(),
        };
        patterns.push(Pattern { zone: *zone, calendar });
        places.insert(keys, patterns.len() - 1);
        Ok(patterns.len() - 1)
    };
    let stores = stores.into_iter().map(|(key, id, keys)| Ok((key, id, place(keys)?)));
    let stores: Vec<_> = stores.collect::<Result<_>>()?;
    Ok(Fleet::of_patterns(patterns, stores))
}

/// The parts of a pattern by their keys: its zone, special days and versions.
type PatternKeys = (Tz, Option<SpecialDaysKey>, Vec<(ValidFrom, ScheduleKey)>);

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

/// The columns of a label, in the order in which [`label`] reads them.
macro_rules! label_columns {
    () => {
        "name, store_group, sales_per_hour, target"
    };
}

/// The label of a row whose columns from `first` on are those of a label; none if no stores file names the store.
fn label(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Label>> {
    let name: Option<String> = row.get(first)?;
    let group: Option<String> = row.get(first + 1)?;
    let (sales_per_hour, target) = (row.get(first + 2)?, row.get(first + 3)?);
    Ok(name.map(|name| Label {
        name,
        group: group.unwrap_or_default(),
        sales_per_hour,
        target,
    }))
}

/// Calls `each` with the id and label of every store with a label, ordered by id as bytes.
///
/// # Errors
/// When the database cannot be read, and those of `each`.
pub fn for_each_label(db: &Connection, mut each: impl FnMut(&str, &Label) -> Result<()>) -> Result<()> {
    digest::verify_fleet(db)?;
    let mut select = db.prepare(concat!(
        "SELECT store_id, ",
        label_columns!(),
        " FROM store WHERE name IS NOT NULL ORDER BY +store_id"
    ))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(label) = label(row, 1)? {
            each(text(row, 0)?, &label)?;
        }
    }
    Ok(())
}

/// The label of every store with one, by its key.
///
/// # Errors
/// When the database cannot be read.
pub fn labels(db: &Connection) -> Result<HashMap<StoreKey, Label>> {
    let mut select = db.prepare_cached(concat!(
        "SELECT key, ",
        label_columns!(),
        " FROM store WHERE name IS NOT NULL"
    ))?;
    let labels = select.query_map([], |row| Ok((row.get(0)?, label(row, 1)?.unwrap_or_default())))?;
    Ok(labels.collect::<rusqlite::Result<_>>()?)
}

/// The key of the store `id`, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub fn key(db: &Connection, id: &str) -> Result<Option<StoreKey>> {
    let mut select = db.prepare_cached("SELECT key FROM store WHERE store_id = ?1")?;
    Ok(select.query_row([id], |row| row.get(0)).optional()?)
}

/// The label of one store, and its zone as written; each is none if no input has it.
///
/// # Errors
/// When the database cannot be read.
pub fn written(db: &Connection, store: StoreKey) -> Result<(Option<Label>, Option<String>)> {
    let mut select = db.prepare_cached(concat!(
        "SELECT timezone, ",
        label_columns!(),
        " FROM store WHERE key = ?1"
    ))?;
    let found = select.query_row([store], |row| Ok((label(row, 1)?, row.get(0)?)));
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

/// Replaces what is said about each store.
///
/// # Errors
/// When the database cannot be written.
pub fn replace_labels<'a>(
    db: &Connection,
    changes: impl IntoIterator<Item = (StoreKey, &'a LabelChange)>,
) -> Result<Changed> {
    let mut changed = Changed::default();
    let mut update = db.prepare_cached(
        "UPDATE store SET name = ?2, store_group = ?3, sales_per_hour = ?4, target = ?5 WHERE key = ?1",
    )?;
    for (store, change) in changes {
        let (known, _) = written(db, store)?;
        let stored = known.as_ref();
        let label = Label {
            name: change.name.clone(),
            group: change.group.clone(),
            sales_per_hour: change
                .sales_per_hour
                .unwrap_or(stored.and_then(|known| known.sales_per_hour)),
            target: change.target.unwrap_or(stored.and_then(|known| known.target)),
        };
        match known {
            Some(known) if known == label => {
                changed.unchanged += 1;
                continue;
            }
            None => changed.new += 1,
            Some(_) => changed.replaced += 1,
        }
        update.execute((store, &label.name, &label.group, label.sales_per_hour, label.target))?;
    }
    advance_if_changed(db, changed)
}

fn advance_if_changed(db: &Connection, changed: Changed) -> Result<Changed> {
    if changed.new + changed.replaced > 0 {
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(changed)
}
