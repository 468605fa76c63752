//! The pure core: from polls and business hours to uptime and downtime.
//!
//! In reading order: [`interval`], the one currency; [`poll`]; [`business_hours`], which makes open
//! intervals; [`timeline`], which makes up and down intervals; [`window`], which measures both;
//! [`report`], one row a store. [`fleet`] and [`history`] are the report's two inputs for many stores
//! ([`gather`] makes the latter), [`pass`] its fast form; [`flips`] keeps what one report worked out for
//! the next, and [`known`] says when that may be used; [`row`] writes a line, and [`rows`] keeps them
//! short; [`side_by_side`] divides the work. [`outage`] tells when nobody was polled.
//!
//! What stands beside the report: [`state`], [`evidence`], [`incident`] and [`segment`] make the
//! [`standing`] of one store; [`glance`] is a store at a glance, fast, and [`overview`] a fleet of them.
//!
//! It must never know SQLite, HTTP, CSV files or the clock: `as_of` and every row are passed in.

pub mod business_hours;
pub mod evidence;
pub mod fleet;
pub mod flips;
pub mod gather;
pub mod glance;
pub mod history;
pub mod incident;
pub mod interval;
pub mod known;
pub mod outage;
pub mod overview;
pub mod pass;
pub mod poll;
pub mod report;
pub mod row;
pub mod rows;
pub mod segment;
pub mod side_by_side;
pub mod standing;
pub mod state;
pub mod timeline;
pub mod window;
