//! A worker: one thread of the pool, which makes products and stores the outcome.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rusqlite::Connection;

use super::ending::{Ending, Records};
use super::job::{Job, Permit, Recipe, Task};
use super::meter::Meter;
use super::recent::Recent;
use super::unstored::Unstored;
use crate::db::connection::open_reader;
use crate::db::reports;
use crate::error::{Error, ErrorKind, Result};
use crate::health::Condition;
use crate::product::Product;

/// How long a worker waits for its commit. A slow one is left to the thread of retries: other reports wait.
const COMMIT_PATIENCE: Duration = Duration::from_secs(1);

/// The pauses between the tries to note that a report is made once more.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(200), Duration::from_secs(1)];

/// One thread of the pool.
pub(super) struct Worker {
    pub(super) file: PathBuf,
    pub(super) jobs: Receiver<(Permit, Job)>,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) records: Records,
    pub(super) unstored: Sender<Unstored>,
    pub(super) recipe: Recipe,
    pub(super) keep_reports_max: u32,
    pub(super) meter: Arc<Meter>,
}

impl Worker {
    pub(super) fn run(&self) {
        let mut db = None;
        for (permit, job) in &self.jobs {
            if self.stopping.load(Ordering::SeqCst) {
                // Its row says Running, so the next start makes it.
                continue;
            }
            drop(permit);
            let id = job.task.id;
            let began = Instant::now();
            let outcome = self.begin(&job.task).and_then(|()| self.make(&mut db, &job.task));
            let made = began.elapsed();
            self.meter.made(job.task.kind, made, outcome.is_err());
            if let Err(reason) = &outcome {
                tracing::error!(%id, reason, "a report failed");
            }
            self.keep(job, outcome);
            tracing::debug!(%id, ?made, kept = ?(began.elapsed() - made), "a report is done");
        }
    }

    /// Notes that the report is being made, so that an end of the process counts against it. One that an earlier end
    /// left is not made again before that is durable.
    fn begin(&self, task: &Arc<Task>) -> std::result::Result<(), String> {
        if !task.is_again {
            task.begin(&self.records.writer);
            return Ok(());
        }
        let id = task.id;
        let mut begun = Ok(());
        for pause in PAUSES {
            thread::sleep(pause);
            begun = self.records.writer.write(move |db| reports::begin(db, id));
            if begun.is_ok() {
                break;
            }
        }
        begun.map_err(|error| format!("it could not be made again: {error}"))
    }

    /// Makes the product; an error or a panic becomes the reason of the failure.
    fn make(&self, db: &mut Option<Connection>, task: &Task) -> std::result::Result<Arc<dyn Product>, String> {
        let made = catch_unwind(AssertUnwindSafe(|| {
            let mut open = match db.take() {
                Some(open) => open,
                None => open_reader(&self.file)?,
            };
            task.fix(&open)?;
            let made = (self.recipe)(&mut open, &task.order())?;
            // A connection is not used again after an error or a panic.
            *db = Some(open);
            Ok(made)
        }));
        match made {
            Ok(made) => made.map_err(|error: Error| {
                if error.kind() == ErrorKind::Broken {
                    let health = self.records.writer.watch().health();
                    health.set(Condition::DatabaseBroken, error.message());
                }
                error.to_string()
            }),
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().copied();
                let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                let said = said.unwrap_or("no message");
                Err(format!("the report panicked: {said}"))
            }
        }
    }

    /// Stores the outcome, or leaves it to the thread that tries again.
    fn keep(&self, job: Job, outcome: std::result::Result<Arc<dyn Product>, String>) {
        let ending = match outcome {
            Ok(product) => Ending::Complete(Arc::new(Recent::new(product, job.task.by.audience.clone()))),
            Err(reason) => Ending::Failed(reason),
        };
        let ended = self.records.ended(job, ending);
        let unstored = match self.records.queue(&ended) {
            Err(error) => Unstored::refused(ended, &error),
            Ok(commit) => match commit.wait_for(COMMIT_PATIENCE) {
                Some(Ok(())) => return self.forget_old(),
                Some(Err(error)) => Unstored::refused(ended, &error),
                None => Unstored::new(ended, Some(commit)),
            },
        };
        // The thread ends after the last worker.
        let _ = self.unstored.send(unstored);
    }

    /// Deletes reports that are too many, in a separate commit for which nobody waits.
    fn forget_old(&self) {
        let keep = self.keep_reports_max;
        let (recent, asked) = (Arc::clone(&self.records.recent), Arc::clone(&self.records.asked));
        let wanted = Arc::clone(&asked);
        let forget = move |db: &Connection| {
            reports::forget_old(db, keep, |id| wanted.is_wanted(id)).inspect_err(|error| {
                tracing::error!(%error, "old reports could not be forgotten; the next report tries again");
            })
        };
        let forgotten: Result<_> = self.records.writer.queue(forget, move |ids| {
            recent.forget(ids);
            asked.forget(ids);
        });
        if let Err(error) = forgotten {
            tracing::error!(%error, "old reports could not be forgotten; the next report tries again");
        }
    }
}
