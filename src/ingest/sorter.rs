//! Sorting beside the parser: chunks of polls go to a thread, which gives back whatever gathered them.
//!
//! It must never know where the polls come from, nor what they are gathered for.

use std::path::Path;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::runs::{PollRow, Runs};
use crate::error::{Error, Result};

/// Polls that come after all before them.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// The ids that were met for the first time since the chunk before, in that order.
    pub(super) ids: Vec<Box<str>>,
    /// In the order they came in, or sorted with that order kept.
    pub(super) polls: Vec<PollRow>,
}

/// Whoever chunks are for.
pub(super) trait Gather: Send {
    /// Takes a chunk that comes after all before it.
    fn push(&mut self, chunk: Chunk) -> Result<()>;
}

/// Every id and poll of a call.
pub(super) struct Gathered {
    pub(super) ids: Vec<Box<str>>,
    pub(super) polls: Runs,
}

impl Gathered {
    /// Nothing yet; more polls than memory should hold are spooled to `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            ids: Vec::new(),
            polls: Runs::new(folder),
        }
    }
}

impl Gather for Gathered {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.ids.extend(chunk.ids);
        self.polls.push(chunk.polls)
    }
}

/// Has chunks gathered beside the parser, on a thread that only inputs of more than one chunk need.
pub(super) struct Sorter<'scope, 'env, G> {
    scope: &'scope Scope<'scope, 'env>,
    /// Whoever gathers, as long as no thread does.
    idle: Option<G>,
    busy: Option<Busy<'scope, G>>,
}

/// Where chunks go, and the thread that gives the gatherer back when no more come.
type Busy<'scope, G> = (Sender<Chunk>, ScopedJoinHandle<'scope, Result<G>>);

impl<'scope, 'env, G: Gather + 'scope> Sorter<'scope, 'env, G> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, gather: G) -> Self {
        Self {
            scope,
            idle: Some(gather),
            busy: None,
        }
    }

    /// Takes a chunk that comes after all before it.
    ///
    /// # Errors
    /// When the gatherer has failed; [`Sorter::finish`] says why.
    pub(super) fn push(&mut self, chunk: Chunk) -> Result<()> {
        if let Some(mut gather) = self.idle.take() {
            let (send, chunks) = bounded::<Chunk>(1);
            let sort = move || {
                chunks
                    .into_iter()
                    .try_for_each(|chunk| gather.push(chunk))?;
                Ok(gather)
            };
            self.busy = Some((send, self.scope.spawn(sort)));
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

    /// Takes the last chunk, and gives the gatherer back.
    ///
    /// # Errors
    /// Those of the gatherer.
    pub(super) fn finish(mut self, last: Chunk) -> Result<G> {
        match (self.idle.take(), self.busy.take()) {
            (Some(mut gather), _) => gather.push(last).map(|()| gather),
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
