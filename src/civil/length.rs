//! Lengths of time as people set them: `90s`, `15m`, `6h`, `1d`.

use crate::error::{Error, Result};
use crate::uptime::interval::{DAY, HOUR, MINUTE, Micros, SECOND};

/// The greatest number before a unit.
const NUMBER_MAX: i64 = 36_500;

/// The length that a text says.
///
/// # Errors
/// When it is not a number above zero with `s`, `m`, `h` or `d`.
pub fn parse_length(text: &str) -> Result<Micros> {
    let expected = || Error::invalid("expected a number with s, m, h or d, such as 15m, 6h or 30d");
    let at = text
        .find(|letter: char| !letter.is_ascii_digit())
        .ok_or_else(expected)?;
    let (number, unit) = text.split_at(at);
    let unit = match unit {
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err(expected()),
    };
    let number = number.parse().ok().filter(|number| (1..=NUMBER_MAX).contains(number));
    Ok(number.ok_or_else(expected)? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_number_with_a_unit() {
        for (text, length) in [
            ("90s", 90 * SECOND),
            ("15m", 15 * MINUTE),
            ("6h", 6 * HOUR),
            ("36500d", 36_500 * DAY),
        ] {
            assert_eq!(parse_length(text).unwrap(), length, "{text}");
        }
        for text in ["", "d", "0d", "-1d", "1", "1w", "36501d", "1d2h", "1 d", "1.5h", "１d"] {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }
}
