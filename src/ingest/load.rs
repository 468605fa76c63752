//! Loading: a judged batch into the database, all or nothing.
//!
//! [`write()`] does it in the transaction that the caller holds. A batch of [`is_large`] size goes by
//! [`write_large`], in many: see [`landing`]. It must never know files, terminals or HTTP.

use std::collections::HashMap;
use std::path::Path;
use std::thread::{self, Scope};

use rusqlite::Connection;

use super::ahead::Ahead;
use super::batch::{Batch, SourceNote};
use super::last_in::{LastIn, Odd, Standing};
use super::late::{self, Early};
use super::runs::{Merge, Runs};
use crate::db::connection::PAGE_BYTES;
use crate::db::{fleet, schedules, store_keys};
use crate::db::landing::{self, Turn};
use crate::db::polls::{self, PollChange};
use crate::db::{Changed, Changes};
use crate::error::Result;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

/// How large the write-ahead log of one transaction may grow.
const LOG_BYTES_MAX: u64 = 192 << 20;

/// What a new poll takes in the log where many land side by side, pages that are only touched included.
const LOG_BYTES_A_POLL: u64 = 32;

/// How many polls of a large load one transaction lands.
const LANDED_POLLS: usize = 100_000;

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
/// When the database cannot be written: the transaction must then be rolled back.
pub fn write(db: &Connection, batch: Batch) -> Result<Summary> {
    write_rest(db, batch, Stores::default(), None)
}

/// The stores of a call, by their places in its list of ids.
#[derive(Debug, Default)]
pub(super) struct Stores {
    pub(super) keys: Vec<StoreKey>,
    /// How many of them no source had named before.
    new: u64,
}

impl Stores {
    /// Adds those that come next in the list.
    pub(super) fn add(&mut self, db: &Connection, ids: &[Box<str>]) -> Result<()> {
        let (keys, new) = store_keys::keys(db, ids)?;
        self.keys.extend(keys);
        self.new += new;
        Ok(())
    }
}

/// Writes a batch whose first ids are `stores` already, and some of whose polls are written.
pub(super) fn write_rest(
    db: &Connection,
    mut batch: Batch,
    mut stores: Stores,
    early: Option<Early>,
) -> Result<Summary> {
    let mut summary = Summary::new(&mut batch);
    stores.add(db, &batch.ids)?;
    summary.stores_new = stores.new;
    summary.count(write_fleet(db, &batch, &stores.keys)?);
    let polls = batch.take_polls();
    let odd = match early {
        None => write_polls(db, &stores.keys, polls, &mut summary)?,
        Some(Early::Written { new, odd }) => {
            let late = late::add(db, &stores.keys, polls)?;
            summary.accepted += new + late.new;
            let odd = odd.and(late.odd);
            summary.replaced += odd.corrections;
            odd
        }
        Some(Early::TakenBack { polls: early, odd }) => {
            summary.replaced += odd.corrections;
            let polls = early.followed_by(polls)?;
            odd.and(write_polls(db, &stores.keys, polls, &mut summary)?)
        }
    };
    summary.count_odd(&odd, &batch.polls_source);
    Ok(summary)
}

/// The polls that stand, sorted.
fn standing<'scope>(
    scope: &'scope Scope<'scope, '_>,
    polls: Runs,
) -> Result<Ahead<'scope, LastIn<Merge>>> {
    let is_long = polls.len() >= POLLS_AHEAD_MIN;
    let standing = LastIn::of(polls.into_sorted()?);
    Ok(if is_long {
        Ahead::there(scope, standing)
    } else {
        Ahead::Here(standing)
    })
}

