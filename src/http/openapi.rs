//! The OpenAPI 3.1 description of the API: paths from the table of routes, components from an asset.

use serde_json::{Map, Value, json};

use super::intake::ARCHIVES;
use super::route::{Body, Field, Route};

/// The description without paths; `VERSION` stands for the program's version.
const BASE: &str = include_str!("assets/openapi.json");

/// The media types of rows.
const ROWS: [&str; 3] = ["text/csv", "application/x-ndjson", "application/json"];

/// The document.
pub fn document(routes: &[Route]) -> Value {
    let base = BASE.replacen("VERSION", env!("CARGO_PKG_VERSION"), 1);
    // A test parses it, so it is valid.
    let mut document: Value = serde_json::from_str(&base).unwrap_or_default();
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
    });
    let id = (!route.id.is_empty()).then(|| {
        json!({
            "name": "id",
            "in": "path",
            "required": true,
            "description": route.id,
            "schema": {"type": "string"},
        })
    });
    let date = route.path.contains("{date}").then(|| {
        json!({
            "name": "date",
            "in": "path",
            "required": true,
            "description": "A local date, such as 2026-12-25.",
            "schema": {"type": "string", "format": "date"},
        })
    });
    let fields = route.fields.iter().copied().flatten().map(parameter);
    let parameters: Vec<Value> = id.into_iter().chain(date).chain(fields).collect();
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

fn parameter(field: &Field) -> Value {
    let schema: Value = serde_json::from_str(field.schema).unwrap_or_default();
    let mut parameter = json!({
        "name": field.name,
        "in": "query",
        "description": field.about,
        "schema": schema,
    });
    if field.required {
        parameter["required"] = true.into();
    }
    parameter
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    let mut success = json!({"description": route.about});
    if !route.content.is_empty() {
        success["content"] = content(route.content);
    }
    responses.insert(route.status.to_string(), success);
    for status in route.problems {
        let problem = json!({
            "description": "A problem (RFC 9457); its detail says what to do.",
            "content": content(&[("application/problem+json", "Problem")]),
        });
        responses.insert(status.to_string(), problem);
    }
    for (status, about) in route.pages {
        responses.insert(status.to_string(), json!({"description": about}));
    }
    responses.into()
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
            assert_eq!(path.contains("{id}"), !route.id.is_empty(), "{path}");
            assert!(!route.about.is_empty(), "{path}");
            for field in route.fields.iter().copied().flatten() {
                let schema: Value = serde_json::from_str(field.schema).expect(field.name);
                assert!(schema["type"].is_string(), "{path} {}", field.name);
            }
        }
    }
}
