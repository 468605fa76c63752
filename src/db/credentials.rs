//! Tokens, share links and sessions, as stored: who may do what.
//!
//! Each change advances [`generation::Kind::Access`], by which a running server notices it, whichever process wrote.

mod sessions;

use rusqlite::{Connection, OptionalExtension, Row};

use super::digest::checksum;
use super::generation;
use crate::access::secret::Hash;
use crate::access::{Audience, Scope};
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;

pub use self::sessions::{Session, forget_idle, log_in, log_out};

/// How many tokens and links there may be together: a server holds all of them in memory.
const CREDENTIALS_MAX: i64 = 10_000;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A token.
    Token,
    /// A share link.
    Link,
}

impl Kind {
    /// The word in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Link => "link",
        }
    }
}

/// A credential to be.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// What it is.
    pub kind: Kind,
    /// Its name; none for one that is made: `link-7`.
    pub name: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// The stores that exist for it.
    pub audience: Audience,
    /// Whether its polls may be of stores alone that are known already.
    pub known_stores_only: bool,
    /// What is stored of its secret.
    pub hash: Hash,
    /// When it is made.
    pub created_at: Micros,
    /// From when on it is worth nothing; none: never.
    pub expires_at: Option<Micros>,
}

/// A stored credential.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its key, which no other ever has.
    pub key: i64,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// The stores that exist for it.
    pub audience: Audience,
    /// Whether its polls may be of stores alone that are known already.
    pub known_stores_only: bool,
    /// What is stored of its secret.
    pub hash: Hash,
    /// When it was made.
    pub created_at: Micros,
    /// From when on it is worth nothing; none: never.
    pub expires_at: Option<Micros>,
    /// When it was last used, at most a minute before the truth; none: never.
    pub last_used_at: Option<Micros>,
}

impl Credential {
    /// Whether it is worth nothing any more.
    pub fn is_expired(&self, now: Micros) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// All credentials and sessions at one moment.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The counter of changes.
    pub generation: i64,
    /// Tokens and links, the oldest first. A damaged one is left out.
    pub credentials: Vec<Credential>,
    /// The keys of those that are damaged, which open nothing.
    pub damaged: Vec<i64>,
    /// The sessions.
    pub sessions: Vec<Session>,
}

const COLUMNS: &str =
    "key, kind, name, scope, audience, known_stores, hash, created_at, expires_at, last_used_at, checksum";

/// What the checksum is of.
fn sum(new: &NewCredential, name: &str) -> i64 {
    let NewCredential {
        kind,
        scope,
        audience,
        known_stores_only,
        hash,
        created_at,
        expires_at,
        ..
    } = new;
    let parts = (kind.as_str(), name, scope.as_str(), audience.json(), known_stores_only);
    checksum(format!("{parts:?} {:?} {created_at} {expires_at:?}", hash.bytes()).as_bytes())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<Credential>> {
    let kind = match row.get_ref(1)?.as_str()? {
        "link" => Kind::Link,
        _ => Kind::Token,
    };
    let (name, audience): (String, Option<String>) = (row.get(2)?, row.get(4)?);
    let scope = Scope::from_name(row.get_ref(3)?.as_str()?);
    let (Some(scope), Some(audience), Some(hash)) = (
        scope,
        Audience::from_json(audience.as_deref()),
        Hash::from_bytes(row.get_ref(6)?.as_blob()?),
    ) else {
        return Ok(None);
    };
    let new = NewCredential {
        kind,
        name: None,
        scope,
        audience,
        known_stores_only: row.get(5)?,
        hash,
        created_at: row.get(7)?,
        expires_at: row.get(8)?,
    };
    if sum(&new, &name) != row.get::<_, i64>(10)? {
        return Ok(None);
    }
    Ok(Some(Credential {
        key: row.get(0)?,
        kind,
        name,
        scope,
        audience: new.audience,
        known_stores_only: new.known_stores_only,
        hash,
        created_at: new.created_at,
        expires_at: new.expires_at,
        last_used_at: row.get(9)?,
    }))
}

/// Stores a credential and returns it.
///
/// # Errors
/// When its name is taken or malformed, there are too many, or the database cannot be written.
pub fn add(db: &Connection, new: &NewCredential) -> Result<Credential> {
    let kind = new.kind.as_str();
    let count: i64 = db.query_row("SELECT count(*) FROM credential", [], |row| row.get(0))?;
    if count >= CREDENTIALS_MAX {
        return Err(Error::invalid(format!(
            "there are {count} tokens and links, and that is the most (revoke some)"
        )));
    }
    check(new)?;
    if let Some(name) = &new.name {
        check_name(name)?;
        let mut known = db.prepare("SELECT 1 FROM credential WHERE kind = ?1 AND name = ?2")?;
        if known.exists((kind, name))? {
            return Err(Error::invalid(format!(
                "there is a {kind} `{name}` already (choose another name, or revoke that one first)"
            )));
        }
    }
    let key: i64 = db.query_row(
        "SELECT 1 + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'credential'), 0)",
        [],
        |row| row.get(0),
    )?;
    let name = new.name.clone().unwrap_or_else(|| format!("{kind}-{key}"));
    db.execute(
        "INSERT INTO credential (key, kind, name, scope, audience, known_stores, hash, created_at, expires_at, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            key,
            kind,
            &name,
            new.scope.as_str(),
            new.audience.json(),
            new.known_stores_only,
            new.hash.bytes(),
            new.created_at,
            new.expires_at,
            sum(new, &name),
        ),
    )?;
    generation::advance(db, generation::Kind::Access)?;
    let found = find(db, new.kind, &name)?;
    found.ok_or_else(|| Error::failed(format!("the {kind} `{name}` was not stored")))
}

