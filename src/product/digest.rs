//! The digest of a day, a week or a month: the numbers of two statements, and what they say about each store.
//!
//! It is made for a message or a page, and not kept.

use std::collections::HashSet;
use std::sync::OnceLock;

use rusqlite::Connection;

use super::statement::{Call, Parameters};
use crate::access::Audience;
use crate::db;
use crate::db::incident_reasons::{Note, Reason, Reasons};
use crate::db::{outbox, store_keys};
use crate::error::{Error, Result};
use crate::hot_window::{HotWindow, Inputs};
pub use crate::render::digest::facts::facts;
pub use crate::render::digest::html::html;
pub use crate::render::digest::text::text;
pub use crate::render::digest::told::{Line, Style, Told, Undelivered};
use crate::render::statement::Per;
use crate::uptime::brief_incident::{BriefIncident, Scratch};
use crate::uptime::bucket_total::BucketTotal;
use crate::uptime::business_hours::{ZONE_DEFAULT, ZoneTable};
pub use crate::uptime::digest::{Digest, DigestPeriod};
use crate::uptime::digest::{LongestIncident, ReasonSum, StoreDigest};
use crate::uptime::fleet::{Store, StoreKey};
use crate::uptime::history::StoreBlock;
use crate::uptime::interval::{DAY, Interval, Intervals, Micros};
use crate::uptime::outage::{REACH, outages};
use crate::uptime::period::{By, named};
use crate::uptime::report::Question;
use crate::uptime::target::MonthLeft;

/// How far apart the instants are at which a month is asked for outages: each of them sees [`REACH`] back, and a day of
/// each span is seen twice.
const OUTAGES_EVERY: Micros = REACH - DAY;

/// What a digest is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The day, week or month.
    pub period: DigestPeriod,
    /// Only this store.
    pub store: Option<String>,
    /// Only this owner's stores.
    pub group: Option<String>,
}

/// The period with a name, such as `2026-W44`, which must be one of those that `by` says.
///
/// # Errors
/// When there is none.
pub fn period(by: By, name: &str) -> Result<DigestPeriod> {
    let found = named(name).filter(|(found, _)| *found == by);
    let example = match by {
        By::Day | By::Total => "2026-10-31",
        By::Week => "2026-W44",
        By::Month => "2026-10",
    };
    let unknown = || {
        let name = name.escape_debug();
        Error::invalid(format!("there is no {} `{name}` (write it as {example})", by.as_str()))
    };
    found.map(|(by, dates)| DigestPeriod { by, dates }).ok_or_else(unknown)
}

/// The day, week or month that was over last at `as_of`, by the clock of most stores.
///
/// # Errors
/// When the database cannot be read.
pub fn newest_whole(
    db: &mut Connection,
    (hot, audience): (&HotWindow, &Audience),
    by: By,
    as_of: Micros,
) -> Result<DigestPeriod> {
    let view = db::read(db)?;
    let (fleet, _) = hot.fleet_of(&view, audience)?;
    let zone = fleet.zone_of_most().unwrap_or(ZONE_DEFAULT);
    let table = ZoneTable::new(zone, Interval::new(as_of - DAY, as_of + DAY));
    Ok(DigestPeriod::before_date(by, table.wall(as_of).div_euclid(DAY)))
}

