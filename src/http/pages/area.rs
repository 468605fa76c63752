//! The area chart: how many stores were open, and how many of them offline, hour by hour. Poller outages are hatched,
//! and events of the whole fleet are marked.

use maud::{Markup, html};

use super::phrases::{self, Wall};
use super::timeline_bar::{per_cent, width};
use crate::phrases::locale::Locale;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::fleet_event::FleetEvent;
use crate::uptime::interval::{HOUR, Interval, Intervals, Micros};
use crate::uptime::load::Load;

const HEIGHT: Micros = 150;
const TOP: Micros = 18;

/// The marks of a chart: when the poller was out, and when most of the fleet was offline at once.
pub struct Marks<'a> {
    /// The poller's outages.
    pub outages: &'a Intervals,
    /// The events of the whole fleet.
    pub events: &'a [FleetEvent],
}

/// The chart of `week`, whose hours are `loads`; days are those of `zone`.
pub fn chart(locale: Locale, week: Interval, loads: &[Load], marks: &Marks<'_>, zone: &ZoneTable) -> Markup {
    let most = loads.iter().map(|load| load.open).max().unwrap_or(0);
    let top = ceiling((most + HOUR - 1) / HOUR);
    let y = |stores: Micros| TOP + HEIGHT - stores * HEIGHT / top;
    let wall = Wall::new(zone, locale);
    let outages = marks.outages.clip(week);
    let summary = summary(locale, week, loads, &wall);
    html! {
        div.chart {
            svg.area width="100%" height=(TOP + HEIGHT + 22) role="img" aria-label=(summary) {
                @for half in 0..=2 {
                    line.grid x1="0" x2="100%" y1=(y(top * half / 2)) y2=(y(top * half / 2)) {}
                }
                @let view_box = format!("0 0 {} {HEIGHT}", loads.len());
                svg x="0" y=(TOP) width="100%" height=(HEIGHT) viewBox=(view_box) preserveAspectRatio="none" {
                    path.open d=(path(loads, top, |load| load.open)) {}
                    path.unknown d=(path(loads, top, |load| load.open)) fill="url(#hatch-unknown)" {}
                    path.known d=(path(loads, top, |load| load.business)) {}
                    path.fill d=(path(loads, top, |load| load.downtime)) {}
                }
                @for event in marks.events {
                    @let shown = event.stretch.intersection(week);
                    @let x = per_cent(shown.start, week);
                    rect.event x=(x) y=(TOP - 4) width=(width(shown, week)) height=(HEIGHT + 4) {}
                    text.event x=(x) y=(TOP - 7) { (locale.share(Some(event.share))) }
                }
                @for outage in outages.as_slice() {
                    @let x = per_cent(outage.start, week);
                    rect.outage x=(x) y=(TOP) width=(width(*outage, week)) height=(HEIGHT) fill="url(#hatch-outage)" {}
                    text x=(x) y=(TOP - 5) { "no checks" }
                }
                @for (start, load) in hours(week, loads) {
                    @let span = wall.span(Interval::new(start, start + HOUR));
                    rect.hover x=(per_cent(start, week)) y=(TOP) width="0.595%" height=(HEIGHT) {
                        title { (wall.date(start)) " " (span) ": " (words(locale, load)) }
                    }
                }
                @for (number, (date, day)) in zone.days(week).into_iter().enumerate() {
                    @let shown = day.intersection(week);
                    @let x = per_cent(shown.start, week);
                    line.grid x1=(x) x2=(x) y1=(TOP + HEIGHT) y2=(TOP + HEIGHT + 4) {}
                    @if shown.length() > 9 * HOUR {
                        @let middle = per_cent(shown.start + shown.length() / 2, week);
                        text.alternate[number % 2 == 0] x=(middle) y=(TOP + HEIGHT + 17) text-anchor="middle" {
                            (phrases::day(date))
                        }
                    }
                }
            }
            svg.scale width="100%" height=(TOP + HEIGHT + 22) aria-hidden="true" {
                @for half in 0..=2 {
                    text x="0" y=(y(top * half / 2) + 4) { (locale.count(usize::try_from(top * half / 2).unwrap_or(0))) }
                }
            }
        }
        ul.legend {
            li { (swatch("known")) "stores open" }
            li { (swatch("fill")) "of these offline" }
            @if loads.iter().any(|load| load.business < load.open) {
                li {
                    svg.swatch width="14" height="12" aria-hidden="true" {
                        rect.open width="14" height="12" {}
                        rect width="14" height="12" fill="url(#hatch-unknown)" {}
                    }
                    "open, unknown whether online"
                }
            }
        }
    }
}

