//! Business hours: from a calendar of wall times in a zone to the open intervals of any span.
//!
//! The report, the pages and the lake call [`Pattern::open`] for a store's business time. It gives the same
//! business time however time is cut into spans.
//!
//! # Wall time to instants
//! A wall time is one instant. A time that occurs twice, because clocks go back, is its *first* occurrence. A time
//! that never occurs, because clocks go forward or a date is skipped, is the instant of the jump. Lengths are
//! elapsed time, so a night on which clocks go back is longer.
//!
//! # Seams
//! Two stretches with at most [`SEAM_MAX`] between them are one. Sources write `23:59:00` or `23:59:59` before
//! the next day's `00:00:00`: that means midnight, not a closing.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::calendar::{Calendar, LocalDate, WeeklyRow, weekday_of};
use super::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros, SECOND};

/// The longest gap between two open stretches that is joined and not a closing.
pub const SEAM_MAX: Micros = MINUTE;

/// The zone of a store without a zone in any input.
pub const ZONE_DEFAULT: Tz = Tz::America__Chicago;

/// How far outside a span a row's wall times or a zone's offset can affect it.
const MARGIN: Micros = 3 * DAY;

/// The interval at which a zone's offset is sampled. No zone in the tz database has changed its offset and
/// changed it back within a day since 1970; a test checks the years that polls may have.
const OFFSET_SAMPLE: Micros = 12 * HOUR;

/// A stretch of UTC time in which a zone's clocks keep one offset.
#[derive(Clone, Copy, Debug)]
struct Offsets {
    utc: Interval,
    /// Local minus UTC.
    offset: Micros,
}

impl Offsets {
    /// The wall times of the zone in that stretch.
    fn local(self) -> Interval {
        Interval::new(self.utc.start + self.offset, self.utc.end + self.offset)
    }
}

/// A zone's offsets from UTC around a span, from which wall times become instants.
#[derive(Debug)]
pub struct ZoneTable {
    stretches: Vec<Offsets>,
}

impl ZoneTable {
    /// The offsets of `zone` in `span` and some days around it; the last offset is used for all later times.
    pub fn new(zone: Tz, span: Interval) -> Self {
        let end = span.end + MARGIN;
        let mut start = (span.start - MARGIN).div_euclid(SECOND) * SECOND;
        let mut stretches = Vec::new();
        while start < end {
            let offset = offset_at(zone, start);
            let change = next_change(zone, start, end);
            stretches.push(Offsets {
                utc: Interval::new(start, change),
                offset,
            });
            start = change;
        }
        if let Some(last) = stretches.last_mut() {
            last.utc.end = Micros::MAX / 2;
        }
        Self { stretches }
    }

    /// The wall time at `at`, in microseconds from 1970-01-01T00:00 on the wall clock.
    pub fn wall(&self, at: Micros) -> Micros {
        at + self.offset(at)
    }

    /// How far the wall clock is ahead of UTC at `at`, an instant near the span.
    pub fn offset(&self, at: Micros) -> Micros {
        let stretches = &self.stretches;
        let next = stretches.partition_point(|stretch| stretch.utc.end <= at);
        let stretch = stretches.get(next).or(stretches.last());
        stretch.map_or(0, |stretch| stretch.offset)
    }

    /// The local days that `span` touches, in order: the date and its interval. A date that the zone skips is left
    /// out.
    pub fn days(&self, span: Interval) -> Vec<(LocalDate, Interval)> {
        let (first, last) = (self.wall(span.start), self.wall(span.end - 1));
        let dates = first.div_euclid(DAY)..=last.div_euclid(DAY);
        let day = |date: LocalDate| (date, self.dates(date, date));
        dates.map(day).filter(|(_, day)| !day.is_empty()).collect()
    }

    /// From the midnight of `first` to that after `last`; both dates are near the span.
    pub fn dates(&self, first: LocalDate, last: LocalDate) -> Interval {
        Interval::new(self.instant(first * DAY), self.instant((last + 1) * DAY))
    }

    /// Cuts `stretch` at every full hour of the wall clock and at changes of the offset. `each` receives
    /// the weekday (0 = Monday), the hour and the length of each piece.
    pub fn by_hour(&self, stretch: Interval, mut each: impl FnMut(usize, usize, Micros)) {
        let first = self.stretches.partition_point(|part| part.utc.end <= stretch.start);
        for part in self.stretches.iter().skip(first) {
            let mut rest = part.utc.intersection(stretch);
            if rest.is_empty() {
                break;
            }
            while !rest.is_empty() {
                let wall = rest.start + part.offset;
                let hour = wall.div_euclid(HOUR);
                let end = rest.end.min((hour + 1) * HOUR - part.offset);
                let of_day = usize::try_from(hour.rem_euclid(24)).unwrap_or_default();
                each(weekday_of(wall.div_euclid(DAY)), of_day, end - rest.start);
                rest.start = end;
            }
        }
    }

