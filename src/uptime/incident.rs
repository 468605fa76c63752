//! Incidents: the longest runs of downtime without uptime in between.
//!
//! Closed time neither ends an incident nor counts.

use super::certainty::Certainty;
use super::interval::{Interval, Intervals, Micros};
use super::poll::Poll;
use super::segment::{Condition, Segment};
use super::timeline::Timeline;

/// A run of downtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// From its first instant of downtime in the window to the end of its last.
    pub stretch: Interval,
    /// Its first instant of downtime, also before the window, as far as polls count.
    pub since: Micros,
    /// Business time offline within the stretch.
    pub downtime: Micros,
    /// How sure its downtime is, from the last active poll before it to the first after it, within the window.
    pub certainty: Certainty,
    /// Whether it lasts until `as_of`, without uptime since.
    pub open: bool,
    /// Whether it began before the window.
    pub began_before: bool,
    /// The last counted poll before it, which was active; none if no poll saw its start.
    pub active_before: Option<Micros>,
    /// The inactive polls in it.
    pub inactive: Vec<Micros>,
    /// The first counted poll after it, which was active.
    pub active_after: Option<Micros>,
}

impl Incident {
    /// The parts of its downtime that nobody confirms: the poller itself was out, and no poll is near. `segments` are
    /// those of the week.
    pub fn unconfirmed(&self, segments: &[Segment], outages: &Intervals) -> Intervals {
        let unseen = segments
            .iter()
            .filter(|one| one.condition == Condition::Offline && !one.seen);
        let unseen: Intervals = unseen.map(|one| one.stretch.intersection(self.stretch)).collect();
        unseen.intersection(outages)
    }
}

/// A piece of business time that is all up or all down.
#[derive(Clone, Copy)]
struct Piece {
    stretch: Interval,
    down: bool,
}

/// The incidents of `window`, in order. Their downtimes sum to the window's.
///
/// `timeline` is of `counted`, over a span that holds the window and begins at the earliest start that an
/// incident may have.
pub fn incidents(counted: &[Poll], timeline: &Timeline, open: &Intervals, window: Interval) -> Vec<Incident> {
    let before = Interval::new(Micros::MIN, window.end);
    let piece = |down: bool| move |&stretch: &Interval| Piece { stretch, down };
    let open = open.clip(before);
    let (up, down) = (timeline.up.intersection(&open), timeline.down.intersection(&open));
    let mut pieces: Vec<Piece> = up.as_slice().iter().map(piece(false)).collect();
    pieces.extend(down.as_slice().iter().map(piece(true)));
    pieces.sort_unstable_by_key(|piece| piece.stretch);
    let runs = pieces.chunk_by(|a, b| a.down == b.down);
    let still_down = counted.last().is_some_and(|last| !last.is_active());
    let mut incidents = Vec::new();
    let mut runs = runs.peekable();
    while let Some(run) = runs.next() {
        let is_last = runs.peek().is_none();
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let inside: Intervals = run.iter().map(|piece| piece.stretch.intersection(window)).collect();
        let ([start, ..], [.., end], true) = (inside.as_slice(), inside.as_slice(), first.down) else {
            continue;
        };
        let (active_before, inactive, active_after) =
            evidence(counted, timeline, Interval::new(first.stretch.start, last.stretch.end));
        let stretch = Interval::new(start.start, end.end);
        incidents.push(Incident {
            stretch,
            since: first.stretch.start,
            certainty: Certainty::measure(counted, &open, around(active_before, active_after, window))
                .unwrap_or_default(),
            downtime: inside.length(),
            open: is_last && still_down,
            began_before: first.stretch.start < window.start,
            active_before,
            inactive,
            active_after,
        });
    }
    incidents
}

/// The time between the active polls around a run of downtime: in it, and nowhere else, the store may have been down.
pub(super) fn around(before: Option<Micros>, after: Option<Micros>, window: Interval) -> Interval {
    let whole = Interval::new(before.unwrap_or(window.start), after.unwrap_or(window.end));
    whole.intersection(window)
}

/// The active polls around a run of downtime, and the inactive polls in it.
fn evidence(counted: &[Poll], timeline: &Timeline, run: Interval) -> (Option<Micros>, Vec<Micros>, Option<Micros>) {
    // In elapsed time, a run may begin and end while the store is closed.
    let mut down = timeline.down.as_slice().iter();
    let start = down
        .clone()
        .find(|down| down.contains(run.start))
        .map_or(run.start, |down| down.start);
    let end = down
        .rfind(|down| down.contains(run.end - 1))
        .map_or(run.end, |down| down.end);
    let active = |poll: &&Poll| poll.is_active();
    let before = counted.iter().filter(active).rfind(|poll| poll.at() <= start);
    let after = counted.iter().filter(active).find(|poll| poll.at() >= end);
    let inside = Interval::new(start, end);
    let inactive = counted.iter().filter(|poll| !poll.is_active());
    (
        before.map(|poll| poll.at()),
        inactive
            .map(|poll| poll.at())
            .filter(|&at| inside.contains(at))
            .collect(),
        after.map(|poll| poll.at()),
    )
}

