//! The statement: uptime, downtime and their bounds in the buckets of any period.
//!
//! [`BucketTotal::measure`] is the plain form, which defines the numbers; this file computes the same in one pass over
//! a store's polls, and a property test compares the two.
//!
//! # Why it is fast
//! Only three things cost time: a change of status, a gap of more than two hours, and a bucket. Between them all
//! business time has one status, is seen and is certain. Stores with the same zone and hours share their business time
//! and the bounds of their buckets, measured in business time; so a stretch is cut by subtractions.

use super::brief_incident::{BriefIncident, Scratch, incidents_within};
use super::bucket_total::BucketTotal;
use super::business_hours::{Pattern, ZoneTable};
use super::interval::{DAY, HOUR, Interval, Intervals, Micros};
use super::open_time::OpenTime;
use super::pass::before;
use super::period::{Bucket, Period};
use super::poll::Poll;
use super::timeline::Interpolation;
use super::window::COVERAGE_REACH;

/// How far outside a period polls count.
pub const PERIOD_REACH: Micros = DAY;

/// The instants whose polls count: a day on either side of the whole period, its bounds included, up to `as_of`.
pub fn reach(period: Interval, as_of: Micros) -> Interval {
    let end = (period.end + PERIOD_REACH).min(as_of);
    Interval::new(period.start - PERIOD_REACH, end + 1)
}

/// The business time of a pattern in a call, and the bounds of the buckets.
#[derive(Debug)]
pub struct PeriodTime {
    open: OpenTime,
    /// The instants whose polls count, if they fall inside business time.
    reach: Interval,
    /// From the first bucket to the end of the last, or `as_of`.
    whole: Interval,
    /// Business time before the start of each bucket, and before the end of the last.
    bounds: Vec<Micros>,
}

impl PeriodTime {
    /// The time of local dates in the zone of a pattern, which end at `as_of` if that is earlier.
    ///
    /// `zone` is a table of a span that holds the period and two days on either side.
    pub fn of_dates(pattern: &Pattern, zone: &ZoneTable, period: &Period, buckets: &[Bucket], as_of: Micros) -> Self {
        let whole = period.instants(zone);
        let starts = buckets.iter().map(|bucket| zone.dates(bucket.first, bucket.last).start);
        let bounds: Vec<_> = starts.chain([whole.end]).collect();
        Self::new(pattern, zone, &bounds, as_of)
    }

    /// The time between instants: the start of each bucket, and the end of the last. It ends at `as_of` if that is
    /// earlier.
    pub fn new(pattern: &Pattern, zone: &ZoneTable, bounds: &[Micros], as_of: Micros) -> Self {
        let (first, last) = (bounds.first().copied(), bounds.last().copied());
        let whole = Interval::new(first.unwrap_or(as_of), last.unwrap_or(as_of));
        let reach = reach(whole, as_of);
        // A poll at the end of the reach counts only if business goes on after it.
        let span = Interval::new(reach.start, reach.end.max(reach.start) + HOUR);
        let open = OpenTime::new(pattern.open(zone, span));
        let bounds = bounds.iter().map(|&bound| open.elapsed(bound.min(as_of))).collect();
        let whole = Interval::new(whole.start.min(as_of), whole.end.min(as_of));
        Self {
            open,
            reach,
            whole,
            bounds,
        }
    }

    /// The instants that it is about, which end at `as_of`.
    pub fn whole(&self) -> Interval {
        self.whole
    }

    /// One store's incidents of the whole period, the oldest first: as many as the total has. `polls` are those of
    /// [`measure`](Self::measure).
    pub fn incidents<'a>(&self, polls: &[Poll], rule: Interpolation, scratch: &'a mut Scratch) -> &'a [BriefIncident] {
        scratch.count(polls, &self.open, self.reach);
        let within = (self.reach.start, self.whole);
        incidents_within(&self.open, within, &Intervals::default(), rule, scratch)
    }

    /// How many buckets there are.
    pub fn buckets(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// Writes the totals of one store into `totals`, one a bucket. `polls` are sorted, with distinct instants; those
    /// that do not count are left out.
    pub fn measure(&self, polls: &[Poll], rule: Interpolation, totals: &mut [BucketTotal]) {
        for (total, bounds) in totals.iter_mut().zip(self.bounds.windows(2)) {
            *total = BucketTotal {
                business: bounds[1] - bounds[0],
                ..BucketTotal::default()
            };
        }
        let from = polls.partition_point(|poll| poll.at() < self.reach.start);
        let to = polls.partition_point(|poll| poll.at() < self.reach.end);
        let mut stretches = Stretches::new(self, rule, totals);
        let mut rest = polls.get(from..to).unwrap_or(&[]);
        for (index, interval) in self.open.intervals().as_slice().iter().enumerate() {
            // Polls between two intervals do not count: the store was closed.
            rest = &rest[before(rest, interval.start)..];
            if rest.is_empty() {
                break;
            }
            let (counted, later) = rest.split_at(before(rest, interval.end));
            rest = later;
            for &poll in counted {
                stretches.next(index, poll);
            }
        }
        stretches.end();
    }
}

