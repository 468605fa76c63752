//! The record: one SQLite file, its schema in `schema.sql`.
//!
//! In reading order: [`connection`] opens it; [`generation`] tells when what was read is stale;
//! [`fleet`] and [`polls`] hold the inputs,
//! [`packed`] is a copy of the newest that is read faster, and [`packed_fleet`] one of all stores;
//! [`reports`] holds the jobs and their results;
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
pub mod disk;
pub mod fleet;
pub mod generation;
pub mod idempotency;
pub mod packed;
mod packed_bytes;
pub mod packed_fleet;
pub mod polls;
pub mod reports;
pub mod retention;
pub mod writer;

use std::ops::AddAssign;
use std::thread;
use std::time::Instant;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use self::writer::Writer;
use crate::error::Result;

/// What a change did to the rows it named.
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

/// Whoever can change the database, a transaction at a time.
pub trait Changes {
    /// Runs `change` in a write transaction; durable when this returns `Ok`, else nothing has happened.
    ///
    /// # Errors
    /// As [`write()`].
    fn change<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T>;
}

/// A command's own connection. It leaves others a gap between two transactions, for SQLite's write lock
/// knows no queue.
impl Changes for Connection {
    fn change<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let begun = Instant::now();
        let answer = write(self, change);
        thread::sleep(begun.elapsed() / 8);
        answer
    }
}

/// A server's writer, after all that waits for it already.
impl Changes for Writer {
    fn change<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write(change)
    }
}

/// A consistent view of the database for as long as it is held.
///
/// # Errors
/// When the database cannot be read.
pub fn read(db: &mut Connection) -> Result<Transaction<'_>> {
    Ok(db.transaction_with_behavior(TransactionBehavior::Deferred)?)
}
