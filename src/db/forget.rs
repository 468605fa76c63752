//! Deleting: a store with its rows, polls of a span, made-up stores, and old polls, whose space returns to the disk.
//!
//! Callers pass the instant; this file reads no clock.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::audit::{Action, Author};
use super::poll_table::{self, Deleted, Taken};
use super::schedules::ValidFrom;
use super::{
    acknowledgements, digest, disk, generation, incident_reasons, made_up, packed, polls, reports, reserve, schedules,
    special_hours, store_keys, write,
};
use crate::civil;
use crate::error::Result;
use crate::uptime::calendar::LocalDate;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{DAY, Interval, Micros};

/// How many polls one transaction deletes: the write-ahead log stays small, and other writers get a turn.
const PRUNE_POLLS: u32 = 200_000;

/// The file is rewritten if at least one part in this many is free.
const FREE_SHARE: i64 = 10;

/// How often `VACUUM` writes the pages that stay: into a file of its own, then into the log.
const VACUUM_COPIES: i64 = 2;

/// Deletes a store and all its rows; returns how many polls it had, or none if there is no such store.
///
/// # Errors
/// When the database cannot be written.
pub fn store(db: &Connection, id: &str) -> Result<Option<u64>> {
    reserve::make_room(db);
    let mut delete = db.prepare_cached("DELETE FROM store WHERE store_id = ?1 RETURNING key")?;
    let key: Option<StoreKey> = delete.query_row([id], |row| row.get(0)).optional()?;
    let Some(key) = key else {
        return Ok(None);
    };
    db.execute("DELETE FROM store_hours WHERE store = ?1", [key])?;
    incident_reasons::forget_store(db, key)?;
    acknowledgements::forget_store(db, key)?;
    schedules::forget_unused(db)?;
    special_hours::forget_unused(db)?;
    let polls = delete_polls(db, Taken::Of(key, polls::ALL_TIME))?;
    generation::advance(db, generation::Kind::Fleet)?;
    generation::advance(db, generation::Kind::Polls)?;
    Ok(Some(polls))
}

/// Takes a store's polls within `span` back; returns how many there were, or none if there is no such store.
///
/// # Errors
/// When the database cannot be written.
pub fn polls_of(db: &Connection, id: &str, span: Interval) -> Result<Option<u64>> {
    reserve::make_room(db);
    let Some(key) = key_of(db, id)? else {
        return Ok(None);
    };
    let polls = delete_polls(db, Taken::Of(key, span))?;
    if polls > 0 {
        generation::advance(db, generation::Kind::Polls)?;
        store_keys::unmark_polled(db, key)?;
    }
    Ok(Some(polls))
}

/// Takes the version of a store's business hours that holds from that date (none: from the beginning) back; returns how
/// many rows it had, or none if there is no such store.
///
/// # Errors
/// When the database cannot be written.
pub fn version_of(db: &Connection, id: &str, valid_from: ValidFrom) -> Result<Option<u64>> {
    reserve::make_room(db);
    let key = key_of(db, id)?;
    key.map(|key| schedules::remove(db, key, valid_from)).transpose()
}

/// Takes a store's special hours of a date back; returns how many rows there were, or none if there is no such store.
///
/// # Errors
/// When the database cannot be written.
pub fn special_day_of(db: &Connection, id: &str, date: LocalDate) -> Result<Option<u64>> {
    reserve::make_room(db);
    let key = key_of(db, id)?;
    key.map(|key| special_hours::remove(db, key, date)).transpose()
}

fn key_of(db: &Connection, id: &str) -> Result<Option<StoreKey>> {
    let mut select = db.prepare_cached("SELECT key FROM store WHERE store_id = ?1")?;
    Ok(select.query_row([id], |row| row.get(0)).optional()?)
}

/// Deletes polls and the packed form of their hours; returns how many polls there were.
fn delete_polls(db: &Connection, taken: Taken) -> Result<u64> {
    let Deleted { polls, hours } = poll_table::delete(db, taken)?;
    packed::forget_hours(db, &hours)?;
    Ok(polls)
}

/// Takes the made-up stores out with all that was made of them, if there are no others; returns how many there were and
/// the ids of the reports that went with them, or none if nothing was made up.
///
/// # Errors
/// When the database cannot be written.
pub fn made_up(db: &Connection) -> Result<Option<(usize, Vec<Uuid>)>> {
    if !made_up::is_present(db)? {
        return Ok(None);
    }
    reserve::make_room(db);
    // They are all there is.
    db.execute_batch(
        "DELETE FROM poll; DELETE FROM store_hours; DELETE FROM incident_reason; DELETE FROM acknowledgement;",
    )?;
    let stores = db.execute("DELETE FROM store", [])?;
    digest::forget_polls(db)?;
    schedules::forget_unused(db)?;
    special_hours::forget_unused(db)?;
    packed::forget(db, polls::ALL_TIME)?;
    let forgotten = reports::forget_made_up(db, made_up::PREFIX)?;
    generation::advance(db, generation::Kind::Fleet)?;
    generation::advance(db, generation::Kind::Polls)?;
    Ok(Some((stores, forgotten)))
}

/// Deletes polls older than `before`, up to the limit of one transaction; returns how many. Later polls use
/// their pages again.
///
/// # Errors
/// When the database cannot be written.
pub fn prune_some(db: &Connection, before: Micros, author: &Author) -> Result<u64> {
    reserve::make_room(db);
    let mut next = db.prepare_cached("SELECT at FROM poll WHERE at < ?1 ORDER BY at LIMIT 1 OFFSET ?2")?;
    let mut cuts = next.query_map((before, PRUNE_POLLS), |row| row.get(0))?;
    let cut: Micros = cuts.next().transpose()?.unwrap_or(before);
    let polls = delete_polls(db, Taken::Before(cut))?;
    if polls > 0 {
        generation::advance(db, generation::Kind::Polls)?;
        author.did(db, Action::Prune, "polls", polls)?;
    }
    Ok(polls)
}

