//! The keyring: all credentials and sessions in memory, so that a request is judged without the database.
//!
//! A change through this server is seen at once, one by a command within a second. Uses are noted here at most once a
//! minute each, and written by the server's upkeep.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::Connection;

use crate::access::secret::{Hash, Kind as SecretKind, Secret};
use crate::db;
use crate::db::credentials::{self, Credential, Kind, Uses};
use crate::error::Result;
use crate::uptime::interval::{DAY, MINUTE, Micros};

/// How many days a session may be idle before it ends.
const SESSION_IDLE_DAYS_MAX: i64 = 30;

/// The same as a length of time.
pub const SESSION_IDLE: Micros = SESSION_IDLE_DAYS_MAX * DAY;

/// How often a use is noted.
const USE_NOTED_EVERY: Micros = MINUTE;

/// A credential, and when its last use was noted.
#[derive(Debug)]
struct Kept {
    credential: Credential,
    noted_at: AtomicI64,
}

/// A session, with its credential's key.
#[derive(Debug)]
struct KeptSession {
    hash: Hash,
    credential: i64,
    /// When it was last used, as far as it was noted.
    used_at: AtomicI64,
}

/// Everything as of one generation.
#[derive(Debug, Default)]
struct Known {
    generation: i64,
    has_token: bool,
    credentials: HashMap<i64, Arc<Kept>>,
    /// Keys by the index of the hash. Two hashes with one index are beyond chance; then the second opens nothing.
    by_hash: HashMap<u64, i64>,
    sessions: HashMap<u64, KeptSession>,
}

/// The keyring of a server.
#[derive(Debug)]
pub struct Keyring {
    known: RwLock<Arc<Known>>,
    uses: Mutex<Uses>,
}

