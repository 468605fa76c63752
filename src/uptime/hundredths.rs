//! Hundredths: decimal numbers with at most two places and no sign, exact as whole numbers.

/// The most digits before the point.
const WHOLE_DIGITS_MAX: usize = 10;

/// The hundredths of a number such as `120`, `120.5` or `120.50`; none of any other text.
pub fn parse(text: &str) -> Option<i64> {
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, part)| (whole, Some(part)));
    let is_digits =
        |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole, WHOLE_DIGITS_MAX) || !fraction.is_none_or(|part| is_digits(part, 2)) {
        return None;
    }
    let hundredths: i64 = format!("{:0<2}", fraction.unwrap_or_default()).parse().ok()?;
    Some(whole.parse::<i64>().ok()? * 100 + hundredths)
}

/// The number with two places: `120.50`.
pub fn format(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_places_are_exact_and_all_else_is_none() {
        for (text, expected) in [
            ("0", 0),
            ("0.05", 5),
            ("120", 12_000),
            ("120.5", 12_050),
            ("120.50", 12_050),
            ("007.10", 710),
            ("9999999999.99", 999_999_999_999),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
            assert_eq!(parse(&format(expected)), Some(expected));
        }
        assert_eq!(format(12_050), "120.50");
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "+1",
            "1.505",
            "1.500",
            "1,50",
            "1,000.50",
            "$120",
            "120 €",
            "1e3",
            "NaN",
            "inf",
            "0x10",
            "1_000",
            " 1",
            "1.-5",
            "1.5.0",
            "12345678901",
            "٣",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
