//! The frontend's meter: connections, requests that wait, and refusals.

use super::refusal::{Reason, Refusal};
use crate::metrics::{Counter, Gauge};

/// What the frontend counts.
#[derive(Debug, Default)]
pub struct Meter {
    /// Connections that were accepted.
    pub accepted: Counter,
    /// Idle connections that gave their place to others.
    pub displaced: Counter,
    /// Connections that are open.
    pub open: Gauge,
    /// How many may be open.
    pub open_max: Gauge,
    /// Whole requests that wait for a handler.
    pub waiting: Gauge,
    /// Requests that handlers have.
    pub in_hand: Gauge,
    /// How many they may have.
    pub in_hand_max: Gauge,
    refused: [Counter; Reason::ALL.len()],
}

impl Meter {
    /// Counts a refusal.
    pub(super) fn refused(&self, refusal: Refusal) {
        self.refused[refusal.reason as usize].one();
    }

    /// How many requests were refused for each reason.
    pub fn refusals(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counts = self.refused.iter().map(Counter::get);
        Reason::ALL.into_iter().zip(counts)
    }
}
