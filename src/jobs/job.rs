//! A job: an ordered product on its way through the queue to a worker.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crossbeam_channel::Sender;
use rusqlite::Connection;
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::polls;
use crate::db::reports::{self, ReportState, Requester, Triggered};
use crate::db::writer::Writer;
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
    pub(super) by: Requester,
    pub(super) as_of: OnceLock<Micros>,
    pub(super) rule: Interpolation,
    pub(super) triggered_at: Micros,
    /// The same by a clock that nobody sets; none for a report that an earlier process was asked for.
    pub(super) triggered: Option<Instant>,
    /// Whether an earlier process left it unfinished.
    pub(super) is_again: bool,
    pub(super) run: Run,
}

/// How far the making of a report and the writing of its row have come: each may be first.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// A worker has begun.
    begun: AtomicBool,
    /// Its row is in the database.
    has_row: AtomicBool,
    /// The row says that a worker has begun, or will.
    is_noted: AtomicBool,
}

impl Task {
    /// Fixes the instant: if none was given, that of the newest poll in `db`.
    pub(super) fn fix(&self, db: &Connection) -> Result<()> {
        if self.as_of.get().is_none() {
            // The caller gives the instant of a report of some stores: the newest poll may be another store's.
            let newest = match self.by.audience.is_all() {
                true => polls::newest(db)?,
                false => None,
            };
            let newest = newest.unwrap_or(self.triggered_at);
            // If two threads fix it at once, either value is right.
            let _ = self.as_of.set(newest);
        }
        Ok(())
    }

    /// Notes that a worker has begun, if there is a row to note it in. Nobody waits for that commit: an end
    /// within a few milliseconds does not count.
    pub(super) fn begin(&self, writer: &Writer) {
        self.run.begun.store(true, Ordering::SeqCst);
        if self.run.has_row.load(Ordering::SeqCst) {
            self.note(writer);
        }
    }

    /// Writes the row of a report that runs.
    pub(super) fn add(&self, db: &Connection) -> Result<()> {
        let is_begun = self.run.begun.load(Ordering::SeqCst);
        self.run.is_noted.store(is_begun, Ordering::SeqCst);
        reports::add(db, &self.triggered(), is_begun)
    }

    /// To be called once the row is durable.
    pub(super) fn added(&self, writer: &Writer) {
        self.run.has_row.store(true, Ordering::SeqCst);
        if self.run.begun.load(Ordering::SeqCst) {
            self.note(writer);
        }
    }

    fn note(&self, writer: &Writer) {
        let id = self.id;
        if !self.run.is_noted.swap(true, Ordering::SeqCst)
            && let Err(error) = writer.queue(move |db| reports::begin(db, id), |()| {})
        {
            tracing::debug!(%id, %error, "the start of a report could not be noted");
        }
    }

    /// The instant at which it ends now. It is never before the trigger, whatever the machine's clock says meanwhile.
    pub(super) fn finished_at(&self, clock: Clock) -> Micros {
        match self.triggered {
            Some(triggered) => clock.after(self.triggered_at, triggered.elapsed()),
            None => clock.now_us().max(self.triggered_at),
        }
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
            audience: self.by.audience.clone(),
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
            by: self.by.clone(),
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
