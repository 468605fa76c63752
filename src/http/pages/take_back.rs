//! Taking checks back by a store's page: those of a span, such as the ones that a wrong clock dated.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases;
use crate::error::{Error, Result};
use crate::http::app::App;
use crate::http::json::encoded;
use crate::http::page_query;
use crate::http::query::{self, StoreView};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::stores::take_polls_back;
use crate::uptime::interval::Interval;

/// The form on a store's page, folded away. Without the tick, nothing is sent or removed.
pub fn form(frame: &Frame, shown: &StoreView) -> Markup {
    html! {
        details.card.take-back.screen {
            summary { "Take checks back" }
            (fields(frame, shown, ["", ""]))
        }
    }
}

fn fields(frame: &Frame, shown: &StoreView, [from, to]: [&str; 2]) -> Markup {
    let control = |name: &str, label: &str, value: &str| {
        let id = format!("take-back-{name}");
        html! {
            p.choice {
                label for=(id) { (label) }
                input id=(id) type="datetime-local" name=(name) value=(value) step="1" required;
            }
        }
    };
    html! {
        form action=(frame.link(&format!("/stores/{}/polls-removal", encoded(&shown.store.id)))) method="post" {
            (frame.csrf())
            p {
                "This deletes the checks of a span that have a wrong date, such as those of a clock that was wrong. Times are in "
                (phrases::city(shown.pattern.zone)) " time."
            }
            (control("from", "From", from))
            (control("to", "To (a check at this time stays)", to))
            p.check {
                input #confirm-checks type="checkbox" name="confirm" value="yes" required;
                label for="confirm-checks" { "Yes, delete these checks for good" }
            }
            button.danger type="submit" { "Take them back" }
        }
    }
}

/// `POST /stores/ID/polls-removal`: takes the checks back and says how many; otherwise it says what is missing.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let shown = query::store(app, request)?;
    let value = |name: &str| request.form_field(name);
    let frame = Frame::new(app, request, Section::Stores)?;
    let zone = shown.pattern.zone;
    let [from, to] = ["from", "to"].map(|name| page_query::instant(value(name), zone));
    let complaint = match (&from, &to) {
        (Ok(from), Ok(to)) if from < to && value("confirm") == "yes" => None,
        (Ok(from), Ok(to)) if from < to => Some("Tick the box: nothing is deleted without it."),
        (Ok(_), Ok(_)) => Some("The second time must be later than the first."),
        _ => Some("Both times are needed."),
    };
    if let Some(complaint) = complaint {
        let body = html! {
            h1 { "Take checks back?" }
            p.complaint role="alert" { (complaint) }
            section.card { (fields(&frame, &shown, [value("from"), value("to")])) }
            p.more { a href=(frame.store_link(&shown.store.id)) { "Back to the store" } }
        };
        return Ok(Response::page(400, frame.page("Take checks back?", None, &body)).cached("no-store"));
    }
    let (id, span) = (request.id.clone(), Interval::new(from?, to?));
    let taken = take_polls_back(app, id, span)?;
    let taken = taken.ok_or_else(|| Error::not_found("the store was removed meanwhile (GET /api/stores lists all)"))?;
    // The newest check may have gone, which the head of each page names.
    let frame = Frame::new(app, request, Section::Stores)?;
    let count = usize::try_from(taken).unwrap_or(usize::MAX);
    let body = html! {
        h1 { (shown.name()) }
        section.card.outcome role="status" {
            p.big {
                (frame.locale().count(count)) " "
                small { @if count == 1 { "check was taken back" } @else { "checks were taken back" } }
            }
            @if count == 0 { p { "The store has no check of that span." } }
        }
        p.more { a href=(frame.store_link(&shown.store.id)) { "Back to the store" } }
    };
    Ok(Response::page(200, frame.page("Checks taken back", None, &body)).cached("no-store"))
}
