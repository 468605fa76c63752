//! A store's hours in words: the week that holds, one that comes or went lately, and the special days near.

use maud::{Markup, html};

use super::phrases::{self, WEEKDAYS};
use crate::db::special_hours::SpecialRow;
use crate::http::query::StoreView;
use crate::phrases::locale::Locale;
use crate::uptime::business_hours::Pattern;
use crate::uptime::calendar::{LocalDate, Version};
use crate::uptime::interval::DAY;

/// How many days a change of hours or a special day is told before it, and after it.
const DAYS_BEFORE: LocalDate = 30;
const DAYS_AFTER: LocalDate = 7;

/// Whether a date is near today.
fn is_near(date: LocalDate, today: LocalDate) -> bool {
    (today - DAYS_AFTER..=today + DAYS_BEFORE).contains(&date)
}

/// The weeks that come soon or went lately: `; from Sun 8 Nov: 9:00–17:00 every day`.
pub(super) fn changes(pattern: &Pattern, today: LocalDate, locale: Locale) -> Markup {
    let pairs = pattern.calendar.versions.windows(2);
    let near = pairs.filter_map(|pair| Some((pair[1].valid_from.filter(|&date| is_near(date, today))?, pair)));
    html! {
        @for (date, pair) in near {
            @if date > today { "; from " (phrases::date(date)) ": " (week(&pair[1], locale)) }
            @else { "; until " (phrases::date(date - 1)) ": " (week(&pair[0], locale)) }
        }
    }
}

/// The special days near: `Thu 26 Nov: closed (Thanksgiving)`.
pub(super) fn special_days(shown: &StoreView, locale: Locale) -> Markup {
    let today = shown.standing.zone.wall(shown.standing.question.as_of).div_euclid(DAY);
    let near = shown.special_days.iter().filter(|(date, _)| is_near(**date, today));
    let near: Vec<String> = near
        .map(|(&date, rows)| format!("{}: {}", phrases::date(date), words(rows, locale)))
        .collect();
    html! { @if !near.is_empty() { p.lead.special { "Special days: " (near.join("; ")) } } }
}

/// The mark of a special day beside its bar.
pub(super) fn mark(shown: &StoreView, date: LocalDate, locale: Locale) -> Markup {
    html! {
        @if let Some(rows) = shown.special_days.get(&date) { span.changed { (words(rows, locale)) } }
    }
}

/// The hours and the reasons of a special day.
fn words(rows: &[SpecialRow], locale: Locale) -> String {
    let mut hours: Vec<String> = rows
        .iter()
        .filter_map(|row| row.times_us_local)
        .map(|[start, end]| locale.span(start, end))
        .collect();
    hours.dedup();
    let mut reasons: Vec<&str> = rows
        .iter()
        .map(|row| row.reason.as_str())
        .filter(|reason| !reason.is_empty())
        .collect();
    reasons.dedup();
    let hours = if hours.is_empty() {
        "closed".to_owned()
    } else {
        hours.join(" and ")
    };
    match reasons.as_slice() {
        [] => hours,
        reasons => format!("{hours} ({})", reasons.join(", ")),
    }
}

/// The week that holds on `date` in short form: `Mon–Fri 11:00–23:00, Sat closed`.
pub(super) fn on(pattern: &Pattern, date: LocalDate, locale: Locale) -> String {
    let version = pattern.calendar.version_on(date);
    version.map_or_else(|| "always open".to_owned(), |version| week(version, locale))
}

fn week(version: &Version, locale: Locale) -> String {
    let of_day = |day: usize| {
        let rows = version.rows.iter().filter(|row| usize::from(row.weekday) == day);
        let told: Vec<String> = rows
            .filter_map(|row| {
                // Some sources write a midnight as the second before it.
                Some(match row.times_us_local? {
                    [0, end] if end == 0 || end > DAY - 60_000_001 => "24 hours".to_owned(),
                    [start, end] => locale.span(start, end),
                })
            })
            .collect();
        if told.is_empty() {
            "closed".to_owned()
        } else {
            told.join(" and ")
        }
    };
    let days: Vec<(usize, String)> = (0..7).map(|day| (day, of_day(day))).collect();
    let runs = days.chunk_by(|(_, a), (_, b)| a == b);
    let told: Vec<String> = runs
        .map(|run| {
            let (first, last) = (run[0].0, run[run.len() - 1].0);
            let hours = &run[0].1;
            match run.len() {
                7 => format!("{hours} every day"),
                1 => format!("{} {hours}", WEEKDAYS[first]),
                _ => format!("{}–{} {hours}", WEEKDAYS[first], WEEKDAYS[last]),
            }
        })
        .collect();
    match told.as_slice() {
        [all] if all == "24 hours every day" => "always open".to_owned(),
        told => told.join(", "),
    }
}
