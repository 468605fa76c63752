//! The report: one row a store, by the plain form and, for a fleet, by the fast one.

use std::sync::{Arc, OnceLock};

use super::business_hours::{Pattern, ZoneTable};
use super::fleet::{BusinessTime, Fleet, Store};
use super::flip_reader::FlipReader;
use super::history::{BLOCK_STORES, History};
use super::interval::{DAY, Interval, Intervals, Micros};
use super::pass::{WindowMarks, totals};
use super::poll::Poll;
use super::row::{Cells, cells};
use super::timeline::{Interpolation, Timeline, counted};
use super::window::{Coverage, PerWindow, REACH, WindowTotal};
use crate::parallel;

/// How many stores a thread takes at a time: eight blocks of a history.
const PART_STORES: usize = 8 * BLOCK_STORES;

/// The instant and the rule of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The instant at which the windows end, in microseconds since 1970 UTC.
    pub as_of: Micros,
    /// How the time between polls is filled in.
    pub rule: Interpolation,
}

/// One store's line in the report, with the coverage that pages and JSON show beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Uptime and downtime of each window.
    pub totals: PerWindow<WindowTotal>,
    /// How much of each window was seen; none where there is no business time.
    pub coverage: PerWindow<Option<Coverage>>,
}

impl ReportRow {
    /// The row of a store with `pattern`, by the plain form, which defines the numbers.
    ///
    /// `polls` are sorted, with distinct instants; those that do not count are ignored.
    pub fn new(polls: &[Poll], pattern: &Pattern, question: Question) -> Self {
        let span = Interval::new(question.as_of - REACH, question.as_of + DAY);
        let open = pattern.open(&ZoneTable::new(pattern.zone, span), span);
        Self::measure(polls, &open, span, question)
    }

    /// The same for business time `open` within `span`, which holds every window and its reach.
    pub fn measure(polls: &[Poll], open: &Intervals, span: Interval, question: Question) -> Self {
        let Question { as_of, rule } = question;
        let counted = PerWindow::new(|window| counted(polls, open, window.counted(as_of)));
        Self {
            totals: PerWindow::new(|window| {
                let timeline = Timeline::new(&counted[window], rule, span);
                WindowTotal::measure(timeline.as_ref(), open, window.before(as_of))
            }),
            coverage: PerWindow::new(|window| Coverage::measure(&counted[window], open, window.before(as_of))),
        }
    }
}

/// The numbers of every store of `fleet`, in its order, computed on `threads` threads.
///
/// `business` must be of this fleet and span [`BusinessTime::span_for`] the question's `as_of`;
/// `history` must hold every poll within [`reach`](super::window::reach) of it.
pub fn rows(
    fleet: &Fleet,
    business: &Arc<BusinessTime>,
    history: &History,
    question: Question,
    threads: usize,
) -> Vec<Cells> {
    let Question { as_of, rule } = question;
    // One for each pattern, computed when a store first needs it.
    let mut marks: Vec<OnceLock<WindowMarks>> = Vec::new();
    marks.resize_with(fleet.patterns().len(), OnceLock::new);
    let mut rows = vec![Cells::default(); fleet.stores().len()];
    let parts = fleet.stores().chunks(PART_STORES);
    let parts = parts.zip(rows.chunks_mut(PART_STORES));
    parallel::map(threads, parts, |(stores, rows): (&[Store], &mut [Cells])| {
        let mut flips = FlipReader::new(fleet, business, history, as_of, rule);
        for (store, row) in stores.iter().zip(rows) {
            let marks = marks[store.pattern].get_or_init(|| WindowMarks::new(business.of(store.pattern), as_of));
            *row = cells(&totals(flips.of(store), marks, as_of));
        }
    });
    rows
}
