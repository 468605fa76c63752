//! Reports as jobs: a bounded queue, a fixed pool of threads, and a record that survives a restart.
//!
//! A report is a row in the database before its id is given out. A worker takes it from the queue,
//! makes it, and keeps the outcome; an error or a panic becomes a `Failed` report and costs no thread.
//! It must never know HTTP, nor how the numbers are made: that is the [`Recipe`] it is given.
//!
//! # Where the time goes
//! Two commits must reach the disk one after the other: the report's row, then its numbers. Neither is
//! waited for idly. The numbers are made while the first is on its way: the job is queued from within the
//! transaction that adds its row, and its worker begins at once if all that this transaction has changed
//! of the data is durable already. The CSV is written while the second is. Old reports are forgotten
//! after, and apart.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;
use uuid::Uuid;

use crate::clock;
use crate::db::connection::open_reader;
use crate::db::generation::{self, Generation};
use crate::db::writer::Writer;
use crate::db::{self, reports};
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;
use crate::uptime::report::{Question, Report};
use crate::uptime::timeline::Interpolation;

/// How a worker makes a report, reading the database through its own connection.
pub type Recipe = Arc<dyn Fn(&mut Connection, Question) -> Result<Made> + Send + Sync>;

/// What a recipe makes.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The report.
    pub report: Report,
    /// The generation of its fleet.
    pub fleet_generation: i64,
}

/// How many bytes of finished reports stay in memory, for those who fetch them soon.
const RECENT_BYTES_MAX: usize = 16 << 20;

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
#[derive(Debug)]
struct Job {
    id: Uuid,
    question: Question,
    /// The data as it was when the report was triggered: none older will do.
    generation: Generation,
    row: AwaitedRow,
    place: Place,
}

/// The row of a report that a transaction is about to commit.
#[derive(Debug)]
struct AwaitedRow {
    /// Says a word when the row is durable; closed without one if it will not be.
    told: Receiver<()>,
    durable: Option<bool>,
}

impl AwaitedRow {
    /// The row of a report, and where to tell that it is durable.
    fn new() -> (Self, Sender<()>) {
        let (tell, told) = bounded(1);
        let durable = None;
        (Self { told, durable }, tell)
    }

    /// A row that was found in the database.
    fn found() -> Self {
        Self {
            durable: Some(true),
            ..Self::new().0
        }
    }

    /// Waits until the row is durable; false if it will not be.
    fn wait(&mut self) -> bool {
        let told = &self.told;
        *self.durable.get_or_insert_with(|| told.recv().is_ok())
    }
}

/// A place in the queue, given back when it is dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> (Self, usize) {
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        (Self(Arc::clone(waiting)), before)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Reports that were finished lately, the newest last.
#[derive(Debug, Default)]
struct Recent(Mutex<VecDeque<(Uuid, Arc<Fresh>)>>);

/// A report whose CSV is written once: by its worker, or by whoever fetches it sooner.
#[derive(Debug)]
struct Fresh {
    csv_bytes: usize,
    text: Mutex<Text>,
}

#[derive(Debug)]
enum Text {
    Unwritten(Arc<Report>),
    Written(Arc<Vec<u8>>),
}

impl Fresh {
    fn new(report: Arc<Report>) -> Self {
        Self {
            csv_bytes: report.csv_bytes(),
            text: Mutex::new(Text::Unwritten(report)),
        }
    }

    fn csv(&self) -> Arc<Vec<u8>> {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        match &*text {
            Text::Written(csv) => Arc::clone(csv),
            Text::Unwritten(report) => {
                // On one thread: another is at work on the commit.
                let csv = Arc::new(report.csv(1));
                *text = Text::Written(Arc::clone(&csv));
                csv
            }
        }
    }
}

impl Recent {
    fn add(&self, id: Uuid, report: Arc<Fresh>) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back((id, report));
        let mut bytes: usize = recent.iter().map(|(_, report)| report.csv_bytes).sum();
        while bytes > RECENT_BYTES_MAX
            && let Some((_, oldest)) = recent.pop_front()
        {
            bytes -= oldest.csv_bytes;
        }
    }

    fn find(&self, id: Uuid) -> Option<Arc<Fresh>> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = recent.iter().rev().find(|(known, _)| *known == id);
        found.map(|(_, report)| Arc::clone(report))
    }
}

