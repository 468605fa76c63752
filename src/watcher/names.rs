//! What messages call stores.

use std::collections::HashMap;

use chrono_tz::Tz;
use rusqlite::Connection;

use crate::alerts::text::Name;
use crate::db::fleet::{Label, labels};
use crate::error::Result;
use crate::uptime::business_hours::ZONE_DEFAULT;
use crate::uptime::fleet::{Fleet, StoreKey};

/// The names of a fleet's stores.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    names: HashMap<StoreKey, Name>,
}

impl NameTable {
    /// The names of all stores, as `db` has them.
    pub(super) fn read(db: &Connection, fleet: &Fleet) -> Result<Self> {
        let mut labels: HashMap<StoreKey, Label> = labels(db)?;
        let name = |store: &crate::uptime::fleet::Store| {
            let label = labels.remove(&store.key).unwrap_or_default();
            let id = store.id.to_string();
            let name = Name {
                name: if label.name.is_empty() { id.clone() } else { label.name },
                owner: label.group,
                zone: fleet.patterns()[store.pattern].zone,
                id,
            };
            (store.key, name)
        };
        Ok(Self {
            names: fleet.stores().iter().map(name).collect(),
        })
    }

    /// The owners, in the order of the fleet.
    pub(super) fn owners(&self, fleet: &Fleet) -> Vec<String> {
        let owner = |store: &crate::uptime::fleet::Store| self.of(store.key).owner;
        fleet.stores().iter().map(owner).collect()
    }

    /// The name of a store.
    pub(super) fn of(&self, store: StoreKey) -> Name {
        self.names.get(&store).cloned().unwrap_or_else(|| Name {
            id: String::new(),
            name: "a store that was deleted".to_owned(),
            owner: String::new(),
            zone: ZONE_DEFAULT,
        })
    }

    /// The zone of a store.
    pub(super) fn zone(&self, store: StoreKey) -> Tz {
        self.names.get(&store).map_or(ZONE_DEFAULT, |name| name.zone)
    }
}
