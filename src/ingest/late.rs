//! Late polls: those that could not be let go in order while a database without polls was filled.
//!
//! In it are no polls but those that this call let go, and of one store and instant that came before whatever is
//! late. It must never know files, terminals or HTTP.

use std::mem;

use rusqlite::Connection;

use super::last_in::{LastIn, Odd};
use super::runs::{PollRow, Runs};
use crate::db::polls;
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

/// How many polls are taken back at once.
const TAKEN_BACK: usize = 1 << 16;

/// What became of the polls that were let go, but for what was odd about some of them.
pub(super) enum Early {
    /// They are in the database.
    Written {
        /// How many.
        new: u64,
        odd: Odd,
    },
    /// They were there, and are to be sorted with the late ones.
    TakenBack { polls: Runs, odd: Odd },
}

/// What became of late polls.
pub(super) struct Late {
    /// How many were of a store and instant that had none.
    pub(super) new: u64,
    /// What was odd about them, beside each other and what they were too late for.
    pub(super) odd: Odd,
}

/// Adds late polls to those that were let go, each judged by what is there.
pub(super) fn add(db: &Connection, keys: &[StoreKey], late: Runs) -> Result<Late> {
    let rows = Recalled {
        db,
        keys,
        rows: late.into_sorted()?,
        key: None,
        held: None,
    };
    let mut standing = LastIn::of(rows);
    let polls = standing
        .by_ref()
        .map(|standing| standing.map(|standing| (keys[standing.store as usize], standing.poll)));
    let added = polls::add(db, polls)?;
    Ok(Late {
        new: added.polls.new,
        odd: standing.odd,
    })
}

/// Sorted late rows, those of one store and instant behind the one that is in the database, if one is.
struct Recalled<'db, I> {
    db: &'db Connection,
    keys: &'db [StoreKey],
    rows: I,
    /// The store and instant of the last row.
    key: Option<(Micros, u32)>,
    /// The row that comes behind the one from the database.
    held: Option<PollRow>,
}

impl<I: Iterator<Item = Result<PollRow>>> Recalled<'_, I> {
    /// The row in the database of the store and instant of `row`.
    fn recall(&self, row: PollRow) -> Result<Option<PollRow>> {
        let (at, store) = row.key();
        let status = polls::settled(self.db, at, self.keys[store as usize])?;
        Ok(status.map(|status| PollRow {
            poll: Poll::new(at, status),
            ..row
        }))
    }
}

impl<I: Iterator<Item = Result<PollRow>>> Iterator for Recalled<'_, I> {
    type Item = Result<PollRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(held) = self.held.take() {
            return Some(Ok(held));
        }
        let row = match self.rows.next()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        if self.key.replace(row.key()) == Some(row.key()) {
            return Some(Ok(row));
        }
        match self.recall(row) {
            Ok(None) => Some(Ok(row)),
            Ok(Some(known)) => {
                self.held = Some(row);
                Some(Ok(known))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Takes all polls out of the database again and puts them into `early`: to write all in order is quicker
/// than to squeeze in many.
pub(super) fn take_back(db: &Connection, keys: &[StoreKey], mut early: Runs) -> Result<Runs> {
    let mut places = vec![0; keys.iter().max().map_or(0, |&key| key as usize + 1)];
    for (place, &key) in (0..).zip(keys) {
        places[key as usize] = place;
    }
    let mut chunk = Vec::with_capacity(TAKEN_BACK);
    polls::for_each(db, |at, store, status| {
        chunk.push(PollRow {
            poll: Poll::new(at, status),
            store: places[store as usize],
            // It is the first of its store and instant, and only those behind it are told of.
            line: 0,
        });
        if chunk.len() == TAKEN_BACK {
            let next = Vec::with_capacity(TAKEN_BACK);
            early.push(mem::replace(&mut chunk, next))?;
        }
        Ok(())
    })?;
    early.push(chunk)?;
    polls::clear(db)?;
    Ok(early)
}
