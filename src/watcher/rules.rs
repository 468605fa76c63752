//! The rules in force: those of the configuration, and those that were made on the page.

use rusqlite::Connection;

use crate::alerts::rule::Rule;
use crate::config::{Messaging, alert};
use crate::db::alert_rules;
use crate::error::Result;

/// All rules. One of the page that cannot be read any more, or has the name of one of the configuration, is left out;
/// the log says so.
///
/// # Errors
/// When the database cannot be read.
pub fn rules(db: &Connection, messaging: &Messaging) -> Result<Vec<Rule>> {
    let mut rules = messaging.alerts.clone();
    for stored in alert_rules::all(db)? {
        let taken = |rule: Rule| match rules.iter().any(|known| known.name == rule.name) {
            true => Err(alert_rules::taken(&rule.name)),
            false => Ok(rule),
        };
        match alert::parse(&stored.toml).and_then(taken) {
            Ok(rule) => rules.push(rule),
            Err(error) => tracing::warn!(rule = stored.name, %error, "an alert rule of the page is left out"),
        }
    }
    Ok(rules)
}
