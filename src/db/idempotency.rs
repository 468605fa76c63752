//! Answers by `Idempotency-Key`: a repeated request gets the same answer and changes nothing.
//!
//! An answer is opaque text, written in the same transaction as its change. Each credential has keys of its own, and
//! its oldest answers go first, by their order of arrival: no clock decides, because one that jumps would forget
//! answers, or keep them for ever.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::uptime::interval::Micros;

/// The longest answer.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How many answers each credential has.
const ANSWERS_MAX: u64 = 10_000;

/// How many bytes the answers of a credential have together, with their keys.
const ANSWERS_BYTES_MAX: u64 = 16 << 20;

/// How many answers all credentials have together.
const ALL_ANSWERS_MAX: u64 = 100_000;

/// How many bytes they have together.
const ALL_ANSWERS_BYTES_MAX: u64 = 160 << 20;

/// How many answers are stored between two looks at their sizes.
const LOOK_EVERY: u64 = 64;

/// How many bytes a look leaves free: the answers that come before the next look fit into them. An answer has a key and
/// a fingerprint, of less than 2 KiB together.
const FREE_BYTES: u64 = LOOK_EVERY * (ANSWER_BYTES_MAX as u64 + 2048);

/// The earlier request with a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Earlier {
    /// None that is still known.
    None,
    /// The same request, and its answer.
    Same(String),
    /// A different request.
    Other,
}

/// Looks for an earlier request of `credential` with `key`.
///
/// # Errors
/// When the database cannot be read.
pub fn find(db: &Connection, credential: i64, key: &str, fingerprint: &str) -> Result<Earlier> {
    let mut select =
        db.prepare_cached("SELECT fingerprint, answer FROM idempotency WHERE credential = ?1 AND key = ?2")?;
    let found: Option<(String, String)> = select
        .query_row((credential, key), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Earlier::None,
        Some((known, answer)) if known == fingerprint => Earlier::Same(answer),
        Some(_) => Earlier::Other,
    })
}

/// Stores an answer to `credential`, and deletes the oldest of those that are too many or too long together. `at` is
/// for people who look at the table.
///
/// # Errors
/// When the answer is too long, or the database cannot be written.
pub fn keep(db: &Connection, credential: i64, key: &str, fingerprint: &str, answer: &str, at: Micros) -> Result<()> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(Error::failed("an answer is too long to be kept"));
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO idempotency (credential, key, fingerprint, answer, answered_at)
         VALUES (?1, ?2, ?3, ?4, ?5) RETURNING number",
    )?;
    let number: i64 = insert.query_row((credential, key, fingerprint, answer, at), |row| row.get(0))?;
    if number.cast_unsigned().is_multiple_of(LOOK_EVERY) {
        forget_old(db)?;
    }
    Ok(())
}

/// Deletes answers so that each credential, and all together, have room for those before the next look.
fn forget_old(db: &Connection) -> Result<()> {
    // The lengths are in the heads of the rows: long answers are not read.
    let mut select = db.prepare_cached(
        "SELECT number, credential, octet_length(key) + octet_length(fingerprint) + octet_length(answer)
         FROM idempotency ORDER BY number DESC",
    )?;
    let mut delete = db.prepare_cached("DELETE FROM idempotency WHERE number = ?1")?;
    let (mut own, mut all): (HashMap<i64, Held>, _) = (HashMap::new(), Held::default());
    let mut gone = Vec::new();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (number, credential, bytes): (i64, i64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let fits = own
            .entry(credential)
            .or_default()
            .add(bytes, ANSWERS_MAX, ANSWERS_BYTES_MAX)
            && all.add(bytes, ALL_ANSWERS_MAX, ALL_ANSWERS_BYTES_MAX);
        if !fits {
            gone.push(number);
        }
    }
    for number in gone {
        delete.execute([number])?;
    }
    Ok(())
}

/// How many answers are held, from the newest on.
#[derive(Default)]
struct Held {
    answers: u64,
    bytes: u64,
}

impl Held {
    /// Adds an answer; returns whether it may stay.
    fn add(&mut self, bytes: u64, answers_max: u64, bytes_max: u64) -> bool {
        (self.answers, self.bytes) = (self.answers + 1, self.bytes + bytes);
        self.answers <= answers_max - LOOK_EVERY && self.bytes <= bytes_max - FREE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::write;
    use super::*;

    fn held(db: &Connection, credential: i64) -> (u64, u64) {
        let sql =
            "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(fingerprint) + octet_length(answer)), 0)
                   FROM idempotency WHERE credential = ?1";
        db.query_row(sql, [credential], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    }

    #[test]
    fn the_newest_answers_of_each_credential_are_kept_whatever_any_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        write(&mut db, |db| keep(db, 7, "0", "same", "{}", 0)).unwrap();
        let last = 10_200;
        write(&mut db, |db| {
            // A clock that runs backwards.
            (0..=last).try_for_each(|number| keep(db, 0, &number.to_string(), "same", "{}", -number))
        })
        .unwrap();
        let (answers, _) = held(&db, 0);
        assert!(
            (ANSWERS_MAX - 2 * LOOK_EVERY..=ANSWERS_MAX).contains(&answers),
            "{answers}"
        );
        assert_eq!(find(&db, 0, "0", "same").unwrap(), Earlier::None);
        let same = Earlier::Same("{}".to_owned());
        let key = last.to_string();
        assert_eq!(find(&db, 0, &key, "same").unwrap(), same);
        assert_eq!(find(&db, 0, &key, "other").unwrap(), Earlier::Other);
        // Another's flood forgets nobody's, and nobody's key is another's.
        assert_eq!(find(&db, 7, "0", "same").unwrap(), same);
        assert_eq!(find(&db, 7, &key, "same").unwrap(), Earlier::None);
    }

    #[test]
    fn long_answers_push_the_oldest_out_and_never_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let mut most = 0;
        for (round, bytes) in [60 << 10, 1 << 10, ANSWER_BYTES_MAX, 10].into_iter().enumerate() {
            let answer = "x".repeat(bytes);
            for number in 0..600 {
                let key = format!("{round} {number}");
                write(&mut db, |db| keep(db, 3, &key, "same", &answer, 0)).unwrap();
                let (_, bytes) = held(&db, 3);
                assert!(bytes <= ANSWERS_BYTES_MAX, "{bytes}");
                assert!(matches!(find(&db, 3, &key, "same").unwrap(), Earlier::Same(_)));
                most = most.max(bytes);
            }
        }
        assert!(most > ANSWERS_BYTES_MAX / 2, "{most}");
        let too_long = "x".repeat(ANSWER_BYTES_MAX + 1);
        assert!(write(&mut db, |db| keep(db, 3, "k", "same", &too_long, 0)).is_err());
    }

    #[test]
    fn many_credentials_have_a_bound_together() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let answer = "x".repeat(ANSWER_BYTES_MAX);
        write(&mut db, |db| {
            (0..3000).try_for_each(|number| keep(db, number % 20, &number.to_string(), "same", &answer, 0))
        })
        .unwrap();
        let bytes: u64 = (0..20).map(|credential| held(&db, credential).1).sum();
        assert!(
            bytes <= ALL_ANSWERS_BYTES_MAX && bytes > ALL_ANSWERS_BYTES_MAX / 2,
            "{bytes}"
        );
        assert!(matches!(find(&db, 19, "2999", "same").unwrap(), Earlier::Same(_)));
    }
}
