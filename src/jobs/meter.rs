//! The jobs' meter: how long products took, and how they ended.

use std::time::Duration;

use crate::metrics::{Counter, Histogram};
use crate::product::Kind;

/// What the workers count.
#[derive(Debug, Default)]
pub struct Meter([OfKind; Kind::ALL.len()]);

/// The products of one kind.
#[derive(Debug, Default)]
pub struct OfKind {
    /// How long they were made, without their wait for a worker.
    pub making: Histogram,
    /// Those that were made.
    pub complete: Counter,
    /// Those that failed.
    pub failed: Counter,
}

impl Meter {
    pub(super) fn made(&self, kind: Kind, took: Duration, is_failed: bool) {
        let of = Kind::ALL
            .iter()
            .position(|one| *one == kind)
            .map(|place| &self.0[place]);
        if let Some(of) = of {
            of.making.observe(took);
            let ended = if is_failed { &of.failed } else { &of.complete };
            ended.one();
        }
    }

    /// Each kind by its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &OfKind)> {
        Kind::ALL.into_iter().map(Kind::as_str).zip(&self.0)
    }
}
