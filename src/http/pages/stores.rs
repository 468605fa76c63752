//! `/stores`: every store, sorted, filtered and paged on the server.

use maud::{Markup, html};

use super::layout::{Frame, Section, hatches};
use super::phrases::{self, Wall};
use super::store::last_polled;
use super::{age, bounds, controls, level};
use crate::error::Result;
use crate::fleet_view::FleetView;
use crate::http::app::App;
use crate::http::page_query::PageQuery;
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::store_query::{Sort, StoreQuery};
use crate::uptime::day_total::day_totals;
use crate::uptime::store_state::StoreState;
use crate::uptime::window::Window;

/// How many stores a page shows.
const PAGE_STORES: usize = 35;

/// A column: its order, its title, whether it has numbers, and its [`Room`].
type Column = (Sort, &'static str, bool, Room);

/// Where there is room for a column.
#[derive(Clone, Copy, PartialEq)]
enum Room {
    Everywhere,
    /// Not on a phone.
    Least,
    /// On a wide screen and on paper.
    Wide,
}

/// The columns before the strip of days, the one of stores whose sales are known, and those after it.
const COLUMNS: [Column; 4] = [
    (Sort::Name, "Store", false, Room::Everywhere),
    (Sort::Owner, "Owner", false, Room::Wide),
    (Sort::State, "State", false, Room::Everywhere),
    (Sort::Downtime, "Offline", true, Room::Everywhere),
];
const LOST: Column = (Sort::Lost, "Lost sales", true, Room::Least);
const COLUMNS_AFTER: [Column; 3] = [
    (Sort::Online, "Online", true, Room::Least),
    (Sort::Coverage, "Covered", true, Room::Wide),
    (Sort::LastPoll, "Last check", true, Room::Wide),
];

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let asked = StoreQuery::read(request, Sort::Downtime, PAGE_STORES, PAGE_STORES)?;
    let (question, freshness) = query::question(app, request)?;
    let frame = Frame::new(app, request, Section::Stores)?;
    if let Some(link) = PageQuery::moved(request, frame.zone())? {
        return Ok(Response::see_other(link));
    }
    let view = app.fleet(question)?;
    let places = asked.places(&view)?;
    let locale = frame.locale();
    // Only what is gone was removed, whatever a link says.
    let is_gone = |id: &&str| view.inputs.fleet.stores().iter().all(|store| *store.id != **id);
    let removed = request.field("removed")?.filter(is_gone);
    let body = html! {
        (hatches())
        (age::notice(&freshness, frame.zone(), locale))
        @if let Some(id) = removed { p.past role="status" { "The store " strong { (id) } " was removed." } }
        h1 { "Stores" }
        p.lead {
            @if places.len() == view.labels.len() { (locale.stores(places.len())) }
            @else { (locale.count(places.len())) " of " (locale.stores(view.labels.len())) }
            @if asked.sort == Sort::Downtime && asked.descending { ", those offline longest first" }
            ". Numbers are of the 7 days before " (frame.instant(view.question.as_of)) "."
        }
        (filters(&frame, &view, &asked))
        @if places.is_empty() {
            section.card { p.calm {
                @if view.labels.is_empty() { "There are no stores yet." }
                @else { "No store fits. " a href=(frame.query().owned_by(None).link("/stores")) { "Show all" } }
            } }
        } @else {
            section.card.wide { (table(&frame, &view, &asked, &places)) }
            (pager(&frame, &asked, places.len()))
            p.note.screen { a href=(csv(&frame, &asked)) download="stores.csv" { "This list as CSV" } }
        }
    };
    Ok(Response::page(200, frame.page("Stores", None, &body)))
}

/// The whole list as CSV.
fn csv(frame: &Frame, asked: &StoreQuery) -> String {
    let whole = StoreQuery {
        offset: 0,
        // The API's own default is another order than the page's.
        sort_default: Sort::Name,
        ..asked.clone()
    };
    match whole.query().as_str() {
        "" => frame.link("/api/stores.csv?for=spreadsheet"),
        query => frame.link(&format!("/api/stores.csv?{query}&for=spreadsheet")),
    }
}

