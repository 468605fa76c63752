//! `token` and `link`: who may do what on the server of a database. A running server follows within a second.

use clap::Subcommand;
use rusqlite::Connection;

use super::Database;
use super::output::{note, print};
use crate::access::{Audience, Scope};
use crate::civil::{format_utc, parse_length};
use crate::clock::machine_us;
use crate::db;
use crate::db::audit::Author;
use crate::db::connection::{open_reader, open_writer};
use crate::db::credentials::{self, Credential, Kind};
use crate::db::fleet;
use crate::db::issue::{Wanted, issue, withdraw};
use crate::error::{Error, Result, nearest};
use crate::http::proof::SHARE;
use crate::uptime::interval::{MINUTE, Micros};

/// How many names a message suggests.
const SUGGESTED: usize = 3;

/// The options of `token`.
#[derive(Debug, clap::Args)]
pub struct TokenOptions {
    #[command(subcommand)]
    action: TokenAction,

    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make a token and print it, this once
    Add {
        /// What to call it, such as the program or person that uses it
        name: String,

        /// What it may do: ingest (send polls), read (look), report (look and make reports) or admin (everything)
        #[arg(long, env = "STORE_MONITOR_SCOPE", value_name = "SCOPE", value_parser = scope)]
        scope: Scope,

        /// Only this owner's stores exist for it, with read and report; can be repeated
        #[arg(long = "group", env = "STORE_MONITOR_GROUP", value_name = "GROUP")]
        groups: Vec<String>,

        /// How long it is worth something, such as 12h or 30d; without it, until it is revoked
        #[arg(long, env = "STORE_MONITOR_EXPIRES", value_name = "TIME", value_parser = length)]
        expires: Option<Micros>,

        /// Its polls may not name new stores, with ingest
        #[arg(long, env = "STORE_MONITOR_KNOWN_STORES_ONLY")]
        known_stores_only: bool,
    },
    /// List all tokens, without their secrets
    List,
    /// Revoke a token, and log out all browsers that logged in with it
    Revoke {
        /// Its name
        name: String,
    },
}

/// The options of `link`.
#[derive(Debug, clap::Args)]
pub struct LinkOptions {
    #[command(subcommand)]
    action: LinkAction,

    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Subcommand)]
enum LinkAction {
    /// Make a link that shows the pages of one store or of one owner's stores, and print its path, this once
    Add {
        /// The store's id
        #[arg(long, env = "STORE_MONITOR_STORE", value_name = "ID", conflicts_with = "groups")]
        store: Option<String>,

        /// The owner; can be repeated
        #[arg(long = "group", env = "STORE_MONITOR_GROUP", value_name = "GROUP")]
        groups: Vec<String>,

        /// What to call it; without it, link and a number
        #[arg(long, env = "STORE_MONITOR_NAME", value_name = "NAME")]
        name: Option<String>,

        /// How long it leads somewhere, such as 12h or 30d; without it, until it is revoked
        #[arg(long, env = "STORE_MONITOR_EXPIRES", value_name = "TIME", value_parser = length)]
        expires: Option<Micros>,
    },
    /// List all links, without their secrets
    List,
    /// Revoke a link
    Revoke {
        /// Its name
        name: String,
    },
}

fn scope(name: &str) -> std::result::Result<Scope, String> {
    Scope::from_name(name).ok_or_else(|| "expected ingest, read, report or admin".to_owned())
}

fn length(text: &str) -> std::result::Result<Micros, String> {
    parse_length(text).map_err(|error| error.message().to_owned())
}

/// Runs `token`.
///
/// # Errors
/// When the wish is none that can be, there is no such token, or the database cannot be written.
pub fn run(options: &TokenOptions) -> Result<()> {
    match &options.action {
        TokenAction::Add {
            name,
            scope,
            groups,
            expires,
            known_stores_only,
        } => {
            let wanted = Wanted {
                kind: Kind::Token,
                name: Some(name.clone()),
                scope: *scope,
                audience: match groups.is_empty() {
                    true => Audience::All,
                    false => Audience::of_groups(groups.iter().cloned()),
                },
                lasts: *expires,
                known_stores_only: *known_stores_only,
            };
            let is_first = !has_token(&options.database)?;
            let secret = add(&options.database, wanted)?;
            print(&format!("{secret}\n"))?;
            note!("The token `{name}` is printed this once. A program sends it as `Authorization: Bearer smt_…`.");
            if *scope != Scope::Ingest {
                note!("A person logs in with it at /login.");
            }
            if is_first {
                note!("It is the first: from now on a server of this database answers nobody without a token.");
                if *scope != Scope::Admin {
                    note!(
                        "There is no token with the scope `admin` yet: `store-monitor token add NAME --scope admin`."
                    );
                }
            }
            Ok(())
        }
        TokenAction::List => list(&options.database, Kind::Token),
        TokenAction::Revoke { name } => {
            revoke(&options.database, Kind::Token, name)?;
            note!("The token `{name}` opens nothing any more.");
            if !has_token(&options.database)? {
                note!(
                    "No token is left: a server that only this machine can reach answers everyone again, and another \
                     one does not start."
                );
            }
            Ok(())
        }
    }
}

