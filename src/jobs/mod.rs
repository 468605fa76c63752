//! Jobs: a bounded queue of products, a fixed pool of workers, and records that survive a restart.
//!
//! Invariants: a report has a row in the database before its id is returned. An error or a panic becomes a
//! `Failed` report and ends no thread. The [`Recipe`] makes the product.
//!
//! # Where the time goes
//! Mostly into one commit, which makes a report durable. A trigger waits some milliseconds: a report that is
//! complete by then gets its row and its result in that one commit. Only a slower report first gets a row that
//! says `Running`, and a second commit completes it. The CSV is rendered while the rows go to the disk. Old
//! reports are deleted later, in a commit of their own.
//!
//! # When the disk refuses
//! An ending that cannot be stored is kept in memory and tried again (`unstored`), so no report runs for ever. A report
//! that was running at three unclean ends in a row is not started a fourth time: it may be their cause.

mod asked;
mod ending;
mod job;
mod meter;
mod recent;
mod unstored;
mod volatile;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use rusqlite::Connection;
use uuid::Uuid;

use crate::access::Audience;
use crate::clock::Clock;
use crate::db::connection::open_reader;
use crate::db::reports::{self, Kept, Unfinished};
pub use crate::db::reports::{Report, ReportState, Requester};
use crate::db::writer::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::product::restore;
pub use crate::product::{Kind, Order, Product, digest, findings, statement};
pub use crate::render::Format;
use crate::uptime::interval::Micros;
use crate::uptime::timeline::Interpolation;
use asked::Asked;
use ending::{Ending, Records};
pub use job::Recipe;
use job::{Job, Permit, Run, Task};
use meter::Meter;
use recent::RecentProducts;
use unstored::{Failures, Retries, Unstored};
use volatile::Volatile;
use worker::Worker;

/// How long a trigger waits for its report before the report gets a row that says `Running`. A person does not
/// notice it, and it is enough for many thousand stores.
const PATIENCE: Duration = Duration::from_millis(5);

/// A report that was running at this many unclean ends in a row is not started again.
const UNCLEAN_ENDS_MAX: u32 = 3;

/// How long an ending that the disk refuses is tried again before its report becomes Failed.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(120);

/// The limits of the queue and the pool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many threads make reports.
    pub workers: usize,
    /// How many reports may wait for a worker; the next one is refused.
    pub queue_reports_max: usize,
    /// How many finished reports of a credential the database keeps; the oldest are deleted first. One that is wanted
    /// outlives that number, up to [`reports::ALL_REPORTS_FACTOR`] times as many of all credentials.
    pub keep_reports_max: u32,
    /// How long a finished report is tried to be stored before it becomes Failed.
    pub outcome_patience: Duration,
    /// The clock that says when a report was triggered and finished.
    pub clock: Clock,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: 2,
            queue_reports_max: 128,
            keep_reports_max: 200,
            outcome_patience: OUTCOME_PATIENCE,
            clock: Clock::Machine,
        }
    }
}

/// A request for a product.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// Its kind.
    pub kind: Kind,
    /// Its instant. None: the newest poll's, no older than the trigger's reader saw; or the moment of the trigger
    /// if there are no polls.
    pub as_of: Option<Micros>,
    /// The rule for the time between polls.
    pub rule: Interpolation,
    /// [`Order::parameters`].
    pub parameters: String,
    /// Who asks for it.
    pub by: Requester,
}

impl JobRequest {
    /// The report of the last hour, day and week.
    pub fn report(by: Requester, as_of: Option<Micros>, rule: Interpolation) -> Self {
        Self {
            kind: Kind::Report,
            as_of,
            rule,
            parameters: "{}".to_owned(),
            by,
        }
    }

    /// A statement with these parameters, in JSON.
    pub fn statement(by: Requester, as_of: Option<Micros>, rule: Interpolation, parameters: String) -> Self {
        Self {
            kind: Kind::Statement,
            as_of,
            rule,
            parameters,
            by,
        }
    }
}

/// The queue, and the state that it shares with the workers.
#[derive(Clone)]
pub struct Jobs {
    queue: Sender<(Permit, Job)>,
    /// How many triggered reports no worker has taken yet.
    waiting: Arc<AtomicUsize>,
    /// Set when the workers must take no more reports.
    stopping: Arc<AtomicBool>,
    recent: Arc<RecentProducts>,
    asked: Arc<Asked>,
    /// Reports that have failed while their rows still say Running.
    failures: Arc<Failures>,
    /// Reports that a full disk keeps out of the database.
    volatile: Arc<Volatile>,
    writer: Writer,
    limits: Limits,
    meter: Arc<Meter>,
}

