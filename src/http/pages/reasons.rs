//! Reasons in words: why a store was offline, as its owner said; and the form by which an admin says it.

use maud::{Markup, html};

use super::layout::Frame;
use crate::access::Scope;
use crate::civil;
use crate::db::incident_reasons::{self, LINE_CHARS_MAX, Note, Reason};
use crate::error::{Error, Result};
use crate::http::app::App;
use crate::http::json::encoded;
use crate::http::query::{StoreView, unknown};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::stores;
use crate::uptime::incident::Incident;
use crate::uptime::interval::{Interval, Micros};

/// A reason as people say it.
pub const fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Planned => "Planned",
        Reason::Power => "No power",
        Reason::Internet => "No internet",
        Reason::Staff => "Staff",
        Reason::Platform => "The platform",
        Reason::Other => "Something else",
    }
}

/// A note, with the owner's own words: `No power: “the street is dark”`.
pub fn told(note: &Note) -> Markup {
    html! {
        (words(note.reason))
        // Words in another direction must not turn what stands beside them.
        @if !note.line.is_empty() { ": “" bdi { (note.line) } "”" }
    }
}

/// A note below what it is about.
pub fn part(note: &Note) -> Markup {
    html! { span.part.reason { "Why: " (told(note)) } }
}

/// The form beside an incident of a store's page, folded away; `number` tells it from the others.
pub fn form(frame: &Frame, shown: &StoreView, incident: &Incident, number: usize) -> Markup {
    let noted = shown.reason(incident);
    let chosen = noted.map(|note| note.reason);
    // As an alert's link does it.
    let inside = |at: &&Micros| (incident.since..=incident.stretch.end).contains(*at);
    let at = incident.inactive.iter().find(inside).unwrap_or(&incident.since);
    let hidden = [("from", incident.since), ("to", incident.stretch.end), ("at", *at)];
    let (select, line) = (format!("why-{number}"), format!("line-{number}"));
    html! {
        @if frame.may(Scope::Admin) {
            details.say-why.screen {
                summary { @if noted.is_some() { "Change why" } @else { "Say why" } }
                form action=(frame.link(&format!("/stores/{}/reason", encoded(&shown.store.id)))) method="post" {
                    (frame.csrf())
                    @for (name, at) in hidden { input type="hidden" name=(name) value=(civil::format_rfc3339(at)); }
                    p.choice {
                        label for=(select) { "Why it was offline" }
                        select id=(select) name="reason" {
                            option value="" { "not said" }
                            @for reason in Reason::ALL {
                                option value=(reason.as_str()) selected[chosen == Some(reason)] { (words(reason)) }
                            }
                        }
                    }
                    p.choice {
                        label for=(line) { "In your words" }
                        input id=(line) type="text" name="line" maxlength=(LINE_CHARS_MAX) autocomplete="off"
                            value=(noted.map_or("", |note| &note.line));
                    }
                    button type="submit" { "Keep it with the incident" }
                }
            }
        }
    }
}

/// `POST /stores/ID/reason`: notes the reason of an incident and returns to the store; without a reason it takes what
/// was noted back.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let instant = |name: &str| civil::parse_query_instant(request.form_field(name));
    let (from, to, at) = (instant("from")?, instant("to")?, instant("at")?);
    if !(from..=to).contains(&at) {
        return Err(Error::invalid(
            "`at` is not within the incident (send the form of the page)",
        ));
    }
    let line = request.form_field("line");
    let note = match request.form_field("reason") {
        // A line that is too long is refused in any case.
        "" => Note::new(Reason::Other, line).map(|_| None)?,
        word => {
            let reason = Reason::from_name(word);
            let reason = reason.ok_or_else(|| unknown("reason", word, &Reason::WORDS.join(", ")))?;
            Some(Note::new(reason, line)?)
        }
    };
    let (author, id) = (app.author(), request.id.clone());
    let incident = Interval::new(from, to);
    let is_known = app
        .site
        .writer
        .try_write(move |db| incident_reasons::change(db, &author, &id, incident, at, note.as_ref()))?;
    match is_known {
        true => {
            let page = format!("/stores/{}", encoded(&request.id));
            let query = crate::http::page_query::PageQuery::of(request);
            Ok(Response::see_other(format!("{}#incidents", query.link(&page))))
        }
        false => Err(stores::unknown(&request.id)),
    }
}
