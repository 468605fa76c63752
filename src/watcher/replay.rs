//! A replay: what rules would have sent in a span of the past.

use std::sync::Arc;

use chrono::{DateTime, Timelike};
use chrono_tz::Tz;
use rusqlite::Connection;

use super::message::message;
use super::names::NameTable;
use super::rules::rules;
use crate::alerts::alert::Alert;
use crate::alerts::day::{Day, REACH};
use crate::alerts::engine::Engine;
use crate::alerts::rule::Rule;
use crate::alerts::state::State;
use crate::config::Messaging;
use crate::db::outbox::Message;
use crate::db::{self, fleet, polls};
use crate::error::Result;
use crate::parallel::threads;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::interval::{DAY, Interval, MINUTE, Micros};

/// How many days of polls are in memory at once, beside the days before them that rules look back to.
const DAYS_AT_ONCE: Micros = 7;

/// The hours of the night, in local time, for the summary.
const NIGHT: [u32; 2] = [22, 7];

/// A message that would have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The minute.
    pub at: Micros,
    /// Whether that was at night, by the clock of the first store that it tells of.
    pub at_night: bool,
    /// The message.
    pub message: Message,
}

/// The time of these days of a zone, both included, as far as it is over at `now`; days are counted from 1970-01-01.
pub fn days(zone: Tz, first: i64, last: i64, now: Micros) -> Interval {
    let table = ZoneTable::new(zone, Interval::new((first - 2) * DAY, (last + 3) * DAY));
    let start = table.instant(first * DAY);
    Interval::new(start, table.instant((last + 1) * DAY).min(now).max(start))
}

/// The rules in force; where there are none, one with all defaults, so that a person sees what rules do. Returns
/// whether it is that one.
///
/// # Errors
/// When the database cannot be read.
pub fn rules_to_try(db: &Connection, messaging: &Messaging) -> Result<(Vec<Rule>, bool)> {
    let rules = rules(db, messaging)?;
    match rules.is_empty() {
        true => Ok((vec![Rule::new("default", vec!["receiver".to_owned()])], true)),
        false => Ok((rules, false)),
    }
}

/// `42 messages, 3 at night (22:00 to 07:00 local time)`.
pub fn summary(sent: &[Sent]) -> String {
    let night = sent.iter().filter(|sent| sent.at_night).count();
    let [from, to] = NIGHT;
    let messages = if sent.len() == 1 { "message" } else { "messages" };
    format!(
        "{} {messages}, {night} at night ({from:02}:00 to {to:02}:00 local time)",
        sent.len()
    )
}

/// The messages that `rules` would have sent at the minutes of `span`, if they had been switched on at its beginning
/// and all polls had come at their own instants. `progress` is told each day, as an instant.
///
/// # Errors
/// When the database cannot be read.
pub fn replay(
    db: &mut Connection,
    rules: Vec<Rule>,
    span: Interval,
    mut progress: impl FnMut(Micros),
) -> Result<Vec<Sent>> {
    let view = db::read(db)?;
    let fleet = Arc::new(fleet::load(&view)?);
    let names = NameTable::read(&view, &fleet)?;
    let owners = names.owners(&fleet);
    let zone = fleet.zone_of_most();
    let mut engine = Engine::new(rules, State::default());
    let mut sent = Vec::new();
    let first = (span.start + MINUTE - 1).div_euclid(MINUTE) * MINUTE;
    let mut chunk = first;
    while chunk < span.end {
        let end = (Day::span_of(chunk).start + DAYS_AT_ONCE * DAY).min(span.end);
        let history = polls::history(&view, Interval::new(chunk - REACH - DAY, end), threads())?;
        let mut at = chunk;
        while at < end {
            let day = Day::new(Arc::clone(&fleet), owners.clone(), &history, at);
            progress(at);
            while at < end && day.span.contains(at) {
                for alert in engine.step(&day, &history, at) {
                    let first = alert.lines().first().map(|line| names.zone(line.store)).or(zone);
                    let at_night = first.is_some_and(|zone| is_night(at, zone));
                    sent.extend(messages(&alert, &names).map(|message| Sent { at, at_night, message }));
                }
                at += MINUTE;
            }
        }
        chunk = end;
    }
    Ok(sent)
}

fn messages<'a>(alert: &'a Alert, names: &'a NameTable) -> impl Iterator<Item = Message> + 'a {
    alert.to.iter().map(|receiver| message(alert, names, receiver, None))
}

/// Whether an instant is in the night of a zone.
fn is_night(at: Micros, zone: Tz) -> bool {
    let local = DateTime::from_timestamp_micros(at).map(|utc| utc.with_timezone(&zone).hour());
    local.is_some_and(|hour| hour >= NIGHT[0] || hour < NIGHT[1])
}
