//! Writes the rows of polls quickly, in the format of the sources.

use std::io::{self, Write};

use chrono::DateTime;

use super::store::Id;
use crate::uptime::interval::{HOUR, MINUTE, Micros, SECOND};

/// The file of polls, and its count of rows.
pub(super) struct Rows<'a, W> {
    out: &'a mut W,
    /// The hour of `prefix`.
    hour: Micros,
    /// `2026-11-01 06:`, made once an hour because it is the slow part of a timestamp.
    prefix: Vec<u8>,
    row: Vec<u8>,
    /// The number of rows.
    pub(super) count: u64,
}

impl<'a, W: Write> Rows<'a, W> {
    /// An empty file.
    pub(super) fn new(out: &'a mut W) -> Self {
        Self {
            out,
            hour: Micros::MIN,
            prefix: Vec::new(),
            row: Vec::new(),
            count: 0,
        }
    }

    /// Writes one poll; fast if the poll before it was in the same hour.
    pub(super) fn write(&mut self, id: &Id, at: Micros, active: bool) -> io::Result<()> {
        let hour = at - at.rem_euclid(HOUR);
        if hour != self.hour {
            self.hour = hour;
            let stamp = DateTime::from_timestamp_micros(hour).unwrap_or_default();
            self.prefix = stamp.format("%Y-%m-%d %H:").to_string().into_bytes();
        }
        self.row.clear();
        self.row.extend_from_slice(id.as_bytes());
        let status: &[u8] = if active { b",active," } else { b",inactive," };
        self.row.extend_from_slice(status);
        self.row.extend_from_slice(&self.prefix);
        push_minutes(&mut self.row, at - hour);
        self.row.extend_from_slice(b" UTC\n");
        self.count += 1;
        self.out.write_all(&self.row)
    }
}

/// Appends `MM:SS.ffffff` without trailing zeros, and without the point if no digit is left.
fn push_minutes(row: &mut Vec<u8>, in_hour: Micros) {
    let digit = |unit: Micros, base: Micros| {
        let value = in_hour / unit % base;
        b'0' + u8::try_from(value).unwrap_or(0)
    };
    let text = [
        digit(10 * MINUTE, 6),
        digit(MINUTE, 10),
        b':',
        digit(10 * SECOND, 6),
        digit(SECOND, 10),
        b'.',
        digit(100_000, 10),
        digit(10_000, 10),
        digit(1_000, 10),
        digit(100, 10),
        digit(10, 10),
        digit(1, 10),
    ];
    let mut length = text.len();
    while text[length - 1] == b'0' && length > 6 {
        length -= 1;
    }
    if length == 6 {
        length = 5;
    }
    row.extend_from_slice(&text[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_drop_the_zeros_that_the_sources_drop() {
        for (in_hour, expected) in [
            (0, "00:00"),
            (MINUTE + 7 * SECOND, "01:07"),
            (59 * MINUTE + 59 * SECOND + 999_999, "59:59.999999"),
            (49 * SECOND + 465_440, "00:49.46544"),
            (49 * SECOND + 500_000, "00:49.5"),
            (10 * SECOND + 1, "00:10.000001"),
        ] {
            let mut row = Vec::new();
            push_minutes(&mut row, in_hour);
            assert_eq!(String::from_utf8(row).unwrap(), expected);
        }
    }
}
