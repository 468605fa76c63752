//! A timeline bar: one local day of a store as a bar from 00 to 24, with its polls as ticks.
//!
//! Positions are per cents and heights are pixels, so text and hatching keep their size at any width.

use maud::{Markup, html};

use crate::phrases::locale::Locale;
use crate::uptime::interval::{HOUR, Interval, Micros, SECOND};
use crate::uptime::poll::Poll;
use crate::uptime::segment::{Condition, Segment};

/// The height of a bar above its ticks.
const HEIGHT: i32 = 34;

/// With more polls than this in a bar, one tick stands for a few minutes.
const TICKS_MAX: usize = 300;

/// A piece of a segment within one bar.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The segment, cut to the day.
    pub segment: Segment,
    /// Its condition and the reason, in words.
    pub words: String,
    /// The link to its row on the page, if it has one.
    pub anchor: Option<String>,
}

/// With more pieces than this, a bar is drawn in steps, unless each piece can be focused.
const BARS_MAX: usize = 100;

/// How many steps such a bar has: five minutes each on most days.
const STEPS: Micros = 288;

/// The part of `whole` before `at`, as a per cent for a drawing.
pub fn per_cent(at: Micros, whole: Interval) -> String {
    let thousandths = (at - whole.start).clamp(0, whole.length()) * 100_000 / whole.length().max(1);
    format!("{}.{:03}%", thousandths / 1000, thousandths % 1000)
}

/// The width of `part` in `whole`.
pub fn width(part: Interval, whole: Interval) -> String {
    per_cent(whole.start + part.intersection(whole).length(), whole)
}

/// A day as a bar, with a mark at `as_of` if the day goes on after it; a screen reader says `name`. If `reachable`,
/// each piece can be focused; otherwise the bar is one picture.
pub fn bar(day: Interval, as_of: Micros, pieces: &[Piece], polls: &[Poll], name: &str, reachable: bool) -> Markup {
    let inside: Vec<Poll> = polls.iter().filter(|poll| day.contains(poll.at())).copied().collect();
    html! {
        svg.timeline width="100%" height=(HEIGHT + 12) role=(if reachable { "group" } else { "img" })
            aria-label=(name) data-polls=(inside.len()) {
            @if !reachable && pieces.len() > BARS_MAX { (coarse(day, pieces)) }
            @else { @for piece in pieces {
                @if reachable {
                    a.piece href=[piece.anchor.as_ref().map(|anchor| format!("#{anchor}"))]
                        aria-label=(piece.words) tabindex="0"
                        data-us=(piece.segment.stretch.length())
                        data-state=(piece.segment.condition.as_str()) {
                        title { (piece.words) }
                        (draw(day, &piece.segment))
                        @if piece.segment.condition == Condition::Closed { (reach(day, piece.segment.stretch)) }
                    }
                } @else {
                    (draw(day, &piece.segment))
                }
            } }
            (ticks(day, &inside))
            @if as_of < day.end && day.contains(as_of) { (mark(per_cent(as_of, day), 0)) }
        }
    }
}

/// The words of the mark at the instant `at`, above the bar of a day.
pub fn mark_words(day: Interval, at: Micros, words: &str) -> Markup {
    let x = per_cent(at, day);
    let late = 4 * (at - day.start) > 3 * day.length();
    html! {
        svg.now width="100%" height="42" aria-hidden="true" {
            line x1=(x) x2=(x) y1="-14" y2="0" {}
            text x=(x) y="-5" dx=(if late { "-5" } else { "5" }) text-anchor=(if late { "end" } else { "start" }) { (words) }
        }
    }
}

/// The mark of the instant that the page is of: what lies behind it is not closed, it has not been yet.
fn mark(x: impl maud::Render, y: i32) -> Markup {
    html! { line.now x1=(x) x2=(x) y1=(y) y2=(HEIGHT) {} }
}

/// A closed piece is thin, so its link is larger than it looks: a finger needs 24 pixels.
fn reach(day: Interval, stretch: Interval) -> Markup {
    html! {
        rect.reach x=(per_cent(stretch.start, day)) y="3" width=(width(stretch, day)) height="28" {}
    }
}

/// One segment: offline is taller, and closed is thin. Colour is kept for what somebody saw: time far from any poll
/// has a neutral hatch.
fn draw(day: Interval, segment: &Segment) -> Markup {
    let (top, height) = height(segment.condition);
    let (x, width) = (per_cent(segment.stretch.start, day), width(segment.stretch, day));
    let class = if segment.seen {
        segment.condition
    } else {
        Condition::Unknown
    };
    html! {
        rect.{(class.as_str())} x=(x) y=(top) width=(width) height=(height) {}
        @if !segment.seen {
            rect x=(x) y=(top) width=(width) height=(height) fill="url(#hatch-unknown)" {}
        }
    }
}

