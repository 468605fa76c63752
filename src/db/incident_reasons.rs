//! Reasons: why a store was offline, as its owner said. They change no number.
//!
//! A reason is kept with an instant of its incident. The incidents themselves are computed, so that instant finds them
//! again: an incident has the newest reason that was noted within it.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::audit::{Action, Author};
use crate::error::{Error, Result};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{Interval, Micros};

/// The longest line in the owner's words, in characters.
pub const LINE_CHARS_MAX: usize = 200;

/// Why a store was offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was meant.
    Planned,
    /// There was no power.
    Power,
    /// There was no internet.
    Internet,
    /// Nobody was there, or nobody had time.
    Staff,
    /// The platform failed.
    Platform,
    /// Anything else.
    Other,
}

impl Reason {
    /// All, in the order of pages.
    pub const ALL: [Self; 6] = [
        Self::Planned,
        Self::Power,
        Self::Internet,
        Self::Staff,
        Self::Platform,
        Self::Other,
    ];

    /// The words of all, in the same order.
    pub const WORDS: [&'static str; 6] = ["planned", "power", "internet", "staff", "platform", "other"];

    /// The word in the database, in JSON and in forms.
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The reason of a word.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// A reason with a line in the owner's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The reason.
    pub reason: Reason,
    /// The line; may be empty.
    pub line: String,
}

impl Note {
    /// A note; blanks and control characters of its line become single spaces, also those that turn the direction of
    /// text around.
    ///
    /// # Errors
    /// When the line is too long.
    pub fn new(reason: Reason, line: &str) -> Result<Self> {
        let turns = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let words = line.split(|letter: char| letter.is_whitespace() || letter.is_control() || turns(letter));
        let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let length = line.chars().count();
        if length > LINE_CHARS_MAX {
            return Err(Error::invalid(format!(
                "the line has {length} characters (write {LINE_CHARS_MAX} at most)"
            )));
        }
        Ok(Self { reason, line })
    }
}

/// A note, and the incident that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The store.
    pub store: StoreKey,
    /// An instant of the incident.
    pub at: Micros,
    /// What was noted.
    pub note: Note,
    /// When, by the machine's clock.
    pub noted_at: Micros,
}

/// Notes why `store` was offline at `at`, in place of what was noted for that instant before; the caller holds the
/// transaction.
///
/// # Errors
/// When the database cannot be written.
pub fn set(db: &Connection, store: StoreKey, at: Micros, note: &Note, noted_at: Micros) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO incident_reason (store, at, reason, line, noted_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((store, at, note.reason.as_str(), &note.line, noted_at))?;
    Ok(())
}

/// Notes by hand why the store `id` was offline in an incident, at `at` within it, or takes that back (none); the
/// caller holds the transaction. Returns whether there is such a store.
///
/// # Errors
/// When the database cannot be written.
pub fn change(
    db: &Connection,
    author: &Author,
    id: &str,
    incident: Interval,
    at: Micros,
    note: Option<&Note>,
) -> Result<bool> {
    let mut select = db.prepare_cached("SELECT key FROM store WHERE store_id = ?1")?;
    let Some(store) = select.query_row([id], |row| row.get(0)).optional()? else {
        return Ok(false);
    };
    let gone = clear(db, store, incident.start, incident.end)?;
    match note {
        Some(note) => {
            set(db, store, at, note, author.at)?;
            author.did(db, Action::NoteReason, id, 1)?;
        }
        None => author.did(db, Action::DeleteReason, id, gone as u64)?,
    }
    Ok(true)
}

/// Takes back what was noted for instants of `store` from `from` to `to`, both included; returns how many notes went.
fn clear(db: &Connection, store: StoreKey, from: Micros, to: Micros) -> Result<usize> {
    let mut delete = db.prepare_cached("DELETE FROM incident_reason WHERE store = ?1 AND at BETWEEN ?2 AND ?3")?;
    Ok(delete.execute((store, from, to))?)
}

const COLUMNS: &str = "store, at, reason, line, noted_at";

fn noted(row: &Row<'_>) -> rusqlite::Result<Noted> {
    // The schema knows no other words.
    let reason = Reason::from_name(row.get_ref(2)?.as_str()?).unwrap_or(Reason::Other);
    Ok(Noted {
        store: row.get(0)?,
        at: row.get(1)?,
        note: Note {
            reason,
            line: row.get(3)?,
        },
        noted_at: row.get(4)?,
    })
}

