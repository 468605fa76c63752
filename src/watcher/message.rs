//! An alert as messages for its receivers.

use rusqlite::Connection;

use super::names::NameTable;
use crate::alerts::alert::{About, Alert};
use crate::alerts::text;
use crate::db::acknowledgements::{self, Alerted, LINK_LASTS};
use crate::db::outbox::{self, Kind, Message};
use crate::error::Result;
use crate::uptime::interval::Micros;

/// Writes the messages of an alert, each with a link of its own if there is an address for links; the caller holds the
/// transaction.
pub(super) fn write(
    db: &Connection,
    alert: &Alert,
    names: &NameTable,
    public_url: Option<&str>,
    now: Micros,
) -> Result<()> {
    for receiver in &alert.to {
        let link = match (&alert.acknowledges, public_url) {
            (Some(acknowledged), Some(url)) if !is_end(alert) => {
                let stores: Vec<Alerted> = alert
                    .lines()
                    .iter()
                    .map(|line| (line.store, line.trouble.since))
                    .collect();
                let secret = acknowledgements::issue(db, acknowledged, &stores, now, now + LINK_LASTS)?;
                Some(format!("{url}/ack/{}", secret.text()))
            }
            _ => None,
        };
        outbox::add(db, &message(alert, names, receiver, link.as_deref()), now)?;
    }
    Ok(())
}

/// Whether it tells of an end, which asks nobody for anything.
fn is_end(alert: &Alert) -> bool {
    matches!(alert.about, About::Back(_) | About::PollerBack(_) | About::BackupsMade)
}

/// The message of an alert for one receiver.
pub(super) fn message(alert: &Alert, names: &NameTable, receiver: &str, link: Option<&str>) -> Message {
    let names = &|store| names.of(store);
    Message {
        key: format!("{}/{receiver}", alert.key),
        receiver: receiver.to_owned(),
        kind: Kind::Alert,
        subject: text::subject(alert, names),
        text: text::text(alert, names, link),
        html: None,
        facts: text::facts(alert, names, link).to_string(),
    }
}
