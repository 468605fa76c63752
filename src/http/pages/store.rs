//! `/stores/ID`: when was this store really online, and which polls show it?
//!
//! It prints to one page, as evidence for a delivery platform.

use maud::{Markup, html};

use super::day::{Day, day_bar};
use super::layout::{Frame, Section, hatches};
use super::phrases::{self, Wall};
use super::timeline_bar;
use super::{age, bounds, controls, hours, reasons, removal, share, statements, take_back, target};
use crate::civil;
use crate::error::Result;
use crate::http::app::App;
use crate::http::json::encoded;
use crate::http::page_query::PageQuery;
use crate::http::query::{self, StoreView};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::stores::checksum;
use crate::phrases::locale::Locale;
use crate::uptime::day_total::day_totals;
use crate::uptime::evidence::Evidence;
use crate::uptime::hundredths::format as amount;
use crate::uptime::incident::Incident;
use crate::uptime::interval::{DAY, Micros};
use crate::uptime::lost_sales::LostSales;
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
const INCIDENTS_MAX: usize = 35;

/// How many of them, the newest, have a form for their reason: the page of a store that flaps must stay short.
const REASON_FORMS_MAX: usize = 7;
const INCIDENTS_PRINTED_MAX: usize = 5;

/// How many polls a sentence names.
const POLLS_NAMED_MAX: usize = 4;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let shown = query::store(app, request)?;
    if let Some(link) = PageQuery::moved(request, shown.pattern.zone)? {
        return Ok(Response::see_other(link));
    }
    let frame = Frame::new(app, request, Section::Stores)?;
    let statement = statements::link(app, &frame, shown.standing.question, Some(&shown.store.id))?;
    let month = query::month_left(app, &shown)?;
    let target = html! { @if let Some(month) = month { (target::of_store(frame.locale(), &month)) } };
    let body = body(&frame, &shown, [&statement, &target]);
    Ok(Response::page(200, frame.page(shown.name(), None, &body)))
}

fn body(frame: &Frame, shown: &StoreView, [statement, target]: [&Markup; 2]) -> Markup {
    let (locale, standing) = (frame.locale(), &shown.standing);
    let wall = Wall::new(&standing.zone, locale);
    let path = format!("/stores/{}", encoded(&shown.store.id));
    let days = Day::all(standing, locale);
    let total: usize = days.iter().map(|day| day.pieces.len()).sum();
    let rate = shown.label.sales_per_hour;
    html! {
        (hatches())
        (age::notice(&shown.freshness, shown.pattern.zone, locale))
        div.head {
            div {
                h1 { (shown.name()) }
                (headline(locale, standing))
                p.lead { (facts(frame, shown, &wall)) " " (statement) }
                (hours::special_days(shown, locale))
                (target)
            }
            p.state-now { (phrases::state(standing.state, "")) (since(standing, &wall)) }
            (controls::choices(frame, &path, None, shown.pattern.zone))
        }
        div.cards.three {
            @for window in Window::ALL { (window_card(frame, shown, window)) }
        }
        section.card.days aria-labelledby="week" {
            h2 #week { "The last 7 days, " (phrases::city(shown.pattern.zone)) " time" }
            p.note.screen.hint { "Tap any part of a bar for details" }
            div.timelines data-tells=".day" {
                div.axis { span {} (timeline_bar::hours(locale)) span.number { "online" } }
                @for (day, total_of) in days.iter().zip(day_totals(standing)) {
                    @let lost = LostSales::known(rate, total_of.total.known(), total_of.certainty);
                    @let mark = hours::mark(shown, day.date, locale);
                    (day_bar(day, standing, locale, total <= PIECES_REACHED_MAX, [&mark, &lost_on(frame, lost)]))
                }
                (controls::told())
            }
            (timeline_bar::legend(&mark(shown, &wall)))
            (outages(shown, &wall))
            (controls::rules(frame, standing.question.rule))
            (pieces(locale, &days, total, &path))
        }
        (incidents(frame, shown, &wall, &path))
        (definition(frame, shown, &wall, &path))
        @if frame.is_open() { (badge_code(frame, shown, &path)) }
        (share::button(frame, "store", &shown.store.id))
        @if !frame.is_read_only() {
            (take_back::form(frame, shown))
            (removal::form(frame, shown))
        }
    }
}

/// What the mark in the last bar stands for.
fn mark(shown: &StoreView, wall: &Wall<'_>) -> String {
    match shown.freshness.is_live() {
        true => "now".to_owned(),
        false => format!("{}: numbers end here", wall.time(shown.standing.question.as_of)),
    }
}

/// The week in one sentence: `95.8 % · 4 h 4 min offline of 97 h open`.
fn headline(locale: Locale, standing: &StoreStatus) -> Markup {
    let week = &standing.row.totals[Window::Week];
    let open = locale.hours(week.business());
    html! {
        p.headline {
            @match week.known() {
                _ if week.business() == 0 => { "Closed for the last 7 days" }
                None => { "Unknown · " (open) " open" }
                Some(_) if !standing.is_vouched() => { "Not enough data" }
                Some((_, 0)) => { (locale.share(week.share())) " · never offline in " (open) " open" }
                Some((_, downtime)) => {
                    (locale.share(week.share())) " · " (locale.hours(downtime)) " offline of " (open) " open"
                }
            }
            small { " in the last 7 days" }
        }
    }
}

