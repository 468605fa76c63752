//! Loading: a judged batch into the database, all or nothing, in the one transaction that the caller holds.

use std::thread;

use rusqlite::Connection;

use super::batch::Batch;
use super::dedup::Dedup;
use super::kind::{Kind, Target};
use super::options::NewStores;
use super::prefetch::Prefetch;
use super::problem::{Code, Note, Notes};
use super::runs::Runs;
use super::source::{Refusal, SourceBadRow, SourceNote};
use crate::db::Changed;
use crate::db::audit::{Action, Author};
use crate::db::polls::{self, PollChange};
use crate::db::store_keys::Keys;
use crate::db::{disk, forget, made_up, store_keys};
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

/// From this many polls on, they are merged on another thread, ahead of the database.
const POLLS_AHEAD_MIN: u64 = 1 << 16;

/// The outcome of loading, in rows of the inputs.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Rows with new facts.
    pub accepted: u64,
    /// Rows that repeat stored facts.
    pub unchanged: u64,
    /// Rows that replaced another one: the last write wins.
    pub replaced: u64,
    /// Stored rows that went away without another in their place.
    pub removed: u64,
    /// Rows that were refused.
    pub rejected: u64,
    /// The first [`BAD_ROWS_TOLD`](super::source::BAD_ROWS_TOLD) of them.
    pub bad_rows: Vec<SourceBadRow>,
    /// The kinds of rows that changed something, and how many rows of each were new, replaced or removed.
    pub changed: Vec<(Kind, u64)>,
    /// Stores that no earlier input named.
    pub stores_new: u64,
    /// The first and the last poll, in microseconds since 1970 UTC; none without polls.
    pub span: Option<(Micros, Micros)>,
    /// The notes, by input.
    pub notes: Vec<SourceNote>,
    /// The polls for memory to follow; none where no poll changed, or too many.
    pub change: Option<PollChange>,
}

impl Summary {
    /// The counts that are known before the rows reach the database.
    fn new(batch: &mut Batch) -> Self {
        Self {
            unchanged: batch.repeats,
            rejected: batch.rejected,
            bad_rows: std::mem::take(&mut batch.bad_rows),
            span: batch.span,
            notes: std::mem::take(&mut batch.notes),
            ..Self::default()
        }
    }

    fn count(&mut self, kind: Kind, changed: Changed) {
        let rows = changed.new + changed.replaced + changed.removed;
        match self.changed.iter_mut().find(|(counted, _)| *counted == kind) {
            Some((_, count)) => *count += rows,
            None if rows > 0 => self.changed.push((kind, rows)),
            None => {}
        }

        self.accepted += changed.new;
        self.replaced += changed.replaced;
        self.unchanged += changed.unchanged;
        self.removed += changed.removed;
    }
}

impl Summary {
    /// Writes into the audit who loaded it, a row for each kind that changed something; the caller holds the
    /// transaction of the load.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn audit(&self, db: &Connection, author: &Author) -> Result<()> {
        let mut changed = self.changed.iter();
        changed.try_for_each(|(kind, rows)| author.did(db, Action::Load, kind.description().slug, *rows))
    }
}

/// Why a batch may not be written: it names a store that may not be added.
///
/// # Errors
/// When the database cannot be read.
pub fn refuse(db: &Connection, batch: &Batch) -> Result<Option<Refusal>> {
    let may_add = match batch.new_stores {
        NewStores::None => 0,
        NewStores::UpTo(stores) => match store_keys::room(db, stores, batch.ids.len() as u64)? {
            None => return Ok(None),
            Some(room) => room,
        },
    };
    let beyond = store_keys::new_beyond(db, &batch.ids, may_add)?;
    Ok(beyond.map(|place| batch.refuse_store(place, &batch.ids[place])))
}

