//! A job: a task on its way through the queue to a worker.

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

/// How a worker makes a product, reading the database through its own connection.
pub type Recipe = Arc<dyn Fn(&mut Connection, &Order) -> Result<Arc<dyn Product>> + Send + Sync>;

/// A place among the jobs that wait for a worker, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// A permit, and how many there were before.
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

/// A product to be made. Where no instant was given, the first to need it takes the newest poll's: mostly
/// the worker, who reads the database anyway.
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
    /// Fixes the instant, as `db` sees the newest poll if none was given.
    pub(super) fn fix(&self, db: &Connection) -> Result<()> {
        if self.as_of.get().is_none() {
            let newest = polls::newest(db)?.unwrap_or(self.triggered_at);
            // Of two who come here at once one is right.
            let _ = self.as_of.set(newest);
        }
        Ok(())
    }

    /// The instant and the rule; where no poll could be read, the instant of the trigger.
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

    /// The part of its record that is known from its trigger on.
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

/// A task in the queue, or in a worker's hands.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) task: Arc<Task>,
    /// Told how it ended, once that is durable; the trigger may have stopped listening.
    pub(super) ended: Sender<ReportState>,
    /// Set when the trigger was answered that there is no such report.
    pub(super) refused: Arc<AtomicBool>,
}