    /// The instant of the wall time `local`, by the rules at the head of this file.
    ///
    /// `local` counts microseconds from 1970-01-01T00:00 on the wall clock and lies near the span.
    pub fn instant(&self, local: Micros) -> Micros {
        let stretches = &self.stretches;
        let first = stretches.partition_point(|stretch| stretch.local().end <= local);
        match stretches.get(first).or(stretches.last()) {
            // A time before this stretch and after all earlier ones was skipped by the clocks.
            Some(stretch) => local.max(stretch.local().start) - stretch.offset,
            None => local,
        }
    }
}

/// The offset from UTC of `zone` at `at`.
fn offset_at(zone: Tz, at: Micros) -> Micros {
    let utc = DateTime::from_timestamp_micros(at).unwrap_or_default().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * SECOND
}

/// The first instant after `start` at which `zone` has another offset, or `end` if that comes first.
fn next_change(zone: Tz, start: Micros, end: Micros) -> Micros {
    let offset = offset_at(zone, start);
    let mut same = start;
    while same < end {
        let mut other = same + OFFSET_SAMPLE;
        if offset_at(zone, other) != offset {
            // The tz database changes offsets on whole seconds.
            while other - same > SECOND {
                let middle = same + (other - same) / 2 / SECOND * SECOND;
                if offset_at(zone, middle) == offset {
                    same = middle;
                } else {
                    other = middle;
                }
            }
            return other.min(end);
        }
        same = other;
    }
    end
}

/// A zone and a calendar. Thousands of stores share a few hundred of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// The zone of the wall clock.
    pub zone: Tz,
    /// The hours.
    pub calendar: Calendar,
}

impl Pattern {
    /// The pattern of weekly hours that never change; no rows mean always open.
    pub fn weekly(zone: Tz, rows: Vec<WeeklyRow>) -> Self {
        let calendar = Calendar::weekly(rows);
        Self { zone, calendar }
    }

