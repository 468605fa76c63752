//! Alerts as the engine makes them: who is told what. Words are made of them later.

use super::rule::When;
use super::state::{Told, Trouble};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{Interval, Micros};

/// Why an alert is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Something began or ended.
    News,
    /// It lasts.
    Reminder,
    /// Nobody acknowledged it.
    Escalation,
}

impl Cause {
    /// The word in keys and facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::News => "news",
            Self::Reminder => "reminder",
            Self::Escalation => "escalation",
        }
    }
}

/// One store of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The store.
    pub store: StoreKey,
    /// Its trouble.
    pub trouble: Trouble,
    /// Whether it is only suspected.
    pub suspected: bool,
    /// The poll that ended it.
    pub back_at: Option<Micros>,
}

impl Line {
    /// A store whose trouble was told.
    pub(super) fn of(store: StoreKey, told: &Told, back_at: Option<Micros>) -> Self {
        Self {
            store,
            trouble: told.trouble,
            suspected: told.suspected,
            back_at,
        }
    }
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Stores that are offline, or silent.
    Stores(Vec<Line>),
    /// Stores that are back.
    Back(Vec<Line>),
    /// The poller is away since its newest poll; so many open stores are overdue, of so many.
    PollerAway {
        /// The newest poll.
        since: Micros,
        /// The overdue stores.
        overdue: usize,
        /// The open stores.
        expected: usize,
    },
    /// The poller works again; it was away so long.
    PollerBack(Interval),
    /// No backup was made since.
    BackupsMissed(Micros),
    /// Backups are made again.
    BackupsMade,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it is about, when: no two alerts have the same.
    pub key: String,
    /// The rule.
    pub rule: String,
    /// The minute.
    pub at: Micros,
    /// What the rule looked for.
    pub what: When,
    /// Why it is sent.
    pub cause: Cause,
    /// What it says.
    pub about: About,
    /// How many stores more were in trouble and back before it left.
    pub passed: usize,
    /// The receivers.
    pub to: Vec<String>,
    /// The key of the alert that an acknowledgement of this one acknowledges.
    pub acknowledges: Option<String>,
}

impl Alert {
    /// The stores that it tells of.
    pub fn lines(&self) -> &[Line] {
        match &self.about {
            About::Stores(lines) | About::Back(lines) => lines,
            _ => &[],
        }
    }
}
