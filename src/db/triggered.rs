//! A report as it was triggered, and by whom.

use rusqlite::Connection;
use uuid::Uuid;

use super::audit::{self, Action, Actor};
use crate::access::Audience;
use crate::error::Result;
use crate::uptime::interval::Micros;
use crate::uptime::report::Question;

/// A report as it was triggered.
#[derive(Clone, Debug)]
pub struct Triggered {
    /// Its public id.
    pub id: Uuid,
    /// The kind of product.
    pub kind: String,
    /// Its parameters besides the question, as a JSON object.
    pub parameters: String,
    /// The instant and the rule.
    pub question: Question,
    /// When it was triggered, by the machine's clock.
    pub triggered_at: Micros,
    /// Who triggered it.
    pub by: Requester,
}

/// Who triggers a report, and the stores that exist for them.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The key of their credential; none on an open server.
    pub credential: Option<i64>,
    /// The stores that the report may have.
    pub audience: Audience,
    /// The name and the address for the audit; none if it was told already.
    pub actor: Option<Actor>,
    /// The receiver that is told once the report has ended, by its name.
    pub callback: Option<String>,
}

impl Requester {
    /// Someone who may see all stores and is not named.
    pub fn anyone() -> Self {
        Self {
            credential: None,
            audience: Audience::All,
            actor: None,
            callback: None,
        }
    }
}

impl Triggered {
    /// Writes who triggered it into the audit, once.
    pub(super) fn audit(&self, db: &Connection) -> Result<()> {
        let Some(actor) = &self.by.actor else {
            return Ok(());
        };
        let action = match self.kind.as_str() {
            "statement" => Action::TriggerStatement,
            _ => Action::TriggerReport,
        };
        audit::add(
            db,
            &audit::Entry {
                at: self.triggered_at,
                actor,
                action,
                subject: &self.id.to_string(),
                count: 1,
            },
        )
    }
}
