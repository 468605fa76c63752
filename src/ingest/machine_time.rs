//! The machine's time: the measure of which polls are in the future, and whether it can be right.
//!
//! This file reads no clock: callers pass what theirs says.

use crate::civil::{format_day, format_utc};
use crate::error::Error;
use crate::uptime::interval::{DAY, MINUTE, Micros, SECOND};

/// How many minutes a poll may be ahead of the machine's clock, unless `--ahead` says otherwise.
pub const AHEAD_MINUTES: u32 = 10;

/// How far a clock must be behind the newest poll before it is doubted; `--ahead` may make it more.
const DOUBTED_FROM: Micros = AHEAD_MINUTES as Micros * MINUTE;

/// Why a clock cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is before the day on which the program was made.
    BeforeBuild(Micros),
    /// It is before the newest poll that is stored.
    BeforePoll(Micros),
}

/// What the machine's clock says, how far polls may be ahead of it, and whether it can be right.
#[derive(Clone, Copy, Debug)]
pub struct MachineTime {
    /// What the clock says.
    pub at: Micros,
    /// How far a poll may be ahead of it.
    pub ahead: Micros,
    /// Why it cannot be right; none if nothing speaks against it.
    pub doubt: Option<Doubt>,
}

impl MachineTime {
    /// A clock that says `at`. It cannot be right before `earliest`, nor well before the newest poll that is stored.
    pub fn new(at: Micros, ahead: Micros, earliest: Micros, newest_poll: Option<Micros>) -> Self {
        let limit = at.saturating_add(ahead.max(DOUBTED_FROM));
        let before_poll = newest_poll.filter(|&newest| newest > limit).map(Doubt::BeforePoll);
        let before_build = || (at < earliest).then_some(Doubt::BeforeBuild(earliest));
        Self {
            at,
            ahead,
            doubt: before_poll.or_else(before_build),
        }
    }

    /// A clock that is right, for rows that have no instant after `latest`.
    pub fn until(latest: Micros) -> Self {
        Self::new(latest, 0, Micros::MIN, None)
    }

    /// The latest instant that a poll may have. While the clock is in doubt, [`judge`](Self::judge) decides later.
    pub(super) fn latest(&self) -> Micros {
        match self.doubt {
            None => self.at.saturating_add(self.ahead),
            Some(_) => Micros::MAX,
        }
    }

    /// The refusal of a call whose last poll is `last`, if only a clock that is in doubt could judge it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind): the same call succeeds once the clock is right.
    pub(super) fn judge(&self, last: Option<Micros>) -> Result<(), Error> {
        let is_ahead = last.is_some_and(|last| last > self.at.saturating_add(self.ahead));
        match self.sentence() {
            Some(sentence) if is_ahead => Err(Error::unavailable(format!(
                "{sentence}. So it cannot tell whether newer polls are in the future, and nothing was written \
                 (set the machine's clock, then send them again)"
            ))),
            _ => Ok(()),
        }
    }

    /// Why the clock cannot be right, as a sentence without its full stop; none if nothing speaks against it.
    pub fn sentence(&self) -> Option<String> {
        let said = second(self.at);
        Some(match self.doubt? {
            Doubt::BeforeBuild(built) => format!(
                "this machine's clock says {said}, but this program was made on {}",
                format_day(built.div_euclid(DAY))
            ),
            Doubt::BeforePoll(newest) => format!(
                "this machine's clock says {said}, but the newest poll is of {}",
                second(newest)
            ),
        })
    }
}

/// An instant as text, cut to the second.
pub(super) fn second(at: Micros) -> String {
    format_utc(at.div_euclid(SECOND) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::interval::HOUR;

    const BUILT: Micros = 20_000 * DAY;
    const TEN_MINUTES: Micros = 10 * MINUTE;

    fn time(at: Micros, newest: Option<Micros>) -> MachineTime {
        MachineTime::new(at, TEN_MINUTES, BUILT, newest)
    }

    #[test]
    fn a_clock_is_in_doubt_before_the_build_and_ten_minutes_before_the_newest_poll() {
        let poll = BUILT + DAY;
        assert_eq!(time(0, None).doubt, Some(Doubt::BeforeBuild(BUILT)));
        assert_eq!(time(BUILT - 1, None).doubt, Some(Doubt::BeforeBuild(BUILT)));
        assert_eq!(time(BUILT, None).doubt, None);
        assert_eq!(time(0, Some(poll)).doubt, Some(Doubt::BeforePoll(poll)));
        assert_eq!(time(poll - TEN_MINUTES, Some(poll)).doubt, None);
        assert_eq!(
            time(poll - TEN_MINUTES - 1, Some(poll)).doubt,
            Some(Doubt::BeforePoll(poll))
        );
        assert_eq!(MachineTime::until(0).doubt, None);
        // Who takes polls a day ahead does not doubt a clock for them.
        let far = MachineTime::new(poll - DAY, DAY, BUILT, Some(poll));
        assert_eq!(far.doubt, None);
    }

    #[test]
    fn a_doubted_clock_refuses_no_poll_for_good() {
        let poll = BUILT + DAY;
        let sure = time(poll, Some(poll));
        assert_eq!(sure.latest(), poll + TEN_MINUTES);
        assert!(sure.judge(Some(Micros::MAX)).is_ok());
        let unsure = time(poll - HOUR, Some(poll));
        assert_eq!(unsure.latest(), Micros::MAX);
        assert!(unsure.judge(None).is_ok());
        assert!(unsure.judge(Some(poll - HOUR + TEN_MINUTES)).is_ok());
        let refused = unsure.judge(Some(poll - HOUR + TEN_MINUTES + 1)).unwrap_err();
        assert_eq!(refused.kind(), crate::error::ErrorKind::Unavailable);
        for part in [
            "2024-10-05 00:00:00 UTC",
            "2024-10-04 23:00:00 UTC",
            "set the machine's clock",
        ] {
            assert!(refused.message().contains(part), "{refused}");
        }
    }
}
