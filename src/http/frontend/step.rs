//! A step of a connection: what it may use, and its outcome.

use std::sync::Arc;
use std::time::Instant;

use super::exchange::WholeRequest;
use super::limits::Admit;
use super::meter::Meter;
use super::seen::{Ids, Observe};
use super::spool::SpoolBudget;

/// The resources of a step.
pub(super) struct StepContext<'a> {
    pub(super) now: Instant,
    pub(super) buffer: &'a mut [u8],
    pub(super) budget: &'a Arc<SpoolBudget>,
    pub(super) admit: &'a Admit,
    pub(super) meter: &'a Meter,
    pub(super) observe: &'a Observe,
    pub(super) ids: &'a Ids,
    /// After a stop, no new request begins.
    pub(super) stopping: bool,
}

/// The outcome of a connection's step.
pub(super) enum Step {
    /// Nothing to do until an event or its deadline.
    Wait,
    /// It can go on, but the others have their turn first.
    Again,
    /// Its request is complete.
    Submit(Box<WholeRequest>),
    /// It is closed.
    Gone,
}
