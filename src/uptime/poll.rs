//! A poll: one store's status at one instant, packed into eight bytes.
//!
//! The store is not part of it: polls are kept by store.

use super::interval::Micros;

/// The status of a store in a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Online.
    Active,
    /// Offline.
    Inactive,
}

impl Status {
    /// The status that is not this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Active => Self::Inactive,
            Self::Inactive => Self::Active,
        }
    }

    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

/// An instant and the status; ordered by instant. Eight bytes: twice the instant, plus one if active.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Poll(i64);

impl Poll {
    /// The poll with `status` at `at`, which must lie within 146,000 years of 1970.
    pub const fn new(at: Micros, status: Status) -> Self {
        Self::from_row(at, matches!(status, Status::Active))
    }

    /// The poll that the database stores as an instant and a flag.
    pub const fn from_row(at: Micros, active: bool) -> Self {
        Self((at << 1) | active as i64)
    }

    /// The instant.
    pub const fn at(self) -> Micros {
        self.0 >> 1
    }

    /// The status.
    pub const fn status(self) -> Status {
        if self.is_active() {
            Status::Active
        } else {
            Status::Inactive
        }
    }

    /// Whether the status is [`Status::Active`].
    pub const fn is_active(self) -> bool {
        self.0 & 1 == 1
    }
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.status().as_str(), self.at())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_the_instant_and_the_answer() {
        for at in [-3, -1, 0, 1, 1_793_000_000_123_457] {
            for status in [Status::Active, Status::Inactive] {
                let poll = Poll::new(at, status);
                assert_eq!((poll.at(), poll.status()), (at, status));
                assert_eq!(poll, Poll::from_row(at, poll.is_active()));
            }
        }
    }
}
