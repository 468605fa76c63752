//! The OpenAPI 3.1 description of the API: paths from the table of routes, components from an asset.

use serde_json::{Map, Value, json};

use super::field::Field;
use super::intake::{ARCHIVES, KEY_BYTES_MAX};
use super::proof::COOKIE;
use super::route::{Body, Route};
use crate::access::Scope;

/// The description without paths; `VERSION` stands for the program's version.
const BASE: &str = include_str!("assets/openapi.json");

/// The media types of rows.
const ROWS: [&str; 3] = ["text/csv", "application/x-ndjson", "application/json"];

/// The media types of a problem: for programs, and for a browser.
const PROBLEM: &[(&str, &str)] = &[("application/problem+json", "Problem"), ("text/html", "")];

/// The document.
pub fn document(routes: &[Route]) -> Value {
    let base = BASE.replacen("VERSION", env!("CARGO_PKG_VERSION"), 1);
    // A test parses it, so it is valid.
    let mut document: Value = serde_json::from_str(&base).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer", "description": "A token, smt_…; /login takes it, too."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "What /login gives a browser."},
    });
    for route in routes {
        document["paths"][route.path][route.method.to_ascii_lowercase()] = operation(route);
    }
    document
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": responses(route),
        "security": security(route.scope),
    });
    let path = [route.id, route.date].into_iter().flatten();
    let path = path.map(|field| parameter("path", &field, field.schema()));
    let query = route.query().map(|field| match route.is_page() {
        true => parameter(
            "query",
            field,
            json!({"anyOf": [field.schema(), {"type": "string", "maxLength": 0}]}),
        ),
        false => parameter("query", field, field.schema()),
    });
    let parameters: Vec<Value> = path.chain(query).chain(key(route)).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    let form = |media_type: &str, component| json!({"content": content(&[(media_type, component)])});
    match route.body {
        Body::Empty => {}
        Body::Form(component) => {
            operation["requestBody"] = form("application/x-www-form-urlencoded", component);
        }
        Body::Fields(component) => {
            let kinds = ["application/json", "application/x-www-form-urlencoded"];
            operation["requestBody"] = json!({"content": content(&kinds.map(|kind| (kind, component)))});
        }
        Body::Files(component) => {
            operation["requestBody"] = form("multipart/form-data", component);
        }
        Body::Rows => {
            let rows = ROWS.into_iter().chain(ARCHIVES).map(|media_type| match media_type {
                "application/json" => (media_type, "Rows"),
                _ => (media_type, ""),
            });
            let rows: Vec<_> = rows.collect();
            operation["requestBody"] = json!({"required": true, "content": content(&rows)});
        }
    }
    operation
}

/// What a request must carry: nothing, or a token or session of this scope at least.
fn security(scope: Scope) -> Value {
    match scope {
        Scope::Public => json!([]),
        scope => json!([{"token": [scope.as_str()]}, {"session": [scope.as_str()]}]),
    }
}

fn parameter(place: &str, field: &Field, schema: Value) -> Value {
    let mut parameter = json!({
        "name": field.name,
        "in": place,
        "description": field.about,
        "schema": schema,
    });
    if field.required {
        parameter["required"] = true.into();
    }
    parameter
}

/// The `Idempotency-Key` of rows.
fn key(route: &Route) -> Option<Value> {
    (route.body == Body::Rows).then(|| {
        json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A text of the client's own: the same rows under the same key get the same answer for a day.",
            "schema": {"type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX},
        })
    })
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    let mut success = json!({"description": route.about});
    if !route.content.is_empty() {
        success["content"] = content(route.content);
    }
    if route.status == 303 {
        success["headers"] = header("Location", "The page.");
    }
    responses.insert(route.status.to_string(), success);
    if route.tagged {
        let known = json!({"description": "If-None-Match names this answer's ETag."});
        responses.insert("304".to_owned(), known);
    }
    if route.is_page() && route.scope != Scope::Public {
        let moved = json!({
            "description": "To the page with as_of, or to /login for a browser without a token.",
            "headers": header("Location", "The page."),
        });
        responses.insert("303".to_owned(), moved);
    }
    for status in route.refusals() {
        let mut problem = json!({"description": refusal(status), "content": content(PROBLEM)});
        match status {
            401 => problem["headers"] = header("WWW-Authenticate", "Bearer."),
            429 | 503 | 507 => problem["headers"] = header("Retry-After", "In how many seconds to try again."),
            _ => {}
        }
        responses.insert(status.to_string(), problem);
    }
    for (status, about) in route.pages {
        responses.insert(
            status.to_string(),
            json!({"description": about, "content": content(PROBLEM)}),
        );
    }
    responses.into()
}

fn header(name: &str, about: &str) -> Value {
    json!({name: {"description": about, "required": true, "schema": {"type": "string"}}})
}

/// The meaning of a status that follows from a route's line.
const fn refusal(status: u16) -> &'static str {
    match status {
        400 => "A value that the field does not take, or a field twice; detail says what it takes.",
        401 => "No token, or one that is not good (any more).",
        403 => "The token may not, or a page of another site asks.",
        404 => "Unknown here: the store, the owner or the report.",
        413 => "The body is too long.",
        415 => "The type of the body is not taken.",
        421 => "The Host is not this server's.",
        422 => "Bad rows; errors lists the first.",
        429 => "Too many wrong tokens from this address.",
        503 => "Busy, or the database cannot be used; the same request may succeed later.",
        507 => "The disk is full.",
        _ => "A problem; detail says what to do.",
    }
}

/// Media types with their components; without a component, a string.
fn content(media_types: &[(&str, &str)]) -> Value {
    let described = media_types.iter().map(|&(media_type, component)| {
        let schema = match component {
            "" => json!({"type": "string"}),
            component => json!({"$ref": format!("#/components/schemas/{component}")}),
        };
        (media_type.to_owned(), json!({"schema": schema}))
    });
    described.collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::ROUTES;

    #[test]
    fn every_component_is_there_and_used() {
        let document = document(ROUTES);
        let text = document.to_string();
        let components = document["components"]["schemas"].as_object().unwrap();
        for name in components.keys() {
            let reference = format!("#/components/schemas/{name}\"");
            assert!(text.contains(&reference), "{name} is not used");
        }
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(components.contains_key(name), "{name} is missing");
        }
    }

    #[test]
    fn every_route_is_described_whole_and_once() {
        let mut names: Vec<_> = ROUTES.iter().map(|route| route.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for route in ROUTES {
            let path = route.path;
            assert_eq!(path.contains("{id}"), route.id.is_some(), "{path}");
            assert_eq!(path.contains("{date}"), route.date.is_some(), "{path}");
            assert!(!route.about.is_empty(), "{path}");
        }
    }
}
