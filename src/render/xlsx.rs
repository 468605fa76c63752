//! Products as workbooks of Excel: a sheet of rows below a frozen header, and a sheet that says what they mean.
//!
//! Ids are texts, so that no digit of `8419537941919820732` is lost and `=1+1` is no formula. Rows go to a temporary
//! file as they come: a workbook of any size takes little memory until it is packed.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::definitions::Definitions;
use crate::error::{Error, Result};
use crate::uptime::interval::SECOND;

/// How many rows a sheet of Excel has; more of them go to a further sheet.
const SHEET_ROWS_MAX: u32 = 1_048_576;

/// The width of a column of text, in characters, and of a column of numbers.
const TEXT_WIDTH: u16 = 24;
const NUMBER_WIDTH: u16 = 14;

/// The width of the column that says what the others mean.
const MEANING_WIDTH: u16 = 100;

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A text, never a number or a formula.
    Text(&'a str),
    /// A number in hundredths, shown with two decimals.
    Hundredths(i64),
    /// A whole number.
    Count(i64),
    /// Unknown.
    Empty,
}

/// A workbook whose rows are added one by one.
pub struct Book {
    book: Workbook,
    title: &'static str,
    columns: Vec<String>,
    /// How many of the columns, the first ones, have texts.
    texts: usize,
    /// The index of the sheet that takes rows, and how many it has.
    sheet: usize,
    rows: u32,
    sheet_rows_max: u32,
    bold: Format,
    decimals: Format,
    whole: Format,
}

impl Book {
    /// A workbook with this header; `texts` of its columns, the first ones, have texts.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub fn new(title: &'static str, columns: Vec<String>, texts: usize) -> Result<Self> {
        Self::with_sheets_of(SHEET_ROWS_MAX, title, columns, texts)
    }

    fn with_sheets_of(sheet_rows_max: u32, title: &'static str, columns: Vec<String>, texts: usize) -> Result<Self> {
        let mut book = Self {
            book: Workbook::new(),
            title,
            columns,
            texts,
            sheet: 0,
            rows: 0,
            sheet_rows_max,
            bold: Format::new().set_bold(),
            decimals: Format::new().set_num_format("0.00"),
            whole: Format::new().set_num_format("0"),
        };
        book.start_sheet().map_err(failed)?;
        Ok(book)
    }

    /// Adds a sheet with the header.
    fn start_sheet(&mut self) -> std::result::Result<(), XlsxError> {
        let name = match self.sheet {
            0 => self.title.to_owned(),
            number => format!("{} {}", self.title, number + 1),
        };
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?.set_freeze_panes(1, 0)?;
        for (column, name) in (0..).zip(&self.columns) {
            let is_text = usize::from(column) < self.texts;
            sheet.set_column_width(column, if is_text { TEXT_WIDTH } else { NUMBER_WIDTH })?;
            sheet.write_string_with_format(0, column, name, &self.bold)?;
        }
        self.rows = 1;
        Ok(())
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn add<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<()> {
        if self.rows == self.sheet_rows_max {
            self.sheet += 1;
            self.start_sheet().map_err(failed)?;
        }
        let row = self.rows;
        self.rows += 1;
        let sheet = self.book.worksheet_from_index(self.sheet).map_err(failed)?;
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Text(text) => sheet.write_string(row, column, text),
                Cell::Hundredths(number) => {
                    sheet.write_number_with_format(row, column, hundredths(number), &self.decimals)
                }
                Cell::Count(number) => sheet.write_number_with_format(row, column, whole(number), &self.whole),
                Cell::Empty => continue,
            }
            .map_err(failed)?;
        }
        Ok(())
    }

    /// The workbook's bytes, with the sheet of definitions.
    ///
    /// # Errors
    /// When a temporary file cannot be read or written.
    pub fn finish(mut self, definitions: &Definitions) -> Result<Vec<u8>> {
        let properties = DocProperties::new().set_title(definitions.title.as_str());
        // The instant of the numbers, so that the same numbers make the same file.
        let properties = match ExcelDateTime::from_timestamp(definitions.as_of.div_euclid(SECOND)) {
            Ok(as_of) => properties.set_creation_datetime(&as_of),
            Err(_) => properties,
        };
        self.book.set_properties(&properties);
        let bold = self.bold.clone();
        // Another kind of sheet would be packed by a thread, which the system may refuse.
        let sheet = self.book.add_worksheet_with_constant_memory().map_err(failed)?;
        explain(sheet, definitions, &bold).map_err(failed)?;
        self.book.save_to_buffer().map_err(failed)
    }
}

/// Writes the sheet that says what the numbers mean.
fn explain(sheet: &mut Worksheet, definitions: &Definitions, bold: &Format) -> std::result::Result<(), XlsxError> {
    let wrap = Format::new().set_text_wrap();
    sheet.set_name("Definitions")?.set_freeze_panes(1, 0)?;
    sheet.set_column_width(0, TEXT_WIDTH)?;
    sheet.set_column_width(1, MEANING_WIDTH)?;
    sheet.write_string_with_format(0, 0, "name", bold)?;
    sheet.write_string_with_format(0, 1, "meaning", bold)?;
    for (row, (name, meaning)) in (1..).zip(&definitions.meanings) {
        sheet.write_string(row, 0, name)?;
        sheet.write_string_with_format(row, 1, meaning, &wrap)?;
    }
    Ok(())
}

fn failed(error: XlsxError) -> Error {
    Error::failed("the spreadsheet cannot be written (make room in the folder for temporary files, or set TMPDIR)")
        .because(error)
}

/// A whole number as Excel has all numbers; most fit exactly.
fn whole(number: i64) -> f64 {
    match i32::try_from(number) {
        Ok(number) => f64::from(number),
        Err(_) => number.to_string().parse().unwrap_or(f64::NAN),
    }
}

/// A number of hundredths: the nearest number to its text with two decimals.
fn hundredths(number: i64) -> f64 {
    whole(number) / 100.0
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader, Xlsx};

    use super::*;

    #[test]
    fn more_rows_than_a_sheet_has_go_to_further_sheets_with_the_same_header() {
        let mut book = Book::with_sheets_of(3, "Report", vec!["id".to_owned(), "n".to_owned()], 1).unwrap();
        for number in 0..5 {
            let id = format!("id {number}");
            book.add([Cell::Text(&id), Cell::Count(number)]).unwrap();
        }
        let definitions = Definitions {
            title: "A title".to_owned(),
            as_of: 0,
            meanings: vec![("n".to_owned(), "a number".to_owned())],
        };
        let bytes = book.finish(&definitions).unwrap();
        let mut book = Xlsx::new(Cursor::new(bytes)).unwrap();
        assert_eq!(book.sheet_names(), ["Report", "Report 2", "Report 3", "Definitions"]);
        let heights = ["Report", "Report 2", "Report 3"].map(|name| book.worksheet_range(name).unwrap().height());
        assert_eq!(heights, [3, 3, 2]);
        let last = book.worksheet_range("Report 3").unwrap();
        let cells: Vec<_> = last.rows().map(<[Data]>::to_vec).collect();
        let text = |text: &str| Data::String(text.to_owned());
        assert_eq!(cells, [[text("id"), text("n")], [text("id 4"), Data::Float(4.0)]]);
    }

    #[test]
    fn numbers_are_the_nearest_to_their_text() {
        for number in [0, 1, 7, 1001, 16_800, 109_454, 12_345_678_901] {
            let text = format!("{}.{:02}", number / 100, number % 100);
            assert_eq!(text.parse(), Ok(hundredths(number)));
        }
    }
}
