//! Alerts: the rules that say when a person is told, and the engine that applies them.
//!
//! It is pure: the caller passes polls, hours and the instant, and receives messages. So a replay of the past is the
//! same as a server that lived through it.

pub mod rule;
