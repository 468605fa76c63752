//! Hours over HTTP: takes a version of a store's week, or a special day of it, back.

use rusqlite::Connection;
use serde_json::json;

use super::app::App;
use super::request::Request;
use super::response::Response;
use super::stores::unknown;
use crate::civil;
use crate::db::audit::Action;
use crate::db::forget;
use crate::error::Result;

/// `DELETE /api/stores/ID/business-hours`: takes the version that holds from `valid_from` back; without one, that from
/// the beginning. 404 for an unknown store.
pub fn delete_version(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let valid_from = request.field("valid_from")?.map(civil::parse_day).transpose()?;
    let id = request.id.clone();
    take_back(app, request, Action::DeleteHours, move |db| {
        forget::version_of(db, &id, valid_from)
    })
}

/// `DELETE /api/stores/ID/special-hours/DATE`: takes the special hours of the date back. 404 for an unknown store.
pub fn delete_special_day(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let date = civil::parse_day(&request.date)?;
    let id = request.id.clone();
    take_back(app, request, Action::DeleteSpecialHours, move |db| {
        forget::special_day_of(db, &id, date)
    })
}

/// Takes rows of the store in the path back, and says how many; `remove` returns none if there is no such store.
fn take_back(
    app: &App,
    request: &Request<'_>,
    action: Action,
    remove: impl FnOnce(&Connection) -> Result<Option<u64>> + Send + 'static,
) -> Result<Response> {
    let (author, id) = (app.author(), request.id.clone());
    let removed = app.site.writer.try_write(move |db| {
        let removed = remove(db)?;
        removed.map_or(Ok(()), |rows| author.did(db, action, &id, rows))?;
        Ok(removed)
    })?;
    let removed = removed.ok_or_else(|| unknown(&request.id))?;
    let facts = json!({"store_id": request.id, "removed": removed});
    Ok(Response::json(200, &facts))
}