impl Keyring {
    /// The credentials and sessions of a database.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(db: &mut Connection) -> Result<Self> {
        let keyring = Self {
            known: RwLock::default(),
            uses: Mutex::default(),
        };
        keyring.load(db)?;
        Ok(keyring)
    }

    /// A keyring without any key.
    pub fn empty() -> Self {
        Self {
            known: RwLock::default(),
            uses: Mutex::default(),
        }
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the database again if another process has changed it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn follow(&self, db: &mut Connection) -> Result<()> {
        if credentials::generation(db)? == self.known().generation {
            return Ok(());
        }
        self.load(db)
    }

    /// Reads the database: what was changed by now counts from now on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(&self, db: &mut Connection) -> Result<()> {
        let view = db::read(db)?;
        let (stored, has_token) = (credentials::all(&view)?, credentials::has_token(&view)?);
        drop(view);
        for key in &stored.damaged {
            tracing::error!(
                key,
                "a token or link in the database is damaged and opens nothing (`check` tells how)"
            );
        }
        // Two threads may read at once: the older state must not replace the newer one.
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if stored.generation < known.generation {
            return Ok(());
        }
        let mut new = Known {
            generation: stored.generation,
            has_token,
            ..Known::default()
        };
        for credential in stored.credentials {
            let key = credential.key;
            new.by_hash.entry(credential.hash.index()).or_insert(key);
            let noted = known.credentials.get(&key);
            let noted = noted.map_or(0, |kept| kept.noted_at.load(Ordering::Relaxed));
            let noted_at = AtomicI64::new(noted.max(credential.last_used_at.unwrap_or(0)));
            new.credentials.insert(key, Arc::new(Kept { credential, noted_at }));
        }
        for session in stored.sessions {
            let used = known.sessions.get(&session.hash.index());
            let used = used.map_or(0, |session| session.used_at.load(Ordering::Relaxed));
            let kept = KeptSession {
                hash: session.hash,
                credential: session.credential,
                used_at: AtomicI64::new(used.max(session.last_used_at)),
            };
            new.sessions.entry(session.hash.index()).or_insert(kept);
        }
        *known = Arc::new(new);
        Ok(())
    }

    /// Whether there is any token, also one that is worth nothing any more: then nobody passes without one.
    pub fn has_token(&self) -> bool {
        self.known().has_token
    }

    /// The credential of a secret at `now`; none if it is wrong, revoked or expired.
    pub fn find(&self, secret: &Secret, now: Micros) -> Option<Credential> {
        let (known, hash) = (self.known(), secret.hash());
        let key = match secret.kind() {
            SecretKind::Session => {
                let session = known.sessions.get(&hash.index())?;
                let used_at = session.used_at.load(Ordering::Relaxed);
                if session.hash != hash || now - used_at > SESSION_IDLE {
                    return None;
                }
                if now - used_at >= USE_NOTED_EVERY {
                    session.used_at.store(now, Ordering::Relaxed);
                    self.uses().sessions.push((hash, now));
                }
                session.credential
            }
            // It opens the page of its alert alone.
            SecretKind::Acknowledgement => return None,
            SecretKind::Token | SecretKind::Link => *known.by_hash.get(&hash.index())?,
        };
        let kept = known.credentials.get(&key)?;
        let is_right = match secret.kind() {
            SecretKind::Acknowledgement => false,
            SecretKind::Session => kept.credential.kind == Kind::Token,
            SecretKind::Token => kept.credential.kind == Kind::Token && kept.credential.hash == hash,
            SecretKind::Link => kept.credential.kind == Kind::Link && kept.credential.hash == hash,
        };
        if !is_right || kept.credential.is_expired(now) {
            return None;
        }
        if (now - kept.noted_at.load(Ordering::Relaxed)).abs() >= USE_NOTED_EVERY {
            kept.noted_at.store(now, Ordering::Relaxed);
            self.uses().credentials.push((key, now));
        }
        Some(kept.credential.clone())
    }

    fn uses(&self) -> std::sync::MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The uses that were noted since the last call, to be written.
    pub fn take_uses(&self) -> Option<Uses> {
        let mut uses = self.uses();
        let is_empty = uses.credentials.is_empty() && uses.sessions.is_empty();
        (!is_empty).then(|| std::mem::take(&mut *uses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Audience, Scope};
    use crate::db::connection::open_writer;
    use crate::db::credentials::NewCredential;
    use crate::uptime::interval::SECOND;

    const NOW: Micros = 1_800_000_000 * SECOND;

    fn add(db: &mut Connection, kind: Kind, secret: &Secret, expires_at: Option<Micros>) -> Credential {
        let new = NewCredential {
            kind,
            name: None,
            scope: Scope::Read,
            audience: match kind {
                Kind::Token => Audience::All,
                Kind::Link => Audience::Store("1".into()),
            },
            known_stores_only: false,
            hash: secret.hash(),
            created_at: NOW,
            expires_at,
        };
        db::write(db, |db| credentials::add(db, &new)).unwrap()
    }

    #[test]
    fn a_secret_opens_until_it_is_revoked_expires_or_is_idle() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let keyring = Keyring::open(&mut db).unwrap();
        assert!(!keyring.has_token());
        let secret = |kind| Secret::new(kind).unwrap();
        let (token, link, session) = (
            secret(SecretKind::Token),
            secret(SecretKind::Link),
            secret(SecretKind::Session),
        );
        add(&mut db, Kind::Link, &link, Some(NOW + DAY));
        keyring.follow(&mut db).unwrap();
        assert!(!keyring.has_token(), "a link closes nothing");
        let made = add(&mut db, Kind::Token, &token, None);
        db::write(&mut db, |db| credentials::log_in(db, &session.hash(), made.key, NOW)).unwrap();
        assert!(keyring.find(&token, NOW).is_none(), "not yet");
        keyring.follow(&mut db).unwrap();
        assert!(keyring.has_token());
        for secret in [&token, &link, &session] {
            assert!(keyring.find(secret, NOW + 1).is_some(), "{secret:?}");
        }
        assert!(keyring.find(&secret(SecretKind::Token), NOW).is_none());
        assert!(keyring.find(&link, NOW + DAY).is_none(), "expired");
        // It was used a moment ago; then it is idle for too long.
        assert!(keyring.find(&session, NOW + SESSION_IDLE).is_some());
        assert!(keyring.find(&session, NOW + 2 * SESSION_IDLE + SECOND).is_none());

        db::write(&mut db, |db| credentials::revoke(db, Kind::Token, &made.name)).unwrap();
        keyring.follow(&mut db).unwrap();
        assert!(keyring.find(&token, NOW).is_none() && keyring.find(&session, NOW + 1).is_none());
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let token = Secret::new(SecretKind::Token).unwrap();
        let made = add(&mut db, Kind::Token, &token, None);
        let keyring = Keyring::open(&mut db).unwrap();
        for second in 0..150 {
            keyring.find(&token, NOW + second * SECOND);
        }
        let uses = keyring.take_uses().unwrap();
        let expected = [0, 60, 120].map(|second| (made.key, NOW + second * SECOND));
        assert_eq!(uses.credentials, expected);
        assert!(keyring.take_uses().is_none());
        db::write(&mut db, |db| credentials::note_uses(db, &uses)).unwrap();
        let stored = credentials::all(&db).unwrap();
        assert_eq!(stored.credentials[0].last_used_at, Some(NOW + 120 * SECOND));
    }
}
