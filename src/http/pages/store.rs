//! `/stores/ID`: when was this store really online, and which polls show it?
//!
//! It prints to one page, as evidence for a delivery platform.

use maud::{Markup, html};

use super::day::{Day, day_bar};
use super::layout::{Frame, Section, hatches};
use super::phrases::{self, WEEKDAYS, Wall};
use super::timeline_bar;
use super::{age, controls};
use crate::civil;
use crate::error::Result;
use crate::http::app::App;
use crate::http::json::encoded;
use crate::http::locale::Locale;
use crate::http::page_query::PageQuery;
use crate::http::query::{self, StoreView};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::stores::checksum;
use crate::uptime::business_hours::Pattern;
use crate::uptime::evidence::Evidence;
use crate::uptime::incident::Incident;
use crate::uptime::interval::{DAY, HOUR, Micros};
use crate::uptime::poll::Poll;
use crate::uptime::row::Figures;
use crate::uptime::store_state::StoreState;
use crate::uptime::store_status::StoreStatus;
use crate::uptime::store_summary::is_vouched;
use crate::uptime::timeline::Interpolation;
use crate::uptime::window::{Window, WindowTotal};

/// With more pieces than this, the table does not list each of them; the JSON does.
const PIECES_TOLD_MAX: usize = 120;

/// With more pieces than this, bars are drawn in steps, and pieces cannot be focused.
const PIECES_REACHED_MAX: usize = 300;

/// How many incidents the page lists on a screen, and how many on paper.
const INCIDENTS_MAX: usize = 40;
const INCIDENTS_PRINTED_MAX: usize = 7;

/// How many polls a sentence names.
const POLLS_NAMED_MAX: usize = 4;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let shown = query::store(app, request)?;
    if let Some(link) = PageQuery::moved(request, shown.pattern.zone)? {
        return Ok(Response::see_other(link));
    }
    let frame = Frame::new(app, request, Section::Stores)?;
    let body = body(&frame, &shown);
    Ok(Response::page(200, frame.page(shown.name(), None, &body)))
}

fn body(frame: &Frame, shown: &StoreView) -> Markup {
    let locale = frame.locale();
    let standing = &shown.standing;
    let wall = Wall::new(&standing.zone, locale);
    let path = format!("/stores/{}", encoded(&shown.store.id));
    let days = Day::all(standing, locale);
    let total: usize = days.iter().map(|day| day.pieces.len()).sum();
    html! {
        (hatches())
        (age::notice(&shown.freshness, shown.pattern.zone, locale))
        div.head {
            div {
                h1 { (shown.name()) }
                p.lead {
                    @if !shown.label.group.is_empty() { (shown.label.group) " · " }
                    (shown.pattern.zone.name())
                    @if shown.zone_written.is_none() { " (none was given)" }
                    ", " (wall.time(standing.question.as_of)) " on " (wall.date(standing.question.as_of)) " · "
                    (opening(&shown.pattern, locale)) " · id " span.id { (shown.store.id) }
                }
            }
            p.state-now { (phrases::state(standing.state, "")) (since(standing, &wall)) }
        }
        div.cards.three {
            @for window in Window::ALL { (window_card(locale, standing, window)) }
        }
        section.card.days aria-labelledby="week" {
            h2 #week { "The last 7 days, " (phrases::city(shown.pattern.zone)) " time" }
            div.timelines {
                @for day in &days { (day_bar(day, standing, locale, total <= PIECES_REACHED_MAX)) }
                div.axis { span {} (timeline_bar::hours(locale)) span.number { "online" } }
            }
            output.told #told aria-live="polite" {}
            (timeline_bar::legend())
            (outages(shown, &wall))
            (controls::rules(frame, standing.question.rule))
            (pieces(locale, &days, total, &path))
        }
        (incidents(locale, shown, &wall, &path))
        (definition(shown, &wall, &path))
    }
}

fn since(standing: &StoreStatus, wall: &Wall<'_>) -> Markup {
    let as_of = standing.question.as_of;
    let before = standing.incidents.last().is_some_and(|last| last.began_before);
    html! {
        @if let Some(since) = standing.offline_since() {
            @if before { " since before " } @else { " since " }
            (wall.stamp(since)) " (" (phrases::length(as_of - since)) ")"
        }
        @if standing.state == StoreState::NotSure {
            @match standing.counted.last() {
                Some(last) => { ": last poll in business hours " (phrases::length(as_of - last.at())) " before" }
                None => { ": no poll in business hours for 8 days" }
            }
        }
    }
}

