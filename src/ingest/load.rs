//! Loading: a judged batch into the database, in the transaction that the caller holds.
//!
//! It must never know files, terminals or HTTP.

use rusqlite::Connection;

use super::batch::{Batch, SourceNote};
use super::problem::{Code, Notes};
use super::runs::PollRow;
use crate::db::fleet::{self, Changed};
use crate::db::polls::{self, PollChange};
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

/// What loading did, counted in rows of the inputs.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Rows that said something new.
    pub accepted: u64,
    /// Rows that said what was known.
    pub unchanged: u64,
    /// Rows that took the place of another: the last one in stands.
    pub replaced: u64,
    /// Rows that were refused.
    pub rejected: u64,
    /// Stores that no source had named before.
    pub stores_new: u64,
    /// From the first poll to the last, in microseconds since 1970 UTC; none without polls.
    pub span: Option<(Micros, Micros)>,
    /// What was normalised, by input.
    pub notes: Vec<SourceNote>,
    /// What memory needs to follow; none where no poll changed, or too many.
    pub change: Option<PollChange>,
}

/// Writes a batch; the caller holds the transaction.
///
/// # Errors
/// When the database cannot be written: the transaction must then be rolled back.
pub fn write(db: &Connection, batch: Batch) -> Result<Summary> {
    let (keys, stores_new) = fleet::keys(db, &batch.ids)?;
    let key = |store: u32| keys[store as usize];
    let hours = batch.hours.into_iter();
    let hours = hours.map(|(store, rows)| (key(store), rows.into_keys().collect()));
    let zones = batch
        .zones
        .iter()
        .map(|(&store, zone)| (key(store), &**zone));
    let labels = batch
        .labels
        .iter()
        .map(|(&store, label)| (key(store), label));
    let changes = [
        fleet::replace_hours(db, hours)?,
        fleet::replace_zones(db, zones)?,
        fleet::replace_labels(db, labels)?,
    ];
    let mut summary = Summary {
        unchanged: batch.repeats,
        rejected: batch.rejected,
        stores_new,
        span: batch.span,
        notes: batch.notes,
        ..Summary::default()
    };
    for Changed {
        new,
        replaced,
        unchanged,
    } in changes
    {
        summary.accepted += new;
        summary.replaced += replaced;
        summary.unchanged += unchanged;
    }
    let mut last = LastInStands {
        db,
        keys: &keys,
        notes: Notes::default(),
        repeated: 0,
        corrected: 0,
    };
    let added = polls::add(db, last.of(batch.polls.into_sorted()?))?;
    summary.accepted += added.new;
    summary.replaced += added.replaced + last.corrected;
    summary.unchanged += added.unchanged + last.repeated;
    summary.change = added.change;
    let note = |note| SourceNote {
        source: batch.polls_source.clone(),
        note,
    };
    summary.notes.extend(last.notes.iter().map(note));
    Ok(summary)
}

/// Of polls of one store at one instant, in the order they came in, leaves the last.
struct LastInStands<'a> {
    db: &'a Connection,
    keys: &'a [StoreKey],
    notes: Notes,
    /// Rows that changed nothing because another of the same call says the same or overrules them.
    repeated: u64,
    /// Rows that changed what another of the same call had said.
    corrected: u64,
}

impl LastInStands<'_> {
    fn of<'i>(
        &'i mut self,
        rows: impl Iterator<Item = Result<PollRow>> + 'i,
    ) -> impl Iterator<Item = Result<(StoreKey, Poll)>> + 'i {
        let mut rows = rows.peekable();
        std::iter::from_fn(move || {
            let mut row = match rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            let mut corrections = 0;
            while let Some(Ok(next)) =
                rows.next_if(|next| matches!(next, Ok(next) if next.key() == row.key()))
            {
                if next.poll == row.poll {
                    self.repeated += 1;
                    self.notes.add(Code::Duplicate, Some(next.line.into()));
                } else {
                    corrections += 1;
                    self.notes.add(Code::Replaced, Some(next.line.into()));
                }
                row = next;
            }
            let poll = (self.keys[row.store as usize], row.poll);
            if corrections > 0 {
                // A call that is made again finds its last word there already, and changes nothing.
                match polls::is_stored(self.db, poll.0, poll.1) {
                    Ok(true) => self.repeated += corrections,
                    Ok(false) => self.corrected += corrections,
                    Err(error) => return Some(Err(error)),
                }
            }
            Some(Ok(poll))
        })
    }
}