impl Jobs {
    /// Starts the pool on the database `file`, and queues the reports again that a stop left unfinished.
    ///
    /// The threads end once every handle is dropped and the queue is empty.
    ///
    /// # Errors
    /// When the database cannot be read, or the system gives no thread.
    pub fn start(file: PathBuf, writer: Writer, limits: Limits, recipe: Recipe) -> Result<(Self, Vec<JoinHandle<()>>)> {
        let unfinished = reports::unfinished(&open_reader(&file)?)?;
        let (queue, jobs) = bounded(limits.queue_reports_max.max(unfinished.len()).max(1));
        let this = Self {
            queue,
            waiting: Arc::default(),
            stopping: Arc::default(),
            recent: Arc::default(),
            asked: Arc::default(),
            failures: Arc::default(),
            volatile: Arc::default(),
            writer,
            limits,
            meter: Arc::default(),
        };
        let records = Records {
            writer: this.writer.clone(),
            recent: Arc::clone(&this.recent),
            asked: Arc::clone(&this.asked),
            clock: limits.clock,
        };
        let (unstored, arrivals) = unbounded();
        for Unfinished { report, attempts } in unfinished {
            let Some(kind) = Kind::from_name(&report.kind) else {
                let (id, kind) = (report.id, report.kind);
                tracing::error!(%id, kind, "an unfinished report is of no kind that this program knows");
                continue;
            };
            let task = Task {
                id: report.id,
                kind,
                parameters: report.parameters,
                by: report.by,
                as_of: OnceLock::from(report.question.as_of),
                rule: report.question.rule,
                triggered_at: report.triggered_at,
                triggered: None,
                is_again: true,
                run: Run::default(),
            };
            let job = Job {
                task: Arc::new(task),
                ended: bounded(1).0,
                refused: Arc::default(),
            };
            if attempts >= UNCLEAN_ENDS_MAX {
                let reason = format!(
                    "it was running when the server ended {attempts} times in a row, so it may be the cause and is not \
                     started again (the server's log tells more)"
                );
                tracing::error!(id = %job.task.id, reason, "a report failed");
                let ended = records.ended(job, Ending::Failed(reason));
                // The receiver is below.
                let _ = unstored.send(Unstored::new(ended, None));
                continue;
            }
            tracing::info!(id = %job.task.id, attempts, "running again a report that a stop left unfinished");
            let (permit, _) = Permit::take(&this.waiting);
            this.send(permit, job)?;
        }
        let retries = Retries {
            records: records.clone(),
            arrivals,
            failures: Arc::clone(&this.failures),
            volatile: Arc::clone(&this.volatile),
            patience: limits.outcome_patience,
        };
        let failed = |error| Error::failed("cannot start a report thread").because(error);
        let retries = thread::Builder::new()
            .name("report-retries".to_owned())
            .spawn(move || retries.run())
            .map_err(failed)?;
        let start = |number| {
            let worker = Worker {
                file: file.clone(),
                jobs: jobs.clone(),
                stopping: Arc::clone(&this.stopping),
                records: records.clone(),
                unstored: unstored.clone(),
                recipe: Arc::clone(&recipe),
                keep_reports_max: limits.keep_reports_max,
                meter: Arc::clone(&this.meter),
            };
            thread::Builder::new()
                .name(format!("report-{number}"))
                .spawn(move || worker.run())
                .map_err(failed)
        };
        let threads = (0..limits.workers.max(1)).map(start).chain([Ok(retries)]);
        let threads = threads.collect::<Result<_>>()?;
        Ok((this, threads))
    }

