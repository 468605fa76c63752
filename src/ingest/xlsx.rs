//! Workbooks of Excel (`.xlsx`): cell by cell, with all texts of the workbook in memory.

use std::io::{self, Read, Seek};

use calamine::{DataRef, Reader, SheetType, Xlsx, XlsxCellReader, XlsxError};

use super::problem::{BadFile, Code, InputError};
use super::sheet::{Cell, Row, Rows};

/// Gives the rows of every sheet to `visit`, with the sheet's name.
pub(super) fn each<R: Read + Seek, E>(
    file: R,
    visit: &mut dyn FnMut(&str, &mut dyn Rows) -> Result<(), E>,
    refuse: &dyn Fn(InputError) -> E,
) -> Result<(), E> {
    let broken = |error: &XlsxError| refuse(damaged(error).into());
    let mut book = Xlsx::new(file).map_err(|error: XlsxError| broken(&error))?;
    let sheets = book.sheets_metadata().iter();
    let sheets = sheets.filter(|sheet| sheet.typ == SheetType::WorkSheet);
    for name in sheets.map(|sheet| sheet.name.clone()).collect::<Vec<_>>() {
        let is_1904 = book.has_1904_epoch();
        let cells = book.worksheet_cells_reader(&name).map_err(|error| broken(&error))?;
        visit(
            &name,
            &mut SheetRows {
                cells,
                is_1904,
                next: None,
                is_over: false,
            },
        )?;
    }
    Ok(())
}

fn damaged(error: &XlsxError) -> BadFile {
    let reason = format!("the workbook is damaged: {error} (open it and save it again, or save its sheets as CSV)");
    BadFile::new(None, Code::Compressed, reason)
}

/// The rows of a sheet.
struct SheetRows<'a, R: Read + Seek> {
    cells: XlsxCellReader<'a, R>,
    is_1904: bool,
    /// The first cell of the next row, which was read already.
    next: Option<((u32, u32), Cell)>,
    is_over: bool,
}

impl<R: Read + Seek> SheetRows<'_, R> {
    /// The next cell that is not empty, and its row and column from 0.
    fn next_cell(&mut self) -> io::Result<Option<((u32, u32), Cell)>> {
        while !self.is_over {
            let cell = self
                .cells
                .next_cell()
                .map_err(|error| io::Error::other(damaged(&error)))?;
            let Some(cell) = cell else {
                self.is_over = true;
                break;
            };
            match content(cell.get_value(), self.is_1904) {
                Cell::Empty => {}
                content => return Ok(Some((cell.get_position(), content))),
            }
        }
        Ok(None)
    }
}

impl<R: Read + Seek> Rows for SheetRows<'_, R> {
    fn next_row(&mut self, row: &mut Row) -> io::Result<bool> {
        let first = match self.next.take() {
            Some(cell) => Some(cell),
            None => self.next_cell()?,
        };
        let Some(((number, column), cell)) = first else {
            return Ok(false);
        };
        row.begin(u64::from(number) + 1);
        row.put(column as usize, cell);
        loop {
            match self.next_cell()? {
                Some(((of, column), cell)) if of == number => row.put(column as usize, cell),
                next => {
                    self.next = next;
                    return Ok(true);
                }
            }
        }
    }
}

fn content(value: &DataRef<'_>, is_1904: bool) -> Cell {
    match value {
        DataRef::Int(number) => Cell::Text(number.to_string()),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) => Cell::of_text(text),
        DataRef::SharedString(text) => Cell::of_text(text),
        DataRef::Bool(is) => Cell::Text(is.to_string()),
        DataRef::DateTime(at) => Cell::of_days(at.as_f64(), is_1904, at.is_duration()),
        DataRef::DateTimeIso(at) => Cell::of_iso_instant(at),
        DataRef::DurationIso(length) => Cell::of_iso_length(length),
        DataRef::Error(error) => Cell::Text(error.to_string()),
        DataRef::Empty => Cell::Empty,
    }
}
