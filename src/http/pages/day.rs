//! A local day of a store's week: its pieces, the reason for each, and the day as a timeline bar.

use maud::{Markup, html};

use super::phrases::{self, Wall};
use super::timeline_bar::{self, Piece};
use crate::phrases::locale::Locale;
use crate::uptime::interval::{DAY, HOUR, Interval, MINUTE, Micros};
use crate::uptime::poll::Poll;
use crate::uptime::segment::{Condition, Segment};
use crate::uptime::store_status::StoreStatus;
use crate::uptime::timeline::Interpolation;
use crate::uptime::window::Window;

/// How many polls a sentence names.
const POLLS_NAMED_MAX: usize = 4;

/// The longest stretch that is not drawn for itself, if only the lack of a check tells it from its neighbour.
const SLIVER_MAX: Micros = 15 * MINUTE;

/// A local day of a store's week.
pub struct Day {
    /// The date, counted from 1970-01-01.
    pub date: i64,
    /// The whole day.
    pub stretch: Interval,
    /// Its pieces of the week.
    pub pieces: Vec<Piece>,
    /// The day in one sentence, for screen readers.
    pub summary: String,
    /// Business time online; none if checks cover less than half of the day's business time.
    pub online: Option<Micros>,
}

impl Day {
    /// Every local day that the week touches, the oldest first.
    pub fn all(standing: &StoreStatus, locale: Locale) -> Vec<Self> {
        let week = Window::Week.before(standing.question.as_of);
        let days = standing.zone.days(week).into_iter();
        let mut number = 0;
        days.map(|(date, stretch)| Self::new(standing, locale, date, stretch, &mut number))
            .collect()
    }

    /// The local day of the status's instant.
    pub fn last(standing: &StoreStatus, locale: Locale) -> Self {
        let as_of = standing.question.as_of;
        let days = standing.zone.days(Interval::new(as_of - 1, as_of));
        let (date, stretch) = days.last().copied().unwrap_or((0, Interval::new(as_of - DAY, as_of)));
        Self::new(standing, locale, date, stretch, &mut 0)
    }

    fn new(standing: &StoreStatus, locale: Locale, date: i64, stretch: Interval, number: &mut usize) -> Self {
        let mut cuts = Vec::new();
        let mut sums = [0; 4];
        let (mut seen, mut business) = (0, 0);
        let conditions = [
            Condition::Online,
            Condition::Offline,
            Condition::Unknown,
            Condition::Closed,
        ];
        for segment in &standing.segments {
            let cut = Segment {
                stretch: segment.stretch.intersection(stretch),
                ..*segment
            };
            if cut.stretch.is_empty() {
                continue;
            }
            for (sum, condition) in sums.iter_mut().zip(conditions) {
                if condition == segment.condition {
                    *sum += cut.stretch.length();
                }
            }
            if segment.condition != Condition::Closed {
                business += cut.stretch.length();
                seen += if segment.seen { cut.stretch.length() } else { 0 };
            }
            cuts.push(cut);
        }
        let piece = |segment: Segment| {
            *number += 1;
            Piece {
                words: piece_words(standing, locale, date, &segment),
                anchor: Some(format!("piece-{number}")),
                segment,
            }
        };
        let pieces = without_slivers(cuts).into_iter().map(piece).collect();
        let told = conditions.iter().zip(sums).filter(|(_, sum)| *sum > 0);
        let told: Vec<String> = told
            .map(|(condition, sum)| format!("{} {}", condition.as_str(), phrases::length(sum)))
            .collect();
        Self {
            date,
            stretch,
            pieces,
            summary: format!("{}: {}", phrases::date(date), told.join(", ")),
            online: (2 * seen >= business).then_some(sums[0]),
        }
    }
}

/// Joins neighbours of one condition where only a sliver of them was seen, or was not: no eye can tell it from the
/// rest. The numbers and the JSON keep it.
fn without_slivers(segments: Vec<Segment>) -> Vec<Segment> {
    let mut joined: Vec<Segment> = Vec::new();
    for segment in segments {
        let is_sliver = |one: &Segment| one.stretch.length() < SLIVER_MAX;
        match joined.last_mut() {
            Some(last)
                if last.condition == segment.condition
                    && (last.seen == segment.seen || is_sliver(last) || is_sliver(&segment)) =>
            {
                if is_sliver(last) {
                    last.seen = segment.seen;
                }
                last.stretch.end = segment.stretch.end;
            }
            _ => joined.push(segment),
        }
    }
    joined
}

