//! Who needs attention first: the stores that are offline in their business hours.
//!
//! Those that just went down come first, the newest at the top. Those that have been down for days are in a list of
//! their own below: they may have closed for good.

use maud::{Markup, html};

use super::day::Day;
use super::layout::Frame;
use super::phrases::{self, Wall};
use super::timeline_bar;
use crate::fleet_view::{FleetPart, FleetView};
use crate::http::query;
use crate::uptime::interval::{DAY, Micros};
use crate::uptime::poll::Poll;
use crate::uptime::store_state::StoreState;
use crate::uptime::store_summary::StoreSummary;

/// How many stores that just went down are listed, and how many that are down for days; links lead to the rest.
const JUST_DOWN_MAX: usize = 8;
const LONG_DOWN_MAX: usize = 5;

/// A store that is offline for longer than this is down for days.
const LONG_DOWN_AFTER: Micros = 2 * DAY;

/// The section; `is_live` says whether *now* may be written.
pub fn section(frame: &Frame, view: &FleetView, part: &FleetPart, is_live: bool) -> Markup {
    let as_of = view.question.as_of;
    let summary = |place: &usize| -> &StoreSummary { &view.overview.summaries[*place] };
    let since = |place: &usize| summary(place).offline_since.unwrap_or(as_of);
    let places = part.places.iter().copied();
    let mut offline: Vec<usize> = places
        .filter(|place| summary(place).state == StoreState::Offline)
        .collect();
    offline.sort_by_key(|place| std::cmp::Reverse(since(place)));
    let (just, long): (Vec<usize>, Vec<usize>) = offline
        .into_iter()
        .partition(|place| as_of - since(place) <= LONG_DOWN_AFTER);
    let more = |count: usize, shown: usize, words: &str| {
        html! {
            @if count > shown {
                @let all = frame.link("/stores?state=offline&sort=state");
                p.more { a href=(all) { "All " (frame.locale().stores(count)) (words) } }
            }
        }
    };
    html! {
        section.card.first aria-labelledby="attention" {
            h2 #attention { "Needs attention" @if is_live { " now" } }
            @if just.is_empty() && long.is_empty() { (calm(view, part)) }
            @if !just.is_empty() {
                @if !long.is_empty() { h3 { "Just went down" } }
                ul.attention {
                    @for &place in just.iter().take(JUST_DOWN_MAX) { (went_down(frame, view, place, is_live)) }
                }
                (more(just.len(), JUST_DOWN_MAX, " that just went down"))
            }
            @if !long.is_empty() {
                h3 { "Down for days (closed for good?)" }
                ul.unsure { @for &place in long.iter().take(LONG_DOWN_MAX) { (down_for_days(frame, view, place)) } }
                (more(long.len(), LONG_DOWN_MAX, " that are down for days"))
            }
        }
    }
}

/// The words for a fleet without a store that is known to be offline: only what is known is green.
fn calm(view: &FleetView, part: &FleetPart) -> Markup {
    let is = |wanted: StoreState| {
        let mut places = part.places.iter();
        places.any(|&place| view.overview.summaries[place].state == wanted)
    };
    html! {
        p.calm {
            @if is(StoreState::NotSure) {
                (phrases::state(StoreState::NotSure, ""))
                " No open store is known to be offline, but not all were checked."
            } @else if is(StoreState::Online) {
                (phrases::state(StoreState::Online, "")) " No open store is known to be offline."
            } @else {
                (phrases::state(StoreState::Closed, "")) " No store is in its business hours."
            }
        }
    }
}

fn went_down(frame: &Frame, view: &FleetView, place: usize, is_live: bool) -> Markup {
    let (store, as_of, locale) = (view.store(place), view.question.as_of, frame.locale());
    let standing = query::status(&view.inputs, store, view.question);
    let wall = Wall::new(&standing.zone, locale);
    let city = phrases::city(view.inputs.fleet.patterns()[store.pattern].zone);
    let since = standing.offline_since().unwrap_or(as_of);
    let day = Day::last(&standing, locale);
    let now = if is_live { "now".to_owned() } else { wall.time(as_of) };
    html! {
        li {
            div.who {
                a href=(frame.store_link(&store.id)) { (view.name(place)) }
                p { (view.labels[place].group) }
            }
            p.how {
                (phrases::state(StoreState::Offline, &format!(" {}", phrases::length(as_of - since))))
                span.since { "since " (wall.near(since, as_of)) " " (city) }
            }
            div.today {
                (timeline_bar::bar(day.stretch, as_of, &day.pieces, &standing.polls, &day.summary, false))
                (timeline_bar::mark_words(day.stretch, as_of, &now))
                (timeline_bar::hours(locale))
            }
            p.when { "last check " (last_polled(standing.last_poll(), &wall)) " " (city) }
        }
    }
}

fn down_for_days(frame: &Frame, view: &FleetView, place: usize) -> Markup {
    let (store, as_of) = (view.store(place), view.question.as_of);
    let standing = query::status(&view.inputs, store, view.question);
    let wall = Wall::new(&standing.zone, frame.locale());
    let since = standing.offline_since().unwrap_or(as_of);
    let before = standing.incidents.last().is_some_and(|last| last.began_before);
    html! {
        li {
            span.who {
                a href=(frame.store_link(&store.id)) { (view.name(place)) } " "
                span.id { (view.labels[place].group) }
            }
            span {
                (phrases::state(StoreState::Offline, &format!(" {}", phrases::length(as_of - since))))
                span.since {
                    @if before { "since before " } @else { "since " }
                    (wall.stamp(since)) " " (phrases::city(view.inputs.fleet.patterns()[store.pattern].zone))
                }
            }
        }
    }
}

/// When a store was polled last, with the day.
fn last_polled(poll: Option<Poll>, wall: &Wall<'_>) -> Markup {
    match poll {
        Some(poll) => wall.stamp(poll.at()),
        None => html! { "none in 8 days" },
    }
}
