//! Fleet events: stretches in which so many open stores were offline at once that the cause is probably not theirs.
//!
//! The week is cut into steps of a quarter of an hour. A step is *bad* if at least [`BAD_FROM`] of known business
//! time was downtime, at least [`TIMES_USUAL`] times the usual share, of [`STORES_MIN`] stores or more. A good part of
//! the fleet must be open then ([`OPEN_PART`]). An event is a run of bad steps and the half as bad ones beside them. A
//! short pause does not end it. The usual share is the median of all steps in which a store was open.

use super::interval::{DAY, Interval, MINUTE, Micros};
use super::load::{self, Load};
use super::window::Share;

/// The length of a step.
pub const STEP: Micros = 15 * MINUTE;

/// The least share of open stores offline in a bad step, in hundredths of a per cent.
pub const BAD_FROM: Micros = 2_500;

/// How many times the usual share a bad step has, at least.
pub const TIMES_USUAL: Micros = 4;

/// How many stores are offline in a bad step, at least.
pub const STORES_MIN: Micros = 3;

/// The part of the most stores that were ever open at once which is open in a step of an event, at least. At night a
/// handful of open stores is no fleet.
pub const OPEN_PART: Micros = 4;

/// How many steps may lie between two parts of one event.
const PAUSE_STEPS: usize = 2;

/// A stretch in which unusually many open stores were offline at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetEvent {
    /// The stretch, in whole steps.
    pub stretch: Interval,
    /// The highest share of open stores that were offline at once.
    pub share: Share,
    /// How many stores were offline then.
    pub offline: usize,
    /// Of how many that were open.
    pub open: usize,
}

/// The loads of a week's steps.
#[derive(Clone, Debug)]
pub struct Steps {
    /// The start of the first; steps begin at full quarters of an hour.
    start: Micros,
    /// The load of each.
    pub(super) loads: Vec<Load>,
}

/// How many steps a week touches.
const WEEK_STEPS: usize = 7 * 24 * 4 + 1;

const _: () = assert!(96 * STEP == DAY, "a week has so many steps");

impl Steps {
    /// The steps of `week`, without any business time.
    pub fn new(week: Interval) -> Self {
        Self {
            start: week.start.div_euclid(STEP) * STEP,
            loads: vec![Load::default(); WEEK_STEPS],
        }
    }

    /// Adds a piece of the week to its steps.
    pub fn add(&mut self, piece: Interval, add: &impl Fn(&mut Load, Micros)) {
        load::cut(&mut self.loads, self.start, STEP, piece, add);
    }

    /// The events in these steps.
    pub fn events(&self) -> Vec<FleetEvent> {
        fleet_events(&self.loads, self.start)
    }
}

/// The events in consecutive steps, of which the first begins at `start`.
fn fleet_events(steps: &[Load], start: Micros) -> Vec<FleetEvent> {
    let shares: Vec<Option<Micros>> = steps.iter().map(|step| Some(step.share()?.hundredths)).collect();
    let mut known: Vec<Micros> = shares.iter().copied().flatten().collect();
    if known.is_empty() {
        return Vec::new();
    }
    let middle = known.len() / 2;
    let usual = *known.select_nth_unstable(middle).1;
    let bad = BAD_FROM.max(TIMES_USUAL * usual);
    let most_open = steps.iter().map(|step| step.business).max().unwrap_or(0);
    let is_fleet = |number: usize| steps[number].business * OPEN_PART >= most_open;
    let at_least = |number: usize, share: Micros| is_fleet(number) && shares[number].is_some_and(|own| own >= share);
    let is_bad = |number: usize| at_least(number, bad) && steps[number].downtime >= STORES_MIN * STEP;
    let is_half_bad = |number: &usize| at_least(*number, bad / 2);
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for number in (0..steps.len()).filter(|&number| is_bad(number)) {
        let before = (0..number).rev().take_while(is_half_bad).count();
        let after = (number + 1..steps.len()).take_while(is_half_bad).count();
        let run = number - before..number + after + 1;
        match runs.last_mut() {
            Some(last) if run.start <= last.end + PAUSE_STEPS => last.end = last.end.max(run.end),
            _ => runs.push(run),
        }
    }
    let instant = |number: usize| start + Micros::try_from(number).unwrap_or(0) * STEP;
    let stores = |sum: Micros| usize::try_from((sum + STEP / 2) / STEP).unwrap_or(0);
    let event = |run: std::ops::Range<usize>| {
        let worst = steps[run.clone()].iter().max_by_key(|step| step.share())?;
        Some(FleetEvent {
            stretch: Interval::new(instant(run.start), instant(run.end)),
            share: worst.share()?,
            offline: stores(worst.downtime),
            open: stores(worst.business),
        })
    };
    runs.into_iter().filter_map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps in which as many of 100 open stores were offline; none open for a negative number.
    fn found(offline: &[Micros]) -> Vec<(Micros, Micros, usize)> {
        let step = |&offline: &Micros| Load {
            open: if offline < 0 { 0 } else { 100 * STEP },
            business: if offline < 0 { 0 } else { 100 * STEP },
            downtime: offline.max(0) * STEP,
        };
        let steps: Vec<Load> = offline.iter().map(step).collect();
        let told = |event: FleetEvent| (event.stretch.start / STEP, event.stretch.end / STEP, event.offline);
        fleet_events(&steps, 0).into_iter().map(told).collect()
    }

    #[test]
    fn an_event_has_shoulders_and_bridges_a_pause() {
        let quiet = [4; 20];
        assert_eq!(found(&quiet), []);
        let mut week = quiet.to_vec();
        week.extend([14, 40, 62, 3, 3, 41, 13, 5, 4, 4]);
        assert_eq!(found(&week), [(20, 27, 62)]);
    }

    #[test]
    fn a_fleet_that_is_often_offline_has_no_event_and_closed_time_none_either() {
        assert_eq!(found(&[20; 40]), []);
        assert_eq!(found(&[-1; 40]), []);
        assert_eq!(found(&[20, 20, 20, 20, 90, 20]), [(4, 5, 90)]);
    }

    #[test]
    fn two_stores_are_no_fleet() {
        let step = |downtime: Micros| Load {
            open: 4 * STEP,
            business: 4 * STEP,
            downtime: downtime * STEP,
        };
        let quiet = vec![step(0); 20];
        let with = |downtime| [&quiet[..], &[step(downtime)]].concat();
        assert_eq!(fleet_events(&with(2), 0), []);
        assert_eq!(fleet_events(&with(3), 0).len(), 1);
    }

    #[test]
    fn a_handful_of_stores_at_night_is_no_fleet() {
        let step = |open: Micros, downtime: Micros| Load {
            open: open * STEP,
            business: open * STEP,
            downtime: downtime * STEP,
        };
        let day = vec![step(60, 2); 20];
        let with = |open| [&day[..], &[step(open, 6)], &day[..]].concat();
        assert_eq!(fleet_events(&with(7), 0), []);
        assert_eq!(fleet_events(&with(15), 0).len(), 1);
    }
}
