//! The writer's meter: commits, changes and checkpoints.

use std::time::Duration;

use crate::metrics::{Counter, Histogram};

/// What the writer counts.
#[derive(Debug, Default)]
pub struct Meter {
    /// From the begin of a transaction to its durable end, or to its failure.
    pub commits: Histogram,
    /// Commits that failed.
    pub failed: Counter,
    /// Changes that commits carried.
    pub changes: Counter,
    /// Changes that were turned away because the queue was full.
    pub refused_full: Counter,
    /// Changes that were taken back because they waited for too long.
    pub refused_late: Counter,
    /// Copies of the log into the database.
    pub checkpoints: Histogram,
    /// Copies of a part of it, because a reader still needed the rest.
    pub checkpoints_partial: Counter,
    /// Copies that failed.
    pub checkpoints_failed: Counter,
}

impl Meter {
    pub(super) fn committed(&self, took: Duration, changes: usize, is_failed: bool) {
        self.commits.observe(took);
        self.changes.add(changes as u64);
        if is_failed {
            self.failed.one();
        }
    }
}
