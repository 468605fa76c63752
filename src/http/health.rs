//! `GET /health`: whether the server can read its database.

use serde_json::json;

use super::app::App;
use super::request::Request;
use super::response::Response;
use crate::access::Scope;
use crate::civil;
use crate::error::{Error, ErrorKind, Result};
use crate::health::Condition;

/// 200 after reading the database, 503 when it cannot be read.
pub fn get(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    let newest = app.newest_poll().map_err(|error| {
        if error.kind() == ErrorKind::Unavailable {
            return error;
        }
        tracing::error!(%error, "the database cannot be read");
        Error::unavailable("the database cannot be read; the server's log says why")
    })?;
    app.time_beside(newest);
    // A monitor without a token learns whether the server works, and nothing of what it holds.
    if !(app.visitor.may(Scope::Read) && app.visitor.audience.is_all()) {
        return match app
            .site
            .health()
            .list()
            .iter()
            .any(|(condition, _)| condition.is_down())
        {
            true => Err(Error::unavailable(
                "the database cannot be used; the server's log says why",
            )),
            false => Ok(Response::json(
                200,
                &json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}),
            )),
        };
    }
    let conditions = app.site.health().list();
    if let Some((_, sentence)) = conditions.iter().find(|(condition, _)| condition.is_down()) {
        return Err(Error::unavailable(sentence.clone()));
    }
    let condition =
        |(condition, sentence): &(Condition, String)| json!({"condition": condition.as_str(), "detail": sentence});
    Ok(Response::json(
        200,
        &json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "newest_poll": newest.map(civil::format_rfc3339),
            "newest_backup": app.site.backups.as_ref().and_then(|backups| backups.newest()).map(civil::format_rfc3339),
            "conditions": conditions.iter().map(condition).collect::<Vec<_>>(),
        }),
    ))
}
