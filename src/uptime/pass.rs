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
    let mut polls = polls.iter().copied();
    let mut next = polls.next();
    // The counted poll seen last, and since when the store has been up.
    let mut last: Option<Poll> = None;
    let mut up_since = None;
    for interval in open.intervals().as_slice() {
        // Closed: these polls do not count.
        while let Some(poll) = next
            && poll.at() < interval.start
        {
            next = polls.next();
        }
        while let Some(poll) = next
            && poll.at() < interval.end
        {
            match last {
                Some(before) if before.is_active() == poll.is_active() => {}
                Some(before) => {
                    let change = rule.change(before.at(), poll.at());
                    match up_since.take() {
                        Some(since) => uptime.add(since, change),
                        None => up_since = Some(change),
                    }
                }
                // Before the first counted poll, its status.
                None => up_since = poll.is_active().then_some(Micros::MIN),
            }
            last = Some(poll);
            next = polls.next();
        }
        if next.is_none() {
            break;
        }
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
