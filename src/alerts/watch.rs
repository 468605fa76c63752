//! All stores at a minute. A store is looked at again only when something about it may have changed: a month of
//! minutes of thousands of stores takes seconds.

use super::day::{Day, REACH};
use super::level::{OVERDUE_GAPS, Store};
use super::sight::Sight;
use super::state::Poller;
use crate::uptime::history::History;
use crate::uptime::interval::{DAY, Interval, MINUTE, Micros};
use crate::uptime::outage::{SILENT_PER_CENT, STORES_MIN};
use crate::uptime::poll::Poll;

/// One store, as it was when it was last looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    sight: Sight,
    /// When to look again.
    wake: Micros,
    /// Whether the poller should have asked it lately, and whether it did not.
    expected: bool,
    overdue: bool,
}

/// All stores of a day.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The day that it is of.
    day: Option<Interval>,
    seen: Vec<Seen>,
    expected: usize,
    overdue: usize,
    /// The newest poll of all stores.
    newest: Micros,
    polls: Vec<Poll>,
}

impl Watch {
    /// Looks at the stores about which something may have changed at this minute; returns their places.
    pub(super) fn look(&mut self, day: &Day, history: &History, poller: Poller, at: Micros) -> Vec<usize> {
        if self.day != Some(day.span) {
            *self = Self {
                day: Some(day.span),
                seen: vec![Seen::default(); day.fleet.stores().len()],
                newest: Micros::MIN,
                polls: std::mem::take(&mut self.polls),
                ..Self::default()
            };
        }
        let woken: Vec<usize> = (0..self.seen.len())
            .filter(|&place| self.seen[place].wake <= at)
            .collect();
        let mut later = Vec::with_capacity(woken.len());
        for &place in &woken {
            let store = &day.fleet.stores()[place];
            // The polls to come say when to look again.
            let span = Interval::new(at - REACH, day.span.end);
            let polls = history.of(store.key, span, &mut self.polls);
            let known = polls.partition_point(|poll| poll.at() <= at);
            let sight = Sight::new(&polls[..known], day.business.of(store.pattern), at);
            self.newest = self.newest.max(sight.last_poll.unwrap_or(Micros::MIN));
            later.push((sight, polls.get(known).map(|poll| poll.at())));
        }
        for (&place, (sight, next_poll)) in woken.iter().zip(later) {
            self.note(day, poller, at, place, sight, next_poll);
        }
        woken
    }

    fn note(&mut self, day: &Day, poller: Poller, at: Micros, place: usize, sight: Sight, next_poll: Option<Micros>) {
        let store = &day.fleet.stores()[place];
        let rhythm = day.rhythms[place];
        let view = Store {
            sight: &sight,
            open: day.business.of(store.pattern),
            rhythm,
            poller,
            at,
        };
        let overdue = view.is_without_poll(OVERDUE_GAPS);
        // One that the poller left out for a day while it worked is gone.
        let is_gone = |last: Micros| at - last > DAY && self.newest - last > DAY;
        let expected = rhythm.known && sight.stretch.is_some() && sight.last_poll.is_some_and(|last| !is_gone(last));
        let soon = at + MINUTE;
        let quiet = match (sight.stretch, sight.inactive, sight.last_poll) {
            // Closed: nothing happens but a poll or the opening.
            (None, ..) => Micros::MAX,
            (Some(_), 0, Some(last)) if !overdue => {
                let since = last.max(poller.back_at.unwrap_or(last));
                since + OVERDUE_GAPS * rhythm.usual_gap
            }
            (Some(_), 0, None) => Micros::MAX,
            _ => soon,
        };
        let edges = [sight.stretch.map(|stretch| stretch.end), sight.next_open, next_poll];
        let edge = edges.into_iter().flatten().min().unwrap_or(Micros::MAX);
        let seen = &mut self.seen[place];
        self.expected -= usize::from(seen.expected);
        self.overdue -= usize::from(seen.expected && seen.overdue);
        *seen = Seen {
            sight,
            wake: quiet.min(edge).max(soon),
            expected,
            overdue,
        };
        self.expected += usize::from(expected);
        self.overdue += usize::from(expected && overdue);
    }

    /// Looks at every store again at the next minute.
    pub(super) fn wake_all(&mut self) {
        self.day = None;
    }

    /// A store at this minute.
    pub(super) fn store<'a>(&'a self, day: &'a Day, poller: Poller, at: Micros, place: usize) -> Store<'a> {
        Store {
            sight: &self.seen[place].sight,
            open: day.business.of(day.fleet.stores()[place].pattern),
            rhythm: day.rhythms[place],
            poller,
            at,
        }
    }

    /// The poller at this minute, as the stores tell, after it was so.
    pub(super) fn poller(&self, before: Poller, at: Micros) -> Poller {
        if self.expected == 0 {
            return before;
        }
        let (overdue, expected) = (self.overdue, self.expected);
        let is_away = overdue * 100 > expected * usize::from(SILENT_PER_CENT)
            && i64::try_from(overdue).unwrap_or(i64::MAX) >= STORES_MIN;
        match (is_away, before.away_since) {
            (true, None) => Poller {
                away_since: Some(self.newest),
                overdue,
                expected,
                ..before
            },
            (false, Some(_)) => Poller {
                away_since: None,
                back_at: Some(at),
                ..before
            },
            _ => before,
        }
    }
}
