//! Objects: reads the fields of a row from one JSON object.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{FIELDS_MAX, Fields};
use super::kind::{Column, Damage, Fault, Kind, Need, RowNotes, Spelling, damaged};
use super::problem::{Code, NAMES_TOLD, Notes, excerpt};
use super::records::{Record, Shape};

/// The names of fields that an input's rows had and no kind has, or that are other names of a column.
#[derive(Debug, Default)]
pub(super) struct OtherNames {
    extra: Vec<String>,
    synonyms: Vec<String>,
}

impl OtherNames {
    fn add(names: &mut Vec<String>, name: &str, shown: impl FnOnce(&str) -> String) {
        let is_known = |known: &String| {
            known
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        if names.len() < NAMES_TOLD && !names.iter().any(is_known) {
            names.push(shown(name));
        }
    }

    /// Adds the names to the notes that count them.
    pub(super) fn tell(&self, notes: &mut Notes) {
        notes.name(Code::ExtraColumn, &self.extra);
        notes.name(Code::HeaderSynonym, &self.synonyms);
    }
}

/// Reads a record that is one object. The old contents of `scratch` do not matter; it is reused for each row.
///
/// # Errors
/// When the record is not an object, or its fields do not fit a `kind`.
pub(super) fn read<'a>(
    record: Record<'a>,
    kind: Kind,
    ids_as_written: bool,
    scratch: &'a mut Vec<u8>,
    notes: &mut RowNotes,
    other_names: &mut OtherNames,
) -> Result<Fields<'a>, Fault<'a>> {
    if record.shape == Shape::TooLong {
        let reason = "longer than 64 KiB (is a line end or a bracket missing?)";
        return Err(Fault::whole(Code::LineTooLong, reason));
    }
    let Ok(text) = std::str::from_utf8(record.bytes) else {
        let reason = "there are bytes that are not UTF-8 (save the file as UTF-8)";
        return Err(Fault::whole(Code::NotUtf8, reason));
    };
    let found = parse(text, kind, other_names)?;
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
    let mut texts = [None; FIELDS_MAX];
    for (slot, column) in columns.iter().enumerate() {
        texts[slot] = match found.values[slot].map(RawValue::get) {
            None => None,
            Some("null") => Some(Text::Written("")),
            Some(value) => Some(self::text(value, slot, column, ids_as_written, scratch)?),
        };
    }
    for (is, code) in [
        (found.header_case, Code::HeaderCase),
        (found.synonym, Code::HeaderSynonym),
        (found.extra_column, Code::ExtraColumn),
    ] {
        if is {
            notes.add(code);
        }
    }
    let scratch: &'a [u8] = scratch;
    let field = |text| match text {
        Text::Written(text) => str::as_bytes(text),
        Text::Unescaped(from, to) => &scratch[from..to],
    };
    Ok(Fields::new(texts.map(|text| text.map(field))))
}

/// The kinds whose fields an object has, whatever their values; and a field that `kind` would lose.
pub(super) fn kinds_of(bytes: &[u8], kind: Kind) -> (Vec<Kind>, Option<String>) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return (Vec::new(), None);
    };
    let mut names = OtherNames::default();
    let mut kinds = Kind::ALL.to_vec();
    kinds.retain(|&kind| {
        let found = parse(text, kind, &mut OtherNames::default());
        let has_all = |found: &Found| {
            let mut columns = kind.columns().iter().zip(&found.values);
            columns.all(|(column, value)| value.is_some() || !column.need.is_required())
        };
        found.as_ref().is_ok_and(has_all)
    });
    let _ = parse(text, kind, &mut names);
    let lost = names.extra.into_iter().find(|name| kind.refuses(name));
    (kinds, lost)
}

