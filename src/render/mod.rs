//! Rendering: products as files, one renderer a format.
//!
//! A format is a line in [`Format`] and a renderer beside [`csv`]; the compiler then asks every product to
//! support it.

pub mod csv;
mod csv_field;
pub mod statement;
pub mod store_list;

/// A file format of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
}

impl Format {
    /// Every format, the default first.
    pub const ALL: [Self; 1] = [Self::Csv];

    /// The name, which is also the extension of its files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}
