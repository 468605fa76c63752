//! Fork and join: the only way in which the program shares work among processors.
//!
//! Threads live no longer than the call that starts them, so work may borrow from its caller. A panic in any
//! part continues in the caller.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

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
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let some = || {
        let mut done = Vec::new();
        while let Some((place, item)) = take() {
            done.push((place, work(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (0..others).map(|_| scope.spawn(some)).collect();
        let mut done = some();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|&(place, _)| place);
    done.into_iter().map(|(_, answer)| answer).collect()
}

/// Calls both, `beside` on another thread, and returns both results.
pub fn join<A: Send, B>(beside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let here = here();
        let beside = beside.join().unwrap_or_else(|panic| resume_unwind(panic));
        (beside, here)
    })
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