    /// Triggers a report; returns its id, once it is in the database, and its state there. `db` is a
    /// reader. On a full disk the report is made and kept in memory: see [`is_volatile`](Self::is_volatile).
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind) when the queue is full; any failure to write the
    /// row.
    pub fn trigger(&self, db: &Connection, request: JobRequest) -> Result<(Uuid, ReportState)> {
        // The permit comes first, so that every written row can be queued.
        let (permit, waiting) = Permit::take(&self.waiting);
        if waiting >= self.limits.queue_reports_max {
            return Err(Error::unavailable(format!(
                "{} reports are waiting already (try again in a second)",
                self.limits.queue_reports_max
            )));
        }
        let task = Arc::new(Task {
            id: Uuid::new_v4(),
            kind: request.kind,
            parameters: request.parameters,
            by: request.by,
            as_of: request.as_of.map_or_else(OnceLock::new, OnceLock::from),
            rule: request.rule,
            triggered_at: self.limits.clock.now_us(),
            triggered: Some(Instant::now()),
            is_again: false,
            run: Run::default(),
        });
        let (tell, ended) = bounded(1);
        let refused = Arc::new(AtomicBool::new(false));
        let job = Job {
            task: Arc::clone(&task),
            ended: tell,
            refused: Arc::clone(&refused),
        };
        self.send(permit, job)?;
        if let Ok(state) = ended.recv_timeout(PATIENCE) {
            return Ok((task.id, state));
        }
        // It takes longer; if its worker has ended, the next start makes it.
        let added = task.fix(db).and_then(|()| {
            let task = Arc::clone(&task);
            self.writer.try_write(move |db| task.add(db))
        });
        if let Err(error) = &added
            && error.kind() == ErrorKind::NoSpace
        {
            self.volatile.admit(task.triggered());
            return Ok((task.id, ReportState::Running));
        }
        refused.store(added.is_err(), Ordering::SeqCst);
        match added {
            Ok(()) => {
                task.added(&self.writer);
                Ok((task.id, ReportState::Running))
            }
            Err(error) if error.kind() == ErrorKind::Failed => {
                tracing::error!(%error, "a report could not be triggered");
                let message = format!("{}, so no report is made (try again)", error.message());
                Err(Error::unavailable(message).because(error))
            }
            Err(error) => Err(error),
        }
    }

    fn send(&self, permit: Permit, job: Job) -> Result<()> {
        let sent = self.queue.try_send((permit, job));
        sent.map_err(|_| Error::unavailable("the report threads are stopping"))
    }

    /// Forgets products whose reports were deleted.
    pub fn forget(&self, ids: &[Uuid]) {
        self.recent.forget(ids);
        self.asked.forget(ids);
    }

    /// The file of a recent, durable report that `audience` may see; none if memory no longer has it.
    ///
    /// # Errors
    /// When it cannot be rendered.
    pub fn recent(&self, id: Uuid, format: Format, audience: &Audience) -> Result<Option<Arc<Vec<u8>>>> {
        let recent = self.recent.find(id, audience);
        if recent.is_some() {
            self.asked.note(id);
        }
        recent.map(|recent| recent.render(format)).transpose()
    }

    /// The file of a report that the caller may see, from memory or from its stored rows; none unless it is complete.
    ///
    /// # Errors
    /// When the database cannot be read, or the report is damaged.
    pub fn file(&self, db: &Connection, id: Uuid, format: Format) -> Result<Option<Arc<Vec<u8>>>> {
        if let Some(recent) = self.recent(id, format, &Audience::All)? {
            return Ok(Some(recent));
        }
        if let Some(product) = self.volatile.product(id) {
            return product.render(format).map(Some);
        }
        Ok(match reports::kept(db, id)? {
            None => None,
            Some(Kept::Csv(csv)) => match format {
                Format::Csv => Some(csv.into()),
                Format::Xlsx => {
                    return Err(Error::not_found(format!(
                        "report {id} was kept as CSV by an older program (GET /api/reports/{id}.csv, or make a new one)"
                    )));
                }
            },
            Some(Kept::Rows(kept)) => Some(restore(id, &kept)?.render(format)?.into()),
        })
    }

    /// The record of a report that `audience` may see.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::error::ErrorKind) when there is none.
    pub fn find(&self, db: &Connection, id: Uuid, audience: &Audience) -> Result<Report> {
        let found = match reports::find(db, id) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.volatile.find(id).ok_or(error),
            found => found.map(|report| self.failures.correct(report)),
        };
        match found {
            Ok(report) if !audience.covers(&report.audience) => Err(reports::unknown(id)),
            Ok(report) => {
                if report.state != ReportState::Running {
                    self.asked.note(id);
                }
                Ok(report)
            }
            found => found,
        }
    }

    /// Whether a report is in memory alone, because the disk is full. It is stored once there is room; a restart before
    /// that forgets it.
    pub fn is_volatile(&self, id: Uuid) -> bool {
        self.volatile.find(id).is_some()
    }

    /// The newest reports that `audience` may see first, at most `limit`; with `before`, only those that arrived before
    /// that report.
    ///
    /// # Errors
    /// When the database cannot be read, or has no report `before`.
    pub fn list(&self, db: &Connection, before: Option<Uuid>, limit: u32, audience: &Audience) -> Result<Vec<Report>> {
        let before = before.map(|id| self.find(db, id, audience)).transpose()?;
        let mut all = match before {
            None => self.volatile.list(audience),
            Some(_) => Vec::new(),
        };
        let reports = reports::list(db, before.map(|report| report.number), limit, audience)?;
        all.extend(reports.into_iter().map(|report| self.failures.correct(report)));
        all.truncate(limit as usize);
        Ok(all)
    }

    /// The number of reports in each state; a state without any is left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self, db: &Connection) -> Result<Vec<(ReportState, i64)>> {
        let mut counts = unstored::corrected(reports::counts(db)?, &self.failures);
        for report in self.volatile.list(&Audience::All) {
            match counts.iter_mut().find(|(state, _)| *state == report.state) {
                Some((_, count)) => *count += 1,
                None => counts.push((report.state, 1)),
            }
        }
        Ok(counts)
    }

    /// How many reports wait for a worker, and how many may.
    pub fn waiting(&self) -> (usize, usize) {
        (self.waiting.load(Ordering::SeqCst), self.limits.queue_reports_max)
    }

    /// What the workers count.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Lets the workers finish their current reports, and leaves the others to the next start.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}
