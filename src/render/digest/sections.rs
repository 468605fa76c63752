//! The sections below the sentences of a digest: what else its numbers say.

use super::told::{NAMES_MAX, OUTAGES_MAX, Section, Undelivered};
use super::words::{Words, one_line};
use crate::phrases::{self, plural};
use crate::uptime::bucket_total::BucketTotal;
use crate::uptime::digest::{Standing, StoreDigest, online};
use crate::uptime::interval::Interval;
use crate::uptime::period::By;
use crate::uptime::target::MonthLeft;
use crate::uptime::timeline::Interpolation;

impl Words<'_> {
    pub(super) fn without_downtime(&self) -> Option<Section> {
        let lines = self
            .only()
            .is_none()
            .then(|| self.named(self.digest.of(Standing::Up), ""));
        section("Without downtime", lines.flatten().into_iter().collect())
    }

    pub(super) fn not_seen(&self) -> Option<Section> {
        let mut lines = Vec::new();
        if self.only().is_none() {
            let unknown = || self.digest.of(Standing::Unknown);
            let unseen = self.digest.of(Standing::Unseen);
            lines.extend(self.named(unseen, ", less than half of whose hours were seen"));
            lines.extend(self.named(unknown().filter(|store| store.is_polled), " without a check"));
            lines.extend(self.named(unknown().filter(|store| !store.is_polled), " never checked yet"));
        }
        let outages = self.digest.outages.as_slice();
        if !outages.is_empty() {
            lines.push(match outages.len() {
                1 => "The poller was away once:".to_owned(),
                times => format!(
                    "The poller was away {} times, for {} together:",
                    self.locale.count(times),
                    phrases::length(self.digest.away())
                ),
            });
            let told = |outage: &Interval| {
                let stretch = self.stretch(*outage, self.zone);
                format!("{stretch} ({})", phrases::length(outage.length()))
            };
            lines.extend(outages.iter().take(OUTAGES_MAX).map(told));
            let more = outages.len().saturating_sub(OUTAGES_MAX);
            lines.extend((more > 0).then(|| format!("and {} more", self.locale.count(more))));
        }
        section("What nobody saw", lines)
    }

    pub(super) fn lost_sales(&self) -> Option<Section> {
        let lost = self.digest.total().lost.filter(|_| self.digest.with_sales() > 0)?;
        let [least, lost, most] = lost
            .hundredths()
            .map(|amount| self.locale.money(amount, self.currency).replace('\u{a0}', " "));
        let sales = self.digest.with_sales();
        let whose = match (self.only(), sales == self.stores()) {
            (Some(_), _) | (None, true) => String::new(),
            (None, false) => format!(", for the {} whose sales are known", self.locale.stores(sales)),
        };
        let lines = vec![format!(
            "At least {least}, at most {most}; {lost} {}{whose}.",
            match self.rule {
                Interpolation::Nearest => "if the nearest check tells of each gap",
                Interpolation::Previous => "if the check before tells of each gap",
            }
        )];
        section("Lost sales", lines)
    }

    pub(super) fn against_before(&self) -> Option<Section> {
        let compared = self.digest.compared();
        let unit = self.unit();
        let mut lines = Vec::new();
        if self.digest.stores.is_empty() {
            return None;
        } else if compared.stores == 0 {
            lines.push(format!(
                "There is no comparison: no store was seen for half of its hours in both {unit}s."
            ));
        } else {
            let shares = [compared.before, compared.total].map(|total| self.locale.share(online(&total)));
            let [before, now] = shares;
            let whose = match self.only() {
                Some(_) => "Online".to_owned(),
                None => format!("{} seen in both {unit}s: online", self.locale.stores(compared.stores)),
            };
            let offline = |total: BucketTotal| self.locale.hours(total.known.map_or(0, |known| known.downtime));
            lines.push(format!(
                "{whose} {before} in the {unit} before, {now} in this one; offline for {} and {}.",
                offline(compared.before),
                offline(compared.total)
            ));
        }
        let changed = match self.only() {
            Some(_) => Vec::new(),
            None => self.digest.changed(),
        };
        for store in changed.iter().take(NAMES_MAX) {
            if let Some([before, now]) = store.shares() {
                lines.push(format!(
                    "{}: from {} to {}",
                    one_line(&store.name),
                    self.locale.share(Some(before)),
                    self.locale.share(Some(now))
                ));
            }
        }
        let more = changed.len().saturating_sub(NAMES_MAX);
        lines.extend((more > 0).then(|| format!("and {} with smaller changes", self.locale.stores(more))));
        section(
            match self.digest.period.by {
                By::Day | By::Total => "Against the day before",
                By::Week => "Against the week before",
                By::Month => "Against the month before",
            },
            lines,
        )
    }

    pub(super) fn targets(&self) -> Option<Section> {
        let (mut missed, mut kept, mut unsure) = (Vec::new(), 0, 0);
        for store in &self.digest.stores {
            let Some(target) = &store.target else { continue };
            match store.standing() {
                _ if target.is_missed() => missed.push((store, target)),
                Standing::Closed => {}
                Standing::Unknown | Standing::Unseen => unsure += 1,
                Standing::Down if !store.is_seen() => unsure += 1,
                Standing::Down | Standing::Up => kept += 1,
            }
        }
        missed.sort_by_key(|(_, target)| target.left());
        let mut lines = Vec::new();
        let told = |(store, target): &(&StoreDigest, &MonthLeft)| {
            format!(
                "{}: {} offline, {} allowed by {}",
                one_line(&store.name),
                self.locale.hours(store.downtime()),
                self.locale.hours(target.allowed()),
                self.percent(target.target)
            )
        };
        if !missed.is_empty() {
            lines.push(format!("Missed by {}:", self.locale.stores(missed.len())));
            lines.extend(missed.iter().take(NAMES_MAX).map(told));
            let more = missed.len().saturating_sub(NAMES_MAX);
            lines.extend((more > 0).then(|| format!("and {} more", self.locale.count(more))));
        }
        if kept > 0 {
            let what = match self.digest.is_cut {
                true => "Not missed so far by",
                false => "Kept by",
            };
            lines.push(format!("{what} {}.", self.locale.stores(kept)));
        }
        if unsure > 0 {
            lines.push(format!(
                "Not known of {}, which nobody saw for half of the hours.",
                self.locale.stores(unsure)
            ));
        }
        section("Targets", lines)
    }

    pub(super) fn reasons(&self) -> Option<Section> {
        let told = self.digest.reasons.iter().map(|sum| {
            format!(
                "{}: {} incident{}, {}",
                sum.reason,
                self.locale.count(sum.incidents),
                plural(sum.incidents),
                self.locale.hours(sum.downtime)
            )
        });
        section("Reasons that owners gave", told.collect())
    }

    pub(super) fn undelivered(&self, undelivered: &[Undelivered]) -> Option<Section> {
        let told = undelivered.iter().map(|one| {
            format!(
                "{}: {} message{} not delivered, the oldest of {}",
                one_line(&one.receiver),
                self.locale.count(one.messages),
                plural(one.messages),
                self.instant(one.since)
            )
        });
        section("Messages not delivered", told.collect())
    }
}

fn section(heading: &'static str, lines: Vec<String>) -> Option<Section> {
    (!lines.is_empty()).then_some(Section { heading, lines })
}
