//! Alert rules that were made on the page or over HTTP, beside those of the configuration, as TOML.
//!
//! What a rule means is not known here: the configuration's reader parses both.

use rusqlite::{Connection, OptionalExtension};

use super::audit::{Action, Author};
use super::credentials::check_name;
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;

/// How many rules may be made.
const RULES_MAX: i64 = 200;

/// The longest rule, in bytes.
const RULE_BYTES_MAX: usize = 4096;

/// A stored rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRule {
    /// Its name.
    pub name: String,
    /// The keys of an `[[alert]]` table, with the name.
    pub toml: String,
    /// When it was made.
    pub created_at: Micros,
}

/// All, by their names.
///
/// # Errors
/// When the database cannot be read.
pub fn all(db: &Connection) -> Result<Vec<StoredRule>> {
    let mut select = db.prepare_cached("SELECT name, rule, created_at FROM alert_rule ORDER BY name")?;
    let found = select.query_map([], |row| {
        Ok(StoredRule {
            name: row.get(0)?,
            toml: row.get(1)?,
            created_at: row.get(2)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The rule of a name, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub fn find(db: &Connection, name: &str) -> Result<Option<String>> {
    let mut select = db.prepare_cached("SELECT rule FROM alert_rule WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

/// Stores a rule that its reader took; the caller holds the transaction. A rule of `replaced` goes, also if it had
/// another name.
///
/// # Errors
/// When the name is malformed or taken, the rule is too long, there are too many, `replaced` is not there, or the
/// database cannot be written.
pub fn put(db: &Connection, author: &Author, name: &str, toml: &str, replaced: Option<&str>) -> Result<()> {
    check_name(name)?;
    if toml.len() > RULE_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the rule has {} bytes (write {RULE_BYTES_MAX} at most)",
            toml.len()
        )));
    }
    let created_at = match replaced {
        Some(replaced) => delete(db, replaced)?,
        None => author.at,
    };
    let count: i64 = db.query_row("SELECT count(*) FROM alert_rule", [], |row| row.get(0))?;
    if count >= RULES_MAX {
        return Err(Error::invalid(format!(
            "there are {count} alert rules, and that is the most (delete some)"
        )));
    }
    if find(db, name)?.is_some() {
        return Err(taken(name));
    }
    db.execute(
        "INSERT INTO alert_rule (name, rule, created_at) VALUES (?1, ?2, ?3)",
        (name, toml, created_at),
    )?;
    let action = match replaced {
        Some(_) => Action::ChangeAlert,
        None => Action::AddAlert,
    };
    author.did(db, action, name, 1)
}

/// The refusal of a name that another rule has.
pub fn taken(name: &str) -> Error {
    Error::invalid(format!("there is an alert rule `{name}` already (choose another name)"))
}

/// Deletes a rule; returns when it was made.
fn delete(db: &Connection, name: &str) -> Result<Micros> {
    let mut delete = db.prepare_cached("DELETE FROM alert_rule WHERE name = ?1 RETURNING created_at")?;
    let created_at = delete.query_row([name], |row| row.get(0)).optional()?;
    created_at.ok_or_else(|| {
        Error::not_found(format!(
            "there is no alert rule `{}` that was made here",
            name.escape_debug()
        ))
    })
}

/// Deletes a rule, and writes who did into the audit; the caller holds the transaction.
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::error::ErrorKind) when there is none of that name; when the database cannot be
/// written.
pub fn remove(db: &Connection, author: &Author, name: &str) -> Result<()> {
    delete(db, name)?;
    author.did(db, Action::DeleteAlert, name, 1)
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::super::write;
    use super::*;

    #[test]
    fn a_rule_is_kept_as_it_was_written_until_it_is_changed_or_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let mut put = |at, name: &str, toml: &str, replaced: Option<&str>| {
            write(&mut db, |db| put(db, &Author::command(at), name, toml, replaced))
        };
        put(5, "night", "a = 1", None).unwrap();
        assert!(
            put(6, "night", "a = 2", None)
                .unwrap_err()
                .message()
                .contains("already")
        );
        assert!(put(6, "-night", "a = 2", None).is_err() && put(6, "x", "y", Some("z")).is_err());
        put(7, "late", "a = 3", Some("night")).unwrap();
        put(8, "early", &"x".repeat(RULE_BYTES_MAX), None).unwrap();
        assert!(put(8, "long", &"x".repeat(RULE_BYTES_MAX + 1), None).is_err());
        let rules = all(&db).unwrap();
        assert_eq!(
            rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(),
            ["early", "late"]
        );
        assert_eq!((&*rules[1].toml, rules[1].created_at), ("a = 3", 5));
        write(&mut db, |db| remove(db, &Author::command(9), "late")).unwrap();
        assert!(write(&mut db, |db| remove(db, &Author::command(9), "late")).is_err());
        let audited = super::super::audit::list(&db, None, 1).unwrap();
        assert_eq!((&*audited[0].action, &*audited[0].subject), ("delete_alert", "late"));
    }
}
