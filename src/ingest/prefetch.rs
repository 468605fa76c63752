//! Prefetch: makes an iterator's items on another thread, while the caller uses the earlier ones.

use std::thread::Scope;
use std::vec;

use crossbeam_channel::{Receiver, bounded};

use crate::parallel::{self, Beside};

/// How many items are sent at once; one send costs as much as some hundred rows.
const CHUNK_ITEMS: usize = 4096;

/// How many chunks may wait for the caller.
const CHUNKS_MAX: usize = 16;

/// An iterator that runs here or on a thread.
pub(super) enum Prefetch<'scope, I: Iterator> {
    Here(I),
    There {
        chunks: Receiver<Vec<I::Item>>,
        chunk: vec::IntoIter<I::Item>,
        thread: Beside<'scope, I>,
    },
}

impl<'scope, I> Prefetch<'scope, I>
where
    I: Iterator + Send + 'scope,
    I::Item: Send + 'scope,
{
    /// Starts a thread that runs `items`; without a thread they run here.
    pub(super) fn spawn(scope: &'scope Scope<'scope, '_>, items: I) -> Self {
        let (send, chunks) = bounded(CHUNKS_MAX);
        let thread = parallel::start(scope, items, move |mut items| {
            loop {
                let mut chunk = Vec::with_capacity(CHUNK_ITEMS);
                chunk.extend(items.by_ref().take(CHUNK_ITEMS));
                let is_last = chunk.len() < CHUNK_ITEMS;
                // A failed caller has dropped the receiver.
                if send.send(chunk).is_err() || is_last {
                    return items;
                }
            }
        });
        match thread {
            Ok(thread) => Self::There {
                chunks,
                chunk: Vec::new().into_iter(),
                thread,
            },
            Err(items) => Self::Here(items),
        }
    }

    /// The iterator, after its last item.
    pub(super) fn finish(self) -> I {
        match self {
            Self::Here(items) => items,
            Self::There { chunks, thread, .. } => {
                drop(chunks);
                thread.join()
            }
        }
    }
}

impl<I: Iterator> Iterator for Prefetch<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Here(items) => items.next(),
            Self::There { chunks, chunk, .. } => loop {
                if let Some(item) = chunk.next() {
                    return Some(item);
                }
                *chunk = chunks.recv().ok()?.into_iter();
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_comes_from_a_thread_is_what_comes_without_one() {
        for count in [0, 1, CHUNK_ITEMS, 3 * CHUNK_ITEMS + 1, 40 * CHUNK_ITEMS] {
            thread::scope(|scope| {
                let mut there = Prefetch::spawn(scope, 0..count);
                assert!(there.by_ref().eq(0..count));
                assert_eq!(there.finish().len(), 0);
            });
        }
    }

    #[test]
    fn a_user_who_has_had_enough_ends_the_thread() {
        let rest = thread::scope(|scope| {
            let mut there = Prefetch::spawn(scope, 0..1_000_000);
            assert_eq!(there.next(), Some(0));
            there.finish().len()
        });
        assert!(rest > 0);
    }
}
