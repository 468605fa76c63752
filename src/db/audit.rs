//! The audit: who changed what, a row for each write, trigger, deletion, token and link.
//!
//! A row is written in the transaction of its change, so neither is there without the other.

use rusqlite::{Connection, Row};

use crate::error::Result;
use crate::uptime::interval::Micros;

/// How many of the oldest rows are deleted in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 10_000;

/// The address of a command on the server's machine.
const COMMAND: &str = "command";

/// Who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name of the credential; empty on an open server, and for a command.
    pub credential: String,
    /// The client's address, `unix`, `command`, or `server` for what it does by itself.
    pub address: String,
}

impl Actor {
    /// A command on the server's machine.
    pub fn command() -> Self {
        Self {
            credential: String::new(),
            address: COMMAND.to_owned(),
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Rows were taken; the subject is their kind, the count that of new and changed rows.
    Load,
    /// A store was deleted with all about it; the count is that of its polls.
    DeleteStore,
    /// A store's polls of a span were taken back.
    DeletePolls,
    /// A version of a store's hours was taken back.
    DeleteHours,
    /// A store's special hours of a date were taken back.
    DeleteSpecialHours,
    /// The made-up stores were put in.
    AddMadeUp,
    /// The made-up stores were taken out.
    DeleteMadeUp,
    /// A report was triggered; the subject is its id.
    TriggerReport,
    /// A statement was triggered; the subject is its id.
    TriggerStatement,
    /// A token was made.
    AddToken,
    /// A token was revoked.
    RevokeToken,
    /// A share link was made.
    AddLink,
    /// A share link was revoked.
    RevokeLink,
    /// A browser logged in with a token.
    LogIn,
    /// It logged out.
    LogOut,
    /// A backup was made for a client; the count is that of its bytes.
    Backup,
    /// Polls that were too old were deleted.
    Prune,
    /// An alert was acknowledged by its link; the subject is the alert's key, the count that of its stores.
    Acknowledge,
    /// The reason of an incident was noted; the subject is the store.
    NoteReason,
    /// The reason of an incident was taken back; the subject is the store.
    DeleteReason,
    /// An alert rule was made.
    AddAlert,
    /// An alert rule was changed.
    ChangeAlert,
    /// An alert rule was deleted.
    DeleteAlert,
}

impl Action {
    /// The word in exports and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::DeleteStore => "delete_store",
            Self::DeletePolls => "delete_polls",
            Self::DeleteHours => "delete_business_hours",
            Self::DeleteSpecialHours => "delete_special_hours",
            Self::AddMadeUp => "add_made_up",
            Self::DeleteMadeUp => "delete_made_up",
            Self::TriggerReport => "trigger_report",
            Self::TriggerStatement => "trigger_statement",
            Self::AddToken => "add_token",
            Self::RevokeToken => "revoke_token",
            Self::AddLink => "add_link",
            Self::RevokeLink => "revoke_link",
            Self::LogIn => "log_in",
            Self::LogOut => "log_out",
            Self::Backup => "backup",
            Self::Prune => "prune",
            Self::Acknowledge => "acknowledge",
            Self::NoteReason => "note_reason",
            Self::DeleteReason => "delete_reason",
            Self::AddAlert => "add_alert",
            Self::ChangeAlert => "change_alert",
            Self::DeleteAlert => "delete_alert",
        }
    }
}

/// A row as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When, by the machine's clock.
    pub at: Micros,
    /// Who.
    pub actor: &'a Actor,
    /// What.
    pub action: Action,
    /// Of what: a store, a report, a token, a kind of rows; may be empty.
    pub subject: &'a str,
    /// How many.
    pub count: u64,
}

/// Who acts at what instant, to be taken along into a change.
#[derive(Clone, Debug)]
pub struct Author {
    /// When, by the machine's clock.
    pub at: Micros,
    /// Who.
    pub actor: Actor,
}

impl Author {
    /// A command on the server's machine, at this instant.
    pub fn command(at: Micros) -> Self {
        Self {
            at,
            actor: Actor::command(),
        }
    }

    /// The server itself, at this instant.
    pub fn server(at: Micros) -> Self {
        Self {
            at,
            actor: Actor {
                credential: String::new(),
                address: "server".to_owned(),
            },
        }
    }

    /// Writes what they did; the caller holds the transaction of the change.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn did(&self, db: &Connection, action: Action, subject: &str, count: u64) -> Result<()> {
        let entry = Entry {
            at: self.at,
            actor: &self.actor,
            action,
            subject,
            count,
        };
        add(db, &entry)
    }
}

