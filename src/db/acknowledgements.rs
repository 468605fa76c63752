//! Acknowledgements: the links in alerts by which a person says that they know, and why it happened.
//!
//! A link is a secret of its own. It shows and changes nothing but the incidents of its alert, until it expires.
//! Several links may be of one alert, one for each receiver: the first that is used acknowledges it for all.

use rusqlite::{Connection, OptionalExtension, Row};

use super::audit::{Action, Author};
use super::digest::checksum;
use super::incident_reasons::{self, Note};
use crate::access::secret::{Hash, Kind, Secret};
use crate::error::{Error, Result};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{DAY, Micros};

/// For how many days the link of an alert may be used.
const LINK_DAYS_MAX: i64 = 7;

/// The same as a length of time: what a message's writer adds to its instant.
pub const LINK_LASTS: Micros = LINK_DAYS_MAX * DAY;

/// For how many days an expired link is remembered, so that its page can say that it expired.
const EXPIRED_DAYS_KEPT: i64 = 30;

/// The same as a length of time.
const REMEMBERED: Micros = EXPIRED_DAYS_KEPT * DAY;

/// How many expired links are deleted in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 1000;

/// A store of an alert, and an instant of its incident: that of its first inactive poll, or of the last poll before a
/// silence.
pub type Alerted = (StoreKey, Micros);

/// The link of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The alert's key.
    pub message: String,
    /// The stores that the alert is about; empty if it is about none, as that of a backup.
    pub stores: Vec<Alerted>,
    /// When it was made.
    pub created_at: Micros,
    /// From when on it is worth nothing.
    pub expires_at: Micros,
    /// When this link was used first; none: not yet.
    pub acknowledged_at: Option<Micros>,
}

impl Acknowledgement {
    /// Whether it is worth nothing any more.
    pub const fn is_expired(&self, now: Micros) -> bool {
        self.expires_at <= now
    }
}

/// What the checksum is of: a damaged disk must not show one alert's stores to the receiver of another.
fn sum(hash: &Hash, message: &str, stores: &str, created_at: Micros, expires_at: Micros) -> i64 {
    let parts = (hash.bytes(), message, stores, created_at, expires_at);
    checksum(format!("{parts:?}").as_bytes())
}

fn encode(stores: &[Alerted]) -> String {
    serde_json::json!(stores).to_string()
}

/// Makes a link for an alert; the caller holds the transaction that writes its message.
///
/// # Errors
/// When the system gives no random numbers, or the database cannot be written.
pub fn issue(db: &Connection, message: &str, stores: &[Alerted], now: Micros, expires: Micros) -> Result<Secret> {
    let secret = Secret::new(Kind::Acknowledgement);
    let secret = secret.map_err(|error| Error::failed("the system gives no random numbers").because(error))?;
    let (hash, stores) = (secret.hash(), encode(stores));
    db.prepare_cached(
        "INSERT INTO acknowledgement (hash, message, stores, created_at, expires_at, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        hash.bytes(),
        message,
        &stores,
        now,
        expires,
        sum(&hash, message, &stores, now, expires),
    ))?;
    Ok(secret)
}

const COLUMNS: &str = "hash, message, stores, created_at, expires_at, acknowledged_at, checksum";

fn read(row: &Row<'_>) -> rusqlite::Result<Option<(Hash, Acknowledgement)>> {
    let Some(hash) = Hash::from_bytes(row.get_ref(0)?.as_blob()?) else {
        return Ok(None);
    };
    let (message, stores): (String, String) = (row.get(1)?, row.get(2)?);
    let (created_at, expires_at) = (row.get(3)?, row.get(4)?);
    if sum(&hash, &message, &stores, created_at, expires_at) != row.get::<_, i64>(6)? {
        return Ok(None);
    }
    let Ok(stores) = serde_json::from_str(&stores) else {
        return Ok(None);
    };
    let found = Acknowledgement {
        message,
        stores,
        created_at,
        expires_at,
        acknowledged_at: row.get(5)?,
    };
    Ok(Some((hash, found)))
}

/// The link with this hash, also if it is expired; none if there is none, or its row is damaged.
///
/// # Errors
/// When the database cannot be read.
pub fn find(db: &Connection, hash: &Hash) -> Result<Option<Acknowledgement>> {
    let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM acknowledgement WHERE hash = ?1"))?;
    let found = select.query_row([hash.bytes()], read).optional()?;
    Ok(found.flatten().map(|(_, found)| found))
}

/// Acknowledges the alert of a link, and notes the reason for each of its incidents, if one is given; the caller holds
/// the transaction. A later call changes the reason, and not the instant of the first.
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::error::ErrorKind) when there is no such link or it is expired; when the database
/// cannot be written.
pub fn acknowledge(db: &Connection, hash: &Hash, note: Option<&Note>, author: &Author) -> Result<Acknowledgement> {
    let found = find(db, hash)?.filter(|found| !found.is_expired(author.at));
    let Some(mut found) = found else {
        return Err(Error::not_found(
            "this link is not known, or it has expired (look for a newer alert)",
        ));
    };
    if let Some(note) = note {
        for &(store, at) in &found.stores {
            incident_reasons::set(db, store, at, note, author.at)?;
        }
    }
    found.acknowledged_at = found.acknowledged_at.or(Some(author.at));
    db.prepare_cached("UPDATE acknowledgement SET acknowledged_at = ?2 WHERE hash = ?1")?
        .execute((hash.bytes(), found.acknowledged_at))?;
    let stores = found.stores.len() as u64;
    author.did(db, Action::Acknowledge, &found.message, stores)?;
    Ok(found)
}