/// The condition of a piece and its reason: the polls in it, or those that it was interpolated from.
fn piece_words(standing: &StoreStatus, locale: Locale, date: i64, piece: &Segment) -> String {
    let wall = Wall::new(&standing.zone, locale);
    let what = format!(
        "{} {}, {}, {}",
        phrases::date(date),
        wall.span(piece.stretch),
        piece.condition.as_str(),
        phrases::length(piece.stretch.length())
    );
    let why = match piece.condition {
        Condition::Closed => "outside business hours".to_owned(),
        Condition::Unknown => "no check counts".to_owned(),
        Condition::Online | Condition::Offline => why(standing, &wall, piece),
    };
    format!("{what}: {why}")
}

fn why(standing: &StoreStatus, wall: &Wall<'_>, piece: &Segment) -> String {
    let counted = &standing.counted;
    let from = counted.partition_point(|poll| poll.at() < piece.stretch.start);
    let to = counted.partition_point(|poll| poll.at() < piece.stretch.end);
    let answer = if piece.condition == Condition::Online {
        "online"
    } else {
        "offline"
    };
    if from < to {
        return format!("{answer} at {}", named(&counted[from..to], wall));
    }
    let before = from.checked_sub(1).and_then(|before| counted.get(before));
    let after = counted.get(to);
    let active = piece.condition == Condition::Online;
    let fits = |poll: &&Poll| poll.is_active() == active;
    let (before, after) = (before.filter(fits), after.filter(fits));
    let distance = |poll: &Poll| {
        (poll.at() - piece.stretch.start)
            .abs()
            .min((poll.at() - piece.stretch.end).abs())
    };
    let source = match (before, after, standing.question.rule) {
        (Some(before), Some(after), Interpolation::Nearest) if distance(after) < distance(before) => Some(after),
        (Some(before), _, _) => Some(before),
        (None, after, _) => after,
    };
    let far = if piece.seen {
        ""
    } else {
        "more than an hour from any check; "
    };
    source.map_or_else(
        || format!("{far}estimated"),
        |poll| {
            let at = format!("{}, {}", wall.date(poll.at()), wall.time(poll.at()));
            format!("{far}estimated from the {answer} check of {at}")
        },
    )
}

/// `14:02, 15:03 and 2 more`.
fn named(polls: &[Poll], wall: &Wall<'_>) -> String {
    let shown = polls.iter().take(POLLS_NAMED_MAX);
    let shown: Vec<String> = shown.map(|poll| wall.time(poll.at())).collect();
    let more = polls.len().saturating_sub(POLLS_NAMED_MAX);
    let shown = shown.join(", ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

/// The day as a timeline bar with its date and its hours online, and more below each; if `reachable`, each piece can be
/// focused.
pub fn day_bar(
    day: &Day,
    standing: &StoreStatus,
    locale: Locale,
    reachable: bool,
    [below_date, below_hours]: [&Markup; 2],
) -> Markup {
    let length = day.stretch.length();
    let midnight = day.date * DAY;
    let is_closed = day
        .pieces
        .iter()
        .all(|piece| piece.segment.condition == Condition::Closed);
    html! {
        div.day {
            p.date {
                (phrases::date(day.date))
                @if length != DAY { span.changed { (phrases::length(length)) ", clocks went " (if length > DAY { "back" } else { "forward" }) } }
                (below_date)
            }
            @if length != DAY {
                @let at = |hour: Micros| standing.zone.instant(midnight + hour * HOUR);
                div.own { (timeline_bar::hours_at(locale, day.stretch, at)) }
            }
            @let as_of = standing.question.as_of;
            (timeline_bar::bar(day.stretch, as_of, &day.pieces, &standing.polls, &day.summary, reachable))
            p.number { @match day.online {
                _ if is_closed => { "closed" }
                Some(online) => { (locale.hours(online)) }
                None => { "unknown" }
            } (below_hours) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slivers_of_one_condition_are_joined_and_no_other() {
        let segment = |start: Micros, end: Micros, condition, seen| Segment {
            stretch: Interval::new(start * MINUTE, end * MINUTE),
            condition,
            seen,
        };
        use Condition::{Offline, Online};
        let joined = without_slivers(vec![
            segment(0, 60, Online, true),
            segment(60, 62, Online, false),
            segment(62, 120, Online, true),
            segment(120, 122, Offline, true),
            segment(122, 180, Online, true),
            segment(180, 240, Online, false),
        ]);
        assert_eq!(
            joined,
            [
                segment(0, 120, Online, true),
                segment(120, 122, Offline, true),
                segment(122, 180, Online, true),
                segment(180, 240, Online, false),
            ]
        );
    }
}
