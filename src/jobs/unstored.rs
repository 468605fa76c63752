//! Endings that the disk refused, kept in memory and tried again until it takes them.
//!
//! A report that was made stays Running meanwhile: Complete would be a lie, since a kill would take it back. After
//! [`Limits::outcome_patience`](super::Limits) it becomes Failed, with the reason. From then on clients are told so,
//! also while the disk refuses that row, too, which is tried again as long as the server lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use uuid::Uuid;

use super::ending::{Ended, Ending, Records};
use super::volatile::Volatile;
use crate::db::reports::{self, Report, ReportState};
use crate::db::writer::Outcome;
use crate::error::Error;
use crate::health::Condition;
use crate::uptime::interval::Micros;

/// The pause after the first refusal; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How long a commit in progress is left alone between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How many bytes of products may wait; beyond it the oldest become Failed at once.
const UNSTORED_BYTES_MAX: usize = 64 << 20;

/// How long the last try of each may take at a stop.
const LAST_TRY: Duration = Duration::from_secs(1);

/// Reports that have failed while their rows still say Running: the reason, and when.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Uuid, (String, Micros)>>);

impl Failures {
    fn all(&self) -> MutexGuard<'_, HashMap<Uuid, (String, Micros)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The report, with what its row cannot say yet.
    pub(super) fn correct(&self, report: Report) -> Report {
        match self.all().get(&report.id) {
            Some((reason, at)) if report.state == ReportState::Running => Report {
                state: ReportState::Failed,
                finished_at: Some(*at),
                error: Some(reason.clone()),
                ..report
            },
            _ => report,
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all().len()
    }
}

/// An ending that is not stored yet.
pub(super) struct Unstored {
    ended: Ended,
    /// The commit in progress.
    commit: Option<Outcome<()>>,
    since: Instant,
    next: Instant,
    pause: Duration,
    refusals: u32,
}

impl Unstored {
    /// One whose commit goes on, or has yet to begin.
    pub(super) fn new(ended: Ended, commit: Option<Outcome<()>>) -> Self {
        let now = Instant::now();
        Self {
            ended,
            commit,
            since: now,
            next: now,
            pause: PAUSE_MIN,
            refusals: 0,
        }
    }

    /// One that was refused.
    pub(super) fn refused(ended: Ended, error: &Error) -> Self {
        let mut this = Self::new(ended, None);
        this.refuse(error);
        this
    }