/// The stretches of one status, of seen time and of certain time that are open as the pass goes on.
struct Stretches<'a> {
    time: &'a PeriodTime,
    rule: Interpolation,
    totals: &'a mut [BucketTotal],
    last: Option<Poll>,
    /// Since when there is the last poll's status, in business time; and the same for what is seen, and certain.
    since: [Micros; 3],
    /// The bucket in which each of the three went on last.
    bucket: [usize; 3],
    /// The end of the last downtime and its bucket.
    down: Option<(Micros, usize)>,
}

/// Indexes of [`Stretches::since`].
const STATUS: usize = 0;
const SEEN: usize = 1;
const CERTAIN: usize = 2;

impl<'a> Stretches<'a> {
    fn new(time: &'a PeriodTime, rule: Interpolation, totals: &'a mut [BucketTotal]) -> Self {
        Self {
            time,
            rule,
            totals,
            last: None,
            since: [0; 3],
            bucket: [0; 3],
            down: None,
        }
    }

    /// The next counted poll, which lies in the open interval `index`.
    fn next(&mut self, index: usize, poll: Poll) {
        let elapsed = |at: Micros| self.time.open.elapsed_at_or_before(index, at);
        let Some(last) = self.last.replace(poll) else {
            self.since[SEEN] = elapsed(poll.at() - COVERAGE_REACH);
            self.since[CERTAIN] = self.since[SEEN];
            return;
        };
        let is_seen = poll.at() - last.at() <= 2 * COVERAGE_REACH;
        let is_same = poll.is_active() == last.is_active();
        if is_seen && is_same {
            return;
        }
        let until = elapsed((last.at() + COVERAGE_REACH).min(poll.at()));
        let again = elapsed((poll.at() - COVERAGE_REACH).max(last.at()));
        let (before, at) = (elapsed(last.at()), elapsed(poll.at()));
        let change = elapsed(self.rule.change(last.at(), poll.at()));
        if !is_seen {
            self.close(SEEN, last, until);
            self.since[SEEN] = again;
        }
        if is_same {
            self.close(CERTAIN, last, until);
            self.since[CERTAIN] = again;
        } else {
            self.close(CERTAIN, last, before);
            self.since[CERTAIN] = at;
            self.close(STATUS, last, change);
            self.since[STATUS] = change;
        }
    }

    /// Closes what is open after the last poll.
    fn end(&mut self) {
        let Some(last) = self.last else {
            return;
        };
        let until = self.time.open.elapsed(last.at() + COVERAGE_REACH);
        self.close(SEEN, last, until);
        self.close(CERTAIN, last, until);
        self.close(STATUS, last, Micros::MAX);
        for total in &mut *self.totals {
            let known = total.known.get_or_insert_default();
            known.downtime = total.business - known.uptime;
            known.certainty.business = total.business;
        }
    }

    /// Adds a stretch that ends, by the total of business time, at `until`, to the buckets that it lies in.
    fn close(&mut self, what: usize, last: Poll, until: Micros) {
        let bounds = &self.time.bounds;
        let mut bucket = self.bucket[what];
        let mut since = self.since[what].max(bounds.first().copied().unwrap_or(0));
        while since < until && bucket < self.totals.len() {
            let end = bounds[bucket + 1].min(until);
            if since < end {
                let total = &mut self.totals[bucket];
                let known = total.known.get_or_insert_default();
                match (what, last.is_active()) {
                    (STATUS, true) => known.uptime += end - since,
                    (STATUS, false) => {
                        // Without uptime in between it is the run before.
                        known.incidents += i64::from(self.down != Some((since, bucket)));
                        self.down = Some((end, bucket));
                    }
                    (SEEN, _) => total.seen += end - since,
                    (_, true) => known.certainty.up += end - since,
                    (_, false) => known.certainty.down += end - since,
                }
                since = end;
            }
            if end == bounds[bucket + 1] {
                bucket += 1;
            }
        }
        self.bucket[what] = bucket;
    }
}
