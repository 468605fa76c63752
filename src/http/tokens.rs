//! Tokens and share links over HTTP, for admins: make, list and revoke. Pages use the same functions.

use serde_json::{Value, json};

use super::app::App;
use super::body_fields;
use super::field::unknown;
use super::json::instant;
use super::proof::SHARE;
use super::request::Request;
use super::response::Response;
use crate::access::secret::{Kind as SecretKind, Secret};
use crate::access::{Audience, Scope};
use crate::civil::parse_length;
use crate::db::audit::Action;
use crate::db::credentials::{self, Credential, Kind, NewCredential, Stored};
use crate::error::{Error, Result};

const TOKEN_FIELDS: [&str; 5] = ["name", "scope", "groups", "expires", "known_stores_only"];
const LINK_FIELDS: [&str; 4] = ["name", "store", "groups", "expires"];

/// A credential that was just made, with its secret: nobody can see that again.
#[derive(Debug)]
pub struct Made {
    /// The credential.
    pub credential: Credential,
    /// Its secret.
    pub secret: Secret,
}

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
    /// How long it is worth something, such as `30d`; none: for ever.
    pub expires: Option<String>,
    /// Whether its polls may be of stores alone that are known already.
    pub known_stores_only: bool,
}

/// Makes a token or a link; it counts from now on.
///
/// # Errors
/// When the wish is none that can be, or the database cannot be written.
pub fn make(app: &mut App, wanted: Wanted) -> Result<Made> {
    let (kind, secret_kind, action) = match wanted.kind {
        Kind::Token => (wanted.kind, SecretKind::Token, Action::AddToken),
        Kind::Link => (wanted.kind, SecretKind::Link, Action::AddLink),
    };
    let secret = Secret::new(secret_kind);
    let secret = secret.map_err(|error| Error::failed("the system gives no random numbers").because(error))?;
    let author = app.author();
    let lasts = wanted.expires.as_deref().map(parse_length).transpose();
    let lasts = lasts.map_err(|error| Error::invalid(format!("`expires`: {}", error.message())))?;
    let new = NewCredential {
        kind,
        name: wanted.name,
        scope: wanted.scope,
        audience: wanted.audience,
        known_stores_only: wanted.known_stores_only,
        hash: secret.hash(),
        created_at: author.at,
        expires_at: lasts.map(|lasts| author.at.saturating_add(lasts)),
    };
    let credential = app.site.writer.try_write(move |db| {
        let made = credentials::add(db, &new)?;
        author.did(db, action, &made.name, 1)?;
        Ok(made)
    })?;
    app.load_credentials()?;
    Ok(Made { credential, secret })
}

/// Revokes a token or a link: it is worth nothing from now on.
///
/// # Errors
/// When there is none of that name, or the database cannot be written.
pub fn revoke(app: &mut App, kind: Kind, name: &str) -> Result<()> {
    let (author, name) = (app.author(), name.to_owned());
    let action = match kind {
        Kind::Token => Action::RevokeToken,
        Kind::Link => Action::RevokeLink,
    };
    app.site.writer.try_write(move |db| {
        credentials::revoke(db, kind, &name)?;
        author.did(db, action, &name, 1)
    })?;
    app.load_credentials()
}

/// The tokens, or the links, the oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn all(app: &mut App, kind: Kind) -> Result<Vec<Credential>> {
    let Stored { credentials, .. } = credentials::all(app.db()?)?;
    Ok(credentials.into_iter().filter(|one| one.kind == kind).collect())
}

/// `GET /api/tokens`.
pub fn list(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    listed(app, Kind::Token, "tokens")
}

/// `GET /api/links`.
pub fn list_links(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    listed(app, Kind::Link, "links")
}

fn listed(app: &mut App, kind: Kind, member: &str) -> Result<Response> {
    let now = app.site.now.now_us();
    let all = all(app, kind)?;
    let told: Vec<Value> = all.iter().map(|one| describe(one, now)).collect();
    Ok(Response::json(200, &json!({member: told})))
}

