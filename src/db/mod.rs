//! The record: one SQLite file, its schema in `schema.sql`. It stores integers and computes no time.
//!
//! In reading order, from the bottom: [`connection`] opens the file and `migrate` brings it up to date.
//! [`generation`] tells when data in memory is stale. [`store_keys`], [`schedules`] and [`fleet`] hold the
//! stores; `poll_table` holds the polls, [`packed`] a copy of the newest that is read faster, and [`polls`]
//! joins both. [`reports`] holds the jobs and their results, [`idempotency`] the answers that were given.
//! [`forget`] deletes; [`disk`] refuses a load without room. [`writer`] is a server's one way to change
//! anything. [`check`] holds every promise that the schema cannot make by itself.
//!
//! Functions here take a connection and assume that the caller has opened a transaction where one is
//! needed: [`write()`] for changes, [`read`] for a consistent view.

pub mod check;
pub mod connection;
pub mod disk;
pub mod fleet;
pub mod forget;
pub mod generation;
pub mod idempotency;
mod migrate;
pub mod packed;
mod packed_bytes;
mod poll_table;
pub mod polls;
pub mod reports;
pub mod schedules;
pub mod store_keys;
pub mod writer;

use std::ops::AddAssign;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::Result;

/// The outcome of a change for the rows that it named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Named something that was not known.
    pub new: u64,
    /// Replaced what was known.
    pub replaced: u64,
    /// Said what was known already.
    pub unchanged: u64,
}

impl AddAssign for Changed {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.replaced += other.replaced;
        self.unchanged += other.unchanged;
    }
}

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
