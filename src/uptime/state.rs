//! The state of a store at `as_of`: what somebody who must act on it wants to know first.
//!
//! It must never know how a state is drawn or worded beyond its one name.

use super::interval::{HOUR, Intervals, Micros};
use super::poll::Poll;

/// A store whose last counted poll is older than this is *not sure*.
pub const SURE_WITHIN: Micros = 3 * HOUR;

/// How a store is at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// In business hours, and its last counted poll was inactive.
    Offline,
    /// In business hours, but nobody has seen it for three hours.
    NotSure,
    /// In business hours, and its last counted poll was active.
    Online,
    /// Outside business hours.
    Closed,
}

impl State {
    /// Every state, the one that needs somebody first.
    pub const ALL: [Self; 4] = [Self::Offline, Self::NotSure, Self::Online, Self::Closed];

    /// The state at `as_of` by the polls that count, sorted, and the business time around it.
    ///
    /// Both rules of interpolation agree: no counted poll is later than `as_of`.
    pub fn at(counted: &[Poll], open: &Intervals, as_of: Micros) -> Self {
        match counted.last() {
            _ if !open.contains(as_of) => Self::Closed,
            Some(last) if last.at() < as_of - SURE_WITHIN => Self::NotSure,
            Some(last) if last.is_active() => Self::Online,
            Some(_) => Self::Offline,
            None => Self::NotSure,
        }
    }

    /// The word that callers and people see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::NotSure => "not sure",
            Self::Online => "online",
            Self::Closed => "closed",
        }
    }

    /// The state that is called so, with a space or a hyphen.
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

    fn state(poll: Option<Poll>, as_of: Micros) -> State {
        let open = Intervals::union_of(vec![Interval::new(0, 10 * HOUR)]);
        State::at(poll.as_slice(), &open, as_of)
    }

    #[test]
    fn a_closed_store_is_closed_whatever_was_answered() {
        assert_eq!(
            state(Some(Poll::new(9 * HOUR, Active)), 10 * HOUR),
            State::Closed
        );
        assert_eq!(state(None, -1), State::Closed);
    }

    #[test]
    fn three_hours_without_a_poll_are_still_sure() {
        let polled = |status| Some(Poll::new(HOUR, status));
        assert_eq!(state(polled(Active), 4 * HOUR), State::Online);
        assert_eq!(state(polled(Inactive), 4 * HOUR), State::Offline);
        assert_eq!(state(polled(Inactive), 4 * HOUR + 1), State::NotSure);
        assert_eq!(state(None, HOUR), State::NotSure);
    }

    #[test]
    fn a_state_is_found_by_its_name() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.as_str()), Some(state));
        }
        assert_eq!(State::from_name("not-sure"), Some(State::NotSure));
        assert_eq!(State::from_name("up"), None);
    }
}