/// All that was noted of one store, in the order of the instants.
///
/// # Errors
/// When the database cannot be read.
pub fn all_of(db: &Connection, store: StoreKey) -> Result<Vec<Noted>> {
    let select = format!("SELECT {COLUMNS} FROM incident_reason WHERE store = ?1 ORDER BY at");
    let mut select = db.prepare_cached(&select)?;
    let found = select.query_map([store], noted)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// What was noted for an incident that began at `since` and ends at `end`; of several notes the newest. `noted` are of
/// its store.
pub fn of_incident(noted: &[Noted], since: Micros, end: Micros) -> Option<&Note> {
    let within = noted.iter().filter(|noted| (since..=end).contains(&noted.at));
    within.max_by_key(|noted| noted.noted_at).map(|noted| &noted.note)
}

/// The notes of several stores.
#[derive(Debug, Default)]
pub struct Reasons(HashMap<StoreKey, Vec<Noted>>);

impl Reasons {
    /// Those for instants from `from` to `to`, both included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn between(db: &Connection, from: Micros, to: Micros) -> Result<Self> {
        let mut notes: HashMap<StoreKey, Vec<Noted>> = HashMap::new();
        for noted in between(db, from, to)? {
            notes.entry(noted.store).or_default().push(noted);
        }
        Ok(Self(notes))
    }

    /// As [`of_incident`], of an incident of `store`.
    pub fn of(&self, store: StoreKey, since: Micros, end: Micros) -> Option<&Note> {
        of_incident(self.0.get(&store)?, since, end)
    }
}

/// All that was noted for instants from `from` to `to`, both included, in the order of stores and instants.
///
/// # Errors
/// When the database cannot be read.
fn between(db: &Connection, from: Micros, to: Micros) -> Result<Vec<Noted>> {
    let select = format!("SELECT {COLUMNS} FROM incident_reason WHERE at BETWEEN ?1 AND ?2 ORDER BY store, at");
    let mut select = db.prepare_cached(&select)?;
    let found = select.query_map([from, to], noted)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Every note, with its store's id, in the order of ids and instants.
///
/// # Errors
/// When the database cannot be read; those of `each`.
pub fn for_each(db: &Connection, mut each: impl FnMut(&str, &Noted) -> Result<()>) -> Result<()> {
    let mut select = db.prepare(
        "SELECT store, at, reason, line, noted_at, store_id FROM incident_reason
         JOIN store ON store.key = incident_reason.store ORDER BY store_id, at",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(&row.get::<_, String>(5)?, &noted(row)?)?;
    }
    Ok(())
}

/// Forgets all that was noted of a store that is deleted: its key may become that of another store.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn forget_store(db: &Connection, store: StoreKey) -> Result<()> {
    db.execute("DELETE FROM incident_reason WHERE store = ?1", [store])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::write;
    use super::*;

    #[test]
    fn a_line_is_one_line_and_not_too_long() {
        let line = |text: &str| Note::new(Reason::Other, text).map(|note| note.line).ok();
        assert_eq!(
            line("  no\r\npower\u{7}\t \u{202e}here ").as_deref(),
            Some("no power here")
        );
        assert_eq!(line("").as_deref(), Some(""));
        assert!(line(&"é".repeat(LINE_CHARS_MAX)).is_some());
        assert!(line(&"é".repeat(LINE_CHARS_MAX + 1)).is_none());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::from_name("Power"), None);
    }

    #[test]
    fn the_last_note_of_an_instant_stands_until_it_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let note = |reason| Note::new(reason, "").unwrap();
        write(&mut db, |db| {
            set(db, 1, 10, &note(Reason::Power), 100)?;
            set(db, 1, 10, &note(Reason::Staff), 101)?;
            set(db, 1, 30, &note(Reason::Other), 102)?;
            set(db, 2, 20, &note(Reason::Planned), 103)
        })
        .unwrap();
        let of_one = all_of(&db, 1).unwrap();
        assert_eq!(of_one.iter().map(|noted| noted.at).collect::<Vec<_>>(), [10, 30]);
        assert_eq!((of_one[0].note.reason, of_one[0].noted_at), (Reason::Staff, 101));
        let reasons = Reasons::between(&db, 10, 20).unwrap();
        let reason = |store, since, end| reasons.of(store, since, end).map(|note| note.reason);
        assert_eq!(reason(1, 5, 10), Some(Reason::Staff));
        assert_eq!(reason(1, 11, 30), None);
        assert_eq!(
            of_incident(&of_one, 10, 30).unwrap().reason,
            Reason::Other,
            "the newest"
        );
        let stores = between(&db, 10, 20).unwrap();
        assert_eq!(stores.iter().map(|noted| noted.store).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(write(&mut db, |db| clear(db, 1, 0, 29)).unwrap(), 1);
        write(&mut db, |db| forget_store(db, 1)).unwrap();
        assert_eq!(between(&db, 0, 100).unwrap().len(), 1);
    }
}
