//! A worker: one thread of the pool, which makes products and stores the outcome.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::Receiver;
use rusqlite::Connection;

use super::job::{Job, Permit, Recipe, Task};
use super::recent::{Recent, RecentProducts};
use crate::clock::Clock;
use crate::db::connection::open_reader;
use crate::db::reports::{self, ReportState, Rows, Triggered};
use crate::db::writer::{self, Writer};
use crate::error::{Error, Result};
use crate::product::Product;
use crate::render::Format;
use crate::uptime::interval::Micros;

/// One thread of the pool.
pub(super) struct Worker {
    pub(super) file: PathBuf,
    pub(super) jobs: Receiver<(Permit, Job)>,
    pub(super) recent: Arc<RecentProducts>,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) writer: Writer,
    pub(super) recipe: Recipe,
    pub(super) keep_reports_max: u32,
    pub(super) clock: Clock,
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
            let outcome = self.make(&mut db, &job.task);
            let made = began.elapsed();
            if let Err(reason) = &outcome {
                tracing::error!(%id, reason, "a report failed");
            }
            self.keep(job, outcome);
            tracing::debug!(%id, ?made, kept = ?(began.elapsed() - made), "a report is done");
        }
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
            Ok(made) => made.map_err(|error: Error| error.to_string()),
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().copied();
                let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                let said = said.unwrap_or("no message");
                Err(format!("the report panicked: {said}"))
            }
        }
    }

    fn keep(&self, job: Job, outcome: std::result::Result<Arc<dyn Product>, String>) {
        let id = job.task.id;
        let finished_at = self.clock.now_us();
        let kept = match outcome {
            Ok(product) => self.complete(job, product, finished_at),
            Err(reason) => self.fail(job, reason, finished_at),
        };
        if let Err(error) = kept {
            // Its row, if any, still says Running, so the next start makes it again.
            tracing::error!(%id, %error, "a report's outcome could not be kept");
            return;
        }
        // A separate commit, for which no client waits.
        let keep = self.keep_reports_max;
        match self.writer.write(move |db| reports::forget_old(db, keep)) {
            Ok(forgotten) => self.recent.forget(&forgotten),
            Err(error) => {
                tracing::error!(%error, "old reports could not be forgotten; the next report tries again");
            }
        }
    }

    /// Stores a product, and renders its CSV at the same time.
    fn complete(&self, job: Job, product: Arc<dyn Product>, finished_at: Micros) -> Result<()> {
        let made = Arc::new(Recent::new(Arc::clone(&product)));
        let (recent, durable) = (Arc::clone(&self.recent), Arc::clone(&made));
        let (id, csv_bytes) = (job.task.id, made.csv_bytes);
        let keep = move |db: &Connection, triggered: &Triggered| {
            let rows = Rows {
                stores: product.stores(),
                rows: product.rows(),
                csv_bytes,
            };
            reports::complete(db, triggered, rows, finished_at)
        };
        let then = move || recent.add(id, durable);
        let kept = self.end(job, ReportState::Complete, keep, then)?;
        made.render(Format::Csv);
        kept.wait()
    }

    /// Stores the reason of a failure.
    fn fail(&self, job: Job, reason: String, finished_at: Micros) -> Result<()> {
        let keep = move |db: &Connection, triggered: &Triggered| reports::fail(db, triggered, &reason, finished_at);
        self.end(job, ReportState::Failed, keep, || {})?.wait()
    }

    /// Stores the outcome of a job, unless its report was refused meanwhile; then runs `then`, and tells the
    /// trigger.
    fn end(
        &self,
        job: Job,
        state: ReportState,
        keep: impl FnOnce(&Connection, &Triggered) -> Result<()> + Send + 'static,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<writer::Outcome<()>> {
        let triggered = job.task.triggered();
        let Job { ended, refused, .. } = job;
        let keep = move |db: &Connection| match refused.load(Ordering::SeqCst) {
            true => Err(Error::unavailable("its trigger was refused")),
            false => keep(db, &triggered),
        };
        let then = move |(): &mut ()| {
            then();
            let _ = ended.try_send(state);
        };
        self.writer.queue(keep, then)
    }
}