/// Deletes all polls older than `before` and returns their space to the disk; returns how many.
///
/// The rest of the file is written again, which needs as much room once more, while other writers wait. (A file
/// that can shrink page by page would make every import a tenth slower.)
///
/// # Errors
/// When the database cannot be written; polls deleted before that stay deleted.
pub fn prune(db: &mut Connection, before: Micros, author: &Author) -> Result<u64> {
    let mut total = 0;
    loop {
        let polls = write(db, |db| prune_some(db, before, author))?;
        total += polls;
        if polls == 0 {
            break;
        }
    }
    let pages = |what| db.pragma_query_value(None, what, |row| row.get::<_, i64>(0));
    let (free, all) = (pages("freelist_count")?, pages("page_count")?);
    if free * FREE_SHARE <= all {
        return Ok(total);
    }
    if disk::has_room(db, (all - free) * VACUUM_COPIES)? {
        db.execute_batch("VACUUM")?;
    } else {
        tracing::warn!("the file keeps its size, for the disk has no room to write it again; later polls fill it");
    }
    Ok(total)
}

/// The refusal of a retention by days that would forget more than half of the polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// How many polls would go.
    pub old: u64,
    /// How many there are.
    pub all: u64,
    /// The instant before which they would go.
    pub before: Micros,
}

impl TooMany {
    /// The figures and the remedy for the database `file`, as a sentence without its full stop.
    pub fn sentence(&self, file: &Path) -> String {
        let (before, file) = (civil::format_utc(self.before), file.display());
        format!(
            "{} of {} polls are older than {before}. Retention never forgets more than half of them, so it forgot none: a \
             poll with a wrong date makes all others look old (if they are old, run: store-monitor import --database \
             '{file}' --prune-before '{before}')",
            self.old, self.all
        )
    }
}

/// How many polls the two sides of a cut are first compared by.
const COMPARED_POLLS: i64 = 1 << 12;

/// Whether the polls before `before` are more than half of all: then retention must not forget them. It reads about
/// as many rows as the smaller side has.
///
/// # Errors
/// When the database cannot be read.
pub fn too_many(db: &Connection, before: Micros) -> Result<Option<TooMany>> {
    let mut old = db.prepare_cached("SELECT 1 FROM poll WHERE at < ?1 LIMIT 1 OFFSET ?2")?;
    let mut kept = db.prepare_cached("SELECT 1 FROM poll WHERE at >= ?1 LIMIT 1 OFFSET ?2")?;
    let mut count = COMPARED_POLLS;
    loop {
        let place = (before, count - 1);
        match (old.exists(place)?, kept.exists(place)?) {
            (true, true) => count = count.saturating_mul(2),
            // Fewer than `count` are old, and as many are kept.
            (false, true) => return Ok(None),
            (_, false) => break,
        }
    }
    let count = |sql| db.query_row(sql, [before], |row| row.get::<_, u64>(0));
    let old = count("SELECT count(*) FROM poll WHERE at < ?1")?;
    let kept = count("SELECT count(*) FROM poll WHERE at >= ?1")?;
    let all = old + kept;
    Ok((old > kept).then_some(TooMany { old, all, before }))
}

/// The instant before which polls are too old if the `days` days up to the newest poll are kept; none without
/// polls.
///
/// # Errors
/// When the database cannot be read.
pub fn cut(db: &Connection, days: u32) -> Result<Option<Micros>> {
    Ok(polls::newest(db)?.map(|newest| newest - i64::from(days) * DAY))
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::*;
    use crate::uptime::poll::{Poll, Status};

    #[test]
    fn old_polls_go_and_their_space_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let mut db = open_writer(&file).unwrap();
        let rows = (0..300_000).map(|at| Ok((1, Poll::new(at, Status::Active))));
        write(&mut db, |db| polls::add(db, rows)).unwrap();
        let pages = |db: &Connection| -> i64 { db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap() };
        let full = pages(&db);
        assert_eq!(prune(&mut db, 299_990, &Author::command(0)).unwrap(), 299_990);
        assert!(pages(&db) < full / 10, "{} of {full} pages are left", pages(&db));
        assert_eq!(prune(&mut db, 299_990, &Author::command(0)).unwrap(), 0);
        assert_eq!(polls::newest(&db).unwrap(), Some(299_999));
        assert_eq!(cut(&db, 1).unwrap(), Some(299_999 - DAY));
    }

    #[test]
    fn exactly_half_of_the_polls_may_go_and_not_one_more() {
        for half in [
            1,
            2,
            COMPARED_POLLS - 1,
            COMPARED_POLLS,
            COMPARED_POLLS + 1,
            3 * COMPARED_POLLS,
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut db = open_writer(&folder.path().join("a.db")).unwrap();
            let rows = (0..2 * half).map(|at| Ok((1, Poll::new(at, Status::Active))));
            write(&mut db, |db| polls::add(db, rows)).unwrap();
            for before in [0, 1, half - 1, half] {
                assert_eq!(too_many(&db, before).unwrap(), None, "{before} of {half}");
            }
            let whole = u64::try_from(2 * half).unwrap();
            for (before, old) in [(half + 1, whole / 2 + 1), (2 * half, whole), (9 * half, whole)] {
                let all = whole;
                assert_eq!(too_many(&db, before).unwrap(), Some(TooMany { old, all, before }));
            }
        }
    }
}
