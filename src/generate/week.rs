//! The weekly hours of stores: about a hundred templates, with the quirks of real sources.

/// Seconds in an hour of wall time.
const HOUR_SECONDS: u32 = 3600;
/// `24:00:00`, a legal end.
const MIDNIGHT: u32 = 24 * HOUR_SECONDS;
/// The end of a day that goes on after midnight, in the spellings of real sources.
const DAY_ENDS: [u32; 3] = [MIDNIGHT - 60, MIDNIGHT - 1, MIDNIGHT];

/// One row of business hours. Times are seconds of wall time since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// 0 = Monday … 6 = Sunday.
    day: u8,
    start_local_s: u32,
    end_local_s: u32,
}

impl Row {
    /// The row without the store's id: `,day,start,end`.
    fn line(self) -> String {
        let (start, end) = (wall(self.start_local_s), wall(self.end_local_s));
        format!(",{},{start},{end}", self.day)
    }

    /// The row in winter: an evening ends an hour earlier.
    fn in_winter(self) -> Self {
        let evening = 19 * HOUR_SECONDS..MIDNIGHT - 60;
        let is_evening = evening.contains(&self.end_local_s) && self.end_local_s > self.start_local_s + HOUR_SECONDS;
        Self {
            end_local_s: self.end_local_s - if is_evening { HOUR_SECONDS } else { 0 },
            ..self
        }
    }
}

