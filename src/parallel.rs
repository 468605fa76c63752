//! Fork and join: the only way in which the program shares work among processors.
//!
//! Threads live no longer than the call that starts them, so work may borrow from its caller. A panic in any
//! part continues in the caller. The system may refuse a thread at any time: its work is then done on the threads
//! that are there.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

/// How many threads can run at once: the processors that this process may use, at least 1.
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Calls `work` with every item, on up to `threads` threads with this one; returns the results in the order
/// of the items. A thread that is done takes the next item.
pub fn map<T: Send, R: Send>(
    threads: usize,
    items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator + Send>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let items = items.into_iter();
    let others = threads.min(items.len()).saturating_sub(1);
    if others == 0 {
        return items.map(work).collect();
    }
    let queue = Mutex::new(items.enumerate());
    let take = || locked(&queue).next();
    let some = || {
        let mut done = Vec::new();
        while let Some((place, item)) = take() {
            done.push((place, work(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others = (0..others).map_while(|_| start(scope, (), |()| some()).ok());
        let others: Vec<_> = others.collect();
        let mut done = some();
        for other in others {
            done.extend(other.join());
        }
        done
    });
    done.sort_unstable_by_key(|&(place, _)| place);
    done.into_iter().map(|(_, answer)| answer).collect()
}

/// Calls both, `beside` on another thread, and returns both results. If there is no thread, `beside` comes second.
pub fn join<A: Send, B>(beside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| match start(scope, beside, |beside| beside()) {
        Ok(beside) => {
            let here = here();
            (beside.join(), here)
        }
        Err(beside) => {
            let here = here();
            (beside(), here)
        }
    })
}

/// A thread of a scope that works beside the caller.
pub struct Beside<'scope, R>(ScopedJoinHandle<'scope, Option<R>>);

/// Starts `work` with `with` on a thread of the scope.
///
/// # Errors
/// When the system gives no thread: `with` comes back, and the caller does the work.
pub fn start<'scope, W: Send + 'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    with: W,
    work: impl FnOnce(W) -> R + Send + 'scope,
) -> Result<Beside<'scope, R>, W> {
    // A refused thread drops its closure, so the caller keeps a hold of what is in it.
    let kept = Arc::new(Mutex::new(Some(with)));
    let given = Arc::clone(&kept);
    let run = move || {
        let with = locked(&given).take();
        with.map(work)
    };
    match (thread::Builder::new().spawn_scoped(scope, run), kept) {
        (Ok(thread), _) => Ok(Beside(thread)),
        (Err(error), kept) => {
            tracing::debug!(%error, "there is no thread, so its work is done here");
            let with = locked(&kept).take();
            Err(with.unwrap_or_else(|| unreachable!("no thread took it")))
        }
    }
}

impl<R> Beside<'_, R> {
    /// Waits for the result; a panic continues here.
    pub fn join(self) -> R {
        let result = self.0.join().unwrap_or_else(|panic| resume_unwind(panic));
        result.unwrap_or_else(|| unreachable!("only a thread that never ran leaves its work"))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_items_on_any_number_of_threads() {
        for threads in 0..5 {
            for count in [0, 1, 2, 100_usize] {
                let doubled = map(threads, 0..count, |item| item * 2);
                assert!(doubled.into_iter().eq((0..count).map(|item| item * 2)));
            }
        }
        assert_eq!(join(|| 1, || 2), (1, 2));
    }

    #[test]
    fn a_panic_goes_on_in_the_caller() {
        let panics = |item| assert!(item != 7, "a bug");
        assert!(catch_unwind(AssertUnwindSafe(|| map(3, 0..9, panics))).is_err());
        assert!(catch_unwind(|| join(|| panic!("a bug"), || ())).is_err());
    }
}
