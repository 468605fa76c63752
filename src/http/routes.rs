//! The routing table: every path and method the server answers, and with what.
//!
//! It must never know how an answer is made.

use percent_encoding::percent_decode_str;

use super::door::Admission;
use super::request::Request;
use super::response::Response;
use super::{
    App, assets, badge, delivery, fleet, guard, health, intake, metrics, openapi, outages, pages,
    reports, stores,
};
use crate::error;

/// How long a body may be that is not one of rows, in bytes.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Makes the answer to a request.
type Handler = fn(&mut App, &mut Request<'_>) -> error::Result<Response>;

/// One line of the table. `{id}` in a path stands for one segment, or the part of one before a suffix.
struct Route {
    method: &'static str,
    path: &'static str,
    handler: Handler,
    /// Whether its body is one of rows, which may be long.
    takes_rows: bool,
}

const fn route(method: &'static str, path: &'static str, handler: Handler) -> Route {
    Route {
        method,
        path,
        handler,
        takes_rows: false,
    }
}

const fn rows(path: &'static str, handler: Handler) -> Route {
    Route {
        takes_rows: true,
        ..route("POST", path, handler)
    }
}

/// Every route; the first that fits answers.
const ROUTES: &[Route] = &[
    route("POST", "/trigger_report", reports::trigger),
    route("GET", "/get_report", reports::get),
    route("GET", "/get_report/{id}", reports::get),
    route("GET", "/health", health::get),
    route("GET", "/api/reports", reports::list),
    route("GET", "/api/reports/{id}.csv", reports::csv),
    route("GET", "/api/reports/{id}", reports::facts),
    rows("/api/polls", intake::polls),
    rows("/api/business-hours", intake::business_hours),
    rows("/api/timezones", intake::timezones),
    rows("/api/stores", intake::stores),
    route("GET", "/api/fleet", fleet::get),
    route("GET", "/api/stores", stores::list),
    route("GET", "/api/stores/{id}", stores::facts),
    route("GET", "/api/stores/{id}/timeline", stores::timeline),
    route("GET", "/api/stores/{id}/inputs", stores::inputs),
    route("GET", "/api/stores/{id}/badge.svg", badge::get),
    route("DELETE", "/api/stores/{id}", stores::delete),
    route("GET", "/api/poller-outages", outages::list),
    route("GET", "/openapi.json", openapi::get),
    route("GET", "/metrics", metrics::get),
    route("GET", "/", pages::fleet::get),
    route("GET", "/stores", pages::stores::get),
    route("GET", "/stores/{id}", pages::store::get),
    route("GET", "/reports", pages::reports::get),
    route("POST", "/reports", pages::reports::post),
    route("GET", "/load", pages::load::get),
    route("POST", "/load", pages::load::post),
    route("GET", "/docs", pages::docs::list),
    route("GET", "/docs/{id}", pages::docs::get),
    route("GET", "/assets/{id}", assets::get),
    route("GET", "/samples/{id}", assets::sample),
];

/// Answers a request, unless the guard turns it away.
pub fn answer(app: &mut App, request: &mut Request<'_>) -> Response {
    let refused = guard::refuse(&app.shared.hosts, app.shared.read_only_pages, request);
    let answer = refused.unwrap_or_else(|| by_the_table(app, request));
    let answer = pages::problem::for_browsers(app, request, answer);
    delivery::finish(request, answer)
}

/// Answers a request by the table: 404 for an unknown path, 405 with `Allow` for a known one.
fn by_the_table(app: &mut App, request: &mut Request<'_>) -> Response {
    match find(&request.method, &request.path) {
        Ok((route, id)) => {
            // Decoded only now: an encoded slash is part of an id, not of the path.
            request.id = percent_decode_str(id).decode_utf8_lossy().into_owned();
            (route.handler)(app, request).unwrap_or_else(Response::from)
        }
        Err(answer) => answer,
    }
}

/// What the table says of a request before its body is read; a body of rows may have `rows_bytes_max`.
pub fn admit(method: &str, target: &str, rows_bytes_max: u64) -> Admission {
    let path = target.split('?').next().unwrap_or(target);
    match find(method, path) {
        Ok((route, _)) if route.takes_rows => Admission {
            body_bytes_max: rows_bytes_max,
            too_large: intake::too_large,
            known: None,
        },
        found => Admission {
            body_bytes_max: BODY_BYTES_MAX,
            too_large,
            known: found.err(),
        },
    }
}

fn too_large(bytes_max: u64) -> Response {
    let detail = format!("a body may have {bytes_max} bytes at most here (send a shorter one)");
    Response::problem(413, &detail)
}

/// The route of a request, and what stands for its `{id}`; the answer where there is none.
fn find<'a>(method: &str, path: &'a str) -> Result<(&'static Route, &'a str), Response> {
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(id) = captured(route.path, path) else {
            continue;
        };
        // HEAD is GET without its body, which the server leaves out.
        if route.method == method || (route.method == "GET" && method == "HEAD") {
            return Ok((route, id));
        }
        allowed.push(route.method);
        if route.method == "GET" {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        return Err(Response::problem(
            404,
            "there is nothing here; GET /api/reports lists reports, POST /trigger_report makes one",
        ));
    }
    allowed.dedup();
    let allowed = allowed.join(", ");
    let detail = format!("{path} does not answer {method}, only {allowed}");
    Err(Response::problem(405, &detail).with("Allow", allowed))
}

/// What stands for `{id}` where `path` fits the pattern; empty where the pattern has none.
fn captured<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((prefix, suffix)) = pattern.split_once("{id}") else {
        return (pattern == path).then_some("");
    };
    let id = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let mut described: Vec<(String, &str)> = Vec::new();
        for (path, methods) in paths {
            let methods = methods.as_object().unwrap().keys();
            described.extend(methods.map(|method| (method.to_uppercase(), path.as_str())));
        }
        let routes = ROUTES.iter();
        let mut routes: Vec<_> = routes
            .map(|route| (route.method.to_owned(), route.path))
            .collect();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
    }

    #[test]
    fn a_pattern_captures_one_segment_or_part_of_it() {
        assert_eq!(captured("/health", "/health"), Some(""));
        assert_eq!(
            captured("/api/reports/{id}.csv", "/api/reports/7.csv"),
            Some("7")
        );
        assert_eq!(captured("/api/reports/{id}", "/api/reports/7"), Some("7"));
        for path in ["/api/reports/", "/api/reports/7/8", "/api/reports"] {
            assert_eq!(captured("/api/reports/{id}", path), None, "{path}");
        }
    }
}
