//! A store's status: all facts about one store at one instant, by the plain form.
//!
//! The page of a store, its JSON and its badge use this.

use super::business_hours::{Pattern, ZoneTable};
use super::certainty::Certainty;
use super::evidence::Evidence;
use super::incident::{Incident, incidents};
use super::interval::{DAY, Interval, Intervals, Micros};
use super::poll::Poll;
use super::report::{Question, ReportRow};
use super::segment::{Segment, segments};
use super::store_state::StoreState;
use super::store_summary::is_vouched;
use super::timeline::{Timeline, counted};
use super::window::{PerWindow, REACH, Window};

/// The status of a store.
#[derive(Debug)]
pub struct StoreStatus {
    /// The instant and the rule.
    pub question: Question,
    /// Its zone's offsets around the instant, for wall times.
    pub zone: ZoneTable,
    /// Its business time from eight days before the instant to one after it.
    pub open: Intervals,
    /// Its line of the report, with coverage.
    pub row: ReportRow,
    /// The polls behind each window's numbers; none where there is no business time.
    pub evidence: PerWindow<Option<Evidence>>,
    /// How sure each window's downtime is; none where nothing is known.
    pub certainty: PerWindow<Option<Certainty>>,
    /// Its state at the instant.
    pub state: StoreState,
    /// The incidents of the week.
    pub incidents: Vec<Incident>,
    /// The segments of the week, in order.
    pub segments: Vec<Segment>,
    /// Every poll within reach of the instant, counted or not.
    pub polls: Vec<Poll>,
    /// The polls that count in the week.
    pub counted: Vec<Poll>,
}

impl StoreStatus {
    /// The status of a store with `pattern` and `polls`, which are sorted, with distinct instants, all within
    /// reach of the question's `as_of`.
    pub fn new(polls: &[Poll], pattern: &Pattern, question: Question) -> Self {
        let Question { as_of, rule } = question;
        let span = Interval::new(as_of - REACH, as_of + DAY);
        let zone = ZoneTable::new(pattern.zone, span);
        let open = pattern.open(&zone, span);
        let counted = counted(polls, &open, Window::Week.counted(as_of));
        let timeline = Timeline::new(&counted, rule, span);
        let week = Window::Week.before(as_of);
        Self {
            question,
            row: ReportRow::measure(polls, &open, span, question),
            evidence: PerWindow::new(|window| Evidence::measure(&counted, &open, window.before(as_of))),
            certainty: PerWindow::new(|window| Certainty::measure(&counted, &open, window.before(as_of))),
            state: StoreState::at(&counted, &open, as_of),
            incidents: timeline
                .as_ref()
                .map_or_else(Vec::new, |timeline| incidents(&counted, timeline, &open, week)),
            segments: segments(&counted, timeline.as_ref(), &open, week),
            polls: polls.to_vec(),
            zone,
            open,
            counted,
        }
    }

    /// Whether half of the week's business time was seen, so that its numbers are sure.
    pub fn is_vouched(&self) -> bool {
        is_vouched(&self.row.totals[Window::Week], self.row.coverage[Window::Week])
    }

    /// The last poll of any kind, counted or not.
    pub fn last_poll(&self) -> Option<Poll> {
        self.polls.last().copied()
    }

    /// Whether this poll counts.
    pub fn counts(&self, poll: Poll) -> bool {
        self.counted.binary_search(&poll).is_ok()
    }

    /// Since when an offline store is offline: the start of its open incident, or the instant of the status if
    /// it has no downtime yet.
    pub fn offline_since(&self) -> Option<Micros> {
        let open = self.incidents.last().filter(|last| last.open);
        let since = open.map_or(self.question.as_of, |last| last.stretch.start);
        (self.state == StoreState::Offline).then_some(since)
    }
}
