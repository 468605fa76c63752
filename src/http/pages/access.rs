//! `/access`, for admins: who may do what. Tokens and links are made, listed and revoked here.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use super::share::{lasts, shown_once};
use crate::access::{Audience, Scope};
use crate::db::credentials::{Credential, Kind};
use crate::db::issue::Wanted;
use crate::error::{Error, ErrorKind, Result};
use crate::http::app::App;
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::sessions;
use crate::http::tokens;
use crate::uptime::interval::Micros;

/// How many tokens, and how many links, the page lists.
const LISTED_MAX: usize = 100;

/// With more owners than this, they are typed.
const OWNERS_TICKED_MAX: usize = 24;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    show(app, request, 200, None)
}

/// `POST /access/tokens`: makes a token and shows it once. The first one logs its maker in.
pub fn add_token(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let is_first = app.visitor.is_in_the_open();
    let made = wanted(app, request, is_first).and_then(|wanted| tokens::make(app, wanted));
    let made = match made {
        Ok(made) => made,
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound) => {
            return show(app, request, 400, Some(error.message()));
        }
        Err(error) => return Err(error),
    };
    let name = made.credential.name.clone();
    let scope = made.credential.scope;
    let cookie = match is_first {
        true => Some(sessions::begin(app, made.credential)?),
        false => None,
    };
    let frame = Frame::new(app, request, Section::Access)?;
    let body = html! {
        h1 { "The token " (name) }
        section.card.outcome role="status" {
            p { "Copy it now, and keep it where you keep passwords: it is not shown again." }
            (shown_once("The token", &made.secret.text()))
            p.note { (scope_words(scope)) "." }
            @if is_first { p { "This server is closed from now on. This browser is logged in with the new token." } }
        }
        p.more { a href="/access" { "Back to Access" } }
    };
    let answer = Response::page(200, frame.page("A new token", None, &body)).cached("no-store");
    Ok(match cookie {
        Some(cookie) => answer.with("Set-Cookie", cookie),
        None => answer,
    })
}

/// The token of the form.
fn wanted(app: &mut App, request: &Request<'_>, is_first: bool) -> Result<Wanted> {
    let scope = request.form_field("scope");
    let scope = Scope::from_name(scope).ok_or_else(|| Error::invalid("choose what the token may do"))?;
    if is_first && scope != Scope::Admin {
        return Err(Error::invalid(
            "the first token closes this server, so it must be an admin’s: nobody could make another one here",
        ));
    }
    let owners = request.form.iter().filter(|(name, _)| name == "groups");
    let owners = owners.flat_map(|(_, value)| value.lines().map(|line| line.trim().to_owned()));
    let owners: Vec<String> = owners.filter(|owner| !owner.is_empty()).collect();
    if !owners.is_empty() {
        let (question, _) = query::question(app, request)?;
        let view = app.fleet(question)?;
        owners.iter().try_for_each(|owner| view.knows(Some(owner)))?;
    }
    Ok(Wanted {
        kind: Kind::Token,
        name: Some(request.form_field("name").trim().to_owned()),
        scope,
        audience: match owners.is_empty() {
            true => Audience::All,
            false => Audience::of_groups(owners),
        },
        lasts: tokens::lasts(Some(request.form_field("expires")).filter(|expires| !expires.is_empty()))?,
        known_stores_only: request.form_field("known_stores_only") == "true",
    })
}

/// `POST /access/tokens/revocation`: revokes a token.
pub fn revoke_token(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    revoke(app, request, Kind::Token)
}

/// `POST /access/links/revocation`: revokes a link.
pub fn revoke_link(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    revoke(app, request, Kind::Link)
}

fn revoke(app: &mut App, request: &Request<'_>, kind: Kind) -> Result<Response> {
    tokens::revoke(app, kind, request.form_field("name"))?;
    Ok(Response::see_other("/access"))
}

fn show(app: &mut App, request: &Request<'_>, status: u16, complaint: Option<&str>) -> Result<Response> {
    let (question, _) = query::question(app, request)?;
    let frame = Frame::new(app, request, Section::Access)?;
    let view = app.fleet(question)?;
    let (tokens, links) = (tokens::all(app, Kind::Token)?, tokens::all(app, Kind::Link)?);
    let body = html! {
        h1 { "Access" }
        p.lead {
            @if tokens.is_empty() {
                "There is no token yet: whoever reaches this server may do everything. The first token closes it."
            } @else { "Who reaches this server needs a token, or a share link." }
            " " a href="/audit" { "Who did what" } " " a href="/messages" { "Messages" }
        }
        @if let Some(complaint) = complaint { p.complaint role="alert" { "No token was made: " (complaint) "." } }
        @if frame.may(Scope::Admin) { (form(&frame, request, tokens.is_empty(), &view.owner_names())) }
        (list(&frame, Kind::Token, &tokens))
        (list(&frame, Kind::Link, &links))
    };
    Ok(Response::page(status, frame.page("Access", None, &body)).cached("no-store"))
}