/// Writes the polls that stand, and says what was odd about the others.
fn write_polls(
    db: &Connection,
    keys: &[StoreKey],
    polls: Runs,
    summary: &mut Summary,
) -> Result<Odd> {
    thread::scope(|scope| {
        let mut standing = standing(scope, polls)?;
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

/// Whether one transaction with all of the batch could make the log larger than it should be: by its
/// polls, or by the pages that polls touch which come in among older ones.
///
/// # Errors
/// When the database cannot be read.
pub fn is_large(db: &Connection, batch: &Batch) -> Result<bool> {
    let polls = batch.polls.len();
    let log_bytes = |pages: u64| polls * LOG_BYTES_A_POLL + pages * u64::from(PAGE_BYTES);
    if log_bytes(polls) <= LOG_BYTES_MAX {
        return Ok(false);
    }
    let newest = polls::newest(db)?;
    let is_late = batch
        .span
        .is_some_and(|(first, _)| newest.is_some_and(|newest| first <= newest));
    let touched = if is_late {
        polls.min(db.pragma_query_value(None, "page_count", |row| row.get(0))?)
    } else {
        0
    };
    Ok(log_bytes(touched) > LOG_BYTES_MAX)
}

/// Whether one transaction can take all rows of so many bytes of text, whatever they are: a poll is longer
/// there than in the log.
pub const fn fits(text_bytes: u64) -> bool {
    text_bytes <= LOG_BYTES_MAX
}

/// Writes a large batch in many transactions; readers see all of it at once, as soon as it is durable.
///
/// `file` is the database's. `last` is told the summary in the last of the transactions, and its answer
/// is returned. A load that ends early has done nothing, or all of it.
///
/// # Errors
/// When the database cannot be written, or another large load does not end; those of `last`.
pub fn write_large<T: Send + 'static>(
    db: &mut impl Changes,
    file: &Path,
    batch: Batch,
    last: impl FnOnce(&Connection, Summary) -> Result<T> + Send + 'static,
) -> Result<T> {
    let turn = Turn::wait(file)?;
    while db.change(landing::recover)? {}
    let written = land(db, batch, last);
    if written.is_err() {
        // What is left is cleared away now if it can be, else by whoever comes next.
        while db.change(landing::recover).unwrap_or(false) {}
    }
    drop(turn);
    written
}

/// The transactions of [`write_large`].
fn land<T: Send + 'static>(
    db: &mut impl Changes,
    mut batch: Batch,
    last: impl FnOnce(&Connection, Summary) -> Result<T> + Send + 'static,
) -> Result<T> {
    let mut summary = Summary::new(&mut batch);
    let ids = std::mem::take(&mut batch.ids);
    let keys = db.change(move |db| landing::begin(db, &ids))?;

    let polls = batch.take_polls();
    let source = &batch.polls_source;
    thread::scope(|scope| land_polls(scope, db, &keys, polls, source, &mut summary))?;

    let (changed, stores_new) = db.change(move |db| {
        let stores_new = landing::publish(db)?;
        Ok((write_fleet(db, &batch, &keys)?, stores_new))
    })?;
    summary.count(changed);
    summary.stores_new = stores_new;
    let mut rest = Some((summary, last));
    loop {
        let given = rest.take();
        let (back, answer) = db.change(move |db| {
            let Some(moved) = landing::move_some(db)? else {
                return Ok((given, None));
            };
            let answer = given.map(|(mut summary, last)| {
                summary.count(moved);
                last(db, summary)
            });
            Ok((None, answer.transpose()?))
        })?;
        rest = back;
        if let Some(answer) = answer {
            return Ok(answer);
        }
    }
}

/// Lands the polls, where nobody sees them yet.
fn land_polls<'scope>(
    scope: &'scope Scope<'scope, '_>,
    db: &mut impl Changes,
    keys: &[StoreKey],
    polls: Runs,
    source: &str,
    summary: &mut Summary,
) -> Result<()> {
    let mut standing = standing(scope, polls)?;
    loop {
        let (mut polls, mut corrected) = (Vec::new(), HashMap::new());
        for standing in standing.by_ref().take(LANDED_POLLS) {
            let standing = standing?;
            let poll = (keys[standing.store as usize], standing.poll);
            polls.push(poll);
            if standing.corrections > 0 {
                corrected.insert(poll, standing.corrections);
            }
        }
        if polls.is_empty() {
            break;
        }
        let changed = db.change(move |db| {
            landing::add(db, &polls)?;
            let mut changed = Changed::default();
            for ((store, poll), corrections) in corrected {
                changed += judge(db, store, poll, corrections)?;
            }
            Ok(changed)
        })?;
        summary.count(changed);
    }
    summary.count_odd(&standing.finish().odd, source);
    Ok(())
}

/// Takes up what a large load left behind that was killed: it is cleared away, or moved on.
///
/// Another process that is at it is left alone.
///
/// # Errors
/// When the database cannot be written.
pub fn recover(db: &mut impl Changes, file: &Path) -> Result<()> {
    if !db.change(landing::is_under_way)? {
        return Ok(());
    }
    let Some(turn) = Turn::take(file)? else {
        return Ok(());
    };
    while db.change(landing::recover)? {}
    drop(turn);
    Ok(())
}
