//! store-monitor: how long each restaurant was really online during its business hours.
//!
//! This page is the map. A room may import rooms on lines below its own; no file imports in a circle.
//! `tests/it/tidy.rs` holds both, and the crates that each room may name.
//!
//! | room | holds |
//! | --- | --- |
//! | [`cli`] | one file a command |
//! | [`http`] | frontend, gate, backend, the table of routes, handlers, pages |
//! | [`watcher`] | applies the alert rules to polls, now and in the past |
//! | [`config`] | the configuration file: receivers, alert rules, digests, settings |
//! | [`jobs`] | the job queue and its worker pool |
//! | [`fleet_view`] | the fleet as pages show it, kept while it is current |
//! | [`product`] | what jobs make and keep: the report; a file each |
//! | [`hot_window`] | the polls of the last eight days, in memory |
//! | [`export`] | the database as CSV files, and as a lake of them |
//! | [`ingest`], [`generate`] | CSV and JSON into the database, one file a kind of input; synthetic files |
//! | [`notify`] | messages to people: receivers, and the thread that sends the outbox |
//! | [`db`] | the one SQLite file: tables, migration, the writer |
//! | [`render`] | products as files, one renderer a format |
//! | [`alerts`] | the alert rules and their engine, which is pure |
//! | [`phrases`] | numbers, times and lengths as people read them |
//! | [`civil`], [`clock`] | instants as text; the machine's clock |
//! | [`uptime`] | the pure core: what every number means |
//! | [`access`] | who may do what, and the secrets that prove it |
//! | [`error`], [`health`], [`metrics`] | errors and remedies; what is wrong now; counters and histograms |
//! | [`parallel`], [`scratch`], [`docs`] | fork and join; temporary files; the guides |
//!
//! # A poll's way, from the line to the report
//! 1. [`ingest::import`] takes the inputs of a call, whichever front end has them.
//! 2. [`ingest::rows`] finds a line's fields; long files go to all cores in [`ingest::blocks`].
//! 3. [`ingest::kind`] makes a row of the fields, or one reason why not.
//! 4. [`ingest::batch`] judges it beside the other rows of the call, and [`ingest::runs`] sorts it.
//! 5. [`ingest::load`] writes the batch in one transaction; [`db::polls::add`] adds the row.
//! 6. The [`db::writer`] commits and tells [`hot_window`], which holds the poll from then on.
//! 7. A job of [`jobs`] asks [`product`] for a report, and that the window for its inputs.
//! 8. [`uptime::flip_reader`] gives the changes of status; [`uptime::pass`] found them among the polls.
//! 9. [`uptime::pass::totals`] makes uptime and downtime of them, [`uptime::row`] the numbers of a row.
//! 10. The rows are kept by [`db::reports`], and [`render::csv`] writes them for the client.
//!
//! # A request's way, from the client to the answer
//! 1. [`http::frontend`]'s event loop accepts the connection and reads what comes, under limits.
//! 2. [`http::frontend::head`] reads the head; the [`http::gate`] judges who sent it, and how long a body may be.
//! 3. [`http::frontend::chunks`] takes the body into a [`http::frontend::spool`].
//! 4. The whole request goes to the [`http::backend`], where tiny_http gives it to a free handler.
//! 5. [`http::routes`] picks the handler; what the gate refused gets its answer.
//! 6. The handler reads the database, or waits for the writer, and returns a [`http::response`].
//! 7. [`http::response_filters`] compress it and compare its tag.
//! 8. The event loop sends the reply at the client's speed.
//!
//! # Invariants
//! - No client holds a handler: a request is handed over when it is whole, its reply is taken at once.
//! - No function of [`uptime`] can fail, reads a clock or does I/O.
//! - uptime + downtime = business time, to the microsecond, in every window of every store.
//! - Only [`db::writer`] (in a server) and [`db::write`] (in a command) change the database.
//! - Derived data ([`db::packed`], [`uptime::flips`]) may be missing, and is never wrong.
//! - A report is in the database before its id is given out, and complete only once its rows are.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
pub mod alerts;
pub mod civil;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod docs;
pub mod error;
pub mod export;
pub mod fleet_view;
pub mod generate;
pub mod health;
pub mod hot_window;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod metrics;
pub mod notify;
pub mod parallel;
pub mod phrases;
pub mod product;
pub mod render;
pub mod scratch;
pub mod uptime;
pub mod watcher;
