//! A store's standing: everything that is known of one store at one instant, by the plain form.
//!
//! The page of a store, its JSON and its badge all read this. It must never know names, words or
//! drawing, nor where polls came from.

use super::business_hours::{Pattern, ZoneTable};
use super::evidence::Evidence;
use super::glance::is_vouched;
use super::incident::{Incident, incidents};
use super::interval::{DAY, Interval, Intervals, Micros};
use super::poll::Poll;
use super::report::{Question, ReportRow};
use super::segment::{Segment, segments};
use super::state::State;
use super::timeline::{REACH, Timeline, counted};
use super::window::windows;

/// How a store stands.
#[derive(Debug)]
pub struct Standing {
    /// The instant and the rule.
    pub question: Question,
    /// Its zone's offsets around the instant, which make wall times of instants.
    pub zone: ZoneTable,
    /// Its business time from eight days before the instant to one after it.
    pub open: Intervals,
    /// Its line of the report, with coverage.
    pub row: ReportRow,
    /// What each window's numbers rest on; none where there is no business time.
    pub evidence: [Option<Evidence>; 3],
    /// How it is at the instant.
    pub state: State,
    /// The incidents of the week.
    pub incidents: Vec<Incident>,
    /// The week, piece after piece.
    pub segments: Vec<Segment>,
    /// Every poll within reach of the instant, counted or not.
    pub polls: Vec<Poll>,
    /// Those of them that count.
    pub counted: Vec<Poll>,
}

impl Standing {
    /// The standing of a store that keeps `pattern` and answered `polls`: sorted, one an instant, all
    /// within reach of the question's `as_of`.
    pub fn new(polls: &[Poll], pattern: &Pattern, question: Question) -> Self {
        let Question { as_of, rule } = question;
        let span = Interval::new(as_of - REACH, as_of + DAY);
        let zone = ZoneTable::new(pattern.zone, span);
        let open = pattern.open(&zone, span);
        let counted = counted(polls, &open, as_of);
        let timeline = Timeline::new(&counted, rule, span);
        let windows = windows(as_of);
        let [_, _, week] = windows;
        Self {
            question,
            row: ReportRow::measure(&counted, timeline.as_ref(), &open, as_of),
            evidence: windows.map(|window| Evidence::measure(&counted, &open, window)),
            state: State::at(&counted, &open, as_of),
            incidents: timeline.as_ref().map_or_else(Vec::new, |timeline| {
                incidents(&counted, timeline, &open, week)
            }),
            segments: segments(&counted, timeline.as_ref(), &open, week),
            polls: polls.to_vec(),
            zone,
            open,
            counted,
        }
    }

    /// Whether somebody can vouch for the week's numbers.
    pub fn is_vouched(&self) -> bool {
        is_vouched(&self.row.totals[2], self.row.coverage[2])
    }

    /// The last poll of any kind, counted or not.
    pub fn last_poll(&self) -> Option<Poll> {
        self.polls.last().copied()
    }

    /// Whether a poll of this standing counts.
    pub fn counts(&self, poll: Poll) -> bool {
        self.counted.binary_search(&poll).is_ok()
    }

    /// Since when an offline store has been so: the first instant of its open incident, or the
    /// standing's own where no downtime has passed yet.
    pub fn offline_since(&self) -> Option<Micros> {
        let open = self.incidents.last().filter(|last| last.open);
        let since = open.map_or(self.question.as_of, |last| last.stretch.start);
        (self.state == State::Offline).then_some(since)
    }
}
