//! Reports as jobs: a bounded queue, a fixed pool of threads, and a record that survives a restart.
//!
//! A report is a row in the database before its id is given out. A worker takes it from the queue,
//! makes it, and keeps the outcome; an error or a panic becomes a `Failed` report and costs no thread.
//! It must never know HTTP, nor how the numbers are made: that is the [`Recipe`] it is given.
//!
//! # Where the time goes
//! Into the commit that makes it durable. Most reports need no more than one: who triggers a report waits
//! for it some milliseconds, and if it is kept by then, its row came into the database complete.
//! Only what takes longer gets a row that says `Running`, and is completed by another commit. The CSV is
//! written while the numbers are on their way to the disk. Old reports are forgotten after, and apart.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;
use uuid::Uuid;

use crate::clock;
use crate::db::connection::open_reader;
use crate::db::polls;
use crate::db::reports::{self, ReportState, Triggered};
use crate::db::writer::{self, Writer};
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

/// How long whoever triggers a report waits for it before it gets a row that says `Running`: a moment to a
/// person, and time enough for a chain of many thousand stores.
const PATIENCE: Duration = Duration::from_millis(5);

/// How many bytes of finished reports stay in memory, for those who fetch them soon; the newest does
/// however long it is.
const RECENT_BYTES_MAX: usize = 16 << 20;

/// How much of a CSV is worth a thread of its own.
const THREAD_BYTES: usize = 8 << 20;

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

/// What is asked of a report. Where no instant is given, it is the newest poll's when somebody first needs
/// to know it: mostly the worker, who reads the database anyway.
#[derive(Debug)]
struct Asked {
    id: Uuid,
    as_of: OnceLock<Micros>,
    rule: Interpolation,
    triggered_at: Micros,
}

impl Asked {
    /// All that is known of the report from now on, as `db` sees it if it must be found out.
    fn settle(&self, db: &Connection) -> Result<Triggered> {
        if self.as_of.get().is_none() {
            let newest = polls::newest(db)?.unwrap_or(self.triggered_at);
            // Of two who come here at once one is right.
            let _ = self.as_of.set(newest);
        }
        Ok(self.settled())
    }

    /// The same, as far as it is known: where no poll could be read, the report failed, at its trigger's instant.
    fn settled(&self) -> Triggered {
        Triggered {
            id: self.id,
            question: Question {
                as_of: self.as_of.get().copied().unwrap_or(self.triggered_at),
                rule: self.rule,
            },
            triggered_at: self.triggered_at,
        }
    }
}

