//! Poller outages: when most stores that should have been polled fell silent together.
//!
//! One store's silence may be its own. When nearly all are silent at once, the poller was away, and the report
//! can only guess about that time.
//!
//! # Definition
//! It depends only on business hours and on the polls of [`REACH`] before `as_of`, whatever their status: the
//! same rows and the same `as_of` give the same outages. Outages are not stored. Any `as_of` for which the
//! database has polls can be asked about again. Late polls may shorten an outage, just as they correct the report's
//! numbers.
//!
//! - A store is *polled when open* if it closes at times and [`OPEN_PER_CENT`] of its polls or more lie
//!   within [`EDGE_MAX`] of business time: a last poll is mostly due at closing time. Such a store's time
//!   is business time. Any other store is polled around the clock, and its time is elapsed time.
//! - A store's *usual gap* is the median of the gaps between consecutive polls (of two in the middle,
//!   the longer), in its time. Where two pollers take turns within minutes, most gaps are short although the
//!   store is polled once an hour. So half the median gap between a poll and the next but one counts where
//!   that is longer. A store takes no part if it has fewer than [`POLLS_MIN`] polls, or if half of all gaps
//!   are zero.
//! - A *silence* is a stretch `[poll, next poll)`, or `[last poll, as_of)`, in which more than
//!   [`SILENCE_GAPS`] usual gaps of its store pass.
//! - A store is *expected* from its first poll until `as_of`, or until it is gone. Before its first poll it
//!   may not have existed. A store that is polled when open is expected in its business time only.
//! - A store is *gone*, from its last poll on, if the poller worked long after it: if a fifth of the stores
//!   have polls more than [`GONE_AFTER`], and more than [`SILENCE_GAPS`] of its usual gaps, later. So stores
//!   closed for good do not count, and no store is gone while the poller is away, however long.
//! - The poller is *out* wherever more than [`SILENT_PER_CENT`] of the expected stores, and no fewer than
//!   [`STORES_MIN`], are within a silence. Two such stretches are one if no store is expected between them,
//!   as in the night of a chain that is polled by day. They are also one if at most [`SEAM_MAX`] is between
//!   them: near the limit, a single poll would cut them.
//!
//! A store whose silences meet in one poll is silent on both sides of it. So a lone sweep between two long
//! silences may not part them.
//!
//! The report's numbers do not depend on outages.

use super::fleet::{BusinessTime, Fleet};
use super::history::History;
use super::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros};
use super::open_time::OpenTime;
use super::poll::Poll;
use super::window;

/// How far back outages are reported.
pub const REACH: Micros = 8 * DAY;

const _: () = assert!(REACH <= window::REACH, "reports hold the polls of this reach");

/// With at least this share of its polls near its business time, a store is polled when open.
pub const OPEN_PER_CENT: usize = 95;

/// The longest distance from business time at which a poll is still near it.
pub const EDGE_MAX: Micros = HOUR;

/// A store with fewer polls has no usual gap.
pub const POLLS_MIN: usize = 3;

/// A stretch without polls that is longer than this many usual gaps is a silence.
pub const SILENCE_GAPS: Micros = 3;

/// If more of the expected stores than this are silent, the poller is out.
pub const SILENT_PER_CENT: u8 = 80;

/// The fewest silent stores that make an outage: one store alone does not.
pub const STORES_MIN: i64 = 2;

/// A store is gone only after the poller has worked this long without it.
pub const GONE_AFTER: Micros = DAY;

/// Two outages with at most this much time between them are one.
pub const SEAM_MAX: Micros = MINUTE;

/// The time that counts for a store between its polls.
#[derive(Clone, Copy)]
pub(super) enum Time<'a> {
    /// All time: it is polled around the clock.
    Elapsed,
    /// Business time: it is polled when open.
    Business(&'a OpenTime),
}

impl<'a> Time<'a> {
    /// The time of a store with these polls; `near` is its business time, widened by [`EDGE_MAX`].
    pub(super) fn of(polls: &[Poll], open: &'a OpenTime, near: &Intervals) -> Self {
        let business = Self::Business(open);
        let ([first, ..], [.., last]) = (polls, polls) else {
            return Self::Elapsed;
        };
        let closes = business.between(first.at(), last.at()) < last.at() - first.at();
        let before = |at: Micros| polls.partition_point(|poll| poll.at() < at);
        let when_open = || -> usize {
            // The end of a `near` interval belongs to it.
            let polls = |near: &Interval| before(near.end + 1) - before(near.start);
            near.as_slice().iter().map(polls).sum()
        };
        if closes && when_open() * 100 >= polls.len() * OPEN_PER_CENT {
            business
        } else {
            Self::Elapsed
        }
    }

