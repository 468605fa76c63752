//! Rhythm: how one store is polled, so that its silence can be told from its usual gaps.
//!
//! The definitions are those of [poller outages](super::outage).

use super::evidence::POLL_EVERY;
use super::interval::Micros;
use super::open_time::OpenTime;
use super::outage::{Time, usual_gap, widened};
use super::poll::Poll;

/// How a store is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Whether it is polled when open: then business time counts between its polls, else all time.
    when_open: bool,
    /// Its usual gap, in the time that counts.
    pub usual_gap: Micros,
    /// Whether it has enough polls for both; else they are assumed.
    pub known: bool,
}

impl Rhythm {
    /// The rhythm of a store with these polls; `gaps` is scratch memory. A store with too few polls is assumed to be
    /// polled once an hour when open.
    pub fn of(polls: &[Poll], open: &OpenTime, gaps: &mut Vec<Micros>) -> Self {
        let time = Time::of(polls, open, &widened(open.intervals()));
        let gap = usual_gap(polls, |a, b| time.between(a, b), gaps);
        Self {
            when_open: gap.is_none() || matches!(time, Time::Business(_)),
            usual_gap: gap.unwrap_or(POLL_EVERY),
            known: gap.is_some(),
        }
    }

    /// How much of the time that counts passes between two instants.
    pub fn between(self, open: &OpenTime, start: Micros, end: Micros) -> Micros {
        let time = match self.when_open {
            true => Time::Business(open),
            false => Time::Elapsed,
        };
        time.between(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::{DAY, HOUR, Interval};
    use super::super::poll::Status::Active;
    use super::*;

    #[test]
    fn a_night_counts_only_for_a_store_that_is_polled_at_night() {
        let days = (0..8).map(|day| Interval::new(day * DAY + 9 * HOUR, day * DAY + 21 * HOUR));
        let open = OpenTime::new(days.collect());
        let polls = |from: i64, to: i64| -> Vec<Poll> {
            let hours = (0..4 * 24).filter(|hour| (from..to).contains(&(hour % 24)));
            hours.map(|hour| Poll::new(hour * HOUR, Active)).collect()
        };
        let (evening, morning) = (3 * DAY + 20 * HOUR, 4 * DAY + 10 * HOUR);
        let day = Rhythm::of(&polls(9, 21), &open, &mut Vec::new());
        let always = Rhythm::of(&polls(0, 24), &open, &mut Vec::new());
        assert_eq!([day, always].map(|rhythm| rhythm.usual_gap), [HOUR, HOUR]);
        assert_eq!(day.between(&open, evening, morning), 2 * HOUR);
        assert_eq!(always.between(&open, evening, morning), 14 * HOUR);
        let few = Rhythm::of(&polls(9, 21)[..2], &open, &mut Vec::new());
        assert_eq!((few.usual_gap, few.known), (POLL_EVERY, false));
    }
}
