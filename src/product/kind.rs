//! The kinds of products, the order for a product, and the trait of all products.

use std::fmt::Debug;

use crate::access::Audience;
use crate::error::Result;
use crate::render::Format;
use crate::render::store_list::StoreList;
use crate::uptime::report::Question;

/// The kind of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Uptime and downtime of every store in the last hour, day and week.
    #[default]
    Report,
    /// Uptime, downtime and their bounds in the buckets of any period.
    Statement,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Report, Self::Statement];

    /// The word in the database, requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Statement => "statement",
        }
    }

    /// The kind with that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An order for a product: its kind, and all that decides its numbers.
#[derive(Clone, Debug)]
pub struct Order {
    /// The kind to make.
    pub kind: Kind,
    /// The instant and the rule.
    pub question: Question,
    /// Further parameters of its kind, as a JSON object; `{}` for a report.
    pub parameters: String,
    /// The stores that exist for it.
    pub audience: Audience,
}

/// A complete product.
pub trait Product: Debug + Send + Sync {
    /// The stores of its rows.
    fn stores(&self) -> &StoreList;

    /// Its rows in stored form.
    fn rows(&self) -> &[u8];

    /// The size of its CSV, in bytes.
    fn csv_bytes(&self) -> usize;

    /// Its CSV.
    fn csv(&self) -> Vec<u8>;

    /// Its workbook.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    fn xlsx(&self) -> Result<Vec<u8>>;

    /// The product's file.
    ///
    /// # Errors
    /// Those of [`xlsx`](Self::xlsx).
    fn render(&self, format: Format) -> Result<Vec<u8>> {
        match format {
            Format::Csv => Ok(self.csv()),
            Format::Xlsx => self.xlsx(),
        }
    }
}
