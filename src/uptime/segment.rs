//! Segments: a window cut into pieces of one condition, each either seen or not seen.
//!
//! Timeline bars are drawn from them.

use super::interval::{Interval, Intervals, Micros};
use super::poll::Poll;
use super::timeline::Timeline;
use super::window::near;

/// A store's condition in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Business time online.
    Online,
    /// Business time offline.
    Offline,
    /// Outside business time.
    Closed,
    /// Business time without any counted poll.
    Unknown,
}

impl Condition {
    /// The word in answers and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

/// A stretch of one condition that is all near a counted poll, or all far from every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The stretch of time.
    pub stretch: Interval,
    /// The condition of the store.
    pub condition: Condition,
    /// Whether it lies within [`COVERAGE_REACH`](super::window::COVERAGE_REACH) of a counted poll;
    /// always true of closed time.
    pub seen: bool,
}

/// The segments of `window`, in order and without gaps.
///
/// `timeline` and `counted` are of a span that holds the window; without a counted poll there is no timeline.
/// The online segments in a window sum to its uptime, the offline ones to its downtime.
pub fn segments(counted: &[Poll], timeline: Option<&Timeline>, open: &Intervals, window: Interval) -> Vec<Segment> {
    let near = near(counted);
    let mut cuts = vec![window.start, window.end];
    let mut cut = |set: &Intervals| {
        let edges = set.as_slice().iter().flat_map(|part| [part.start, part.end]);
        cuts.extend(edges.filter(|&edge| window.contains(edge)));
    };
    cut(open);
    cut(&near);
    if let Some(timeline) = timeline {
        cut(&timeline.down);
    }
    cuts.sort_unstable();
    cuts.dedup();
    let condition = |at: Micros| match timeline {
        _ if !open.contains(at) => Condition::Closed,
        None => Condition::Unknown,
        Some(timeline) if timeline.down.contains(at) => Condition::Offline,
        Some(_) => Condition::Online,
    };
    let mut segments: Vec<Segment> = Vec::new();
    for pair in cuts.windows(2) {
        let (start, end) = (pair[0], pair[1]);
        let condition = condition(start);
        let seen = condition == Condition::Closed || near.contains(start);
        match segments.last_mut() {
            Some(last) if last.condition == condition && last.seen == seen => last.stretch.end = end,
            _ => segments.push(Segment {
                stretch: Interval::new(start, end),
                condition,
                seen,
            }),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::super::interval::HOUR;
    use super::super::poll::Status::{Active, Inactive};
    use super::super::timeline::Interpolation;
    use super::*;

    #[test]
    fn a_window_is_cut_where_anything_changes() {
        let span = Interval::new(0, 12 * HOUR);
        let open = Intervals::union_of(vec![Interval::new(2 * HOUR, 10 * HOUR)]);
        let counted = [Poll::new(3 * HOUR, Active), Poll::new(9 * HOUR, Inactive)];
        let timeline = Timeline::new(&counted, Interpolation::Nearest, span);
        let told = |segments: Vec<Segment>| -> Vec<_> {
            let hours = |segment: &Segment| {
                let Interval { start, end } = segment.stretch;
                (start / HOUR, end / HOUR, segment.condition, segment.seen)
            };
            segments.iter().map(hours).collect()
        };
        use Condition::{Closed, Offline, Online, Unknown};
        assert_eq!(
            told(segments(&counted, timeline.as_ref(), &open, span)),
            [
                (0, 2, Closed, true),
                (2, 4, Online, true),
                (4, 6, Online, false),
                (6, 8, Offline, false),
                (8, 10, Offline, true),
                (10, 12, Closed, true),
            ]
        );
        assert_eq!(
            told(segments(&[], None, &open, span)),
            [(0, 2, Closed, true), (2, 10, Unknown, false), (10, 12, Closed, true)]
        );
        assert_eq!(segments(&[], None, &open, Interval::new(5, 5)), []);
    }
}
