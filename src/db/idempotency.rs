//! Answers by `Idempotency-Key`: a repeated request gets the same answer and changes nothing.
//!
//! An answer is opaque text, written in the same transaction as its change. The oldest go first, by their order of
//! arrival: no clock decides, because one that jumps would forget answers, or keep them for ever.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::uptime::interval::Micros;

/// How many answers are kept.
const ANSWERS_MAX: i64 = 10_000;

/// How many bytes the answers have together, with their keys; the newest is kept whatever its size.
const ANSWERS_BYTES_MAX: u64 = 16 << 20;

/// An answer up to this length is short. Between two looks at the sizes come at most [`LOOK_EVERY`] short ones.
const SHORT_BYTES_MAX: usize = 64 << 10;

/// How many answers are stored between two looks at the sizes.
const LOOK_EVERY: i64 = 64;

/// How many bytes a look leaves: short answers that come before the next look fit into the rest.
const LEFT_BYTES: u64 = ANSWERS_BYTES_MAX - LOOK_EVERY as u64 * SHORT_BYTES_MAX as u64;

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

/// Looks for an earlier request with `key`.
///
/// # Errors
/// When the database cannot be read.
pub fn find(db: &Connection, key: &str, fingerprint: &str) -> Result<Earlier> {
    let mut select =
        db.prepare_cached("SELECT fingerprint, answer FROM idempotency WHERE credential = 0 AND key = ?1")?;
    let found: Option<(String, String)> = select
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Earlier::None,
        Some((known, answer)) if known == fingerprint => Earlier::Same(answer),
        Some(_) => Earlier::Other,
    })
}

/// Stores an answer, and deletes the oldest of those that are too many or too long together. `at` is for people who
/// look at the table.
///
/// # Errors
/// When the database cannot be written.
pub fn keep(db: &Connection, key: &str, fingerprint: &str, answer: &str, at: Micros) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO idempotency (credential, key, fingerprint, answer, answered_at)
         VALUES (0, ?1, ?2, ?3, ?4) RETURNING number",
    )?;
    let number: i64 = insert.query_row((key, fingerprint, answer, at), |row| row.get(0))?;
    let mut delete = db.prepare_cached("DELETE FROM idempotency WHERE number <= ?1")?;
    delete.execute([number - ANSWERS_MAX])?;
    let is_long = key.len() + fingerprint.len() + answer.len() > SHORT_BYTES_MAX;
    if is_long || number % LOOK_EVERY == 0 {
        delete.execute([last_beyond(db, number)?])?;
    }
    Ok(())
}

/// The last answer before which, and with which, all must go, so that the newer ones have [`LEFT_BYTES`] together.
fn last_beyond(db: &Connection, newest: i64) -> Result<i64> {
    // The lengths are in the heads of the rows: long answers are not read.
    let mut select = db.prepare_cached(
        "SELECT number, octet_length(key) + octet_length(fingerprint) + octet_length(answer)
         FROM idempotency ORDER BY number DESC",
    )?;
    let mut rows = select.query([])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        bytes += row.get::<_, u64>(1)?;
        if bytes > LEFT_BYTES && number != newest {
            return Ok(number);
        }
    }
    Ok(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::write;
    use super::*;

    fn held(db: &Connection) -> (i64, u64) {
        let sql =
            "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(fingerprint) + octet_length(answer)), 0)
                   FROM idempotency";
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    #[test]
    fn the_newest_answers_are_kept_whatever_any_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let more = 100;
        write(&mut db, |db| {
            // A clock that runs backwards.
            (0..ANSWERS_MAX + more).try_for_each(|number| keep(db, &number.to_string(), "same", "{}", -number))
        })
        .unwrap();
        assert_eq!(held(&db).0, ANSWERS_MAX);
        assert_eq!(find(&db, &(more - 1).to_string(), "same").unwrap(), Earlier::None);
        let same = Earlier::Same("{}".to_owned());
        assert_eq!(find(&db, &more.to_string(), "same").unwrap(), same);
        assert_eq!(find(&db, &more.to_string(), "other").unwrap(), Earlier::Other);
    }

    #[test]
    fn long_answers_push_the_oldest_out_and_never_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let mut most = 0;
        for (round, bytes) in [60 << 10, 1 << 10, 5 << 20, 64 << 10, 20 << 20, 10]
            .into_iter()
            .enumerate()
        {
            let answer = "x".repeat(bytes);
            for number in 0..400_usize.min((64 << 20) / bytes) {
                let key = format!("{round} {number}");
                write(&mut db, |db| keep(db, &key, "same", &answer, 0)).unwrap();
                let (count, held) = held(&db);
                assert!(held <= ANSWERS_BYTES_MAX || count == 1, "{held} bytes of {count}");
                assert!(matches!(find(&db, &key, "same").unwrap(), Earlier::Same(_)));
                most = most.max(held.min(ANSWERS_BYTES_MAX));
            }
        }
        assert!(most > ANSWERS_BYTES_MAX / 2, "{most}");
    }
}
