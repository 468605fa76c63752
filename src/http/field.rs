//! A field of a request: its name, and the values that it takes.
//!
//! `/openapi.json` describes a field by [`Field::schema`], and the router refuses by [`Field::check`] what that
//! excludes. Both read [`Values`], so a field takes what its description says.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::civil;
use crate::error::{Error, Result};

/// The values that a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Any text; an empty one says nothing.
    Text,
    /// A month such as `2026-10`, or an ISO week such as `2026-W44`.
    Period,
    /// The name of a file or page of the program.
    File,
    /// A store's id.
    Store,
    /// An owner's name.
    Owner,
    /// The name of a token or a share link.
    Credential,
    /// A report's id.
    Report,
    /// An instant.
    Instant,
    /// A date.
    Date,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number from the first to the second.
    Number(usize, usize),
}

/// A field of a query or of a path.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The values that it takes.
    pub values: Values,
    /// The value that a missing one stands for, as JSON; empty for none.
    pub default: &'static str,
    /// Its meaning.
    pub about: &'static str,
    /// Whether it is required.
    pub required: bool,
}

impl Field {
    /// An optional field.
    pub const fn new(name: &'static str, values: Values, about: &'static str) -> Self {
        Self {
            name,
            values,
            default: "",
            about,
            required: false,
        }
    }

    /// The same field, required.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same field with the JSON of the value that a missing one stands for.
    pub const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// Whether it names something that may not exist.
    pub const fn names_something(&self) -> bool {
        matches!(
            self.values,
            Values::Store | Values::Owner | Values::Credential | Values::Report | Values::File
        )
    }

    /// Whether it takes any value that a path or a query can have.
    pub const fn takes_any_value(&self) -> bool {
        matches!(
            self.values,
            Values::Text | Values::Store | Values::Owner | Values::Credential | Values::File
        )
    }

    /// Its JSON schema.
    pub fn schema(&self) -> Value {
        let mut schema = match self.values {
            Values::Text => json!({"type": "string"}),
            Values::Store | Values::Owner | Values::Credential | Values::File => {
                json!({"type": "string", "minLength": 1})
            }
            Values::Report => json!({"type": "string", "format": "uuid"}),
            Values::Instant => json!({"type": "string", "format": "date-time"}),
            Values::Date => json!({"type": "string", "format": "date"}),
            Values::Period => json!({"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2]|W[0-5][0-9])$"}),
            Values::OneOf(words) => json!({"type": "string", "enum": words}),
            Values::Number(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        };
        if let Ok(default) = serde_json::from_str::<Value>(self.default) {
            schema["default"] = default;
        }
        schema
    }

    /// Checks a value.
    ///
    /// # Errors
    /// When the schema excludes it.
    pub fn check(&self, value: &str) -> Result<()> {
        let name = self.name;
        if value.is_empty() && self.values != Values::Text {
            let detail = format!("{name} is empty (give it a value, or leave it out)");
            return Err(Error::invalid(detail));
        }
        let in_field = |error: Error| Error::invalid(format!("`{name}`: {}", error.message()));
        match self.values {
            Values::Text | Values::Store | Values::Owner | Values::Credential | Values::File => Ok(()),
            Values::Period if is_period(value) => Ok(()),
            Values::Period => Err(unknown(name, value, PERIODS)),
            Values::Report => report_id(value).map(drop),
            Values::Instant => civil::parse_query_instant(value).map(drop).map_err(in_field),
            Values::Date => civil::parse_day(value).map(drop).map_err(in_field),
            Values::OneOf(words) if words.contains(&value) => Ok(()),
            Values::OneOf(words) => Err(unknown(name, value, &listed(words))),
            Values::Number(from, to) => number(name, value, from, to).map(drop),
        }
    }
}

/// What a period is, for the refusal of another text.
pub const PERIODS: &str = "a month such as 2026-10, or an ISO week such as 2026-W44";

/// Whether a text looks like a month or a week; the year decides whether it has a week 53.
fn is_period(text: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((year, part)) = text.split_once('-') else {
        return false;
    };
    let (part, range) = part.strip_prefix('W').map_or((part, 1..=12), |week| (week, 0..=59));
    digits(year, 4) && digits(part, 2) && part.parse().is_ok_and(|part: u8| range.contains(&part))
}

/// The refusal of an unknown value of a field.
pub fn unknown(field: &str, value: &str, expected: &str) -> Error {
    let value = value.escape_debug();
    Error::invalid(format!("unknown {field} `{value}` (expected {expected})"))
}

/// The number from `from` to `to` in the field `name`.
///
/// # Errors
/// When it is no such number.
pub fn number(name: &str, value: &str, from: usize, to: usize) -> Result<usize> {
    let number = value.parse().ok().filter(|number| (from..=to).contains(number));
    number.ok_or_else(|| unknown(name, value, &format!("a number from {from} to {to}")))
}

/// The id of a report.
///
/// # Errors
/// When it is no UUID.
pub fn report_id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| {
        let text = text.escape_debug();
        Error::invalid(format!("`{text}` is not a report id (expected a UUID)"))
    })
}

/// Words as a sentence lists them: `` `a`, `b` or `c` ``.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [most @ .., last] => format!("`{}` or `{last}`", most.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(values: Values, value: &str) -> Option<String> {
        let checked = Field::new("it", values, "").check(value);
        checked.err().map(|error| error.message().to_owned())
    }

    #[test]
    fn a_field_refuses_what_its_schema_excludes_and_says_what_it_takes() {
        let words = Values::OneOf(&["up", "down", "left"]);
        for (values, value, told) in [
            (words, "right", "unknown it `right` (expected `up`, `down` or `left`)"),
            (
                Values::Number(1, 100),
                "101",
                "unknown it `101` (expected a number from 1 to 100)",
            ),
            (
                Values::Number(1, 100),
                "-1",
                "unknown it `-1` (expected a number from 1 to 100)",
            ),
            (Values::Report, "7", "`7` is not a report id (expected a UUID)"),
            (
                Values::Date,
                "2026-02-30",
                "`it`: `2026-02-30` is not a day (expected one such as `2026-11-01`)",
            ),
        ] {
            assert_eq!(refusal(values, value).as_deref(), Some(told));
        }
        for period in ["2026", "2026-13", "2026-1", "2026-W6", "2026-W60", "+026-10", "2026-+1"] {
            assert!(refusal(Values::Period, period).is_some(), "{period}");
        }
        assert!(refusal(Values::Instant, "soon").unwrap().starts_with("`it`: `soon`"));
        for (values, value) in [
            (words, "left"),
            (Values::Number(1, 100), "100"),
            (Values::Report, "00000000-0000-4000-8000-000000000000"),
            (Values::Date, "2026-02-28"),
            (Values::Instant, "2026-11-01T12:00:00+01:00"),
            (Values::Store, " "),
            (Values::Period, "2026-10"),
            (Values::Period, "2026-W53"),
            (Values::Text, ""),
        ] {
            assert_eq!(refusal(values, value), None, "{values:?} {value}");
        }
    }

    #[test]
    fn only_a_text_that_may_say_nothing_may_be_empty() {
        let all = [
            Values::Period,
            Values::File,
            Values::Store,
            Values::Owner,
            Values::Report,
            Values::Instant,
            Values::Date,
            Values::OneOf(&["", "a"]),
            Values::Number(0, 1),
        ];
        for values in all {
            let told = refusal(values, "").unwrap_or_default();
            assert!(told.starts_with("it is empty"), "{values:?}: {told}");
        }
    }
}
