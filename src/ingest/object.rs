//! Objects: reads the fields of a row from one JSON object.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{FIELDS_MAX, Fields};
use super::kind::{Column, Fault, Kind, Need, RowNotes};
use super::problem::{Code, excerpt};
use super::records::{Record, Shape};

/// Reads a record that is one object. The old contents of `scratch` do not matter; it is reused for each row.
///
/// # Errors
/// When the record is not an object, or its fields do not fit a `kind`.
pub(super) fn read<'a>(
    record: Record<'a>,
    kind: Kind,
    scratch: &'a mut Vec<u8>,
    notes: &mut RowNotes,
) -> Result<Fields<'a>, Fault<'a>> {
    if record.shape == Shape::TooLong {
        let reason = "longer than 64 KiB (is a line end or a bracket missing?)";
        return Err(Fault::whole(Code::LineTooLong, reason));
    }
    let Ok(text) = std::str::from_utf8(record.bytes) else {
        let reason = "there are bytes that are not UTF-8 (save the file as UTF-8)";
        return Err(Fault::whole(Code::NotUtf8, reason));
    };
    let found = parse(text, kind)?;
    let columns = kind.columns();
    if let Some(slot) = found.twice {
        let reason = format!("`{}` is there twice (leave one out)", columns[slot].name());
        return Err(Fault::of(slot, b"", Code::ManyFields, reason));
    }
    for (slot, column) in columns.iter().enumerate() {
        let name = column.name();
        match found.values[slot].map(RawValue::get) {
            None if column.need != Need::Nothing => {
                let names = kind.required().map(|column| format!("`{}`", column.name()));
                let names: Vec<_> = names.collect();
                let reason = format!("no `{name}` (expected {})", names.join(", "));
                return Err(Fault::of(slot, b"", Code::FewFields, reason));
            }
            Some("null") if column.need == Need::Value => {
                let reason = format!("`{name}` is null (give it a value)");
                return Err(Fault::of(slot, b"null", Code::FewFields, reason));
            }
            _ => {}
        }
    }
    // Ranges first: nothing may borrow from `scratch` while it grows.
    scratch.clear();
    let mut texts = [Text::Written(""); FIELDS_MAX];
    for (slot, column) in columns.iter().enumerate() {
        let value = found.values[slot].map(RawValue::get);
        if let Some(value) = value.filter(|&value| value != "null") {
            texts[slot] = self::text(value, slot, column, scratch)?;
        }
    }
    for (is, code) in [
        (found.header_case, Code::HeaderCase),
        (found.extra_column, Code::ExtraColumn),
    ] {
        if is {
            notes.add(code);
        }
    }
    let scratch: &'a [u8] = scratch;
    Ok(texts.map(|text| match text {
        Text::Written(text) => text.as_bytes(),
        Text::Unescaped(from, to) => &scratch[from..to],
    }))
}

/// The kind whose fields an object has, whatever their values; none if no kind fits.
pub(super) fn kind_of(bytes: &[u8]) -> Option<Kind> {
    let text = std::str::from_utf8(bytes).ok()?;
    Kind::ALL.into_iter().find(|&kind| {
        let found = parse(text, kind);
        let has_all = |found: &Found| {
            let mut columns = kind.columns().iter().zip(&found.values);
            columns.all(|(column, value)| value.is_some() || column.need == Need::Nothing)
        };
        found.as_ref().is_ok_and(has_all)
    })
}

/// The place of a field's text.
#[derive(Clone, Copy)]
enum Text<'a> {
    /// In the object, unchanged.
    Written(&'a str),
    /// A range of the scratch.
    Unescaped(usize, usize),
}

