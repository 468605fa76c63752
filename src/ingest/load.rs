//! Loading: a judged batch into the database, all or nothing, in the one transaction that the caller holds.

use std::thread;

use rusqlite::Connection;

use super::ahead::Ahead;
use super::batch::{Batch, SourceNote};
use super::last_in::{LastIn, Odd, Standing};
use super::runs::Runs;
use crate::db::Changed;
use crate::db::polls::{self, PollChange};
use crate::db::{disk, fleet, schedules, store_keys};
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

/// From how many polls on they are merged on a thread of their own, a little ahead of the database.
const POLLS_AHEAD_MIN: u64 = 1 << 16;

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

impl Summary {
    /// What is known of a batch before its rows meet the database.
    fn new(batch: &mut Batch) -> Self {
        Self {
            unchanged: batch.repeats,
            rejected: batch.rejected,
            span: batch.span,
            notes: std::mem::take(&mut batch.notes),
            ..Self::default()
        }
    }

    /// Counts what sorting has shown, but for corrections; `source` is the input that had the polls.
    fn count_odd(&mut self, odd: &Odd, source: &str) {
        self.unchanged += odd.repeats;
        let note = |note| SourceNote {
            source: source.to_owned(),
            note,
        };
        self.notes.extend(odd.notes.iter().map(note));
    }

    fn count(&mut self, changed: Changed) {
        self.accepted += changed.new;
        self.replaced += changed.replaced;
        self.unchanged += changed.unchanged;
    }
}

/// Writes a batch; the caller holds the transaction.
///
/// # Errors
/// When the disk has too little room for the polls, or the database cannot be written: the transaction must
/// then be rolled back.
pub fn write(db: &Connection, mut batch: Batch) -> Result<Summary> {
    let is_late = match (batch.span, polls::newest(db)?) {
        (Some((first, _)), Some(newest)) => first <= newest,
        _ => false,
    };
    disk::require(db, batch.polls.len(), is_late)?;
    let mut summary = Summary::new(&mut batch);
    let (keys, stores_new) = store_keys::keys(db, &batch.ids)?;
    summary.stores_new = stores_new;
    summary.count(write_fleet(db, &batch, &keys)?);
    let odd = write_polls(db, &keys, batch.take_polls(), &mut summary)?;
    summary.count_odd(&odd, &batch.polls_source);
    Ok(summary)
}

/// Writes the polls that stand, and says what was odd about the others.
fn write_polls(
    db: &Connection,
    keys: &[StoreKey],
    polls: Runs,
    summary: &mut Summary,
) -> Result<Odd> {
    thread::scope(|scope| {
        let is_long = polls.len() >= POLLS_AHEAD_MIN;
        let sorted = LastIn::of(polls.into_sorted()?);
        let mut standing = match is_long {
            true => Ahead::there(scope, sorted),
            false => Ahead::Here(sorted),
        };
        let mut corrected = Changed::default();
        let polls = standing.by_ref().map(|standing| {
            let Standing {
                store,
                poll,
                corrections,
            } = standing?;
            let store = keys[store as usize];
            if corrections > 0 {
                corrected += judge(db, store, poll, corrections)?;
            }
            Ok((store, poll))
        });
        let added = polls::add(db, polls)?;
        summary.change = added.change;
        summary.count(added.polls);
        summary.count(corrected);
        Ok(standing.finish().odd)
    })
}

/// Writes what a batch says of stores themselves.
fn write_fleet(db: &Connection, batch: &Batch, keys: &[StoreKey]) -> Result<Changed> {
    let key = |store: u32| keys[store as usize];
    let hours = batch.hours.iter();
    let hours = hours.map(|(&store, rows)| (key(store), rows.keys().copied().collect()));
    let zones = batch
        .zones
        .iter()
        .map(|(&store, zone)| (key(store), &**zone));
    let labels = batch
        .labels
        .iter()
        .map(|(&store, label)| (key(store), label));
    let mut changed = schedules::replace(db, hours)?;
    changed += fleet::replace_zones(db, zones)?;
    changed += fleet::replace_labels(db, labels)?;
    Ok(changed)
}

/// What rows come to that corrected another of the same call, the last of them being `poll`: a call
/// that is made again finds its last word there already, and changes nothing.
fn judge(db: &Connection, store: StoreKey, poll: Poll, corrections: u64) -> Result<Changed> {
    let mut changed = Changed::default();
    if polls::is_stored(db, store, poll)? {
        changed.unchanged = corrections;
    } else {
        changed.replaced = corrections;
    }
    Ok(changed)
}
