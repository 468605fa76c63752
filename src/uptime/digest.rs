//! The digest of a day, a week or a month: which stores were offline, which were not, and which nobody saw.
//!
//! Its numbers are those of statements: of the period, and of the one before it. It adds which store belongs where.
//! Every store has one [`Standing`], and only a store that was seen for half of its business time is said to have had
//! no downtime.

use std::cmp::Reverse;

use chrono_tz::Tz;

use super::brief_incident::BriefIncident;
use super::bucket_total::BucketTotal;
use super::interval::{Interval, Intervals, Micros};
use super::period::{Bucket, By, Period, whole};
use super::store_summary::VOUCHED_FROM;
use super::target::MonthLeft;
use super::window::Share;

/// A whole day, ISO week or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestPeriod {
    /// Which of them it is.
    pub by: By,
    /// Its dates.
    pub dates: Bucket,
}

impl DigestPeriod {
    /// The day, week or month that has ended last when `date` begins.
    pub fn before_date(by: By, date: i64) -> Self {
        let dates = whole(by, date);
        Self {
            by,
            dates: whole(by, dates.first - 1),
        }
    }

    /// The one that has a date.
    pub fn with(by: By, date: i64) -> Self {
        Self {
            by,
            dates: whole(by, date),
        }
    }

    /// The one before it.
    #[must_use]
    pub fn before(&self) -> Self {
        Self::before_date(self.by, self.dates.first)
    }

    /// The one after it.
    #[must_use]
    pub fn after(&self) -> Self {
        Self {
            by: self.by,
            dates: whole(self.by, self.dates.last + 1),
        }
    }

    /// The same dates as the period of a statement, uncut.
    pub fn uncut(&self) -> Period {
        Period {
            from: self.dates.first,
            to: self.dates.last,
            by: By::Total,
        }
    }

    /// Its name: `2026-W44`.
    pub fn name(&self) -> String {
        let period = Period {
            by: self.by,
            ..self.uncut()
        };
        period.name_of(&self.dates)
    }
}

/// Where a store belongs in a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It had downtime.
    Down,
    /// It had none, and half of its business time was seen, or more.
    Up,
    /// No check says that it was down, but less than half of its business time was seen.
    Unseen,
    /// No check counts: nothing is known of it.
    Unknown,
    /// It had no business time.
    Closed,
}

/// The longest incident of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongestIncident {
    /// The incident.
    pub incident: BriefIncident,
    /// Why, as its owner said.
    pub reason: Option<String>,
}

/// A store in a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDigest {
    /// Its id.
    pub id: String,
    /// Its name, or its id if it has none.
    pub name: String,
    /// Its zone.
    pub zone: Tz,
    /// The numbers of its statement of the period.
    pub total: BucketTotal,
    /// Those of the period before.
    pub before: BucketTotal,
    /// Its target and what it allows in the whole period; none without a target.
    pub target: Option<MonthLeft>,
    /// The longest incident of the period.
    pub longest: Option<LongestIncident>,
    /// Whether any check of it ever came in.
    pub is_polled: bool,
}

/// Whether half of the business time of a total was seen, so that its numbers are sure.
fn is_seen(total: &BucketTotal) -> bool {
    let seen = Share::new(total.seen, total.business);
    total.known.is_some() && seen.is_some_and(|seen| seen.hundredths >= VOUCHED_FROM)
}

/// The online share of known business time.
pub fn online(total: &BucketTotal) -> Option<Share> {
    let known = total.known?;
    Share::new(known.uptime, known.uptime + known.downtime)
}

impl StoreDigest {
    /// Where it belongs.
    pub fn standing(&self) -> Standing {
        match self.total.known {
            _ if self.total.business == 0 => Standing::Closed,
            None => Standing::Unknown,
            Some(known) if known.downtime > 0 => Standing::Down,
            Some(_) if is_seen(&self.total) => Standing::Up,
            Some(_) => Standing::Unseen,
        }
    }

    /// Whether half of its business time was seen, and something is known of it.
    pub fn is_seen(&self) -> bool {
        is_seen(&self.total)
    }

    /// Its downtime; zero where nothing is known.
    pub fn downtime(&self) -> Micros {
        self.total.known.map_or(0, |known| known.downtime)
    }

    /// Its online shares in the period before and in this one, if both were seen.
    pub fn shares(&self) -> Option<[Share; 2]> {
        let both = is_seen(&self.before) && is_seen(&self.total);
        both.then_some([online(&self.before)?, online(&self.total)?])
    }

    /// How far its online share rose or fell, in hundredths of a per cent; none unless both periods were seen.
    pub fn change(&self) -> Option<i64> {
        self.shares()
            .map(|[before, after]| after.hundredths - before.hundredths)
    }
}

/// The downtime of the incidents that owners gave one reason for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonSum {
    /// The reason's word.
    pub reason: &'static str,
    /// How many incidents.
    pub incidents: usize,
    /// Their downtime.
    pub downtime: Micros,
}

/// A digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// What it is about.
    pub period: DigestPeriod,
    /// The instant at which its numbers end, unless the period ends earlier.
    pub as_of: Micros,
    /// Whether the period of a store was not over then.
    pub is_cut: bool,
    /// Its stores, sorted by id as bytes.
    pub stores: Vec<StoreDigest>,
    /// When the poller was away in the period.
    pub outages: Intervals,
    /// What owners said.
    pub reasons: Vec<ReasonSum>,
}

/// Stores of which both periods were seen, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many.
    pub stores: usize,
    /// Their numbers in this period.
    pub total: BucketTotal,
    /// Those in the period before.
    pub before: BucketTotal,
}