    /// The business time inside `span`, which may have any length.
    ///
    /// `zone` is a table of the pattern's own zone, made for a span that contains this one.
    ///
    /// ```
    /// use store_monitor::uptime::business_hours::{Pattern, ZONE_DEFAULT, ZoneTable};
    /// use store_monitor::uptime::calendar::WeeklyRow;
    /// use store_monitor::uptime::interval::{DAY, HOUR, Interval};
    /// // 2026-10-26T00:00Z is a Monday; Chicago is then five hours behind UTC.
    /// let monday = 20_752 * DAY;
    /// let span = Interval::new(monday, monday + 7 * DAY);
    /// let row = WeeklyRow::open(0, 9 * HOUR, 17 * HOUR);
    /// let pattern = Pattern::weekly(ZONE_DEFAULT, vec![row]);
    /// let open = pattern.open(&ZoneTable::new(pattern.zone, span), span);
    /// assert_eq!(open.as_slice(), [Interval::new(monday + 14 * HOUR, monday + 22 * HOUR)]);
    /// ```
    pub fn open(&self, zone: &ZoneTable, span: Interval) -> Intervals {
        if self.calendar.is_always_open() {
            return Intervals::union_of(vec![span]);
        }
        // Offsets are below a day, and a row reaches into the next day: two days on either side find
        // every row that can touch the span, or join one that does.
        let mut open = Vec::new();
        for date in span.start.div_euclid(DAY) - 2..=span.end.div_euclid(DAY) + 2 {
            let midnight = date * DAY;
            open.extend(self.calendar.times_on(date).map(|[start, end]| {
                let overnight = if end <= start { DAY } else { 0 };
                let closing = midnight + overnight + end;
                Interval::new(zone.instant(midnight + start), zone.instant(closing))
            }));
        }
        Intervals::union_across(open, SEAM_MAX).clip(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instants of a zone's change, and of wall times around it, as `tzdata` has them.
    fn instants(zone: Tz, around: &str, local: &[&str]) -> Vec<String> {
        let parse = |text: &str| {
            chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
                .expect("a civil time")
                .and_utc()
                .timestamp_micros()
        };
        let at = parse(around);
        let table = ZoneTable::new(zone, Interval::new(at - DAY, at + DAY));
        let show = |at| {
            DateTime::from_timestamp_micros(at)
                .expect("in range")
                .naive_utc()
                .to_string()
        };
        local.iter().map(|text| show(table.instant(parse(text)))).collect()
    }

    #[test]
    fn a_wall_time_that_occurs_twice_is_its_first_occurrence() {
        let local = ["2026-11-01 00:59:59", "2026-11-01 01:30:00", "2026-11-01 02:00:00"];
        let utc = ["2026-11-01 04:59:59", "2026-11-01 05:30:00", "2026-11-01 07:00:00"];
        assert_eq!(instants(Tz::America__New_York, "2026-11-01 06:00:00", &local), utc);
    }

    #[test]
    fn a_wall_time_that_never_occurs_is_the_instant_of_the_jump() {
        let local = ["2026-03-08 01:59:59", "2026-03-08 02:30:00", "2026-03-08 03:00:00"];
        let utc = ["2026-03-08 06:59:59", "2026-03-08 07:00:00", "2026-03-08 07:00:00"];
        assert_eq!(instants(Tz::America__New_York, "2026-03-08 07:00:00", &local), utc);
        let skipped = instants(Tz::Pacific__Apia, "2011-12-30 10:00:00", &["2011-12-30 12:00:00"]);
        assert_eq!(skipped, ["2011-12-30 10:00:00"]);
    }

    #[test]
    fn a_local_day_may_have_25_hours_and_its_hours_are_the_wall_clocks() {
        // 2026-11-01: New York goes back from 02:00 to 01:00 at 06:00 UTC.
        let sunday = 20_758 * DAY;
        let span = Interval::new(sunday + 12 * HOUR, sunday + 36 * HOUR);
        let table = ZoneTable::new(Tz::America__New_York, span);
        let days = table.days(span);
        let day = Interval::new(sunday + 4 * HOUR, sunday + 29 * HOUR);
        assert_eq!(days[0], (20_758, day));
        let mut hours = [0; 24];
        table.by_hour(day, |weekday, hour, length| {
            assert_eq!(weekday, 6);
            hours[hour] += length;
        });
        assert_eq!((hours[0], hours[1], hours[2]), (HOUR, 2 * HOUR, HOUR));
        assert_eq!(table.wall(day.end - 1), sunday + DAY - 1);
        // Half-hour offsets, and a date that the zone skipped.
        let mut pieces = Vec::new();
        let table = ZoneTable::new(Tz::Asia__Kolkata, span);
        table.by_hour(Interval::new(sunday, sunday + HOUR), |_, hour, length| {
            pieces.push((hour, length));
        });
        assert_eq!(pieces, [(5, 30 * MINUTE), (6, 30 * MINUTE)]);
        let skipped = 15_338 * DAY;
        let span = Interval::new(skipped - DAY, skipped + DAY);
        let dates = ZoneTable::new(Tz::Pacific__Apia, span).days(span);
        let dates: Vec<_> = dates.into_iter().map(|(date, _)| date - 15_338).collect();
        assert_eq!(dates, [-2, -1, 1]);
    }

    #[test]
    fn a_year_is_its_weeks_end_to_end_wherever_they_are_cut() {
        let row = WeeklyRow::open;
        let (late, end) = (22 * HOUR + 30 * MINUTE, DAY - MINUTE);
        let weeks = [
            Vec::new(),
            (0..7).map(|weekday| row(weekday, 0, end)).collect(),
            (0..7).map(|weekday| row(weekday, late, 3 * HOUR)).collect(),
            vec![row(0, 0, 0), row(2, 9 * HOUR, DAY), row(6, late, late)],
            vec![row(0, 0, 0), WeeklyRow::closed(0), WeeklyRow::closed(1)],
            (0..7).map(WeeklyRow::closed).collect(),
        ];
        let zones = [
            ZONE_DEFAULT,
            Tz::America__Santiago,
            Tz::Australia__Lord_Howe,
            Tz::Pacific__Apia,
            Tz::Africa__Casablanca,
        ];
        for (zone, rows) in zones
            .into_iter()
            .flat_map(|zone| weeks.iter().map(move |rows| (zone, rows)))
        {
            let pattern = Pattern::weekly(zone, rows.clone());
            let open = |span| pattern.open(&ZoneTable::new(zone, span), span);
            // 2011, in which Apia skipped a date; each week begins a little later by the wall clock.
            let start = 14_975 * DAY;
            let weeks = (0..53).map(|week| {
                let start = start + week * (7 * DAY + 29 * SECOND);
                Interval::new(start, start + 7 * DAY + 29 * SECOND)
            });
            let pieces = weeks.clone().flat_map(|week| open(week).as_slice().to_vec());
            let year = Interval::new(start, start + 53 * (7 * DAY + 29 * SECOND));
            assert_eq!(open(year), pieces.collect(), "{pattern:?}");
        }
    }

    #[test]
    fn sampling_twice_a_day_misses_no_change_of_any_zone() {
        // A finer grid over a few years that hold odd changes; the coarse one must find as many.
        let (from, to) = (30 * 365 * DAY, 75 * 365 * DAY);
        for &zone in &chrono_tz::TZ_VARIANTS {
            let step = 12 * DAY;
            let mut at = from;
            while at < to {
                let changes = |sample: Micros| {
                    let count = step / sample;
                    let offsets = (0..=count).map(|n| offset_at(zone, at + n * sample));
                    let offsets: Vec<_> = offsets.collect();
                    offsets.windows(2).filter(|pair| pair[0] != pair[1]).count()
                };
                if changes(6 * DAY) > 0 {
                    assert_eq!(changes(OFFSET_SAMPLE), changes(HOUR), "{zone} near {at}");
                }
                at += step;
            }
        }
    }
}
