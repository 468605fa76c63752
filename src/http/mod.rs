//! HTTP: the server, and what each request passes through.
//!
//! In reading order: [`server`], [`frontend`] (faces the clients; a request comes further when it is whole),
//! [`backend`] (the handlers' threads), [`app`] (what handlers work with), [`request`], [`guard`] (whom to turn
//! away), [`routes`] (the table), the handlers: [`reports`], [`intake`], [`stores`], [`fleet`], [`badge`],
//! [`outages`], [`metrics`], [`openapi`] and [`health`] for programs, [`pages`] for people; [`response`], and
//! [`response_filters`] for every answer on its way out. [`query`] and [`store_query`] read a request's question,
//! [`json`] writes the core's values.

pub mod app;
pub mod assets;
pub mod backend;
pub mod badge;
pub mod fleet;
pub mod frontend;
pub mod guard;
pub mod health;
pub mod intake;
pub mod json;
pub mod metrics;
pub mod multipart;
pub mod openapi;
pub mod outages;
pub mod pages;
pub mod query;
pub mod reports;
pub mod request;
pub mod response;
pub mod response_filters;
pub mod route;
pub mod routes;
pub mod server;
pub mod store_query;
pub mod stores;

pub use self::app::{App, BODY_BYTES_MAX, Clock, Readers, Site};
pub use self::server::{Capacity, Server, bind};
