//! The heat map: the weekdays and hours of downtime, by each store's own clock.
//!
//! It is a real table, so a screen reader reads hours and not shades.

use maud::{Markup, html};

use super::phrases::WEEKDAYS;
use crate::http::locale::Locale;
use crate::uptime::interval::{HOUR, Micros};
use crate::uptime::load::Load;
use crate::uptime::window::Share;

/// How many shades there are besides none.
const SHADES: Micros = 5;

/// The map of a week's cells.
pub fn map(locale: Locale, cells: &[[Load; 24]]) -> Markup {
    let most = cells.iter().flatten().map(|load| load.downtime).max();
    let most = most.unwrap_or(0);
    html! {
        table.heat {
            caption.aside { "Hours of downtime by weekday and hour of the day, summed over all stores" }
            thead {
                tr {
                    th scope="col" { span.aside { "Day" } }
                    @for hour in 0..24 {
                        th scope="col" { span.aside[hour % 3 != 0] { (locale.hour(hour)) } }
                    }
                }
            }
            tbody {
                @for (day, loads) in cells.iter().enumerate() {
                    tr {
                        th scope="row" { (WEEKDAYS[day]) }
                        @for (hour, load) in (0..).zip(loads) {
                            (cell(locale, WEEKDAYS[day], hour, load, most))
                        }
                    }
                }
            }
        }
        ul.legend.heat-legend {
            li { span.swatch.closed {} "no business time" }
            li {
                @for shade in 0..=SHADES { span.swatch.{"shade-" (shade)} {} }
                "no downtime … " (locale.hours(most)) " in one cell"
            }
        }
    }
}

fn cell(locale: Locale, day: &str, hour: i64, load: &Load, most: Micros) -> Markup {
    let span = locale.span(hour * HOUR, (hour + 1) * HOUR);
    if load.open > 0 && load.business == 0 {
        return html! { td.unknown title=(format!("{day} {span}: unknown")) { span.aside { "unknown" } } };
    }
    if load.open == 0 {
        return html! { td.closed title=(format!("{day} {span}: no business time")) { span.aside { "closed" } } };
    }
    // Shades follow the cube root, so that one bad evening leaves the other hours distinguishable.
    let cubed = |shade: Micros| i128::from(shade.pow(3));
    let reaches = |shade: &Micros| cubed(*shade) * i128::from(most) >= cubed(SHADES) * i128::from(load.downtime);
    let shade = (0..=SHADES).find(reaches).unwrap_or(SHADES);
    let told = locale.hours(load.downtime);
    let title = format!(
        "{day} {span}: {told} offline, {} of {} of business time",
        locale.share(Share::new(load.downtime, load.business)),
        locale.hours(load.business),
    );
    html! { td.{"shade-" (shade)} title=(title) { span.aside { (told) } } }
}
