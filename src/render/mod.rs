//! Rendering: products as files, one renderer a format.
//!
//! A format is a line in [`Format`] and a renderer beside [`csv`]; the compiler then asks every product
//! for its form in it.

pub mod csv;
mod csv_field;
pub mod store_list;

/// A form in which a product can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
}

impl Format {
    /// Every format, the default first.
    pub const ALL: [Self; 1] = [Self::Csv];

    /// The name, which is the ending of its files, too.
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
