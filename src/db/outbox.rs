//! The outbox: messages on their way to receivers.
//!
//! A message is written in the transaction that learned of its cause, so neither is there without the other. It *waits*
//! while `next_attempt_at` says when it is due. It was *sent* at `sent_at`, or was *given up* if it has neither. It is
//! sent at least once: a process that is killed between the receiver's answer and the note of it sends it again, with
//! the same key.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Result;
use crate::uptime::interval::{DAY, HOUR, Micros};

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
    /// When it was tried last.
    pub tried_at: Option<Micros>,
    /// When it was sent.
    pub sent_at: Option<Micros>,
    /// Why the last attempt failed; of a sent message, whom it did not reach.
    pub error: Option<String>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is on its way, or will be.
    Waiting,
    /// Its receiver has it.
    Sent,
    /// Nobody tries to send it any more.
    GivenUp,
}

impl State {
    /// The word in JSON and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::GivenUp => "given_up",
        }
    }
}

impl Entry {
    /// What became of it.
    pub const fn state(&self) -> State {
        match (self.next_attempt_at, self.sent_at) {
            (Some(_), _) => State::Waiting,
            (None, Some(_)) => State::Sent,
            (None, None) => State::GivenUp,
        }
    }
}

const COLUMNS: &str = "number, key, receiver, kind, subject, text, html, facts, created_at, attempts, next_attempt_at,
    tried_at, sent_at, error";

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
        tried_at: row.get(11)?,
        sent_at: row.get(12)?,
        error: row.get(13)?,
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

/// The receivers of messages that are due at `at`.
///
/// # Errors
/// When the database cannot be read.
pub fn receivers_due(db: &Connection, at: Micros) -> Result<Vec<String>> {
    let mut select = db.prepare_cached("SELECT DISTINCT receiver FROM outbox WHERE next_attempt_at <= ?1")?;
    let found = select.query_map([at], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The messages for one receiver that are due at `at`, in the order in which they were written. With `or_oldest`, the
/// oldest that waits is among them, whenever it is due.
///
/// # Errors
/// When the database cannot be read.
pub fn due(db: &Connection, receiver: &str, at: Micros, or_oldest: bool, limit: u32) -> Result<Vec<Entry>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE receiver = ?1 AND (next_attempt_at <= ?2 OR number = (
             SELECT number FROM outbox WHERE receiver = ?1 AND next_attempt_at IS NOT NULL AND ?3 ORDER BY number LIMIT 1))
         ORDER BY number LIMIT ?4"
    ))?;
    let found = select.query_map((receiver, at, or_oldest, limit), entry)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The newest messages, whatever became of them: of one receiver or of all, with a number below `before`.
///
/// # Errors
/// When the database cannot be read.
pub fn newest(db: &Connection, receiver: Option<&str>, before: i64, limit: u32) -> Result<Vec<Entry>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE number < ?1 AND (?2 IS NULL OR receiver = ?2)
         ORDER BY number DESC LIMIT ?3"
    ))?;
    let found = select.query_map((before, receiver, limit), entry)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// What became of an attempt to send a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The message.
    pub number: i64,
    /// When the attempt ended.
    pub at: Micros,
    /// When the next is due; none if it was sent or is given up.
    pub next_attempt_at: Option<Micros>,
    /// Whether it was sent.
    pub is_sent: bool,
    /// Why it failed, or whom it did not reach.
    pub error: Option<String>,
}

/// Notes an attempt. One of a message that was sent or given up meanwhile changes nothing.
///
/// # Errors
/// When the database cannot be written.
pub fn note(db: &Connection, attempt: &Attempt) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE outbox SET attempts = attempts + 1, tried_at = ?2, next_attempt_at = ?3, sent_at = iif(?4, ?2, NULL),
             error = ?5 WHERE number = ?1 AND next_attempt_at IS NOT NULL",
    )?;
    let Attempt {
        number,
        at,
        next_attempt_at,
        is_sent,
        error,
    } = attempt;
    update.execute((number, at, next_attempt_at, is_sent, error))?;
    Ok(())
}

/// Makes everything due that waits for a receiver, as it takes messages again.
///
/// # Errors
/// When the database cannot be written.
pub fn hasten(db: &Connection, receiver: &str, at: Micros) -> Result<()> {
    let mut update =
        db.prepare_cached("UPDATE outbox SET next_attempt_at = ?2 WHERE receiver = ?1 AND next_attempt_at > ?2")?;
    update.execute((receiver, at))?;
    Ok(())
}

/// Makes messages due whose next attempt is later than any can be: the clock was wrong when that was noted.
///
/// # Errors
/// When the database cannot be written.
pub fn hasten_beyond(db: &Connection, at: Micros, latest: Micros) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE outbox SET next_attempt_at = ?1 WHERE next_attempt_at > ?2")?;
    update.execute((at, latest))?;
    Ok(())
}

/// How many messages that were sent or given up are kept.
pub const MESSAGES_KEPT: i64 = 10_000;