fn filters(frame: &Frame, view: &FleetView, asked: &StoreQuery) -> Markup {
    let owners = view.owner_names();
    let lost = has_sales(view).then_some(LOST);
    let columns = || COLUMNS.into_iter().chain(lost).chain(COLUMNS_AFTER);
    let states = StoreState::ALL.map(|state| (state.as_str().replace(' ', "-"), state.as_str()));
    html! {
        form.filters.screen action="/stores" method="get" role="search" aria-label="Filter the stores" {
            div { label for="q" { "Name, owner or id" } input #q type="search" name="q" value=(asked.text); }
            (controls::owner(frame, &owners))
            div {
                label for="state" { "State" }
                select #state name="state" {
                    option value="" { "any" }
                    @for (value, name) in &states {
                        @let asked = asked.state.is_some_and(|state| state.as_str() == *name);
                        option value=(value) selected[asked] { (name) }
                    }
                    option value="unvouched" selected[asked.unvouched] { "not enough checks" }
                }
            }
            div {
                label for="sort" { "Sort by" }
                select #sort name="sort" {
                    @for (sort, title, ..) in columns() {
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

/// Whether the sales of any store are known.
fn has_sales(view: &FleetView) -> bool {
    view.labels.iter().any(|label| label.sales_per_hour.is_some())
}

fn table(frame: &Frame, view: &FleetView, asked: &StoreQuery, places: &[usize]) -> Markup {
    let has_lost = has_sales(view);
    html! {
        table.rows.stores {
            caption.aside { "Stores with their state, and how long each was offline in the last 7 days" }
            thead { tr {
                @for column in COLUMNS { (heading(frame, asked, column)) }
                @if has_lost { (heading(frame, asked, LOST)) }
                th.least scope="col" { "Last 7 days" }
                @for column in COLUMNS_AFTER { (heading(frame, asked, column)) }
            } }
            tbody {
                @for &place in places.iter().skip(asked.offset).take(asked.limit) {
                    (row(frame, view, place, has_lost))
                }
            }
        }
        (level::legend(frame.locale()))
    }
}

/// A heading that sorts by its column, and reverses the order on the second click.
fn heading(frame: &Frame, asked: &StoreQuery, (sort, title, number, room): Column) -> Markup {
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
        th.number[number].least[room == Room::Least].minor[room == Room::Wide] scope="col"
            aria-sort=[current.then_some(order)] {
            a href=(link(frame, &next)) {
                (title)
                @if current { span aria-hidden="true" { @if asked.descending { " ↓" } @else { " ↑" } } }
            }
        }
    }
}

/// A link to a list.
fn link(frame: &Frame, asked: &StoreQuery) -> String {
    match asked.query().as_str() {
        "" => frame.link("/stores"),
        query => frame.link(&format!("/stores?{query}")),
    }
}

fn row(frame: &Frame, view: &FleetView, place: usize, has_lost: bool) -> Markup {
    let locale = frame.locale();
    let (store, label, summary) = (view.store(place), &view.labels[place], &view.overview.summaries[place]);
    let as_of = view.question.as_of;
    let pattern = &view.inputs.fleet.patterns()[store.pattern];
    let standing = query::status(&view.inputs, store, view.question);
    let since = summary
        .offline_since
        .map_or(String::new(), |since| format!(" {}", phrases::length(as_of - since)));
    let week = &summary.totals[Window::Week];
    html! {
        tr {
            th scope="row" {
                a href=(frame.store_link(&store.id)) { (view.name(place)) }
                @if !label.name.is_empty() && label.name != *store.id { span.id { (store.id) } }
            }
            td.minor { (label.group) }
            td { (phrases::state(summary.state, &since)) }
            td.number {
                @match week.known() {
                    // Without enough checks, no downtime is not known to be none.
                    Some((_, downtime)) if downtime > 0 || summary.is_vouched() => { (locale.hours(downtime)) }
                    _ => { "unknown" }
                }
            }
            @if has_lost { td.number.least { (bounds::lost_cell(frame, view.lost(place))) } }
            td.least.days { (level::strip(locale, Window::Week.before(as_of), &day_totals(&standing))) }
            td.number.least { (level::share(locale, week, summary.coverage)) }
            td.number.minor { (locale.share(summary.seen())) }
            td.number.minor {
                (last_polled(summary.last_poll, as_of, &Wall::new(&standing.zone, locale))) " "
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
        link(frame, &there)
    };
    html! {
        nav.pager aria-label="Pages of stores" {
            @if asked.offset > 0 { a rel="prev" href=(to(asked.offset.saturating_sub(asked.limit))) { "← Previous" } }
            span { (locale.count(asked.offset + 1)) "–" (locale.count(end.min(total))) " of " (locale.count(total)) }
            @if end < total { a rel="next" href=(to(end)) { "Next →" } }
        }
    }
}
