//! Sharing: the button of a store's or an owner's page, and the answer with a link's full address, shown once.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use crate::access::{Audience, Scope};
use crate::db::credentials::Kind;
use crate::db::issue::Wanted;
use crate::error::{Error, Result};
use crate::http::app::App;
use crate::http::proof::SHARE;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::tokens;

/// The button, folded away; `field` is `store` or `group`, and `value` its id or name.
pub fn button(frame: &Frame, field: &str, value: &str) -> Markup {
    html! {
        @if frame.may(Scope::Admin) {
            details.card.share.screen {
                summary { "Share" }
                form action="/access/links" method="post" {
                    (frame.csrf())
                    input type="hidden" name=(field) value=(value);
                    p {
                        "This makes a link. Whoever has it can look at "
                        @if field == "store" { "this store" } @else { "this owner’s stores" }
                        ", and at nothing else, without logging in."
                    }
                    (lasts("share-expires", &[("7d", "7 days"), ("30d", "30 days"), ("", "until it is revoked")]))
                    button.primary type="submit" { "Make a link" }
                }
            }
        }
    }
}

/// The field that says how long a token or a link is worth something.
pub fn lasts(id: &str, choices: &[(&str, &str)]) -> Markup {
    html! {
        p.choice {
            label for=(id) { "It works" }
            select id=(id) name="expires" { @for (value, words) in choices { option value=(value) { (words) } } }
        }
    }
}

/// A text that was just made, in a field from which it can be copied, with or without a script.
pub fn shown_once(label: &str, text: &str) -> Markup {
    html! {
        p.once {
            label for="once" { (label) }
            input #once type="text" readonly value=(text) autocomplete="off" spellcheck="false";
        }
        p { button type="button" data-copies="#once" hidden { "Copy" } }
    }
}

/// `POST /access/links`: makes a link and shows its address once.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let [store, group, expires] = ["store", "group", "expires"].map(|name| request.form_field(name).to_owned());
    let audience = match (store.is_empty(), group.is_empty()) {
        (false, true) => Audience::Store(store.as_str().into()),
        (true, false) => Audience::of_groups([group.clone()]),
        _ => {
            return Err(Error::invalid(
                "a link is for one store or for one owner (use the button on its page)",
            ));
        }
    };
    let made = tokens::make(
        app,
        Wanted {
            kind: Kind::Link,
            name: None,
            scope: Scope::Read,
            audience,
            lasts: tokens::lasts(Some(expires.as_str()).filter(|expires| !expires.is_empty()))?,
            known_stores_only: false,
        },
    )?;
    let frame = Frame::new(app, request, Section::Access)?;
    let address = frame.address(&format!("{SHARE}{}/", made.secret.text()));
    let back = match store.is_empty() {
        true => frame.query().owned_by(Some(&group)).link("/"),
        false => frame.store_link(&store),
    };
    let body = html! {
        h1 { "Your link" }
        section.card.outcome role="status" {
            p { "Whoever has this link can look. Copy it now: it is not shown again." }
            (shown_once("The link", &address))
            p.note {
                "It is listed as " strong { (made.credential.name) } " under " a href="/access" { "Access" }
                ", where you can revoke it. "
                @match made.credential.expires_at {
                    Some(at) => { "It works until " (frame.instant(at)) " time." }
                    None => { "It works until then." }
                }
            }
        }
        p.more { a href=(back) { "Back" } }
    };
    Ok(Response::page(200, frame.page("Your link", None, &body)).cached("no-store"))
}