/// For how many days they are kept.
const MESSAGE_DAYS_KEPT: i64 = 90;

/// How many are deleted in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 1000;

/// Deletes some of the messages that need not be kept any more, and says whether there may be more.
///
/// # Errors
/// When the database cannot be written.
pub fn forget(db: &Connection, now: Micros) -> Result<bool> {
    let mut delete = db.prepare_cached(
        "DELETE FROM outbox WHERE number IN (
             SELECT number FROM outbox WHERE next_attempt_at IS NULL AND (created_at < ?1 OR number <= (
                 SELECT number FROM outbox WHERE next_attempt_at IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?2))
             ORDER BY number LIMIT ?3)",
    )?;
    let before = now - MESSAGE_DAYS_KEPT * DAY;
    let gone = delete.execute((before, MESSAGES_KEPT, FORGOTTEN_AT_ONCE))?;
    Ok(gone == FORGOTTEN_AT_ONCE as usize)
}

/// How the messages for one receiver fare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its name.
    pub receiver: String,
    /// How many wait.
    pub waiting: i64,
    /// How many of those that are kept were sent.
    pub sent: i64,
    /// How many of those that are kept were given up.
    pub given_up: i64,
    /// When one was sent last.
    pub last_sent_at: Option<Micros>,
    /// The last attempt that failed, and why.
    pub last_failure: Option<(Micros, String)>,
    /// The oldest message that was tried in vain and still waits.
    pub failing_since: Option<Micros>,
}

/// For how long messages may fail before that is told as a fault.
const FAILING_FOR: Micros = HOUR;

impl Count {
    /// Those of a receiver for which there was no message yet.
    pub fn none(receiver: &str) -> Self {
        Self {
            receiver: receiver.to_owned(),
            waiting: 0,
            sent: 0,
            given_up: 0,
            last_sent_at: None,
            last_failure: None,
            failing_since: None,
        }
    }

    /// Whether an operator must look: a message has been tried in vain for over an hour, or the last one was given up.
    pub fn is_failing(&self, now: Micros) -> bool {
        let is_late = self.failing_since.is_some_and(|since| now - since > FAILING_FOR);
        let failed_last = self.last_failure.as_ref().map(|(at, _)| *at) > self.last_sent_at;
        is_late || (self.given_up > 0 && self.waiting == 0 && failed_last)
    }
}

/// How the messages fare, by receiver, in the order of their names.
///
/// # Errors
/// When the database cannot be read.
pub fn counts(db: &Connection) -> Result<Vec<Count>> {
    let mut select = db.prepare_cached(
        "SELECT receiver, count(next_attempt_at), count(sent_at),
                sum(next_attempt_at IS NULL AND sent_at IS NULL), max(sent_at)
         FROM outbox GROUP BY receiver ORDER BY receiver",
    )?;
    let mut failure = db.prepare_cached(
        "SELECT tried_at, error FROM outbox WHERE receiver = ?1 AND error IS NOT NULL AND sent_at IS NULL
         ORDER BY tried_at DESC LIMIT 1",
    )?;
    let mut since = db.prepare_cached(
        "SELECT min(created_at) FROM outbox WHERE receiver = ?1 AND next_attempt_at IS NOT NULL AND attempts > 0",
    )?;
    let found = select.query_map([], |row| {
        Ok(Count {
            receiver: row.get(0)?,
            waiting: row.get(1)?,
            sent: row.get(2)?,
            given_up: row.get(3)?,
            last_sent_at: row.get(4)?,
            last_failure: None,
            failing_since: None,
        })
    })?;
    let mut counts: Vec<Count> = found.collect::<rusqlite::Result<_>>()?;
    for count in &mut counts {
        let failed = failure.query_row([&count.receiver], |row| Ok((row.get(0)?, row.get(1)?)));
        count.last_failure = failed.optional()?;
        count.failing_since = since.query_row([&count.receiver], |row| row.get(0))?;
    }
    Ok(counts)
}

/// The messages that a receiver did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The receiver.
    pub receiver: String,
    /// How many there are.
    pub messages: usize,
    /// When the oldest was written.
    pub since: Micros,
}

/// The messages since `from` whose last attempt failed, by receiver.
///
/// # Errors
/// When the database cannot be read.
pub fn undelivered(db: &Connection, from: Micros) -> Result<Vec<Undelivered>> {
    let mut select = db.prepare_cached(
        "SELECT receiver, count(*), min(created_at) FROM outbox
         WHERE sent_at IS NULL AND error IS NOT NULL AND created_at >= ?1 GROUP BY receiver ORDER BY receiver",
    )?;
    let found = select.query_map([from], |row| {
        Ok(Undelivered {
            receiver: row.get(0)?,
            messages: row.get(1)?,
            since: row.get(2)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Whether there is a message with this key, whatever became of it.
///
/// # Errors
/// When the database cannot be read.
pub fn has(db: &Connection, key: &str) -> Result<bool> {
    let mut select = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE key = ?1)")?;
    Ok(select.query_row([key], |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
