//! Sessions: how a browser logs in and out. Each change is in the audit.

use std::sync::Arc;

use super::app::App;
use super::keyring::SESSION_IDLE;
use super::proof::set_cookie;
use super::visitor::{Proof, Visitor};
use crate::access::secret::{Kind, Secret};
use crate::db::audit::{Action, Actor, Author};
use crate::db::credentials::{self, Credential};
use crate::error::{Error, Result};
use crate::uptime::interval::SECOND;

/// Logs the visitor's browser in with a token that it has proved; an older session of it ends. Returns the value of
/// `Set-Cookie`. From here on the visitor is that of the session.
///
/// # Errors
/// When the database cannot be written, or the system gives no random numbers.
pub fn begin(app: &mut App, credential: Credential) -> Result<String> {
    let secret = Secret::new(Kind::Session);
    let secret = secret.map_err(|error| Error::failed("the system gives no random numbers").because(error))?;
    let old = own(&app.visitor).map(Secret::hash);
    let author = Author {
        at: app.site.now.now_us(),
        actor: Actor {
            credential: credential.name.clone(),
            address: app.visitor.client.to_string(),
        },
    };
    let (hash, key) = (secret.hash(), credential.key);
    app.site.writer.try_write(move |db| {
        old.map_or(Ok(()), |old| credentials::log_out(db, &old))?;
        credentials::log_in(db, &hash, key, author.at)?;
        author.did(db, Action::LogIn, "", 1)
    })?;
    app.load_credentials()?;
    let cookie = set_cookie(Some(&secret), app.visitor.is_tls, SESSION_IDLE / SECOND);
    let mut visitor = Visitor::clone(&app.visitor);
    visitor.enter(credential, Proof::Session(secret));
    app.visitor = Arc::new(visitor);
    Ok(cookie)
}

/// Ends the visitor's session, if there is one. Returns the value of `Set-Cookie` that takes it from the browser.
///
/// # Errors
/// When the database cannot be written.
pub fn end(app: &mut App) -> Result<String> {
    if let Some(hash) = own(&app.visitor).map(Secret::hash) {
        let author = app.author();
        app.site.writer.try_write(move |db| {
            credentials::log_out(db, &hash)?;
            author.did(db, Action::LogOut, "", 1)
        })?;
        app.load_credentials()?;
    }
    Ok(forget(app))
}

/// The value of `Set-Cookie` that takes a session from the browser.
pub fn forget(app: &App) -> String {
    set_cookie(None, app.visitor.is_tls, 0)
}

fn own(visitor: &Visitor) -> Option<&Secret> {
    match &visitor.proof {
        Proof::Session(secret) => Some(secret),
        _ => None,
    }
}
