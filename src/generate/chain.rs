//! A chain of stores that is polled hour after hour, for as long as anybody asks: the demo's past and future.
//!
//! Any span may be asked for, in any order. The same seed, store and hour always give the same poll.

use super::random::{Purpose, Random};
use crate::uptime::business_hours::{Pattern, ZoneTable};
use crate::uptime::interval::{DAY, HOUR, Interval, MINUTE, Micros};

/// A poll lands within so many microseconds after its hour.
const SWEEP_MICROS: u32 = 5 * 60 * 1_000_000;

/// How many polls in a thousand are missing.
const MISSING_PER_MILLE: u32 = 30;

/// A store is down once in so many days, by weight: a few are down often.
const INCIDENT_EVERY: [(u32, Micros); 3] = [(60, 8 * DAY), (30, 3 * DAY), (10, DAY)];

/// An incident's length in minutes, at least and beyond that; short ones are likelier.
const INCIDENT_MINUTES_MIN: u32 = 70;
const INCIDENT_MINUTES: u32 = 7 * 60;

/// A store that is polled.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id.
    pub id: Box<str>,
    /// Its zone and hours.
    pub pattern: Pattern,
    /// Whether it answers `inactive` while it is closed.
    pub rests: bool,
}

/// The chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its stores.
    pub members: Vec<Member>,
    /// The source of chance.
    pub seed: u64,
}

impl Chain {
    /// Gives every poll of the hours that begin in `span`: the store's id, the instant, and whether it is active.
    pub fn polls(&self, span: Interval, mut each: impl FnMut(&str, Micros, bool)) {
        let first = span.start.div_euclid(HOUR) + Micros::from(span.start.rem_euclid(HOUR) > 0);
        let hours = first..span.end.div_euclid(HOUR) + Micros::from(span.end.rem_euclid(HOUR) > 0);
        let around = Interval::new(span.start - HOUR, span.end + 2 * HOUR);
        for (index, member) in (0_u64..).zip(&self.members) {
            let zone = ZoneTable::new(member.pattern.zone, around);
            let open = member.pattern.open(&zone, around);
            for hour in hours.clone() {
                let mut random = Random::stream(self.seed, Purpose::Sweep, mixed(index, hour));
                if random.chance(MISSING_PER_MILLE) {
                    continue;
                }
                let at = hour * HOUR + Micros::from(random.below(SWEEP_MICROS));
                let is_active = if open.contains(at) {
                    !self.is_down(index, at)
                } else {
                    !member.rests
                };
                each(&member.id, at, is_active);
            }
        }
    }

    /// Whether an incident of the store lasts at `at`. Each stretch of days has one, which begins at a random
    /// instant in it.
    fn is_down(&self, index: u64, at: Micros) -> bool {
        let mut of_store = Random::stream(self.seed, Purpose::Store, index);
        let every = *of_store.weighted(&INCIDENT_EVERY);
        let stretch = at.div_euclid(every);
        // One that began in the stretch before may last.
        [stretch - 1, stretch].into_iter().any(|stretch| {
            let mut random = Random::stream(self.seed, Purpose::Incidents, mixed(index, stretch));
            let minutes = u32::try_from(every / MINUTE).unwrap_or(u32::MAX);
            let start = stretch * every + Micros::from(random.below(minutes)) * MINUTE;
            let beyond = random.below(INCIDENT_MINUTES).min(random.below(INCIDENT_MINUTES));
            let length = Micros::from(INCIDENT_MINUTES_MIN + beyond) * MINUTE;
            (start..start + length).contains(&at)
        })
    }
}

/// One number of a store and an hour or stretch.
fn mixed(index: u64, number: Micros) -> u64 {
    (index << 40) ^ number.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::generate::END;
    use crate::uptime::calendar::WeeklyRow;

    fn chain() -> Chain {
        let row = |weekday| WeeklyRow {
            weekday,
            times_us_local: Some([9 * HOUR, 17 * HOUR]),
        };
        let member = |id: &str, rows: Vec<WeeklyRow>, rests| Member {
            id: id.into(),
            pattern: Pattern::weekly(Tz::UTC, rows),
            rests,
        };
        let daily: Vec<_> = (0..7).map(row).collect();
        Chain {
            members: vec![
                member("always", Vec::new(), true),
                member("rests", daily.clone(), true),
                member("answers", daily, false),
            ],
            seed: 7,
        }
    }

    fn polls(span: Interval) -> Vec<(String, Micros, bool)> {
        let mut polls = Vec::new();
        chain().polls(span, |id, at, is_active| polls.push((id.to_owned(), at, is_active)));
        polls.sort_unstable();
        polls
    }

    #[test]
    fn a_span_has_the_polls_of_its_parts() {
        let (start, middle, end) = (END - 9 * DAY, END - 3 * DAY, END);
        let mut parts = polls(Interval::new(start, middle));
        parts.extend(polls(Interval::new(middle, end)));
        parts.sort_unstable();
        assert_eq!(parts, polls(Interval::new(start, end)));
        let hours = usize::try_from(3 * 9 * 24).unwrap();
        assert!(parts.len() < hours && parts.len() > hours * 9 / 10, "{}", parts.len());
    }

    #[test]
    fn stores_go_down_come_back_and_rest_while_they_are_closed() {
        let polls = polls(Interval::new(END - 28 * DAY, END));
        let of = |id: &str, hours: std::ops::Range<Micros>| -> Vec<bool> {
            let of_store = polls.iter().filter(|poll| poll.0 == id);
            let within = of_store.filter(|poll| hours.contains(&(poll.1.rem_euclid(DAY) / HOUR)));
            within.map(|poll| poll.2).collect()
        };
        for id in ["always", "rests", "answers"] {
            let open = of(id, 9..17);
            let down = open.iter().filter(|is_active| !**is_active).count();
            assert!(down > 0 && down < open.len() / 3, "{id}: {down} of {}", open.len());
        }
        assert!(of("rests", 17..24).iter().all(|is_active| !is_active));
        assert!(of("answers", 17..24).iter().all(|is_active| *is_active));
    }
}
