//! OpenDocument spreadsheets (`.ods`), read event by event of their XML: no more than a row is held.
//!
//! A cell or row that stands for thousands of equal ones is counted and not copied, whatever its number.

use std::io::{self, BufReader, Read};

use memchr::memrchr;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};

use super::problem::{BadFile, Code, InputError};
use super::records::RECORD_BYTES_MAX;
use super::sheet::{COLUMNS_MAX, Cell, Row, Rows};

/// The longest piece of XML without a `<`.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Gives the rows of every sheet in `content`, the document's `content.xml`, to `visit`, with the sheet's name.
pub(super) fn each<R: Read, E>(
    content: R,
    visit: &mut dyn FnMut(&str, &mut dyn Rows) -> Result<(), E>,
    refuse: &dyn Fn(InputError) -> E,
) -> Result<(), E> {
    let mut xml = Events::new(content);
    loop {
        let name = match xml.next().map_err(|error| refuse(error.into()))? {
            Event::Start(start) if start.name().as_ref() == "table:table" => attribute(&start, "table:name"),
            Event::Eof => return Ok(()),
            _ => continue,
        };
        let mut rows = Table {
            xml: &mut xml,
            number: 1,
            is_over: false,
        };
        visit(&name.unwrap_or_default(), &mut rows)?;
        while rows.next_row(&mut Row::new()).map_err(|error| refuse(error.into()))? {}
    }
}

/// The rows of a sheet.
struct Table<'a, R> {
    xml: &'a mut Events<R>,
    /// The number of the next row.
    number: u64,
    is_over: bool,
}

impl<R: Read> Rows for Table<'_, R> {
    fn next_row(&mut self, row: &mut Row) -> io::Result<bool> {
        while !self.is_over {
            match self.xml.next()? {
                Event::Start(start) if start.name().as_ref() == "table:table-row" => {
                    let repeats = count(&start, "table:number-rows-repeated");
                    row.begin(self.number);
                    self.xml.read_row(row)?;
                    self.number = self.number.saturating_add(repeats);
                    if row.width() > 0 {
                        row.repeats = repeats;
                        return Ok(true);
                    }
                }
                Event::End(end) => self.is_over = end.name().as_ref() == "table:table",
                Event::Eof => return Err(damaged("it ends within a sheet")),
                _ => {}
            }
        }
        Ok(false)
    }
}

/// The events of the document.
struct Events<R> {
    xml: Reader<BufReader<Paced<R>>>,
    buffer: Vec<u8>,
}

impl<R: Read> Events<R> {
    fn new(content: R) -> Self {
        let paced = Paced {
            inner: content,
            passed: 0,
        };
        let mut xml = Reader::from_reader(BufReader::new(paced));
        xml.config_mut().expand_empty_elements = true;
        let buffer = Vec::new();
        Self { xml, buffer }
    }

    fn next(&mut self) -> io::Result<Event<'_>> {
        self.buffer.clear();
        self.xml.read_event_into(&mut self.buffer).map_err(|error| match error {
            Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<BadFile>()) {
                Some(file) => io::Error::other(file.clone()),
                None => io::Error::new(error.kind(), error),
            },
            error => damaged(&error.to_string()),
        })
    }

    /// Reads cells up to the end of their row.
    fn read_row(&mut self, row: &mut Row) -> io::Result<()> {
        let mut column = 0_usize;
        loop {
            let (repeats, kind) = match self.next()? {
                Event::Start(start) if is_cell(start.name().as_ref()) => {
                    let repeats = count(&start, "table:number-columns-repeated");
                    (usize::try_from(repeats).unwrap_or(usize::MAX), Value::of(&start))
                }
                Event::End(end) if end.name().as_ref() == "table:table-row" => return Ok(()),
                Event::Eof => return Err(damaged("it ends within a row")),
                _ => continue,
            };
            let text = self.read_text()?;
            let cell = kind.cell(text);
            let end = column.saturating_add(repeats);
            if cell != Cell::Empty {
                (column..end.min(COLUMNS_MAX)).for_each(|column| row.put(column, cell.clone()));
            }
            column = end;
        }
    }

    /// Reads the paragraphs up to the end of their cell; those of remarks and drawings are no part of it.
    fn read_text(&mut self) -> io::Result<String> {
        let mut text = String::new();
        let (mut paragraphs, mut inside, mut passed) = (0, false, 0);
        loop {
            let event = self.next()?;
            if passed > 0 {
                match event {
                    Event::Start(_) => passed += 1,
                    Event::End(_) => passed -= 1,
                    Event::Eof => return Err(damaged("it ends within a cell")),
                    _ => {}
                }
                continue;
            }
            match event {
                Event::Start(start) => match start.name().as_ref() {
                    "office:annotation" => passed = 1,
                    name if name.starts_with("draw:") => passed = 1,
                    "text:p" => {
                        if paragraphs > 0 {
                            text.push('\n');
                        }
                        paragraphs += 1;
                        inside = true;
                    }
                    "text:s" => {
                        let spaces = usize::try_from(count(&start, "text:c")).unwrap_or(usize::MAX);
                        text.extend(std::iter::repeat_n(' ', spaces.min(RECORD_BYTES_MAX)));
                    }
                    "text:tab" => text.push('\t'),
                    "text:line-break" => text.push('\n'),
                    _ => {}
                },
                Event::Text(part) if inside => text.push_str(&part.xml10_content()),
                Event::CData(part) if inside => text.push_str(&part.xml10_content()),
                Event::GeneralRef(entity) if inside => text.push(resolved(&entity)?),
                Event::End(end) if is_cell(end.name().as_ref()) => return Ok(text),
                Event::End(end) => inside &= end.name().as_ref() != "text:p",
                Event::Eof => return Err(damaged("it ends within a cell")),
                _ => {}
            }
            // It is refused as too long, whatever else it has.
            if text.len() > 2 * RECORD_BYTES_MAX {
                let end = (RECORD_BYTES_MAX..).find(|&end| text.is_char_boundary(end));
                text.truncate(end.unwrap_or_default());
            }
        }
    }
}

