//! A digest in words: what each form of it sets.

use crate::phrases::locale::Locale;
use crate::uptime::interval::Micros;

/// How many stores with downtime a digest lists; a statement has all.
pub const WORST_MAX: usize = 20;

/// How many stores a line names.
pub const NAMES_MAX: usize = 5;

/// How many outages of the poller a digest lists.
pub const OUTAGES_MAX: usize = 5;

/// How times, numbers and money are written.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// The locale; none for what the zones of most stores suggest.
    pub locale: Option<Locale>,
    /// The sign before amounts of money.
    pub currency: Option<String>,
}

/// Messages that a receiver did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The receiver.
    pub receiver: String,
    /// How many.
    pub messages: usize,
    /// When the oldest of them was written.
    pub since: Micros,
}

/// A store with downtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its id, for a link.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How long it was offline: `4 h 4 min`.
    pub offline: String,
    /// Its online share: `94.5 %`.
    pub online: String,
    /// Its offline share, in hundredths of a per cent, for a bar.
    pub bar: i64,
    /// Its incidents and its target.
    pub about: String,
}

/// A heading with lines below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading.
    pub heading: &'static str,
    /// The lines.
    pub lines: Vec<String>,
}

/// A digest in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose digest it is: a store, an owner, or all stores.
    pub whose: String,
    /// Of when: `Week 44: Mon 26 Oct – Sun 1 Nov 2026`.
    pub when: String,
    /// One line for a list of mails.
    pub subject: String,
    /// The period in three sentences.
    pub sentences: Vec<String>,
    /// The stores with downtime, the longest first.
    pub worst: Vec<Line>,
    /// The stores with downtime that are not listed.
    pub worst_more: Option<String>,
    /// What else is to be said.
    pub sections: Vec<Section>,
    /// The instant and the rule.
    pub note: String,
}
