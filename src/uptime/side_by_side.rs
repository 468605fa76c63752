//! Work in parts, side by side: whoever asks does what nobody else has taken.
//!
//! It must never know what the work is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The work on one part, by its number.
pub type Work = Arc<dyn Fn(usize) + Send + Sync>;

/// Threads that share work.
pub trait SideBySide {
    /// Calls `work` once for every number below `parts`, here and on other threads, and returns when all
    /// of it is done. A panic in one of them goes on here.
    fn run(&self, parts: usize, work: Work);
}

/// So many threads, all but the caller's started for the purpose: for work that is worth it.
#[derive(Clone, Copy, Debug)]
pub struct Threads(pub usize);

impl SideBySide for Threads {
    fn run(&self, parts: usize, work: Work) {
        let parts = Parts::new(parts);
        let (parts, work) = (&parts, &*work);
        thread::scope(|scope| {
            for _ in 1..self.0.min(parts.count) {
                scope.spawn(|| parts.each(work));
            }
            parts.each(work);
        });
    }
}

/// Parts of some work, each to be taken once.
#[derive(Debug)]
pub struct Parts {
    next: AtomicUsize,
    /// How many there are.
    pub count: usize,
}

impl Parts {
    /// So many parts, none of them taken.
    pub const fn new(count: usize) -> Self {
        let next = AtomicUsize::new(0);
        Self { next, count }
    }

    /// Calls `work` for one part after the other that nobody else has taken, until there are no more.
    pub fn each(&self, work: impl Fn(usize)) {
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= self.count {
                return;
            }
            work(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_part_is_done_once_on_any_number_of_threads() {
        for threads in 0..4 {
            for count in [0, 1, 2, 100] {
                let done = Arc::new(Mutex::new(Vec::new()));
                let tell = Arc::clone(&done);
                let work = move |part| tell.lock().unwrap().push(part);
                Threads(threads).run(count, Arc::new(work));
                let mut done = std::mem::take(&mut *done.lock().unwrap());
                done.sort_unstable();
                assert!(done.into_iter().eq(0..count));
            }
        }
    }
}
