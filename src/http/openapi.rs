//! `GET /openapi.json`: the API described for programs.
//!
//! A test holds it to the routing table. It must never know how anything is answered.

use super::App;
use super::request::Request;
use super::response::Response;
use crate::error::Result;

/// The description; `VERSION` stands for the program's.
pub const DOCUMENT: &str = include_str!("assets/openapi.json");

/// The document.
pub fn get(_app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    let document = DOCUMENT.replacen("VERSION", env!("CARGO_PKG_VERSION"), 1);
    Ok(Response::new(200, "application/json", document.into_bytes()).revalidated())
}
