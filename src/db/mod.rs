//! The database: one SQLite file, with its schema in `schema.sql`. It stores integers and computes no time.
//!
//! In reading order, from the bottom: [`connection`] opens the file and `migrate` brings it up to date. [`generation`]
//! tells when data in memory are stale. [`store_keys`], [`schedules`], [`special_hours`] and [`fleet`] hold the stores;
//! `poll_table` holds the polls, [`packed`] a copy of them for faster reading; `poll_reader` reads both, and [`polls`]
//! joins all; [`digest`] tells when a disk has changed rows. [`reports`] holds the jobs and their results,
//! [`callbacks`] what is told of them, [`idempotency`] the answers already given, [`credentials`] who may do what, and
//! [`audit`] who did. [`outbox`] holds messages, [`alert_rules`] the rules made on the page, [`acknowledgements`] the
//! links in alerts and [`incident_reasons`] what was said by them. [`forget`] deletes; [`made_up`] tells a first
//! visitor's made-up stores from real ones. [`disk`] refuses a load without room, and [`reserve`] keeps some; [`watch`]
//! sees that the file is still there. [`lock`] tells which processes have it; [`part`] makes files that appear whole;
//! [`backup`] copies the database, and [`backup_folder`] keeps a server's copies. [`inspect`] looks at the files before
//! they are opened, and `log_file` at the write-ahead log. [`writer`] is a server's only way to change data. [`check`]
//! verifies every invariant that the schema cannot express, and [`repair`] mends what it finds.
//!
//! Functions take a connection. If one needs a transaction, the caller has opened it: [`write()`] for changes,
//! [`read`] for a consistent view.

pub mod acknowledgements;
pub mod alert_rules;
pub mod alert_state;
pub mod audit;
pub mod backup;
pub mod backup_folder;
pub mod callbacks;
pub mod check;
pub mod connection;
pub mod credentials;
pub mod digest;
pub mod disk;
pub mod fit;
pub mod fleet;
pub mod forget;
pub mod generation;
pub mod growth;
pub mod idempotency;
pub mod incident_reasons;
pub mod inspect;
pub mod issue;
pub mod lock;
mod log_file;
pub mod made_up;
mod migrate;
mod old_reports;
pub mod outbox;
pub mod packed;
mod packed_bytes;
pub mod part;
mod poll_reader;
mod poll_table;
pub mod polls;
pub mod repair;
pub mod reports;
pub mod reserve;
pub mod schedules;
pub mod size;
pub mod special_hours;
pub mod store_keys;
mod triggered;
pub mod watch;
pub mod writer;

use std::ops::AddAssign;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::Result;

/// The outcome of a change for its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Rows with new facts.
    pub new: u64,
    /// Rows that replaced a stored fact.
    pub replaced: u64,
    /// Rows that repeat a stored fact.
    pub unchanged: u64,
    /// Stored rows that went away without another in their place.
    pub removed: u64,
}

impl Changed {
    /// The outcome for the distinct rows `new` that take the place of `old`. Of the rows that were not there, as many
    /// count as replaced as were removed.
    pub(crate) fn of_rows<T: PartialEq>(old: &[T], new: &[T]) -> Self {
        let same = new.iter().filter(|row| old.contains(row)).count() as u64;
        let (gone, fresh) = (old.len() as u64 - same, new.len() as u64 - same);
        let replaced = gone.min(fresh);
        Self {
            new: fresh - replaced,
            replaced,
            unchanged: same,
            removed: gone - replaced,
        }
    }
}

impl AddAssign for Changed {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.replaced += other.replaced;
        self.unchanged += other.unchanged;
        self.removed += other.removed;
    }
}

/// Runs `change` in one write transaction: durable when this returns `Ok`, otherwise nothing has changed.
///
/// # Errors
/// Those of `change`, and [`ErrorKind::Unavailable`](crate::error::ErrorKind) when another process holds the
/// write lock.
pub fn write<T>(db: &mut Connection, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    // Immediate: a deferred transaction that becomes a writer can fail half-way with "busy".
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answer = change(&transaction)?;
    digest::seal_fleet(&transaction)?;
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
