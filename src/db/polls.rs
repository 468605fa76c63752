//! Polls in the database, for other rooms: reading them by store or as a range of rows, and adding more.
//!
//! Packed hours stay consistent with the rows.

use rusqlite::Connection;

use super::digest::HourDigests;
use super::packed::Packing;
pub use super::poll_reader::{ReadLimits, by_blocks, history};
pub use super::poll_table::{
    ALL_TIME, first, for_each, for_each_within, is_stored, newest, newest_of, newest_until, oldest_of,
};
use super::poll_table::{INSERT_ROWS, Upsert};
use super::{Changed, generation};
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::poll::Poll;

/// How many polls a change may carry for memory to follow it. After a larger change, memory reads the
/// database again, which costs less than holding every row twice.
const FOLLOWED_POLLS_MAX: usize = 1 << 20;

/// The polls that one transaction added, for memory to follow the database.
#[derive(Clone, Debug)]
pub struct PollChange {
    /// The generation of polls before it.
    pub before: i64,
    /// The generation of polls after it.
    pub after: i64,
    /// The polls; some may have been stored already.
    pub polls: Vec<(StoreKey, Poll)>,
}

/// The outcome of adding polls.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// A stored poll with the other status is replaced: the last write wins.
    pub polls: Changed,
    /// The polls for memory to follow; none if nothing changed, or too much.
    pub change: Option<PollChange>,
}

/// Adds polls, with distinct stores and instants; fastest when sorted by instant.
///
/// # Errors
/// When the database cannot be written; the caller must then roll the transaction back.
pub fn add(db: &Connection, polls: impl IntoIterator<Item = Result<(StoreKey, Poll)>>) -> Result<Added> {
    let mut insert = Upsert::new(db, INSERT_ROWS);
    let mut packing = Packing::new(db);
    let mut digests = HourDigests::default();
    let mut changed = Changed::default();
    // None once there are too many for memory to follow.
    let mut followed = Some(Vec::new());
    let mut chunk = Vec::with_capacity(INSERT_ROWS);
    let mut polls = polls.into_iter();
    loop {
        for poll in polls.by_ref().take(INSERT_ROWS) {
            chunk.push(poll?);
        }
        let are_new = packing.before(&chunk)?;
        let chunk_changed = match chunk.len() {
            0 => break,
            INSERT_ROWS => insert.run(&chunk, are_new, &mut digests)?,
            fewer => Upsert::new(db, fewer).run(&chunk, are_new, &mut digests)?,
        };
        packing.after(chunk_changed)?;
        changed += chunk_changed;
        if let Some(polls) = &mut followed {
            polls.append(&mut chunk);
        }
        followed = followed.filter(|polls| polls.len() <= FOLLOWED_POLLS_MAX);
        chunk.clear();
    }
    packing.finish()?;
    digests.store(db)?;
    let mut change = None;
    if changed.new + changed.replaced > 0 {
        let before = generation::current(db)?.polls;
        generation::advance(db, generation::Kind::Polls)?;
        change = followed.map(|polls| PollChange {
            before,
            after: before + 1,
            polls,
        });
    }
    Ok(Added { polls: changed, change })
}
