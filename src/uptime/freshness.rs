//! Freshness: whether numbers are of now, of a past instant, or of polls that have ended.
//!
//! It alone decides where *now* may be written. Pages, JSON, badges and metrics ask it.

use super::evidence::POLL_EVERY;
use super::fleet::Fleet;
use super::history::History;
use super::interval::{DAY, MINUTE, Micros};
use super::outage::usual_gap;
use super::window::reach;

/// Numbers are of now only while the newest poll is at most this many usual gaps away from the machine's clock.
pub const LIVE_GAPS: Micros = 2;

/// The shortest and the longest usual gap that a fleet may have.
const GAP_MIN: Micros = MINUTE;
const GAP_MAX: Micros = DAY;

/// How many stores are asked for the usual gap, and how many of the last polls of each.
const STORES_MAX: usize = 64;
const POLLS_MAX: usize = 25;

/// The instant that a caller wants to know about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest poll's: data have their own clock.
    Newest,
    /// The machine's clock.
    Now,
    /// An instant that the caller named.
    At(Micros),
}

/// The age of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// They are of now.
    Live,
    /// They are of an instant in the past, as asked.
    Past,
    /// Polls ended before the wanted instant, so what came after them is unknown.
    Stale,
}

/// The instant that numbers are of, and their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The instant that the numbers are of.
    pub as_of: Micros,
    /// The newest poll up to the wanted instant, if there is one.
    pub newest_poll: Option<Micros>,
    /// The usual gap between the polls of a store.
    pub usual_gap: Micros,
    /// Their age.
    pub age: Age,
}

impl Freshness {
    /// The freshness of what is `wanted`, by the machine's clock and the newest poll up to that instant.
    ///
    /// The machine's instant is cut to the minute: all callers of one minute see the same. Where polls have ended,
    /// *now* is not known: then the numbers are of the newest poll's instant.
    pub fn new(wanted: Wanted, machine: Micros, newest_poll: Option<Micros>, usual_gap: Micros) -> Self {
        let minute = machine.div_euclid(MINUTE) * MINUTE;
        let within = |at: Micros, poll: Micros| (at - poll).abs() <= LIVE_GAPS * usual_gap;
        let is_near = |at: Micros| newest_poll.is_some_and(|newest| within(at, newest));
        let (as_of, age) = match (wanted, newest_poll) {
            (Wanted::Newest, Some(newest)) if is_near(machine) => (newest, Age::Live),
            (Wanted::Newest, newest) => (newest.unwrap_or(minute), Age::Past),
            (Wanted::Now, _) if is_near(machine) => (minute, Age::Live),
            (Wanted::Now, newest) => (newest.unwrap_or(minute), Age::Stale),
            (Wanted::At(at), _) if is_near(at) => (at, Age::Past),
            (Wanted::At(at), _) => (at, Age::Stale),
        };
        Self {
            as_of,
            newest_poll,
            usual_gap,
            age,
        }
    }

    /// The same by a clock that cannot be right: nothing is of now.
    #[must_use]
    pub fn by_a_doubted_clock(self) -> Self {
        let age = match self.age {
            Age::Live => Age::Past,
            age => age,
        };
        Self { age, ..self }
    }

    /// Whether *now* may be written.
    pub fn is_live(&self) -> bool {
        self.age == Age::Live
    }

    /// Whether polls ended before the wanted instant.
    pub fn is_stale(&self) -> bool {
        self.age == Age::Stale
    }
}

/// The usual gap between the polls of a store of `fleet`: the median over some of its stores, between a minute and a
/// day; an hour if no store has enough polls.
///
/// `history` must hold the polls before `as_of`. The cost does not depend on the size of the fleet.
pub fn usual_gap_of(fleet: &Fleet, history: &History, as_of: Micros) -> Micros {
    let stores = fleet.stores();
    let step = stores.len().div_ceil(STORES_MAX).max(1);
    let (mut scratch, mut gaps, mut usual) = (Vec::new(), Vec::new(), Vec::new());
    for store in stores.iter().step_by(step) {
        let polls = history.of(store.key, reach(as_of), &mut scratch);
        let last = &polls[polls.len().saturating_sub(POLLS_MAX)..];
        usual.extend(usual_gap(last, |a, b| b - a, &mut gaps));
    }
    let middle = usual.len() / 2;
    if usual.is_empty() {
        return POLL_EVERY;
    }
    (*usual.select_nth_unstable(middle).1).clamp(GAP_MIN, GAP_MAX)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::super::business_hours::Pattern;
    use super::super::history_builder::history_of;
    use super::super::interval::HOUR;
    use super::super::poll::{Poll, Status};
    use super::*;

    const MACHINE: Micros = 1000 * HOUR + 59 * MINUTE + 7;

    fn told(wanted: Wanted, poll: Option<Micros>) -> (Micros, Age) {
        let freshness = Freshness::new(wanted, MACHINE, poll, HOUR);
        (freshness.as_of, freshness.age)
    }

    #[test]
    fn now_is_written_up_to_two_usual_gaps_after_the_newest_poll() {
        let minute = 1000 * HOUR + 59 * MINUTE;
        let (recent, old) = (MACHINE - 2 * HOUR, MACHINE - 2 * HOUR - 1);
        assert_eq!(told(Wanted::Newest, Some(recent)), (recent, Age::Live));
        assert_eq!(told(Wanted::Newest, Some(old)), (old, Age::Past));
        assert_eq!(told(Wanted::Now, Some(recent)), (minute, Age::Live));
        assert_eq!(told(Wanted::Now, Some(old)), (old, Age::Stale));
        assert_eq!(told(Wanted::Now, None), (minute, Age::Stale));
        assert_eq!(told(Wanted::Newest, None), (minute, Age::Past));
        // A poll far ahead of the machine's clock says nothing about now.
        assert_eq!(told(Wanted::Newest, Some(MACHINE + 3 * HOUR)).1, Age::Past);
    }

    #[test]
    fn an_instant_that_was_asked_for_is_kept_and_is_never_now() {
        let at = 900 * HOUR;
        assert_eq!(told(Wanted::At(at), Some(at)), (at, Age::Past));
        assert_eq!(told(Wanted::At(at), Some(at - 2 * HOUR)), (at, Age::Past));
        assert_eq!(told(Wanted::At(at), Some(at - 3 * HOUR)), (at, Age::Stale));
        assert_eq!(told(Wanted::At(at), None), (at, Age::Stale));
    }

    #[test]
    fn the_usual_gap_is_a_stores_and_not_that_of_the_fleet() {
        let pattern = || Pattern::weekly(Tz::UTC, Vec::new());
        // A poller that spreads a thousand stores over the hour, but for a night of silence.
        let fleet = Fleet::new((0..1000).map(|key| (key, key.to_string().into_boxed_str(), pattern())));
        let poll = |store: u32, hour: Micros| (store, Poll::new(hour * HOUR + Micros::from(store), Status::Active));
        let hours = (0..30).filter(|hour| !(10..18).contains(hour));
        let polls: Vec<_> = hours
            .flat_map(|hour| (0..1000).map(move |store| poll(store, hour)))
            .collect();
        assert_eq!(usual_gap_of(&fleet, &history_of(polls), 30 * HOUR), HOUR);
        assert_eq!(usual_gap_of(&fleet, &history_of([]), 30 * HOUR), POLL_EVERY);
        let often = (0..30).map(|second| (7, Poll::new(second * 1_000_000, Status::Active)));
        let one = Fleet::new([(7, "7".into(), pattern())]);
        assert_eq!(usual_gap_of(&one, &history_of(often), HOUR), MINUTE);
    }
}
