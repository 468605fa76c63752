//! A problem as a page for browsers; programs get the same detail as JSON.

use maud::{Markup, html};
use serde_json::Value;

use super::layout::{Frame, Section};
use crate::access::Scope;
use crate::http::app::App;
use crate::http::request::Request;
use crate::http::response::Response;

/// The answer as a page, if a browser asked for it.
pub fn for_browsers(app: &mut App, request: &Request<'_>, answer: Response) -> Response {
    let accept = request.header("Accept").unwrap_or_default();
    let is_page = !request.path.starts_with("/api/") && accept.contains("text/html");
    if answer.header("Content-Type") != Some("application/problem+json") || !is_page {
        return answer;
    }
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let told = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    // Without a frame the answer stays JSON.
    let Ok(frame) = Frame::new(app, request, Section::Nowhere) else {
        return answer;
    };
    // An owner that does not exist must not be part of every link.
    let frame = frame.without_owner();
    let detail = told("detail");
    let body = match answer.status {
        404 => missing(&frame, request, &detail),
        _ => html! {
            h1 { (heading(answer.status, &told("title"))) }
            section.card { p { (for_people(&detail)) "." } (ways(&frame)) }
        },
    };
    let mut page = Response::page(
        answer.status,
        frame.page(&heading(answer.status, &told("title")), None, &body),
    );
    let kept = answer
        .headers
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "Content-Type" | "Cache-Control"));
    page.headers.extend(kept);
    page.cached("no-store")
}

/// What happened, in words that are not HTTP's.
fn heading(status: u16, title: &str) -> String {
    match status {
        400 => "This address is not understood".to_owned(),
        401 => "You are not logged in".to_owned(),
        403 => "This is not allowed here".to_owned(),
        404 => "Nothing is at this address".to_owned(),
        410 => "This link has expired".to_owned(),
        429 => "Too many tries".to_owned(),
        503 => "The server is busy".to_owned(),
        _ => title.to_owned(),
    }
}

/// The page for an address that leads nowhere: what is missing, and a search.
fn missing(frame: &Frame, request: &Request<'_>, detail: &str) -> Markup {
    // The remedy for programs is a route; the search is that for people.
    let sentence = for_people(detail);
    let wanted = match request.path.starts_with("/stores/") {
        true => request.id.as_str(),
        false => "",
    };
    html! {
        h1 { (heading(404, "")) }
        section.card {
            p { "Sorry, " (sentence) "." }
            @if frame.may(Scope::Read) && !frame.is_guest() { form.filters action="/stores" method="get" role="search" {
                div {
                    label for="q" { "Name, owner or id of a store" }
                    input #q type="search" name="q" value=(wanted);
                }
                button.primary type="submit" { "Search" }
            } }
            (ways(frame))
        }
    }
}

/// A problem's sentence without the remedies for programs.
fn for_people(detail: &str) -> &str {
    let remedies = ["; GET ", " (GET ", " (`store-monitor ", " (send `"];
    let end = remedies.iter().filter_map(|remedy| detail.find(remedy)).min();
    detail[..end.unwrap_or(detail.len())].trim_end_matches('.')
}

fn ways(frame: &Frame) -> Markup {
    if !frame.may(Scope::Read) {
        return html! {
            @if !frame.is_guest() { p.more { a href="/login" { "Log in" } " · " a href="/docs" { "Guides" } } }
        };
    }
    html! {
        p.more { a href=(frame.link("/")) { "To the fleet" } " · " a href=(frame.link("/stores")) { "All stores" } }
    }
}
