//! The pass: one store's three totals in one walk over its polls and its open intervals.
//!
//! It fuses the steps of the plain form ([`Timeline`](super::timeline::Timeline), then
//! [`WindowTotal::measure`]) and must never differ from it: a property test compares the two.
//! It must never know how many stores there are or where polls are kept.
//!
//! # Why it is fast
//! Only changes of status cost anything. A poll that repeats the last status is one comparison; a
//! change looks up how much business time has elapsed before it, and an up stretch adds the
//! difference of two such sums to each window. Windows end together, so one clamp a window is all.

use super::fleet::{OpenTime, WindowMarks};
use super::interval::Micros;
use super::poll::Poll;
use super::timeline::Interpolation;
use super::window::WindowTotal;

/// The totals of one store in the three windows.
///
/// `polls` are sorted, one an instant, and all within reach of `as_of`; `marks` are those of `open`
/// at the same `as_of`.
pub fn totals(
    polls: &[Poll],
    open: &OpenTime,
    marks: &WindowMarks,
    as_of: Micros,
    rule: Interpolation,
) -> [WindowTotal; 3] {
    let mut uptime = Uptime {
        open,
        marks,
        as_of,
        sums: [0; 3],
    };
    let mut rest = polls;
    // The counted poll seen last, and since when the store has been up.
    let mut last: Option<Poll> = None;
    let mut up_since = None;
    for interval in open.intervals().as_slice() {
        // Between the last interval and this one the store was closed: those polls do not count.
        rest = &rest[before(rest, interval.start)..];
        let Some(&first) = rest.first() else { break };
        let (mut counted, later) = rest.split_at(before(rest, interval.end));
        rest = later;
        if counted.is_empty() {
            continue;
        }
        if last.is_none() {
            // Before the first counted poll, its status.
            up_since = first.is_active().then_some(Micros::MIN);
            last = Some(first);
        }
        while let Some(known) = last
            && let Some(repeats) = first_other(counted, known)
        {
            let earlier = repeats
                .checked_sub(1)
                .map_or(known, |earlier| counted[earlier]);
            let changed = counted[repeats];
            let change = rule.change(earlier.at(), changed.at());
            match up_since.take() {
                Some(since) => uptime.add(since, change),
                None => up_since = Some(change),
            }
            last = Some(changed);
            counted = &counted[repeats + 1..];
        }
        last = counted.last().copied().or(last);
    }
    if let Some(since) = up_since {
        uptime.add(since, as_of);
    }
    let sums = last.map(|_| uptime.sums);
    std::array::from_fn(|window| {
        WindowTotal::new(
            marks.end - marks.starts[window],
            sums.map(|sums| sums[window]),
        )
    })
}

/// How many polls are looked at together: a cache line of them.
const STRIDE: usize = 8;

/// How many of the sorted polls come before `at`. A walk in strides: the next bound is mostly a dozen
/// polls away, where a binary search would miss the branch predictor more often than it saves a step.
fn before(polls: &[Poll], at: Micros) -> usize {
    if polls.last().is_none_or(|last| last.at() < at) {
        return polls.len();
    }
    let strides = polls.chunks_exact(STRIDE);
    let skipped = strides
        .take_while(|stride| stride[STRIDE - 1].at() < at)
        .count()
        * STRIDE;
    let rest = polls[skipped..].iter();
    skipped + rest.take_while(|poll| poll.at() < at).count()
}

/// Where the first poll is that answers otherwise than `known`; none where all repeat it.
fn first_other(polls: &[Poll], known: Poll) -> Option<usize> {
    // A stride is judged as a whole, without a branch a poll, which lets the compiler do it in a few
    // wide instructions.
    let repeats = |stride: &&[Poll]| {
        !stride.iter().fold(false, |other, poll| {
            other | (poll.is_active() != known.is_active())
        })
    };
    let skipped = polls.chunks_exact(STRIDE).take_while(repeats).count() * STRIDE;
    let mut rest = polls[skipped..].iter();
    rest.position(|poll| poll.is_active() != known.is_active())
        .map(|found| skipped + found)
}

/// Uptime so far, a window each.
struct Uptime<'a> {
    open: &'a OpenTime,
    marks: &'a WindowMarks,
    as_of: Micros,
    sums: [Micros; 3],
}

impl Uptime<'_> {
    /// Adds the business time of the up stretch `[since, until)` to every window that it touches.
    fn add(&mut self, since: Micros, until: Micros) {
        let end = if until >= self.as_of {
            self.marks.end
        } else {
            self.open.elapsed(until)
        };
        let start = self.open.elapsed(since);
        for (sum, &mark) in self.sums.iter_mut().zip(&self.marks.starts) {
            *sum += (end - start.max(mark)).max(0);
        }
    }
}
