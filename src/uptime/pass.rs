//! The pass: one store's polls to its flips, and its flips to the totals of the windows.
//!
//! It fuses the steps of the plain form ([`Timeline`](super::timeline::Timeline), then
//! [`WindowTotal::measure`]) and returns the same: a property test compares the two.
//!
//! # Why it is fast
//! Only changes of status cost time, and they do not depend on `as_of`. [`walk`] finds the counted polls whose
//! status differs from the one before, and the business time before each change. It skips polls that repeat
//! the last status eight at a time. [`totals`] then needs no poll. All windows end at `as_of`, so it goes back
//! from there and sums the stretches that were up, until the window begins. Nothing divides: an instant between
//! two polls is half of a difference, and business time is a running total.
//!
//! A report whose flips are kept reads no poll. Flips take 12 bytes a store and 16 a flip, and are dropped with
//! the block of polls that they were made from. An hour's batch leaves the flips of every block valid: a block
//! keeps its late polls apart, and a report walks only those. After a thousand late polls the block is laid out
//! again, and the next report walks all of it.

use super::interval::Micros;
use super::open_time::OpenTime;
use super::poll::Poll;
use super::timeline::Interpolation;
use super::window::{PerWindow, WindowTotal};

/// A change of status between two consecutive counted polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The instant of the poll before the change; a change whose earlier poll is out of reach is unknown.
    pub earlier: Micros,
    /// Business time before the change, since the start of the expansion.
    pub elapsed: Micros,
}

/// A store's polls, reduced to the facts that its totals need.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its flips, in order of time.
    pub flips: &'a [Flip],
    /// The last counted poll, if there is one.
    pub last: Option<Poll>,
}

/// Adds the flips of a store's `polls` to `flips` and returns the store's last counted poll.
///
/// `polls` are sorted, with distinct instants, and later than `last`, the last counted poll before them.
pub fn walk(
    polls: &[Poll],
    open: &OpenTime,
    rule: Interpolation,
    mut last: Option<Poll>,
    flips: &mut Vec<Flip>,
) -> Option<Poll> {
    let mut rest = polls;
    let first = rest.first().map_or(Micros::MAX, |first| first.at());
    let intervals = open.intervals().as_slice();
    let over = intervals.partition_point(|interval| interval.end <= first);
    for (index, interval) in intervals.iter().enumerate().skip(over) {
        // Polls between two intervals do not count: the store was closed.
        rest = &rest[before(rest, interval.start)..];
        let Some(&first) = rest.first() else { break };
        let (mut counted, later) = rest.split_at(before(rest, interval.end));
        rest = later;
        if counted.is_empty() {
            continue;
        }
        while let Some(other) = first_other(counted, *last.get_or_insert(first)) {
            let earlier = other.checked_sub(1).map(|repeat| counted[repeat]);
            let earlier = earlier.or(last).unwrap_or(first).at();
            let change = rule.change(earlier, counted[other].at());
            flips.push(Flip {
                earlier,
                elapsed: open.elapsed_at_or_before(index, change),
            });
            last = Some(counted[other]);
            counted = &counted[other + 1..];
        }
        last = counted.last().copied().or(last);
    }
    last
}

/// The windows before an `as_of`, measured in business time, as a store's totals need them.
#[derive(Clone, Copy, Debug)]
pub struct WindowMarks {
    /// Business time before each window's start.
    starts: PerWindow<Micros>,
    /// Business time before `as_of`.
    end: Micros,
}

impl WindowMarks {
    /// The marks of a store's business time.
    pub fn new(open: &OpenTime, as_of: Micros) -> Self {
        Self {
            starts: PerWindow::new(|window| open.elapsed(as_of - window.length())),
            end: open.elapsed(as_of),
        }
    }
}

/// The totals of one store in the windows before `as_of`.
///
/// `known` covers the polls up to `as_of` and no later ones; `marks` are of the store's business time at the
/// same `as_of`.
pub fn totals(known: Known<'_>, marks: &WindowMarks, as_of: Micros) -> PerWindow<WindowTotal> {
    PerWindow::new(|window| {
        let oldest = window.counted(as_of).start;
        let last = known.last.filter(|last| last.at() >= oldest);
        let too_old = known.flips.iter().take_while(|flip| flip.earlier < oldest);
        let flips = &known.flips[too_old.count()..];
        let start = marks.starts[window];
        let uptime = last.map(|last| uptime(flips, last.is_active(), start, marks.end));
        WindowTotal::new(marks.end - start, uptime)
    })
}

/// The uptime between two running totals of business time; `up` is the status at the end.
fn uptime(flips: &[Flip], mut up: bool, start: Micros, end: Micros) -> Micros {
    let (mut sum, mut until) = (0, end);
    for flip in flips.iter().rev().take_while(|flip| flip.elapsed > start) {
        if up {
            sum += until - flip.elapsed;
        }
        until = flip.elapsed;
        up = !up;
    }
    if up { sum + until - start } else { sum }
}

/// How many polls are compared at once: a cache line of them.
const STRIDE: usize = 8;

/// How many of the sorted polls come before `at`. It walks in strides: the next bound is mostly a dozen polls
/// away, where the branches of a binary search cost more than it saves.
pub(super) fn before(polls: &[Poll], at: Micros) -> usize {
    if polls.last().is_none_or(|last| last.at() < at) {
        return polls.len();
    }
    let strides = polls.chunks_exact(STRIDE);
    let skipped = strides.take_while(|stride| stride[STRIDE - 1].at() < at).count() * STRIDE;
    let rest = polls[skipped..].iter();
    skipped + rest.take_while(|poll| poll.at() < at).count()
}

/// The index of the first poll whose status differs from `known`, if there is one.
fn first_other(polls: &[Poll], known: Poll) -> Option<usize> {
    // A stride is compared as a whole, without a branch a poll, so that the compiler uses vector
    // instructions.
    let repeats = |stride: &&[Poll]| {
        !stride
            .iter()
            .fold(false, |other, poll| other | (poll.is_active() != known.is_active()))
    };
    let skipped = polls.chunks_exact(STRIDE).take_while(repeats).count() * STRIDE;
    let mut rest = polls[skipped..].iter();
    rest.position(|poll| poll.is_active() != known.is_active())
        .map(|found| skipped + found)
}
