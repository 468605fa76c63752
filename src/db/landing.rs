//! Landing: a load of polls too large for one transaction, which is still seen whole or not at all.
//!
//! One transaction of that size would write a log as large as all it touches. So the polls are added to
//! a table of their own, in as many transactions as it takes ([`begin`], [`add`]); one small transaction
//! declares them landed ([`publish`]), which is when readers see them, all at once; and in small steps
//! they move to where all polls are ([`move_some`]). Each transaction is bounded, so the log is.
//!
//! Readers and writers meet it in a few places: `source` is what queries read polls from meanwhile,
//! `settle` keeps "the last one in stands" for polls that come in before theirs has moved, and new
//! stores respect the keys that [`begin`] gave out. A load that was killed before it landed never
//! happened: [`recover`] clears it away. One that has landed did happen, and is moved on.
//!
//! It must never know where the polls come from.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::polls::{Upsert, insert_in_chunks};
use super::{Changed, fleet, generation, packed};
use crate::error::{Error, Result};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::poll::Poll;

/// How many polls move in one transaction. Where each of them touches a page of its own the log grows
/// by 64 MiB.
const MOVED_POLLS: u32 = 8192;

/// How long a load waits for another one's end before it is turned away.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// How often it looks.
const TURN_EVERY: Duration = Duration::from_millis(20);

/// The right to land a load: one at a time, whichever process holds it. It ends with the process at the
/// latest, however that ends.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held for its lock")] File);

impl Turn {
    /// Waits for the right to land a load in the database `file`.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind) when another load does not end for long.
    pub fn wait(file: &Path) -> Result<Self> {
        let begun = Instant::now();
        loop {
            if let Some(turn) = Self::take(file)? {
                return Ok(turn);
            }
            if begun.elapsed() >= TURN_WITHIN {
                return Err(Error::unavailable(
                    "another large load is under way (try again when it has ended)",
                ));
            }
            thread::sleep(TURN_EVERY);
        }
    }

    /// The right, if nobody has it.
    ///
    /// # Errors
    /// When the file that stands for it cannot be made beside the database.
    pub fn take(file: &Path) -> Result<Option<Self>> {
        // A file of its own: to open and close the database's would drop SQLite's locks on it.
        let mut name = file.as_os_str().to_owned();
        name.push("-landing");
        let failed = |error| {
            Error::failed("cannot lock the database for a large load (is its folder writable?)")
                .because(error)
        };
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(name).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self(lock))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// Whether a load has landed and not yet moved.
pub(super) fn has_landed(db: &Connection) -> Result<bool> {
    let mut select = db.prepare_cached("SELECT landed FROM landing")?;
    let landed: Option<bool> = select.query_row([], |row| row.get(0)).optional()?;
    Ok(landed == Some(true))
}

/// What queries select polls from, under the name `poll`: the table alone, or with what has landed and
/// not yet moved.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn source(db: &Connection) -> Result<&'static str> {
    Ok(if has_landed(db)? {
        "(SELECT at, store, active FROM landing_poll
          UNION ALL
          SELECT at, store, active FROM poll WHERE NOT EXISTS (SELECT 1 FROM landing_poll
              WHERE landing_poll.at = poll.at AND landing_poll.store = poll.store)) AS poll"
    } else {
        "poll"
    })
}

/// Begins a load that names the stores `ids`; returns their keys, in their order.
///
/// Keys of new stores are kept for them, also against others who name the same store meanwhile.
/// The caller has its [`Turn`], and [`recover`] has found nothing left.
///
/// # Errors
/// When the database cannot be written.
pub fn begin(db: &Connection, ids: &[Box<str>]) -> Result<Vec<StoreKey>> {
    db.execute("INSERT INTO landing VALUES (1, 0, 0, 0, 0)", [])?;
    fleet::reserve_keys(db, ids)
}

/// Adds polls to the load, which nobody sees yet; no store twice at one instant among all of them.
///
/// # Errors
/// When the database cannot be written.
pub fn add(db: &Connection, polls: &[(StoreKey, Poll)]) -> Result<()> {
    insert_in_chunks(db, "landing_poll", polls)
}

