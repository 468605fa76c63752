//! A problem as a page for browsers; programs get the same detail as JSON.

use maud::html;
use serde_json::Value;

use super::layout::{Frame, Section};
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
    let body = html! {
        h1 { (told("title")) }
        section.card { p { (told("detail")) } p { a href="/" { "To the fleet" } " · " a href="/stores" { "All stores" } } }
    };
    // Without a frame the answer stays JSON.
    let Ok(frame) = Frame::new(app, request, Section::Nowhere) else {
        return answer;
    };
    let mut page = Response::page(answer.status, frame.page(&told("title"), None, &body));
    let kept = answer
        .headers
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "Content-Type" | "Cache-Control"));
    page.headers.extend(kept);
    page.cached("no-store")
}
