//! Phrases as markup: instants with UTC on hover, and states with their shapes. Those without markup are
//! [`phrases`](crate::phrases).

use maud::{Markup, html};

use crate::civil;
use crate::phrases::locale::Locale;
pub use crate::phrases::{
    WEEKDAYS, Wall, ago, city, date, date_with_year, day, day_of_month, length, month, month_and_year, plural,
    zone_near,
};
use crate::uptime::interval::Micros;
use crate::uptime::store_state::StoreState;

impl Wall<'_> {
    /// `Sat 7 Nov, 14:05`, with UTC on hover.
    pub fn stamp(&self, at: Micros) -> Markup {
        stamp(at, &format!("{}, {}", self.date(at), self.time(at)))
    }

    /// `7 Nov, 14:05`, with UTC on hover.
    pub fn brief(&self, at: Micros) -> Markup {
        stamp(at, &format!("{}, {}", day_of_month(self.day(at)), self.time(at)))
    }

    /// `Sat 7 Nov 2026, 14:05`, with UTC on hover.
    pub fn full(&self, at: Micros) -> Markup {
        let text = format!("{}, {}", date_with_year(self.day(at)), self.time(at));
        stamp(at, &text)
    }

    /// `14:05`, with date and UTC on hover.
    pub fn short(&self, at: Micros) -> Markup {
        stamp(at, &self.time(at))
    }

    /// [`short`](Self::short) on the day of `beside`, else [`stamp`](Self::stamp): a time without its date is of the
    /// day that the reader looks at.
    pub fn near(&self, at: Micros, beside: Micros) -> Markup {
        if self.day(at) == self.day(beside) {
            self.short(at)
        } else {
            self.stamp(at)
        }
    }
}

/// The instant as `text`, with UTC on hover and for machines.
pub fn stamp(at: Micros, text: &str) -> Markup {
    html! { time datetime=(civil::format_rfc3339(at)) title=(civil::format_utc(at)) { (text) } }
}

impl Locale {
    /// A count of stores in a state: `■ 3 offline`.
    pub fn counted(self, number: usize, one: StoreState) -> Markup {
        marked_text(one, &format!("{} ", self.count(number)), "")
    }
}

/// A state: its shape, its colour, its word, and `more`.
pub fn state(state: StoreState, more: &str) -> Markup {
    marked_text(state, "", more)
}

fn marked_text(state: StoreState, before: &str, more: &str) -> Markup {
    marked(state, &html! { (before) (state.as_str()) (more) })
}

/// Words with a state's shape and colour.
pub fn marked(state: StoreState, words: &Markup) -> Markup {
    let class = state.as_str().replace(' ', "-");
    html! { span class={"state " (class)} { span.mark aria-hidden="true" {} (words) } }
}
