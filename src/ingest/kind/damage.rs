//! Damaged ids: the shapes that spreadsheets and dumps give to store ids, or to a cell without one.
//!
//! A spreadsheet keeps 15 digits of a number, and ids have up to 19: two stores become one.

/// What happened to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ingest) enum Damage {
    /// It was read as a number: `2.57E+14`, `257000000000000.0`.
    Rounded,
    /// Characters were added: `'8139`, `="8139"`, `8,139,926`.
    Dressed,
    /// It is a word for nothing: `#N/A`, `nan`, `NULL`, `\N`, `####`.
    Missing,
}

/// Words for a missing value, in lower case.
const MISSING: [&str; 20] = [
    "nan",
    "null",
    "none",
    "n/a",
    "nil",
    "nat",
    "undefined",
    "\\n",
    "(null)",
    "<null>",
    "[null]",
    "<na>",
    "#n/a",
    "#ref!",
    "#value!",
    "#name?",
    "#div/0!",
    "#null!",
    "#num!",
    "#spill!",
];

impl Damage {
    /// The damage that an id shows; none for an id of any other shape. It runs for every row, so the first
    /// character decides where to look.
    pub(in crate::ingest) fn of(id: &str) -> Option<Self> {
        let bytes = id.as_bytes();
        let is_dressed = match bytes.first()? {
            b'0'..=b'9' | b'+' | b'-' => {
                let is_whole = bytes.iter().fold(true, |whole, byte| whole & byte.is_ascii_digit());
                if is_whole {
                    return None;
                }
                if is_float(id) {
                    return Some(Self::Rounded);
                }
                is_grouped(id)
            }
            b'\'' => begins_as_an_id(&id[1..]),
            b'=' => (id.starts_with("=\"") && id.ends_with('"')) || (id.starts_with("='") && id.ends_with('\'')),
            _ => {
                let is_missing = bytes.len() <= 9 && (MISSING.contains(&&*id.to_ascii_lowercase()) || id == "NA");
                let is_hashes = bytes.len() >= 2 && bytes.iter().all(|&byte| byte == b'#');
                return (is_missing || is_hashes).then_some(Self::Missing);
            }
        };
        is_dressed.then_some(Self::Dressed)
    }
}

/// Whether a text after an apostrophe is an id: it begins with a digit, or is a UUID.
fn begins_as_an_id(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) || uuid::Uuid::try_parse(text.trim_end_matches('\'')).is_ok()
}

/// Whether a text is a number with commas between thousands, at least two.
fn is_grouped(text: &str) -> bool {
    let mut groups = text.split(',');
    let is_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    let mut count = 0;
    let rest = groups.all(|group| {
        count += 1;
        group.len() == 3 && is_digits(group)
    });
    (1..=3).contains(&first.len()) && is_digits(first) && rest && count >= 2
}

/// Whether a text is a number as programs write one that they do not hold as a whole number: with an exponent
/// that has a sign or follows a fraction, or with a fraction of zeros. `1e5` may be a hexadecimal id.
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let digits = exponent.strip_prefix(['+', '-']);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_mantissa = is_digits(whole) && (fraction.is_empty() || is_digits(fraction));
        let is_plain = digits.is_none() && !mantissa.contains('.');
        return is_mantissa && is_digits(digits.unwrap_or(exponent)) && !is_plain;
    }
    match text.split_once('.') {
        Some((whole, fraction)) => {
            let zeros = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
            is_digits(whole) && zeros
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_of_spreadsheets_and_dumps_are_told_from_ids() {
        use Damage::{Dressed, Missing, Rounded};
        for (id, damage) in [
            ("2.57E+14", Rounded),
            ("2.57e+14", Rounded),
            ("8.14E18", Rounded),
            ("8E+18", Rounded),
            ("-1.5e-07", Rounded),
            ("257000000000000.0", Rounded),
            ("7.00", Rounded),
            ("'8139926242460185114", Dressed),
            ("'c7a5f9d2-8a55-4a49-9d0e-6a3c8a1f2b3c", Dressed),
            ("=\"8139926242460185114\"", Dressed),
            ("8,139,926,242,460,185,114", Dressed),
            ("#N/A", Missing),
            ("#REF!", Missing),
            ("nan", Missing),
            ("NaN", Missing),
            ("NULL", Missing),
            ("None", Missing),
            ("NA", Missing),
            ("\\N", Missing),
            ("####", Missing),
            ("########################", Missing),
        ] {
            assert_eq!(Damage::of(id), Some(damage), "{id}");
        }
        for id in [
            "8139926242460185114",
            "0001",
            "1e",
            "1e5",
            "12e4",
            "12.5",
            "1.",
            ".0",
            "=1+1",
            "a'; DROP TABLE polls;--",
            "'s-gravenhage",
            "nancy",
            "nulls",
            "na",
            "#1",
            "#",
            "1,234",
            "12,34,567",
            "e+5",
            "5e+",
            "1.2.0",
            "infinity",
        ] {
            assert_eq!(Damage::of(id), None, "{id}");
        }
    }
}
