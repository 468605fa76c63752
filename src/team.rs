//! The team: threads that wait to lend a hand with work that is shared.
//!
//! They are there before the work is, since a thread takes longer to start than many a part to be done.
//! A hand that is busy is not waited for. It must never know what the work is.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::uptime::side_by_side::{Parts, SideBySide, Work};

/// Threads at the disposal of whoever shares work; they end with it.
#[derive(Debug)]
pub struct Team {
    /// Only who waits at the other end takes anything: it has no room.
    ask: Sender<Arc<Shared>>,
    hands: usize,
}

/// Work that is being shared.
struct Shared {
    parts: Parts,
    work: Work,
    /// Told how each part ended.
    ended: Sender<thread::Result<()>>,
}

impl Team {
    /// A team of so many hands, fewer where the machine gives fewer threads.
    pub fn start(hands: usize) -> Self {
        let (ask, asked) = bounded::<Arc<Shared>>(0);
        let lend =
            |asked: Receiver<Arc<Shared>>| asked.iter().for_each(|shared| shared.lend_a_hand());
        let start = |hand| {
            let asked = asked.clone();
            let thread = thread::Builder::new().name(format!("hand-{hand}"));
            let started = thread.spawn(move || lend(asked));
            if let Err(error) = &started {
                tracing::warn!(%error, "no thread to help with reports: they take longer");
            }
            started.is_ok()
        };
        let hands = (0..hands).take_while(|&hand| start(hand)).count();
        Self { ask, hands }
    }
}

impl SideBySide for Team {
    fn run(&self, parts: usize, work: Work) {
        let (ended, ends) = bounded(parts);
        let shared = Arc::new(Shared {
            parts: Parts::new(parts),
            work,
            ended,
        });
        for _ in 1..parts.min(1 + self.hands) {
            if self.ask.try_send(Arc::clone(&shared)).is_err() {
                break; // Nobody else is idle.
            }
        }
        shared.lend_a_hand();
        for end in ends.iter().take(parts) {
            end.unwrap_or_else(|panic| resume_unwind(panic));
        }
    }
}

impl Shared {
    fn lend_a_hand(&self) {
        self.parts.each(|part| {
            let end = catch_unwind(AssertUnwindSafe(|| (self.work)(part)));
            // Whoever shares this waits for all of it.
            let _ = self.ended.send(end);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn every_part_is_done_once_by_a_team_of_any_size() {
        for hands in 0..4 {
            let team = Team::start(hands);
            for parts in [0, 1, 2, 5, 100] {
                let done: Arc<Vec<AtomicUsize>> =
                    Arc::new((0..parts).map(|_| AtomicUsize::new(0)).collect());
                let count = Arc::clone(&done);
                let work = move |part: usize| {
                    count[part].fetch_add(1, Ordering::SeqCst);
                };
                team.run(parts, Arc::new(work));
                assert!(done.iter().all(|done| done.load(Ordering::SeqCst) == 1));
            }
        }
    }

    #[test]
    fn an_idle_hand_works_beside_who_asks() {
        let team = Team::start(1);
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let deadline = Instant::now() + Duration::from_secs(20);
        while seen.lock().unwrap().len() < 2 {
            assert!(Instant::now() < deadline, "nobody ever helped");
            let see = Arc::clone(&seen);
            let work = move |_| {
                see.lock().unwrap().insert(thread::current().id());
                thread::yield_now();
            };
            team.run(8, Arc::new(work));
        }
    }

    #[test]
    fn a_panic_of_a_part_goes_on_with_who_asked_and_costs_no_hand() {
        let team = Team::start(2);
        for _ in 0..5 {
            let work: Work = Arc::new(|part| assert!(part != 3, "a bug"));
            let ended = catch_unwind(AssertUnwindSafe(|| team.run(9, work)));
            let said = ended.unwrap_err();
            assert_eq!(said.downcast_ref::<&str>(), Some(&"a bug"));
        }
        team.run(9, Arc::new(|_| {}));
    }
}