fn is_cell(name: &str) -> bool {
    matches!(name, "table:table-cell" | "table:covered-table-cell")
}

/// What the attributes of a cell say.
enum Value {
    /// Its text says it.
    Text,
    Of(Cell),
}

impl Value {
    fn of(cell: &BytesStart<'_>) -> Self {
        let value = |name| attribute(cell, name).unwrap_or_default();
        let cell = match attribute(cell, "office:value-type").as_deref() {
            Some("float" | "percentage" | "currency") => {
                let number = value("office:value");
                number.parse().map_or_else(|_| Cell::of_text(&number), Cell::Number)
            }
            Some("date") => Cell::of_iso_instant(&value("office:date-value")),
            Some("time") => Cell::of_iso_length(&value("office:time-value")),
            Some("boolean") => Cell::of_text(&value("office:boolean-value")),
            // A formula's error has its word in the text alone.
            _ => Cell::of_text(&value("office:string-value")),
        };
        if cell == Cell::Empty {
            Self::Text
        } else {
            Self::Of(cell)
        }
    }

    fn cell(self, text: String) -> Cell {
        match self {
            Self::Text => Cell::of_text(&text),
            Self::Of(cell) => cell,
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok().flatten()?;
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

/// A count of at least one, which is the default.
fn count(element: &BytesStart<'_>, name: &str) -> u64 {
    let count = attribute(element, name).and_then(|count| count.parse().ok());
    count.unwrap_or(1).max(1)
}

fn resolved(entity: &BytesRef<'_>) -> io::Result<char> {
    let known = resolve_predefined_entity(entity).and_then(|text| text.chars().next());
    let character = known.or_else(|| entity.resolve_char_ref().ok().flatten());
    character.ok_or_else(|| damaged(&format!("`&{}` is no character", entity.escape_debug())))
}

fn damaged(error: &str) -> io::Error {
    let reason = format!("the spreadsheet is damaged: {error} (open it and save it again, or save its sheets as CSV)");
    io::Error::other(BadFile::new(None, Code::Compressed, reason))
}

/// Refuses a long stretch without a `<`, because an event is held whole.
struct Paced<R> {
    inner: R,
    passed: usize,
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.passed = match memrchr(b'<', &buffer[..count]) {
            Some(at) => count - at,
            None => self.passed + count,
        };
        if self.passed > EVENT_BYTES_MAX {
            return Err(damaged("a cell has more than a mebibyte"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::SheetText;
    use super::*;

    fn read(content: &str) -> Result<Vec<(String, String)>, String> {
        let mut sheets = Vec::new();
        let mut visit = |name: &str, rows: &mut dyn Rows| -> Result<(), String> {
            let mut text = String::new();
            let sheet = SheetText::open(rows).map_err(|error| error.to_string())?;
            if let Some(mut sheet) = sheet {
                sheet.read_to_string(&mut text).map_err(|error| error.to_string())?;
            }
            sheets.push((name.to_owned(), text));
            Ok(())
        };
        each(content.as_bytes(), &mut visit, &|error| error.to_string())?;
        Ok(sheets)
    }

    fn table(rows: &str) -> String {
        format!("<office:spreadsheet><table:table table:name=\"a &amp; b\">{rows}</table:table></office:spreadsheet>")
    }

    #[track_caller]
    fn check(rows: &str, expected: &str) {
        let sheets = read(&table(rows)).unwrap();
        assert_eq!(sheets, [("a & b".to_owned(), expected.to_owned())], "{rows}");
    }

    #[test]
    fn cells_are_read_by_their_type() {
        let cell = |attributes: &str, text: &str| {
            let row = format!(
                "<table:table-row>\n<table:table-cell {attributes}>{text}</table:table-cell>\n\
                 <table:table-cell table:number-columns-repeated=\"16380\"/></table:table-row>"
            );
            let text = read(&table(&row)).unwrap().remove(0).1;
            text.trim_end_matches('\n').to_owned()
        };
        for (attributes, text, expected) in [
            ("office:value-type=\"string\"", "<text:p>aa</text:p>", "aa"),
            (
                "office:value-type=\"string\" office:string-value=\"bb\"",
                "<text:p>aa</text:p>",
                "bb",
            ),
            (
                "",
                "<text:p>a<text:span>b</text:span><text:s text:c=\"2\"/>c</text:p>",
                "ab  c",
            ),
            ("", "<text:p>a</text:p><text:p>b</text:p>", "\"a\u{2028}b\""),
            ("", "<text:p>&lt;&#x41;&amp;</text:p>", "<A&"),
            (
                "",
                "<office:annotation><text:p>no</text:p></office:annotation><text:p>a</text:p>",
                "a",
            ),
            ("", "\n  <text:p>a</text:p>\n  ", "a"),
            (
                "office:value-type=\"float\" office:value=\"42\"",
                "<text:p>42.00</text:p>",
                "42",
            ),
            (
                "office:value-type=\"float\" office:value=\"8.13919533695211E18\"",
                "",
                "8139195336952110000",
            ),
            (
                "office:value-type=\"date\" office:date-value=\"2023-01-24T09:08:23.138922000\"",
                "<text:p>24/01/23</text:p>",
                "2023-01-24T09:08:23.138922000",
            ),
            (
                "office:value-type=\"date\" office:date-value=\"2023-01-24\"",
                "",
                "2023-01-24",
            ),
            (
                "office:value-type=\"time\" office:time-value=\"PT09H30M00S\"",
                "<text:p>9:30 AM</text:p>",
                "09:30:00",
            ),
            (
                "office:value-type=\"boolean\" office:boolean-value=\"true\"",
                "<text:p>TRUE</text:p>",
                "true",
            ),
            (
                "office:value-type=\"string\" office:string-value=\"\" calcext:value-type=\"error\"",
                "<text:p>#N/A</text:p>",
                "#N/A",
            ),
        ] {
            assert_eq!(cell(attributes, text), expected, "{attributes} {text}");
        }
    }

    #[test]
    fn repeated_cells_and_rows_are_written_and_empty_ones_keep_their_place() {
        check(
            "<table:table-header-rows><table:table-row><table:table-cell table:number-columns-repeated=\"2\" \
             office:value-type=\"float\" office:value=\"1\"/></table:table-row></table:table-header-rows>\
             <table:table-row table:number-rows-repeated=\"2\"><table:table-cell/></table:table-row>\
             <table:table-row table:number-rows-repeated=\"2\"><table:table-cell/><table:covered-table-cell/>\
             <table:table-cell><text:p>x</text:p></table:table-cell></table:table-row>\
             <table:table-row table:number-rows-repeated=\"1048570\"><table:table-cell/></table:table-row>",
            "1,1\n\n\n,,x\n,,x\n",
        );
        check("<table:table-row><table:table-cell/></table:table-row>", "");
    }

    #[test]
    fn a_small_file_cannot_claim_much_memory() {
        let row = |cell: &str, repeats: u64| {
            format!("<table:table-row table:number-rows-repeated=\"{repeats}\">{cell}</table:table-row>")
        };
        let wide =
            "<table:table-cell table:number-columns-repeated=\"4000000000\"><text:p>x</text:p></table:table-cell>";
        let text = read(&table(&row(wide, 1))).unwrap().remove(0).1;
        assert!(text.len() <= 2 * COLUMNS_MAX);
        let refused = read(&table(&row(wide, u64::MAX))).unwrap_err();
        assert!(refused.contains("1048576 rows"), "{refused}");
        let spaces = "<table:table-cell><text:p><text:s text:c=\"99999999999\"/>x</text:p></table:table-cell>";
        assert!(read(&table(&row(&spaces.repeat(9), 1))).unwrap().remove(0).1.len() < 4 * RECORD_BYTES_MAX);
        let long = format!(
            "<table:table-cell><text:p>{}</text:p></table:table-cell>",
            "x".repeat(2 * EVENT_BYTES_MAX)
        );
        let refused = read(&table(&row(&long, 1))).unwrap_err();
        assert!(refused.contains("more than a mebibyte"), "{refused}");
    }

    #[test]
    fn a_damaged_document_is_refused() {
        for rows in [
            "<table:table-row>",
            "<table:table-row><table:table-cell>",
            "<a></b>",
            "&nothing;",
        ] {
            let whole = table(&format!("<table:table-row><table:table-cell><text:p>{rows}"));
            let refused = read(&whole).unwrap_err();
            assert!(refused.contains("damaged"), "{refused}");
        }
    }
}
