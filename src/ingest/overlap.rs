//! Business hours of one store that overlap: legal, and worth a note.
//!
//! It must never know which store it is.

use std::collections::btree_map::BTreeMap;

use crate::uptime::business_hours::WeeklyRow;
use crate::uptime::interval::{DAY, Interval, Micros};

/// The line of the first row that overlaps another of the same store's week; none where none does.
pub(super) fn overlapping(rows: &BTreeMap<WeeklyRow, u64>) -> Option<u64> {
    let mut week: Vec<(Interval, u64)> = rows
        .iter()
        .map(|(&row, &line)| (in_week(row), line))
        .collect();
    week.sort_unstable();
    let wrapped = week.first().map(|&(first, line)| {
        (
            Interval::new(first.start + 7 * DAY, first.end + 7 * DAY),
            line,
        )
    });
    let mut furthest = Micros::MIN;
    let mut overlapping = Vec::new();
    for (interval, line) in week.into_iter().chain(wrapped) {
        if interval.start < furthest {
            overlapping.push(line);
        }
        furthest = furthest.max(interval.end);
    }
    overlapping.into_iter().min()
}

/// A weekly row as a stretch of a week that begins on Monday.
fn in_week(row: WeeklyRow) -> Interval {
    let midnight = i64::from(row.weekday) * DAY;
    let overnight = if row.end_us_local <= row.start_us_local {
        DAY
    } else {
        0
    };
    Interval::new(
        midnight + row.start_us_local,
        midnight + overnight + row.end_us_local,
    )
}
