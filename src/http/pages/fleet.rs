//! `/`: the fleet on one screen: which stores need attention now, and is it getting better?

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::layout::{Frame, Section, hatches};
use super::phrases::{self, Wall};
use super::{age, area, attention, bounds, controls, heat, load, share, statements, target};
use crate::access::{Audience, Scope};
use crate::civil;
use crate::error::Result;
use crate::fleet_view::heat::Heat;
use crate::fleet_view::{FleetPart, FleetView, Sum};
use crate::http::app::App;
use crate::http::json::encoded;
use crate::http::page_query::PageQuery;
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::phrases::locale::Locale;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::calendar::LocalDate;
use crate::uptime::fleet_event::FleetEvent;
use crate::uptime::freshness::Freshness;
use crate::uptime::interval::{DAY, Micros};
use crate::uptime::overview::Overview;
use crate::uptime::store_state::StoreState;
use crate::uptime::store_summary::{StoreSummary, VOUCHED_FROM};
use crate::uptime::window::{Share, Window};

/// How many stores or owners a list on this page shows; a link leads to the rest.
const ROWS_MAX: usize = 8;

/// The page; on an empty database, the first visit's page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let (question, freshness) = query::question(app, request)?;
    let group = request.field("group")?;
    let frame = Frame::new(app, request, Section::Fleet)?;
    if let Some(link) = PageQuery::moved(request, frame.zone())? {
        return Ok(Response::see_other(link));
    }
    if let (true, Audience::Store(id)) = (app.visitor.is_guest(), &app.visitor.audience) {
        let page = format!("/stores/{}", encoded(id));
        return Ok(Response::see_other(frame.link(&page)));
    }
    let view = app.fleet(question)?;
    if view.labels.is_empty() {
        return load::first_visit(app, request);
    }
    let part = view.part(group)?;
    let own = group.map(|group| view.overview_of(group));
    let overview = own.as_ref().unwrap_or(&view.overview);
    let heat = query::heat(app, &view, group, overview)?;
    let statement = statements::link(app, &frame, question, None)?;
    let months = app.months_left(&view)?;
    let target = target::section(&frame, &view, &part, &months);
    let parts = [&statement, &target];
    let body = body(&frame, &freshness, (&view, &part), (overview, &heat), group, parts);
    let owners = frame.owners();
    let title = group.or(owners.as_deref()).unwrap_or("Fleet");
    Ok(Response::page(200, frame.page(title, None, &body)))
}

fn body(
    frame: &Frame,
    freshness: &Freshness,
    (view, part): (&FleetView, &FleetPart),
    (overview, heat): (&Overview, &Heat),
    group: Option<&str>,
    [statement, target]: [&Markup; 2],
) -> Markup {
    let as_of = view.question.as_of;
    let week = Window::Week.before(as_of);
    let zone = ZoneTable::new(frame.zone(), week);
    let (locale, wall) = (frame.locale(), Wall::new(&zone, frame.locale()));
    let owners = view.owners();
    let open = in_state(view, part, |state| state != StoreState::Closed).count();
    let marks = area::Marks {
        outages: &view.outages,
        events: &view.overview.events,
    };
    html! {
        (hatches())
        (age::notice(freshness, frame.zone(), locale))
        div.head {
            div {
                h1 { (group.or(frame.owners().as_deref()).unwrap_or("Fleet")) }
                p.lead {
                    (locale.count(open)) " of " (locale.stores(part.places.len()))
                    @if open == 1 { " is" } @else { " are" }
                    " in business hours " (age::when(freshness, frame.zone(), locale)) ", " (phrases::city(frame.zone())) " time. "
                    (statement)
                }
            }
            (controls::choices(frame, "/", Some(&view.owner_names()), frame.zone()))
        }
        (attention::section(frame, view, part, freshness.is_live()))
        (cards(frame, view, part, open, &wall, freshness.is_live()))
        div.two.columns {
            div {
                section.card aria-labelledby="hours" {
                    h2 #hours { "Stores offline, of stores open, hour by hour" }
                    @for event in &view.overview.events { (fleet_event(frame, event, &wall)) }
                    (area::chart(locale, week, &overview.hours, &marks, &zone))
                    (outages(view, &wall))
                    p.note { "Days in " (phrases::city(frame.zone())) " time, the zone of most stores." }
                    (area::table(locale, week, &overview.hours, &zone))
                }
                (worst(frame, view, part))
            }
            div {
                section.card aria-labelledby="cells" {
                    h2 #cells {
                        "When stores are offline, store-local time, last "
                        @if heat.weeks == 1 { "7 days" } @else { (heat.weeks) " weeks" }
                    }
                    (heat::map(locale, &heat.cells))
                    (special_days(frame, view, part))
                }
                (target)
                (not_sure(frame, view, part))
            }
        }
        @if group.is_none() && !owners.is_empty() && (owners.len() > 1 || frame.owners().is_none()) {
            (by_owner(frame, owners))
        }
        (controls::rules(frame, view.question.rule))
        @if let Some(group) = group { (share::button(frame, "group", group)) }
        @if frame.may(Scope::Report) {
            form.screen.make action="/reports" method="post" {
                (frame.csrf())
                button.primary type="submit" { "Make a report" }
            }
        }
    }
}

