//! A store's summary: the facts that lists of thousands of stores show, in one fast walk.
//!
//! The fast form of [`StoreStatus`](super::store_status::StoreStatus): a property test compares the two.

use super::certainty::Certainty;
use super::interval::{Interval, Micros};
use super::open_time::OpenTime;
use super::pass::{self, Known, WindowMarks};
use super::poll::Poll;
use super::report::Question;
use super::store_state::StoreState;
use super::timeline::Interpolation;
use super::window::{Coverage, PerWindow, Share, Window, WindowTotal};

/// The least share of a week that must be seen for sure numbers, in hundredths of a per cent.
pub const VOUCHED_FROM: Micros = 5_000;

/// A store's facts in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSummary {
    /// Uptime and downtime of each window.
    pub totals: PerWindow<WindowTotal>,
    /// How much of the week was seen; none without business time in it.
    pub coverage: Option<Coverage>,
    /// How sure the week's downtime is; none where nothing is known.
    pub certainty: Option<Certainty>,
    /// Its state at `as_of`.
    pub state: StoreState,
    /// If it is offline, since when: the start of its open incident.
    pub offline_since: Option<Micros>,
    /// Its last poll within reach of `as_of`, counted or not.
    pub last_poll: Option<Poll>,
}

impl StoreSummary {
    /// A store's summary; `down` receives the pieces of its downtime in the last week.
    ///
    /// `polls` are sorted, with distinct instants, all within reach of the question's `as_of`; `marks` are those
    /// of `open` at the same instant; `counted` is scratch memory.
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
        // The last run of downtime. Closed time does not end it.
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
            certainty: Certainty::of(counted, open, week),
            state,
            offline_since: (state == StoreState::Offline).then_some(since),
            last_poll: polls.last().copied(),
        }
    }

    /// The share of the week's business time that was seen.
    pub fn seen(&self) -> Option<Share> {
        self.coverage.and_then(Coverage::share)
    }

    /// Whether half of the week's business time was seen, so that its numbers are sure.
    pub fn is_vouched(&self) -> bool {
        is_vouched(&self.totals[Window::Week], self.coverage)
    }
}

/// Whether a total is sure: it is known, and half of its business time was seen. A window without business
/// time is always sure.
pub fn is_vouched(total: &WindowTotal, coverage: Option<Coverage>) -> bool {
    let seen = coverage.and_then(Coverage::share);
    match total {
        WindowTotal::Closed => true,
        WindowTotal::Unknown { .. } => false,
        WindowTotal::Known { .. } => seen.is_some_and(|seen| seen.hundredths >= VOUCHED_FROM),
    }
}

/// Keeps the polls inside business time, by one walk over both sorted lists.
pub(super) fn count(polls: &[Poll], open: &OpenTime, counted: &mut Vec<Poll>) {
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
pub(super) fn for_each_down(counted: &[Poll], rule: Interpolation, mut each: impl FnMut(Interval)) {
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
pub(super) fn each_open(open: &OpenTime, stretch: Interval, mut each: impl FnMut(Interval)) {
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