/// The text of an object's store id, if it has one.
pub(super) fn store_of(bytes: &[u8], kind: Kind) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let found = parse(text, kind, &mut OtherNames::default()).ok()?;
    let value = found.values[0]?.get();
    serde_json::from_str(value).ok().or_else(|| Some(value.to_owned()))
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
fn text<'a>(
    written: &'a str,
    slot: usize,
    column: &Column,
    ids_as_written: bool,
    scratch: &mut Vec<u8>,
) -> Result<Text<'a>, Fault<'a>> {
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
        Some(b'-' | b'0'..=b'9') if slot == 0 && !ids_as_written && written.contains(['.', 'e', 'E']) => {
            return Err(damaged(written.as_bytes(), Damage::Rounded));
        }
        Some(b'-' | b'0'..=b'9') => return Ok(Text::Written(written)),
        // A status, or whether a day is closed: the words are read as in a CSV.
        Some(b't' | b'f') if column.code == Code::Status || column.is_flag() => {
            return Ok(Text::Written(written));
        }
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
    synonym: bool,
    extra_column: bool,
}

fn parse<'a>(text: &'a str, kind: Kind, names: &mut OtherNames) -> Result<Found<'a>, Fault<'a>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_map(FoundVisitor(kind, names));
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

struct FoundVisitor<'n>(Kind, &'n mut OtherNames);

impl<'de> Visitor<'de> for FoundVisitor<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as `{\"store_id\": …}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found<'de>, A::Error> {
        let mut found = Found {
            values: [None; FIELDS_MAX],
            twice: None,
            header_case: false,
            synonym: false,
            extra_column: false,
        };
        while let Some(name) = map.next_key_seed(NameSeed(self.0, self.1))? {
            let Some((slot, spelling)) = name else {
                found.extra_column = true;
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            found.header_case |= spelling == Spelling::Case;
            found.synonym |= spelling == Spelling::Synonym;
            if found.values[slot].replace(map.next_value()?).is_some() {
                found.twice.get_or_insert(slot);
            }
        }
        Ok(found)
    }
}

/// Reads a name as the slot of its field.
struct NameSeed<'n>(Kind, &'n mut OtherNames);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<(usize, Spelling)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<(usize, Spelling)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let Self(kind, names) = self;
        let found = kind.slot(name);
        match found {
            None => OtherNames::add(&mut names.extra, name, excerpt_of),
            Some((slot, Spelling::Synonym)) => {
                let own = kind.columns()[slot].name();
                OtherNames::add(&mut names.synonyms, name, |name| {
                    format!("{} is {own}", excerpt_of(name))
                });
            }
            Some(_) => {}
        }
        Ok(found)
    }
}

fn excerpt_of(name: &str) -> String {
    excerpt(name.as_bytes())
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
        let record = record(text.as_bytes());
        let (mut notes, mut names) = (RowNotes::default(), OtherNames::default());
        let got = read(record, kind, false, &mut scratch, &mut notes, &mut names)
            .map(|fields| {
                let fields = (0..kind.required().count()).map(|slot| fields[slot]);
                let fields: Vec<_> = fields.map(String::from_utf8_lossy).collect();
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
        for id in ["true", "[]", "{}"] {
            let text = format!(r#"{{"store_id":{id},"timezone_str":"b"}}"#);
            zone(&text, Err((Code::StoreIdEmpty, Some(0))));
        }
        for id in ["1.0", "1e3", "8.419537941919820732E18", "1.5"] {
            let text = format!(r#"{{"store_id":{id},"timezone_str":"b"}}"#);
            zone(&text, Err((Code::StoreIdDamaged, Some(0))));
        }
        let poll = r#"{"store_id":"a","timestamp_utc":"t","status":true}"#;
        check(poll, Kind::Polls, Ok("a|t|true"));
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
        let (mut notes, mut names) = (RowNotes::default(), OtherNames::default());
        let read = read(latin1, Kind::Timezones, false, &mut scratch, &mut notes, &mut names);
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
        let kinds = |text: &str| kinds_of(text.as_bytes(), Kind::BusinessHours);
        let poll = r#"{"store_id":1,"timestamp_utc":null,"status":[],"x":0}"#;
        assert_eq!(kinds(poll), (vec![Kind::Polls], None));
        let both = r#"{"storeId":1,"timestamp_utc":null,"status":[],"timezone":0}"#;
        assert_eq!(kinds(both).0, [Kind::Polls, Kind::Timezones]);
        assert_eq!(kinds(r#"{"store_id":1}"#), (vec![], None));
        assert_eq!(kinds("[]"), (vec![], None));
        let lost = r#"{"store_id":1,"valid_to":0}"#;
        assert_eq!(kinds(lost).1.as_deref(), Some("valid_to"));
    }
}
