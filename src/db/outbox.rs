//! The outbox: messages on their way to receivers.
//!
//! A message is written in the transaction that learned of its cause, so neither is there without the other. It is due
//! at `next_attempt_at` until it was sent or given up. A message is sent at least once: a process that is killed
//! between the receiver's answer and the note of it sends it again, with the same key.

use rusqlite::{Connection, Row};

use crate::error::Result;
use crate::uptime::interval::Micros;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An alert rule speaks.
    Alert,
    /// A digest.
    Digest,
    /// A report or statement is done.
    Callback,
    /// A person tries a receiver.
    Test,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Alert, Self::Digest, Self::Callback, Self::Test];

    /// The word in the table, in JSON and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Digest => "digest",
            Self::Callback => "callback",
            Self::Test => "test",
        }
    }
}

/// A message for one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about: a second message with this key is none.
    pub key: String,
    /// The receiver's name.
    pub receiver: String,
    /// What it is.
    pub kind: Kind,
    /// One line.
    pub subject: String,
    /// The whole message as plain text.
    pub text: String,
    /// The same as HTML, if there is such a form.
    pub html: Option<String>,
    /// The same as a JSON object.
    pub facts: String,
}

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The order of arrival.
    pub number: i64,
    /// The message.
    pub message: Message,
    /// When it was written.
    pub created_at: Micros,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is due; none once it was sent or given up.
    pub next_attempt_at: Option<Micros>,
    /// When it was sent.
    pub sent_at: Option<Micros>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

const COLUMNS: &str = "number, key, receiver, kind, subject, text, html, facts, created_at, attempts, next_attempt_at,
    sent_at, error";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let kind: String = row.get(3)?;
    Ok(Entry {
        number: row.get(0)?,
        message: Message {
            key: row.get(1)?,
            receiver: row.get(2)?,
            kind: Kind::ALL
                .into_iter()
                .find(|one| one.as_str() == kind)
                .unwrap_or(Kind::Test),
            subject: row.get(4)?,
            text: row.get(5)?,
            html: row.get(6)?,
            facts: row.get(7)?,
        },
        created_at: row.get(8)?,
        attempts: row.get(9)?,
        next_attempt_at: row.get(10)?,
        sent_at: row.get(11)?,
        error: row.get(12)?,
    })
}

/// Adds a message, due at once; the caller holds the transaction of its cause. Returns whether it is new: one with the
/// key of an earlier message changes nothing.
///
/// # Errors
/// When the database cannot be written.
pub fn add(db: &Connection, message: &Message, at: Micros) -> Result<bool> {
    let mut insert = db.prepare_cached(
        "INSERT INTO outbox (key, receiver, kind, subject, text, html, facts, created_at, next_attempt_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (key) DO NOTHING",
    )?;
    let added = insert.execute((
        &message.key,
        &message.receiver,
        message.kind.as_str(),
        &message.subject,
        &message.text,
        &message.html,
        &message.facts,
        at,
    ))?;
    Ok(added == 1)
}

/// The messages that are due at `at`, the longest due first.
///
/// # Errors
/// When the database cannot be read.
pub fn due(db: &Connection, at: Micros, limit: u32) -> Result<Vec<Entry>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE next_attempt_at <= ?1 ORDER BY next_attempt_at, number LIMIT ?2"
    ))?;
    let found = select.query_map((at, limit), entry)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The newest messages, whatever became of them.
///
/// # Errors
/// When the database cannot be read.
pub fn newest(db: &Connection, limit: u32) -> Result<Vec<Entry>> {
    let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox ORDER BY number DESC LIMIT ?1"))?;
    let found = select.query_map([limit], entry)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::write;
    use super::*;

    #[test]
    fn a_message_is_due_once_and_a_second_with_its_key_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let message = Message {
            key: "rule/offline/7".to_owned(),
            receiver: "phone".to_owned(),
            kind: Kind::Alert,
            subject: "1 store is offline".to_owned(),
            text: "Pike Place is offline.".to_owned(),
            html: None,
            facts: "{}".to_owned(),
        };
        let added = write(&mut db, |db| Ok([add(db, &message, 5)?, add(db, &message, 6)?])).unwrap();
        assert_eq!(added, [true, false]);
        assert_eq!(due(&db, 4, 10).unwrap(), []);
        let found = due(&db, 5, 10).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, message);
        assert_eq!((found[0].created_at, found[0].attempts, found[0].sent_at), (5, 0, None));
        assert_eq!(newest(&db, 10).unwrap(), found);
    }
}
