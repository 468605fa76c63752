//! The tables of a statement: a row a bucket, each with a bar of its open hours.

use maud::{Markup, html};

use super::layout::Frame;
use super::phrases;
use crate::civil;
use crate::http::statement_rows::{Column, Row};
use crate::uptime::interval::Micros;
use crate::uptime::store_state::StoreState;

/// The width and the height of a bar, in its own units.
const BAR: (Micros, i32) = (1000, 14);

/// A table of rows; `head` names each, `total` is their sum.
pub(super) fn table(
    frame: &Frame,
    title: &str,
    rows: &[Row],
    total: Option<&Row>,
    head: &dyn Fn(&Row) -> Markup,
) -> Markup {
    let has_lost = rows.iter().any(|row| !row.figure(Column::Lost).is_empty());
    let longest = rows.iter().filter_map(|row| row.length(Column::Business)).max();
    let longest = longest.unwrap_or(1).max(1);
    html! {
        table.rows.buckets {
            thead { tr {
                th scope="col" { (title) }
                th.number.least[has_lost] scope="col" { "Online" }
                th.number scope="col" { "Offline" }
                th.number.least scope="col" { "Open" }
                th.number.least scope="col" { "Covered" }
                th.number.least scope="col" { "Incidents" }
                @if has_lost { th.number scope="col" { "Lost sales" } }
            } }
            tbody { @for row in rows { (line(frame, row, &head(row), longest, has_lost)) } }
            @if let Some(total) = total {
                tfoot { (line(frame, total, &html! { "Together" }, 0, has_lost)) }
            }
        }
    }
}

fn line(frame: &Frame, row: &Row, head: &Markup, longest: Micros, has_lost: bool) -> Markup {
    let locale = frame.locale();
    let downtime = row.length(Column::Downtime);
    let is_closed = row.number(Column::Business) == Some(0);
    let bounds = (row.length(Column::Least), row.length(Column::Most));
    html! {
        tr {
            th scope="row" {
                div.bucket {
                    span { (head) }
                    @if longest > 0 { (bar(row, longest)) }
                    @if has_lost && !is_closed && downtime.is_some() {
                        span.part.phone { (locale.share(row.share(Column::Online))) " online" }
                    }
                }
            }
            td.number.least[has_lost] {
                @if is_closed { "closed" }
                @else if downtime.is_none() { (phrases::marked(StoreState::NotSure, &html! { "unknown" })) }
                @else { (locale.share(row.share(Column::Online))) }
            }
            td.number {
                @match downtime {
                    _ if is_closed => { "–" }
                    None => { "unknown" }
                    Some(downtime) => {
                        data value=(row.figure(Column::Downtime)) { (locale.hours(downtime)) }
                        @if let (Some(least), Some(most)) = bounds {
                            @if (least, most) != (downtime, downtime) {
                                span.part {
                                    data value=(row.figure(Column::Least)) { (locale.hours(least)) } "–"
                                    data value=(row.figure(Column::Most)) { (locale.hours(most)) }
                                }
                            }
                        }
                    }
                }
            }
            td.number.least { (locale.hours(row.length(Column::Business).unwrap_or(0))) }
            td.number.least { (locale.share(row.share(Column::Covered))) }
            td.number.least { @match row.number(Column::Incidents) { Some(count) => { (count) } None => { "–" } } }
            @if has_lost { td.number { @if is_closed { "–" } @else { (lost(frame, row)) } } }
        }
    }
}

fn lost(frame: &Frame, row: &Row) -> Markup {
    let amounts = [Column::LostLeast, Column::Lost, Column::LostMost].map(|column| row.number(column));
    html! {
        @match amounts {
            [Some(least), Some(lost), Some(most)] => {
                data value=(row.figure(Column::Lost)) { (frame.money(lost)) }
                @if (least, most) != (lost, lost) {
                    span.part { span.whole { (frame.money(least)) } "–" span.whole { (frame.money(most)) } }
                }
            }
            _ => { "–" }
        }
    }
}

/// The open hours of a bucket, as a part of the longest one's: online, then offline; hatched where nothing is known.
fn bar(row: &Row, longest: Micros) -> Markup {
    let (width, height) = BAR;
    let part = |length: Micros| (i128::from(length) * i128::from(width) / i128::from(longest)).to_string();
    let business = row.length(Column::Business).unwrap_or(0);
    html! {
        svg.timeline width="100%" height=(height) viewBox={"0 0 " (width) " " (height)} preserveAspectRatio="none"
            aria-hidden="true" {
            @match (row.length(Column::Uptime), row.length(Column::Downtime)) {
                (Some(uptime), Some(downtime)) => {
                    rect.online width=(part(uptime)) height=(height) {}
                    rect.offline x=(part(uptime)) width=(part(downtime)) height=(height) {}
                }
                _ => {
                    rect.unknown width=(part(business)) height=(height) {}
                    rect width=(part(business)) height=(height) fill="url(#hatch-unknown)" {}
                }
            }
        }
    }
}

/// A bucket's name for people: `Sat 31 Oct`, `October 2026`; an ISO week, or both dates, as they are.
pub(super) fn period_words(name: &str) -> String {
    match civil::parse_day(name) {
        Ok(date) => phrases::date(date),
        Err(_) => match civil::parse_day(&format!("{name}-01")) {
            Ok(first) => phrases::month_and_year(first),
            Err(_) => name.replace('/', " – ").replace("-W", " week "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_named_for_people() {
        let names = ["2026-10-31", "2026-10", "2026-W44", "2026-10-01/2026-10-31"].map(period_words);
        assert_eq!(
            names,
            ["Sat 31 Oct", "October 2026", "2026 week 44", "2026-10-01 – 2026-10-31"]
        );
    }
}
