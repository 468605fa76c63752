//! Rendering: products as files, one renderer a format.
//!
//! A format is a line in [`Format`] and a renderer beside [`csv`]; the compiler then asks every product to
//! support it.

pub mod csv;
mod csv_field;
pub mod definitions;
pub mod digest;
pub mod statement;
pub mod store_list;
pub mod xlsx;

/// A file format of products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    /// Comma-separated values, RFC 4180.
    Csv,
    /// A workbook of Excel.
    Xlsx,
}

impl Format {
    /// Every format, the default first.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Xlsx];

    /// The name, which is also the extension of its files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }

    /// The format with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}
