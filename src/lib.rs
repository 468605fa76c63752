//! store-monitor: how long each restaurant was really online during its business hours.
//!
//! This page is the map of the house. Arrows run one way, from the top of the table to the bottom;
//! `tests/it/tidy.rs` holds them.
//!
//! | room | what it does | what it must never know |
//! | --- | --- | --- |
//! | [`cli`] | one file a command | how anything is done beyond whom to call |
//! | [`http`] | the door, routes, handlers, pages, answers | how reports are made or stored |
//! | [`jobs`] | the job queue and its worker pool | HTTP; how a product is made |
//! | [`fleet_view`] | the fleet as people look at it, kept while it is true | HTTP; drawing |
//! | [`product`] | the things that jobs make and keep: the report, a file each | HTTP |
//! | [`hot_window`] | the last eight days in memory | HTTP; the arithmetic |
//! | [`ingest`] | CSV and JSON to typed rows to the database | terminals, HTTP |
//! | [`export`] | its mirror: the database to CSV files, and to a lake of them | terminals, HTTP |
//! | [`generate`] | synthetic files in the shape of real ones | the database |
//! | [`db`] | the record: one SQLite file | files of input, HTTP; it computes no time |
//! | [`render`] | products as files, one renderer a format | the database, where rows come from |
//! | [`uptime`] | the pure core: what every number means | SQLite, HTTP, CSV files, the clock |
//! | [`parallel`] | fork and join | what the work is |
//! | [`docs`] | the guides as text | who shows them |
//! | [`civil`], [`clock`] | instants as text; the machine's clock | everything above, and of the core only its unit of time |
//! | [`error`] | what went wrong, and what to do | who shows it |
//!
//! # A poll's way from the file to the report
//! [`ingest::parser`] makes a typed row of a line, in a long file on every core, block by block
//! ([`ingest::blocks`]); [`ingest::batch::read`] judges it beside the other rows of its call and sorts
//! it; [`ingest::load::write`] gives it to [`db::polls::add`], in one transaction with all the others. A report asks
//! [`hot_window::HotWindow::inputs`], which has the poll in memory or reads it with
//! [`db::polls::history`]. For each store [`uptime::report::rows`] asks
//! [`uptime::flip_reader::FlipReader`] for the flips of its polls: [`uptime::pass::walk`] finds them, unless
//! an earlier report did. [`uptime::pass::totals`] turns them into uptime and downtime, and
//! [`uptime::row::cells`] into the numbers of a row. These go back into the database through [`jobs`] and
//! [`db::reports`], as a [`product`], and as CSV ([`render::csv`]) to the client of [`http::reports`].
//!
//! # A request's way from the client to the handler
//! [`http::door`] has the public listener. It finds the end of a head with [`http::door::head::Scanner`],
//! judges it with [`http::door::head::judge`], takes the body by [`http::door::chunks::Body`], and hands
//! the request on when all of it is there. [`http::back`] has tiny_http and the handlers' threads;
//! [`http::routes`] picks the handler. The reply goes back through the door, which waits for slow
//! clients so that handlers need not.
//!
//! What people look at goes the same way: [`fleet_view`] keeps [`uptime::overview`] of the whole fleet,
//! one store's page and JSON read [`uptime::store_status`], and both are words and drawings by then.
//!
//! # Invariants
//! - No client holds a handler: it gets a request when that is whole, and its reply is taken at once.
//! - No function of [`uptime`] can fail, reads a clock or does I/O.
//! - uptime + downtime = business time, to the microsecond, in every window of every store.
//! - Nothing but [`db::writer`] (in a server) or [`db::write`] (in a command) changes the database.
//! - What is derived ([`db::packed`], [`uptime::flips`]) may be missing at any time,
//!   and never wrong: it goes with the rows it was made from.
//! - A report is in the database before its id is given out, and complete only once its numbers are.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod civil;
pub mod cli;
pub mod clock;
pub mod db;
pub mod docs;
pub mod error;
pub mod export;
pub mod fleet_view;
pub mod generate;
pub mod hot_window;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod parallel;
pub mod product;
pub mod render;
pub mod uptime;
