//! Turns: bounds how many costly questions are answered at once, in all and for each credential.
//!
//! A question of another instant than the newest, and a statement, read days of polls for themselves. Many at once
//! would take memory for each. Those beyond the bound wait for a while, and a few may wait.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How many are answered at once.
const COSTLY_MAX: usize = 2;

/// How many of one credential; an open server has only one visitor, as it were.
const COSTLY_OF_ONE_MAX: usize = 1;

/// How many may wait.
const COSTLY_WAITING_MAX: usize = 16;

/// How long one may wait.
const COSTLY_WITHIN: Duration = Duration::from_secs(5);

/// The questions that are answered or wait now.
#[derive(Debug, Default)]
pub struct Turns {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: HashMap<Option<i64>, usize>,
    waiting: usize,
}

/// A turn, which ends when it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    credential: Option<i64>,
}

impl State {
    fn has_room(&self, credential: Option<i64>) -> bool {
        let of_one = credential.map_or(COSTLY_MAX, |_| COSTLY_OF_ONE_MAX);
        let own = self.running.get(&credential).copied().unwrap_or(0);
        self.running.values().sum::<usize>() < COSTLY_MAX && own < of_one
    }
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind) when too many wait, or it takes too long.
    pub fn wait(&self, credential: Option<i64>) -> Result<Turn<'_>> {
        let busy =
            || Error::unavailable("too many questions of other instants are asked at once (try again in a second)");
        let until = Instant::now() + COSTLY_WITHIN;
        let mut state = self.state();
        if !state.has_room(credential) {
            if state.waiting >= COSTLY_WAITING_MAX {
                return Err(busy());
            }
            state.waiting += 1;
            while !state.has_room(credential) {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    state.waiting -= 1;
                    return Err(busy());
                }
                let waited = self.freed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            state.waiting -= 1;
        }
        *state.running.entry(credential).or_default() += 1;
        Ok(Turn {
            turns: self,
            credential,
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        if let Some(running) = state.running.get_mut(&self.credential) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(&self.credential);
            }
        }
        drop(state);
        self.turns.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn turns_are_bounded_in_all_and_for_each_credential() {
        let turns = Turns::default();
        let first = turns.wait(Some(1)).unwrap();
        assert!(!turns.state().has_room(Some(1)), "one of a credential");
        let second = turns.wait(Some(2)).unwrap();
        assert!(!turns.state().has_room(Some(3)), "two in all");
        thread::scope(|scope| {
            let third = scope.spawn(|| turns.wait(Some(3)).is_ok());
            while turns.state().waiting == 0 {
                thread::yield_now();
            }
            drop(first);
            assert!(third.join().unwrap());
        });
        drop(second);
        assert!(turns.state().running.is_empty());
        turns.state().waiting = COSTLY_WAITING_MAX;
        let open = [turns.wait(None).unwrap(), turns.wait(None).unwrap()];
        assert!(turns.wait(None).is_err(), "too many wait already");
        drop(open);
    }
}
