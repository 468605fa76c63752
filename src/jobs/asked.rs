//! Asked: when finished reports were last asked for, so that none is forgotten that somebody still wants.
//!
//! Known in memory alone: a read should write nothing, least of all a row as long as a report's. After a restart every
//! report counts as never fetched, so it is kept rather longer than shorter.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// For so long a report is wanted after somebody asked for it.
const WANTED_FOR: Duration = Duration::from_secs(3600);

/// So many reports are known at most; then all count as never fetched.
const ASKED_MAX: usize = 100_000;

/// When finished reports were last asked for.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<HashMap<Uuid, Instant>>);

impl Asked {
    fn known(&self) -> MutexGuard<'_, HashMap<Uuid, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a finished report was asked for now.
    pub(super) fn note(&self, id: Uuid) {
        let mut known = self.known();
        if known.len() >= ASKED_MAX {
            known.clear();
        }
        known.insert(id, Instant::now());
    }

    /// Whether nobody has fetched the report yet, or somebody asked for it within the hour.
    pub(super) fn is_wanted(&self, id: Uuid) -> bool {
        let at = self.known().get(&id).copied();
        at.is_none_or(|at| at.elapsed() < WANTED_FOR)
    }

    /// Lets go of reports that were deleted.
    pub(super) fn forget(&self, ids: &[Uuid]) {
        let mut known = self.known();
        for id in ids {
            known.remove(id);
        }
    }
}
