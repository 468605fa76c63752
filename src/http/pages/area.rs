//! The area chart: the share of open stores that was offline, hour by hour, with poller outages hatched.

use maud::{Markup, html};

use super::phrases::{self, Wall};
use super::timeline_bar::{per_cent, width};
use crate::http::locale::Locale;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::interval::{HOUR, Interval, Intervals, Micros};
use crate::uptime::overview::Load;
use crate::uptime::window::Share;

const HEIGHT: Micros = 150;
const TOP: Micros = 18;

/// The chart of `week`, whose hours are `loads`; days are those of `zone`.
pub fn chart(locale: Locale, week: Interval, loads: &[Load], outages: &Intervals, zone: &ZoneTable) -> Markup {
    let shares: Vec<Option<Share>> = loads
        .iter()
        .map(|load| Share::new(load.downtime, load.business))
        .collect();
    let highest = shares.iter().flatten().map(|share| share.hundredths).max();
    let top = ceiling(highest.unwrap_or(0));
    let y = |hundredths: Micros| TOP + HEIGHT - hundredths * HEIGHT / top;
    let wall = Wall::new(zone, locale);
    let outages = outages.clip(week);
    let middle = |start: Micros| Interval::new(start, start + HOUR);
    html! {
        div.chart {
            svg.area width="100%" height=(TOP + HEIGHT + 22) role="img" aria-label=(summary(locale, week, &shares, &wall)) {
                @for half in 0..=2 {
                    line.grid x1="0" x2="100%" y1=(y(top * half / 2)) y2=(y(top * half / 2)) {}
                }
                svg x="0" y=(TOP) width="100%" height=(HEIGHT) viewBox={"0 0 " (shares.len()) " " (top)} preserveAspectRatio="none" {
                    path.fill d=(path(&shares, top, true)) {}
                    path.edge d=(path(&shares, top, false)) {}
                }
                @for outage in outages.as_slice() {
                    @let x = per_cent(outage.start, week);
                    rect.outage x=(x) y=(TOP) width=(width(*outage, week)) height=(HEIGHT) fill="url(#hatch-outage)" {}
                    text x=(x) y=(TOP - 5) { "poller outage" }
                }
                @for (hour, share) in shares.iter().enumerate() {
                    @let start = week.start + i64::try_from(hour).unwrap_or(0) * HOUR;
                    rect.hover x=(per_cent(start, week)) y=(TOP) width="0.595%" height=(HEIGHT) {
                        title { (wall.date(start)) " " (wall.span(middle(start))) ": " (locale.share(*share)) " offline" }
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
                    text x="0" y=(y(top * half / 2) + 4) { (top * half / 200) " %" }
                }
            }
        }
    }
}

/// The same hours as a table.
pub fn table(locale: Locale, week: Interval, loads: &[Load], zone: &ZoneTable) -> Markup {
    let wall = Wall::new(zone, locale);
    html! {
        details.pieces {
            summary { "Hour by hour as a table" }
            table.rows {
                thead { tr {
                    th scope="col" { "From" }
                    th.number scope="col" { "Offline" }
                    th.number scope="col" { "Of open stores" }
                } }
                tbody {
                    @for (hour, load) in loads.iter().enumerate() {
                        @let start = week.start + i64::try_from(hour).unwrap_or(0) * HOUR;
                        tr {
                            td { (wall.date(start)) ", " (wall.time(start)) }
                            td.number { (locale.hours(load.downtime)) }
                            td.number { (locale.share(Share::new(load.downtime, load.business))) }
                        }
                    }
                }
            }
        }
    }
}

/// The next round per cent at or above `highest`, in hundredths.
fn ceiling(highest: Micros) -> Micros {
    let steps = [200, 400, 1000, 2000, 4000, 6000, 8000];
    steps.into_iter().find(|step| *step >= highest).unwrap_or(10_000)
}

/// Steps from hour to hour; an hour without business time leaves a gap.
fn path(shares: &[Option<Share>], top: Micros, filled: bool) -> String {
    let mut path = String::new();
    let mut up = false;
    for (hour, share) in shares.iter().enumerate() {
        match share {
            Some(share) => {
                let y = top - share.hundredths;
                path += &match (up, filled) {
                    (false, true) => format!("M{hour} {top}V{y}h1"),
                    (false, false) => format!("M{hour} {y}h1"),
                    (true, _) => format!("V{y}h1"),
                };
                up = true;
            }
            None => {
                if up && filled {
                    path += &format!("V{top}z");
                }
                up = false;
            }
        }
    }
    if up && filled {
        path += &format!("V{top}z");
    }
    path
}

fn summary(locale: Locale, week: Interval, shares: &[Option<Share>], wall: &Wall<'_>) -> String {
    let hours = shares.iter().enumerate();
    let worst = hours
        .filter_map(|(hour, share)| Some(((*share)?, hour)))
        .max_by_key(|(share, hour)| (*share, std::cmp::Reverse(*hour)));
    let Some((share, hour)) = worst else {
        return "No store was open".to_owned();
    };
    let start = week.start + i64::try_from(hour).unwrap_or(0) * HOUR;
    format!(
        "The share of open stores that were offline, hour by hour. The highest was {} on {} at {}",
        locale.share(Some(share)),
        wall.date(start),
        wall.time(start)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_without_business_time_leave_a_gap() {
        let share = |part| Share::new(part, 100);
        let shares = [share(0), share(10), None, share(5)];
        assert_eq!(path(&shares, 2000, false), "M0 2000h1V1000h1M3 1500h1");
        assert_eq!(
            path(&shares, 2000, true),
            "M0 2000V2000h1V1000h1V2000zM3 2000V1500h1V2000z"
        );
    }

    #[test]
    fn the_scale_ends_at_a_round_per_cent() {
        assert_eq!([0, 200, 201, 2900, 9000].map(ceiling), [200, 200, 400, 4000, 10_000]);
    }
}
