//! What the engine remembers from minute to minute. A server stores it with its messages, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::rule::When;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;

/// What the engine remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Whether the poller is away.
    pub poller: Poller,
    /// Since when backups are missed, as told.
    pub backups_missed: Option<Micros>,
    /// What each rule remembers, by its name.
    pub rules: BTreeMap<String, RuleState>,
}

/// The poller, as far as polls tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poller {
    /// Since when it is away: the newest poll before; none while it works.
    pub away_since: Option<Micros>,
    /// When it was last found to work again.
    pub back_at: Option<Micros>,
    /// How many stores were overdue when it was found to be away.
    pub overdue: usize,
    /// Of how many that were open.
    pub expected: usize,
}

/// A store's trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// [`When::Offline`] or [`When::Silent`].
    pub what: When,
    /// Since when: the first inactive poll, or the last poll of all.
    pub since: Micros,
    /// How many inactive polls there are.
    pub inactive: u32,
}

/// A store whose trouble was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The trouble.
    pub trouble: Trouble,
    /// Whether it was only suspected: many others of its owner were in trouble.
    pub suspected: bool,
}

/// A store that is back, which was not told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// The trouble that was told.
    pub told: Told,
    /// The active poll that ended it.
    pub back_at: Micros,
}

/// An alert that was sent and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAlert {
    /// Its key.
    pub key: String,
    /// What it is about.
    pub what: When,
    /// The stores that are still in trouble.
    pub stores: BTreeSet<StoreKey>,
    /// When it was sent.
    pub sent_at: Micros,
    /// When it was sent or repeated last.
    pub last_at: Micros,
    /// Whether a receiver acknowledged it.
    pub acknowledged: bool,
    /// Whether the second receivers were told.
    pub escalated: bool,
}

/// What one rule remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleState {
    /// Stores whose trouble was told and lasts.
    pub told: BTreeMap<StoreKey, Told>,
    /// Stores whose trouble waits for a message.
    pub waiting: BTreeMap<StoreKey, Trouble>,
    /// Stores that are back, which waits for a message.
    pub returned: BTreeMap<StoreKey, Returned>,
    /// How many stores were in trouble and back before a message left, since the last one.
    pub passed: usize,
    /// When the next message about each is due.
    pub due: BTreeMap<When, Micros>,
    /// The outage of the poller that was told: since when.
    pub outage: Option<Micros>,
    /// The missed backups that were told: since when.
    pub backups: Option<Micros>,
    /// The alerts that are not over.
    pub alerts: Vec<OpenAlert>,
}

impl RuleState {
    /// The stores of which something is remembered.
    pub(super) fn keys(&self) -> impl Iterator<Item = StoreKey> {
        let busy = self.waiting.keys().chain(self.returned.keys());
        self.told.keys().chain(busy).copied()
    }

    /// Forgets a store that is not there any more.
    pub(super) fn forget(&mut self, store: StoreKey) {
        self.told.remove(&store);
        self.waiting.remove(&store);
        self.returned.remove(&store);
        self.settle(store);
    }

    /// Takes a store out of the alerts that tell of it; those without any are over. Returns whether one of them tells
    /// of others that are not back.
    pub(super) fn settle(&mut self, store: StoreKey) -> bool {
        let mut others = false;
        self.alerts.retain_mut(|alert| {
            let tells = alert.stores.remove(&store);
            others |= tells && !alert.stores.is_empty();
            !tells || !alert.stores.is_empty()
        });
        others
    }
}
