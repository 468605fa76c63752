//! Composes the words of a digest.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::told::{Style, Told, Undelivered, WORST_MAX};
use super::words::{Words, one_line};
use crate::phrases::locale::Locale;
use crate::uptime::business_hours::ZONE_DEFAULT;
use crate::uptime::digest::Digest;
use crate::uptime::timeline::Interpolation;

impl Told {
    /// The words of a digest. `whose` is the name of the store or the owner; none for all stores.
    pub fn new(
        digest: &Digest,
        whose: Option<&str>,
        rule: Interpolation,
        style: &Style,
        undelivered: &[Undelivered],
    ) -> Self {
        let mut zones: BTreeMap<&str, (Tz, usize)> = BTreeMap::new();
        for store in &digest.stores {
            zones.entry(store.zone.name()).or_insert((store.zone, 0)).1 += 1;
        }
        // Of equals, the first by name.
        let usual = zones.values().rev().max_by_key(|(_, stores)| *stores);
        let words = Words {
            digest,
            whose: whose.map(one_line),
            locale: style
                .locale
                .unwrap_or_else(|| Locale::of_zones(zones.values().copied())),
            currency: style.currency.as_deref(),
            zone: usual.map_or(ZONE_DEFAULT, |(zone, _)| *zone),
            names_city: zones.len() > 1,
            rule,
        };
        told(&words, undelivered)
    }
}

fn told(words: &Words<'_>, undelivered: &[Undelivered]) -> Told {
    // What is said of one store alone is said above.
    let worst = match words.only() {
        Some(_) => Vec::new(),
        None => words.digest.worst(),
    };
    let listed: Vec<_> = worst.iter().take(WORST_MAX).map(|store| words.line(store)).collect();
    let rest = worst.get(WORST_MAX..).unwrap_or(&[]);
    let more = rest.iter().map(|store| store.downtime()).sum();
    Told {
        whose: words.name(),
        when: words.when(),
        subject: words.subject(),
        sentences: words.sentences(),
        worst: listed,
        worst_more: (!rest.is_empty()).then(|| {
            format!(
                "and {} more, together offline for {}",
                words.locale.stores(rest.len()),
                words.locale.hours(more)
            )
        }),
        sections: [
            words.without_downtime(),
            words.not_seen(),
            words.lost_sales(),
            words.against_before(),
            words.targets(),
            words.reasons(),
            words.undelivered(undelivered),
        ]
        .into_iter()
        .flatten()
        .collect(),
        note: words.note(),
    }
}
