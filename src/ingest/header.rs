//! Headers: finds the kind of an input and the places of its columns.

use super::fields::{FIELDS_MAX, split_all};
use super::kind::{Column, Kind};
use super::problem::{BadFile, Code, Notes, excerpt};
use super::records::{Record, Shape};

/// A header that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    kind: Kind,
    /// For each column of the file, the slot of its field; none for an ignored column.
    slots: Vec<Option<u8>>,
    /// For each slot, the column's name in this header.
    names: [&'static str; FIELDS_MAX],
}

impl Layout {
    /// Reads a header; only the `expected` kind is accepted, if one is given. Of several kinds whose columns are
    /// all there, the kind with the most columns wins. Unusual but unambiguous names are accepted and noted.
    ///
    /// # Errors
    /// When it fits no kind, or not the expected one; the code says why.
    pub fn read(header: &Record<'_>, expected: Option<Kind>, notes: &mut Notes) -> Result<Self, BadFile> {
        let refuse = |code, reason: String| Err(BadFile::new(Some(header.line), code, reason));
        match header.shape {
            Shape::TooLong => {
                return refuse(
                    Code::HeaderTooLong,
                    "the first line is longer than 64 KiB, so it is no header".to_owned(),
                );
            }
            Shape::BareQuote => {
                // Quoted names with other delimiters between them have this shape, and so has JSON.
                let other = other_format(header).unwrap_or_else(|| {
                    let reason = "the header's quotes are out of place";
                    BadFile::new(Some(header.line), Code::Header, reason)
                });
                return Err(other);
            }
            Shape::Plain | Shape::Quoted => {}
        }
        if header.bytes.contains(&0) {
            return refuse(
                Code::Binary,
                "the header has NUL bytes, so this is no text (export it as CSV)".to_owned(),
            );
        }
        let written = split_all(header.bytes);
        let names: Vec<&str> = written
            .iter()
            .map(|name| std::str::from_utf8(name).unwrap_or("\u{fffd}"))
            .collect();
        let columns: Vec<Option<&'static str>> = names.iter().map(|name| known(name)).collect();

        let fits = |kind: Kind| {
            kind.required()
                .all(|column| columns.iter().flatten().any(|name| column.names.contains(name)))
        };
        let widest = |fits: &dyn Fn(Kind) -> bool| {
            let kinds = Kind::ALL.into_iter().filter(|&kind| fits(kind));
            // Reversed, because `max_by_key` returns the last of equals.
            kinds.rev().max_by_key(|kind| kind.required().count())
        };
        let kind = match expected.filter(|&kind| fits(kind)) {
            Some(kind) => Some(kind),
            None => widest(&fits),
        };
        let Some(kind) = kind else {
            return refuse_unknown(header, expected, &columns);
        };
        if let Some(expected) = expected.filter(|&expected| expected != kind) {
            return refuse(
                Code::WrongKind,
                format!(
                    "these are {}, not {} (expected columns `{}`)",
                    kind.as_str(),
                    expected.as_str(),
                    expected.header()
                ),
            );
        }

        let mut layout = Self {
            kind,
            slots: vec![None; columns.len()],
            names: [""; FIELDS_MAX],
        };
        for (index, (name, written)) in columns.iter().zip(&names).enumerate() {
            let slot = name.and_then(|name| {
                let columns = (0u8..).zip(kind.columns());
                let mut of_name = columns.filter(|(_, column)| column.names.contains(&name));
                of_name.next().map(|(slot, _)| (slot, name))
            });
            let is_twin = |other: &&str| other.trim().eq_ignore_ascii_case(written.trim());
            let twice = match slot {
                Some((slot, name)) => {
                    let seen = &mut layout.names[usize::from(slot)];
                    !std::mem::replace(seen, name).is_empty()
                }
                // A trailing comma makes columns without names.
                None => !written.trim().is_empty() && names[..index].iter().any(is_twin),
            };
            if twice {
                return refuse(
                    Code::DupColumn,
                    format!(
                        "column `{}` is there twice (leave one of them out)",
                        excerpt(written.as_bytes())
                    ),
                );
            }
            match slot {
                Some((slot, name)) => {
                    layout.slots[index] = Some(slot);
                    if name != *written {
                        notes.add(Code::HeaderCase, Some(header.line));
                    }
                }
                None => notes.add(Code::ExtraColumn, Some(header.line)),
            }
        }
        Ok(layout)
    }

