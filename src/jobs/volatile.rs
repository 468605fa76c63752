//! Reports that a full disk keeps out of the database. They are made and fetched all the same, from memory.
//!
//! Their triggers are told so. A report is stored once there is room; a restart before that forgets it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::ending::{Ended, Ending};
use super::recent::Recent;
use crate::access::Audience;
use crate::db::reports::{Report, ReportState, Triggered};

/// How many there may be; the oldest are forgotten first. All products together are limited with those of other
/// reports that are not stored yet.
const VOLATILE_REPORTS_MAX: usize = 256;

/// A report's record and, once it is complete, its product.
type Entry = (Report, Option<Arc<Recent>>);

/// The reports, the newest last.
#[derive(Debug, Default)]
pub(super) struct Volatile(Mutex<Vec<Entry>>);

impl Volatile {
    fn all(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a report whose first row did not fit.
    pub(super) fn admit(&self, triggered: Triggered) {
        let mut all = self.all();
        let report = Report {
            // It has no place among the stored ones yet.
            number: i64::MAX,
            id: triggered.id,
            state: ReportState::Running,
            kind: triggered.kind,
            parameters: triggered.parameters,
            question: triggered.question,
            triggered_at: triggered.triggered_at,
            finished_at: None,
            error: None,
            csv_bytes: None,
            credential: triggered.by.credential,
            audience: triggered.by.audience,
            callback: triggered.by.callback,
        };
        all.push((report, None));
        if all.len() > VOLATILE_REPORTS_MAX {
            all.remove(0);
        }
    }

    /// Notes how a report ended, if it is here.
    pub(super) fn end(&self, ended: &Ended) {
        let id = ended.job.task.id;
        if let Some((report, product)) = self.all().iter_mut().find(|(report, _)| report.id == id) {
            report.finished_at = Some(ended.finished_at);
            (report.state, report.error, *product) = match &ended.ending {
                Ending::Complete(made) => (ReportState::Complete, None, Some(Arc::clone(made))),
                Ending::Failed(reason) => (ReportState::Failed, Some(reason.clone()), None),
            };
            report.csv_bytes = product.as_ref().and_then(|made| made.csv_bytes.try_into().ok());
        }
    }

    /// Forgets a report that is stored now.
    pub(super) fn forget(&self, id: Uuid) {
        self.all().retain(|(report, _)| report.id != id);
    }

    pub(super) fn find(&self, id: Uuid) -> Option<Report> {
        let all = self.all();
        all.iter()
            .find(|(report, _)| report.id == id)
            .map(|(report, _)| report.clone())
    }

    pub(super) fn product(&self, id: Uuid) -> Option<Arc<Recent>> {
        self.all().iter().find(|(report, _)| report.id == id)?.1.clone()
    }

    /// All records that an audience may see, the newest first.
    pub(super) fn list(&self, audience: &Audience) -> Vec<Report> {
        let all = self.all();
        let seen = all.iter().rev().filter(|(report, _)| audience.covers(&report.audience));
        seen.map(|(report, _)| report.clone()).collect()
    }
}
