//! The timeline: from counted polls to when a store was up and when it was down.
//!
//! Interpolation is defined here only. The distance between two polls is elapsed time: closed time between
//! them does not matter.

use super::interval::{Interval, Intervals, Micros};
use super::poll::Poll;

/// The rule for the status of an instant between two polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The status of the nearest counted poll.
    #[default]
    Nearest,
    /// The status of the latest counted poll at or before the instant; before the first poll, the first's.
    Previous,
}

impl Interpolation {
    /// Every rule, the default first.
    pub const ALL: [Self; 2] = [Self::Nearest, Self::Previous];

    /// The name in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Previous => "previous",
        }
    }

    /// The rule with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }

    /// Where the status changes between two consecutive counted polls at `a < b`: the first instant
    /// that has the later poll's status.
    pub const fn change(self, a: Micros, b: Micros) -> Micros {
        match self {
            Self::Nearest => a + (b - a) / 2,
            Self::Previous => b,
        }
    }
}

/// The polls that count: those in `reach` and inside business time. `polls` are sorted, with distinct instants.
pub fn counted(polls: &[Poll], open: &Intervals, reach: Interval) -> Vec<Poll> {
    let counts = |poll: &&Poll| reach.contains(poll.at()) && open.contains(poll.at());
    polls.iter().filter(counts).copied().collect()
}

/// When a store was up and when it was down, by the counted polls and a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// When it was up.
    pub up: Intervals,
    /// When it was down; `up` and `down` together are the span.
    pub down: Intervals,
}

impl Timeline {
    /// The timeline of `span` by the sorted counted polls; none without a poll.
    pub fn new(counted: &[Poll], rule: Interpolation, span: Interval) -> Option<Self> {
        let last = counted.last()?;
        let mut start = span.start;
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let changes = counted
            .windows(2)
            .map(|pair| (pair[0], rule.change(pair[0].at(), pair[1].at())));
        for (poll, end) in changes.chain([(*last, span.end)]) {
            let stretch = Interval::new(start, end).intersection(span);
            if poll.is_active() { &mut up } else { &mut down }.push(stretch);
            start = end;
        }
        Some(Self {
            up: Intervals::union_of(up),
            down: Intervals::union_of(down),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll::Status::{Active, Inactive};
    use super::*;

    const SPAN: Interval = Interval::new(0, 100);

    fn up(rule: Interpolation, polls: &[Poll]) -> Vec<(Micros, Micros)> {
        let timeline = Timeline::new(polls, rule, SPAN).expect("there are polls");
        assert_eq!(timeline.up.length() + timeline.down.length(), SPAN.length());
        timeline
            .up
            .as_slice()
            .iter()
            .map(|stretch| (stretch.start, stretch.end))
            .collect()
    }

    #[test]
    fn nearest_changes_halfway_rounded_down() {
        let polls = [Poll::new(10, Active), Poll::new(15, Inactive), Poll::new(90, Active)];
        assert_eq!(up(Interpolation::Nearest, &polls), [(0, 12), (52, 100)]);
    }

    #[test]
    fn previous_changes_at_the_later_poll() {
        let polls = [Poll::new(10, Active), Poll::new(15, Inactive), Poll::new(90, Active)];
        assert_eq!(up(Interpolation::Previous, &polls), [(0, 15), (90, 100)]);
    }

    #[test]
    fn without_a_poll_nothing_is_known() {
        assert_eq!(Timeline::new(&[], Interpolation::Nearest, SPAN), None);
    }

    #[test]
    fn a_poll_at_closing_time_does_not_count() {
        let open = Intervals::union_of(vec![Interval::new(10, 20)]);
        let polls = [Poll::new(10, Active), Poll::new(20, Inactive)];
        assert_eq!(counted(&polls, &open, SPAN), [polls[0]]);
    }
}