/// The sentence of an event of the whole fleet.
fn fleet_event(frame: &Frame, event: &FleetEvent, wall: &Wall<'_>) -> Markup {
    let locale = frame.locale();
    let stores = format!("/incidents?cause={}", civil::format_rfc3339(event.stretch.start));
    html! {
        p.event {
            (wall.date(event.stretch.start)) ", " (wall.span(event.stretch)) ": "
            (locale.share(Some(event.share))) " of open stores offline at once (" (locale.count(event.offline)) " of "
            (locale.count(event.open)) "); probably not the stores. "
            a href=(frame.link(&stores)) { "Show them" }
        }
    }
}

/// How many days with special hours are named below the heat map.
const SPECIAL_DAYS_NAMED_MAX: usize = 4;

/// The days of the week on which stores had special hours: closed then is closed, and no downtime.
fn special_days(frame: &Frame, view: &FleetView, part: &FleetPart) -> Markup {
    let week = Window::Week.before(view.question.as_of);
    let zone = ZoneTable::new(frame.zone(), week);
    let days = [week.start, week.end].map(|at| zone.wall(at).div_euclid(DAY));
    let patterns = view.inputs.fleet.patterns();
    let mut stores = vec![0_usize; patterns.len()];
    for &place in &part.places {
        stores[view.store(place).pattern] += 1;
    }
    let mut counts: BTreeMap<LocalDate, usize> = BTreeMap::new();
    for (pattern, stores) in patterns.iter().zip(stores) {
        for special in &pattern.calendar.special_days {
            if stores > 0 && (days[0]..=days[1]).contains(&special.date) {
                *counts.entry(special.date).or_default() += stores;
            }
        }
    }
    html! {
        @if !counts.is_empty() {
            p.note {
                "Special hours: "
                @for (number, (&date, &stores)) in counts.iter().take(SPECIAL_DAYS_NAMED_MAX).enumerate() {
                    @if number > 0 { "; " }
                    (phrases::date(date)) ", " (frame.locale().stores(stores))
                }
                ". A closed holiday is closed time, not downtime."
            }
        }
    }
}

/// The sentences of the poller's outages.
fn outages(view: &FleetView, wall: &Wall<'_>) -> Markup {
    let outages = view.outages.clip(Window::Week.before(view.question.as_of));
    html! {
        @for &outage in outages.as_slice() {
            p.note {
                svg.swatch width="22" height="14" aria-hidden="true" { rect width="22" height="14" fill="url(#hatch-outage)" {} }
                "Our checker was down " (wall.date(outage.start)) ", " (wall.span(outage)) "; that time is estimated."
            }
        }
    }
}

fn in_state<'a>(
    view: &'a FleetView,
    part: &'a FleetPart,
    fits: impl Fn(StoreState) -> bool + 'a,
) -> impl Iterator<Item = usize> + 'a {
    let places = part.places.iter().copied();
    places.filter(move |&place| fits(view.overview.summaries[place].state))
}

