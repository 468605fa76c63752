//! Issuing: a wish for a token or a link becomes a credential, and its secret is told once.

use rusqlite::Connection;

use super::audit::{Action, Author};
use super::credentials::{Credential, Kind, NewCredential, add, revoke};
use crate::access::secret::{Kind as SecretKind, Secret};
use crate::access::{Audience, Scope};
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;

/// The wish for a token or a link.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is to be.
    pub kind: Kind,
    /// Its name; none for a link whose name is made.
    pub name: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// The stores that exist for it.
    pub audience: Audience,
    /// How long it is worth something; none: for ever.
    pub lasts: Option<Micros>,
    /// Whether its polls may be of stores alone that are known already.
    pub known_stores_only: bool,
}

/// A credential that was just made, with its secret: nobody can see that again.
#[derive(Debug)]
pub struct Issued {
    /// The credential.
    pub credential: Credential,
    /// Its secret.
    pub secret: Secret,
}

/// Makes a token or a link, and writes who did into the audit; the caller holds the transaction.
///
/// # Errors
/// When the wish is none that can be, the system gives no random numbers, or the database cannot be written.
pub fn issue(db: &Connection, author: &Author, wanted: Wanted) -> Result<Issued> {
    let (kind, action) = match wanted.kind {
        Kind::Token => (SecretKind::Token, Action::AddToken),
        Kind::Link => (SecretKind::Link, Action::AddLink),
    };
    let secret = Secret::new(kind);
    let secret = secret.map_err(|error| Error::failed("the system gives no random numbers").because(error))?;
    let new = NewCredential {
        kind: wanted.kind,
        name: wanted.name,
        scope: wanted.scope,
        audience: wanted.audience,
        known_stores_only: wanted.known_stores_only,
        hash: secret.hash(),
        created_at: author.at,
        expires_at: wanted.lasts.map(|lasts| author.at.saturating_add(lasts)),
    };
    let credential = add(db, &new)?;
    author.did(db, action, &credential.name, 1)?;
    Ok(Issued { credential, secret })
}

/// Revokes a token or a link, and writes who did into the audit; the caller holds the transaction.
///
/// # Errors
/// As [`revoke`].
pub fn withdraw(db: &Connection, author: &Author, kind: Kind, name: &str) -> Result<()> {
    let action = match kind {
        Kind::Token => Action::RevokeToken,
        Kind::Link => Action::RevokeLink,
    };
    revoke(db, kind, name)?;
    author.did(db, action, name, 1)
}