/// The text of one value: a string's contents, or a number's digits as written.
fn text<'a>(written: &'a str, slot: usize, column: &Column, scratch: &mut Vec<u8>) -> Result<Text<'a>, Fault<'a>> {
    let fault = |code, reason: String| Err(Fault::of(slot, written.as_bytes(), code, reason));
    let type_name = match written.as_bytes().first() {
        Some(b'"') if !written.contains('\\') => {
            return Ok(Text::Written(&written[1..written.len() - 1]));
        }
        Some(b'"') => {
            let Ok(unescaped) = serde_json::from_str::<String>(written) else {
                let reason = "half of a surrogate pair is no character (escape both halves)";
                return fault(Code::NotUtf8, reason.to_owned());
            };
            let from = scratch.len();
            scratch.extend_from_slice(unescaped.as_bytes());
            return Ok(Text::Unescaped(from, scratch.len()));
        }
        // An id in this form has lost digits of its number.
        Some(b'-' | b'0'..=b'9') if slot == 0 && written.contains(['.', 'e', 'E']) => {
            "a number with a fraction or an exponent"
        }
        Some(b'-' | b'0'..=b'9') => return Ok(Text::Written(written)),
        Some(b't' | b'f') => "a boolean",
        Some(b'[') => "an array",
        _ => "an object",
    };
    let reason = format!("`{}` is {type_name} (write it as a string)", column.name());
    fault(column.code, reason)
}

/// The fields of an object, by slot.
struct Found<'a> {
    values: [Option<&'a RawValue>; FIELDS_MAX],
    twice: Option<usize>,
    header_case: bool,
    extra_column: bool,
}

fn parse<'a>(text: &'a str, kind: Kind) -> Result<Found<'a>, Fault<'a>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_map(FoundVisitor(kind));
    found
        .and_then(|found| deserializer.end().map(|()| found))
        .map_err(|error| {
            if has_control_in_string(text.as_bytes()) {
                let reason = "a control character inside a string (escape it, or leave it out)";
                return Fault::whole(Code::ControlChar, reason);
            }
            Fault::whole(Code::Json, format!("no JSON object: {}", without_place(&error)))
        })
}

/// The message of an error without its place, which counts from the beginning of the object.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    excerpt(text.strip_suffix(&place).unwrap_or(&text).as_bytes())
}

struct FoundVisitor(Kind);