fn cards(frame: &Frame, view: &FleetView, part: &FleetPart, open: usize, wall: &Wall<'_>, is_live: bool) -> Markup {
    let locale = frame.locale();
    let count = |wanted: StoreState| in_state(view, part, move |state| state == wanted).count();
    let (online, offline, unsure) = (
        count(StoreState::Online),
        count(StoreState::Offline),
        count(StoreState::NotSure),
    );
    let week = Window::Week.before(view.question.as_of);
    let outages = view.outages.clip(week);
    html! {
        div.cards.four {
            section.card {
                h2 { @if is_live { "Online now" } @else { "Online" } }
                p.big { (locale.count(online)) " " small { "of " (locale.count(open)) " open" } }
                p.under {
                    @if offline > 0 { (locale.counted(offline, StoreState::Offline)) " " }
                    @if unsure > 0 { (locale.counted(unsure, StoreState::NotSure)) }
                    @if offline + unsure == 0 && open > 0 { (phrases::state(StoreState::Online, "")) " all of them" }
                    @if open == 0 { "every store is closed" }
                }
            }
            section.card {
                h2 { "Downtime, last 7 days" }
                @let trend = trend(locale, &part.week, &part.before);
                (week_figure(locale, &part.week, |_, downtime| locale.hours(downtime), &trend))
                @if let Some((_, downtime)) = part.week.known() {
                    @if let Some(bounds) = bounds::bounds(locale, downtime, part.week.certainty) {
                        p.evidence { @if !part.week.is_vouched() { "As far as known, " } (bounds) " offline" }
                    }
                }
                @if let Some(lost) = part.week.lost.and_then(|lost| bounds::lost(frame, lost)) {
                    p.evidence { "Lost sales " (lost) ": downtime × each store’s sales an hour" }
                }
            }
            section.card {
                h2 { "Online share, last 7 days" }
                (week_figure(
                    locale,
                    &part.week,
                    |uptime, downtime| locale.share(Share::new(uptime, uptime + downtime)),
                    &html! { "of " (locale.hours(part.week.uptime + part.week.downtime)) " open" },
                ))
            }
            section.card {
                h2 { "Covered by checks, last 7 days" }
                p.big { (locale.share(part.week.coverage())) }
                p.under {
                    @match outages.as_slice() {
                        [] => { "of open hours within an hour of a check" }
                        [outage] => { "our checker was down " (phrases::length(outage.length())) " on " (wall.date(outage.start)) }
                        all => { "our checker was down " (all.len()) " times, " (phrases::length(outages.length())) " together" }
                    }
                }
            }
        }
    }
}

/// A number of the week, and `under` beneath it. Where less than half was seen: *not enough data*, and how much was
/// seen. Where nothing is known: `unknown`.
fn week_figure(locale: Locale, week: &Sum, told: impl Fn(Micros, Micros) -> String, under: &Markup) -> Markup {
    html! {
        @match week.known() {
            None => {
                p.big { "unknown" }
                p.under { "no check counts in this week" }
            }
            Some(_) if !week.is_vouched() => {
                p.big.wordy { "not enough data" }
                p.under { "checks cover " (locale.hours(week.seen)) " of " (locale.hours(week.business)) " open" }
            }
            Some((uptime, downtime)) => {
                p.big { (told(uptime, downtime)) }
                p.under { (under) }
            }
        }
    }
}

/// Downtime in a row of a table.
fn downtime_of(locale: Locale, week: &Sum) -> Markup {
    html! {
        @match week.known() {
            None => { "unknown" }
            Some(_) if !week.is_vouched() => { (phrases::state(StoreState::NotSure, "")) }
            Some((_, downtime)) => { (locale.hours(downtime)) }
        }
    }
}

/// This week's downtime beside the week before, if that week has enough polls.
fn trend(locale: Locale, week: &Sum, before: &Sum) -> Markup {
    if before.coverage().is_none() || !before.is_vouched() {
        return html! { "No full previous week yet" };
    }
    let told = format!("{} the week before", locale.hours(before.downtime));
    let change = (week.downtime - before.downtime) * 100;
    let per_cent = (change.abs() + before.downtime / 2).checked_div(before.downtime);
    html! {
        @match (per_cent, change) {
            (Some(0), _) | (_, 0) => { "as in the week before (" (told) ")" }
            (Some(per_cent), ..0) => { span.better { "▼ " (per_cent) " % less" } " than " (told) }
            (Some(per_cent), _) => { span.worse { "▲ " (per_cent) " % more" } " than " (told) }
            (None, _) => { "none the week before" }
        }
    }
}

/// The stores with the most downtime in the week.
fn worst(frame: &Frame, view: &FleetView, part: &FleetPart) -> Markup {
    let downtime = |place: &usize| {
        let total = &view.overview.summaries[*place].totals[Window::Week];
        total.known().map_or(0, |(_, downtime)| downtime)
    };
    let mut places: Vec<usize> = part.places.clone();
    places.retain(|place| downtime(place) > 0);
    places.sort_by_key(|place| std::cmp::Reverse(downtime(place)));
    html! {
        section.card aria-labelledby="worst" {
            h2 #worst { "Most downtime, last 7 days" }
            @if places.is_empty() { p.calm { "No downtime is known of." } } @else {
                table.rows {
                    thead { tr {
                        th scope="col" { "Store" }
                        th.number scope="col" { "Offline" }
                        @if part.week.lost.is_some() { th.number.least scope="col" { "Lost sales" } }
                        th.number scope="col" { "Online" }
                        th.number.least scope="col" { "Covered" }
                    } }
                    tbody {
                        @for place in places.into_iter().take(ROWS_MAX) {
                            @let summary = &view.overview.summaries[place];
                            tr {
                                th scope="row" { a href=(frame.store_link(&view.store(place).id)) { (view.name(place)) } }
                                td.number { (frame.locale().hours(downtime(&place))) }
                                @if part.week.lost.is_some() {
                                    td.number.least { (bounds::lost_cell(frame, view.lost(place))) }
                                }
                                td.number { (online(frame.locale(), summary)) }
                                td.number.least { (frame.locale().share(summary.seen())) }
                            }
                        }
                    }
                }
                p.more { a href=(frame.link("/stores?sort=downtime")) { "All stores by downtime" } }
            }
        }
    }
}

