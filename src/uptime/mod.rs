//! The pure core: from polls and business hours to uptime and downtime.
//!
//! In reading order: [`interval`], the one currency; [`poll`]; [`business_hours`], which makes open
//! intervals; [`timeline`], which makes up and down intervals; [`window`], which measures both;
//! [`report`], one row a store. [`fleet`] and [`history`] are the report's two inputs for many
//! stores, [`pass`] its fast form; [`flips`] keeps what one report worked out for the next, and
//! [`known`] says when that may be used; [`row`] writes a line. [`outage`] tells when nobody was polled.
//!
//! It must never know SQLite, HTTP, CSV files or the clock: `as_of` and every row are passed in.

pub mod business_hours;
pub mod fleet;
pub mod flips;
pub mod history;
pub mod interval;
pub mod known;
pub mod outage;
pub mod pass;
pub mod poll;
pub mod report;
pub mod row;
pub mod timeline;
pub mod window;