/// Weekly hours in short form: `Mon–Fri 11:00–23:00, Sat closed`.
fn opening(pattern: &Pattern, locale: Locale) -> String {
    if pattern.rows.is_empty() {
        return "always open".to_owned();
    }
    let of_day = |day: usize| {
        let rows = pattern.rows.iter().filter(|row| usize::from(row.weekday) == day);
        let told: Vec<String> = rows
            .filter_map(|row| {
                // Some sources write a midnight as the second before it.
                Some(match row.times_us_local? {
                    [0, end] if end == 0 || end > DAY - 60_000_001 => "24 hours".to_owned(),
                    [start, end] => locale.span(start, end),
                })
            })
            .collect();
        if told.is_empty() {
            "closed".to_owned()
        } else {
            told.join(" and ")
        }
    };
    let days: Vec<(usize, String)> = (0..7).map(|day| (day, of_day(day))).collect();
    let runs = days.chunk_by(|(_, a), (_, b)| a == b);
    let told: Vec<String> = runs
        .map(|run| {
            let (first, last) = (run[0].0, run[run.len() - 1].0);
            let hours = &run[0].1;
            match run.len() {
                7 => format!("{hours} every day"),
                1 => format!("{} {hours}", WEEKDAYS[first]),
                _ => format!("{}–{} {hours}", WEEKDAYS[first], WEEKDAYS[last]),
            }
        })
        .collect();
    match told.as_slice() {
        [all] if all == "24 hours every day" => "always open".to_owned(),
        told => told.join(", "),
    }
}

fn window_card(locale: Locale, standing: &StoreStatus, window: Window) -> Markup {
    let unit = window.unit().symbol();
    let total = &standing.row.totals[window];
    let share = total.share();
    html! {
        section.card {
            h2 { (window.title()) }
            @match (total, Figures::of(total, window)) {
                (WindowTotal::Closed, _) => {
                    p.big { "closed" }
                    p.under { "no business time in this window" }
                }
                (_, Some(figures)) if !is_vouched(total, standing.row.coverage[window]) => {
                    p.big { "not enough data" }
                    p.under {
                        "As far as known, " (figures.uptime) " " (unit) " online, offline " (figures.downtime) " " (unit)
                    }
                }
                (_, Some(figures)) => {
                    p.big { (figures.uptime) " " small { (unit) " online" } }
                    p.under {
                        @if total.known().is_some_and(|(_, downtime)| downtime > 0) {
                            (phrases::state(StoreState::Offline, &format!(" {} {unit}", figures.downtime)))
                        } @else { "offline " (figures.downtime) " " (unit) }
                        " · " (locale.share(share)) " online"
                    }
                }
                (_, None) => {
                    p.big { "unknown" }
                    p.under { (phrases::state(StoreState::NotSure, ": no poll counts")) }
                }
            }
            @if let Some(evidence) = standing.evidence[window] { p.evidence { (evidence_words(evidence)) } }
            @if let Some(coverage) = standing.row.coverage[window] {
                p.evidence { (locale.share(coverage.share())) " of it seen: within an hour of a poll" }
            }
        }
    }
}

fn evidence_words(evidence: Evidence) -> String {
    let (polls, expected) = (evidence.polls, evidence.expected);
    let plural = |is_one| if is_one { "" } else { "s" };
    let told = if i64::try_from(polls).is_ok_and(|polls| polls <= expected) {
        format!("{polls} of {expected} expected poll{}", plural(expected == 1))
    } else {
        format!("{polls} poll{}, {expected} expected", plural(polls == 1))
    };
    format!("{told}; longest gap {}", phrases::length(evidence.longest_gap))
}

fn outages(shown: &StoreView, wall: &Wall<'_>) -> Markup {
    let week = Window::Week.before(shown.standing.question.as_of);
    let outages = shown.outages.clip(week);
    html! {
        @if !outages.as_slice().is_empty() {
            p.note {
                "The poller was down: "
                @for (number, outage) in outages.as_slice().iter().enumerate() {
                    @if number > 0 { "; " }
                    (wall.stamp(outage.start)) " to " (wall.stamp(outage.end))
                }
                ". Numbers of that time are estimates."
            }
        }
    }
}

/// Every piece as text: the target of its link, and a list for screen readers.
fn pieces(locale: Locale, days: &[Day], total: usize, path: &str) -> Markup {
    html! {
        @if total > PIECES_TOLD_MAX {
            p.note.screen {
                "There are " (locale.count(total)) " pieces"
                @if total > PIECES_REACHED_MAX { ", drawn in steps of five minutes" } ": "
                a href={"/api" (path) "/timeline"} { "all of them as JSON" }
            }
        } @else {
            details.pieces.screen {
                summary { "Every piece as text" }
                ul {
                    @for piece in days.iter().flat_map(|day| &day.pieces) {
                        li id=[piece.anchor.as_deref()] { (piece.words) }
                    }
                }
            }
        }
    }
}

