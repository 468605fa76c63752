//! Targets in words: what is left of a month, or by how much its target is missed.

use maud::{Markup, html};

use super::layout::Frame;
use super::phrases;
use crate::fleet_view::{FleetPart, FleetView};
use crate::phrases::locale::Locale;
use crate::uptime::hundredths::format as amount;
use crate::uptime::interval::Micros;
use crate::uptime::store_state::StoreState;
use crate::uptime::target::MonthLeft;

/// How many stores the fleet's page names.
const ROWS_MAX: usize = 8;

/// `2 h 10 min left in November`, or `missed by 35 min`.
fn words(locale: Locale, month: &MonthLeft) -> Markup {
    let name = phrases::month(month.month.first);
    match month.left() {
        None => html! { "unknown in " (name) },
        Some(left) if left < 0 => phrases::marked(
            StoreState::Offline,
            &html! { "missed by " (locale.hours(-left)) " in " (name) },
        ),
        Some(left) => html! { (locale.hours(left)) " left in " (name) },
    }
}

/// `99.5 %`.
fn percent(locale: Locale, target: i64) -> String {
    let figure = amount(target);
    let figure = figure.trim_end_matches('0').trim_end_matches('.');
    format!("{} %", locale.figure(figure))
}

/// A store's target and what is left of it.
pub(super) fn of_store(locale: Locale, month: &MonthLeft) -> Markup {
    html! {
        p.target {
            "Target " (percent(locale, month.target)) " online: " (words(locale, month))
            @if let Some(downtime) = month.downtime {
                small {
                    " (" (locale.hours(downtime)) " offline of " (locale.hours(month.allowed())) " allowed in "
                    (locale.hours(month.business)) " open)"
                }
            }
        }
    }
}

/// The stores of a part with a target, those with the least left first.
pub(super) fn section(frame: &Frame, view: &FleetView, part: &FleetPart, months: &[Option<MonthLeft>]) -> Markup {
    let locale = frame.locale();
    let own = |&place: &usize| Some((place, months.get(place).copied().flatten()?));
    let mut own: Vec<(usize, MonthLeft)> = part.places.iter().filter_map(own).collect();
    let missed = own.iter().filter(|(_, month)| month.is_missed()).count();
    own.sort_by_key(|(_, month)| month.left().unwrap_or(Micros::MAX));
    html! {
        @if let Some((_, first)) = own.first() {
            section.card aria-labelledby="target" {
                h2 #target { "Target, " (phrases::month(first.month.first)) }
                p.under {
                    @if missed > 0 {
                        (phrases::marked(StoreState::Offline, &html! { (locale.count(missed)) " missed it" })) " of "
                    } @else { "Not missed by any of " }
                    (locale.stores(own.len())) " with a target. The least left first:"
                }
                table.rows {
                    thead { tr {
                        th scope="col" { "Store" }
                        th.number scope="col" { "Left" }
                    } }
                    tbody {
                        @for (place, month) in own.iter().take(ROWS_MAX) {
                            tr {
                                th scope="row" {
                                    a href=(frame.store_link(&view.store(*place).id)) { (view.name(*place)) }
                                    span.part {
                                        (percent(locale, month.target)) " wanted"
                                        @if let Some(down) = month.downtime { ", " (locale.hours(down)) " offline" }
                                    }
                                }
                                td.number { (left(locale, month)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is left, without the month's name.
fn left(locale: Locale, month: &MonthLeft) -> Markup {
    match month.left() {
        None => html! { "unknown" },
        Some(left) if left < 0 => phrases::marked(StoreState::Offline, &html! { "missed by " (locale.hours(-left)) }),
        Some(left) => html! { (locale.hours(left)) },
    }
}