fn swatch(class: &str) -> Markup {
    html! { svg.swatch.area width="14" height="12" aria-hidden="true" { rect.(class) width="14" height="12" {} } }
}

/// The start of each hour, and its load.
fn hours(week: Interval, loads: &[Load]) -> impl Iterator<Item = (Micros, &Load)> {
    let starts = (0..).map(move |number| week.start + number * HOUR);
    starts.zip(loads)
}

/// An hour in words: `12.4 of 61 open stores offline (20.3 %)`, on average over the hour.
fn words(locale: Locale, load: &Load) -> String {
    match load.share() {
        None if load.open == 0 => "no store was open".to_owned(),
        None => "unknown".to_owned(),
        Some(share) => format!(
            "{} of {} open stores offline ({})",
            stores(locale, load.downtime),
            stores(locale, load.business),
            locale.share(Some(share))
        ),
    }
}

/// How many stores business time in an hour is, on average over the hour: `12.4`.
fn stores(locale: Locale, sum: Micros) -> String {
    let tenths = (sum * 10 + HOUR / 2) / HOUR;
    // Something is never told as nothing.
    locale.tenths(if sum > 0 { tenths.max(1) } else { 0 })
}

/// The same hours as a table.
pub fn table(locale: Locale, week: Interval, loads: &[Load], zone: &ZoneTable) -> Markup {
    let wall = Wall::new(zone, locale);
    html! {
        details.pieces {
            summary { "Show as a table" }
            table.rows {
                thead { tr {
                    th scope="col" { "From" }
                    th.number scope="col" { "Offline" }
                    th.number scope="col" { "Of open stores" }
                    th.number scope="col" { "Share" }
                } }
                tbody {
                    @for (start, load) in hours(week, loads) {
                        tr {
                            td { (wall.date(start)) ", " (wall.time(start)) }
                            @match load.share() {
                                None if load.open == 0 => { td.number colspan="3" { "closed" } }
                                None => { td.number colspan="3" { "unknown" } }
                                Some(share) => {
                                    td.number { (stores(locale, load.downtime)) }
                                    td.number { (stores(locale, load.business)) }
                                    td.number { (locale.share(Some(share))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The next round number at or above `most`.
fn ceiling(most: Micros) -> Micros {
    let mut unit = 1;
    loop {
        for step in [2, 4, 6, 8, 10] {
            if step * unit >= most {
                return step * unit;
            }
        }
        unit *= 10;
    }
}

/// Steps from hour to hour, in pixels of the chart; an hour of zero leaves a gap.
fn path(loads: &[Load], top: Micros, value: impl Fn(&Load) -> Micros) -> String {
    let mut path = String::new();
    let mut last = 0;
    for (hour, load) in loads.iter().enumerate() {
        let value = value(load);
        // Something is never drawn as nothing.
        let height = (value * HEIGHT * 2 / (top * HOUR) + 1) / 2;
        let height = if value > 0 { height.max(1) } else { 0 };
        match (last, height) {
            (0, 0) => {}
            (0, height) => path += &format!("M{hour} {HEIGHT}V{}h1", HEIGHT - height),
            (_, 0) => path += &format!("V{HEIGHT}z"),
            (last, height) if last == height => path += "h1",
            (_, height) => path += &format!("V{}h1", HEIGHT - height),
        }
        last = height;
    }
    if last > 0 {
        path += &format!("V{HEIGHT}z");
    }
    path
}

fn summary(locale: Locale, week: Interval, loads: &[Load], wall: &Wall<'_>) -> String {
    let worst = hours(week, loads).filter_map(|(start, load)| Some((load.share()?, start, load)));
    // Of equals, the first.
    let worst = worst.max_by_key(|&(share, start, _)| (share, std::cmp::Reverse(start)));
    let Some((_, start, load)) = worst else {
        return "Nothing is known of this week".to_owned();
    };
    format!(
        "Open stores that were offline, hour by hour. The most were on {} at {}: {}",
        wall.date(start),
        wall.time(start),
        words(locale, load)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_without_stores_leave_a_gap_and_something_is_never_nothing() {
        let load = |stores: Micros| Load {
            open: stores * HOUR,
            ..Load::default()
        };
        let loads = [0, 10, 10, 0, 5].map(load);
        assert_eq!(path(&loads, 10, |load| load.open), "M1 150V0h1h1V150zM4 150V75h1V150z");
        assert_eq!(path(&[load(1)], 14_000, |load| load.open), "M0 150V149h1V150z");
    }

    #[test]
    fn the_scale_ends_at_a_round_number() {
        assert_eq!([0, 2, 3, 63, 1300, 14_000].map(ceiling), [2, 2, 4, 80, 2000, 20_000]);
    }
}
