//! `/incidents`: the incidents of the fleet, the newest first. Those that share a cause are folded into one row.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use super::{age, bounds, controls, reasons};
use crate::civil;
use crate::db::incident_reasons::{Note, Reasons};
use crate::error::Result;
use crate::fleet_view::FleetView;
use crate::fleet_view::incidents::{Cause, FleetIncident};
use crate::http::app::App;
use crate::http::incidents::{IncidentQuery, reason};
use crate::http::page_query::PageQuery;
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::certainty::Certainty;
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::lost_sales::LostSales;
use crate::uptime::store_state::StoreState;
use crate::uptime::window::Window;

/// How many rows a page shows.
const PAGE_ROWS: usize = 50;

/// The fewest incidents of one cause that are folded, and how many of them a row unfolds.
const FOLDED_MIN: usize = 3;
const UNFOLDED_MAX: usize = 60;

/// A row of the list.
enum Row<'a> {
    One(&'a FleetIncident),
    Folded(&'a Cause, Vec<&'a FleetIncident>),
}

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let asked = IncidentQuery::read(request, PAGE_ROWS, PAGE_ROWS)?;
    let (question, freshness) = query::question(app, request)?;
    let frame = Frame::new(app, request, Section::Incidents)?;
    if let Some(link) = PageQuery::moved(request, frame.zone())? {
        return Ok(Response::see_other(link));
    }
    let view = app.fleet(question)?;
    let noted = app.reasons(&view)?;
    let selected = asked.select(&view)?;
    let rows = rows(&view, &asked, &selected);
    let locale = frame.locale();
    let zone = ZoneTable::new(frame.zone(), Window::Week.before(question.as_of));
    let wall = Wall::new(&zone, locale);
    let ongoing = selected.iter().filter(|one| one.incident.open).count();
    let is_filtered = !asked.text.is_empty() || asked.group.is_some() || asked.open.is_some() || asked.cause.is_some();
    let body = html! {
        (age::notice(&freshness, frame.zone(), locale))
        h1 { "Incidents" }
        p.lead {
            (locale.count(selected.len())) " incident" (phrases::plural(selected.len()))
            " of the 7 days before " (frame.instant(question.as_of)) ", " (locale.count(ongoing)) " of them ongoing. Times are "
            (phrases::city(frame.zone())) " time."
        }
        (filters(&frame, &view, &asked, is_filtered))
        @if rows.is_empty() {
            section.card { p.calm { (nothing(&view, is_filtered)) } }
        } @else {
            section.card.wide {
                table.rows.incident-list {
                    caption.aside { "Incidents, the newest first" }
                    thead { tr {
                        th scope="col" { "When" }
                        th scope="col" { "Store" }
                        th.number scope="col" { "Offline" }
                    } }
                    tbody {
                        @for row in rows.iter().skip(asked.offset).take(asked.limit) {
                            @match row {
                                Row::One(one) => { (single(&frame, &view, one, reason(&view, &noted, one), &wall)) }
                                Row::Folded(cause, all) => { (folded(&frame, (&view, &noted), cause, all, &wall)) }
                            }
                        }
                    }
                }
                p.more {
                    @let whole = IncidentQuery { offset: 0, ..asked.clone() }.query();
                    a href=(frame.link(&format!("/api/incidents.csv?for=spreadsheet&{whole}"))) {
                        "Download all as CSV"
                    }
                }
            }
            (pager(&frame, &asked, rows.len()))
        }
    };
    Ok(Response::page(200, frame.page("Incidents", None, &body)))
}

/// The rows: incidents that share a cause are one row, at the place of the newest.
fn rows<'a>(view: &'a FleetView, asked: &IncidentQuery, selected: &[&'a FleetIncident]) -> Vec<Row<'a>> {
    let causes = &view.incidents().causes;
    let mut of: Vec<Vec<&FleetIncident>> = vec![Vec::new(); causes.len()];
    if asked.cause.is_none() {
        for one in selected {
            if let Some(cause) = one.cause {
                of[cause].push(one);
            }
        }
    }
    let mut rows = Vec::new();
    for one in selected {
        match one.cause {
            Some(cause) if of[cause].len() >= FOLDED_MIN => {
                if std::ptr::eq(of[cause][0], *one) {
                    rows.push(Row::Folded(&causes[cause], of[cause].clone()));
                }
            }
            _ => rows.push(Row::One(one)),
        }
    }
    rows
}

fn nothing(view: &FleetView, is_filtered: bool) -> &'static str {
    let mut totals = view.overview.summaries.iter().map(|store| &store.totals[Window::Week]);
    match () {
        () if is_filtered => "No incident fits.",
        () if view.labels.is_empty() => "There are no stores yet.",
        () if totals.all(|total| total.known().is_none()) => "Nothing is known of this week: no check counts.",
        () => "None in the last 7 days.",
    }
}

fn filters(frame: &Frame, view: &FleetView, asked: &IncidentQuery, is_filtered: bool) -> Markup {
    html! {
        form.filters.screen action="/incidents" method="get" role="search" aria-label="Filter the incidents" {
            div { label for="q" { "Words of the store" } input #q type="search" name="q" value=(asked.text); }
            (controls::owner(frame, &view.owner_names()))
            div {
                label for="state" { "State" }
                select #state name="state" {
                    option value="" { "any" }
                    option value="ongoing" selected[asked.open == Some(true)] { "ongoing" }
                    option value="ended" selected[asked.open == Some(false)] { "ended" }
                }
            }
            (controls::instant(frame, frame.zone()))
            (controls::rest(frame, true))
            button.primary type="submit" { "Show" }
            @if is_filtered { a href=(frame.query().owned_by(None).link("/incidents")) { "Show all" } }
        }
    }
}