    fn refuse(&mut self, error: &Error) {
        if self.refusals == 0 {
            let id = self.ended.job.task.id;
            tracing::error!(%id, %error, "the end of a report could not be stored; it is tried again");
        }
        self.refusals += 1;
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// The thread that tries again.
pub(super) struct Retries {
    pub(super) records: Records,
    pub(super) arrivals: Receiver<Unstored>,
    pub(super) failures: Arc<Failures>,
    pub(super) volatile: Arc<Volatile>,
    pub(super) patience: Duration,
}

impl Retries {
    /// Tries again until all workers have ended, then once more.
    pub(super) fn run(&self) {
        let (mut waiting, mut last_error) = (Vec::new(), String::new());
        loop {
            let arrival = match self.next_look(&waiting) {
                None => self.arrivals.recv().map_err(RecvTimeoutError::from),
                Some(pause) => self.arrivals.recv_timeout(pause),
            };
            match arrival {
                Ok(arrival) => {
                    self.volatile.end(&arrival.ended);
                    waiting.push(arrival);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            waiting.retain_mut(|unstored: &mut Unstored| !self.look(unstored, &mut last_error));
            self.limit(&mut waiting);
            self.tell(&waiting, &last_error);
        }
        for mut unstored in waiting {
            let commit = unstored.commit.take();
            let commit = commit.map_or_else(|| self.records.queue(&unstored.ended), Ok);
            let is_stored = commit.is_ok_and(|commit| matches!(commit.wait_for(LAST_TRY), Some(Ok(()))));
            if !is_stored {
                let id = unstored.ended.job.task.id;
                tracing::warn!(%id, "the end of a report could not be stored: the next start makes it again");
            }
        }
        // Only an end without this counts against the reports that were running.
        if let Err(error) = self.records.writer.write(reports::forgive) {
            tracing::warn!(%error, "this stop counts as an unclean end for the reports that were running");
        }
    }

    /// How long to wait for the next arrival; none without a bound.
    fn next_look(&self, waiting: &[Unstored]) -> Option<Duration> {
        let now = Instant::now();
        let pause = |unstored: &Unstored| match unstored.commit {
            Some(_) => LOOK_EVERY,
            None => unstored.next.saturating_duration_since(now),
        };
        waiting.iter().map(pause).min()
    }

    /// Looks at one; returns whether it is done.
    fn look(&self, unstored: &mut Unstored, last_error: &mut String) -> bool {
        let id = unstored.ended.job.task.id;
        let result = match &unstored.commit {
            Some(commit) => commit.wait_for(Duration::ZERO),
            None => None,
        };
        match result {
            Some(Ok(())) => {
                self.failures.all().remove(&id);
                self.volatile.forget(id);
                if unstored.refusals > 0 {
                    tracing::info!(%id, refusals = unstored.refusals, "the end of a report is stored at last");
                }
                return true;
            }
            Some(Err(error)) => {
                unstored.commit = None;
                unstored.refuse(&error);
                *last_error = error.to_string();
                self.volatile.end(&unstored.ended);
                // One that memory alone has is complete for its clients, however long the disk is full.
                if unstored.since.elapsed() >= self.patience && self.volatile.find(id).is_none() {
                    self.give_up(unstored, &error.to_string());
                }
            }
            None => {}
        }
        if unstored.commit.is_none() && unstored.next <= Instant::now() {
            match self.records.queue(&unstored.ended) {
                Ok(commit) => unstored.commit = Some(commit),
                Err(error) => unstored.refuse(&error),
            }
        }
        false
    }

    /// Makes a report that could not be stored a failed one, at once in memory.
    fn give_up(&self, unstored: &mut Unstored, error: &str) {
        let Ended { job, ending, .. } = &mut unstored.ended;
        if matches!(ending, Ending::Failed(_)) && self.failures.all().contains_key(&job.task.id) {
            return;
        }
        let reason = match ending {
            Ending::Failed(reason) => reason.clone(),
            Ending::Complete(_) => {
                let seconds = unstored.since.elapsed().as_secs();
                format!(
                    "the report was made, but could not be stored for {seconds} seconds: {error} (make it again \
                     when the disk takes it)"
                )
            }
        };
        let finished_at = job.task.finished_at(self.records.clock);
        tracing::error!(id = %job.task.id, reason, "a report failed");
        self.failures.all().insert(job.task.id, (reason.clone(), finished_at));
        *ending = Ending::Failed(reason);
        unstored.ended.finished_at = finished_at;
        unstored.pause = PAUSE_MIN;
        self.volatile.end(&unstored.ended);
    }

    /// Gives up the oldest products if all together are too large.
    fn limit(&self, waiting: &mut [Unstored]) {
        let mut bytes: usize = waiting.iter().map(|unstored| unstored.ended.bytes()).sum();
        for unstored in waiting {
            if bytes <= UNSTORED_BYTES_MAX {
                return;
            }
            // A commit in progress may yet complete it.
            if unstored.commit.is_none() && matches!(unstored.ended.ending, Ending::Complete(_)) {
                bytes -= unstored.ended.bytes();
                self.give_up(unstored, "too many finished reports wait for the disk");
            }
        }
    }

    /// Says in the health whether reports wait for the disk.
    fn tell(&self, waiting: &[Unstored], last_error: &str) {
        let health = self.records.writer.watch().health();
        if waiting.iter().any(|unstored| unstored.refusals > 0) {
            let sentence = format!("finished reports could not be stored and are tried again: {last_error}");
            health.set(Condition::ReportsUnstored, sentence);
        } else {
            health.clear(Condition::ReportsUnstored);
        }
    }
}

/// The rows of [`reports::counts`], with what they cannot say yet.
pub(super) fn corrected(counts: Vec<(ReportState, i64)>, failures: &Failures) -> Vec<(ReportState, i64)> {
    let count = |state| counts.iter().find(|(known, _)| *known == state).map_or(0, |&(_, n)| n);
    let running = count(ReportState::Running);
    let failed = i64::try_from(failures.count()).unwrap_or(i64::MAX).min(running);
    let all = [
        (ReportState::Running, running - failed),
        (ReportState::Complete, count(ReportState::Complete)),
        (ReportState::Failed, count(ReportState::Failed) + failed),
    ];
    all.into_iter().filter(|&(_, count)| count > 0).collect()
}