/// The online share of the week, or why there is none.
pub fn online(locale: Locale, summary: &StoreSummary) -> Markup {
    let share = summary.totals[Window::Week].share();
    let unsure = |words: &str| phrases::marked(StoreState::NotSure, &html! { (words) });
    match share {
        Some(_) if !summary.is_vouched() => unsure("not enough data"),
        None if !summary.is_vouched() => unsure("unknown"),
        share => html! { (locale.share(share)) },
    }
}

/// The stores with too few polls to be sure, the least covered first.
fn not_sure(frame: &Frame, view: &FleetView, part: &FleetPart) -> Markup {
    let summary = |place: &usize| &view.overview.summaries[*place];
    let seen = |place: &usize| summary(place).seen().map_or(0, |share| share.hundredths);
    let mut places: Vec<usize> = part.places.clone();
    places.retain(|place| !summary(place).is_vouched() || summary(place).state == StoreState::NotSure);
    places.sort_by_key(seen);
    let total = places.len();
    html! {
        section.card aria-labelledby="unsure" {
            h2 #unsure { "Not sure" }
            @if places.is_empty() {
                p.calm { "Checks cover at least half of every store's week, and the last three hours of every open store." }
            } @else {
                p.note {
                    "Not enough checks to be sure: less than half of the week covered, or open and unchecked for three hours."
                }
                ul.unsure {
                    @for place in places.iter().take(ROWS_MAX) {
                        li {
                            a href=(frame.store_link(&view.store(*place).id)) { (view.name(*place)) }
                            span.state.not-sure {
                                span.mark aria-hidden="true" {}
                                (why_not_sure(frame.locale(), summary(place), view.question.as_of))
                            }
                        }
                    }
                }
                @if total > ROWS_MAX {
                    p.more { a href=(frame.link("/stores?state=unvouched&sort=coverage")) { "All without enough checks in their week" } }
                }
            }
        }
    }
}

fn why_not_sure(locale: Locale, summary: &StoreSummary, as_of: i64) -> String {
    match (summary.last_poll, summary.seen()) {
        (None, _) => "no check in 8 days".to_owned(),
        (Some(_), Some(seen)) if seen.hundredths < VOUCHED_FROM => format!("{} covered", locale.share(Some(seen))),
        (Some(poll), _) => format!("last check {} before", phrases::length(as_of - poll.at())),
    }
}

fn by_owner(frame: &Frame, mut owners: Vec<(&str, FleetPart)>) -> Markup {
    let (locale, total) = (frame.locale(), owners.len());
    let has_lost = owners.iter().any(|(_, part)| part.week.lost.is_some());
    owners.sort_by_key(|(_, part)| std::cmp::Reverse(part.week.downtime));
    html! {
        section.card aria-labelledby="owners" {
            h2 #owners { "By owner, last 7 days" }
            table.rows {
                thead { tr {
                    th scope="col" { "Owner" }
                    th.number.least scope="col" { "Stores" }
                    th.number scope="col" { "Offline" }
                    @if has_lost { th.number.least scope="col" { "Lost sales" } }
                    th.number.least scope="col" { "Week before" }
                    th.number scope="col" { "Online" }
                    th.number.least scope="col" { "Covered" }
                } }
                tbody {
                    @for (owner, part) in owners.into_iter().take(2 * ROWS_MAX) {
                        tr {
                            th scope="row" { a href=(frame.query().owned_by(Some(owner)).link("/")) { (owner) } }
                            td.number.least { (locale.count(part.week.stores)) }
                            td.number { (downtime_of(locale, &part.week)) }
                            @if has_lost { td.number.least { (bounds::lost_cell(frame, part.week.lost)) } }
                            td.number.least { (downtime_of(locale, &part.before)) }
                            td.number {
                                @if part.week.is_vouched() { (locale.share(part.week.online())) }
                                @else { "not enough data" }
                            }
                            td.number.least { (locale.share(part.week.coverage())) }
                        }
                    }
                }
            }
            @if total > 2 * ROWS_MAX { p.more { a href=(frame.link("/stores?sort=owner")) { "All stores by owner" } } }
        }
    }
}