/// Whose digest it is: the store or the owners that it is restricted to; none for all stores.
pub fn whose(digest: &Digest, wanted: &Wanted, audience: &Audience) -> Option<String> {
    let only = match audience {
        Audience::Store(_) => true,
        _ => wanted.store.is_some(),
    };
    match (&*digest.stores, &wanted.group, audience) {
        ([store], ..) if only => Some(store.name.clone()),
        (_, Some(group), _) => Some(group.clone()),
        (_, None, Audience::Groups(groups)) => Some(groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
        _ => None,
    }
}

/// The messages written in the period or later that a receiver did not get.
///
/// # Errors
/// When the database cannot be read.
pub fn undelivered(db: &Connection, period: &DigestPeriod) -> Result<Vec<Undelivered>> {
    let found = outbox::undelivered(db, period.uncut().span(0).start)?.into_iter();
    let told = found.map(|one| Undelivered {
        receiver: one.receiver,
        messages: one.messages,
        since: one.since,
    });
    Ok(told.collect())
}

/// What a store brings to the digest, and what its owner said of its incidents.
struct Part {
    place: usize,
    store: StoreDigest,
    whole: Interval,
    is_cut: bool,
    said: Vec<(Reason, Micros)>,
}

/// The digest of the stores that exist for an audience; `target` is that of stores without their own.
///
/// # Errors
/// When there is no such store or owner, or the database cannot be read.
pub fn make(
    db: &mut Connection,
    (hot, audience): (&HotWindow, &Audience),
    wanted: &Wanted,
    question: Question,
    target: Option<i64>,
) -> Result<Digest> {
    let view = db::read(db)?;
    let (fleet, stores) = hot.fleet_of(&view, audience)?;
    let parameters = |period: DigestPeriod| Parameters {
        period: period.uncut(),
        per: Per::Store,
        store: wanted.store.clone(),
        group: wanted.group.clone(),
    };
    let now = parameters(wanted.period);
    let call = Call::new(&view, (fleet.clone(), stores.clone()), &now, question)?;
    let facts = Facts::read(&view, &call, wanted.period, (question, target))?;
    let parts = call.by_blocks(&view, |block| facts.of_block(block))?;
    let mut parts: Vec<Part> = parts.into_iter().flatten().collect();
    parts.sort_unstable_by_key(|part| part.place);

    let before = parameters(wanted.period.before());
    let earlier = Call::new(&view, (fleet, stores), &before, question)?;
    let totals = earlier.by_blocks(&view, |block| {
        let mut totals = Vec::new();
        earlier.each_store(block, |_, place, total, _| {
            totals.extend(total.iter().map(|total| (place, *total)))
        });
        totals
    })?;
    // Both calls have the same stores in the same places.
    for (place, total) in totals.into_iter().flatten() {
        if let Some(part) = parts.get_mut(place) {
            part.store.before = total;
        }
    }
    let chosen: HashSet<StoreKey> = call.fleet.stores().iter().map(|store| store.key).collect();
    let bounds = parts.iter().map(|part| part.whole);
    let whole = bounds.reduce(|a, b| Interval::new(a.start.min(b.start), a.end.max(b.end)));
    let mut reasons = Reason::ALL.map(|reason| ReasonSum {
        reason: reason.as_str(),
        incidents: 0,
        downtime: 0,
    });
    for &(reason, downtime) in parts.iter().flat_map(|part| &part.said) {
        let sum = &mut reasons[reason as usize];
        sum.incidents += 1;
        sum.downtime += downtime;
    }
    let is_cut = parts.iter().any(|part| part.is_cut);
    drop(facts);
    drop((call, earlier));
    drop(view);
    let away = match whole {
        Some(whole) if !whole.is_empty() => away(db, (hot, audience), &chosen, whole)?,
        _ => Intervals::default(),
    };
    Ok(Digest {
        period: wanted.period,
        as_of: question.as_of,
        is_cut,
        stores: parts.into_iter().map(|part| part.store).collect(),
        outages: away,
        reasons: reasons.into_iter().filter(|sum| sum.incidents > 0).collect(),
    })
}

/// When the poller of the chosen stores was away in `whole`: what `/api/poller-outages` tells at its end, and every
/// seven days before.
fn away(
    db: &mut Connection,
    (hot, audience): (&HotWindow, &Audience),
    chosen: &HashSet<StoreKey>,
    whole: Interval,
) -> Result<Intervals> {
    let mut found = Vec::new();
    let mut at = whole.end;
    while at > whole.start {
        let inputs: Inputs = hot.inputs_of(db, at, audience)?;
        let inputs = inputs.only(|store| chosen.contains(&store.key));
        found.extend_from_slice(outages(&inputs.fleet, &inputs.business, &inputs.history, at).as_slice());
        at -= OUTAGES_EVERY;
    }
    Ok(Intervals::union_of(found).clip(whole))
}

/// What the stores of a call share while the digest is made.
struct Facts<'a> {
    call: &'a Call<'a>,
    question: Question,
    target: Option<i64>,
    never: HashSet<StoreKey>,
    noted: Reasons,
    /// The business time of the whole period, for each pattern whose stores have a target.
    whole: Vec<OnceLock<Micros>>,
    period: DigestPeriod,
}