/// The queue and what it shares with the pool.
#[derive(Clone)]
pub struct Jobs {
    queue: Sender<Job>,
    /// Reports that were triggered and not yet taken by a worker.
    waiting: Arc<AtomicUsize>,
    /// Set when the workers shall take no more.
    stopping: Arc<AtomicBool>,
    recent: Arc<Recent>,
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
            recent: Arc::default(),
            writer,
            limits,
        };
        for report in unfinished {
            tracing::info!(id = %report.id, "running again a report that a stop left unfinished");
            let job = Job {
                id: report.id,
                question: report.question,
                generation: Generation::default(),
                row: AwaitedRow::found(),
                place: Place::take(&this.waiting).0,
            };
            send(&this.queue, job)?;
        }
        let start = |number| {
            let worker = Worker {
                file: file.clone(),
                jobs: jobs.clone(),
                recent: Arc::clone(&this.recent),
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
        let (place, waiting) = Place::take(&self.waiting);
        if waiting >= self.limits.queue_reports_max {
            return Err(Error::unavailable(format!(
                "{} reports are waiting already (try again in a second)",
                self.limits.queue_reports_max
            )));
        }
        let id = Uuid::new_v4();
        let triggered_at = clock::machine_us();
        let queue = self.queue.clone();
        let (row, tell) = AwaitedRow::new();
        let add = move |db: &Connection| {
            let job = Job {
                id,
                question: reports::add(db, id, as_of, rule, triggered_at)?,
                generation: generation::current(db)?,
                row,
                place,
            };
            send(&queue, job)
        };
        self.writer.try_write_then(add, move |()| {
            // The worker may have left meanwhile; then the next start makes the report.
            let _ = tell.try_send(());
        })?;
        Ok(id)
    }

    /// The CSV of a report that was finished lately and is durable; none if memory has it no more.
    pub fn recent_csv(&self, id: Uuid) -> Option<Arc<Vec<u8>>> {
        self.recent.find(id).map(|report| report.csv())
    }

    /// How many reports wait for a worker.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Lets the workers finish what they have in hand and leaves the rest to the next start.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

fn send(queue: &Sender<Job>, job: Job) -> Result<()> {
    queue
        .try_send(job)
        .map_err(|_| Error::unavailable("the report threads are stopping"))
}

/// One thread of the pool.
struct Worker {
    file: PathBuf,
    jobs: Receiver<Job>,
    recent: Arc<Recent>,
    stopping: Arc<AtomicBool>,
    writer: Writer,
    recipe: Recipe,
    keep_reports_max: u32,
}

/// What became of a job: a report, or why there is none.
type Outcome = Result<Made, String>;

impl Worker {
    fn run(&self) {
        let mut db = None;
        for job in &self.jobs {
            if self.stopping.load(Ordering::SeqCst) {
                // Its row says Running: the next start makes it.
                continue;
            }
            let Job { id, question, .. } = job;
            drop(job.place);
            let mut row = job.row;
            let began = Instant::now();
            let outcome = self.make(&mut db, |db| {
                if !is_durable(db, job.generation)? {
                    // Rows that the report must see are committed together with its own.
                    row.wait();
                }
                (self.recipe)(db, question)
            });
            let made = began.elapsed();
            if !row.wait() {
                // Whoever triggered it was told that there is no such report.
                continue;
            }
            if let Err(reason) = &outcome {
                tracing::error!(%id, reason, "a report failed");
            }
            self.keep(id, outcome);
            tracing::debug!(%id, ?made, kept = ?(began.elapsed() - made), "a report is done");
        }
    }

    /// Makes the report; an error or a panic becomes the reason why there is none.
    fn make(
        &self,
        db: &mut Option<Connection>,
        make: impl FnOnce(&mut Connection) -> Result<Made>,
    ) -> Outcome {
        let made = catch_unwind(AssertUnwindSafe(|| {
            let mut open = match db.take() {
                Some(open) => open,
                None => open_reader(&self.file)?,
            };
            let made = make(&mut open);
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

    fn keep(&self, id: Uuid, outcome: Outcome) {
        let finished_at = clock::machine_us();
        let kept = match outcome {
            Ok(made) => self.complete(id, made, finished_at),
            Err(reason) => {
                let fail = move |db: &Connection| reports::fail(db, id, &reason, finished_at);
                self.writer.write(fail)
            }
        };
        if let Err(error) = kept {
            // It stays Running: the next start makes it again.
            tracing::error!(%id, %error, "a report's outcome could not be kept");
            return;
        }
        // Apart, so that nobody waits for it.
        let keep = self.keep_reports_max;
        let forgotten = self.writer.write(move |db| reports::forget_old(db, keep));
        if let Err(error) = forgotten {
            tracing::error!(%error, "old reports could not be forgotten; the next report tries again");
        }
    }

    /// Keeps a report, and writes its CSV on the way, if that will be kept in memory.
    fn complete(&self, id: Uuid, made: Made, finished_at: Micros) -> Result<()> {
        let Made {
            report,
            fleet_generation,
        } = made;
        let report = Arc::new(report);
        let fresh = Arc::new(Fresh::new(Arc::clone(&report)));
        let (recent, durable) = (Arc::clone(&self.recent), Arc::clone(&fresh));
        let complete = move |db: &Connection| {
            reports::complete(db, id, &report, fleet_generation, finished_at)
        };
        let then = move |_: &mut ()| recent.add(id, durable);
        let kept = self.writer.queue(complete, then)?;
        if fresh.csv_bytes <= RECENT_BYTES_MAX {
            fresh.csv();
        }
        kept.wait()
    }
}

/// Whether data of this generation, or newer, is committed.
fn is_durable(db: &mut Connection, generation: Generation) -> Result<bool> {
    let committed = generation::current(&*db::read(db)?)?;
    Ok(committed.polls >= generation.polls && committed.fleet >= generation.fleet)
}
