//! The kinds of products, an order for one, and the form that all have in common.

use std::fmt::Debug;

use crate::render::Format;
use crate::render::store_list::StoreList;
use crate::uptime::report::Question;

/// The kind of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Uptime and downtime of every store in the last hour, day and week.
    #[default]
    Report,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Report];

    /// The word that the database and callers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
        }
    }

    /// The kind by its word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A product to be made: its kind and all that decides its numbers.
#[derive(Clone, Debug)]
pub struct Order {
    /// What to make.
    pub kind: Kind,
    /// The instant and the rule.
    pub question: Question,
    /// Further parameters of its kind, as a JSON object; `{}` for a report.
    pub parameters: String,
}

/// A product that is made.
pub trait Product: Debug + Send + Sync {
    /// The stores that it has rows of.
    fn stores(&self) -> &StoreList;

    /// Its rows, as they are kept.
    fn rows(&self) -> &[u8];

    /// How long it is in a format, in bytes.
    fn bytes(&self, format: Format) -> usize;

    /// The product as a file.
    fn render(&self, format: Format) -> Vec<u8>;
}
