//! Endings: how a job ended, on the way into the database.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::asked::Asked;
use super::job::Job;
use super::recent::{Recent, RecentProducts};
use crate::clock::Clock;
use crate::db::callbacks;
use crate::db::reports::{self, ReportState, Rows};
use crate::db::writer::{self, Writer};
use crate::error::Result;
use crate::uptime::interval::Micros;

/// How a job ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// With a product.
    Complete(Arc<Recent>),
    /// With a reason why there is none.
    Failed(String),
}

/// A job that has ended. Its report says so only once that is durable: a kill before would take it back.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) job: Job,
    pub(super) ending: Ending,
    pub(super) finished_at: Micros,
}

/// Where endings go.
#[derive(Clone)]
pub(super) struct Records {
    pub(super) writer: Writer,
    pub(super) recent: Arc<RecentProducts>,
    pub(super) asked: Arc<Asked>,
    pub(super) clock: Clock,
}

impl Ended {
    /// The bytes that it holds in memory.
    pub(super) fn bytes(&self) -> usize {
        match &self.ending {
            Ending::Complete(product) => product.bytes(),
            Ending::Failed(reason) => reason.len(),
        }
    }
}

impl Records {
    /// A job that has ended now.
    pub(super) fn ended(&self, job: Job, ending: Ending) -> Ended {
        let finished_at = job.task.finished_at(self.clock);
        Ended {
            job,
            ending,
            finished_at,
        }
    }

    /// Queues the change that stores an ending, unless the trigger was told that there is no such report. Once it is
    /// durable, the trigger is told, and clients can fetch the product from memory.
    ///
    /// # Errors
    /// When the writer has stopped.
    pub(super) fn queue(&self, ended: &Ended) -> Result<writer::Outcome<()>> {
        let (task, refused) = (Arc::clone(&ended.job.task), Arc::clone(&ended.job.refused));
        let (ending, finished_at) = (ended.ending.clone(), ended.finished_at);
        let keep = move |db: &Connection| {
            if refused.load(Ordering::SeqCst) {
                return Ok(());
            }
            let triggered = task.triggered();
            match ending {
                Ending::Complete(recent) => {
                    let product = recent.product();
                    let rows = Rows {
                        stores: product.stores(),
                        rows: product.rows(),
                        csv_bytes: recent.csv_bytes,
                    };
                    reports::complete(db, &triggered, rows, finished_at)?;
                }
                Ending::Failed(reason) => reports::fail(db, &triggered, &reason, finished_at)?,
            }
            callbacks::tell(db, &triggered, finished_at)
        };
        let (id, tell, recent) = (ended.job.task.id, ended.job.ended.clone(), Arc::clone(&self.recent));
        let ending = ended.ending.clone();
        let then = move |(): &mut ()| {
            let state = match ending {
                Ending::Complete(product) => {
                    recent.add(id, product);
                    ReportState::Complete
                }
                Ending::Failed(_) => ReportState::Failed,
            };
            let _ = tell.try_send(state);
        };
        let queued = self.writer.queue(keep, then)?;
        // Rendered while the rows go to the disk.
        if let Ending::Complete(product) = &ended.ending {
            product.csv();
        }
        Ok(queued)
    }
}
