//! `/alerts/replay`, for admins: what the alert rules would have sent on some days of the past. Nothing is sent.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use crate::civil::{format_day, parse_day};
use crate::error::Result;
use crate::http::app::App;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::uptime::interval::{DAY, Micros};
use crate::watcher::replay::{Sent, summary};

/// How many days the page replays: each minute of them is looked at while a browser waits.
const REPLAY_DAYS_MAX: i64 = 31;

/// How many days it replays unless it is told.
const DAYS: i64 = 7;

/// How many messages it lists.
const LISTED_MAX: usize = 200;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Alerts)?;
    let newest = app.newest_poll()?.unwrap_or(frame.machine());
    let zone = frame.zone();
    let today = phrases::zone_near(zone, newest).wall(newest).div_euclid(DAY);
    let day = |name: &str| request.field(name)?.map(parse_day).transpose();
    let last = day("to")?.unwrap_or(today);
    let first = day("from")?.unwrap_or(last - DAYS + 1);
    let complaint = match last - first {
        ..0 => Some("The first day is after the last.".to_owned()),
        REPLAY_DAYS_MAX.. => Some(format!(
            "That is more than {REPLAY_DAYS_MAX} days. The command store-monitor alert replay takes any number of them."
        )),
        _ => None,
    };
    let (sent, is_default) = match complaint {
        Some(_) => (Vec::new(), false),
        None => app.replay(zone, first, last)?,
    };
    let body = html! {
        h1 { "What the rules would have sent" }
        p.lead { "As if they had been on from the first day. Nothing is sent. " a href="/alerts" { "Rules" } }
        section.card {
            (days_form(&format_day(first), &format_day(last)))
            @match &complaint {
                Some(complaint) => { p.complaint role="alert" { (complaint) } }
                None => { p.headline role="status" { (summary(&sent)) } }
            }
            @if is_default {
                p.note { "There is no rule: these are the messages of a rule with all defaults." }
            }
        }
        @if !sent.is_empty() { section.card.wide { (list(&frame, &sent)) } }
    };
    let status = if complaint.is_some() { 400 } else { 200 };
    let page = frame.page("What the rules would have sent", None, &body);
    Ok(Response::page(status, page).cached("no-store"))
}

/// The days to replay; empty for the newest week.
pub fn days_form(first: &str, last: &str) -> Markup {
    let day = |name: &str, label: &str, value: &str| {
        html! { div { label for=(name) { (label) } input id=(name) type="date" name=(name) value=(value); } }
    };
    html! {
        form.filters action="/alerts/replay" method="get" {
            (day("from", "From", first))
            (day("to", "To", last))
            button type="submit" { "See what they would have sent" }
        }
    }
}

fn list(frame: &Frame, sent: &[Sent]) -> Markup {
    let at = |at: Micros| {
        let table = phrases::zone_near(frame.zone(), at);
        html! { (Wall::new(&table, frame.locale()).stamp(at)) }
    };
    let more = sent.len().saturating_sub(LISTED_MAX);
    html! {
        table.rows {
            thead { tr { th scope="col" { "When" } th scope="col" { "Message" } } }
            tbody {
                @for one in sent.iter().take(LISTED_MAX) {
                    tr {
                        td { (at(one.at)) @if one.at_night { span.part { "at night" } } }
                        td {
                            bdi { (one.message.subject) }
                            span.part { "to " bdi { (one.message.receiver) } }
                        }
                    }
                }
            }
        }
        p.note {
            "Times in " (phrases::city(frame.zone())) " time."
            @if more > 0 { " " (frame.locale().count(more)) " more: " code { "store-monitor alert replay" } " prints all." }
        }
    }
}
