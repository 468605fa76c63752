//! `/messages`, for admins: how each receiver fares, and what became of the newest messages.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use crate::db::outbox::{Count, Entry, Kind, State};
use crate::error::Result;
use crate::http::app::App;
use crate::http::messages::{self, Fared};
use crate::http::query;
use crate::http::query_fields::AUDIT_LAST;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::uptime::interval::Micros;

/// How many messages a page has.
const PAGE_MESSAGES: usize = 100;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let before = query::number(request, "before", 1..=AUDIT_LAST, AUDIT_LAST)?;
    let receivers = messages::receivers(app)?;
    let found = messages::page(app, before, PAGE_MESSAGES)?;
    let frame = Frame::new(app, request, Section::Access)?;
    let older = found
        .last()
        .filter(|last| found.len() == PAGE_MESSAGES && last.number > 1);
    let body = html! {
        h1 { "Messages" }
        p.lead {
            "Alerts, digests and answers to callbacks, and whether they arrive. Times in "
            (phrases::city(frame.zone())) " time. " a href="/access" { "Access" }
        }
        @if before == AUDIT_LAST {
            section.card.wide aria-labelledby="receivers" {
                h2 #receivers { "Receivers" }
                @if receivers.is_empty() {
                    p.calm { "No receiver is configured, so nobody is told anything. " a href="/docs/alerts" { "How to add one" } }
                } @else { (fared(&frame, &receivers)) }
            }
        }
        section.card.wide aria-labelledby="newest" {
            h2 #newest { "Newest messages" }
            @if found.is_empty() { p.calm { "No message was written yet." } } @else { (table(&frame, &found)) }
        }
        nav.pager aria-label="Pages of messages" {
            @if before != AUDIT_LAST { a href="/messages" { "← Newest" } }
            @if let Some(last) = older { a rel="next" href={"/messages?before=" (last.number)} { "Older →" } }
        }
    };
    Ok(Response::page(200, frame.page("Messages", None, &body)).cached("no-store"))
}

fn when(frame: &Frame, at: Micros) -> Markup {
    let table = phrases::zone_near(frame.zone(), at);
    Wall::new(&table, frame.locale()).full(at)
}

fn count(frame: &Frame, count: i64) -> String {
    frame.locale().count(usize::try_from(count).unwrap_or(usize::MAX))
}

fn fared(frame: &Frame, receivers: &[Fared]) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "Receiver" }
                th scope="col" { "How it fares" }
                th.number scope="col" { "Waiting" }
                th.number.least scope="col" { "Given up" }
                th.least scope="col" { "Last arrived" }
            } }
            tbody {
                @for Fared { place, count: of } in receivers {
                    tr {
                        th scope="row" {
                            (of.receiver)
                            span.why {
                                @match place { Some(place) => (place), None => "not in the configuration" }
                            }
                        }
                        td { (standing(frame, of)) }
                        td.number { (count(frame, of.waiting)) }
                        td.number.least { (count(frame, of.given_up)) }
                        td.least { @match of.last_sent_at { Some(at) => (when(frame, at)), None => "never" } }
                    }
                }
            }
        }
    }
}

/// Whether the last message arrived, and why not.
fn standing(frame: &Frame, count: &Count) -> Markup {
    match &count.last_failure {
        Some((at, error)) if Some(*at) > count.last_sent_at => html! {
            (mark("offline", "fails"))
            span.why { (error) ", " (when(frame, *at)) }
        },
        _ if count.last_sent_at.is_some() => mark("online", "arrives"),
        _ => mark("not-sure", "not tried yet"),
    }
}

fn mark(state: &str, words: &str) -> Markup {
    html! { span.{ "state " (state) } { span.mark aria-hidden="true" {} (words) } }
}

fn table(frame: &Frame, messages: &[Entry]) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "Written" }
                th scope="col" { "Message" }
                th scope="col" { "State" }
            } }
            tbody {
                @for entry in messages {
                    tr {
                        th scope="row" { (when(frame, entry.created_at)) }
                        td {
                            (entry.message.subject)
                            span.why { (kind(entry.message.kind)) " to " (entry.message.receiver) }
                        }
                        td { (state(frame, entry)) }
                    }
                }
            }
        }
    }
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert => "alert",
        Kind::Digest => "digest",
        Kind::Callback => "answer to a callback",
        Kind::Test => "test",
    }
}

fn state(frame: &Frame, entry: &Entry) -> Markup {
    let error = entry.error.as_deref();
    html! {
        @match (entry.state(), entry.next_attempt_at) {
            (State::Sent, _) => {
                (mark("online", "sent"))
                span.why { @if let Some(at) = entry.sent_at { (when(frame, at)) } }
            }
            (State::Waiting, Some(at)) if entry.attempts > 0 => {
                (mark("not-sure", "tried again"))
                span.why { "from " (when(frame, at)) " on, after " (frame.locale().count(entry.attempts as usize)) " attempts" }
            }
            (State::Waiting, _) => { (mark("running", "waits")) }
            (State::GivenUp, _) => { (mark("offline", "given up")) }
        }
        @if let Some(error) = error { span.why { (error) } }
    }
}
