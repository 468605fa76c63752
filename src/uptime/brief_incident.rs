//! Brief incidents: those of thousands of stores for one list, each without its polls.
//!
//! The fast form of [`incidents`](super::incident::incidents): a property test compares the two.

use super::certainty::Certainty;
use super::incident::around;
use super::interval::{Interval, Intervals, Micros};
use super::open_time::OpenTime;
use super::poll::Poll;
use super::report::Question;
use super::store_summary::{count, each_open, for_each_down};
use super::timeline::Interpolation;
use super::window::{REACH, Window, near};

/// A run of downtime in the week, as [`Incident`](super::incident::Incident) defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BriefIncident {
    /// From its first instant of downtime in the week, or another window, to the end of its last.
    pub stretch: Interval,
    /// Its first instant of downtime, also before the week, as far as polls count.
    pub since: Micros,
    /// Business time offline within the stretch.
    pub downtime: Micros,
    /// How sure its downtime is, as of an [`Incident`](super::incident::Incident).
    pub certainty: Certainty,
    /// The part of it within an outage of the poller and far from any poll.
    pub unconfirmed: Micros,
    /// Whether it lasts until the week's end, without uptime since.
    pub open: bool,
    /// Whether it began before the week.
    pub began_before: bool,
}

/// Scratch memory for [`brief_incidents`].
#[derive(Debug, Default)]
pub struct Scratch {
    counted: Vec<Poll>,
    found: Vec<BriefIncident>,
    /// The elapsed time that each was down, closed time and time outside the week included.
    elapsed: Vec<Interval>,
}

impl Scratch {
    /// Takes the polls of `reach` inside business time: those that count.
    pub(super) fn count(&mut self, polls: &[Poll], open: &OpenTime, reach: Interval) {
        let from = polls.partition_point(|poll| poll.at() < reach.start);
        let to = polls.partition_point(|poll| poll.at() < reach.end);
        count(polls.get(from..to).unwrap_or(&[]), open, &mut self.counted);
    }
}

/// A store's incidents of the week, the oldest first.
///
/// `polls` are sorted, with distinct instants, all within reach of the question's `as_of`; `outages` are the poller's.
pub fn brief_incidents<'a>(
    polls: &[Poll],
    open: &OpenTime,
    outages: &Intervals,
    question: Question,
    scratch: &'a mut Scratch,
) -> &'a [BriefIncident] {
    let Question { as_of, rule } = question;
    scratch.count(polls, open, Window::Week.counted(as_of));
    let week = Window::Week.before(as_of);
    incidents_within(open, (as_of - REACH, week), outages, rule, scratch)
}

/// The incidents of any window by the polls that `scratch` has counted, the oldest first. None is followed back beyond
/// `earliest`.
pub(super) fn incidents_within<'a>(
    open: &OpenTime,
    (earliest, window): (Micros, Interval),
    outages: &Intervals,
    rule: Interpolation,
    scratch: &'a mut Scratch,
) -> &'a [BriefIncident] {
    let Scratch {
        counted,
        found,
        elapsed,
    } = scratch;
    found.clear();
    elapsed.clear();
    // The last run of downtime, also before the week, and the elapsed time of it: closed time does not end it.
    let mut run: Option<(Interval, Interval)> = None;
    for_each_down(counted, rule, |stretch| {
        let stretch = stretch.intersection(Interval::new(earliest, window.end));
        each_open(open, stretch, |piece| {
            let goes_on = |(run, _): &(Interval, Interval)| open.elapsed(run.end) == open.elapsed(piece.start);
            let last = run.filter(goes_on);
            let (start, since) = last.map_or((piece.start, stretch.start), |(run, all)| (run.start, all.start));
            let all = Interval::new(since, stretch.end);
            run = Some((Interval::new(start, piece.end), all));
            let inside = piece.intersection(window);
            if inside.is_empty() {
                return;
            }
            match found.last_mut() {
                Some(incident) if last.is_some() && incident.stretch.end > start => {
                    incident.stretch.end = inside.end;
                    incident.downtime += inside.length();
                    if let Some(last) = elapsed.last_mut() {
                        *last = all;
                    }
                }
                _ => {
                    elapsed.push(all);
                    found.push(BriefIncident {
                        stretch: inside,
                        since: start,
                        downtime: inside.length(),
                        certainty: Certainty::default(),
                        unconfirmed: 0,
                        open: false,
                        began_before: start < window.start,
                    });
                }
            }
        });
    });
    let still_down = counted.last().is_some_and(|last| !last.is_active());
    if let Some(last) = found.last_mut() {
        last.open = still_down && open.elapsed(last.stretch.end) == open.elapsed(window.end);
    }
    for (incident, all) in found.iter_mut().zip(elapsed) {
        let (begun, ended) = (
            counted.partition_point(|poll| poll.at() <= all.start),
            counted.partition_point(|poll| poll.at() < all.end),
        );
        let before = counted[..begun].iter().rfind(|poll| poll.is_active());
        let after = counted[ended..].iter().find(|poll| poll.is_active());
        let around = around(before.map(|poll| poll.at()), after.map(|poll| poll.at()), window);
        incident.certainty = Certainty::of(counted, open, around).unwrap_or_default();
        let out = outages.clip(incident.stretch);
        if !out.as_slice().is_empty() {
            let out = out.intersection(open.intervals());
            incident.unconfirmed = out.length() - near(counted).intersection(&out).length();
        }
    }
    found
}
