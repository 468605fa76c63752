//! The window for an audience: the same polls, and of the stores only those that exist for it.
//!
//! Whatever is made of these inputs is as if no source named any other store.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::{HotWindow, Inputs, list};
use crate::access::Audience;
use crate::db::fleet::labels;
use crate::db::{self, generation, polls};
use crate::error::Result;
use crate::render::store_list::StoreList;
use crate::uptime::fleet::{Fleet, StoreKey};
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::window::{REACH, reach};

/// How many audiences' stores are kept.
const AUDIENCES_KEPT: usize = 64;

/// The stores of an audience, as of one generation of stores.
#[derive(Debug)]
struct Members {
    fleet: i64,
    audience: Audience,
    keys: HashSet<StoreKey>,
    /// Their newest and oldest poll in the database, as of a past ([`Inputs::past`]). To find them takes a walk through
    /// the polls where the stores are not polled any more.
    newest: Mutex<Option<(u64, Option<Micros>)>>,
    oldest: Mutex<Option<(u64, Option<Micros>)>>,
}

/// The stores of the audiences that asked last.
#[derive(Debug, Default)]
pub(super) struct Audiences(Mutex<Vec<Arc<Members>>>);

impl Audiences {
    /// The stores of an audience as `view` has them.
    fn members(&self, view: &Connection, audience: &Audience) -> Result<Arc<Members>> {
        let fleet = generation::current(view)?.fleet;
        let find = |kept: &[Arc<Members>]| {
            let found = kept.iter().find(|one| one.fleet == fleet && one.audience == *audience);
            found.map(Arc::clone)
        };
        if let Some(found) = find(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(found);
        }
        let keys = match audience {
            Audience::Store(id) => db::fleet::key(view, id)?.into_iter().collect(),
            _ => {
                let labels = labels(view)?.into_iter();
                let own = labels.filter(|(_, label)| audience.has("", &label.group));
                own.map(|(key, _)| key).collect()
            }
        };
        let members = Arc::new(Members {
            fleet,
            audience: audience.clone(),
            keys,
            newest: Mutex::default(),
            oldest: Mutex::default(),
        });
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.audience != *audience);
        kept.truncate(AUDIENCES_KEPT - 1);
        kept.insert(0, Arc::clone(&members));
        Ok(members)
    }
}

/// The instant in `kept` if it is of this past, or the one that `find` finds.
fn known(
    kept: &Mutex<Option<(u64, Option<Micros>)>>,
    past: u64,
    find: impl FnOnce() -> Result<Option<Micros>>,
) -> Result<Option<Micros>> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    match *kept {
        Some((of, at)) if of == past => Ok(at),
        _ => {
            let at = find()?;
            *kept = Some((past, at));
            Ok(at)
        }
    }
}

impl HotWindow {
    /// [`inputs`](Self::inputs) with the stores of an audience.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inputs_of(&self, db: &mut Connection, as_of: Micros, audience: &Audience) -> Result<Inputs> {
        let inputs = self.inputs(db, as_of)?;
        if audience.is_all() {
            return Ok(inputs);
        }
        let members = self.audiences.members(db, audience)?;
        Ok(inputs.only(|store| members.keys.contains(&store.key)))
    }

    /// [`fleet`](Self::fleet) with the stores of an audience.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn fleet_of(&self, view: &Connection, audience: &Audience) -> Result<(Arc<Fleet>, Arc<StoreList>)> {
        let (fleet, stores) = self.fleet(view)?;
        if audience.is_all() {
            return Ok((fleet, stores));
        }
        let members = self.audiences.members(view, audience)?;
        let fleet = fleet.only(|store| members.keys.contains(&store.key));
        let stores = list(&fleet);
        Ok((fleet.into(), stores))
    }

    /// The instant of the newest poll of an audience's stores; with `until`, of those at or before it. Of some stores
    /// it is looked for within the eight days before `until`: no number depends on older ones.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn newest_poll(
        &self,
        db: &mut Connection,
        until: Option<Micros>,
        audience: &Audience,
    ) -> Result<Option<Micros>> {
        match (audience, until) {
            (Audience::All, None) => return polls::newest(db),
            (Audience::All, Some(until)) => return polls::newest_until(db, until),
            _ => {}
        }
        let Some(newest) = polls::newest(db)? else {
            return Ok(None);
        };
        let members = self.audiences.members(db, audience)?;
        if let Some(until) = until.filter(|until| *until < newest) {
            let span = Interval::new(until.saturating_sub(REACH), until.saturating_add(1));
            return polls::newest_of(db, span, |store| members.keys.contains(&store));
        }
        let inputs = self.inputs(db, newest)?;
        let mut scratch = Vec::new();
        let last = |key: &StoreKey| {
            inputs
                .history
                .of(*key, reach(newest), &mut scratch)
                .last()
                .map(|poll| poll.at())
        };
        if let Some(newest) = members.keys.iter().filter_map(last).max() {
            return Ok(Some(newest));
        }
        known(&members.newest, inputs.past, || {
            polls::newest_of(db, polls::ALL_TIME, |store| members.keys.contains(&store))
        })
    }

    /// The instant of the oldest poll of an audience's stores.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn oldest_poll(&self, db: &mut Connection, audience: &Audience) -> Result<Option<Micros>> {
        let oldest = polls::first(db, polls::ALL_TIME)?;
        let (false, Some(oldest)) = (audience.is_all(), oldest) else {
            return Ok(oldest);
        };
        let members = self.audiences.members(db, audience)?;
        let past = self.inputs(db, oldest.max(polls::newest(db)?.unwrap_or(oldest)))?.past;
        known(&members.oldest, past, || {
            polls::oldest_of(db, |store| members.keys.contains(&store))
        })
    }
}
