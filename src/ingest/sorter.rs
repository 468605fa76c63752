//! Sorting beside the parser: chunks of polls go to a thread, which gives them back in runs.
//!
//! It must never know where the polls come from.

use std::path::Path;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::runs::{PollRow, Runs};
use crate::error::{Error, Result};

/// Sorts chunks beside the parser, on a thread that only inputs of more than one chunk need.
pub(super) struct Sorter<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    /// The runs, as long as no thread has them.
    idle: Option<Runs>,
    busy: Option<Busy<'scope>>,
}

/// Where chunks go, and the thread that gives the runs back when no more come.
type Busy<'scope> = (Sender<Vec<PollRow>>, ScopedJoinHandle<'scope, Result<Runs>>);

impl<'scope, 'env> Sorter<'scope, 'env> {
    /// No rows yet; more than memory should hold are spooled to `folder`.
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, folder: &Path) -> Self {
        Self {
            scope,
            idle: Some(Runs::new(folder)),
            busy: None,
        }
    }

    /// Takes a chunk of rows that come after all before it.
    ///
    /// # Errors
    /// When the sorter has failed; [`Sorter::finish`] says why.
    pub(super) fn push(&mut self, chunk: Vec<PollRow>) -> Result<()> {
        if let Some(mut runs) = self.idle.take() {
            let (chunks, unsorted) = bounded::<Vec<PollRow>>(1);
            let sort = move || {
                unsorted
                    .into_iter()
                    .try_for_each(|chunk| runs.push(chunk))?;
                Ok(runs)
            };
            self.busy = Some((chunks, self.scope.spawn(sort)));
        }
        let taken = self
            .busy
            .as_ref()
            .is_some_and(|(chunks, _)| chunks.send(chunk).is_ok());
        // Why nobody takes it any more, `finish` will hear.
        if taken {
            Ok(())
        } else {
            Err(Error::failed("the rows could not be sorted"))
        }
    }

    /// Takes the last chunk, and gives all back.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub(super) fn finish(mut self, last: Vec<PollRow>) -> Result<Runs> {
        match (self.idle.take(), self.busy.take()) {
            (Some(mut runs), _) => runs.push(last).map(|()| runs),
            (None, Some((chunks, sorter))) => {
                // A sorter that takes no more has failed, and says why when it is joined.
                let _ = chunks.send(last);
                drop(chunks);
                sorter
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            (None, None) => Err(Error::failed("the rows could not be sorted")),
        }
    }
}
