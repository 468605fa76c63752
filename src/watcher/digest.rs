//! Sends the digests of the configuration: each minute it looks whether one is due, and writes its message.
//!
//! A digest is as of the minute at which it was due, so it says the same whenever the server comes to it. The key of
//! its message has the period and the receiver, so it is sent once, whatever the clock does.

use std::collections::{BTreeSet, HashSet};

use rusqlite::Connection;

use crate::access::Audience;
use crate::config::Messaging;
use crate::config::digest::Schedule;
use crate::db;
use crate::db::fleet::labels;
use crate::db::outbox::{self, Kind, Message};
use crate::error::Result;
use crate::hot_window::HotWindow;
use crate::product::digest::{self, DigestPeriod, Style, Told, Wanted};
use crate::uptime::business_hours::{ZONE_DEFAULT, ZoneTable};
use crate::uptime::interval::{DAY, Interval, Micros};
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

/// A digest that could not be sent for so many days is left out: the next one is near.
pub const DIGEST_DAYS_MAX: i64 = 2;

/// How digests are written, and which of them have failed.
#[derive(Debug, Default)]
pub struct Digests {
    /// How times, numbers and money are written.
    pub style: Style,
    /// The target of stores without their own.
    pub target: Option<i64>,
    /// Digests whose failure the log has: it is told once.
    failed: HashSet<String>,
}

/// A digest that is due.
struct Due<'a> {
    schedule: &'a Schedule,
    stores: Audience,
    group: Option<String>,
    at: Micros,
    period: DigestPeriod,
    /// The receivers that have not got it, with the keys of their messages.
    to: Vec<(&'a String, String)>,
}

impl Digests {
    /// Digests with these settings.
    pub fn new(style: Style, target: Option<i64>) -> Self {
        Self {
            style,
            target,
            failed: HashSet::new(),
        }
    }

    /// The messages that are due at `now`, by the machine's clock, and not in the outbox yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn due(
        &mut self,
        db: &mut Connection,
        hot: &HotWindow,
        messaging: &Messaging,
        now: Micros,
    ) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        for schedule in &messaging.digests {
            for due in of_schedule(db, hot, schedule, now)? {
                let key = due.to.first().map(|(_, key)| key.clone()).unwrap_or_default();
                match self.messages(db, hot, &due, messaging.public_url.as_deref()) {
                    Ok(mut made) => messages.append(&mut made),
                    Err(error) => {
                        if self.failed.insert(key) {
                            tracing::error!(%error, digest = schedule.name, "a digest could not be made, and is tried again");
                        }
                    }
                }
            }
        }
        Ok(messages)
    }

    fn messages(&self, db: &mut Connection, hot: &HotWindow, due: &Due<'_>, url: Option<&str>) -> Result<Vec<Message>> {
        let rule = Interpolation::default();
        let question = Question { as_of: due.at, rule };
        let wanted = Wanted {
            period: due.period,
            store: None,
            group: None,
        };
        let found = digest::make(db, (hot, &due.stores), &wanted, question, self.target)?;
        let undelivered = match due.stores.is_all() {
            true => digest::undelivered(db, &due.period)?,
            false => Vec::new(),
        };
        let whose = digest::whose(&found, &wanted, &due.stores);
        let told = Told::new(&found, whose.as_deref(), rule, &self.style, &undelivered);
        let link = url.map(|url| format!("{url}{}", page(due)));
        let mut facts = digest::facts(&found, &told, rule);
        facts["digest"] = due.schedule.name.clone().into();
        facts["url"] = link.clone().into();
        let mut text = digest::text(&told);
        if let Some(link) = &link {
            text.push_str(&format!("\n{link}\n"));
        }
        let html = digest::html(&told, link.as_deref());
        let message = |(receiver, key): &(&String, String)| Message {
            key: key.clone(),
            receiver: (*receiver).clone(),
            kind: Kind::Digest,
            subject: told.subject.clone(),
            text: text.clone(),
            html: Some(html.clone()),
            facts: facts.to_string(),
        };
        Ok(due.to.iter().map(message).collect())
    }
}

/// The path of the page with the same digest.
fn page(due: &Due<'_>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(due.period.by.as_str(), &due.period.name());
    match (&due.group, &due.stores) {
        (Some(group), _) => drop(query.append_pair("group", group)),
        (None, Audience::Store(store)) => drop(query.append_pair("store", store)),
        (None, Audience::Groups(groups)) if groups.len() == 1 => {
            query.extend_pairs(groups.iter().map(|group| ("group", group)));
        }
        (None, _) => {}
    }
    format!("/digest?{}", query.finish())
}

/// The digests of a schedule that are due: one, or one of each owner.
fn of_schedule<'a>(db: &mut Connection, hot: &HotWindow, schedule: &'a Schedule, now: Micros) -> Result<Vec<Due<'a>>> {
    let view = db::read(db)?;
    let whose: Vec<(Audience, Option<String>)> = match schedule.each_group {
        false => vec![(schedule.stores.clone(), None)],
        true => {
            let groups = labels(&view)?.into_values().map(|label| label.group);
            let groups: BTreeSet<String> = groups
                .filter(|group| !group.is_empty() && schedule.stores.has("", group))
                .collect();
            let of = |group: String| (Audience::of_groups([group.clone()]), Some(group));
            groups.into_iter().map(of).collect()
        }
    };
    let mut found = Vec::new();
    for (stores, group) in whose {
        let zone = match schedule.zone {
            Some(zone) => zone,
            None => hot.fleet_of(&view, &stores)?.0.zone_of_most().unwrap_or(ZONE_DEFAULT),
        };
        let at = schedule.due(now, zone);
        if now - at >= DIGEST_DAYS_MAX * DAY {
            continue;
        }
        let table = ZoneTable::new(zone, Interval::new(at - DAY, at + DAY));
        let period = DigestPeriod::before_date(schedule.every, table.wall(at).div_euclid(DAY));
        let mut to = Vec::new();
        for receiver in &schedule.to {
            let mut key = format!("digest/{}/{}/{receiver}", schedule.name, period.name());
            if let Some(group) = &group {
                key.push('/');
                key.push_str(group);
            }
            if !outbox::has(&view, &key)? {
                to.push((receiver, key));
            }
        }
        if !to.is_empty() {
            found.push(Due {
                schedule,
                stores,
                group,
                at,
                period,
                to,
            });
        }
    }
    Ok(found)
}
