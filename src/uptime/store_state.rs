//! The state of a store at `as_of`, for people who must act.

use super::interval::{HOUR, Intervals, Micros};
use super::poll::Poll;

/// A store whose last counted poll is older than this is *not sure*.
pub const SURE_WITHIN: Micros = 3 * HOUR;

/// The state of a store at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreState {
    /// In business hours, and its last counted poll was inactive.
    Offline,
    /// In business hours, but without a counted poll in the last three hours.
    NotSure,
    /// In business hours, and its last counted poll was active.
    Online,
    /// Outside business hours.
    Closed,
}

impl StoreState {
    /// Every state, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Offline, Self::NotSure, Self::Online, Self::Closed];

    /// The state at `as_of` by the sorted counted polls and the business time around it.
    ///
    /// It does not depend on the rule of interpolation: no counted poll is later than `as_of`.
    pub fn at(counted: &[Poll], open: &Intervals, as_of: Micros) -> Self {
        match counted.last() {
            _ if !open.contains(as_of) => Self::Closed,
            Some(last) if last.at() < as_of - SURE_WITHIN => Self::NotSure,
            Some(last) if last.is_active() => Self::Online,
            Some(_) => Self::Offline,
            None => Self::NotSure,
        }
    }

    /// The word in answers and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::NotSure => "not sure",
            Self::Online => "online",
            Self::Closed => "closed",
        }
    }

    /// The state with this word, which may have a space or a hyphen.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.replace('-', " ");
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::Interval;
    use super::super::poll::Status::{Active, Inactive};
    use super::*;

    fn state(poll: Option<Poll>, as_of: Micros) -> StoreState {
        let open = Intervals::union_of(vec![Interval::new(0, 10 * HOUR)]);
        StoreState::at(poll.as_slice(), &open, as_of)
    }

    #[test]
    fn a_closed_store_is_closed_whatever_was_answered() {
        assert_eq!(state(Some(Poll::new(9 * HOUR, Active)), 10 * HOUR), StoreState::Closed);
        assert_eq!(state(None, -1), StoreState::Closed);
    }

    #[test]
    fn three_hours_without_a_poll_are_still_sure() {
        let polled = |status| Some(Poll::new(HOUR, status));
        assert_eq!(state(polled(Active), 4 * HOUR), StoreState::Online);
        assert_eq!(state(polled(Inactive), 4 * HOUR), StoreState::Offline);
        assert_eq!(state(polled(Inactive), 4 * HOUR + 1), StoreState::NotSure);
        assert_eq!(state(None, HOUR), StoreState::NotSure);
    }

    #[test]
    fn a_state_is_found_by_its_name() {
        for state in StoreState::ALL {
            assert_eq!(StoreState::from_name(state.as_str()), Some(state));
        }
        assert_eq!(StoreState::from_name("not-sure"), Some(StoreState::NotSure));
        assert_eq!(StoreState::from_name("up"), None);
    }
}