/// Runs `link`.
///
/// # Errors
/// As [`run`]; when there is no such store.
pub fn run_link(options: &LinkOptions) -> Result<()> {
    options.database.require()?;
    match &options.action {
        LinkAction::Add {
            store,
            groups,
            name,
            expires,
        } => {
            let wanted = Wanted {
                kind: Kind::Link,
                name: name.clone(),
                scope: Scope::Read,
                audience: match (store, groups.is_empty()) {
                    (Some(id), true) => Audience::Store(id.as_str().into()),
                    (None, false) => Audience::of_groups(groups.iter().cloned()),
                    (Some(_), false) => {
                        return Err(Error::invalid(
                            "a link shows one store or an owner's (the configuration names both: leave `store` or `group` away)",
                        ));
                    }
                    (None, true) => {
                        return Err(Error::invalid(
                            "the link needs stores to show (name one with --store ID, or an owner with --group GROUP)",
                        ));
                    }
                },
                lasts: *expires,
                known_stores_only: false,
            };
            let secret = add(&options.database, wanted)?;
            print(&format!("{SHARE}{secret}\n"))?;
            note!("The link is printed this once. Put the server's address before it, such as https://shop.example.");
            Ok(())
        }
        LinkAction::List => list(&options.database, Kind::Link),
        LinkAction::Revoke { name } => {
            revoke(&options.database, Kind::Link, name)?;
            note!("The link `{name}` leads nowhere any more.");
            Ok(())
        }
    }
}

fn has_token(database: &Database) -> Result<bool> {
    match database.file.exists() {
        true => credentials::has_token(&open_reader(&database.file)?),
        false => Ok(false),
    }
}

/// Makes a token or a link; returns its secret's text.
fn add(database: &Database, wanted: Wanted) -> Result<String> {
    let _held = database.hold_whole()?;
    let mut db = open_writer(&database.file)?;
    look_up(&db, &wanted.audience)?;
    let issued = db::write(&mut db, |db| issue(db, &Author::command(machine_us()), wanted))?;
    Ok(issued.secret.text())
}

fn revoke(database: &Database, kind: Kind, name: &str) -> Result<()> {
    database.require()?;
    let _held = database.hold_whole()?;
    let mut db = open_writer(&database.file)?;
    db::write(&mut db, |db| withdraw(db, &Author::command(machine_us()), kind, name))
}

/// Refuses a store that is not there, and tells of owners that have no store: they may get some later.
pub(super) fn look_up(db: &Connection, audience: &Audience) -> Result<()> {
    match audience {
        Audience::All => Ok(()),
        Audience::Store(id) => {
            if fleet::key(db, id)?.is_some() {
                return Ok(());
            }
            let fleet = fleet::load(db)?;
            let near = nearest(id, fleet.stores().iter().map(|store| &*store.id), SUGGESTED);
            let remedy = match near.as_slice() {
                [] => "there are none yet: load some first".to_owned(),
                near => format!("the nearest: `{}`", near.join("`, `")),
            };
            let id = id.escape_debug();
            Err(Error::not_found(format!("there is no store `{id}` ({remedy})")))
        }
        Audience::Groups(groups) => {
            let labels = fleet::labels(db)?;
            let owners: std::collections::BTreeSet<&str> = labels.values().map(|label| &*label.group).collect();
            for group in groups.iter().filter(|group| !owners.contains(group.as_str())) {
                let near = nearest(
                    group,
                    owners.iter().copied().filter(|owner| !owner.is_empty()),
                    SUGGESTED,
                );
                let near = match near.as_slice() {
                    [] => "no store has an owner".to_owned(),
                    near => format!("the nearest owners: `{}`", near.join("`, `")),
                };
                note!("note: no store belongs to `{}` yet ({near})", group.escape_debug());
            }
            Ok(())
        }
    }
}

/// Prints the tokens or links as a table.
fn list(database: &Database, kind: Kind) -> Result<()> {
    database.require()?;
    let (_held, db) = database.reader()?;
    let stored = credentials::all(&db)?;
    for key in &stored.damaged {
        note!("note: a token or link in the database is damaged and opens nothing (key {key}; `check` tells how)");
    }
    let now = machine_us();
    let header = ["name", "scope", "stores", "created", "last used", "expires"].map(str::to_owned);
    let own = stored.credentials.iter().filter(|one| one.kind == kind);
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(own.map(|one| row(one, now))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    print(&rows.iter().map(line).collect::<String>())
}

fn row(one: &Credential, now: Micros) -> [String; 6] {
    // To the minute: what is noted of a use is not finer.
    let minute = |at: Micros| format_utc(at.div_euclid(MINUTE) * MINUTE).replace(":00 UTC", " UTC");
    let stores = match &one.audience {
        Audience::All if one.known_stores_only => "all that are known".to_owned(),
        Audience::All => "all".to_owned(),
        Audience::Groups(groups) => format!("of {}", groups.iter().cloned().collect::<Vec<_>>().join(", ")),
        Audience::Store(id) => format!("{id} alone"),
    };
    let expires = match one.expires_at {
        None => "never".to_owned(),
        Some(at) if one.is_expired(now) => format!("expired {}", minute(at)),
        Some(at) => minute(at),
    };
    [
        one.name.clone(),
        one.scope.as_str().to_owned(),
        stores,
        minute(one.created_at),
        one.last_used_at.map_or("never".to_owned(), minute),
        expires,
    ]
}
