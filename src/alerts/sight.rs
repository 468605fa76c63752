//! What is known of one store at an instant, by its polls and hours alone.

use crate::uptime::interval::{Interval, Micros};
use crate::uptime::open_time::OpenTime;
use crate::uptime::poll::Poll;

/// A store at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Its last poll, counted or not.
    pub last_poll: Option<Micros>,
    /// Its last poll in business time.
    pub last_counted: Option<Poll>,
    /// The first of the inactive counted polls at the end.
    pub first_inactive: Option<Micros>,
    /// How many there are.
    pub inactive: u32,
    /// The stretch of business time that it is in; none while it is closed.
    pub stretch: Option<Interval>,
    /// The beginning of its next stretch of business time.
    pub next_open: Option<Micros>,
}

impl Sight {
    /// The store `at` an instant; `polls` are sorted and none is later.
    pub fn new(polls: &[Poll], open: &OpenTime, at: Micros) -> Self {
        let stretches = open.intervals().as_slice();
        let begun = stretches.partition_point(|stretch| stretch.start <= at);
        let last = begun.checked_sub(1).map(|last| stretches[last]);
        let mut sight = Self {
            last_poll: polls.last().map(|poll| poll.at()),
            stretch: last.filter(|stretch| at < stretch.end),
            next_open: stretches.get(begun).map(|stretch| stretch.start),
            ..Self::default()
        };
        let mut begun = begun;
        for poll in polls.iter().rev() {
            while begun > 0 && stretches[begun - 1].start > poll.at() {
                begun -= 1;
            }
            let Some(stretch) = begun.checked_sub(1).map(|last| stretches[last]) else {
                break;
            };
            if poll.at() >= stretch.end {
                continue;
            }
            sight.last_counted = sight.last_counted.or(Some(*poll));
            if poll.is_active() {
                break;
            }
            sight.first_inactive = Some(poll.at());
            sight.inactive += 1;
        }
        sight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::interval::HOUR;
    use crate::uptime::poll::Status::{Active, Inactive};

    #[test]
    fn polls_in_closed_time_say_only_that_the_store_was_polled() {
        let open = OpenTime::new(
            [Interval::new(9 * HOUR, 12 * HOUR), Interval::new(14 * HOUR, 20 * HOUR)]
                .into_iter()
                .collect(),
        );
        let poll = |hour: i64, status| Poll::new(hour * HOUR, status);
        let polls = [
            poll(8, Inactive),
            poll(10, Active),
            poll(11, Inactive),
            poll(12, Active),
            poll(13, Active),
            poll(14, Inactive),
        ];
        let sight = |count: usize, hour: i64| Sight::new(&polls[..count], &open, hour * HOUR);
        let told = sight(6, 15);
        assert_eq!((told.first_inactive, told.inactive), (Some(11 * HOUR), 2));
        assert_eq!(told.last_counted, Some(polls[5]));
        assert_eq!(told.stretch, Some(Interval::new(14 * HOUR, 20 * HOUR)));
        let told = sight(5, 13);
        assert_eq!((told.last_poll, told.inactive), (Some(13 * HOUR), 1));
        assert_eq!((told.stretch, told.next_open), (None, Some(14 * HOUR)));
        let told = sight(2, 10);
        assert_eq!((told.last_counted, told.inactive), (Some(polls[1]), 0));
        let told = sight(1, 9);
        assert_eq!((told.last_poll, told.last_counted), (Some(8 * HOUR), None));
        assert_eq!(told.stretch, Some(Interval::new(9 * HOUR, 12 * HOUR)));
        assert_eq!(sight(0, 8).last_poll, None);
    }
}
