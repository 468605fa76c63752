//! The sessions of browsers: each belongs to the token that it logged in with.

use rusqlite::Connection;

use crate::access::secret::Hash;
use crate::db::generation;
use crate::error::Result;
use crate::uptime::interval::Micros;

/// How many browsers may be logged in with one token; the one that was idle longest goes.
const SESSIONS_MAX: i64 = 1000;

/// A browser that has logged in.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// What is stored of its cookie.
    pub hash: Hash,
    /// The key of its token.
    pub credential: i64,
    /// When it logged in.
    pub created_at: Micros,
    /// When it was last used, at most a minute before the truth.
    pub last_used_at: Micros,
}

/// Stores a session, and deletes the one of the same token that was idle longest if there are too many.
///
/// # Errors
/// When the database cannot be written.
pub fn log_in(db: &Connection, hash: &Hash, credential: i64, at: Micros) -> Result<()> {
    db.execute(
        "INSERT INTO session (hash, credential, created_at, last_used_at) VALUES (?1, ?2, ?3, ?3)",
        (hash.bytes(), credential, at),
    )?;
    db.execute(
        "DELETE FROM session WHERE hash IN (
             SELECT hash FROM session WHERE credential = ?1 ORDER BY last_used_at DESC LIMIT -1 OFFSET ?2)",
        (credential, SESSIONS_MAX),
    )?;
    generation::advance(db, generation::Kind::Access)
}

/// Deletes a session.
///
/// # Errors
/// When the database cannot be written.
pub fn log_out(db: &Connection, hash: &Hash) -> Result<()> {
    db.execute("DELETE FROM session WHERE hash = ?1", [hash.bytes()])?;
    generation::advance(db, generation::Kind::Access)
}

/// Deletes the sessions that were last used before `idle_since`.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_idle(db: &Connection, idle_since: Micros) -> Result<()> {
    let gone = db.execute("DELETE FROM session WHERE last_used_at < ?1", [idle_since])?;
    match gone {
        0 => Ok(()),
        _ => generation::advance(db, generation::Kind::Access),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::secret::{Kind, Secret};
    use crate::db::connection::open_writer;
    use crate::db::credentials::all;
    use crate::db::write;

    #[test]
    fn the_browser_that_was_idle_longest_goes_when_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        write(&mut db, |db| {
            (0..SESSIONS_MAX + 5).try_for_each(|at| log_in(db, &Secret::new(Kind::Session).unwrap().hash(), 1, at))?;
            log_in(db, &Secret::new(Kind::Session).unwrap().hash(), 2, 0)
        })
        .unwrap();
        let sessions = all(&db).unwrap().sessions;
        let of_one = sessions.iter().filter(|session| session.credential == 1);
        assert_eq!(i64::try_from(of_one.clone().count()), Ok(SESSIONS_MAX));
        assert_eq!(of_one.map(|session| session.last_used_at).min(), Some(5));
        write(&mut db, |db| forget_idle(db, 10)).unwrap();
        assert_eq!(i64::try_from(all(&db).unwrap().sessions.len()), Ok(SESSIONS_MAX - 5));
    }
}
