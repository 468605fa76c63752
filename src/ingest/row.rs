//! From the fields of a record to a typed row, or to the one reason why it is none.
//!
//! It must never know other rows (what repeats or contradicts is the loader's to see) or the
//! clock (the latest legal instant is passed in).

use std::collections::HashMap;
use std::sync::OnceLock;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::fields::{Fields, split_plain, split_quoted};
use super::header::{Kind, Layout};
use super::problem::{BadRow, Code, Notes, excerpt, is_control};
use super::records::{Record, Shape};
use super::zone_alias::is_alias;
use crate::civil::{format_utc, parse_local_time, parse_timestamp_bytes};
use crate::uptime::interval::{DAY, Micros};
use crate::uptime::poll::Status;

/// The earliest instant taken: 2000-01-01.
pub const EARLIEST_US: Micros = 10_957 * DAY;

/// The longest store id, in characters.
pub const STORE_ID_CHARS_MAX: usize = 128;

/// One good row. Its texts are trimmed, and borrowed from the reader's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row<'a> {
    /// A store's answer.
    Poll {
        /// Which store.
        store_id: &'a str,
        /// When.
        at: Micros,
        /// What.
        status: Status,
    },
    /// A stretch of a weekday on which a store means to be open.
    Hours {
        /// Which store.
        store_id: &'a str,
        /// 0 = Monday … 6 = Sunday.
        weekday: u8,
        /// Microseconds after local midnight, below 24 hours.
        start_us_local: Micros,
        /// Microseconds after local midnight, up to 24 hours; not after the start: the next day's.
        end_us_local: Micros,
    },
    /// Where a store is.
    Zone {
        /// Which store.
        store_id: &'a str,
        /// A name of the tz database, in its spelling; an alias stays one.
        zone: &'a str,
    },
    /// What a store is called.
    Store {
        /// Which store.
        store_id: &'a str,
        /// Its name; may be empty.
        name: &'a str,
        /// Who owns it; may be empty.
        group: &'a str,
    },
}

/// A record, read.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A good row.
    Row {
        /// The physical line it starts on.
        line: u64,
        /// The row.
        row: Row<'a>,
        /// The record as it came, for a caller that refuses the row for its own reasons.
        raw: &'a [u8],
    },
    /// A refused one.
    Bad(Box<BadRow>),
}

/// What is wrong with a row: the slot at fault, the value, the code and the reason.
struct Fault<'a> {
    slot: Option<usize>,
    value: &'a [u8],
    code: Code,
    reason: String,
}

/// The notes on one row, not yet counted because it may still be refused.
#[derive(Default)]
struct RowNotes(u64);

impl RowNotes {
    fn add(&mut self, code: Code) {
        self.0 |= 1 << (code as u8);
    }

    fn count_into(&self, notes: &mut Notes, line: u64) {
        if self.0 == 0 {
            return;
        }
        for &code in Code::ALL {
            if self.0 & (1 << (code as u8)) != 0 {
                notes.add(code, Some(line));
            }
        }
    }
}