    /// How much of this time passes between two instants.
    pub(super) fn between(self, start: Micros, end: Micros) -> Micros {
        match self {
            Self::Elapsed => end - start,
            Self::Business(open) => open.elapsed(end) - open.elapsed(start),
        }
    }
}

/// A store with a usual gap, without the silences between its polls.
struct Polled<'a> {
    time: Time<'a>,
    first: Micros,
    last: Micros,
    /// The longest stretch without polls that is not a silence, in the store's time.
    patience: Micros,
}

/// The change in the numbers of expected and of silent stores at an instant.
struct Edge {
    at: Micros,
    expected: i32,
    silent: i32,
}

/// The poller's outages within the eight days before `as_of`.
///
/// `business` must span [`BusinessTime::span_for`] this `as_of`, and `history` must hold every poll
/// within [`REACH`] of it.
///
/// The cost is linear in polls, plus a sort of edges: two a store, two a silence, and two a day for each store
/// that is polled when open.
pub fn outages(fleet: &Fleet, business: &BusinessTime, history: &History, as_of: Micros) -> Intervals {
    let span = Interval::new(as_of - REACH, as_of + 1);
    let near = |pattern| widened(business.of(pattern).intervals());
    let near: Vec<_> = (0..fleet.patterns().len()).map(near).collect();
    let (mut apart, mut gaps) = (Vec::new(), Vec::new());
    let (mut polled, mut edges) = (Vec::new(), Vec::new());
    for store in fleet.stores() {
        let polls = history.of(store.key, span, &mut apart);
        let time = Time::of(polls, business.of(store.pattern), &near[store.pattern]);
        let ([first, .., last], Some(usual_gap)) = (polls, usual_gap(polls, |a, b| time.between(a, b), &mut gaps))
        else {
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

/// Business time and all time within [`EDGE_MAX`] of it.
pub(super) fn widened(open: &Intervals) -> Intervals {
    let open = open.as_slice().iter();
    open.map(|open| Interval::new(open.start - EDGE_MAX, open.end + EDGE_MAX))
        .collect()
}

/// The usual gap of a store with these polls, whose time between two instants is `between`; none if they are too
/// few. `gaps` is scratch memory.
pub(super) fn usual_gap(
    polls: &[Poll],
    between: impl Fn(Micros, Micros) -> Micros,
    gaps: &mut Vec<Micros>,
) -> Option<Micros> {
    if polls.len() < POLLS_MIN {
        return None;
    }
    let mut median = |step: usize| {
        gaps.clear();
        let later = polls.iter().skip(step);
        gaps.extend(polls.iter().zip(later).map(|(a, b)| between(a.at(), b.at())));
        let middle = gaps.len() / 2;
        *gaps.select_nth_unstable(middle).1
    };
    let gap = median(1).max(median(2) / 2);
    (gap > 0).then_some(gap)
}

/// The latest instant from which enough stores were still polled for the poller not to be out.
fn last_at_work(polled: &[Polled<'_>]) -> Option<Micros> {
    let mut lasts: Vec<_> = polled.iter().map(|store| store.last).collect();
    let silent_max = lasts.len() * usize::from(SILENT_PER_CENT) / 100;
    (silent_max < lasts.len()).then(|| *lasts.select_nth_unstable(silent_max).1)
}

impl Polled<'_> {
    /// Whether the poller worked until `at_work`, long after this store's last poll.
    fn is_gone(&self, at_work: Micros) -> bool {
        at_work - self.last > GONE_AFTER && self.time.between(self.last, at_work) > self.patience
    }

    /// Adds the stretch between `poll` and `next` if it is a silence.
    fn push_silence(&self, edges: &mut Vec<Edge>, poll: Micros, next: Micros) {
        if self.time.between(poll, next) > self.patience {
            self.push(edges, Interval::new(poll, next), 0, 1);
        }
    }

    /// Adds the edges of the part of `stretch` that is in the store's time.
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

/// Sweeps the edges in order of time; returns the stretches in which the poller is out.
fn sweep(mut edges: Vec<Edge>) -> Intervals {
    edges.sort_unstable_by_key(|edge| edge.at);
    let (mut expected, mut silent) = (0, 0);
    // The current outage: its start, and the latest end that is known.
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
            // While no store is expected, the outage keeps its known end and may still go on.
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
