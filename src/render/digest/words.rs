//! The sentences of a digest, and how it names stores, times and incidents. A word that weighs is a number.

use chrono_tz::Tz;

use super::told::{Line, NAMES_MAX};
use crate::phrases::locale::Locale;
use crate::phrases::{self, Wall, date, date_with_year, zone_near};
use crate::uptime::digest::{Digest, DigestPeriod, LongestIncident, Standing, StoreDigest, online};
use crate::uptime::hundredths;
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::period::By;
use crate::uptime::timeline::Interpolation;
use crate::uptime::window::Share;

/// What the words of a digest share.
pub(super) struct Words<'a> {
    pub(super) digest: &'a Digest,
    pub(super) whose: Option<String>,
    pub(super) locale: Locale,
    pub(super) currency: Option<&'a str>,
    /// The zone of most stores.
    pub(super) zone: Tz,
    /// Whether times need the name of their zone.
    pub(super) names_city: bool,
    pub(super) rule: Interpolation,
}

/// A name without characters that would break a line or a mail's head.
pub(super) fn one_line(text: &str) -> String {
    text.split(|letter: char| letter.is_control() || letter.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// `was` or `were`.
const fn was(number: usize) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

impl Words<'_> {
    pub(super) fn stores(&self) -> usize {
        self.digest.stores.len()
    }

    /// The one store of the digest, if it is of one alone and nobody else's name stands above it.
    pub(super) fn only(&self) -> Option<&StoreDigest> {
        match &*self.digest.stores {
            [only] if self.whose.as_ref().is_none_or(|whose| *whose == one_line(&only.name)) => Some(only),
            _ => None,
        }
    }

    pub(super) fn name(&self) -> String {
        match (&self.whose, self.only()) {
            (Some(whose), _) => whose.clone(),
            (None, Some(only)) => one_line(&only.name),
            (None, None) => format!("All {}", self.locale.stores(self.stores())),
        }
    }

    pub(super) fn unit(&self) -> &'static str {
        match self.digest.period.by {
            By::Day | By::Total => "day",
            By::Week => "week",
            By::Month => "month",
        }
    }

    pub(super) fn when(&self) -> String {
        let named = period_words(&self.digest.period);
        match self.digest.is_cut {
            false => named,
            true => format!("{named}; not over, until {}", self.instant(self.digest.as_of)),
        }
    }

    pub(super) fn subject(&self) -> String {
        let total = self.digest.total();
        let down = self.digest.of(Standing::Down).count();
        let said = match total.known {
            _ if total.business == 0 => "no business hours".to_owned(),
            None => "nothing is known".to_owned(),
            Some(known) => {
                let offline = format!("offline for {}", self.locale.hours(known.downtime));
                match self.only() {
                    Some(_) => offline,
                    None => format!("{offline}, {} with downtime", self.locale.stores(down)),
                }
            }
        };
        let period = &self.digest.period;
        let when = match period.by {
            By::Week => format!("{} to {}", date(period.dates.first), date(period.dates.last)),
            _ => period_words(period),
        };
        format!("{}, {when}: {said}", self.name())
    }

    /// An instant by the clock of most stores.
    pub(super) fn instant(&self, at: Micros) -> String {
        let table = zone_near(self.zone, at);
        let wall = Wall::new(&table, self.locale);
        format!(
            "{}, {} {}",
            date_with_year(wall.day(at)),
            wall.time(at),
            phrases::city(self.zone)
        )
    }

    /// A stretch by the clock of a zone.
    pub(super) fn stretch(&self, stretch: Interval, zone: Tz) -> String {
        let table = zone_near(zone, stretch.start);
        let later = zone_near(zone, stretch.end);
        let (from, to) = (Wall::new(&table, self.locale), Wall::new(&later, self.locale));
        let told = if from.day(stretch.start) == to.day(stretch.end - 1) {
            format!("{}, {}", from.date(stretch.start), from.span(stretch))
        } else {
            format!(
                "{}, {} to {}, {}",
                from.date(stretch.start),
                from.time(stretch.start),
                to.date(stretch.end),
                to.time(stretch.end)
            )
        };
        match self.names_city {
            true => format!("{told} {}", phrases::city(zone)),
            false => told,
        }
    }

    /// Whether the clocks of a zone change in a stretch, so that its length is not the difference of its times.
    pub(super) fn clocks_change(&self, stretch: Interval, zone: Tz) -> bool {
        let [from, to] = [stretch.start, stretch.end].map(|at| zone_near(zone, at).offset(at));
        from != to
    }

    pub(super) fn sentences(&self) -> Vec<String> {
        let total = self.digest.total();
        if self.digest.stores.is_empty() {
            return vec!["There is no store to tell of.".to_owned()];
        }
        if total.business == 0 {
            return vec![format!(
                "{} had no business hours in this {}.",
                self.they(),
                self.unit()
            )];
        }
        let hours = |micros| self.locale.hours(micros);
        let mut sentences = Vec::new();
        let verb = was(self.stores());
        match total.known {
            None => sentences.push(format!(
                "{} had {} of business hours, and no check tells of them.",
                self.they(),
                hours(total.business)
            )),
            Some(known) => {
                let unknown = total.business - known.uptime - known.downtime;
                let unknown = match unknown {
                    0 => String::new(),
                    unknown => format!("; of {} more nothing is known", hours(unknown)),
                };
                sentences.push(format!(
                    "{} {verb} online for {} of {} of business hours ({}), and offline for {}{unknown}.",
                    self.they(),
                    hours(known.uptime),
                    hours(known.uptime + known.downtime),
                    self.locale.share(online(&total)),
                    hours(known.downtime),
                ));
            }
        }
        sentences.push(match self.only() {
            Some(only) => self.about_one(only),
            None => self.about_many(total.known.map_or(0, |known| known.incidents)),
        });
        let unseen = total.business - total.seen;
        sentences.push(match unseen {
            0 => "Checks saw all of these hours.".to_owned(),
            unseen => format!(
                "Checks saw {} of these hours; {} nobody saw.",
                self.locale.share(Share::new(total.seen, total.business)),
                hours(unseen)
            ),
        });
        sentences
    }

    /// The subject of the first sentence.
    pub(super) fn they(&self) -> String {
        let stores = match self.stores() {
            1 => "The store".to_owned(),
            number => format!("The {}", self.locale.stores(number)),
        };
        match (&self.whose, self.only()) {
            (_, Some(_)) => self.name(),
            (Some(whose), None) => format!("{stores} of {whose}"),
            (None, None) => stores,
        }
    }

    pub(super) fn about_one(&self, only: &StoreDigest) -> String {
        match (only.standing(), &only.longest) {
            (Standing::Down, Some(longest)) => {
                let incidents = only.total.known.map_or(0, |known| known.incidents);
                format!("It had {}.", self.incidents(incidents, longest, only.zone))
            }
            (Standing::Unseen, _) => {
                "No check says that it was offline, but less than half of its hours were seen.".to_owned()
            }
            (Standing::Unknown, _) => "So nothing is known of it.".to_owned(),
            _ => "It had no downtime.".to_owned(),
        }
    }

    pub(super) fn about_many(&self, incidents: i64) -> String {
        let count = |standing| self.digest.of(standing).count();
        let number = |number: usize| self.locale.count(number);
        let down = count(Standing::Down);
        let unsure = count(Standing::Unseen) + count(Standing::Unknown);
        let mut told = match down {
            0 => "No check says that one of them was offline".to_owned(),
            down => format!(
                "{} of them had downtime, in {} incident{}",
                number(down),
                number(usize::try_from(incidents).unwrap_or(0)),
                if incidents == 1 { "" } else { "s" }
            ),
        };
        let parts = [
            (count(Standing::Up), "", " had none"),
            (unsure, "of ", " it is not known"),
            (count(Standing::Closed), "", " had no business hours"),
        ];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(stores, ..)| *stores > 0)
            .map(|(stores, before, after)| format!("{before}{}{after}", number(stores)))
            .collect();
        if !parts.is_empty() {
            told.push_str("; ");
            told.push_str(&listed(&parts));
        }
        told.push('.');
        told
    }

    /// `3 incidents, the longest on Sat 31 Oct, 18:05–20:10 (2 h 5 min)`.
    pub(super) fn incidents(&self, incidents: i64, longest: &LongestIncident, zone: Tz) -> String {
        let LongestIncident { incident, reason } = longest;
        let mut told = match incidents {
            1 => "1 incident, ".to_owned(),
            number => format!(
                "{} incidents, the longest ",
                self.locale.count(usize::try_from(number).unwrap_or(0))
            ),
        };
        told.push_str(&self.stretch(incident.stretch, zone));
        told.push_str(&format!(" ({}", self.locale.hours(incident.downtime)));
        if self.clocks_change(incident.stretch, zone) {
            told.push_str(", clocks changed");
        }
        if incident.began_before {
            told.push_str(", begun before");
        }
        // Of a period that is over, what came after it is not told.
        if incident.open && self.digest.is_cut {
            told.push_str(", not over");
        }
        told.push(')');
        if let Some(reason) = reason {
            told.push_str(&format!("; reason given: {}", one_line(reason)));
        }
        told
    }

    pub(super) fn line(&self, store: &StoreDigest) -> Line {
        let known = store.total.known.unwrap_or_default();
        let mut about = match &store.longest {
            Some(longest) => self.incidents(known.incidents, longest, store.zone),
            None => String::new(),
        };
        if let Some(missed) = store.target.as_ref().filter(|target| target.is_missed()) {
            about.push_str(&format!("; target of {} missed", self.percent(missed.target)));
        }
        Line {
            id: store.id.clone(),
            name: one_line(&store.name),
            offline: self.locale.hours(known.downtime),
            online: self.locale.share(online(&store.total)),
            bar: Share::new(known.downtime, known.uptime + known.downtime).map_or(0, |share| share.hundredths),
            about,
        }
    }

    /// A target: `99.5 %`.
    pub(super) fn percent(&self, hundredths: i64) -> String {
        let figure = hundredths::format(hundredths);
        let figure = figure.trim_end_matches('0').trim_end_matches('.');
        format!("{} %", self.locale.figure(figure))
    }

    /// `63 stores: A, B, C, D, E and 58 more`.
    pub(super) fn named<'b>(&self, stores: impl Iterator<Item = &'b StoreDigest>, what: &str) -> Option<String> {
        let names: Vec<String> = stores.map(|store| one_line(&store.name)).collect();
        let more = names.len().saturating_sub(NAMES_MAX);
        let mut shown: Vec<String> = names.iter().take(NAMES_MAX).cloned().collect();
        if more > 0 {
            shown.push(format!("{} more", self.locale.count(more)));
        }
        (!names.is_empty()).then(|| format!("{}{what}: {}.", self.locale.stores(names.len()), listed(&shown)))
    }

    pub(super) fn note(&self) -> String {
        let rule = match self.rule {
            Interpolation::Nearest => "the nearest check tells",
            Interpolation::Previous => "the check before it tells",
        };
        format!(
            "As of {}. Times are each store’s own. Between two checks, {rule} of the time.",
            self.instant(self.digest.as_of)
        )
    }
}

/// `A, B and C`.
pub(super) fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A period in words: `Week 44: Mon 26 Oct – Sun 1 Nov 2026`.
pub(super) fn period_words(period: &DigestPeriod) -> String {
    let (first, last) = (period.dates.first, period.dates.last);
    match period.by {
        By::Day | By::Total => date_with_year(first),
        By::Month => phrases::month_and_year(first),
        By::Week => {
            let name = period.name();
            let week = name
                .split_once("-W")
                .map_or("", |(_, week)| week.trim_start_matches('0'));
            format!("Week {week}: {} – {}", date(first), date_with_year(last))
        }
    }
}
