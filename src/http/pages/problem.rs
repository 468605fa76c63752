//! A problem as a page, for browsers: the detail that programs get as JSON.

use maud::html;
use serde_json::Value;

use super::layout::{Frame, Section};
use crate::http::app::App;
use crate::http::request::Request;
use crate::http::response::Response;

/// The same answer as a page, where a browser asked for one.
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
    // Where not even the frame can be made, the answer stays JSON.
    let Ok(frame) = Frame::new(app, Section::Nowhere) else {
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
