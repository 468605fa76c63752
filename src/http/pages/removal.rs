//! The removal of a store by its page: a form that must be confirmed, and the answer to it.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use crate::error::{Error, Result};
use crate::http::app::App;
use crate::http::json::encoded;
use crate::http::query::StoreView;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::stores::delete_store;

/// The form on a store's page, folded away. Without the tick, nothing is sent or removed.
pub fn form(frame: &Frame, shown: &StoreView) -> Markup {
    html! {
        details.card.removal.screen {
            summary { "Remove this store" }
            (confirmation(frame, &shown.store.id, shown.name()))
        }
    }
}

fn confirmation(frame: &Frame, id: &str, name: &str) -> Markup {
    html! {
        form action=(frame.link(&format!("/stores/{}/removal", encoded(id)))) method="post" {
            (frame.csrf())
            p { "This deletes " strong { (name) } " with its hours, its zone and all of its checks. It cannot be undone." }
            p.check {
                input #confirm type="checkbox" name="confirm" value="yes" required;
                label for="confirm" { "Yes, remove it for good" }
            }
            button.danger type="submit" { "Remove the store" }
        }
    }
}

/// `POST /stores/ID/removal`: removes the store and returns to the list; without the confirmation it asks again.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let is_confirmed = request.form_field("confirm") == "yes";
    let id = request.id.clone();
    let frame = Frame::new(app, request, Section::Stores)?;
    if !is_confirmed {
        let body = html! {
            h1 { "Remove this store?" }
            section.card { (confirmation(&frame, &id, &id)) }
            p.more { a href=(frame.store_link(&id)) { "Back to the store" } }
        };
        return Ok(Response::page(400, frame.page("Remove this store?", None, &body)).cached("no-store"));
    }
    let removed = delete_store(app, id)?;
    if removed.is_none() {
        let id = request.id.escape_debug();
        return Err(Error::not_found(format!(
            "there is no store `{id}` (GET /api/stores lists all)"
        )));
    }
    let gone: String = form_urlencoded::byte_serialize(request.id.as_bytes()).collect();
    Ok(Response::see_other(frame.link(&format!("/stores?removed={gone}"))))
}
