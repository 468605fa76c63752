//! Alerts: the rules that say when a person is told, and the engine that applies them.
//!
//! It is pure: the caller passes polls, hours and the minute, and receives alerts. So a replay of the past gives what a
//! server that lived through it has sent.
//!
//! # Definitions
//! Rules are applied at each full minute, to the polls up to it.
//! - A store is *offline* from its second inactive counted poll in a row, or when twice its usual gap has passed since
//!   its only one; with `after`, once so much business time has passed since the first.
//! - A store is *silent* if it is open and more than `silent_gaps` usual gaps have passed since its last poll. The
//!   usual gap, and which time counts, are those of poller outages ([`Rhythm`](crate::uptime::rhythm::Rhythm)), of the
//!   eight days before the UTC day.
//! - A store is *overdue* if two usual gaps have passed since its last poll. The *poller is away* while more than
//!   [`SILENT_PER_CENT`](crate::uptime::outage::SILENT_PER_CENT) of the open stores are overdue, and at least
//!   [`STORES_MIN`](crate::uptime::outage::STORES_MIN). Stores are overdue before they are silent: so the outage is
//!   known before the first of them is told as silent. After it, every store has its usual gaps anew.
//! - A store is *back* with its first active poll after it was told.

pub mod alert;
pub mod day;
pub mod engine;
mod level;
pub mod rule;
pub mod sight;
pub mod state;
pub mod text;
mod watch;