impl Layout {
    /// Reads one record below this header; instants after `latest_us` are refused.
    ///
    /// `scratch` may be anything and is reused from row to row; `notes` counts what good rows
    /// give rise to.
    pub fn parse<'a>(
        &self,
        record: Record<'a>,
        latest_us: Micros,
        scratch: &'a mut Vec<u8>,
        notes: &mut Notes,
    ) -> Parsed<'a> {
        let fields = self.fields(record, scratch);
        self.conclude(record.line, record.bytes, fields, latest_us, notes)
    }

    /// [`Layout::parse`] for fields that somebody else has told apart, in the order of
    /// [`Kind::columns`]; `raw` is what they were taken from.
    pub fn parse_fields<'a>(
        &self,
        line: u64,
        raw: &'a [u8],
        fields: Fields<'a>,
        latest_us: Micros,
        notes: &mut Notes,
    ) -> Parsed<'a> {
        self.conclude(line, raw, Ok(fields), latest_us, notes)
    }

    // Always inlined, like `row`: the calls alone would cost a third of the speed.
    #[inline(always)]
    fn conclude<'a>(
        &self,
        line: u64,
        raw: &'a [u8],
        fields: Result<Fields<'a>, Fault<'a>>,
        latest_us: Micros,
        notes: &mut Notes,
    ) -> Parsed<'a> {
        let mut row_notes = RowNotes::default();
        match fields.and_then(|fields| self.row(fields, latest_us, &mut row_notes)) {
            Ok(row) => {
                row_notes.count_into(notes, line);
                Parsed::Row { line, row, raw }
            }
            Err(fault) => Parsed::Bad(Box::new(BadRow {
                line,
                column: fault.slot.map(|slot| self.name(slot)),
                code: fault.code,
                value: excerpt(fault.value),
                reason: fault.reason,
                raw: raw.to_vec(),
            })),
        }
    }

    #[inline(always)]
    fn row<'a>(
        &self,
        fields: Fields<'a>,
        latest_us: Micros,
        notes: &mut RowNotes,
    ) -> Result<Row<'a>, Fault<'a>> {
        let store_id = store_id(fields[0], notes)?;
        match self.kind() {
            // Of two faults the first is told, in the order in which sources mostly write the columns.
            Kind::Polls => {
                let status = status(fields[2], notes)?;
                let at = instant(fields[1], latest_us, notes)?;
                Ok(Row::Poll {
                    store_id,
                    at,
                    status,
                })
            }
            Kind::BusinessHours => Ok(Row::Hours {
                store_id,
                weekday: weekday(fields[1], notes)?,
                start_us_local: time(2, fields[2], notes)?,
                end_us_local: time(3, fields[3], notes)?,
            }),
            Kind::Timezones => Ok(Row::Zone {
                store_id,
                zone: zone(fields[1], notes)?,
            }),
            Kind::Stores => Ok(Row::Store {
                store_id,
                name: text(1, fields[1], notes)?,
                group: text(2, fields[2], notes)?,
            }),
        }
    }

    fn fields<'a>(
        &self,
        record: Record<'a>,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Fields<'a>, Fault<'a>> {
        let refuse = |code, reason| {
            Err(Fault {
                slot: None,
                value: b"",
                code,
                reason,
            })
        };
        let (fields, count) = match record.shape {
            Shape::Plain => split_plain(record.bytes, self.slots()),
            Shape::Quoted => split_quoted(record.bytes, self.slots(), scratch),
            Shape::BareQuote => {
                return refuse(
                    Code::BareQuote,
                    "a quote out of place (quote the whole field, and double each quote in it)"
                        .to_owned(),
                );
            }
            Shape::TooLong => {
                return refuse(
                    Code::LineTooLong,
                    "longer than 64 KiB (is a line end missing?)".to_owned(),
                );
            }
        };
        let width = self.width();
        if count == width {
            return Ok(fields);
        }
        let code = if count < width {
            Code::FewFields
        } else {
            Code::ManyFields
        };
        refuse(code, format!("{count} fields (expected {width})"))
    }
}

/// A field as trimmed text without control characters.
fn text<'a>(slot: usize, field: &'a [u8], notes: &mut RowNotes) -> Result<&'a str, Fault<'a>> {
    // Nearly every field is printable ASCII with nothing to trim.
    let is_plain = field
        .iter()
        .fold(true, |plain, &byte| plain & (b' '..0x7f).contains(&byte));
    let fault = |code, reason: &str| Fault {
        slot: Some(slot),
        value: field,
        code,
        reason: reason.to_owned(),
    };
    let Ok(text) = std::str::from_utf8(field) else {
        return Err(fault(
            Code::NotUtf8,
            "these bytes are not UTF-8 (save the file as UTF-8)",
        ));
    };
    let trimmed = if is_plain {
        text.trim_matches(' ')
    } else {
        text.trim_matches(is_space)
    };
    if trimmed.len() != text.len() {
        notes.add(Code::Trimmed);
    }
    if !is_plain && let Some(control) = trimmed.chars().find(|&c| is_control(c)) {
        let reason = format!(
            "a control character, {} (leave it out)",
            control.escape_unicode()
        );
        return Err(fault(Code::ControlChar, &reason));
    }
    Ok(trimmed)
}

/// What may stand around a field: blanks of any kind, but nothing that ends a line.
fn is_space(character: char) -> bool {
    character == '\t' || (character.is_whitespace() && !is_control(character))
}

fn store_id<'a>(field: &'a [u8], notes: &mut RowNotes) -> Result<&'a str, Fault<'a>> {
    let id = text(0, field, notes)?;
    let fault = |code, reason| Fault {
        slot: Some(0),
        value: field,
        code,
        reason,
    };
    if id.is_empty() {
        return Err(fault(Code::StoreIdEmpty, "no store id".to_owned()));
    }
    if id.len() > STORE_ID_CHARS_MAX {
        let length = id.chars().count();
        if length > STORE_ID_CHARS_MAX {
            return Err(fault(
                Code::StoreIdLong,
                format!("a store id of {length} characters (at most {STORE_ID_CHARS_MAX})"),
            ));
        }
    }
    Ok(id)
}