/// Who owns the store, where it is, when it is open, and its id.
fn facts(frame: &Frame, shown: &StoreView, wall: &Wall<'_>) -> Markup {
    let as_of = shown.standing.question.as_of;
    let owner = &*shown.label.group;
    let today = shown.standing.zone.wall(as_of).div_euclid(DAY);
    html! {
        @if !owner.is_empty() {
            @if frame.is_of_one_store() { (owner) }
            @else { a href=(frame.query().owned_by(Some(owner)).link("/")) { (owner) } }
            " · "
        }
        (phrases::city(shown.pattern.zone)) " time"
        @if shown.zone_written.is_none() { " (no time zone was given)" }
        ", " (wall.time(as_of)) " on " (wall.date(as_of)) " · "
        (hours::on(&shown.pattern, today, frame.locale())) (hours::changes(&shown.pattern, today, frame.locale()))
        " · id " span.id { (shown.store.id) }
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
                Some(last) => { ": last check in open hours " (phrases::length(as_of - last.at())) " before" }
                None => { ": no check in open hours for 8 days" }
            }
        }
    }
}

fn window_card(frame: &Frame, shown: &StoreView, window: Window) -> Markup {
    let (locale, standing) = (frame.locale(), &shown.standing);
    let (total, certainty) = (&standing.row.totals[window], standing.certainty[window]);
    let rate = shown.label.sales_per_hour;
    let lost = LostSales::known(rate, total.known(), certainty).and_then(|lost| bounds::lost(frame, lost));
    html! {
        section.card {
            h2 { (window.title()) }
            @match (total.known(), Figures::of(total, window)) {
                _ if total.business() == 0 => {
                    p.big { "closed" }
                    p.under { "no open hours" }
                }
                (Some((uptime, downtime)), Some(figures)) => {
                    @let sure = is_vouched(total, standing.row.coverage[window]);
                    @if sure { p.big { (locale.share(total.share())) " " small { "online" } } }
                    @else { p.big { "not enough data" } }
                    p.under {
                        @if !sure { "As far as known, " }
                        @let told = html! { data.down value=(figures.downtime) { (locale.hours(downtime)) } " offline" };
                        @if downtime > 0 && sure { (phrases::marked(StoreState::Offline, &told)) } @else { (told) }
                        @if let Some(bounds) = certainty.and_then(|sure| bounds::bounds(locale, downtime, sure)) {
                            span.sure { "; " (bounds) }
                        }
                        " · " data.up value=(figures.uptime) { (locale.hours(uptime)) } " online"
                    }
                }
                _ => {
                    p.big { "unknown" }
                    p.under { (phrases::state(StoreState::NotSure, ": no check counts")) }
                }
            }
            @if let (Some(lost), Some(rate)) = (lost, rate) {
                p.evidence { "Lost sales " (lost) ": " (bounds::formula(frame, rate)) }
            }
            @if let Some(evidence) = standing.evidence[window] { p.evidence { (evidence_words(evidence)) } }
            @if let Some(coverage) = standing.row.coverage[window] {
                p.evidence { "Covered by checks · " (locale.share(coverage.share())) }
            }
        }
    }
}

fn evidence_words(evidence: Evidence) -> String {
    let (polls, expected) = (evidence.polls, usize::try_from(evidence.expected).unwrap_or(0));
    let told = if polls <= expected {
        format!("{polls} of {expected} expected check{}", phrases::plural(expected))
    } else {
        format!("{polls} check{}, {expected} expected", phrases::plural(polls))
    };
    format!("{told}; longest gap {}", phrases::length(evidence.longest_gap))
}

fn outages(shown: &StoreView, wall: &Wall<'_>) -> Markup {
    let week = Window::Week.before(shown.standing.question.as_of);
    let outages = shown.outages.clip(week);
    html! {
        @if !outages.as_slice().is_empty() {
            p.note {
                "Our checker was down "
                @for (number, outage) in outages.as_slice().iter().enumerate() {
                    @if number > 0 { "; " }
                    (wall.stamp(outage.start)) "–" (wall.near(outage.end, outage.start))
                }
                "; that time is estimated."
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
                summary { "Show as text" }
                ul {
                    @for piece in days.iter().flat_map(|day| &day.pieces) {
                        li id=[piece.anchor.as_deref()] { (piece.words) }
                    }
                }
            }
        }
    }
}

/// What a day's downtime cost, below its hours.
fn lost_on(frame: &Frame, lost: Option<LostSales>) -> Markup {
    let number = lost.map_or(0, |lost| lost.hundredths()[1]);
    html! { @if number > 0 { span.part { "lost " data.lost value=(amount(number)) { (frame.money(number)) } } } }
}

