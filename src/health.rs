//! The health of a server: the conditions that hold while it runs, for `/health`, metrics, pages and the exit status.
//!
//! Each condition is a sentence for the operator. It is logged when it begins and when it ends, not each time that it
//! is noticed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Something that an operator must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The database's files were removed or replaced while they were open.
    DatabaseReplaced,
    /// The write-ahead log was damaged when the server started.
    LogDamaged,
    /// Stored data are not what was stored, or the disk fails.
    DatabaseBroken,
    /// The disk has no room.
    NoSpace,
    /// The reserve file is missing.
    NoReserve,
    /// The machine's clock cannot be right.
    ClockSuspect,
    /// Old polls were to be forgotten, and were too many.
    RetentionHeld,
    /// Finished reports could not be stored yet.
    ReportsUnstored,
    /// The last backup failed.
    BackupFailed,
    /// Two backups in a row were not made.
    BackupMissed,
    /// A receiver takes no messages.
    ReceiverFailing,
}

impl Condition {
    /// Every condition, the gravest first.
    pub const ALL: [Self; 11] = [
        Self::DatabaseReplaced,
        Self::LogDamaged,
        Self::DatabaseBroken,
        Self::NoSpace,
        Self::NoReserve,
        Self::ClockSuspect,
        Self::RetentionHeld,
        Self::ReportsUnstored,
        Self::BackupFailed,
        Self::BackupMissed,
        Self::ReceiverFailing,
    ];

    /// Its name in `/health` and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseReplaced => "database_replaced",
            Self::LogDamaged => "log_damaged",
            Self::DatabaseBroken => "database_broken",
            Self::NoSpace => "no_space",
            Self::NoReserve => "no_reserve",
            Self::ClockSuspect => "clock_suspect",
            Self::RetentionHeld => "retention_held",
            Self::ReportsUnstored => "reports_unstored",
            Self::BackupFailed => "backup_failed",
            Self::BackupMissed => "backup_missed",
            Self::ReceiverFailing => "receiver_failing",
        }
    }

    /// Whether the server can do nothing useful while it holds: `/health` is 503.
    pub const fn is_down(self) -> bool {
        matches!(self, Self::DatabaseReplaced)
    }

    /// Whether a poll would be refused or a report could not be made while it holds, so that the server is not ready.
    pub const fn is_unready(self) -> bool {
        matches!(
            self,
            Self::DatabaseReplaced | Self::DatabaseBroken | Self::NoSpace | Self::ClockSuspect
        )
    }

    /// Whether the process must exit with status 1 at the stop, even if the condition has ended.
    pub const fn fails_the_stop(self) -> bool {
        matches!(self, Self::DatabaseReplaced | Self::LogDamaged | Self::DatabaseBroken)
    }
}

/// The conditions that hold now.
#[derive(Debug, Default)]
pub struct Health {
    now: Mutex<BTreeMap<Condition, String>>,
    failed: AtomicBool,
}

impl Health {
    /// Says that a condition holds; `sentence` says what happened, and the remedy.
    pub fn set(&self, condition: Condition, sentence: impl Into<String>) {
        let sentence = sentence.into();
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.get(&condition) == Some(&sentence) {
            return;
        }
        if condition.fails_the_stop() {
            self.failed.store(true, Ordering::SeqCst);
        }
        tracing::error!(condition = condition.as_str(), "{sentence}");
        now.insert(condition, sentence);
    }

    /// Says that a condition holds, unless that is known: its sentence stays as it was when it began.
    pub fn begin(&self, condition: Condition, sentence: impl FnOnce() -> String) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.entry(condition).or_insert_with(|| {
            let sentence = sentence();
            tracing::error!(condition = condition.as_str(), "{sentence}");
            sentence
        });
        if condition.fails_the_stop() {
            self.failed.store(true, Ordering::SeqCst);
        }
    }

    /// Says that a condition does not hold, or holds no more.
    pub fn clear(&self, condition: Condition) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.remove(&condition).is_some() {
            tracing::info!(condition = condition.as_str(), "this holds no more");
        }
    }

    /// The sentence of a condition, if it holds.
    pub fn get(&self, condition: Condition) -> Option<String> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.get(&condition).cloned()
    }

    /// All conditions that hold, the gravest first.
    pub fn list(&self) -> Vec<(Condition, String)> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.iter()
            .map(|(&condition, sentence)| (condition, sentence.clone()))
            .collect()
    }

    /// Whether the process must exit with status 1: some condition said so since the start.
    pub fn fails_the_stop(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_until_it_is_cleared_and_a_grave_one_fails_the_stop() {
        let health = Health::default();
        health.set(Condition::NoReserve, "no room");
        health.set(Condition::NoReserve, "no room yet");
        assert_eq!(health.list(), [(Condition::NoReserve, "no room yet".to_owned())]);
        health.begin(Condition::NoReserve, || "another word".to_owned());
        assert_eq!(health.get(Condition::NoReserve).as_deref(), Some("no room yet"));
        assert!(!health.fails_the_stop());
        health.set(Condition::DatabaseReplaced, "gone");
        assert_eq!(health.list()[0].0, Condition::DatabaseReplaced);
        health.clear(Condition::DatabaseReplaced);
        assert_eq!(health.get(Condition::DatabaseReplaced), None);
        assert!(health.fails_the_stop());
    }
}
