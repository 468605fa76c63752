//! Bounds: how sure a downtime is, and what it cost, in words.

use maud::{Markup, html};

use super::layout::Frame;
use crate::phrases::locale::Locale;
use crate::uptime::certainty::Certainty;
use crate::uptime::hundredths::format as amount;
use crate::uptime::interval::Micros;
use crate::uptime::lost_sales::LostSales;
use crate::uptime::row::hours;

/// `at least 8 h 6 min, at most 10 h 7 min`; nothing where the words would repeat `downtime`.
pub(super) fn bounds(locale: Locale, downtime: Micros, certainty: Certainty) -> Option<Markup> {
    let (least, most) = (certainty.least(), certainty.most());
    let differs = |bound: Micros| locale.hours(bound) != locale.hours(downtime);
    (differs(least) || differs(most)).then(|| {
        html! {
            @if least > 0 { "at least " data.at-least value=(hours(least)) { (locale.hours(least)) } ", " }
            "at most " data.at-most value=(hours(most)) { (locale.hours(most)) }
        }
    })
}

/// Lost sales with their bounds: `$1,094.54 (at least $976.05, at most $1,219.08)`; none where nothing can be lost.
pub(super) fn lost(frame: &Frame, lost: LostSales) -> Option<Markup> {
    let [least, number, most] = lost.hundredths();
    let money = |hundredths: i64| html! { data.lost value=(amount(hundredths)) { (frame.money(hundredths)) } };
    (most > 0).then(|| {
        html! {
            (money(number))
            @if least != number || most != number {
                " ("
                @if least > 0 { "at least " (money(least)) ", " }
                "at most " (money(most)) ")"
            }
        }
    })
}

/// The same in a cell of a table: the number, and its range below; a dash where the sales or the downtime are unknown.
pub(super) fn lost_cell(frame: &Frame, lost: Option<LostSales>) -> Markup {
    let Some([least, number, most]) = lost.map(LostSales::hundredths) else {
        return html! { "–" };
    };
    html! {
        data.lost value=(amount(number)) { (frame.money(number)) }
        @if least != number || most != number {
            span.part { (range(frame, [least, most])) }
        }
    }
}

/// The same in few words, for a narrow cell: `lost $1,094.54 ($976.05–$1,219.08)`; none where nothing can be lost.
pub(super) fn lost_short(frame: &Frame, lost: LostSales) -> Option<Markup> {
    let [least, number, most] = lost.hundredths();
    (most > 0).then(|| {
        html! {
            "lost " data.lost value=(amount(number)) { (frame.money(number)) }
            @if least != number || most != number { " (" (range(frame, [least, most])) ")" }
        }
    })
}

/// The least and the most of an amount.
fn range(frame: &Frame, [least, most]: [i64; 2]) -> String {
    format!("{}–{}", frame.money(least), frame.money(most))
}

/// The formula of one store's lost sales: `downtime × $120.50 an hour`.
pub(super) fn formula(frame: &Frame, rate: i64) -> String {
    format!("downtime × {} an hour", frame.money(rate))
}