/// The top and the height of a condition.
const fn height(condition: Condition) -> (i32, i32) {
    match condition {
        Condition::Offline => (0, 34),
        Condition::Closed => (13, 8),
        Condition::Online | Condition::Unknown => (4, 26),
    }
}

/// A timeline bar in steps: each step has the condition at its start, and each condition is one path.
fn coarse(day: Interval, pieces: &[Piece]) -> Markup {
    let step = (day.length() / STEPS).max(1);
    let at = |number: Micros| {
        let at = day.start + number * step;
        let next = pieces.partition_point(|piece| piece.segment.stretch.end <= at);
        let piece = pieces.get(next).map(|piece| &piece.segment);
        let here = piece.filter(|segment| segment.stretch.contains(at));
        here.map(|segment| {
            if segment.seen {
                segment.condition
            } else {
                Condition::Unknown
            }
        })
    };
    let steps: Vec<_> = (0..STEPS).map(at).collect();
    let path = |wanted: Condition| {
        let (top, height) = height(wanted);
        let mut path = String::new();
        let mut start = 0;
        for run in steps.chunk_by(|a, b| a == b) {
            let width = run.len();
            if run.first() == Some(&Some(wanted)) {
                path += &format!("M{start} {top}h{width}v{height}h-{width}z");
            }
            start += width;
        }
        path
    };
    let conditions = [
        Condition::Online,
        Condition::Offline,
        Condition::Closed,
        Condition::Unknown,
    ];
    html! {
        svg x="0" y="0" width="100%" height=(HEIGHT) viewBox={"0 0 " (STEPS) " " (HEIGHT)} preserveAspectRatio="none" {
            @for condition in conditions { path.{(condition.as_str())} d=(path(condition)) {} }
        }
    }
}

/// A tick for each poll: short for an active one, long for an inactive one.
fn ticks(day: Interval, polls: &[Poll]) -> Markup {
    let seconds = day.length() / SECOND;
    // Where polls are less than a pixel apart, one tick is drawn for several.
    let grain = if polls.len() > TICKS_MAX { 180 } else { 1 };
    let path = |active: bool| {
        let mut path = String::new();
        let mut last = None;
        for poll in polls.iter().filter(|poll| poll.is_active() == active) {
            let second = (poll.at() - day.start) / SECOND / grain * grain;
            if last != Some(second) {
                let height = if active { 5 } else { 9 };
                path += &format!("M{second} 0v{height}");
                last = Some(second);
            }
        }
        path
    };
    html! {
        svg x="0" y=(HEIGHT + 1) width="100%" height="10" viewBox={"0 0 " (seconds) " 10"} preserveAspectRatio="none" aria-hidden="true" {
            path.tick.active d=(path(true)) {}
            path.tick.inactive d=(path(false)) {}
        }
    }
}

/// The hours above the bars of ordinary days.
pub fn hours(locale: Locale) -> Markup {
    let day = Interval::new(0, 24 * HOUR);
    hours_at(locale, day, |hour| hour * HOUR)
}

/// The hours above a bar on which clocks change: `at` is the instant of an hour by the wall clock.
pub fn hours_at(locale: Locale, day: Interval, at: impl Fn(Micros) -> Micros) -> Markup {
    let hours = (0..=24).step_by(3);
    html! {
        svg.hours width="100%" height="18" aria-hidden="true" {
            @for hour in hours {
                @let anchor = match hour { 0 => "start", 24 => "end", _ => "middle" };
                text x=(per_cent(at(hour), day)) y="13" text-anchor=(anchor) { (locale.hour(hour)) }
            }
        }
    }
}

/// The meaning of colours, heights, hatchings and the mark.
pub fn legend(mark_words: &str) -> Markup {
    let swatch = |condition: Condition, seen: bool| {
        let day = Interval::new(0, HOUR);
        let segment = Segment {
            stretch: day,
            condition,
            seen,
        };
        html! { svg width="22" height=(HEIGHT) aria-hidden="true" { (draw(day, &segment)) } }
    };
    html! {
        ul.legend {
            li { (swatch(Condition::Online, true)) "online" }
            li { (swatch(Condition::Offline, true)) "offline (taller)" }
            li { (swatch(Condition::Closed, true)) "closed (thin)" }
            li { (swatch(Condition::Unknown, false)) "nobody checked within an hour" }
            li { svg.timeline width="8" height=(HEIGHT) aria-hidden="true" { (mark(4, 0)) } (mark_words) }
            li { (sample_ticks()) "a check (long: offline)" }
        }
    }
}

fn sample_ticks() -> Markup {
    html! {
        svg width="14" height="12" aria-hidden="true" {
            path.tick.active d="M4 1v5" {}
            path.tick.inactive d="M10 1v9" {}
        }
    }
}
