//! A store's summary: what a list of thousands of stores shows of each, in one quick walk.
//!
//! The fast form of [`StoreStatus`](super::store_status::StoreStatus): a property test compares the two.

use super::interval::{Interval, Micros};
use super::open_time::OpenTime;
use super::pass::{self, Known, WindowMarks};
use super::poll::Poll;
use super::report::Question;
use super::store_state::StoreState;
use super::timeline::Interpolation;
use super::window::{Coverage, PerWindow, Share, Window, WindowTotal};

/// Where less of a store's week was seen than this, in hundredths of a per cent, nobody can be sure of it.
pub const VOUCHED_FROM: Micros = 5_000;

/// What a list shows of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSummary {
    /// Uptime and downtime of each window.
    pub totals: PerWindow<WindowTotal>,
    /// How much of the week was seen; none without business time in it.
    pub coverage: Option<Coverage>,
    /// How it is at `as_of`.
    pub state: StoreState,
    /// Since when, where it is offline: the first instant of its open incident.
    pub offline_since: Option<Micros>,
    /// Its last poll within reach of `as_of`, counted or not.
    pub last_poll: Option<Poll>,
}

impl StoreSummary {
    /// A store's summary, and its downtime in the last week, piece by piece, given to `down`.
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
        let week = Window::Week.before(as_of);
        let reach = Window::Week.counted(as_of);
        let older = polls.iter().take_while(|poll| poll.at() < reach.start);
        count(&polls[older.count()..], open, counted);
        let state = StoreState::at(counted, open.intervals(), as_of);
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
        let known = Known { flips: &flips, last };
        Self {
            totals: pass::totals(known, marks, as_of),
            coverage: Coverage::of(counted, open, week),
            state,
            offline_since: (state == StoreState::Offline).then_some(since),
            last_poll: polls.last().copied(),
        }
    }

    /// The share of the week's business time that was seen.
    pub fn seen(&self) -> Option<Share> {
        self.coverage.and_then(Coverage::share)
    }

    /// Whether the week has enough polls to be sure of its numbers.
    pub fn is_vouched(&self) -> bool {
        is_vouched(&self.totals[Window::Week], self.coverage)
    }
}

/// Whether a total has enough polls to be sure of it: something is known, and half of it was seen. A
/// window without business time needs none.
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
