//! The heat map: the share of business time offline on each weekday and hour, by each store's own clock.
//!
//! It is a real table, so a screen reader reads shares and not shades.

use maud::{Markup, html};

use super::controls;
use super::phrases::WEEKDAYS;
use crate::phrases::locale::Locale;
use crate::uptime::interval::{HOUR, Micros};
use crate::uptime::load::Load;

/// The scales of a map: the upper ends of all shades but the darkest, in hundredths of a per cent. The first whose
/// darkest shade is not most of the map is taken.
const SCALES: [[Micros; 4]; 4] = [
    [50, 100, 200, 400],
    [100, 200, 500, 1_000],
    [200, 500, 1_000, 2_000],
    [500, 1_000, 2_000, 4_000],
];

/// The map of these cells.
pub fn map(locale: Locale, cells: &[[Load; 24]]) -> Markup {
    let shares = cells.iter().flatten().filter_map(|load| Some(load.share()?.hundredths));
    let most = shares.max().unwrap_or(0);
    let fits = |scale: &&[Micros; 4]| most <= 2 * scale[3];
    let scale = SCALES.iter().find(fits).unwrap_or(&SCALES[3]);
    let is_unknown = |load: &Load| load.open > 0 && load.business == 0;
    html! {
        div.heat-map data-tells="tr" {
            table.heat {
                caption.aside { "The share of business time offline, by weekday and hour of the day" }
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
                                (cell(locale, WEEKDAYS[day], hour, load, scale, (day, hour) == (0, 0)))
                            }
                        }
                    }
                }
            }
            (controls::told())
        }
        (legend(locale, scale, cells.iter().flatten().any(is_unknown)))
    }
}

/// The shade of a share: none, then one of five.
fn shade(share: Micros, scale: &[Micros; 4]) -> usize {
    match share {
        0 => 0,
        share => 1 + scale.iter().take_while(|end| share > **end).count(),
    }
}

fn cell(locale: Locale, day: &str, hour: i64, load: &Load, scale: &[Micros; 4], is_first: bool) -> Markup {
    let span = locale.span(hour * HOUR, (hour + 1) * HOUR);
    let (class, words) = match load.share() {
        None if load.open == 0 => ("closed".to_owned(), "no business time".to_owned()),
        None => ("unknown".to_owned(), "unknown".to_owned()),
        Some(share) => {
            let (told, open) = (locale.share(Some(share)), locale.hours(load.business));
            let words = match load.downtime {
                0 => format!("none offline of {open} open"),
                down => format!("{told} offline, {} of {open} open", locale.hours(down)),
            };
            (format!("shade-{}", shade(share.hundredths, scale)), words)
        }
    };
    let words = format!("{day} {span}: {words}");
    // The script lets arrow keys move on from the first cell.
    html! {
        td class=(class) {
            span.piece role="img" aria-label=(words) title=(words) tabindex=[is_first.then_some("0")] {}
        }
    }
}

fn legend(locale: Locale, scale: &[Micros; 4], has_unknown: bool) -> Markup {
    let tenths = |hundredths: Micros| locale.tenths(hundredths / 10);
    html! {
        ul.legend.heat-legend {
            li { span.swatch.shade-0 {} "none" }
            li { span.swatch.shade-1 {} "up to " (tenths(scale[0])) " %" }
            @for (number, ends) in scale.windows(2).enumerate() {
                li { span.swatch.{"shade-" (number + 2)} {} (tenths(ends[0])) "–" (tenths(ends[1])) " %" }
            }
            li { span.swatch.shade-5 {} "more" }
            li { span.swatch.closed {} "no business time" }
            @if has_unknown { li { span.swatch.unknown {} "unknown" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_never_white_and_the_ends_of_a_shade_belong_to_it() {
        let scale = &SCALES[1];
        assert_eq!(
            [0, 1, 100, 101, 1_000, 1_001, 10_000].map(|share| shade(share, scale)),
            [0, 1, 1, 2, 4, 5, 5]
        );
    }
}