fn incidents(locale: Locale, shown: &StoreView, wall: &Wall<'_>, path: &str) -> Markup {
    let standing = &shown.standing;
    let all = &standing.incidents;
    let sum = |incidents: &[Incident]| incidents.iter().map(|one| one.downtime).sum::<Micros>();
    let unprinted = &all[..all.len().saturating_sub(INCIDENTS_PRINTED_MAX)];
    let unlisted = &all[..all.len().saturating_sub(INCIDENTS_MAX)];
    let none = match standing.row.totals[Window::Week] {
        WindowTotal::Unknown { .. } => "Nothing is known of this week: no poll counts.",
        _ => "None in the last 7 days.",
    };
    html! {
        section.card.incidents aria-labelledby="incidents" {
            h2 #incidents { "Incidents, last 7 days" }
            @if all.is_empty() { p.calm { (none) } } @else {
                table.rows {
                    thead { tr {
                        th scope="col" { "From" } th scope="col" { "To" }
                        th.number scope="col" { "Offline" } th.least scope="col" { "Evidence" }
                    } }
                    tbody {
                        @for (number, incident) in all.iter().rev().enumerate().take(INCIDENTS_MAX) {
                            tr.screen[number >= INCIDENTS_PRINTED_MAX] {
                                td { @if incident.began_before { "before " } (wall.stamp(incident.stretch.start)) }
                                td {
                                    @if incident.open && standing.state == StoreState::Offline {
                                        (phrases::state(StoreState::Offline, ", still"))
                                    } @else {
                                        (wall.stamp(incident.stretch.end))
                                        @if incident.open { " (closed since)" }
                                    }
                                }
                                td.number {
                                    (phrases::length(incident.downtime))
                                    @let unconfirmed = incident.unconfirmed(&standing.segments, &shown.outages);
                                    @if unconfirmed.length() > 0 {
                                        span.unconfirmed { (phrases::length(unconfirmed.length())) " not confirmed" }
                                    }
                                }
                                td.least { (evidence_of(incident, wall)) }
                            }
                        }
                    }
                }
                @if !unlisted.is_empty() {
                    p.note.screen {
                        (unlisted.len()) " earlier ones, " (locale.hours(sum(unlisted))) " together: "
                        a href={"/api" (path)} { "all of them as JSON" }
                    }
                }
                @if !unprinted.is_empty() {
                    p.note.print { (unprinted.len()) " earlier ones, " (locale.hours(sum(unprinted))) " together, are not printed." }
                }
            }
        }
    }
}

fn evidence_of(incident: &Incident, wall: &Wall<'_>) -> Markup {
    let shown = incident.inactive.iter().take(POLLS_NAMED_MAX);
    let more = incident.inactive.len().saturating_sub(POLLS_NAMED_MAX);
    html! {
        "inactive at "
        @for (number, &at) in shown.enumerate() {
            @if number > 0 { ", " }
            (wall.short(at))
        }
        @if more > 0 { " and " (more) " more" }
        @match (incident.active_before, incident.active_after) {
            (None, None) => {}
            (Some(before), None) => { "; active before at " (wall.short(before)) }
            (None, Some(after)) => { "; active again at " (wall.short(after)) }
            (Some(before), Some(after)) => { "; active at " (wall.short(before)) " and " (wall.short(after)) }
        }
    }
}

/// When a store was polled last: a time on the same day, else a date.
pub fn last_polled(poll: Option<Poll>, as_of: Micros, wall: &Wall<'_>) -> Markup {
    match poll {
        Some(poll) if as_of - poll.at() < 20 * HOUR => wall.short(poll.at()),
        Some(poll) => wall.stamp(poll.at()),
        None => html! { "none in 8 days" },
    }
}

fn definition(shown: &StoreView, wall: &Wall<'_>, path: &str) -> Markup {
    let question = shown.standing.question;
    let rule = match question.rule {
        Interpolation::Nearest => "that of the nearest poll",
        Interpolation::Previous => "that of the last poll before it",
    };
    html! {
        section.card.definition aria-labelledby="definition" {
            h2 #definition { "What these numbers are" }
            p {
                "The store was asked about once an hour whether it is online. Each instant of its business hours counts as "
                (rule) "; time outside business hours does not count. Windows end at " (wall.full(question.as_of))
                " " (phrases::city(shown.pattern.zone)) " (" (civil::format_utc(question.as_of))
                "). Online and offline together are all of the business time in a window. Covered is the part of it within an hour of a poll that fell inside business hours."
            }
            p.checksum {
                "Inputs (hours, zone, " (shown.standing.polls.len()) " polls): "
                a href={
                    "/api" (path) "/inputs?as_of=" (encoded(&civil::format_rfc3339(question.as_of)))
                    "&interpolation=" (question.rule.as_str())
                } { "SHA-256" }
                " " code { (checksum(shown)) }
            }
            p.screen { button type="button" data-prints="" hidden { "Print this page" } }
        }
    }
}
