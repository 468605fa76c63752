//! Poller outages: when most stores that should have been polled fell silent together.
//!
//! One store's silence may be its own. When nearly all are silent at once it is the poller that was
//! away, and whatever the report says of that time is a guess for every store.
//!
//! # Definition
//! All of it rests on the polls of [`REACH`] before `as_of`, whatever their status, and on business
//! hours: for one `as_of` over the same rows the outages are the same. They are kept nowhere. Any
//! `as_of` for which the database has polls can be asked about again, and polls that come in late
//! heal an outage, as they correct the report's numbers.
//!
//! - A store is *polled when open* if it closes at times and at least [`OPEN_PER_CENT`] of its polls lie
//!   in its business time, or within [`EDGE_MAX`] of it: a last poll is mostly due at closing time. Its
//!   time is business time, and no other time passes for it. Any other store is polled around the
//!   clock, and its time is elapsed time.
//! - A store's *usual gap* is the median of the gaps between consecutive polls (of two in the middle,
//!   the longer), in its time. Where two pollers take turns within minutes, most gaps are short
//!   although the store is heard of but once an hour; so it is half the median gap between a poll and
//!   the next but one where that is longer. With fewer than [`POLLS_MIN`] polls, or where half of all
//!   gaps are nothing, there is none: the store takes no part.
//! - A *silence* is a stretch `[poll, next poll)`, or `[last poll, as_of)`, in which more than
//!   [`SILENCE_GAPS`] usual gaps of its store pass.
//! - A store is *expected* from its first poll on, for what came before may have been before it opened
//!   or before polling began; one that is polled when open, in its business time alone. It is expected
//!   until `as_of`, unless it is gone.
//! - A store is *gone*, from its last poll on, when the poller was at work long after: when a fifth of
//!   the stores have polls more than [`GONE_AFTER`], and more than [`SILENCE_GAPS`] of its usual gaps,
//!   later. So stores closed for good weigh on nothing, and while nobody is polled nobody is gone,
//!   however long that takes.
//! - The poller is *out* wherever more than [`SILENT_PER_CENT`] of the expected stores, and no fewer
//!   than [`STORES_MIN`], are within a silence. Two such stretches are one where no store is expected
//!   between them, as in the night of a chain that is polled by day; and where at most [`SEAM_MAX`] is
//!   between them: near the limit, a single poll would cut them.
//!
//! A store whose silences meet in one poll is silent on both sides of it: a lone sweep between two
//! long silences need not part them.
//!
//! The report's numbers do not depend on any of this.

use super::fleet::{BusinessTime, Fleet};
use super::history::History;
use super::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros};
use super::open_time::OpenTime;
use super::poll::Poll;
use super::window;

/// How far back outages are told.
pub const REACH: Micros = 8 * DAY;

const _: () = assert!(REACH <= window::REACH, "reports hold the polls of this reach");

/// When at least so many of a store's polls are in or near its business time, it is polled when open.
pub const OPEN_PER_CENT: usize = 95;

/// How far from business time a poll may be and still be one of an open store.
pub const EDGE_MAX: Micros = HOUR;

/// A store with fewer polls has no usual gap.
pub const POLLS_MIN: usize = 3;

/// A stretch without polls that is longer than so many usual gaps is a silence.
pub const SILENCE_GAPS: Micros = 3;

/// When more of the expected stores than this are silent, it is the poller that is out.
pub const SILENT_PER_CENT: u8 = 80;

/// One store cannot fall silent together with others.
pub const STORES_MIN: i64 = 2;

/// A store is not gone before the poller was at work for so long without it.
pub const GONE_AFTER: Micros = DAY;

/// The longest time between two stretches without the poller that are one outage.
pub const SEAM_MAX: Micros = MINUTE;

/// The time that passes for a store while it waits for its next poll.
#[derive(Clone, Copy)]
enum Time<'a> {
    /// All time: it is polled around the clock.
    Elapsed,
    /// Business time: it is polled when open.
    Business(&'a OpenTime),
}

impl<'a> Time<'a> {
    /// The time of a store with these polls; `near` is its business time widened by [`EDGE_MAX`].
    fn of(polls: &[Poll], open: &'a OpenTime, near: &Intervals) -> Self {
        let business = Self::Business(open);
        let ([first, ..], [.., last]) = (polls, polls) else {
            return Self::Elapsed;
        };
        let closes = business.between(first.at(), last.at()) < last.at() - first.at();
        let before = |at: Micros| polls.partition_point(|poll| poll.at() < at);
        let when_open = || -> usize {
            // Its end, too, is within that distance.
            let polls = |near: &Interval| before(near.end + 1) - before(near.start);
            near.as_slice().iter().map(polls).sum()
        };
        if closes && when_open() * 100 >= polls.len() * OPEN_PER_CENT {
            business
        } else {
            Self::Elapsed
        }
    }

    /// How much of it passes between two instants.
    fn between(self, start: Micros, end: Micros) -> Micros {
        match self {
            Self::Elapsed => end - start,
            Self::Business(open) => open.elapsed(end) - open.elapsed(start),
        }
    }
}

/// A store with a usual gap, as far as it matters beyond the silences between its polls.
struct Polled<'a> {
    time: Time<'a>,
    first: Micros,
    last: Micros,
    /// The longest stretch without polls that is no silence, in its time.
    patience: Micros,
}

/// How many more stores are expected and silent from an instant on.
struct Edge {
    at: Micros,
    expected: i32,
    silent: i32,
}