/// `POST /api/tokens`: 201 with the token, which is shown this once.
pub fn add(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    body_fields::take(request, r#"{"name": "poller", "scope": "ingest"}"#)?;
    body_fields::refuse_others(request, &TOKEN_FIELDS)?;
    let scopes = "`ingest`, `read`, `report` or `admin`";
    let scope = request.field("scope")?;
    let scope = scope.ok_or_else(|| Error::invalid(format!("scope is missing (one of {scopes})")))?;
    let wanted = Wanted {
        kind: Kind::Token,
        name: Some(request.field("name")?.unwrap_or_default().to_owned()),
        scope: Scope::from_name(scope).ok_or_else(|| unknown("scope", scope, scopes))?,
        audience: groups(request).map_or(Audience::All, Audience::of_groups),
        expires: request.field("expires")?.map(str::to_owned),
        known_stores_only: match request.field("known_stores_only")? {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(unknown("known_stores_only", other, "`true` or `false`")),
        },
    };
    let made = make(app, wanted)?;
    let mut told = describe(&made.credential, made.credential.created_at);
    told["token"] = made.secret.text().into();
    Ok(Response::json(201, &told))
}

/// `POST /api/links`: 201 with the link's path, which is shown this once.
pub fn add_link(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    body_fields::take(request, r#"{"store": "ID"} or {"groups": ["NAME"]}"#)?;
    body_fields::refuse_others(request, &LINK_FIELDS)?;
    let audience = match (request.field("store")?, groups(request)) {
        (Some(id), None) => Audience::Store(id.into()),
        (None, Some(groups)) => Audience::of_groups(groups),
        _ => {
            return Err(Error::invalid(
                "a link is for one `store` or for the stores of `groups` (give one of both)",
            ));
        }
    };
    let wanted = Wanted {
        kind: Kind::Link,
        name: request.field("name")?.map(str::to_owned),
        scope: Scope::Read,
        audience,
        expires: request.field("expires")?.map(str::to_owned),
        known_stores_only: false,
    };
    let made = make(app, wanted)?;
    let mut told = describe(&made.credential, made.credential.created_at);
    told["link"] = format!("{SHARE}{}", made.secret.text()).into();
    Ok(Response::json(201, &told))
}

/// `DELETE /api/tokens/NAME`.
pub fn delete(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    revoked(app, request, Kind::Token)
}

/// `DELETE /api/links/NAME`.
pub fn delete_link(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    revoked(app, request, Kind::Link)
}

fn revoked(app: &mut App, request: &Request<'_>, kind: Kind) -> Result<Response> {
    revoke(app, kind, &request.id)?;
    Ok(Response::json(200, &json!({"name": request.id, "revoked": true})))
}

/// The owners that a request names, if it names any.
fn groups(request: &Request<'_>) -> Option<Vec<String>> {
    let named = request.query.iter().filter(|(name, _)| name == "groups");
    let named: Vec<_> = named.map(|(_, group)| group.clone()).collect();
    (!named.is_empty()).then_some(named)
}

/// A credential in JSON; its secret is nowhere.
fn describe(one: &Credential, now: i64) -> Value {
    let groups = match &one.audience {
        Audience::Groups(groups) => json!(**groups),
        _ => Value::Null,
    };
    let mut told = json!({
        "name": one.name,
        "scope": one.scope.as_str(),
        "groups": groups,
        "created_at": instant(Some(one.created_at)),
        "expires_at": instant(one.expires_at),
        "is_expired": one.is_expired(now),
        "last_used_at": instant(one.last_used_at),
    });
    match (&one.audience, one.kind) {
        (Audience::Store(store), _) => told["store"] = (**store).into(),
        (_, Kind::Token) => told["known_stores_only"] = one.known_stores_only.into(),
        _ => {}
    }
    told
}
