//! Reports as jobs: a bounded queue, a fixed pool of threads, and a record that survives a restart.
//!
//! A report is a row in the database before its id is given out. A worker takes it from the queue,
//! makes it, and keeps the outcome; an error or a panic becomes a `Failed` report and costs no thread.
//! It must never know HTTP, nor how the numbers are made: that is the [`Recipe`] it is given.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;
use uuid::Uuid;

use crate::clock;
use crate::db::connection::open_reader;
use crate::db::reports;
use crate::db::writer::Writer;
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

/// How a worker makes a report's CSV, reading the database through its own connection.
pub type Recipe = Arc<dyn Fn(&mut Connection, Question) -> Result<Vec<u8>> + Send + Sync>;

/// The limits of the queue and the pool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many threads make reports.
    pub workers: usize,
    /// How many reports may wait for a worker before the next is turned away.
    pub queue_reports_max: usize,
    /// How many finished reports the database keeps; the oldest go first.
    pub keep_reports_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: 2,
            queue_reports_max: 128,
            keep_reports_max: 200,
        }
    }
}

/// What a worker needs to know of a report.
#[derive(Clone, Copy, Debug)]
struct Job {
    id: Uuid,
    question: Question,
}

/// The queue and what it shares with the pool.
#[derive(Clone)]
pub struct Jobs {
    queue: Sender<Job>,
    /// Reports that were triggered and not yet taken by a worker.
    waiting: Arc<AtomicUsize>,
    /// Set when the workers shall take no more.
    stopping: Arc<AtomicBool>,
    writer: Writer,
    limits: Limits,
}

impl Jobs {
    /// Starts the pool on the database `file`, and queues again what a stop left unfinished.
    ///
    /// The threads end when every handle is dropped and the queue is empty.
    ///
    /// # Errors
    /// When the database cannot be read or the machine gives no thread.
    pub fn start(
        file: PathBuf,
        writer: Writer,
        limits: Limits,
        recipe: Recipe,
    ) -> Result<(Self, Vec<JoinHandle<()>>)> {
        let unfinished = reports::unfinished(&open_reader(&file)?)?;
        let (queue, jobs) = bounded(limits.queue_reports_max.max(unfinished.len()).max(1));
        let waiting = Arc::new(AtomicUsize::new(0));
        let stopping = Arc::new(AtomicBool::new(false));
        let this = Self {
            queue,
            waiting,
            stopping,
            writer,
            limits,
        };
        for report in unfinished {
            tracing::info!(id = %report.id, "running again a report that a stop left unfinished");
            this.waiting.fetch_add(1, Ordering::SeqCst);
            this.send(Job {
                id: report.id,
                question: report.question,
            })?;
        }
        let start = |number| {
            let worker = Worker {
                file: file.clone(),
                jobs: jobs.clone(),
                waiting: Arc::clone(&this.waiting),
                stopping: Arc::clone(&this.stopping),
                writer: this.writer.clone(),
                recipe: Arc::clone(&recipe),
                keep_reports_max: limits.keep_reports_max,
            };
            thread::Builder::new()
                .name(format!("report-{number}"))
                .spawn(move || worker.run())
                .map_err(|error| Error::failed("cannot start a report thread").because(error))
        };
        let threads = (0..limits.workers.max(1))
            .map(start)
            .collect::<Result<_>>()?;
        Ok((this, threads))
    }

    /// Triggers a report and returns its id, once it is in the database.
    ///
    /// `as_of` none: the newest poll's instant at this moment.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind) when too many are waiting; whatever keeps
    /// the row from the database.
    pub fn trigger(&self, as_of: Option<Micros>, rule: Interpolation) -> Result<Uuid> {
        // The place in the queue comes first, so that no row is written that could not be queued.
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= self.limits.queue_reports_max {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(Error::unavailable(format!(
                "{} reports are waiting already (try again in a second)",
                self.limits.queue_reports_max
            )));
        }
        let id = Uuid::new_v4();
        let triggered_at = clock::machine_us();
        let queued = self
            .writer
            .try_write(move |db| reports::add(db, id, as_of, rule, triggered_at))
            .and_then(|question| self.send(Job { id, question }));
        if let Err(error) = queued {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(error);
        }
        Ok(id)
    }

    /// How many reports wait for a worker.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Lets the workers finish what they have in hand and leaves the rest to the next start.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    fn send(&self, job: Job) -> Result<()> {
        self.queue
            .try_send(job)
            .map_err(|_| Error::unavailable("the report threads are stopping"))
    }
}

/// One thread of the pool.
struct Worker {
    file: PathBuf,
    jobs: Receiver<Job>,
    waiting: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    writer: Writer,
    recipe: Recipe,
    keep_reports_max: u32,
}

impl Worker {
    fn run(&self) {
        let mut db = None;
        for job in &self.jobs {
            if self.stopping.load(Ordering::SeqCst) {
                // Its row says Running: the next start makes it.
                continue;
            }
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            let began = Instant::now();
            let outcome = self.make(&mut db, job);
            let made = began.elapsed();
            if let Err(reason) = &outcome {
                tracing::error!(id = %job.id, reason, "a report failed");
            }
            self.keep(job.id, outcome);
            tracing::debug!(id = %job.id, ?made, kept = ?(began.elapsed() - made), "a report is done");
        }
    }

    /// Makes the report; an error or a panic becomes the reason why there is none.
    fn make(&self, db: &mut Option<Connection>, job: Job) -> Result<Vec<u8>, String> {
        let made = catch_unwind(AssertUnwindSafe(|| {
            let mut open = match db.take() {
                Some(open) => open,
                None => open_reader(&self.file)?,
            };
            let made = (self.recipe)(&mut open, job.question);
            // A connection that an error or a panic passed through is not used again.
            if made.is_ok() {
                *db = Some(open);
            }
            made
        }));
        match made {
            Ok(made) => made.map_err(|error| error.to_string()),
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
                let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
                Err(format!(
                    "the report panicked: {}",
                    said.unwrap_or_else(|| "no message".to_owned())
                ))
            }
        }
    }

    fn keep(&self, id: Uuid, outcome: Result<Vec<u8>, String>) {
        let (finished_at, keep) = (clock::machine_us(), self.keep_reports_max);
        let kept = self.writer.write(move |db| {
            reports::finish(db, id, &outcome, finished_at)?;
            reports::forget_old(db, keep)
        });
        if let Err(error) = kept {
            // It stays Running: the next start makes it again.
            tracing::error!(%id, %error, "a report's outcome could not be kept");
        }
    }
}
