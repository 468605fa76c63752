//! A job: an ordered product on its way through the queue to a worker.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_channel::Sender;
use rusqlite::Connection;
use uuid::Uuid;

use crate::db::polls;
use crate::db::reports::{ReportState, Triggered};
use crate::error::Result;
use crate::product::{Kind, Order, Product};
use crate::uptime::interval::Micros;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

/// Makes a product; the worker passes its own connection.
pub type Recipe = Arc<dyn Fn(&mut Connection, &Order) -> Result<Arc<dyn Product>> + Send + Sync>;

/// A place in the queue, freed when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// A new permit, and how many there were before.
    pub(super) fn take(waiting: &Arc<AtomicUsize>) -> (Self, usize) {
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        (Self(Arc::clone(waiting)), before)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An ordered product. If its instant is not given, the first reader fixes the newest poll's: mostly the
/// worker, who reads the database anyway.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: Uuid,
    pub(super) kind: Kind,
    pub(super) parameters: String,
    pub(super) as_of: OnceLock<Micros>,
    pub(super) rule: Interpolation,
    pub(super) triggered_at: Micros,
}

impl Task {
    /// Fixes the instant: if none was given, that of the newest poll in `db`.
    pub(super) fn fix(&self, db: &Connection) -> Result<()> {
        if self.as_of.get().is_none() {
            let newest = polls::newest(db)?.unwrap_or(self.triggered_at);
            // If two threads fix it at once, either value is right.
            let _ = self.as_of.set(newest);
        }
        Ok(())
    }

    /// The instant and the rule; if no poll could be read, the instant of the trigger.
    fn question(&self) -> Question {
        let as_of = self.as_of.get().copied().unwrap_or(self.triggered_at);
        let rule = self.rule;
        Question { as_of, rule }
    }

    pub(super) fn order(&self) -> Order {
        Order {
            kind: self.kind,
            question: self.question(),
            parameters: self.parameters.clone(),
        }
    }

    /// The fields of its record that are known when it is triggered.
    pub(super) fn triggered(&self) -> Triggered {
        Triggered {
            id: self.id,
            kind: self.kind.as_str().to_owned(),
            parameters: self.parameters.clone(),
            question: self.question(),
            triggered_at: self.triggered_at,
        }
    }
}

/// A queued or running task.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) task: Arc<Task>,
    /// Receives the final state, once it is durable; the trigger may have stopped listening.
    pub(super) ended: Sender<ReportState>,
    /// Set once the trigger was told that there is no such report.
    pub(super) refused: Arc<AtomicBool>,
}
