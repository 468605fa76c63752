//! A row of the statement: the rounded numbers of one bucket of a store, an owner or the fleet.
//!
//! Statements are stored as these numbers and rendered from them.

use super::bucket_total::{BucketTotal, Known};
use super::interval::Micros;
use super::row::hundredths;
use super::window::{Share, Unit};

/// What a number of a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Hours, in hundredths.
    Hours,
    /// A per cent, in hundredths.
    Percent,
    /// A plain number.
    Count,
    /// Money, in hundredths.
    Money,
}

/// How many numbers a row has.
pub const COLUMNS: usize = 11;

/// The names of the numbers, and what they count, in the order of the statement's columns.
pub const COLUMN_NAMES: [(&str, Measure); COLUMNS] = [
    ("business_time", Measure::Hours),
    ("uptime", Measure::Hours),
    ("downtime", Measure::Hours),
    ("uptime_percent", Measure::Percent),
    ("coverage_percent", Measure::Percent),
    ("downtime_least", Measure::Hours),
    ("downtime_most", Measure::Hours),
    ("incidents", Measure::Count),
    ("lost_sales_least", Measure::Money),
    ("lost_sales", Measure::Money),
    ("lost_sales_most", Measure::Money),
];

/// The numbers of a row; none where the statement has none.
pub type Numbers = [Option<i64>; COLUMNS];

/// The numbers of a total, halves rounded up.
pub fn numbers(total: &BucketTotal) -> Numbers {
    let hours = |micros: Micros| Some(hundredths(micros, Unit::Hours));
    let percent = |part, whole| Share::new(part, whole).map(|share| share.hundredths);
    // Without business time everything is zero, whatever is known.
    let known = total.known.or((total.business == 0).then(Known::default));
    let of = |get: fn(&Known) -> Micros| known.as_ref().and_then(|known| hours(get(known)));
    let [lost_least, lost, lost_most] = total.lost.map_or([None; 3], |lost| lost.hundredths().map(Some));
    [
        hours(total.business),
        of(|known| known.uptime),
        of(|known| known.downtime),
        known.and_then(|known| percent(known.uptime, known.uptime + known.downtime)),
        percent(total.seen, total.business),
        of(|known| known.certainty.least()),
        of(|known| known.certainty.most()),
        known.map(|known| known.incidents),
        lost_least,
        lost,
        lost_most,
    ]
}

/// Appends the stored form of a row: for each number, one more than it, and 0 for none; seven bits a byte, the lowest
/// first, with the high bit set in all but the last byte.
pub fn encode(numbers: &Numbers, out: &mut Vec<u8>) {
    for number in numbers {
        let mut rest = number.map_or(0, |number| number.max(0).cast_unsigned() + 1);
        while rest > 0x7f {
            out.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        out.push(rest.to_le_bytes()[0]);
    }
}

/// Takes the next row off its stored form; none if it is damaged.
pub fn decode(stored: &mut &[u8]) -> Option<Numbers> {
    let mut numbers = Numbers::default();
    for number in &mut numbers {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (&byte, rest) = stored.split_first()?;
            *stored = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        *number = value.checked_sub(1).map(u64::cast_signed);
    }
    Some(numbers)
}

/// Takes the stored form of so many rows off that of all, without looking at their numbers; fewer if it is damaged.
pub fn rows_before<'a>(stored: &mut &'a [u8], rows: usize) -> &'a [u8] {
    let whole = *stored;
    let ends = whole.iter().enumerate().filter(|(_, byte)| **byte & 0x80 == 0);
    let end = match (rows * COLUMNS).checked_sub(1) {
        Some(last) => ends.map(|(at, _)| at + 1).nth(last).unwrap_or(whole.len()),
        None => 0,
    };
    let (taken, rest) = whole.split_at(end);
    *stored = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::super::interval::HOUR;
    use super::*;

    #[test]
    fn unknown_numbers_are_none_and_closed_time_is_zero() {
        let open = BucketTotal {
            business: HOUR,
            ..BucketTotal::default()
        };
        let [business, uptime, .., most, incidents, _, _, _] = numbers(&open);
        assert_eq!((business, uptime, most, incidents), (Some(100), None, None, None));
        assert_eq!(numbers(&open)[4], Some(0), "nothing of it was seen");
        let closed = numbers(&BucketTotal::default().at_rate(Some(5)));
        let zero = Some(0);
        assert_eq!(
            closed,
            [zero, zero, zero, None, None, zero, zero, zero, zero, zero, zero]
        );
    }

    #[test]
    fn rows_come_back_from_their_stored_form() {
        let rows: [Numbers; 3] = [
            [None; COLUMNS],
            std::array::from_fn(|column| Some(1 << (5 * column))),
            std::array::from_fn(|column| (column % 2 == 0).then_some(i64::MAX)),
        ];
        let mut stored = Vec::new();
        rows.iter().for_each(|row| encode(row, &mut stored));
        let mut rest = &stored[..];
        for row in &rows {
            assert_eq!(decode(&mut rest).as_ref(), Some(row));
        }
        assert_eq!((rest, decode(&mut rest)), (&[][..], None));
        assert_eq!(decode(&mut &[0xff; 40][..]), None);
    }
}