/// Writes a batch; the caller holds the transaction.
///
/// # Errors
/// When the batch may not be written ([`refuse`] says so), the disk has too little room for the polls, or the database
/// cannot be written. The caller must then roll the transaction back.
pub fn write(db: &Connection, mut batch: Batch) -> Result<Summary> {
    if let Some(refusal) = refuse(db, &batch)? {
        return Err(refusal.into());
    }
    // The first real row takes out what was made up to try the pages with.
    if batch.ids.iter().any(|id| !id.starts_with(made_up::PREFIX)) {
        forget::made_up(db)?;
    }
    let is_late = match (batch.span, polls::newest(db)?) {
        (Some((first, _)), Some(newest)) => first <= newest,
        _ => false,
    };
    disk::require(db, batch.polls.len(), is_late)?;
    let mut summary = Summary::new(&mut batch);
    let Keys { keys, polled, new } = store_keys::keys(db, &batch.ids)?;
    summary.stores_new = new.len() as u64;
    let mut notes = Notes::default();
    let target = Target {
        db,
        ids: &batch.ids,
        keys: &keys,
        hours: batch.hours,
    };
    for (kind, changed) in batch.collected.write(&target, &mut notes)? {
        summary.count(kind, changed);
    }
    for (id, other) in store_keys::look_alikes(db, new.iter().map(|&place| &*batch.ids[place]))? {
        notes.add_named(Code::LookAlike, None, format!("{id} and {other}"));
    }
    let source = batch.source_last().to_owned();
    summary.notes.extend(notes.iter().map(|note| SourceNote {
        source: source.clone(),
        note: note.clone(),
    }));
    let polls = batch.take_polls();
    let mut has_polls = polled.clone();
    let stores = Stores {
        keys: &keys,
        has_polls: &mut has_polls,
    };
    write_polls(db, stores, polls, &batch.polls_source, &mut summary)?;
    let first_polls = (0..keys.len()).filter(|&store| has_polls[store] && !polled[store]);
    store_keys::mark_polled(db, first_polls.map(|store| keys[store]))?;
    Ok(summary)
}

/// The stores of a call.
struct Stores<'a> {
    keys: &'a [StoreKey],
    /// Whether each was ever polled.
    has_polls: &'a mut [bool],
}

/// Writes the last poll of each store and instant, and counts the rest; `source` is the input of the notes.
fn write_polls(db: &Connection, stores: Stores<'_>, polls: Runs, source: &str, summary: &mut Summary) -> Result<()> {
    thread::scope(|scope| {
        let is_long = polls.len() >= POLLS_AHEAD_MIN;
        let sorted = Dedup::new(polls.into_sorted()?);
        let mut rows = match is_long {
            true => Prefetch::spawn(scope, sorted),
            false => Prefetch::Here(sorted),
        };
        let mut corrected = Changed::default();
        let polls = rows.by_ref().map(|row| {
            let (row, corrections) = row?;
            stores.has_polls[row.store as usize] = true;
            let store = stores.keys[row.store as usize];
            if corrections > 0 {
                corrected += judge(db, store, row.poll, corrections)?;
            }
            Ok((store, row.poll))
        });
        let added = polls::add(db, polls)?;
        summary.change = added.change;
        summary.count(Kind::Polls, added.polls);
        summary.count(Kind::Polls, corrected);
        let dedup = rows.finish();
        summary.unchanged += dedup.repeats;
        let note = |note: &Note| SourceNote {
            source: source.to_owned(),
            note: note.clone(),
        };
        summary.notes.extend(dedup.notes.iter().map(note));
        Ok(())
    })
}

/// Counts rows that corrected each other within one call; `poll` is the last of them. A repeated call finds
/// this poll stored already, and changes nothing.
fn judge(db: &Connection, store: StoreKey, poll: Poll, corrections: u64) -> Result<Changed> {
    let mut changed = Changed::default();
    if polls::is_stored(db, store, poll)? {
        changed.unchanged = corrections;
    } else {
        changed.replaced = corrections;
    }
    Ok(changed)
}