fn instant<'a>(
    field: &'a [u8],
    latest_us: Micros,
    notes: &mut RowNotes,
) -> Result<Micros, Fault<'a>> {
    let fault = |code, reason| Fault {
        slot: Some(1),
        value: field,
        code,
        reason,
    };
    let read = match parse_timestamp_bytes(field) {
        Ok(read) => read,
        Err(_) => {
            // Only now is it worth looking for spaces around it and bytes that are no text.
            let text = text(1, field, notes)?;
            parse_timestamp_bytes(text.as_bytes()).map_err(|error| {
                fault(
                    Code::Timestamp,
                    format!("no instant `{}`: {error}", excerpt(text.as_bytes())),
                )
            })?
        }
    };
    if read.at < EARLIEST_US {
        return Err(fault(
            Code::Range,
            format!("{} is before the year 2000", format_utc(read.at)),
        ));
    }
    if read.at > latest_us {
        return Err(fault(
            Code::Range,
            format!(
                "{} is in the future (the latest instant taken is {})",
                format_utc(read.at),
                format_utc(latest_us)
            ),
        ));
    }
    for (is, code) in [
        (read.offset, Code::Offset),
        (read.subsecond, Code::Subsecond),
        (read.leap_second, Code::LeapSecond),
    ] {
        if is {
            notes.add(code);
        }
    }
    Ok(read.at)
}

fn status<'a>(field: &'a [u8], notes: &mut RowNotes) -> Result<Status, Fault<'a>> {
    match field {
        b"active" => return Ok(Status::Active),
        b"inactive" => return Ok(Status::Inactive),
        _ => {}
    }
    let word = text(2, field, notes)?;
    for status in [Status::Active, Status::Inactive] {
        if word.eq_ignore_ascii_case(status.as_str()) {
            if word != status.as_str() {
                notes.add(Code::StatusCase);
            }
            return Ok(status);
        }
    }
    Err(Fault {
        slot: Some(2),
        value: field,
        code: Code::Status,
        reason: format!(
            "unknown status `{}` (expected `active` or `inactive`)",
            excerpt(word.as_bytes())
        ),
    })
}

fn weekday<'a>(field: &'a [u8], notes: &mut RowNotes) -> Result<u8, Fault<'a>> {
    let word = text(1, field, notes)?;
    match word.as_bytes() {
        [digit @ b'0'..=b'6'] => Ok(digit - b'0'),
        _ => Err(Fault {
            slot: Some(1),
            value: field,
            code: Code::Day,
            reason: format!(
                "unknown day `{}` (expected 0 for Monday to 6 for Sunday)",
                excerpt(word.as_bytes())
            ),
        }),
    }
}

/// The start (slot 2) or the end (slot 3) of a stretch.
fn time<'a>(slot: usize, field: &'a [u8], notes: &mut RowNotes) -> Result<Micros, Fault<'a>> {
    let word = text(slot, field, notes)?;
    let fault = |reason| Fault {
        slot: Some(slot),
        value: field,
        code: Code::Time,
        reason,
    };
    let Some(time) = parse_local_time(word) else {
        return Err(fault(format!(
            "no time of day `{}` (expected a form like `09:00:00`)",
            excerpt(word.as_bytes())
        )));
    };
    if slot == 2 && time.us_local == DAY {
        return Err(fault(
            "a day cannot start at its end (write `00:00:00` of the next day)".to_owned(),
        ));
    }
    if time.short {
        notes.add(Code::TimeShort);
    }
    Ok(time.us_local)
}

fn zone<'a>(field: &'a [u8], notes: &mut RowNotes) -> Result<&'a str, Fault<'a>> {
    let word = text(1, field, notes)?;
    let name = if word.parse::<Tz>().is_ok() {
        word
    } else if let Some(&name) = zones_by_lower_case().get(&word.to_ascii_lowercase()) {
        notes.add(Code::ZoneCase);
        name
    } else {
        return Err(Fault {
            slot: Some(1),
            value: field,
            code: Code::Zone,
            reason: format!(
                "unknown time zone `{}` (expected an IANA name such as `America/Chicago`)",
                excerpt(word.as_bytes())
            ),
        });
    };
    if is_alias(name) {
        notes.add(Code::ZoneAlias);
    }
    Ok(name)
}

fn zones_by_lower_case() -> &'static HashMap<String, &'static str> {
    static ZONES: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    ZONES.get_or_init(|| {
        TZ_VARIANTS
            .iter()
            .map(|zone| (zone.name().to_ascii_lowercase(), zone.name()))
            .collect()
    })
}

/// A row that says of a store what another row of the same call contradicts.
pub(super) fn conflict(line: u64, column: &'static str, value: &str, known: &str) -> BadRow {
    BadRow {
        line,
        column: Some(column),
        code: Code::Conflict,
        value: excerpt(value.as_bytes()),
        reason: format!(
            "another row gives the same store `{}` (keep one)",
            excerpt(known.as_bytes())
        ),
        raw: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