/// A stored row.
#[derive(Clone, Debug)]
pub struct Audited {
    /// Its place in the order of arrival.
    pub number: i64,
    /// When.
    pub at: Micros,
    /// Who.
    pub actor: Actor,
    /// What, as a word.
    pub action: String,
    /// Of what.
    pub subject: String,
    /// How many.
    pub count: u64,
}

/// Writes a row, and tells it at info if it came over HTTP.
///
/// # Errors
/// When the database cannot be written.
pub fn add(db: &Connection, entry: &Entry<'_>) -> Result<()> {
    let Entry {
        at,
        actor,
        action,
        subject,
        count,
    } = *entry;
    let (credential, address, action) = (&actor.credential, &actor.address, action.as_str());
    db.prepare_cached(
        "INSERT INTO audit (at, credential, action, subject, count, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((at, credential, action, subject, count.cast_signed(), address))?;
    match address == COMMAND {
        // A command tells its user what it did.
        true => tracing::debug!(credential, action, subject, count, address, "changed"),
        false => tracing::info!(credential, action, subject, count, address, "changed"),
    }
    Ok(())
}

fn audited(row: &Row<'_>) -> rusqlite::Result<Audited> {
    Ok(Audited {
        number: row.get(0)?,
        at: row.get(1)?,
        actor: Actor {
            credential: row.get(2)?,
            address: row.get(6)?,
        },
        action: row.get(3)?,
        subject: row.get(4)?,
        count: row.get::<_, i64>(5)?.cast_unsigned(),
    })
}

const COLUMNS: &str = "number, at, credential, action, subject, count, address";

/// The newest rows first, at most `limit`; with `before`, only those that arrived before that one.
///
/// # Errors
/// When the database cannot be read.
pub fn list(db: &Connection, before: Option<i64>, limit: u32) -> Result<Vec<Audited>> {
    let select = format!("SELECT {COLUMNS} FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT ?2");
    let mut select = db.prepare_cached(&select)?;
    let rows = select.query_map((before.unwrap_or(i64::MAX), limit), audited)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every row, the oldest first.
///
/// # Errors
/// When the database cannot be read; those of `each`.
pub fn for_each(db: &Connection, mut each: impl FnMut(&Audited) -> Result<()>) -> Result<()> {
    let mut select = db.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY number"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(&audited(row)?)?;
    }
    Ok(())
}

/// Deletes rows from before `before`, the oldest first and not too many at once; returns whether more are left.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_before(db: &Connection, before: Micros) -> Result<bool> {
    // By their order of arrival: a clock that jumped must not keep what came before it for ever.
    let gone = db.execute(
        "DELETE FROM audit WHERE number IN (SELECT number FROM audit ORDER BY number LIMIT ?2)
             AND number <= (SELECT max(number) FROM (SELECT number, at FROM audit ORDER BY number LIMIT ?2) WHERE at < ?1)",
        (before, FORGOTTEN_AT_ONCE),
    )?;
    Ok(gone == FORGOTTEN_AT_ONCE as usize)
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::write;
    use super::*;

    #[test]
    fn rows_are_kept_in_their_order_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let actor = Actor {
            credential: "poller".to_owned(),
            address: "10.0.0.1".to_owned(),
        };
        write(&mut db, |db| {
            (0..25_000).try_for_each(|at| {
                add(
                    db,
                    &Entry {
                        at,
                        actor: &actor,
                        action: Action::Load,
                        subject: "polls",
                        count: 3,
                    },
                )
            })
        })
        .unwrap();
        let newest = list(&db, None, 2).unwrap();
        assert_eq!(newest.iter().map(|row| row.at).collect::<Vec<_>>(), [24_999, 24_998]);
        assert_eq!((&newest[0].actor, newest[0].action.as_str()), (&actor, "load"));
        let older = list(&db, Some(newest[1].number), 1).unwrap();
        assert_eq!(older[0].at, 24_997);
        let mut more = Vec::new();
        while write(&mut db, |db| forget_before(db, 20_500))
            .map(|left| more.push(left))
            .is_ok()
            && more.last() == Some(&true)
        {}
        let mut left = Vec::new();
        for_each(&db, |row| {
            left.push(row.at);
            Ok(())
        })
        .unwrap();
        assert_eq!((left[0], left.len()), (20_500, 4500));
    }
}