impl<'a> Facts<'a> {
    fn read(
        view: &Connection,
        call: &'a Call<'a>,
        period: DigestPeriod,
        (question, target): (Question, Option<i64>),
    ) -> Result<Self> {
        let span = period.uncut().span(DAY);
        let mut whole = Vec::new();
        whole.resize_with(call.fleet.patterns().len(), OnceLock::new);
        Ok(Self {
            call,
            question,
            target,
            never: store_keys::never_polled(view)?,
            noted: Reasons::between(view, span.start, span.end)?,
            whole,
            period,
        })
    }

    fn of_block(&self, block: &StoreBlock) -> Vec<Part> {
        let (mut parts, mut scratch) = (Vec::new(), Scratch::default());
        self.call.each_store(block, |store, place, totals, (time, polls)| {
            let now = totals.first().copied().unwrap_or_default();
            let (mut longest, mut said): (Option<LongestIncident>, _) = (None, Vec::new());
            if now.known.is_some_and(|known| known.downtime > 0) {
                for incident in time.incidents(polls, self.question.rule, &mut scratch) {
                    let note = self.noted.of(store.key, incident.since, incident.stretch.end);
                    said.extend(note.map(|note| (note.reason, incident.downtime)));
                    if longest
                        .as_ref()
                        .is_none_or(|longest| longest.incident.downtime < incident.downtime)
                    {
                        longest = Some(longest_of(*incident, note));
                    }
                }
            }
            parts.push(Part {
                place,
                whole: time.whole(),
                is_cut: self.question.as_of < self.end_of(store),
                store: self.store(store, now, longest),
                said,
            });
        });
        parts
    }

    /// The end of the period by the store's own clock.
    fn end_of(&self, store: &Store) -> Micros {
        let zone = self.call.fleet.patterns()[store.pattern].zone;
        let table = self.call.zones.get(&zone);
        table.map_or(Micros::MAX, |table| self.period.uncut().instants(table).end)
    }

    fn store(&self, store: &Store, now: BucketTotal, longest: Option<LongestIncident>) -> StoreDigest {
        let label = self.call.labels.get(&store.key);
        let name = label.map(|label| &*label.name).filter(|name| !name.is_empty());
        let target = label.and_then(|label| label.target).or(self.target);
        StoreDigest {
            id: store.id.to_string(),
            name: name.unwrap_or(&store.id).to_owned(),
            zone: self.call.fleet.patterns()[store.pattern].zone,
            total: now,
            before: BucketTotal::default(),
            target: target.map(|target| self.allowance(store, &now, target)),
            longest,
            is_polled: !self.never.contains(&store.key),
        }
    }

    /// What a target allows in the whole period, as a page says it of a month.
    fn allowance(&self, store: &Store, now: &BucketTotal, target: i64) -> MonthLeft {
        let pattern = &self.call.fleet.patterns()[store.pattern];
        let measure = || match self.call.zones.get(&pattern.zone) {
            Some(zone) => pattern.open(zone, self.period.uncut().instants(zone)).length(),
            None => 0,
        };
        MonthLeft {
            month: self.period.dates,
            target,
            business: *self.whole[store.pattern].get_or_init(measure),
            downtime: now
                .known
                .map(|known| known.downtime)
                .or((now.business == 0).then_some(0)),
        }
    }
}

fn longest_of(incident: BriefIncident, note: Option<&Note>) -> LongestIncident {
    let reason = note.map(|note| match note.line.as_str() {
        "" => note.reason.as_str().to_owned(),
        line => format!("{}: {line}", note.reason.as_str()),
    });
    LongestIncident { incident, reason }
}
