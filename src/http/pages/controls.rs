//! The controls that several pages share: the owner, the instant, and the rule that fills gaps between polls.

use chrono_tz::Tz;
use maud::{Markup, html};

use super::layout::Frame;
use super::phrases;
use crate::http::page_query::{self, LOCAL};
use crate::uptime::timeline::Interpolation;

/// How many owners the field of the owner suggests; any other can be typed.
const OWNERS_LISTED_MAX: usize = 200;

/// The controls for the owner and the instant of the page `path`, folded. `zone` is the zone of their times.
pub fn choices(frame: &Frame, path: &str, owners: Option<&[&str]>, zone: Tz) -> Markup {
    let query = frame.query();
    html! {
        details.choices.screen {
            summary {
                @if owners.is_some_and(|owners| !owners.is_empty()) {
                    (query.group.as_deref().unwrap_or("All owners")) " · "
                }
                @match query.as_of {
                    Some(as_of) => { "as of " (frame.instant(as_of)) }
                    None => { "as of the newest check" }
                }
            }
            form.filters action=(path) method="get" {
                @if let Some(owners) = owners { (owner(frame, owners)) }
                (instant(frame, zone))
                (rest(frame, owners.is_some()))
                button.primary type="submit" { "Show" }
            }
        }
    }
}

/// The field of the owner, with suggestions; empty for all.
pub fn owner(frame: &Frame, owners: &[&str]) -> Markup {
    html! {
        @if !owners.is_empty() {
            div {
                label for="group" { "Owner" }
                input #group type="search" name="group" list="owners" value=[frame.query().group.as_deref()]
                    placeholder="All owners" autocomplete="off";
                datalist #owners { @for owner in owners.iter().take(OWNERS_LISTED_MAX) { option value=(owner) {} } }
            }
        }
    }
}

/// The field of the instant by the clock of `zone`; empty for the newest.
pub fn instant(frame: &Frame, zone: Tz) -> Markup {
    let value = frame.query().as_of.map(|as_of| page_query::local(as_of, zone));
    // With seconds in its value, a control that steps by minutes refuses the form.
    let step = value
        .as_ref()
        .filter(|value| value.len() > "2026-11-07T15:05".len())
        .map(|_| "1");
    html! {
        div.instant {
            label for="as_of" title="Empty for the newest" { "As of, " (phrases::city(zone)) " time" }
            input #as_of type="datetime-local" name=(LOCAL) value=[value] step=[step];
        }
    }
}

/// The other fields of the page's query, hidden: the rule, the exact instant, and the owner unless the form has it.
pub fn rest(frame: &Frame, has_owner: bool) -> Markup {
    let fields = frame.query().fields().into_iter();
    html! {
        @for (name, value) in fields.filter(|(name, _)| !has_owner || *name != "group") {
            input type="hidden" name=(name) value=(value);
        }
    }
}

/// The links to both rules that fill the gaps between polls.
pub fn rules(frame: &Frame, rule: Interpolation) -> Markup {
    html! {
        p.rules.screen {
            "Fill gaps with: "
            @for (number, other) in Interpolation::ALL.into_iter().enumerate() {
                @if number > 0 { " · " }
                a href=(frame.here(&frame.query().by(other))) aria-current=[(other == rule).then_some("true")] {
                    (rule_words(other))
                }
            }
        }
    }
}

/// Where the script explains a piece of a chart, inside an element with `data-tells`. A screen reader reads the label
/// of the focused piece.
pub fn told() -> Markup {
    html! { output.told hidden aria-hidden="true" {} }
}

/// A rule in words.
pub const fn rule_words(rule: Interpolation) -> &'static str {
    match rule {
        Interpolation::Nearest => "closest check",
        Interpolation::Previous => "last check",
    }
}
