//! The visitor: who sent a request, and what they may do. The gate makes one for each request.

use std::sync::Arc;

use super::frontend::socket::Peer;
use crate::access::secret::{Hash, Secret, is_same};
use crate::access::{Audience, Scope};
use crate::db::audit::Actor;
use crate::db::credentials::{Credential, Kind};
use crate::error::{Error, Result};

/// The use of a session's secret that forms carry, against requests from other sites.
const FORMS: &str = "forms";

/// How a visitor proved who they are.
#[derive(Clone, Debug)]
pub enum Proof {
    /// By nothing: the server is open, or the visitor may only see what is public.
    None,
    /// By a token in the request.
    Token,
    /// By the cookie of a session.
    Session(Secret),
    /// By the address of a share link.
    Link,
    /// By the address of an alert's link, whose secret has this hash. Whether there is such an alert, its page tells.
    Alert(Hash),
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// What they may do.
    pub scope: Scope,
    /// The stores that exist for them.
    pub audience: Audience,
    /// The key of their credential; none without one.
    pub credential: Option<i64>,
    /// Its name; empty without one.
    pub name: String,
    /// How they proved it.
    pub proof: Proof,
    /// Whether they may name stores that are not known yet.
    pub known_stores_only: bool,
    /// The client's address, behind a trusted proxy that of its client.
    pub client: Peer,
    /// Whether the client uses TLS, which only its proxy knows.
    pub is_tls: bool,
    /// The path before every page of a share link, with its secret; empty for others.
    pub base: String,
    /// What the forms of this process carry where there is no session.
    pub form_secret: Arc<Secret>,
}

impl Visitor {
    /// A visitor who may only see what is public.
    pub fn stranger(client: Peer, is_tls: bool, form_secret: Arc<Secret>) -> Self {
        Self {
            scope: Scope::Public,
            audience: Audience::All,
            credential: None,
            name: String::new(),
            proof: Proof::None,
            known_stores_only: false,
            client,
            is_tls,
            base: String::new(),
            form_secret,
        }
    }

    /// Lets them in with a credential, which they have proved.
    pub fn enter(&mut self, found: Credential, proof: Proof) {
        debug_assert!(
            found.kind == Kind::Link || !matches!(proof, Proof::Link),
            "a link is no token"
        );
        self.scope = found.scope;
        self.audience = found.audience;
        self.credential = Some(found.key);
        self.name = found.name;
        self.known_stores_only = found.known_stores_only;
        self.proof = proof;
    }

    /// Whether they may do what asks for `needed`.
    pub fn may(&self, needed: Scope) -> bool {
        self.scope.may(needed)
    }

    /// Whether a browser of theirs has logged in.
    pub fn has_session(&self) -> bool {
        matches!(self.proof, Proof::Session(_))
    }

    /// Whether they may do everything because the server is open.
    pub fn is_in_the_open(&self) -> bool {
        matches!(self.proof, Proof::None) && self.may(Scope::Admin)
    }

    /// Whether a link with a secret led them here.
    pub fn is_guest(&self) -> bool {
        matches!(self.proof, Proof::Link | Proof::Alert(_))
    }

    /// What each form of a page for this visitor carries: no other site can know it. Empty where no form needs it.
    pub fn form_token(&self) -> String {
        match &self.proof {
            Proof::Session(secret) => secret.derived(FORMS),
            Proof::None => self.form_secret.derived(FORMS),
            Proof::Token | Proof::Link | Proof::Alert(_) => String::new(),
        }
    }

    /// Refuses a form that another site's page may have sent. A program that sends a token, or that no browser sent
    /// (`is_browser`), needs no such proof.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`](crate::error::ErrorKind) when the form does not carry [`form_token`](Self::form_token).
    pub fn check_form(&self, carried: Option<&str>, is_browser: bool) -> Result<()> {
        let needs = match self.proof {
            Proof::Session(_) => true,
            Proof::None => is_browser,
            // No other site knows the secret in an address.
            Proof::Token | Proof::Link | Proof::Alert(_) => false,
        };
        if needs && !carried.is_some_and(|carried| is_same(carried, &self.form_token())) {
            return Err(Error::forbidden(
                "this form is of another session, or of another site (load the page again, and send it once more)",
            ));
        }
        Ok(())
    }

    /// The visitor, as the audit names them.
    pub fn actor(&self) -> Actor {
        Actor {
            credential: self.name.clone(),
            address: self.client.to_string(),
        }
    }
}