/// A report that waits for a worker, or is with one.
#[derive(Debug)]
struct Job {
    asked: Arc<Asked>,
    /// Told how the report ended, once that is durable; nobody may listen any more.
    ended: Sender<ReportState>,
    /// Set when whoever triggered it was told that there is no such report.
    refused: Arc<AtomicBool>,
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
                // A short one on a single thread: another is at work on the commit.
                let cores = thread::available_parallelism().map_or(1, usize::from);
                let threads = (1 + self.csv_bytes / THREAD_BYTES).min(cores);
                let csv = Arc::new(report.csv(threads));
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
            && recent.len() > 1
            && let Some((_, oldest)) = recent.pop_front()
        {
            bytes -= oldest.csv_bytes;
        }
    }

    fn forget(&self, ids: &[Uuid]) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(known, _)| !ids.contains(known));
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
    queue: Sender<(Place, Job)>,
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
            let asked = Asked {
                id: report.id,
                as_of: OnceLock::from(report.question.as_of),
                rule: report.question.rule,
                triggered_at: report.triggered_at,
            };
            let job = Job {
                asked: Arc::new(asked),
                ended: bounded(1).0,
                refused: Arc::default(),
            };
            let (place, _) = Place::take(&this.waiting);
            send(&this.queue, (place, job))?;
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

    /// Triggers a report and returns its id, once it is in the database, and its state there.
    ///
    /// `as_of` none: the newest poll's instant, no older than `db`, a reader, could see now; or this moment's
    /// where there are no polls.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind) when too many are waiting; whatever keeps
    /// the row from the database.
    pub fn trigger(
        &self,
        db: &Connection,
        as_of: Option<Micros>,
        rule: Interpolation,
    ) -> Result<(Uuid, ReportState)> {
        // The place in the queue comes first, so that no row is written that could not be queued.
        let (place, waiting) = Place::take(&self.waiting);
        if waiting >= self.limits.queue_reports_max {
            return Err(Error::unavailable(format!(
                "{} reports are waiting already (try again in a second)",
                self.limits.queue_reports_max
            )));
        }
        let id = Uuid::new_v4();
        let asked = Arc::new(Asked {
            id,
            as_of: as_of.map_or_else(OnceLock::new, OnceLock::from),
            rule,
            triggered_at: clock::machine_us(),
        });
        let (tell, ended) = bounded(1);
        let refused = Arc::new(AtomicBool::new(false));
        let job = Job {
            asked: Arc::clone(&asked),
            ended: tell,
            refused: Arc::clone(&refused),
        };
        send(&self.queue, (place, job))?;
        if let Ok(state) = ended.recv_timeout(PATIENCE) {
            return Ok((id, state));
        }
        // It takes longer; or its worker has left, and the next start makes it.
        let triggered = asked.settle(db);
        let added = triggered
            .and_then(|triggered| self.writer.try_write(move |db| reports::add(db, triggered)));
        refused.store(added.is_err(), Ordering::SeqCst);
        added.map(|()| (id, ReportState::Running))
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

fn send(queue: &Sender<(Place, Job)>, job: (Place, Job)) -> Result<()> {
    queue
        .try_send(job)
        .map_err(|_| Error::unavailable("the report threads are stopping"))
}

/// One thread of the pool.
struct Worker {
    file: PathBuf,
    jobs: Receiver<(Place, Job)>,
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
        for (place, job) in &self.jobs {
            if self.stopping.load(Ordering::SeqCst) {
                // Its row says Running: the next start makes it.
                continue;
            }
            drop(place);
            let asked = Arc::clone(&job.asked);
            let id = asked.id;
            let began = Instant::now();
            let outcome = self.make(&mut db, |db| {
                let question = asked.settle(db)?.question;
                (self.recipe)(db, question)
            });
            let made = began.elapsed();
            if let Err(reason) = &outcome {
                tracing::error!(%id, reason, "a report failed");
            }
            self.keep(job, outcome);
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

    fn keep(&self, job: Job, outcome: Outcome) {
        let id = job.asked.id;
        let finished_at = clock::machine_us();
        let kept = match outcome {
            Ok(made) => self.complete(job, made, finished_at),
            Err(reason) => self.fail(job, reason, finished_at),
        };
        if let Err(error) = kept {
            // If it has a row it stays Running, and the next start makes it again.
            tracing::error!(%id, %error, "a report's outcome could not be kept");
            return;
        }
        // Apart, so that nobody waits for it.
        let keep = self.keep_reports_max;
        match self.writer.write(move |db| reports::forget_old(db, keep)) {
            Ok(forgotten) => self.recent.forget(&forgotten),
            Err(error) => {
                tracing::error!(%error, "old reports could not be forgotten; the next report tries again");
            }
        }
    }

    /// Keeps a report, and writes its CSV on the way.
    fn complete(&self, job: Job, made: Made, finished_at: Micros) -> Result<()> {
        let Made {
            report,
            fleet_generation,
        } = made;
        let report = Arc::new(report);
        let fresh = Arc::new(Fresh::new(Arc::clone(&report)));
        let (recent, durable) = (Arc::clone(&self.recent), Arc::clone(&fresh));
        let id = job.asked.id;
        let keep = move |db: &Connection, triggered| {
            reports::complete(db, triggered, &report, fleet_generation, finished_at)
        };
        let then = move || recent.add(id, durable);
        let kept = self.end(job, ReportState::Complete, keep, then)?;
        fresh.csv();
        kept.wait()
    }

    /// Keeps the reason why there is no report.
    fn fail(&self, job: Job, reason: String, finished_at: Micros) -> Result<()> {
        let keep =
            move |db: &Connection, triggered| reports::fail(db, triggered, &reason, finished_at);
        self.end(job, ReportState::Failed, keep, || {})?.wait()
    }

    /// Has the outcome of a job kept, unless its report was refused meanwhile; then `then` runs, and
    /// whoever waits for the report is told.
    fn end(
        &self,
        job: Job,
        state: ReportState,
        keep: impl FnOnce(&Connection, Triggered) -> Result<()> + Send + 'static,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<writer::Outcome<()>> {
        let Job {
            asked,
            ended,
            refused,
        } = job;
        let triggered = asked.settled();
        let keep = move |db: &Connection| match refused.load(Ordering::SeqCst) {
            true => Err(Error::unavailable("its trigger was refused")),
            false => keep(db, triggered),
        };
        let then = move |(): &mut ()| {
            then();
            let _ = ended.try_send(state);
        };
        self.writer.queue(keep, then)
    }
}
