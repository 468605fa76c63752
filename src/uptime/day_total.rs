//! Day totals: a store's week, one local day after another. They sum to the week's total, exactly.

use super::certainty::Certainty;
use super::interval::{Interval, Micros};
use super::open_time::OpenTime;
use super::segment::Condition;
use super::store_status::StoreStatus;
use super::store_summary::is_vouched;
use super::window::{Coverage, Window, WindowTotal};

/// The part of a local day that lies in the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// The date, counted from 1970-01-01.
    pub date: i64,
    /// The part of the day that lies in the week.
    pub stretch: Interval,
    /// Its uptime and downtime.
    pub total: WindowTotal,
    /// How much of its business time was seen; none without business time.
    pub coverage: Option<Coverage>,
    /// How sure its downtime is; none where nothing is known.
    pub certainty: Option<Certainty>,
}

impl DayTotal {
    /// Whether half of the day's business time was seen, so that its numbers are sure.
    pub fn is_vouched(&self) -> bool {
        is_vouched(&self.total, self.coverage)
    }
}

/// The days that the status's week touches, the oldest first.
pub fn day_totals(status: &StoreStatus) -> Vec<DayTotal> {
    let week = Window::Week.before(status.question.as_of);
    let open = OpenTime::new(status.open.clone());
    let mut segments = status.segments.as_slice();
    let day = |(date, day): (i64, Interval)| {
        let stretch = day.intersection(week);
        let (mut uptime, mut downtime, mut seen, mut business): (Micros, Micros, Micros, Micros) = (0, 0, 0, 0);
        while let Some(segment) = segments.first() {
            let length = segment.stretch.intersection(stretch).length();
            match segment.condition {
                Condition::Online => uptime += length,
                Condition::Offline => downtime += length,
                Condition::Closed | Condition::Unknown => {}
            }
            if segment.condition != Condition::Closed {
                business += length;
                seen += if segment.seen { length } else { 0 };
            }
            // The next day needs a segment that goes on after this one.
            if segment.stretch.end > stretch.end {
                break;
            }
            segments = &segments[1..];
        }
        DayTotal {
            date,
            stretch,
            total: WindowTotal::new(business, (uptime + downtime > 0).then_some(uptime)),
            coverage: (business > 0).then_some(Coverage { seen, business }),
            certainty: Certainty::of(&status.counted, &open, stretch),
        }
    };
    status.zone.days(week).into_iter().map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::super::business_hours::Pattern;
    use super::super::interval::{DAY, HOUR};
    use super::super::poll::Poll;
    use super::super::poll::Status::{Active, Inactive};
    use super::super::report::Question;
    use super::super::timeline::Interpolation;
    use super::*;
    use chrono_tz::Tz;

    fn status(polls: &[Poll], as_of: Micros) -> StoreStatus {
        let pattern = Pattern::weekly(Tz::UTC, Vec::new());
        let rule = Interpolation::Nearest;
        StoreStatus::new(polls, &pattern, Question { as_of, rule })
    }

    #[test]
    fn days_sum_to_the_week_and_an_unseen_one_is_not_sure() {
        let as_of = 20 * DAY + 15 * HOUR;
        let at = |hour: Micros| as_of - 7 * DAY + hour * HOUR;
        let polls: Vec<Poll> = (0..60)
            .map(|hour| Poll::new(at(hour), if hour % 10 == 0 { Inactive } else { Active }))
            .collect();
        let status = status(&polls, as_of);
        let days = day_totals(&status);
        assert_eq!(days.len(), 8);
        assert_eq!(days[0].stretch.length() + days[7].stretch.length(), DAY);
        let known = |total: &WindowTotal| total.known().expect("polls");
        let sums = days.iter().map(|day| known(&day.total));
        let sums = sums.fold((0, 0), |(up, down), day| (up + day.0, down + day.1));
        assert_eq!(sums, known(&status.row.totals[Window::Week]));
        let seen: Micros = days.iter().filter_map(|day| day.coverage).map(|day| day.seen).sum();
        assert_eq!(Some(seen), status.row.coverage[Window::Week].map(|week| week.seen));
        let mut certain = Certainty::default();
        days.iter()
            .filter_map(|day| day.certainty)
            .for_each(|day| certain += day);
        assert_eq!(Some(certain), status.certainty[Window::Week]);
        let sure: Vec<bool> = days.iter().map(DayTotal::is_vouched).collect();
        assert_eq!(sure, [true, true, true, false, false, false, false, false]);
    }

    #[test]
    fn without_a_poll_no_day_is_known() {
        let days = day_totals(&status(&[], 20 * DAY));
        assert_eq!(days.len(), 7);
        for day in days {
            assert_eq!(day.total, WindowTotal::Unknown { business: DAY });
            assert!(!day.is_vouched() && day.certainty.is_none());
        }
    }
}