/// `Thu 5 Nov, 6:30–11:00 PM`, or both dates.
fn when(stretch: Interval, wall: &Wall<'_>) -> Markup {
    html! {
        @if wall.day(stretch.start) == wall.day(stretch.end) {
            (phrases::stamp(stretch.start, &format!("{}, {}", wall.date(stretch.start), wall.span(stretch))))
        } @else { (wall.stamp(stretch.start)) " – " (wall.stamp(stretch.end)) }
    }
}

fn single(frame: &Frame, view: &FleetView, one: &FleetIncident, why: Option<&Note>, wall: &Wall<'_>) -> Markup {
    let incident = &one.incident;
    let is_offline = view.overview.summaries[one.place].state == StoreState::Offline;
    html! {
        tr {
            td {
                @if incident.began_before { "before " }
                @if incident.open && is_offline {
                    (wall.stamp(incident.stretch.start)) " – " (phrases::marked(StoreState::Offline, &html! { "ongoing" }))
                } @else {
                    (when(incident.stretch, wall))
                    @if incident.open { " (closed since)" }
                }
            }
            th scope="row" {
                a href=(frame.store_link(&view.store(one.place).id)) { (view.name(one.place)) }
                span.id { (view.labels[one.place].group) }
                @if let Some(note) = why { (reasons::part(note)) }
            }
            td.number { (downtime(frame, &Offline::of(view, [one]))) }
        }
    }
}

/// The downtime of one incident, or of several together.
struct Offline {
    downtime: Micros,
    certainty: Certainty,
    unconfirmed: Micros,
    lost: Option<LostSales>,
}

impl Offline {
    fn of<'a>(view: &FleetView, incidents: impl IntoIterator<Item = &'a FleetIncident>) -> Self {
        let mut sum = Self {
            downtime: 0,
            certainty: Certainty::default(),
            unconfirmed: 0,
            lost: None,
        };
        for one in incidents {
            sum.downtime += one.incident.downtime;
            sum.certainty += one.incident.certainty;
            sum.unconfirmed += one.incident.unconfirmed;
            if let Some(lost) = view.lost_in(one) {
                *sum.lost.get_or_insert_default() += lost;
            }
        }
        sum
    }
}

fn downtime(frame: &Frame, offline: &Offline) -> Markup {
    let locale = frame.locale();
    html! {
        (locale.hours(offline.downtime))
        @if let Some(bounds) = bounds::bounds(locale, offline.downtime, offline.certainty) { span.part { (bounds) } }
        @if let Some(lost) = offline.lost.and_then(|lost| bounds::lost_short(frame, lost)) { span.part { (lost) } }
        @if offline.unconfirmed > 0 { span.unconfirmed { (locale.hours(offline.unconfirmed)) " not confirmed" } }
    }
}

fn folded(
    frame: &Frame,
    (view, noted): (&FleetView, &Reasons),
    cause: &Cause,
    all: &[&FleetIncident],
    wall: &Wall<'_>,
) -> Markup {
    let mut places: Vec<usize> = all.iter().map(|one| one.place).collect();
    places.sort_unstable();
    places.dedup();
    let start = civil::format_rfc3339(cause.event.stretch.start);
    html! {
        tr.shared {
            td { (when(cause.event.stretch, wall)) }
            th scope="row" {
                details.pieces {
                    summary {
                        strong { (frame.locale().stores(places.len())) }
                        @match &cause.owner {
                            None => { " at once; probably not the stores" }
                            Some(owner) => { " of " (owner) " at once" }
                        }
                    }
                    ul {
                        @for one in all.iter().take(UNFOLDED_MAX) {
                            li {
                                a href=(frame.store_link(&view.store(one.place).id)) { (view.name(one.place)) } ", "
                                (wall.span(one.incident.stretch)) ", " (frame.locale().hours(one.incident.downtime))
                                @if let Some(note) = reason(view, noted, one) { (reasons::part(note)) }
                            }
                        }
                    }
                    p.more { a href=(frame.link(&format!("/incidents?cause={start}"))) { "List them one by one" } }
                }
            }
            td.number { (downtime(frame, &Offline::of(view, all.iter().copied()))) }
        }
    }
}

fn pager(frame: &Frame, asked: &IncidentQuery, total: usize) -> Markup {
    let locale = frame.locale();
    let end = asked.offset.saturating_add(asked.limit);
    let to = |offset: usize| {
        let there = IncidentQuery {
            offset,
            ..asked.clone()
        };
        frame.link(&format!("/incidents?{}", there.query()))
    };
    html! {
        nav.pager aria-label="Pages of incidents" {
            @if asked.offset > 0 { a rel="prev" href=(to(asked.offset.saturating_sub(asked.limit))) { "← Previous" } }
            span { (locale.count(asked.offset + 1)) "–" (locale.count(end.min(total))) " of " (locale.count(total)) }
            @if end < total { a rel="next" href=(to(end)) { "Next →" } }
        }
    }
}