/// When an alert was acknowledged first, by any of its links; none: not yet.
///
/// # Errors
/// When the database cannot be read.
pub fn acknowledged(db: &Connection, message: &str) -> Result<Option<Micros>> {
    let mut select = db.prepare_cached("SELECT min(acknowledged_at) FROM acknowledgement WHERE message = ?1")?;
    Ok(select.query_row([message], |row| row.get(0))?)
}

/// Takes a store that is deleted out of all links: its key may become that of another store.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget_store(db: &Connection, store: StoreKey) -> Result<()> {
    let mut select = db.prepare(&format!(
        "SELECT {COLUMNS} FROM acknowledgement
         WHERE EXISTS (SELECT 1 FROM json_each(stores) AS one WHERE one.value ->> 0 = ?1)"
    ))?;
    let links = select.query_map([store], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for (hash, link) in links.into_iter().flatten() {
        let left: Vec<Alerted> = link.stores.into_iter().filter(|(key, _)| *key != store).collect();
        let left = encode(&left);
        db.execute(
            "UPDATE acknowledgement SET stores = ?2, checksum = ?3 WHERE hash = ?1",
            (
                hash.bytes(),
                &left,
                sum(&hash, &link.message, &left, link.created_at, link.expires_at),
            ),
        )?;
    }
    Ok(())
}

/// Deletes links that expired long before `now`, not too many at once; returns whether more are left.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_expired(db: &Connection, now: Micros) -> Result<bool> {
    let gone = db.execute(
        "DELETE FROM acknowledgement WHERE hash IN
             (SELECT hash FROM acknowledgement WHERE expires_at < ?1 LIMIT ?2)",
        (now - REMEMBERED, FORGOTTEN_AT_ONCE),
    )?;
    Ok(gone == FORGOTTEN_AT_ONCE as usize)
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::incident_reasons::{Reason, all_of};
    use super::super::write;
    use super::*;

    fn author(at: Micros) -> Author {
        Author::command(at)
    }

    #[test]
    fn a_link_acknowledges_its_alert_once_and_its_reason_may_change() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let secrets = write(&mut db, |db| {
            Ok([
                issue(db, "offline/1", &[(7, 100), (8, 200)], 1000, 9000)?,
                issue(db, "offline/1", &[(7, 100), (8, 200)], 1000, 9000)?,
                issue(db, "offline/2", &[(9, 300)], 1000, 9000)?,
            ])
        });
        let [one, twin, other] = secrets.unwrap().map(|secret| secret.hash());
        let found = find(&db, &one).unwrap().unwrap();
        assert_eq!((found.stores.len(), found.acknowledged_at), (2, None));
        assert!(found.is_expired(9000) && !found.is_expired(8999));
        assert_eq!(acknowledged(&db, "offline/1").unwrap(), None);

        write(&mut db, |db| acknowledge(db, &one, None, &author(2000))).unwrap();
        assert_eq!(all_of(&db, 7).unwrap(), [], "only \"I know\" was said");
        let power = Note::new(Reason::Power, "the street is dark").unwrap();
        write(&mut db, |db| acknowledge(db, &one, Some(&power), &author(3000))).unwrap();
        let staff = Note::new(Reason::Staff, "").unwrap();
        write(&mut db, |db| acknowledge(db, &twin, Some(&staff), &author(4000))).unwrap();
        assert_eq!(acknowledged(&db, "offline/1").unwrap(), Some(2000));
        assert_eq!(acknowledged(&db, "offline/2").unwrap(), None);
        for (store, at) in [(7, 100), (8, 200)] {
            let noted = &all_of(&db, store).unwrap()[0];
            assert_eq!((noted.at, &noted.note, noted.noted_at), (at, &staff, 4000));
        }
        assert_eq!(all_of(&db, 9).unwrap(), []);
        let late = write(&mut db, |db| acknowledge(db, &other, Some(&staff), &author(9000)));
        assert!(late.unwrap_err().message().contains("expired"));
        assert_eq!(all_of(&db, 9).unwrap(), []);
    }

    #[test]
    fn an_expired_link_is_remembered_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let hash = write(&mut db, |db| issue(db, "a", &[], 0, 5)).unwrap().hash();
        assert!(!write(&mut db, |db| forget_expired(db, 5 + REMEMBERED)).unwrap());
        assert!(find(&db, &hash).unwrap().is_some());
        write(&mut db, |db| forget_expired(db, 6 + REMEMBERED)).unwrap();
        assert!(find(&db, &hash).unwrap().is_none());
    }

    #[test]
    fn a_deleted_store_leaves_its_links_and_a_changed_row_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let hash = write(&mut db, |db| issue(db, "a", &[(7, 1), (70, 2)], 0, 5))
            .unwrap()
            .hash();
        write(&mut db, |db| forget_store(db, 7)).unwrap();
        assert_eq!(find(&db, &hash).unwrap().unwrap().stores, [(70, 2)]);
        let change = "UPDATE acknowledgement SET stores = '[[71,2]]'";
        write(&mut db, |db| Ok(db.execute(change, [])?)).unwrap();
        assert_eq!(find(&db, &hash).unwrap(), None);
    }
}