/// `HH:MM:SS`.
fn wall(seconds: u32) -> String {
    let (hours, minutes) = (seconds / HOUR_SECONDS, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// A template as lines without a store's id and without a line end.
pub(super) struct Week {
    /// The usual hours.
    pub(super) summer: Vec<String>,
    /// The hours in winter, of a store that has others then.
    pub(super) winter: Vec<String>,
}

/// All templates, each with its weight.
pub(super) fn weeks() -> Vec<(u32, Week)> {
    let week = |rows: Vec<Row>| Week {
        summer: rows.iter().map(|row| row.line()).collect(),
        winter: rows.iter().map(|row| row.in_winter().line()).collect(),
    };
    let weeks = templates().into_iter();
    weeks.map(|(weight, rows)| (weight, week(rows))).collect()
}

/// All templates, each with its weight: how many of about ten thousand stores have it.
fn templates() -> Vec<(u32, Vec<Row>)> {
    let mut weeks = Vec::new();
    never_closed(&mut weeks);
    plain(&mut weeks);
    past_midnight(&mut weeks);
    several_a_day(&mut weeks);
    odd(&mut weeks);
    weeks
}

/// The same rows, given as hours and minutes (`1130`), on each of `days`.
fn on(days: impl IntoIterator<Item = u8>, rows: &[(u32, u32)]) -> Vec<Row> {
    let seconds = |clock: u32| clock / 100 * HOUR_SECONDS + clock % 100 * 60;
    let row = |day, &(start, end)| Row {
        day,
        start_local_s: seconds(start),
        end_local_s: seconds(end),
    };
    days.into_iter()
        .flat_map(|day| rows.iter().map(move |times| row(day, times)))
        .collect()
}

/// Open all week, in five common spellings.
fn never_closed(weeks: &mut Vec<(u32, Vec<Row>)>) {
    for (weight, end) in [900, 450, 60].into_iter().zip(DAY_ENDS) {
        let mut week = on(0..7, &[(0, 0)]);
        week.iter_mut().for_each(|row| row.end_local_s = end);
        weeks.push((weight, week));
    }
    weeks.push((30, on(0..7, &[(0, 0)])));
    weeks.push((20, on(0..7, &[(600, 600)])));
}

/// One row a day that ends before midnight.
fn plain(weeks: &mut Vec<(u32, Vec<Row>)>) {
    for open in [600, 700, 1000, 1030, 1100, 1130] {
        for close in [1900, 2000, 2100, 2145, 2200, 2300] {
            let weight = if open == 1100 { 300 } else { 110 };
            weeks.push((weight, on(0..7, &[(open, close)])));
        }
    }
    for open in [1100, 1600, 1700] {
        for close in [2100, 2200] {
            weeks.push((60, on(1..7, &[(open, close)]))); // closed on Mondays
        }
    }
    for close in [1500, 1700, 2030] {
        weeks.push((50, on(0..5, &[(800, close)])));
        weeks.push((50, on(0..6, &[(900, close)])));
    }
    let brunch = [on(1..5, &[(1130, 2130)]), on(5..7, &[(930, 1500)])];
    weeks.push((40, brunch.concat()));
    let night = [on(0..4, &[(1100, 2200)]), on(4..6, &[(1100, 2345)])];
    weeks.push((120, night.concat()));
}

/// Nights that run into the next day: split at midnight, or one row that ends before it starts.
fn past_midnight(weeks: &mut Vec<(u32, Vec<Row>)>) {
    for open in [700, 1100, 1630] {
        for close in [100, 200] {
            for end in DAY_ENDS {
                let mut evenings = on(0..7, &[(open, 0)]);
                evenings.iter_mut().for_each(|row| row.end_local_s = end);
                weeks.push((55, [evenings, on(0..7, &[(0, close)])].concat()));
            }
        }
    }
    for end in [MIDNIGHT - 60, MIDNIGHT - 1] {
        let mut evenings = on(4..6, &[(1100, 0)]);
        evenings.iter_mut().for_each(|row| row.end_local_s = end);
        let rest = [on(0..4, &[(1100, 2300)]), on([6], &[(1100, 2200)])];
        let week = [evenings, on(5..7, &[(0, 130)]), rest.concat()];
        weeks.push((110, week.concat()));
    }
    for open in [1100, 1600, 1800] {
        for close in [100, 230, 400] {
            weeks.push((25, on(0..7, &[(open, close)])));
        }
    }
    weeks.push((25, on(3..7, &[(2000, 300)])));
}

/// Split shifts, and gaps of a minute or a second that are no closing.
fn several_a_day(weeks: &mut Vec<(u32, Vec<Row>)>) {
    for close in [2130, 2200] {
        weeks.push((80, on(0..7, &[(1100, 1430), (1700, close)])));
        weeks.push((40, on(1..6, &[(1130, 1400), (1730, close)])));
    }
    let three = [(700, 1000), (1130, 1430), (1730, 2130)];
    weeks.push((20, on(0..7, &three)));
    weeks.push((40, on(0..7, &[(600, 1019), (1020, 2200)])));
    weeks.push((20, on(0..7, &[(0, 1019), (1020, 2359)])));
    let mut second = on(0..7, &[(600, 1030), (1030, 1700), (1700, 2200)]);
    for row in second.iter_mut().filter(|row| row.end_local_s % 100 == 0) {
        if row.end_local_s < 22 * HOUR_SECONDS {
            row.end_local_s -= 1;
        }
    }
    weeks.push((25, second));
    let four = [(0, 100), (600, 1029), (1030, 1659), (1700, 2359)];
    weeks.push((25, on(0..7, &four)));
}

/// Mistakes that sources contain.
fn odd(weeks: &mut Vec<(u32, Vec<Row>)>) {
    weeks.push((10, on([0, 1, 2, 4], &[(0, 10)]))); // ten minutes after midnight
    weeks.push((10, on(0..7, &[(1100, 1500), (1400, 2200)]))); // rows that overlap
    weeks.push((5, on(0..7, &[(1000, 2100), (1000, 2100)]))); // the same row twice
    weeks.push((10, on([5], &[(900, 1300)])));
    weeks.push((10, on([0, 2, 4], &[(1200, 2000)])));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(found: impl Fn(&[Row]) -> bool) -> bool {
        templates().iter().any(|(_, week)| found(week))
    }

    #[test]
    fn there_are_some_hundred_weeks_that_many_stores_share() {
        assert!((60..=120).contains(&templates().len()));
        for (weight, week) in templates() {
            assert!(weight > 0 && !week.is_empty());
            for row in week {
                assert!(row.day < 7 && row.start_local_s < MIDNIGHT && row.end_local_s <= MIDNIGHT);
            }
        }
    }

    #[test]
    fn every_quirk_is_there() {
        let has = |start: &str, end: &str| {
            any(|week| {
                week.iter()
                    .any(|row| wall(row.start_local_s) == start && wall(row.end_local_s) == end)
            })
        };
        assert!(has("00:00:00", "23:59:00"), "never closed, to the minute");
        assert!(has("00:00:00", "23:59:59"), "never closed, to the second");
        assert!(has("00:00:00", "24:00:00"), "24:00:00");
        assert!(has("06:00:00", "06:00:00"), "start = end");
        assert!(has("18:00:00", "02:30:00"), "overnight");
        assert!(has("06:00:00", "10:19:00") && has("10:20:00", "22:00:00"));
        assert!(has("06:00:00", "10:29:59") && has("10:30:00", "16:59:59"));
        assert!(any(|week| week.iter().all(|row| row.day != 0)), "Mondays");
        assert!(
            any(|week| week.iter().filter(|row| row.day == 3).count() == 4),
            "four rows a day"
        );
    }
}
