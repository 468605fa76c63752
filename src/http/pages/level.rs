//! Levels: how good a share of business time online is. The style sheet gives each level its colour and its mark.

use maud::{Markup, html};

use super::phrases;
use crate::phrases::locale::Locale;
use crate::uptime::day_total::DayTotal;
use crate::uptime::interval::{Interval, MINUTE, Micros};
use crate::uptime::store_summary::is_vouched;
use crate::uptime::window::{Coverage, WindowTotal};

/// From this share on a week or a day is good, in hundredths of a per cent.
pub const GOOD_FROM: Micros = 9_900;

/// Below this share it is bad.
pub const BAD_BELOW: Micros = 9_500;

/// How good a share is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Online nearly all the time.
    Good,
    /// Neither good nor bad.
    Fair,
    /// Offline too often.
    Bad,
    /// Not enough polls to be sure.
    Unknown,
    /// Without business time.
    Closed,
}

impl Level {
    const ALL: [Self; 5] = [Self::Good, Self::Fair, Self::Bad, Self::Unknown, Self::Closed];

    /// The level of a total with this coverage.
    pub fn of(total: &WindowTotal, coverage: Option<Coverage>) -> Self {
        match total.share() {
            None if total.business() == 0 => Self::Closed,
            Some(share) if is_vouched(total, coverage) => match share.hundredths {
                GOOD_FROM.. => Self::Good,
                BAD_BELOW.. => Self::Fair,
                _ => Self::Bad,
            },
            _ => Self::Unknown,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Closed => "closed",
        }
    }

    /// The hatch of a day without checks.
    fn hatch(self) -> Option<&'static str> {
        (self == Self::Unknown).then_some("url(#hatch-unknown)")
    }

    /// The top and the height of a day in a strip.
    const fn height(self) -> (i32, i32) {
        match self {
            Self::Bad => (1, 22),
            Self::Fair => (4, 16),
            Self::Good | Self::Unknown => (7, 10),
            Self::Closed => (11, 2),
        }
    }
}

/// The share of a total, marked by its level; words where it is not sure.
pub fn share(locale: Locale, total: &WindowTotal, coverage: Option<Coverage>) -> Markup {
    let level = Level::of(total, coverage);
    html! {
        span.level.{(level.as_str())} {
            @match level {
                Level::Closed => { "closed" }
                Level::Unknown => { "not enough data" }
                _ => { (locale.share(total.share())) }
            }
        }
    }
}

/// The unit of a strip's drawing, and its gap between two days.
const UNIT: Micros = 15 * MINUTE;
const GAP: Micros = 6;

/// A week as a strip of its days, each in the colour and height of its level. One path draws all days of a level.
pub fn strip(locale: Locale, week: Interval, days: &[DayTotal]) -> Markup {
    let told: Vec<String> = days.iter().map(|day| words(locale, day)).collect();
    let path = |level: Level| {
        let (top, height) = level.height();
        let days = days.iter();
        let days = days.filter(|day| Level::of(&day.total, day.coverage) == level);
        let day = |day: &DayTotal| {
            let (start, width) = (
                (day.stretch.start - week.start) / UNIT,
                day.stretch.length() / UNIT - GAP,
            );
            (width > 0).then(|| format!("M{start} {top}h{width}v{height}h-{width}z"))
        };
        days.filter_map(day).collect::<String>()
    };
    html! {
        svg.strip viewBox={"0 0 " (week.length() / UNIT) " 24"} preserveAspectRatio="none" role="img" {
            title { (told.join("; ")) }
            @for level in Level::ALL {
                @let path = path(level);
                @if !path.is_empty() { path.{(level.as_str())} d=(path) fill=[level.hatch()] {} }
            }
        }
    }
}

fn words(locale: Locale, day: &DayTotal) -> String {
    let date = phrases::date(day.date);
    match Level::of(&day.total, day.coverage) {
        Level::Closed => format!("{date} closed"),
        Level::Unknown => format!("{date} not enough data"),
        _ => format!("{date} {}", locale.share(day.total.share())),
    }
}

/// What marks, colours and heights mean.
pub fn legend(locale: Locale) -> Markup {
    let limit = |hundredths: Micros| locale.figure(&(hundredths / 100).to_string());
    let swatch = |level: Level| {
        let (top, height) = level.height();
        html! {
            svg.swatch width="14" height="24" aria-hidden="true" {
                rect.{(level.as_str())} width="14" y=(top) height=(height) fill=[level.hatch()] {}
            }
        }
    };
    html! {
        ul.legend.levels {
            li { (swatch(Level::Good)) "online " (limit(GOOD_FROM)) " % or more" }
            li { (swatch(Level::Fair)) span.level.fair {} "below " (limit(GOOD_FROM)) " %" }
            li { (swatch(Level::Bad)) span.level.bad {} "below " (limit(BAD_BELOW)) " %" }
            li { (swatch(Level::Unknown)) "not enough checks" }
            li { (swatch(Level::Closed)) "closed" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::interval::HOUR;

    #[test]
    fn a_share_is_good_fair_or_bad_and_unknown_where_nobody_looked() {
        let level = |uptime: Micros, seen: Micros| {
            let total = WindowTotal::new(1000 * HOUR, Some(uptime * HOUR));
            let business = 1000 * HOUR;
            let seen = seen * HOUR;
            Level::of(&total, Some(Coverage { seen, business }))
        };
        assert_eq!(
            [990, 989, 950, 949].map(|uptime| level(uptime, 1000)),
            [Level::Good, Level::Fair, Level::Fair, Level::Bad]
        );
        assert_eq!(level(1000, 499), Level::Unknown);
        assert_eq!(Level::of(&WindowTotal::Closed, None), Level::Closed);
        assert_eq!(Level::of(&WindowTotal::Unknown { business: 1 }, None), Level::Unknown);
    }
}
