//! A store at a glance: what a list of thousands of stores shows of each, in one quick walk.
//!
//! The fast form of [`Standing`](super::standing::Standing): a property test compares the two. It must
//! never know how many stores there are.

use super::fleet::{OpenTime, WindowMarks};
use super::interval::{Interval, Micros};
use super::pass::{self, Known};
use super::poll::Poll;
use super::report::Question;
use super::state::State;
use super::timeline::Interpolation;
use super::window::{Coverage, Share, WindowTotal, windows};

/// A store whose week was seen less than this, in hundredths of a per cent, can be vouched for by nobody.
pub const VOUCHED_FROM: Micros = 5_000;

/// What a list shows of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The last hour, day and week.
    pub totals: [WindowTotal; 3],
    /// How much of the week somebody saw; none without business time in it.
    pub coverage: Option<Coverage>,
    /// How it is at `as_of`.
    pub state: State,
    /// Since when, where it is offline: the first instant of its open incident.
    pub offline_since: Option<Micros>,
    /// Its last poll within reach of `as_of`, counted or not.
    pub last_poll: Option<Poll>,
}

impl Glance {
    /// A store's glance, and its downtime in the last week, piece by piece, given to `down`.
    ///
    /// `polls` are sorted, one an instant, and all within reach of the question's `as_of`; `marks` are
    /// those of `open` at the same instant; `counted` is room to work in.
    pub fn new(
        polls: &[Poll],
        open: &OpenTime,
        marks: &WindowMarks,
        question: Question,
        counted: &mut Vec<Poll>,
        mut down: impl FnMut(Interval),
    ) -> Self {
        let Question { as_of, rule } = question;
        let [_, _, week] = windows(as_of);
        count(polls, open, counted);
        let state = State::at(counted, open.intervals(), as_of);
        // The last run of downtime: since when, and how far. Closed time does not part it.
        let mut run: Option<Interval> = None;
        for_each_down(counted, rule, |stretch| {
            each_open(open, stretch.intersection(week), |piece| {
                let goes_on = |run: &Interval| open.elapsed(run.end) == open.elapsed(piece.start);
                let start = run.filter(goes_on).map_or(piece.start, |run| run.start);
                run = Some(Interval::new(start, piece.end));
                down(piece);
            });
        });
        let lasts = |run: &Interval| open.elapsed(run.end) == open.elapsed(as_of);
        let since = run.filter(lasts).map_or(as_of, |run| run.start);
        let mut flips = Vec::new();
        let last = pass::walk(polls, open, rule, None, &mut flips);
        let known = Known {
            flips: &flips,
            last,
        };
        Self {
            totals: pass::totals(known, marks, as_of),
            coverage: Coverage::of(counted, open, week),
            state,
            offline_since: (state == State::Offline).then_some(since),
            last_poll: polls.last().copied(),
        }
    }

    /// The share of the week's business time that somebody saw.
    pub fn seen(&self) -> Option<Share> {
        self.coverage.and_then(Coverage::share)
    }

    /// Whether somebody can vouch for the week's numbers.
    pub fn is_vouched(&self) -> bool {
        is_vouched(&self.totals[2], self.coverage)
    }
}

/// Whether somebody can vouch for a total: something is known, and half of it was seen. Of a window
/// without business time there is nothing to vouch for.
pub fn is_vouched(total: &WindowTotal, coverage: Option<Coverage>) -> bool {
    let seen = coverage.and_then(Coverage::share);
    match total {
        WindowTotal::Closed => true,
        WindowTotal::Unknown { .. } => false,
        WindowTotal::Known { .. } => seen.is_some_and(|seen| seen.hundredths >= VOUCHED_FROM),
    }
}

/// Keeps the polls inside business time: a walk over both, since both are sorted.
fn count(polls: &[Poll], open: &OpenTime, counted: &mut Vec<Poll>) {
    counted.clear();
    let mut rest = polls;
    for interval in open.intervals().as_slice() {
        let closed = rest.iter().take_while(|poll| poll.at() < interval.start);
        rest = &rest[closed.count()..];
        let inside = rest.iter().take_while(|poll| poll.at() < interval.end);
        let inside = inside.count();
        counted.extend_from_slice(&rest[..inside]);
        rest = &rest[inside..];
    }
}

/// Calls `each` with every stretch of elapsed time in which the store was down.
fn for_each_down(counted: &[Poll], rule: Interpolation, mut each: impl FnMut(Interval)) {
    let mut start = Micros::MIN;
    let runs = counted.chunk_by(|a, b| a.is_active() == b.is_active());
    let mut runs = runs.peekable();
    while let Some(run) = runs.next() {
        let Some(last) = run.last() else { continue };
        let next = runs.peek().and_then(|next| next.first());
        let end = next.map_or(Micros::MAX, |next| rule.change(last.at(), next.at()));
        if !last.is_active() {
            each(Interval::new(start, end));
        }
        start = end;
    }
}

/// Calls `each` with every piece of `stretch` that is business time.
fn each_open(open: &OpenTime, stretch: Interval, mut each: impl FnMut(Interval)) {
    if stretch.is_empty() {
        return;
    }
    let intervals = open.intervals().as_slice();
    let first = intervals.partition_point(|interval| interval.end <= stretch.start);
    for interval in &intervals[first..] {
        let piece = interval.intersection(stretch);
        if piece.is_empty() {
            break;
        }
        each(piece);
    }
}
