//! The routing table: every path and method the server answers, and with what.
//!
//! It must never know how an answer is made.

use percent_encoding::percent_decode_str;

use super::request::Request;
use super::response::Response;
use super::{
    App, assets, badge, delivery, fleet, guard, health, intake, metrics, openapi, outages, pages,
    reports, stores,
};
use crate::error::Result;

/// Makes the answer to a request.
type Handler = fn(&mut App, &mut Request<'_>) -> Result<Response>;

/// One line of the table. `{id}` in a path stands for one segment, or the part of one before a suffix.
struct Route {
    method: &'static str,
    path: &'static str,
    handler: Handler,
}

const fn route(method: &'static str, path: &'static str, handler: Handler) -> Route {
    Route {
        method,
        path,
        handler,
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
    route("POST", "/api/polls", intake::polls),
    route("POST", "/api/business-hours", intake::business_hours),
    route("POST", "/api/timezones", intake::timezones),
    route("POST", "/api/stores", intake::stores),
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
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(id) = captured(route.path, &request.path) else {
            continue;
        };
        // Decoded only now: an encoded slash is part of an id, not of the path.
        let id = percent_decode_str(id).decode_utf8_lossy().into_owned();
        // HEAD is GET without its body, which the server leaves out.
        if route.method == request.method || (route.method == "GET" && request.method == "HEAD") {
            request.id = id;
            return (route.handler)(app, request).unwrap_or_else(Response::from);
        }
        allowed.push(route.method);
        if route.method == "GET" {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        return Response::problem(
            404,
            "there is nothing here; GET /api/reports lists reports, POST /trigger_report makes one",
        );
    }
    allowed.dedup();
    let allowed = allowed.join(", ");
    let detail = format!(
        "{} does not answer {}, only {allowed}",
        request.path, request.method
    );
    Response::problem(405, &detail).with("Allow", allowed)
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
