//! Alert rules: who is told what about which stores, and when they are left alone.

use chrono::{DateTime, NaiveTime};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::access::Audience;
use crate::uptime::interval::{HOUR, MINUTE, Micros};

/// What a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// A store is offline in business hours.
    Offline,
    /// A store that should be polled was not polled for long.
    Silent,
    /// The poller itself is away: most stores fell silent together.
    PollerOutage,
    /// What was told before has ended.
    BackOnline,
    /// The server made no backup twice in a row.
    Backup,
}

impl When {
    /// All, in the order of the guide.
    pub const ALL: [Self; 5] = [
        Self::Offline,
        Self::Silent,
        Self::PollerOutage,
        Self::BackOnline,
        Self::Backup,
    ];

    /// The word in the configuration, in messages' facts and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Silent => "silent",
            Self::PollerOutage => "poller_outage",
            Self::BackOnline => "back_online",
            Self::Backup => "backup",
        }
    }

    /// What a word says.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|when| when.as_str() == name)
    }
}

/// A daily stretch of wall time in which a rule sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// Its beginning.
    pub start_local: NaiveTime,
    /// Its end; not after the beginning means on the next day.
    pub end_local: NaiveTime,
    /// The zone of both.
    pub zone: Tz,
}

impl QuietHours {
    /// Whether they hold at an instant.
    pub fn contains(&self, at: Micros) -> bool {
        let Some(utc) = DateTime::from_timestamp_micros(at) else {
            return false;
        };
        let time = utc.with_timezone(&self.zone).time();
        match self.start_local <= self.end_local {
            true => self.start_local <= time && time < self.end_local,
            false => self.start_local <= time || time < self.end_local,
        }
    }
}

/// An alert rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name: no two rules have the same.
    pub name: String,
    /// The stores that it is about.
    pub stores: Audience,
    /// What it looks for.
    pub when: Vec<When>,
    /// The receivers.
    pub to: Vec<String>,
    /// How much business time a store must be offline; none: until the second inactive poll in a row, or for twice the
    /// store's usual gap after the only one.
    pub after: Option<Micros>,
    /// After how many usual gaps without a poll a store is silent.
    pub silent_gaps: u32,
    /// How long a message waits for more stores that it can tell of.
    pub group_within: Micros,
    /// No store is told of so shortly before its business hours end.
    pub quiet_before_close: Micros,
    /// When nothing is sent.
    pub quiet: Option<QuietHours>,
    /// After what time without an end a message is repeated; none: never.
    pub remind: Option<Micros>,
    /// After what time without an acknowledgement the second receivers are told; none: never.
    pub escalate_after: Option<Micros>,
    /// The second receivers.
    pub escalate_to: Vec<String>,
}

/// How long a message waits for more stores, unless the rule says otherwise.
pub const GROUPED_FOR: Micros = 10 * MINUTE;

/// How long before the end of business hours a store is left alone, unless the rule says otherwise.
pub const QUIET_BEFORE_CLOSE: Micros = 15 * MINUTE;

/// After how many usual gaps without a poll a store is silent, unless the rule says otherwise.
pub const SILENT_GAPS: u32 = 3;

/// The shortest time between two messages about the same.
pub const REMIND_MIN: Micros = HOUR / 4;

impl Rule {
    /// A rule with the defaults, about all stores and all that a rule can look for.
    pub fn new(name: impl Into<String>, to: Vec<String>) -> Self {
        Self {
            name: name.into(),
            stores: Audience::All,
            when: When::ALL.to_vec(),
            to,
            after: None,
            silent_gaps: SILENT_GAPS,
            group_within: GROUPED_FOR,
            quiet_before_close: QUIET_BEFORE_CLOSE,
            quiet: None,
            remind: None,
            escalate_after: None,
            escalate_to: Vec::new(),
        }
    }

    /// Whether it sends nothing at an instant.
    pub fn is_quiet(&self, at: Micros) -> bool {
        self.quiet.is_some_and(|quiet| quiet.contains(at))
    }

    /// How many whole minutes a message waits for more stores: rules are applied once a minute.
    pub fn wait(&self) -> Micros {
        self.group_within / MINUTE * MINUTE
    }

    /// All receivers that it names.
    pub fn receivers(&self) -> impl Iterator<Item = &String> {
        self.to.iter().chain(&self.escalate_to)
    }
}
