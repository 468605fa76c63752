//! The pure core: from polls and business hours to uptime and downtime.
//!
//! It must never know SQLite, HTTP, CSV files or the clock: `as_of` and every row are passed in.

pub mod interval;
pub mod poll;