/// When the poller was out within the eight days before `as_of`.
///
/// `business` must span [`BusinessTime::span_for`] this `as_of`, and `history` must hold every poll
/// within [`REACH`] of it.
///
/// The cost is linear in polls, plus a sort of two edges a store and two a silence; of a store that is
/// polled when open, two a day.
pub fn outages(fleet: &Fleet, business: &BusinessTime, history: &History, as_of: Micros) -> Intervals {
    let span = Interval::new(as_of - REACH, as_of + 1);
    let near = |pattern| widened(business.of(pattern).intervals());
    let near: Vec<_> = (0..fleet.patterns().len()).map(near).collect();
    let (mut apart, mut gaps) = (Vec::new(), Vec::new());
    let (mut polled, mut edges) = (Vec::new(), Vec::new());
    for store in fleet.stores() {
        let polls = history.of(store.key, span, &mut apart);
        let time = Time::of(polls, business.of(store.pattern), &near[store.pattern]);
        let ([first, .., last], Some(usual_gap)) = (polls, usual_gap(polls, time, &mut gaps)) else {
            continue;
        };
        let store = Polled {
            time,
            first: first.at(),
            last: last.at(),
            patience: SILENCE_GAPS * usual_gap,
        };
        for pair in polls.windows(2) {
            store.push_silence(&mut edges, pair[0].at(), pair[1].at());
        }
        polled.push(store);
    }
    let Some(at_work) = last_at_work(&polled) else {
        return Intervals::default();
    };
    for store in &polled {
        let end = if store.is_gone(at_work) { store.last } else { as_of };
        store.push(&mut edges, Interval::new(store.first, end), 1, 0);
        store.push_silence(&mut edges, store.last, end);
    }
    sweep(edges)
}

/// Business time and all that is within [`EDGE_MAX`] of it.
fn widened(open: &Intervals) -> Intervals {
    let open = open.as_slice().iter();
    open.map(|open| Interval::new(open.start - EDGE_MAX, open.end + EDGE_MAX))
        .collect()
}

/// How long a store with these polls mostly goes without one, in its time; none where they are too
/// few to tell. `gaps` is room to work in.
fn usual_gap(polls: &[Poll], time: Time<'_>, gaps: &mut Vec<Micros>) -> Option<Micros> {
    if polls.len() < POLLS_MIN {
        return None;
    }
    let mut median = |step: usize| {
        gaps.clear();
        let later = polls.iter().skip(step);
        gaps.extend(polls.iter().zip(later).map(|(a, b)| time.between(a.at(), b.at())));
        let middle = gaps.len() / 2;
        *gaps.select_nth_unstable(middle).1
    };
    let gap = median(1).max(median(2) / 2);
    (gap > 0).then_some(gap)
}

/// The latest instant at or after which enough stores were polled for the poller not to be out.
fn last_at_work(polled: &[Polled<'_>]) -> Option<Micros> {
    let mut lasts: Vec<_> = polled.iter().map(|store| store.last).collect();
    let silent_max = lasts.len() * usize::from(SILENT_PER_CENT) / 100;
    (silent_max < lasts.len()).then(|| *lasts.select_nth_unstable(silent_max).1)
}

impl Polled<'_> {
    /// Whether the poller was at work until `at_work`, long after it polled this store last.
    fn is_gone(&self, at_work: Micros) -> bool {
        at_work - self.last > GONE_AFTER && self.time.between(self.last, at_work) > self.patience
    }

    /// A silence, if the stretch between `poll` and `next` is one.
    fn push_silence(&self, edges: &mut Vec<Edge>, poll: Micros, next: Micros) {
        if self.time.between(poll, next) > self.patience {
            self.push(edges, Interval::new(poll, next), 0, 1);
        }
    }

    /// The part of `stretch` that is of the store's time.
    fn push(&self, edges: &mut Vec<Edge>, stretch: Interval, expected: i32, silent: i32) {
        let mut push = |stretch: Interval| {
            edges.push(Edge {
                at: stretch.start,
                expected,
                silent,
            });
            edges.push(Edge {
                at: stretch.end,
                expected: -expected,
                silent: -silent,
            });
        };
        match self.time {
            Time::Elapsed => push(stretch),
            Time::Business(open) => open.intervals().within(stretch).for_each(push),
        }
    }
}

/// Passes over the edges in time and keeps the stretches in which the poller is out.
fn sweep(mut edges: Vec<Edge>) -> Intervals {
    edges.sort_unstable_by_key(|edge| edge.at);
    let (mut expected, mut silent) = (0, 0);
    // The outage that goes on: since when, and until when it is known to have lasted.
    let mut out: Option<(Micros, Option<Micros>)> = None;
    let mut outages = Vec::new();
    for edges in edges.chunk_by(|a, b| a.at == b.at) {
        for edge in edges {
            expected += i64::from(edge.expected);
            silent += i64::from(edge.silent);
        }
        let at = edges[0].at;
        let (start, known_end) = out.unwrap_or((at, None));
        if is_out(expected, silent) {
            out = Some((start, None));
        } else if out.is_some() {
            let end = known_end.unwrap_or(at);
            // While nobody is expected there is no telling. That ends with the last edge, or sooner.
            out = (expected == 0).then_some((start, Some(end)));
            if out.is_none() {
                outages.push(Interval::new(start, end));
            }
        }
    }
    if let Some((start, Some(end))) = out {
        outages.push(Interval::new(start, end));
    }
    Intervals::union_across(outages, SEAM_MAX)
}

fn is_out(expected: i64, silent: i64) -> bool {
    silent >= STORES_MIN && silent * 100 > expected * i64::from(SILENT_PER_CENT)
}

#[cfg(test)]
mod tests;
