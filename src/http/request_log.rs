//! The line of the log for each request: its route's pattern, never its path or query, which may have secrets in them.

use tracing::Level;

use super::frontend::seen::Seen;
use super::routes::ROUTES;
use super::visitor::Visitor;

/// Routes that programs ask again and again: a line each would bury all others.
const FREQUENT: [&str; 3] = ["/health", "/metrics", "/api/polls"];

/// The path before all assets of pages.
const ASSETS: &str = "/assets/";

/// Writes the line of an answer. `is_quiet` is for a server that somebody looks at in a terminal.
pub(super) fn write(seen: &Seen<'_>, is_quiet: bool) {
    let milliseconds = seen.lasted.as_secs_f64() * 1000.0;
    let visitor = seen.visitor;
    let address = visitor.map_or(seen.peer, |visitor| visitor.client);
    let route = match visitor.is_some_and(Visitor::is_guest) {
        // Nothing more of a share link's address.
        true => Some(format!("/share/{{link}}{}", pattern(seen).unwrap_or_default())),
        false => pattern(seen).map(str::to_owned),
    };
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                $level,
                method = seen.method.map(tracing::field::display),
                route = route.as_ref().map(tracing::field::display),
                status = seen.status,
                bytes = seen.bytes,
                duration_ms = (milliseconds * 1000.0).round() / 1000.0,
                request_id = %seen.id,
                credential = visitor.map(|visitor| visitor.name.as_str()).filter(|name| !name.is_empty()),
                address = %address,
                "request"
            )
        };
    }
    match is_quiet || is_frequent(seen) {
        true => line!(Level::DEBUG),
        false => line!(Level::INFO),
    }
}

/// The pattern of its route, if it has one.
fn pattern(seen: &Seen<'_>) -> Option<&'static str> {
    seen.route.map(|place| ROUTES[place].path)
}

/// Whether it is a success of a route that is asked again and again, or a connection too many.
fn is_frequent(seen: &Seen<'_>) -> bool {
    match pattern(seen) {
        Some(route) => seen.status < 400 && (FREQUENT.contains(&route) || route.starts_with(ASSETS)),
        None => seen.method.is_none() && seen.status == 503,
    }
}