impl<'de> Visitor<'de> for FoundVisitor {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as `{\"store_id\": …}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found<'de>, A::Error> {
        let mut found = Found {
            values: [None; FIELDS_MAX],
            twice: None,
            header_case: false,
            extra_column: false,
        };
        while let Some(name) = map.next_key_seed(NameSeed(self.0))? {
            let Some((slot, exact)) = name else {
                found.extra_column = true;
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            found.header_case |= !exact;
            if found.values[slot].replace(map.next_value()?).is_some() {
                found.twice.get_or_insert(slot);
            }
        }
        Ok(found)
    }
}

/// Reads a name as the slot of its field.
struct NameSeed(Kind);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Option<(usize, bool)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Option<(usize, bool)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.slot(name))
    }
}

/// Whether a string has a raw control character, which JSON allows only escaped.
fn has_control_in_string(text: &[u8]) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    text.iter().any(|&byte| {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'\\' if in_string => {
                escaped = !escaped;
                return false;
            }
            _ => {}
        }
        escaped = false;
        in_string && byte < b' '
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: &[u8]) -> Record<'_> {
        Record {
            line: 1,
            bytes,
            shape: Shape::Plain,
        }
    }

    /// Checks the fields, joined by bars, or the code and the slot.
    fn check(text: &str, kind: Kind, expected: Result<&str, (Code, Option<usize>)>) {
        let mut scratch = b"left over".to_vec();
        let got = read(record(text.as_bytes()), kind, &mut scratch, &mut RowNotes::default())
            .map(|fields| {
                let fields = fields[..kind.columns().len()].iter();
                let fields: Vec<_> = fields.map(|field| String::from_utf8_lossy(field)).collect();
                fields.join("|")
            })
            .map_err(|fault| (fault.code, fault.slot));
        assert_eq!(got.as_deref().map_err(|&fault| fault), expected, "{text}");
    }

    fn zone(text: &str, expected: Result<&str, (Code, Option<usize>)>) {
        check(text, Kind::Timezones, expected);
    }

    #[test]
    fn fields_are_found_by_name_in_any_order() {
        zone(r#"{"store_id":"a","timezone_str":"b"}"#, Ok("a|b"));
        zone(" {\t\"timezone_str\" : \"b\" , \"store_id\":\n\"a\" } ", Ok("a|b"));
        zone(r#"{"\u0073tore_id":"a","timezone_str":"b"}"#, Ok("a|b"));
        zone(
            r#"{"x":{"store_id":[1,"]}"]},"store_id":"a","timezone_str":""}"#,
            Ok("a|"),
        );
        for day in ["day", "dayOfWeek", "day_of_week", "DAY"] {
            let text = format!(r#"{{"store_id":"a","{day}":3,"start_time_local":"s","end_time_local":"e"}}"#);
            check(&text, Kind::BusinessHours, Ok("a|3|s|e"));
        }
    }

    #[test]
    fn strings_are_unescaped() {
        zone(
            r#"{"store_id":"\u00e9\"\\\/","timezone_str":"\ud83d\ude00\n"}"#,
            Ok("é\"\\/|😀\n"),
        );
        for half in [r"\ud800", r"\udc00", r"\ud800\u0041"] {
            let text = format!(r#"{{"store_id":"{half}","timezone_str":"b"}}"#);
            zone(&text, Err((Code::NotUtf8, Some(0))));
        }
    }

    #[test]
    fn a_number_is_its_digits() {
        for id in ["8419537941919820732", "0", "-7", "123456789012345678901234567890"] {
            let text = format!(r#"{{"store_id":{id},"timezone_str":"b"}}"#);
            zone(&text, Ok(&format!("{id}|b")));
        }
        for id in ["1.0", "1e3", "8.419537941919820732E18", "true", "[]", "{}"] {
            let text = format!(r#"{{"store_id":{id},"timezone_str":"b"}}"#);
            zone(&text, Err((Code::StoreIdEmpty, Some(0))));
        }
    }

    #[test]
    fn what_is_missing_null_or_twice_is_told_apart() {
        zone(r#"{"store_id":"a"}"#, Err((Code::FewFields, Some(1))));
        zone("{}", Err((Code::FewFields, Some(0))));
        let text = r#"{"store_id":"a","timezone_str":null}"#;
        zone(text, Err((Code::FewFields, Some(1))));
        let text = r#"{"store_id":"a","timezone_str":"b","Store_ID":"a"}"#;
        zone(text, Err((Code::ManyFields, Some(0))));
        let stores = |text, expected| check(text, Kind::Stores, expected);
        stores(r#"{"store_id":"a","name":null,"group":7}"#, Ok("a||7"));
        stores(r#"{"store_id":"a","name":"b"}"#, Err((Code::FewFields, Some(2))));
        stores(r#"{"store_id":"a","name":{},"group":""}"#, Err((Code::Json, Some(1))));
    }

    #[test]
    fn what_is_no_object_is_said_to_be_none() {
        let whole = r#"{"store_id":"a","timezone_str":"b"}"#;
        for text in [
            "",
            "[]",
            "null",
            "7",
            "\"{}\"",
            "{",
            "{\"store_id\":\"a\"",
            "{'store_id':'a'}",
            "{store_id:1}",
            "{\"store_id\":NaN}",
            "{\"store_id\":01}",
            "{\"store_id\":\"\\x\"}",
            "{\"store_id\":1,}",
            "{\"x\":nul}",
            &format!("{whole},"),
            &format!("{whole}{whole}"),
            &format!("{whole} // done"),
        ] {
            zone(text, Err((Code::Json, None)));
        }
        zone("{\"x\":\"\t\"}", Err((Code::ControlChar, None)));
        zone("{\"x\":\"\\\"\n\"}", Err((Code::ControlChar, None)));
        let mut scratch = Vec::new();
        let latin1 = record(b"{\"x\":\"\xff\"}");
        let read = read(latin1, Kind::Timezones, &mut scratch, &mut RowNotes::default());
        assert_eq!(read.err().map(|fault| fault.code), Some(Code::NotUtf8));
    }

    #[test]
    fn nesting_in_unknown_fields_costs_no_stack() {
        let (open, close) = ("[".repeat(30_000), "]".repeat(30_000));
        let text = format!(r#"{{"store_id":"a","x":{open}{close},"timezone_str":"b"}}"#);
        zone(&text, Ok("a|b"));
        let text = format!(r#"{{"store_id":{open}{close},"timezone_str":"b"}}"#);
        zone(&text, Err((Code::StoreIdEmpty, Some(0))));
    }

    #[test]
    fn the_kind_of_an_object_shows_in_its_names() {
        let poll = br#"{"store_id":1,"timestamp_utc":null,"status":[],"x":0}"#;
        assert_eq!(kind_of(poll), Some(Kind::Polls));
        assert_eq!(kind_of(br#"{"store_id":1}"#), None);
        assert_eq!(kind_of(b"[]"), None);
    }
}
