//! Tokens and share links over HTTP, for admins: make, list and revoke. Pages use the same functions.

use serde_json::{Value, json};

use super::app::App;
use super::body_fields;
use super::field::unknown;
use super::json::instant;
use super::proof::SHARE;
use super::request::Request;
use super::response::Response;
use crate::access::{Audience, Scope};
use crate::civil::parse_length;
use crate::db::credentials::{self, Credential, Kind, Stored};
use crate::db::issue::{Issued, Wanted, issue, withdraw};
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;

const TOKEN_FIELDS: [&str; 5] = ["name", "scope", "groups", "expires", "known_stores_only"];
const LINK_FIELDS: [&str; 4] = ["name", "store", "groups", "expires"];

/// Makes a token or a link; it counts from now on.
///
/// # Errors
/// When the wish is none that can be, or the database cannot be written.
pub fn make(app: &mut App, wanted: Wanted) -> Result<Issued> {
    let author = app.author();
    let issued = app.site.writer.try_write(move |db| issue(db, &author, wanted))?;
    app.load_credentials()?;
    Ok(issued)
}

/// Revokes a token or a link: it is worth nothing from now on.
///
/// # Errors
/// When there is none of that name, or the database cannot be written.
pub fn revoke(app: &mut App, kind: Kind, name: &str) -> Result<()> {
    let (author, name) = (app.author(), name.to_owned());
    app.site
        .writer
        .try_write(move |db| withdraw(db, &author, kind, &name))?;
    app.load_credentials()
}

/// How long a request wants a token or link to be worth something; none: for ever.
///
/// # Errors
/// When it is no length of time.
pub fn lasts(text: Option<&str>) -> Result<Option<Micros>> {
    let lasts = text.map(parse_length).transpose();
    lasts.map_err(|error| Error::invalid(format!("`expires`: {}", error.message())))
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
    body_fields::refuse_empty(request)?;
    let scopes = "`ingest`, `read`, `report` or `admin`";
    let scope = request.field("scope")?;
    let scope = scope.ok_or_else(|| Error::invalid(format!("scope is missing (one of {scopes})")))?;
    let wanted = Wanted {
        kind: Kind::Token,
        name: Some(request.field("name")?.unwrap_or_default().to_owned()),
        scope: Scope::from_name(scope).ok_or_else(|| unknown("scope", scope, scopes))?,
        audience: groups(request).map_or(Audience::All, Audience::of_groups),
        lasts: lasts(request.field("expires")?)?,
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
    body_fields::refuse_empty(request)?;
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
        lasts: lasts(request.field("expires")?)?,
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
