//! `GET /api/stores/ID/badge.svg`: a store's week as a badge for other sites' pages.

use maud::{Markup, PreEscaped, html};

use super::app::App;
use super::pages::phrases;
use super::query;
use super::request::Request;
use super::response::Response;
use crate::error::Result;
use crate::uptime::freshness::Age;
use crate::uptime::interval::DAY;
use crate::uptime::window::Window;

/// The approximate width of a character in the badge's font, in hundredths of a pixel.
const CHARACTER_WIDTH: usize = 660;

const LABEL: &str = "online, 7 days";

/// The colour of numbers that are not of now, and that of unknown ones: only what is known of now is green or red.
const GREY: &str = "#5c6570";
const AMBER: &str = "#805400";

/// The badge: a per cent, `not enough data` or `unknown`.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let shown = query::store(app, request)?;
    let total = &shown.standing.row.totals[Window::Week];
    let vouched = shown.standing.is_vouched();
    let freshness = &shown.freshness;
    let (value, colour) = match total.share() {
        Some(share) if vouched && !freshness.is_live() => (format!("{share} %"), GREY),
        Some(share) if vouched && share.hundredths >= 9_500 => (format!("{share} %"), "#1f7a50"),
        Some(share) if vouched => (format!("{share} %"), "#a32c1b"),
        Some(_) => ("not enough data".to_owned(), AMBER),
        None if total.business() == 0 => ("closed".to_owned(), GREY),
        None => ("unknown".to_owned(), AMBER),
    };
    let wall = phrases::zone_near(shown.pattern.zone, freshness.as_of);
    let label = match freshness.age {
        Age::Live => LABEL.to_owned(),
        Age::Past | Age::Stale => format!(
            "{LABEL} to {}",
            phrases::day_of_month(wall.wall(freshness.as_of).div_euclid(DAY))
        ),
    };
    let svg = badge(shown.name(), &label, &value, colour);
    let answer = Response::new(200, "image/svg+xml", svg.into_string().into_bytes());
    // Other sites must be able to show it.
    Ok(answer
        .cached("no-cache, max-age=300")
        .with("Cross-Origin-Resource-Policy", "cross-origin"))
}

fn badge(store: &str, label: &str, value: &str, colour: &str) -> Markup {
    let width = |text: &str| text.chars().count() * CHARACTER_WIDTH / 100 + 12;
    let (left, right) = (width(label), width(value));
    let text: String = format!("{store}: {label}: {value}").chars().map(of_xml).collect();
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        svg xmlns="http://www.w3.org/2000/svg" width=(left + right) height="20" role="img" aria-label=(text) {
            title { (text) }
            rect width=(left + right) height="20" rx="4" fill=(colour) {}
            path d=(format!("M4 0H{left}V20H4a4 4 0 0 1-4-4V4a4 4 0 0 1 4-4z")) fill="#2b3138" {}
            g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle" {
                text x=(left / 2) y="14" { (label) }
                text x=(left + right / 2) y="14" { (value) }
            }
        }
    }
}

/// The character, or the replacement character for one that no XML may contain, not even escaped.
fn of_xml(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => character,
        _ => char::REPLACEMENT_CHARACTER,
    }
}