fn form(frame: &Frame, request: &Request<'_>, is_first: bool, owners: &[&str]) -> Markup {
    let scopes = [Scope::Admin, Scope::Report, Scope::Read, Scope::Ingest];
    let chosen = Scope::from_name(request.form_field("scope"));
    let chosen = chosen.unwrap_or(if is_first { Scope::Admin } else { Scope::Read });
    html! {
        section.card.new-token.screen aria-labelledby="new" {
            h2 #new { "A new token" }
            form action="/access/tokens" method="post" {
                (frame.csrf())
                @if is_first {
                    p.warning {
                        "The first token closes this server: from then on everybody needs one, and so does the poller. "
                        "This browser is logged in with it at once."
                    }
                }
                p.choice {
                    label for="name" { "Its name, such as that of who gets it" }
                    input #name type="text" name="name" required maxlength="64" autocomplete="off"
                        value=(request.form_field("name"));
                }
                p.choice {
                    label for="scope" { "What it may do" }
                    select #scope name="scope" {
                        @for scope in scopes {
                            option value=(scope.as_str()) selected[scope == chosen] { (scope_words(scope)) }
                        }
                    }
                }
                @if !is_first && !owners.is_empty() { (owner_choice(owners)) }
                (lasts("token-expires", &[
                    ("", "until it is revoked"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "a year"),
                ]))
                @if !is_first {
                    p.check {
                        input #known type="checkbox" name="known_stores_only" value="true";
                        label for="known" { "For checks of stores that are known already, and of no new ones" }
                    }
                }
                button.primary type="submit" { "Make it" }
            }
        }
    }
}

fn owner_choice(owners: &[&str]) -> Markup {
    html! {
        fieldset.owners {
            legend { "For looking and reports: whose stores it sees (none chosen: all)" }
            @if owners.len() <= OWNERS_TICKED_MAX {
                @for (number, owner) in owners.iter().enumerate() {
                    @let id = format!("owner-{number}");
                    p.check {
                        input id=(id) type="checkbox" name="groups" value=(owner);
                        label for=(id) { (owner) }
                    }
                }
            } @else {
                label for="owners" { "Owners, one a line" }
                textarea #owners name="groups" rows="3" {}
            }
        }
    }
}

fn list(frame: &Frame, kind: Kind, all: &[Credential]) -> Markup {
    let (title, id, none) = match kind {
        Kind::Token => ("Tokens", "tokens", "There is no token."),
        Kind::Link => (
            "Share links",
            "links",
            "There is no link. The pages of stores and owners have a button that makes one.",
        ),
    };
    let more = all.len().saturating_sub(LISTED_MAX);
    html! {
        section.card.wide aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if all.is_empty() { p.calm { (none) } } @else {
                table.rows {
                    thead { tr {
                        th scope="col" { "Name" }
                        th scope="col" { @if kind == Kind::Token { "May" } @else { "Shows" } }
                        th.least scope="col" { "Made" }
                        th.least scope="col" { "Last used" }
                        th scope="col" { "Works until" }
                        th scope="col" { "Revoke" }
                    } }
                    tbody { @for one in all.iter().rev().take(LISTED_MAX) { (row(frame, kind, one, all.len())) } }
                }
                @if more > 0 {
                    p.note {
                        (frame.locale().count(more)) " older ones are not listed: " code { "store-monitor " (kind.as_str()) " list" }
                        " has them all."
                    }
                }
            }
        }
    }
}

fn row(frame: &Frame, kind: Kind, one: &Credential, count: usize) -> Markup {
    let at = |at: Micros| {
        let table = phrases::zone_near(frame.zone(), at);
        html! { (Wall::new(&table, frame.locale()).full(at)) }
    };
    html! {
        tr {
            th scope="row" { (one.name) }
            td {
                @if kind == Kind::Token { (one.scope.as_str()) }
                @match &one.audience {
                    Audience::All => {}
                    Audience::Groups(groups) => {
                        span.why { @for (number, group) in groups.iter().enumerate() { @if number > 0 { ", " } (group) } }
                    }
                    Audience::Store(id) => { a href=(frame.store_link(id)) { "store " (id) } }
                }
                @if one.known_stores_only { span.why { "known stores only" } }
            }
            td.least { (at(one.created_at)) }
            td.least { @match one.last_used_at { Some(used) => { (at(used)) } None => { "never" } } }
            td {
                @match one.expires_at {
                    Some(expires) if one.is_expired(frame.machine()) => { "expired " (at(expires)) }
                    Some(expires) => { (at(expires)) }
                    None => { "no end" }
                }
            }
            td {
                @if frame.may(Scope::Admin) {
                    details.revoke {
                        summary { "Revoke" span.aside { " " (one.name) } }
                        form action={"/access/" (kind.as_str()) "s/revocation"} method="post" {
                            (frame.csrf())
                            input type="hidden" name="name" value=(one.name);
                            @if kind == Kind::Token && count == 1 {
                                p.why { "It is the last token: without one, a server that only its own machine reaches is open again." }
                            }
                            button.danger type="submit" { "Revoke " (one.name) }
                        }
                    }
                }
            }
        }
    }
}

/// What a scope may do, in words.
const fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Admin => "Everything, tokens included (admin)",
        Scope::Report => "Look, and make reports (report)",
        Scope::Read => "Look (read)",
        Scope::Ingest => "Send checks, and nothing else (ingest)",
        Scope::Public => "Nothing",
    }
}
