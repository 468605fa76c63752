//! CSVs for spreadsheets. A field that begins with `=`, `+`, `-` or `@` is a formula there, whatever the file says.
//!
//! Pages lead to downloads with `for=spreadsheet`, where an apostrophe makes such a name a text. Without that field the
//! answers stay byte for byte, so that they can be loaded again.

use super::request::Request;
use crate::error::{Error, Result};

/// The columns that have texts of other people's. Numbers and instants of our own are no formulas.
const TEXT_COLUMNS: [&str; 5] = ["store_id", "name", "group", "timezone", "reason_line"];

/// The CSV as the request wants it.
///
/// # Errors
/// When `csv` is none.
pub fn wanted(request: &Request<'_>, csv: Vec<u8>) -> Result<Vec<u8>> {
    match request.field("for")? {
        Some(_) => safe(&csv),
        None => Ok(csv),
    }
}

/// The same CSV with each text as a text.
///
/// # Errors
/// When `csv` is none.
pub fn safe(csv: &[u8]) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::failed("the CSV cannot be read again").because(error);
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
    let mut safe = csv::Writer::from_writer(Vec::new());
    let mut texts = Vec::new();
    for (number, row) in rows.byte_records().enumerate() {
        let row = row.map_err(failed)?;
        if number == 0 {
            texts = row
                .iter()
                .map(|column| TEXT_COLUMNS.iter().any(|text| text.as_bytes() == column))
                .collect();
        }
        for (column, field) in row.iter().enumerate() {
            let is_formula = matches!(field.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'));
            let is_text = texts.get(column).copied().unwrap_or(true);
            let written = match is_formula && is_text {
                true => safe.write_field([b"'", field].concat()),
                false => safe.write_field(field),
            };
            written.map_err(failed)?;
        }
        safe.write_record(None::<&[u8]>).map_err(failed)?;
    }
    let safe = safe.into_inner();
    safe.map_err(|error| Error::failed("the CSV cannot be written").because(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_a_formula_becomes_a_text() {
        let csv = "store_id,name,lost\n=1+1,\"@a,b\",-1.50\n-2,+x,2\n\"\tt\",\"\rr\",\nplain,\"say \"\"a\"\"\",3\n";
        let expected =
            "store_id,name,lost\n'=1+1,\"'@a,b\",-1.50\n'-2,'+x,2\n'\tt,\"'\rr\",\nplain,\"say \"\"a\"\"\",3\n";
        assert_eq!(String::from_utf8(safe(csv.as_bytes()).unwrap()).unwrap(), expected);
        assert_eq!(safe(b"").unwrap(), b"");
    }
}
