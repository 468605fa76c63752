//! The pure core: from polls and business hours to uptime and downtime.
//!
//! In reading order: [`interval`], the one currency; [`poll`]; [`calendar`], what a store's hours say;
//! [`business_hours`], which makes open intervals of them; [`timeline`], which makes up and down intervals;
//! [`window`], which measures both; [`report`], one row a store.
//!
//! The report of many stores reads a [`fleet`] and a [`history`] of their polls, which
//! [`history_builder`] lays out. [`pass`] is its fast form. [`flips`] keeps changes of status from one
//! report to the next, and [`flip_reader`] decides when they may be used. [`row`] holds the numbers.
//!
//! Pages and JSON read [`store_status`], everything about one store, which is made of [`store_state`],
//! [`evidence`], [`certainty`], [`incident`] and [`segment`]; [`day_total`] cuts its week into days,
//! [`lost_sales`] says what downtime costs, and [`target`] how much more of it a month may have.
//! [`store_summary`] and [`brief_incident`] are its fast forms for lists, [`overview`] sums up a fleet, and
//! [`fleet_event`] finds when most of it was offline at once. [`outage`] finds when the poller itself was away, and
//! [`freshness`] decides whether numbers are of now. A [`digest`] says what a day, a week or a month was like.
//!
//! Invariants: no function can fail, reads a clock or does I/O; `as_of` and every row are passed in.

pub mod brief_incident;
pub mod bucket_total;
pub mod business_hours;
pub mod calendar;
pub mod certainty;
pub mod day_total;
pub mod digest;
pub mod evidence;
pub mod fleet;
pub mod fleet_event;
pub mod flip_reader;
pub mod flips;
pub mod freshness;
pub mod history;
pub mod history_builder;
pub mod hundredths;
pub mod incident;
pub mod interval;
pub mod load;
pub mod lost_sales;
pub mod open_time;
pub mod outage;
pub mod overview;
pub mod pass;
pub mod period;
pub mod poll;
pub mod report;
pub mod rhythm;
pub mod row;
pub mod segment;
pub mod state_counts;
pub mod statement;
pub mod statement_row;
pub mod store_state;
pub mod store_status;
pub mod store_summary;
pub mod target;
pub mod timeline;
pub mod window;