    /// The layout of rows that come without a header, such as JSON objects.
    pub fn of(kind: Kind) -> Self {
        let mut names = [""; FIELDS_MAX];
        for (name, column) in names.iter_mut().zip(kind.columns()) {
            *name = column.name();
        }
        Self {
            kind,
            slots: (0u8..).zip(kind.columns()).map(|(slot, _)| Some(slot)).collect(),
            names,
        }
    }

    /// The kind of the input.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For each column of the file, the slot of its field; none for an ignored column.
    pub(super) fn slots(&self) -> &[Option<u8>] {
        &self.slots
    }

    /// The column's name in this header.
    pub(super) fn name(&self, slot: usize) -> &'static str {
        self.names[slot]
    }
}

/// The canonical spelling of a column name, if any kind has such a column.
fn known(name: &str) -> Option<&'static str> {
    let name = name.trim();
    Kind::ALL
        .iter()
        .flat_map(|kind| kind.columns().iter().flat_map(|column| column.names))
        .find(|known| known.eq_ignore_ascii_case(name))
        .copied()
}

/// The other format that a header belongs to (not CSV with commas), if it is recognised.
fn other_format(header: &Record<'_>) -> Option<BadFile> {
    let refuse = |code, reason| Some(BadFile::new(Some(header.line), code, reason));
    let text = String::from_utf8_lossy(header.bytes);
    for (delimiter, name) in [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")] {
        let parts = text.split(delimiter);
        let names = parts.filter(|part| known(part.trim().trim_matches('"')).is_some());
        if text.contains(delimiter) && names.count() >= 2 {
            let reason = format!("the columns are separated by {name} (save the file with commas)");
            return refuse(Code::Delimiter, reason);
        }
    }
    if text.trim_start().starts_with(['{', '[']) {
        let reason = "this is JSON, not CSV (send it to a server as application/json or \
                      application/x-ndjson, or save it as CSV)";
        return refuse(Code::Header, reason.to_owned());
    }
    None
}

