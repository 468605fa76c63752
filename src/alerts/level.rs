//! How a store is at a minute, by one rule.

use super::rule::{Rule, When};
use super::sight::Sight;
use super::state::{Poller, Told, Trouble};
use crate::uptime::interval::Micros;
use crate::uptime::open_time::OpenTime;
use crate::uptime::rhythm::Rhythm;

/// How many usual gaps after its last poll a store is overdue.
pub(super) const OVERDUE_GAPS: Micros = 2;

/// How a store is, by one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing is wrong, or nothing is known.
    Fine,
    /// Something may be wrong.
    Suspect(Trouble),
    /// Something is wrong that the rule looks for.
    Trouble(Trouble),
}

/// One store at a minute.
#[derive(Clone, Copy)]
pub(super) struct Store<'a> {
    pub(super) sight: &'a Sight,
    pub(super) open: &'a OpenTime,
    pub(super) rhythm: Rhythm,
    pub(super) poller: Poller,
    pub(super) at: Micros,
}

impl Store<'_> {
    /// Whether more than `gaps` usual gaps have passed without a poll, while the poller worked.
    pub(super) fn is_without_poll(&self, gaps: Micros) -> bool {
        let Some(last) = self.sight.last_poll else { return false };
        let since = last.max(self.poller.back_at.unwrap_or(last));
        since < self.at && self.rhythm.between(self.open, since, self.at) > gaps * self.rhythm.usual_gap
    }

    /// How it is by `rule`.
    pub(super) fn level(&self, rule: &Rule) -> Level {
        let is_away = self.poller.away_since.is_some();
        if rule.when.contains(&When::Offline)
            && let Some(first) = self.sight.first_inactive
        {
            let trouble = Trouble {
                what: When::Offline,
                since: first,
                inactive: self.sight.inactive,
            };
            let passed = |since: Micros| self.open.elapsed(self.at) - self.open.elapsed(since);
            // With the poller away, the time since one inactive poll says nothing.
            let by_time = !(is_away && self.sight.inactive == 1);
            let is_sure = match rule.after {
                Some(after) => by_time && passed(first) >= after,
                None => self.sight.inactive > 1 || (by_time && self.is_without_poll(OVERDUE_GAPS)),
            };
            return match is_sure {
                true => Level::Trouble(trouble),
                false => Level::Suspect(trouble),
            };
        }
        let is_looked_for = rule.when.contains(&When::Silent) && self.sight.stretch.is_some() && !is_away;
        let Some(last) = self.sight.last_poll.filter(|_| is_looked_for) else {
            return Level::Fine;
        };
        let trouble = Trouble {
            what: When::Silent,
            since: last,
            inactive: 0,
        };
        if self.is_without_poll(rule.silent_gaps.into()) {
            Level::Trouble(trouble)
        } else if self.is_without_poll(OVERDUE_GAPS) {
            Level::Suspect(trouble)
        } else {
            Level::Fine
        }
    }

    /// Whether a person may be told of its trouble now: it is open, not about to close, and the trouble is not that of
    /// an earlier stretch of business time alone.
    pub(super) fn may_be_told(&self, rule: &Rule, trouble: &Trouble) -> bool {
        self.is_in_hours(rule)
            && (trouble.what == When::Silent
                || self
                    .sight
                    .last_counted
                    .is_some_and(|last| self.sight.stretch.is_some_and(|stretch| last.at() >= stretch.start)))
    }

    /// Whether it is open and not about to close.
    pub(super) fn is_in_hours(&self, rule: &Rule) -> bool {
        self.sight
            .stretch
            .is_some_and(|stretch| stretch.end - self.at > rule.quiet_before_close)
    }

    /// The poll that ended a trouble that was told, if one did.
    pub(super) fn ended(&self, rule: &Rule, told: &Told) -> Option<Micros> {
        let last = self.sight.last_counted.filter(|last| last.at() > told.trouble.since)?;
        let looks = rule.when.contains(&When::Offline);
        (last.is_active() || !looks).then_some(last.at())
    }
}
