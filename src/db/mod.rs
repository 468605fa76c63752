//! The record: one SQLite file, its schema in `schema.sql`.
//!
//! In reading order: [`connection`] opens it; [`generation`] tells when what was read is stale;
//! [`fleet`] and [`polls`] hold the inputs, [`reports`] the jobs and their results;
//! [`idempotency`] what was answered; [`retention`] forgets; [`writer`] is a
//! server's one way to change anything; [`check`] holds
//! every promise that the schema cannot make by itself.
//!
//! It must never know files of input, HTTP or threads, and computes no time: it stores integers.
//!
//! Functions here take a connection and assume that the caller has opened a transaction where one is
//! needed: [`write()`] for changes, [`read`] for a consistent view.

pub mod check;
pub mod connection;
pub mod fleet;
pub mod generation;
pub mod idempotency;
pub mod polls;
pub mod reports;
pub mod retention;
pub mod writer;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::Result;

/// Runs `change` in one write transaction: durable when this returns `Ok`, else nothing has happened.
///
/// # Errors
/// Those of `change`, and [`ErrorKind::Unavailable`](crate::error::ErrorKind) when another process
/// keeps the write lock.
pub fn write<T>(db: &mut Connection, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    // Immediate: a deferred transaction that turns into a writer can fail half-way with "busy".
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answer = change(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}

/// A consistent view of the database for as long as it is held.
///
/// # Errors
/// When the database cannot be read.
pub fn read(db: &mut Connection) -> Result<Transaction<'_>> {
    Ok(db.transaction_with_behavior(TransactionBehavior::Deferred)?)
}
