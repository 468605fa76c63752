//! `/stores`: every store, sorted, filtered and paged on the server.

use maud::{Markup, html};

use super::fleet::online;
use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use super::store::last_polled;
use super::{age, controls};
use crate::error::Result;
use crate::fleet_view::FleetView;
use crate::http::app::App;
use crate::http::page_query::PageQuery;
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::store_query::{Sort, StoreQuery};
use crate::uptime::store_state::StoreState;
use crate::uptime::window::Window;

/// How many stores a page shows.
const PAGE_STORES: usize = 50;

/// The columns: the order, the title, whether it has numbers, whether a phone omits it.
const COLUMNS: [(Sort, &str, bool, bool); 7] = [
    (Sort::Name, "Store", false, false),
    (Sort::Owner, "Owner", false, true),
    (Sort::State, "State", false, false),
    (Sort::Downtime, "Offline", true, true),
    (Sort::Online, "Online", true, false),
    (Sort::Coverage, "Covered", true, true),
    (Sort::LastPoll, "Last poll", true, true),
];

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let asked = StoreQuery::read(request, PAGE_STORES, PAGE_STORES)?;
    let (question, freshness) = query::question(app, request)?;
    let frame = Frame::new(app, request, Section::Stores)?;
    if let Some(link) = PageQuery::moved(request, frame.zone())? {
        return Ok(Response::see_other(link));
    }
    let view = query::fleet(app, question)?;
    let places = asked.places(&view)?;
    let locale = frame.locale();
    let body = html! {
        (age::notice(&freshness, frame.zone(), locale))
        h1 { "Stores" }
        p.lead {
            @if places.len() == view.labels.len() { (locale.stores(places.len())) }
            @else { (locale.count(places.len())) " of " (locale.stores(view.labels.len())) }
            "; numbers are of the 7 days before " (frame.instant(view.question.as_of)) "."
        }
        (filters(&frame, &view, &asked))
        @if places.is_empty() {
            section.card { p.calm {
                @if view.labels.is_empty() { "There are no stores yet." } @else { "No store fits. " a href=(frame.query().owned_by(None).link("/stores")) { "Show all" } }
            } }
        } @else {
            section.card.wide { (table(&frame, &view, &asked, &places)) }
            (pager(&frame, &asked, places.len()))
        }
    };
    Ok(Response::page(200, frame.page("Stores", None, &body)))
}

fn filters(frame: &Frame, view: &FleetView, asked: &StoreQuery) -> Markup {
    let owners = view.owner_names();
    let states = StoreState::ALL.map(|state| (state.as_str().replace(' ', "-"), state.as_str()));
    html! {
        form.filters.screen action="/stores" method="get" role="search" {
            div { label for="q" { "Name or id" } input #q type="search" name="q" value=(asked.text); }
            (controls::owner(frame, &owners))
            div {
                label for="state" { "State" }
                select #state name="state" {
                    option value="" { "any" }
                    @for (value, name) in &states {
                        @let asked = asked.state.is_some_and(|state| state.as_str() == *name);
                        option value=(value) selected[asked] { (name) }
                    }
                    option value="unvouched" selected[asked.unvouched] { "too few polls" }
                }
            }
            div {
                label for="sort" { "Sort by" }
                select #sort name="sort" {
                    @for (sort, title, ..) in COLUMNS {
                        option value=(sort.as_str()) selected[asked.sort == sort] { (title) }
                    }
                }
            }
            (controls::instant(frame, frame.zone()))
            (controls::rest(frame, true))
            button.primary type="submit" { "Show" }
            @if asked.text.is_empty() && asked.group.is_none() && asked.state.is_none() && !asked.unvouched {} @else {
                a href=(frame.query().owned_by(None).link("/stores")) { "Show all" }
            }
        }
    }
}

fn table(frame: &Frame, view: &FleetView, asked: &StoreQuery, places: &[usize]) -> Markup {
    html! {
        table.rows.stores {
            caption.aside { "Stores with their state, and how long each was offline in the last 7 days" }
            thead { tr { @for column in COLUMNS { (heading(frame, asked, column)) } } }
            tbody {
                @for &place in places.iter().skip(asked.offset).take(asked.limit) { (row(frame, view, place)) }
            }
        }
    }
}

/// A heading that sorts by its column, and reverses the order on the second click.
fn heading(frame: &Frame, asked: &StoreQuery, (sort, title, number, least): (Sort, &str, bool, bool)) -> Markup {
    let current = asked.sort == sort;
    let next = StoreQuery {
        sort,
        descending: if current {
            !asked.descending
        } else {
            sort.is_largest_first()
        },
        offset: 0,
        ..asked.clone()
    };
    let order = if asked.descending { "descending" } else { "ascending" };
    html! {
        th.number[number].least[least] scope="col" aria-sort=[current.then_some(order)] {
            a href=(frame.link(&format!("/stores?{}", next.query()))) {
                (title)
                @if current { span aria-hidden="true" { @if asked.descending { " ↓" } @else { " ↑" } } }
            }
        }
    }
}

fn row(frame: &Frame, view: &FleetView, place: usize) -> Markup {
    let locale = frame.locale();
    let (store, label, summary) = (view.store(place), &view.labels[place], &view.overview.summaries[place]);
    let as_of = view.question.as_of;
    let pattern = &view.inputs.fleet.patterns()[store.pattern];
    let table = phrases::zone_near(pattern.zone, summary.last_poll.map_or(as_of, |poll| poll.at()));
    let since = summary
        .offline_since
        .map_or(String::new(), |since| format!(" {}", phrases::length(as_of - since)));
    html! {
        tr {
            th scope="row" {
                a href=(frame.store_link(&store.id)) { (view.name(place)) }
                @if !label.name.is_empty() && label.name != *store.id { span.id { (store.id) } }
            }
            td.least { (label.group) }
            td { (phrases::state(summary.state, &since)) }
            td.number.least {
                @match summary.totals[Window::Week].known() {
                    Some((_, downtime)) => { (locale.hours(downtime)) }
                    None => { "unknown" }
                }
            }
            td.number { (online(locale, summary)) }
            td.number.least { (locale.share(summary.seen())) }
            td.number.least {
                (last_polled(summary.last_poll, as_of, &Wall::new(&table, locale))) " "
                span.city { (phrases::city(pattern.zone)) }
            }
        }
    }
}

fn pager(frame: &Frame, asked: &StoreQuery, total: usize) -> Markup {
    let locale = frame.locale();
    let end = asked.offset.saturating_add(asked.limit);
    let to = |offset: usize| {
        let there = StoreQuery {
            offset,
            ..asked.clone()
        };
        frame.link(&format!("/stores?{}", there.query()))
    };
    html! {
        nav.pager aria-label="Pages of stores" {
            @if asked.offset > 0 { a rel="prev" href=(to(asked.offset.saturating_sub(asked.limit))) { "← Previous" } }
            span { (locale.count(asked.offset + 1)) "–" (locale.count(end.min(total))) " of " (locale.count(total)) }
            @if end < total { a rel="next" href=(to(end)) { "Next →" } }
        }
    }
}
