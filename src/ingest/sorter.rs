//! The sorter: a thread that sorts chunks of polls into runs, beside the parser.
//!
//! An input of a single chunk starts no thread. If the system gives none, chunks are sorted as they come.

use std::thread::Scope;

use crossbeam_channel::{Sender, bounded};

use super::runs::{PollRow, Runs};
use crate::error::{Error, Result};
use crate::parallel::{self, Beside};

/// Takes chunks in order, and returns their rows sorted.
pub(super) enum Sorter<'scope, 'env> {
    /// No chunk came yet.
    Idle(&'scope Scope<'scope, 'env>, Runs),
    /// Chunks go to a thread.
    Busy(Sender<Vec<PollRow>>, Beside<'scope, Result<Runs>>),
    /// There is no thread.
    Here(Runs),
}

impl<'scope, 'env> Sorter<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, runs: Runs) -> Self {
        Self::Idle(scope, runs)
    }

    /// Takes a chunk that comes after all earlier chunks.
    ///
    /// # Errors
    /// When sorting has failed; [`Sorter::finish`] says why.
    pub(super) fn push(&mut self, chunk: Vec<PollRow>) -> Result<()> {
        if let Self::Idle(scope, runs) = self {
            let (send, chunks) = bounded(1);
            let sort = move |mut runs: Runs| {
                chunks.into_iter().try_for_each(|chunk| runs.push(chunk))?;
                Ok(runs)
            };
            *self = match parallel::start(scope, std::mem::take(runs), sort) {
                Ok(sorter) => Self::Busy(send, sorter),
                Err(runs) => Self::Here(runs),
            };
        }
        match self {
            Self::Here(runs) => runs.push(chunk),
            Self::Busy(chunks, _) if chunks.send(chunk).is_ok() => Ok(()),
            _ => Err(Error::failed("the rows could not be sorted")),
        }
    }

    /// Takes the last chunk, and returns the runs.
    ///
    /// # Errors
    /// When runs could not be spooled to disk.
    pub(super) fn finish(self, last: Vec<PollRow>) -> Result<Runs> {
        match self {
            Self::Idle(_, mut runs) | Self::Here(mut runs) => runs.push(last).map(|()| runs),
            Self::Busy(chunks, sorter) => {
                // The send fails only after sorting has failed; the join returns that error.
                let _ = chunks.send(last);
                drop(chunks);
                sorter.join()
            }
        }
    }
}
