//! The age of a page's numbers in words: *now*, or the instant that they are of, and a notice where polls ended.

use chrono_tz::Tz;
use maud::{Markup, html};

use super::phrases::{self, Wall};
use crate::phrases::locale::Locale;
use crate::uptime::freshness::Freshness;

/// `now`, or `as of Sat 7 Nov, 15:05` by the clock of `zone`.
pub fn when(freshness: &Freshness, zone: Tz, locale: Locale) -> Markup {
    if freshness.is_live() {
        return html! { "now" };
    }
    let table = phrases::zone_near(zone, freshness.as_of);
    html! { "as of " (Wall::new(&table, locale).stamp(freshness.as_of)) }
}

/// The sentence above the numbers if polls ended before the wanted instant.
pub fn notice(freshness: &Freshness, zone: Tz, locale: Locale) -> Markup {
    let since = |at| {
        let table = phrases::zone_near(zone, at);
        html! { "No checks since " (Wall::new(&table, locale).brief(at)) ". " }
    };
    html! {
        @if freshness.is_stale() {
            p.notice role="status" {
                span.mark aria-hidden="true" {}
                @match freshness.newest_poll {
                    Some(newest) if newest == freshness.as_of => { (since(newest)) "Numbers below are as of then." }
                    Some(newest) => { (since(newest)) "What came after is unknown." }
                    None => { "No checks yet. Nothing is known." }
                }
            }
        }
    }
}
