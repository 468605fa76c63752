//! HTTP: the server, and the stations of each request.
//!
//! In reading order: [`server`], [`frontend`] (faces the clients and passes complete requests on), [`backend`] (the
//! handlers' threads), [`app`] (the handlers' state), [`request`], [`guard`] (refuses requests), [`routes`] (the
//! table), the handlers: [`reports`], [`intake`], [`stores`], [`fleet`], [`badge`], [`outages`], [`metrics`],
//! [`openapi`] and [`health`] for programs, [`pages`] for people; [`response`], and [`response_filters`] for every
//! answer. [`query`], [`store_query`] and [`page_query`] parse a request's question, [`json`] writes the core's values,
//! and a [`Locale`] says how pages write times and numbers.

pub mod alerts;
pub mod app;
pub mod assets;
pub mod attempts;
pub mod audit;
pub mod backend;
pub mod backup;
pub mod badge;
mod body_fields;
pub mod digest;
pub mod field;
pub mod fleet;
pub mod forms;
pub mod frontend;
pub mod gate;
pub mod guard;
pub mod health;
pub mod hours;
pub mod incidents;
pub mod intake;
pub mod json;
pub mod keyring;
pub mod messages;
pub mod meters;
pub mod metrics;
pub mod multipart;
pub mod openapi;
pub mod outages;
pub mod page_query;
pub mod pages;
pub mod probe;
mod process;
pub mod proof;
pub mod query;
mod query_fields;
pub mod reports;
pub mod request;
mod request_log;
pub mod response;
pub mod response_filters;
pub mod route;
pub mod routes;
pub mod server;
pub mod sessions;
pub mod spreadsheet;
pub mod statement_query;
pub mod statement_rows;
pub mod statements;
pub mod store_query;
pub mod stores;
pub mod tokens;
pub mod turns;
mod uploads;
pub mod visitor;

pub use self::app::{App, BODY_BYTES_MAX, Clock, Data, Readers, Site};
pub use self::server::{Capacity, Server, bind};
pub use crate::phrases::locale::Locale;