impl Digest {
    /// The numbers of all stores together.
    pub fn total(&self) -> BucketTotal {
        sum(self.stores.iter().map(|store| store.total))
    }

    /// The stores that belong there, in the order of the digest.
    pub fn of(&self, standing: Standing) -> impl Iterator<Item = &StoreDigest> {
        self.stores.iter().filter(move |store| store.standing() == standing)
    }

    /// The stores with downtime, the longest first.
    pub fn worst(&self) -> Vec<&StoreDigest> {
        let mut worst: Vec<_> = self.of(Standing::Down).collect();
        // Stable: of equals, the first by id.
        worst.sort_by_key(|store| Reverse(store.downtime()));
        worst
    }

    /// The stores whose online share changed, the greatest change first.
    pub fn changed(&self) -> Vec<&StoreDigest> {
        let moved = |store: &&StoreDigest| store.change().is_some_and(|change| change != 0);
        let mut changed: Vec<_> = self.stores.iter().filter(moved).collect();
        changed.sort_by_key(|store| Reverse(store.change().unwrap_or_default().abs()));
        changed
    }

    /// The stores of which both periods were seen.
    pub fn compared(&self) -> Compared {
        let both = || self.stores.iter().filter(|store| store.shares().is_some());
        Compared {
            stores: both().count(),
            total: sum(both().map(|store| store.total)),
            before: sum(both().map(|store| store.before)),
        }
    }

    /// How many stores have sales that are known, so that their lost sales are.
    pub fn with_sales(&self) -> usize {
        let known = |store: &&StoreDigest| store.total.lost.is_some() && store.total.business > 0;
        self.stores.iter().filter(known).count()
    }

    /// The length of the poller's outages.
    pub fn away(&self) -> Micros {
        self.outages
            .as_slice()
            .iter()
            .map(|outage| Interval::length(*outage))
            .sum()
    }
}

fn sum(totals: impl Iterator<Item = BucketTotal>) -> BucketTotal {
    totals.fold(BucketTotal::default(), |mut sum, total| {
        sum += total;
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::super::bucket_total::Known;
    use super::super::interval::HOUR;
    use super::super::period::named;
    use super::*;

    fn period(name: &str) -> DigestPeriod {
        let (by, dates) = named(name).unwrap();
        DigestPeriod { by, dates }
    }

    #[test]
    fn the_period_before_is_the_whole_one_before() {
        for (name, before) in [
            ("2026-W01", "2025-W52"),
            ("2027-W01", "2026-W53"),
            ("2026-03", "2026-02"),
            ("2026-01", "2025-12"),
            ("2026-03-01", "2026-02-28"),
        ] {
            assert_eq!(period(name).before(), period(before));
            assert_eq!(period(before).after(), period(name));
            assert_eq!(period(name).name(), name);
        }
    }

    fn store(id: &str, business: Micros, seen: Micros, known: Option<(Micros, Micros)>) -> StoreDigest {
        let known = known.map(|(uptime, downtime)| Known {
            uptime,
            downtime,
            ..Known::default()
        });
        StoreDigest {
            id: id.to_owned(),
            name: id.to_owned(),
            zone: Tz::UTC,
            total: BucketTotal {
                business,
                seen,
                known,
                lost: None,
            },
            before: BucketTotal::default(),
            target: None,
            longest: None,
            is_polled: known.is_some(),
        }
    }

    #[test]
    fn a_store_without_downtime_is_up_only_if_half_of_its_time_was_seen() {
        let hours = |business: Micros, seen: Micros, known: Option<(Micros, Micros)>| {
            let known = known.map(|(up, down)| (up * HOUR, down * HOUR));
            store("a", business * HOUR, seen * HOUR, known).standing()
        };
        assert_eq!(hours(10, 5, Some((10, 0))), Standing::Up);
        assert_eq!(hours(10, 4, Some((10, 0))), Standing::Unseen);
        assert_eq!(hours(10, 0, None), Standing::Unknown);
        assert_eq!(hours(10, 1, Some((9, 1))), Standing::Down);
        assert_eq!(hours(0, 0, None), Standing::Closed);
    }

    #[test]
    fn only_stores_that_both_periods_saw_are_compared_and_the_greatest_change_is_first() {
        let with = |id: &str, before: (Micros, Micros), after: (Micros, Micros), seen: Micros| StoreDigest {
            before: store(id, 100 * HOUR, seen, Some(before)).total,
            ..store(id, 100 * HOUR, 100 * HOUR, Some(after))
        };
        let stores = vec![
            with("a", (99 * HOUR, HOUR), (98 * HOUR, 2 * HOUR), 80 * HOUR),
            with("b", (90 * HOUR, 10 * HOUR), (100 * HOUR, 0), 80 * HOUR),
            with("c", (50 * HOUR, 50 * HOUR), (100 * HOUR, 0), 20 * HOUR),
            with("d", (100 * HOUR, 0), (100 * HOUR, 0), 80 * HOUR),
        ];
        let digest = Digest {
            period: period("2026-W44"),
            as_of: 0,
            is_cut: false,
            stores,
            outages: Intervals::default(),
            reasons: Vec::new(),
        };
        let changed: Vec<_> = digest
            .changed()
            .into_iter()
            .map(|store| (&*store.id, store.change()))
            .collect();
        assert_eq!(changed, [("b", Some(1_000)), ("a", Some(-100))]);
        let compared = digest.compared();
        assert_eq!(
            (compared.stores, compared.total.business, compared.before.business),
            (3, 300 * HOUR, 300 * HOUR)
        );
        let worst: Vec<_> = digest.worst().into_iter().map(|store| &*store.id).collect();
        assert_eq!(worst, ["a"]);
    }
}