/// Refuses what cannot be.
fn check(new: &NewCredential) -> Result<()> {
    let is_restrictable = matches!(new.scope, Scope::Read | Scope::Report);
    let refused = match (&new.audience, new.kind) {
        (Audience::All, Kind::Link) => "a link is for one store or for some owners' stores (name it or them)",
        (Audience::Store(_), Kind::Token) => "a token is for all stores or for some owners' (a link is for one store)",
        (Audience::Groups(groups), _) if groups.is_empty() || groups.contains("") => "an owner's name is empty",
        (Audience::Groups(_), _) if !is_restrictable => {
            "only the scopes `read` and `report` can be for some owners' stores (leave the owners out)"
        }
        _ if new.kind == Kind::Link && new.scope != Scope::Read => "a link can only show",
        _ if new.known_stores_only && new.scope != Scope::Ingest => {
            "only the scope `ingest` can be for known stores alone (it is the one that sends polls)"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(refused))
}

/// Refuses a name that would not fit on a line of a list.
pub(super) fn check_name(name: &str) -> Result<()> {
    let is_plain = |letter: char| letter.is_alphanumeric() || "._-@+ ".contains(letter);
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    // Else a spreadsheet could take it for a formula.
    let begins_plainly = name.starts_with(char::is_alphanumeric);
    if fits && begins_plainly && name.trim() == name && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{}` is no name (use 1 to {NAME_CHARS_MAX} letters, digits, spaces or . _ - @ +, a letter or digit first)",
        name.escape_debug()
    )))
}

fn find(db: &Connection, kind: Kind, name: &str) -> Result<Option<Credential>> {
    let select = format!("SELECT {COLUMNS} FROM credential WHERE kind = ?1 AND name = ?2");
    let found = db.query_row(&select, (kind.as_str(), name), read).optional()?;
    Ok(found.flatten())
}

/// Deletes a credential, with its sessions.
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::error::ErrorKind) when there is none of that name; when the database cannot be
/// written.
pub fn revoke(db: &Connection, kind: Kind, name: &str) -> Result<()> {
    let key: Option<i64> = db
        .query_row(
            "DELETE FROM credential WHERE kind = ?1 AND name = ?2 RETURNING key",
            (kind.as_str(), name),
            |row| row.get(0),
        )
        .optional()?;
    let Some(key) = key else {
        let kind = kind.as_str();
        return Err(Error::not_found(format!(
            "there is no {kind} `{}` (`{kind} list` has them all)",
            name.escape_debug()
        )));
    };
    db.execute("DELETE FROM session WHERE credential = ?1", [key])?;
    generation::advance(db, generation::Kind::Access)
}

/// Deletes a damaged credential, with its sessions.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget_damaged(db: &Connection, key: i64) -> Result<()> {
    db.execute("DELETE FROM credential WHERE key = ?1", [key])?;
    db.execute("DELETE FROM session WHERE credential = ?1", [key])?;
    generation::advance(db, generation::Kind::Access)
}

/// All credentials and sessions.
///
/// # Errors
/// When the database cannot be read.
pub fn all(view: &Connection) -> Result<Stored> {
    let mut stored = Stored {
        generation: generation::of_access(view)?,
        ..Stored::default()
    };
    let mut select = view.prepare_cached(&format!("SELECT {COLUMNS} FROM credential ORDER BY key"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        match read(row)? {
            Some(credential) => stored.credentials.push(credential),
            None => stored.damaged.push(row.get(0)?),
        }
    }
    let mut select = view.prepare_cached("SELECT hash, credential, created_at, last_used_at FROM session")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(hash) = Hash::from_bytes(&row.get::<_, Vec<u8>>(0)?) {
            stored.sessions.push(Session {
                hash,
                credential: row.get(1)?,
                created_at: row.get(2)?,
                last_used_at: row.get(3)?,
            });
        }
    }
    Ok(stored)
}

/// The counter of changes.
///
/// # Errors
/// When the database cannot be read.
pub fn generation(db: &Connection) -> Result<i64> {
    generation::of_access(db)
}

/// Whether there is any token, also one that is expired or damaged: then no server is open.
///
/// # Errors
/// When the database cannot be read.
pub fn has_token(db: &Connection) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT 1 FROM credential WHERE kind = 'token'")?
        .exists([])?)
}

/// The last uses of credentials by their keys, and of sessions.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// The credentials' keys and instants.
    pub credentials: Vec<(i64, Micros)>,
    /// The sessions' hashes and instants.
    pub sessions: Vec<(Hash, Micros)>,
}

/// Notes last uses. That is no change of who may do what, so the generation stays.
///
/// # Errors
/// When the database cannot be written.
pub fn note_uses(db: &Connection, uses: &Uses) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE credential SET last_used_at = ?2 WHERE key = ?1")?;
    for (key, at) in &uses.credentials {
        update.execute((key, at))?;
    }
    let mut update = db.prepare_cached("UPDATE session SET last_used_at = ?2 WHERE hash = ?1")?;
    for (hash, at) in &uses.sessions {
        update.execute((hash.bytes(), at))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::write;
    use super::*;
    use crate::access::secret::{Kind as SecretKind, Secret};

    fn token(name: &str, hash: Hash) -> NewCredential {
        NewCredential {
            kind: Kind::Token,
            name: Some(name.to_owned()),
            scope: Scope::Read,
            audience: Audience::of_groups(["Ann".to_owned()]),
            known_stores_only: false,
            hash,
            created_at: 5,
            expires_at: Some(10),
        }
    }

    fn hash(kind: SecretKind) -> Hash {
        Secret::new(kind).unwrap().hash()
    }

    #[test]
    fn a_credential_is_kept_as_it_was_made_until_it_is_revoked_with_its_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let (secret, cookie) = (hash(SecretKind::Token), hash(SecretKind::Session));
        let made = write(&mut db, |db| {
            let made = add(db, &token("ann", secret))?;
            log_in(db, &cookie, made.key, 7)?;
            note_uses(
                db,
                &Uses {
                    credentials: vec![(made.key, 8)],
                    sessions: vec![(cookie, 9)],
                },
            )?;
            Ok(made)
        })
        .unwrap();
        let stored = all(&db).unwrap();
        let kept = &stored.credentials[0];
        assert!(kept.hash == secret && kept.is_expired(10) && !kept.is_expired(9));
        assert_eq!((kept.key, kept.last_used_at), (made.key, Some(8)));
        assert_eq!((stored.generation, stored.sessions[0].last_used_at), (2, 9));
        assert!(has_token(&db).unwrap());
        let again = write(&mut db, |db| add(db, &token("ann", hash(SecretKind::Token)))).unwrap_err();
        assert!(again.message().contains("already"), "{again}");

        write(&mut db, |db| revoke(db, Kind::Token, "ann")).unwrap();
        let stored = all(&db).unwrap();
        assert!(stored.credentials.is_empty() && stored.sessions.is_empty() && !has_token(&db).unwrap());
        // Its key is never used again: reports keep it.
        let next = write(&mut db, |db| add(db, &token("ann", secret))).unwrap();
        assert!(next.key > made.key);
        assert!(write(&mut db, |db| revoke(db, Kind::Link, "ann")).is_err());
    }

    #[test]
    fn a_row_that_was_changed_outside_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        for change in [
            "scope = 'admin'",
            "audience = NULL",
            "expires_at = NULL",
            "name = 'x'",
            "kind = 'link'",
        ] {
            let key = write(&mut db, |db| {
                let key = add(db, &token("ann", hash(SecretKind::Token)))?.key;
                db.execute(&format!("UPDATE credential SET {change} WHERE key = ?1"), [key])?;
                Ok(key)
            })
            .unwrap();
            let stored = all(&db).unwrap();
            assert!(stored.credentials.is_empty(), "{change}");
            assert_eq!(stored.damaged, [key], "{change}");
            write(&mut db, |db| Ok(db.execute("DELETE FROM credential", [])?)).unwrap();
        }
    }

    #[test]
    fn names_fit_on_a_line() {
        for name in ["poller", "Ann's".replace('\'', " ").as_str(), "a@b.c", "Zürich 1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", " a", "a\n", "a/b", "<b>", "-a", "@a", "+a", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