fn incidents(frame: &Frame, shown: &StoreView, wall: &Wall<'_>, path: &str) -> Markup {
    let (locale, standing) = (frame.locale(), &shown.standing);
    let all = &standing.incidents;
    let rate = shown.label.sales_per_hour;
    let lost_in = |one: &Incident| rate.map(|rate| LostSales::new(rate, one.downtime, one.certainty));
    let sum = |incidents: &[Incident]| incidents.iter().map(|one| one.downtime).sum::<Micros>();
    let unprinted = &all[..all.len().saturating_sub(INCIDENTS_PRINTED_MAX)];
    let unlisted = &all[..all.len().saturating_sub(INCIDENTS_MAX)];
    let none = match standing.row.totals[Window::Week] {
        WindowTotal::Unknown { .. } => "Nothing is known of this week: no check counts.",
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
                                        (phrases::state(StoreState::Offline, ", ongoing"))
                                    } @else {
                                        (wall.near(incident.stretch.end, incident.stretch.start))
                                        @if incident.open { " (closed since)" }
                                    }
                                }
                                td.number {
                                    (locale.hours(incident.downtime))
                                    @let bounds = bounds::bounds(locale, incident.downtime, incident.certainty);
                                    @if let Some(bounds) = bounds { span.part { (bounds) } }
                                    @if incident.downtime < incident.stretch.length() { span.part { "of open hours" } }
                                    @let unconfirmed = incident.unconfirmed(&standing.segments, &shown.outages);
                                    @if unconfirmed.length() > 0 {
                                        span.part.unconfirmed { (locale.hours(unconfirmed.length())) " not confirmed" }
                                    }
                                }
                                td.least {
                                    (evidence_of(incident, wall))
                                    @if let Some(note) = shown.reason(incident) { (reasons::part(note)) }
                                    @let lost = lost_in(incident).and_then(|lost| bounds::lost_short(frame, lost));
                                    @if let Some(lost) = lost {
                                        span.part { (lost) }
                                    }
                                    @if number < REASON_FORMS_MAX { (reasons::form(frame, shown, incident, number)) }
                                }
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

/// The checks that bound an incident and those in it, each with its date unless it is of the day of the one before.
fn evidence_of(incident: &Incident, wall: &Wall<'_>) -> Markup {
    let shown = incident.inactive.iter().take(POLLS_NAMED_MAX);
    let more = incident.inactive.len().saturating_sub(POLLS_NAMED_MAX);
    let mut beside = incident.stretch.start;
    let mut at = |at: Micros| {
        let told = wall.near(at, beside);
        beside = at;
        told
    };
    html! {
        @if let Some(before) = incident.active_before { "online at " (at(before)) ", " }
        "offline at "
        @for (number, &poll) in shown.enumerate() {
            @if number > 0 { ", " }
            (at(poll))
        }
        @if more > 0 { " and " (more) " more" }
        @if let Some(after) = incident.active_after { ", online again at " (at(after)) }
    }
}

/// When a store was polled last: a time on the day of `as_of`, else with its date.
pub fn last_polled(poll: Option<Poll>, as_of: Micros, wall: &Wall<'_>) -> Markup {
    match poll {
        Some(poll) => wall.near(poll.at(), as_of),
        None => html! { "none in 8 days" },
    }
}

/// The badge, and the code that shows it on another site.
fn badge_code(frame: &Frame, shown: &StoreView, path: &str) -> Markup {
    let image = format!("/api{path}/badge.svg");
    let code = html! {
        a href=(frame.address(path)) { img src=(frame.address(&image)) alt={ (shown.name()) ": share of open hours online in the last 7 days" }; }
    };
    html! {
        section.card.badge.screen aria-labelledby="badge" {
            h2 #badge { "Badge for other sites" }
            p { img src=(image) alt={ "The badge of " (shown.name()) } height="20"; }
            label for="badge-code" { "Copy this code into a page" }
            textarea #badge-code readonly rows="3" spellcheck="false" { (code.into_string()) }
            p { button type="button" data-copies="#badge-code" hidden { "Copy" } }
        }
    }
}

fn definition(frame: &Frame, shown: &StoreView, wall: &Wall<'_>, path: &str) -> Markup {
    let question = shown.standing.question;
    let rule = match question.rule {
        Interpolation::Nearest => "what the closest check said",
        Interpolation::Previous => "what the last check before it said",
    };
    html! {
        section.card.definition aria-labelledby="definition" {
            h2 #definition { "What these numbers are" }
            p {
                "We check about once an hour whether the store is online. Each instant of its open hours counts as "
                (rule) ". Closed hours do not count. The windows end at " (wall.full(question.as_of)) " "
                (phrases::city(shown.pattern.zone)) " time (" (civil::format_utc(question.as_of))
                "). Online and offline together are all open hours of a window. Covered is the part within an hour of a check that fell inside open hours. "
                "A time is certain if it is covered and does not lie between two checks that disagree: so at least and at most."
            }
            p.checksum {
                "Inputs (hours, zone, " (frame.locale().count(shown.standing.polls.len())) " checks): "
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
