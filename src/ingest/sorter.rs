//! Sorting beside the parser: chunks of polls go to a thread that sorts them into runs.
//!
//! An input of a single chunk needs no thread and starts none.

use std::panic::resume_unwind;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::runs::{PollRow, Runs};
use crate::error::{Error, Result};

/// Takes chunks in their order, and gives all of them back sorted.
pub(super) enum Sorter<'scope, 'env> {
    /// No chunk came yet.
    Idle(&'scope Scope<'scope, 'env>, Runs),
    /// Chunks go to a thread.
    Busy(Sender<Vec<PollRow>>, ScopedJoinHandle<'scope, Result<Runs>>),
}

impl<'scope, 'env> Sorter<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, runs: Runs) -> Self {
        Self::Idle(scope, runs)
    }

    /// Takes a chunk that comes after all before it.
    ///
    /// # Errors
    /// When sorting has failed; [`Sorter::finish`] says why.
    pub(super) fn push(&mut self, chunk: Vec<PollRow>) -> Result<()> {
        if let Self::Idle(scope, runs) = self {
            let mut runs = std::mem::take(runs);
            let (send, chunks) = bounded(1);
            let sort = move || {
                chunks.into_iter().try_for_each(|chunk| runs.push(chunk))?;
                Ok(runs)
            };
            *self = Self::Busy(send, scope.spawn(sort));
        }
        match self {
            Self::Busy(chunks, _) if chunks.send(chunk).is_ok() => Ok(()),
            _ => Err(Error::failed("the rows could not be sorted")),
        }
    }

    /// Takes the last chunk, and gives the runs back.
    ///
    /// # Errors
    /// When runs could not be spooled to disk.
    pub(super) fn finish(self, last: Vec<PollRow>) -> Result<Runs> {
        match self {
            Self::Idle(_, mut runs) => runs.push(last).map(|()| runs),
            Self::Busy(chunks, sorter) => {
                // A sorter that takes no more has failed, and says why when it is joined.
                let _ = chunks.send(last);
                drop(chunks);
                sorter.join().unwrap_or_else(|panic| resume_unwind(panic))
            }
        }
    }
}
