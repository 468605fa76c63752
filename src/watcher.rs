//! The watcher: applies the alert rules to the polls, minute by minute.
//!
//! A server does it as time goes on ([`live`]), and anyone for the past ([`replay`]): the same engine, so that both
//! give the same. What the rules remember, until when they were applied, and the messages that they made are written in
//! one transaction: a process that is killed goes on where it was, and loses and repeats nothing. [`digest`] writes the
//! digests that are due.

pub mod digest;
pub mod live;
mod message;
mod names;
pub mod replay;
mod rules;

pub use rules::rules;
