//! Stores over HTTP: forgetting one.
//!
//! It must never know how stores are kept.

use serde_json::json;

use super::App;
use super::request::Request;
use super::response::Response;
use crate::db::fleet;
use crate::error::{Error, Result};

/// `DELETE /api/stores/ID`: forgets a store with its polls, hours, zone and name; 404 where none is.
pub fn delete(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let id = request.id.clone();
    let deleted = app
        .shared
        .writer
        .try_write(move |db| fleet::delete(db, &id))?;
    let polls = deleted.ok_or_else(|| {
        Error::not_found(format!("there is no store `{}`", request.id.escape_debug()))
    })?;
    Ok(Response::json(
        200,
        &json!({"store_id": request.id, "polls_deleted": polls}),
    ))
}
