//! Fit: whether the stores of polls and the stores of hours and zones are the same ones.
//!
//! Files that name stores differently do not meet: a store with polls alone counts as always open in the default
//! zone, and a store without polls has no numbers.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::generation;
use crate::error::Result;

/// How many stores of a group are named.
const EXAMPLES_MAX: usize = 3;

/// Stores that lack part of what a report needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// How many.
    pub stores: u64,
    /// The ids of the first few.
    pub examples: Vec<String>,
}

/// The stores whose sources do not meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Stores with polls, but neither hours nor a zone.
    pub without_hours_and_zone: Lacking,
    /// Stores with hours or a zone, but without a poll. A poll that was forgotten since counts.
    pub without_polls: Lacking,
}

/// What to do about stores without hours and zone.
pub const NEXT_HOURS: &str = "each counts as always open, in America/Chicago: load their business hours and time zones; if \
                              you did, check that the files write the ids alike";

/// What to do about stores without polls.
pub const NEXT_POLLS: &str =
    "they have no numbers: load their polls; if you did, check that the files write the ids alike";

impl Fit {
    /// A sentence for each group that has stores, with the next step.
    pub fn sentences(&self) -> Vec<String> {
        let groups = [
            (
                &self.without_hours_and_zone,
                "polls but neither hours nor a time zone",
                NEXT_HOURS,
            ),
            (&self.without_polls, "hours or a time zone but no polls", NEXT_POLLS),
        ];
        let told = groups.iter().filter(|(lacking, ..)| lacking.stores > 0);
        told.map(|(lacking, what, next)| {
            let examples = lacking.examples.join(", ");
            let more = if lacking.stores > lacking.examples.len() as u64 {
                ", …"
            } else {
                ""
            };
            let stores = if lacking.stores == 1 {
                "store has"
            } else {
                "stores have"
            };
            format!("{} {stores} {what} ({examples}{more}); {next}", lacking.stores)
        })
        .collect()
    }

    /// The stores of the database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn of(db: &Connection) -> Result<Self> {
        let is_placed = "(timezone IS NOT NULL OR special_days IS NOT NULL
                          OR EXISTS (SELECT 1 FROM store_hours WHERE store = store.key))";
        Ok(Self {
            without_hours_and_zone: lacking(db, &format!("polled AND NOT {is_placed}"))?,
            without_polls: lacking(db, &format!("NOT polled AND {is_placed}"))?,
        })
    }
}

fn lacking(db: &Connection, which: &str) -> Result<Lacking> {
    let mut select = db.prepare_cached(&format!("SELECT store_id FROM store WHERE {which}"))?;
    let mut rows = select.query([])?;
    let mut lacking = Lacking::default();
    while let Some(row) = rows.next()? {
        lacking.stores += 1;
        if lacking.examples.len() < EXAMPLES_MAX {
            lacking.examples.push(row.get(0)?);
        }
    }
    Ok(lacking)
}

/// The fit of one generation of the fleet, so that a batch of polls does not look at every store.
#[derive(Debug, Default)]
pub struct FitCache(Mutex<Option<FitOf>>);

/// A fit, and the generation of the fleet that it belongs to.
pub type FitOf = (i64, Arc<Fit>);

impl FitCache {
    /// The fit as `db` has it, and the generation it belongs to; [`FitCache::keep`] it once that is committed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn get(&self, db: &Connection) -> Result<FitOf> {
        let generation = generation::current(db)?.fleet;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Only committed generations are kept, so an equal number means equal stores.
        match kept {
            Some((of, fit)) if of == generation => Ok((of, fit)),
            _ => Ok((generation, Arc::new(Fit::of(db)?))),
        }
    }

    /// Keeps the fit of a generation that is committed.
    pub fn keep(&self, (generation, fit): FitOf) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|(of, _)| *of < generation) {
            *kept = Some((generation, fit));
        }
    }
}