/// Makes the load visible, with its stores. Returns how many of those are new.
///
/// # Errors
/// When the database cannot be written.
pub fn publish(db: &Connection) -> Result<u64> {
    let stores = db.execute(
        "INSERT INTO store (key, store_id) SELECT key, store_id FROM landing_store WHERE true
         ON CONFLICT (store_id) DO NOTHING",
        [],
    )? as u64;
    db.execute("DELETE FROM landing_store", [])?;
    let (first, last): (Option<Micros>, Option<Micros>) =
        db.query_row("SELECT min(at), max(at) FROM landing_poll", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if let (Some(first), Some(last)) = (first, last) {
        // None is packed again before all have moved.
        packed::forget(db, Interval::new(first, last + 1))?;
    }
    db.execute("UPDATE landing SET landed = 1", [])?;
    generation::advance(db, generation::Kind::Polls)?;
    if stores > 0 {
        generation::advance(db, generation::Kind::Fleet)?;
    }
    Ok(stores)
}

/// Moves some of the polls that have landed; none when more are left, else what the whole load did.
///
/// What readers see stays the same.
///
/// # Errors
/// When the database cannot be written.
pub fn move_some(db: &Connection) -> Result<Option<Changed>> {
    let mut next = db.prepare_cached(
        "SELECT at, store FROM landing_poll ORDER BY at, store LIMIT 1 OFFSET ?1",
    )?;
    let cut: Option<(i64, StoreKey)> = next
        .query_row([MOVED_POLLS], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let is_last = cut.is_none();
    let cut = cut.unwrap_or((i64::MAX, StoreKey::MAX));
    let polls: u64 = if is_last {
        db.query_row("SELECT count(*) FROM landing_poll", [], |row| row.get(0))?
    } else {
        MOVED_POLLS.into()
    };
    let slice = "SELECT at, store, active FROM landing_poll WHERE (at, store) < (?1, ?2)";
    let insert = format!("INSERT INTO poll {slice} ON CONFLICT DO NOTHING");
    let new = db.prepare_cached(&insert)?.execute(cut)? as u64;
    let replaced = if new < polls {
        let replace = format!(
            "INSERT INTO poll {slice}
             ON CONFLICT DO UPDATE SET active = excluded.active WHERE active <> excluded.active"
        );
        db.prepare_cached(&replace)?.execute(cut)? as u64
    } else {
        0
    };
    db.prepare_cached("DELETE FROM landing_poll WHERE (at, store) < (?1, ?2)")?
        .execute(cut)?;
    count(
        db,
        Changed {
            new,
            replaced,
            unchanged: polls - new - replaced,
        },
    )?;
    if !is_last {
        return Ok(None);
    }
    let moved = db.query_row(
        "DELETE FROM landing RETURNING new, replaced, unchanged",
        [],
        |row| {
            Ok(Changed {
                new: row.get(0)?,
                replaced: row.get(1)?,
                unchanged: row.get(2)?,
            })
        },
    )?;
    Ok(Some(moved))
}

/// Adds to what the load has done so far.
fn count(db: &Connection, moved: Changed) -> Result<()> {
    db.prepare_cached(
        "UPDATE landing SET new = new + ?1, replaced = replaced + ?2, unchanged = unchanged + ?3",
    )?
    .execute((moved.new, moved.replaced, moved.unchanged))?;
    Ok(())
}

/// Moves those of the landed polls that `polls` are about to overrule, so that the last one in stands.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn settle(db: &Connection, polls: &[(StoreKey, Poll)]) -> Result<()> {
    let mut take = db
        .prepare_cached("DELETE FROM landing_poll WHERE at = ?1 AND store = ?2 RETURNING active")?;
    let mut upsert = Upsert::prepare(db, 1)?;
    for &(store, poll) in polls {
        let landed: Option<bool> = take
            .query_row((poll.at(), store), |row| row.get(0))
            .optional()?;
        let Some(active) = landed else { continue };
        let landed = Poll::new(poll.at(), super::polls::status(active));
        let moved = upsert.run(&[(store, landed)])?;
        count(db, moved)?;
    }
    Ok(())
}

/// Forgets what has landed of a store; returns how many polls that is beside those in `poll`.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget_store(db: &Connection, store: StoreKey) -> Result<u64> {
    if !has_landed(db)? {
        return Ok(0);
    }
    let beside = db.query_row(
        "SELECT count(*) FROM landing_poll WHERE store = ?1 AND NOT EXISTS (SELECT 1 FROM poll
             WHERE poll.at = landing_poll.at AND poll.store = landing_poll.store)",
        [store],
        |row| row.get(0),
    )?;
    db.execute("DELETE FROM landing_poll WHERE store = ?1", [store])?;
    Ok(beside)
}

/// Whether a load is on its way, or was when somebody was killed.
///
/// # Errors
/// When the database cannot be read.
pub fn is_under_way(db: &Connection) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM landing")?.exists([])?)
}

/// Takes one step towards a database without a load: clears away one that never landed, moves some of
/// one that did. Returns whether more is to be done. The caller has its [`Turn`].
///
/// # Errors
/// When the database cannot be written.
pub fn recover(db: &Connection) -> Result<bool> {
    if has_landed(db)? {
        return Ok(move_some(db)?.is_none());
    }
    // A table that is emptied whole gives its pages back without a word in the log on each.
    db.execute_batch("DELETE FROM landing_poll; DELETE FROM landing_store; DELETE FROM landing")?;
    Ok(false)
}