/// Why a header fits no kind.
fn refuse_unknown(
    header: &Record<'_>,
    expected: Option<Kind>,
    columns: &[Option<&'static str>],
) -> Result<Layout, BadFile> {
    let refuse = |code, reason| Err(BadFile::new(Some(header.line), code, reason));
    if let Some(other) = other_format(header) {
        return Err(other);
    }
    let known: Option<Vec<&str>> = columns.iter().copied().collect();
    let Some(known) = known else {
        let kinds = match expected {
            Some(kind) => vec![kind],
            None => Kind::ALL.to_vec(),
        };
        let headers: Vec<_> = kinds
            .iter()
            .map(|kind| format!("`{}` for {}", kind.header(), kind.as_str()))
            .collect();
        return refuse(
            Code::Header,
            format!(
                "no known header: `{}` (expected {})",
                excerpt(header.bytes),
                headers.join(", or ")
            ),
        );
    };
    let missing = |kind: Kind| -> Vec<&'static str> {
        let is_missing = |column: &&Column| !column.names.iter().any(|name| known.contains(name));
        kind.required().filter(is_missing).map(Column::name).collect()
    };
    let nearest = Kind::ALL
        .into_iter()
        .min_by_key(|&kind| (missing(kind).len(), usize::MAX - kind.required().count()));
    let kind = expected.or(nearest).unwrap_or(Kind::Polls);
    refuse(
        Code::MissingColumn,
        format!(
            "{} need a column `{}` (expected `{}`)",
            kind.as_str(),
            missing(kind).join("` and `"),
            kind.header()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, expected: Option<Kind>) -> Result<(Kind, Vec<Code>), Code> {
        let mut notes = Notes::default();
        let record = Record {
            line: 1,
            bytes: header.as_bytes(),
            shape: match header {
                header if header.contains("\";") || header.starts_with('{') => Shape::BareQuote,
                header if header.contains('"') => Shape::Quoted,
                _ => Shape::Plain,
            },
        };
        Layout::read(&record, expected, &mut notes)
            .map(|layout| (layout.kind(), notes.iter().map(|note| note.code).collect()))
            .map_err(|file| file.code)
    }

    #[test]
    fn a_kind_is_told_by_its_columns_in_any_order() {
        for (header, kind) in [
            ("store_id,timestamp_utc,status", Kind::Polls),
            ("status,store_id,timestamp_utc", Kind::Polls),
            ("\"status\",store_id,\"timestamp_utc\"", Kind::Polls),
            ("store_id,day,start_time_local,end_time_local", Kind::BusinessHours),
            (
                "dayOfWeek,store_id,end_time_local,start_time_local",
                Kind::BusinessHours,
            ),
            (
                "store_id,day_of_week,start_time_local,end_time_local",
                Kind::BusinessHours,
            ),
            ("store_id,timezone_str", Kind::Timezones),
            ("group,name,store_id", Kind::Stores),
        ] {
            assert_eq!(read(header, None), Ok((kind, vec![])), "{header}");
        }
    }

    #[test]
    fn case_spaces_and_extra_columns_are_noted() {
        let polls = |code| Ok((Kind::Polls, vec![code]));
        assert_eq!(read("STORE_ID,timestamp_utc,status", None), polls(Code::HeaderCase));
        assert_eq!(read("store_id, timestamp_utc,status", None), polls(Code::HeaderCase));
        assert_eq!(read("store_id,x,timestamp_utc,status", None), polls(Code::ExtraColumn));
        assert_eq!(read("store_id,timestamp_utc,status,", None), polls(Code::ExtraColumn));
    }

    #[test]
    fn of_two_kinds_the_wider_is_meant_unless_the_other_is_expected() {
        let both = "store_id,timezone_str,timestamp_utc,status";
        assert_eq!(read(both, None).map(|found| found.0), Ok(Kind::Polls));
        let expected = Some(Kind::Timezones);
        assert_eq!(read(both, expected).map(|found| found.0), Ok(Kind::Timezones));
        let tie = "store_id,name,group,timestamp_utc,status";
        assert_eq!(read(tie, None).map(|found| found.0), Ok(Kind::Polls));
    }

    #[test]
    fn what_is_no_header_is_told_apart_by_reason() {
        for (header, code) in [
            ("store_id,status", Code::MissingColumn),
            ("store_id", Code::MissingColumn),
            ("store_id,name,status", Code::MissingColumn),
            ("store_id,status,timestamp", Code::Header),
            ("aa,active,2023-01-25 10:00:00 UTC", Code::Header),
            ("aa,aa", Code::Header),
            ("<!doctype html>", Code::Header),
            ("", Code::Header),
            ("store_id,store_id,status,timestamp_utc", Code::DupColumn),
            ("store_id,Status,status,timestamp_utc", Code::DupColumn),
            (
                "store_id,day,dayOfWeek,start_time_local,end_time_local",
                Code::DupColumn,
            ),
            ("store_id,status,timestamp_utc,x,X", Code::DupColumn),
            ("store_id;status;timestamp_utc", Code::Delimiter),
            ("\"store_id\";\"status\";\"timestamp_utc\"", Code::Delimiter),
            ("store_id\tstatus\ttimestamp_utc", Code::Delimiter),
            ("{\"store_id\": \"aa\"}", Code::Header),
            ("store_id,status,timestamp_utc\0", Code::Binary),
        ] {
            assert_eq!(read(header, None).map(|found| found.0), Err(code), "{header}");
        }
    }

    #[test]
    fn another_kind_than_expected_is_refused() {
        let polls = "store_id,status,timestamp_utc";
        assert_eq!(read(polls, Some(Kind::Stores)), Err(Code::WrongKind));
    }
}