#[cfg(test)]
mod tests {
    use super::super::interval::HOUR;
    use super::super::poll::Status::{Active, Inactive};
    use super::super::timeline::Interpolation;
    use super::*;

    const SPAN: Interval = Interval::new(0, 60 * HOUR);

    fn found(polls: &[(Micros, bool)], open: &[(Micros, Micros)], window: Interval) -> Vec<Incident> {
        let poll = |&(hour, active): &(Micros, bool)| Poll::new(hour * HOUR, if active { Active } else { Inactive });
        let counted: Vec<_> = polls.iter().map(poll).collect();
        let hours = |&(start, end): &(Micros, Micros)| Interval::new(start * HOUR, end * HOUR);
        let open: Intervals = open.iter().map(hours).collect();
        let timeline = Timeline::new(&counted, Interpolation::Nearest, SPAN).expect("polls");
        incidents(&counted, &timeline, &open, window)
    }

    #[test]
    fn an_incident_is_bound_by_active_polls() {
        let polls = [(2, true), (4, false), (6, false), (8, true)];
        let found = found(&polls, &[(0, 24)], Interval::new(0, 24 * HOUR));
        assert_eq!(
            found,
            [Incident {
                stretch: Interval::new(3 * HOUR, 7 * HOUR),
                since: 3 * HOUR,
                downtime: 4 * HOUR,
                certainty: Certainty {
                    business: 6 * HOUR,
                    up: 0,
                    down: 2 * HOUR
                },
                open: false,
                began_before: false,
                active_before: Some(2 * HOUR),
                inactive: vec![4 * HOUR, 6 * HOUR],
                active_after: Some(8 * HOUR),
            }]
        );
    }

    #[test]
    fn closed_time_neither_ends_an_incident_nor_counts() {
        let polls = [(2, true), (8, false), (26, false)];
        let found = found(&polls, &[(0, 10), (24, 34)], Interval::new(0, 30 * HOUR));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].stretch, Interval::new(5 * HOUR, 30 * HOUR));
        assert_eq!(found[0].downtime, 11 * HOUR);
        assert!(found[0].open);
        assert_eq!(found[0].active_after, None);
    }

    #[test]
    fn one_that_was_going_on_when_the_window_began_says_so() {
        let polls = [(2, true), (4, false), (20, true)];
        let found = found(&polls, &[(0, 24)], Interval::new(10 * HOUR, 24 * HOUR));
        assert_eq!(found[0].stretch, Interval::new(10 * HOUR, 12 * HOUR));
        assert!(found[0].began_before && !found[0].open);
        assert_eq!(found[0].since, 3 * HOUR);
        assert_eq!(found[0].active_before, Some(2 * HOUR));
        assert_eq!(found[0].inactive, [4 * HOUR]);
    }

    #[test]
    fn downtime_within_an_outage_is_not_confirmed_unless_a_poll_is_near() {
        let polls = [(2, true), (8, false), (26, false), (28, true)];
        let found = found(&polls, &[(0, 10), (24, 34)], Interval::new(0, 30 * HOUR));
        assert_eq!(found[0].stretch, Interval::new(5 * HOUR, 27 * HOUR));
        let segment = |(start, end, condition, seen): (Micros, Micros, Condition, bool)| Segment {
            stretch: Interval::new(start * HOUR, end * HOUR),
            condition,
            seen,
        };
        use Condition::{Closed, Offline, Online};
        let segments = [
            (3, 5, Online, false),
            (5, 7, Offline, false),
            (7, 9, Offline, true),
            (9, 10, Offline, false),
            (10, 24, Closed, true),
            (24, 25, Offline, false),
        ]
        .map(segment);
        let set = |hours: &[(Micros, Micros)]| -> Intervals {
            let hours = hours.iter();
            hours
                .map(|&(start, end)| Interval::new(start * HOUR, end * HOUR))
                .collect()
        };
        let unconfirmed = found[0].unconfirmed(&segments, &set(&[(3, 6), (8, 25), (27, 29)]));
        assert_eq!(unconfirmed, set(&[(5, 6), (9, 10), (24, 25)]));
    }

    #[test]
    fn uptime_parts_two_incidents() {
        let polls = [(2, false), (4, true), (6, false)];
        let found = found(&polls, &[(0, 24)], Interval::new(0, 8 * HOUR));
        let open: Vec<_> = found.iter().map(|incident| incident.open).collect();
        assert_eq!(open, [false, true]);
        assert_eq!(found[0].active_before, None);
    }
}
