//! The one integration-test binary: every promise, tested from outside.
#![allow(clippy::unwrap_used)]

mod backup;
mod bad_input;
mod browsing;
mod catalogue;
mod choices;
mod commands;
mod crash;
mod differential;
mod docs;
mod field_files;
mod freshness;
mod frontend;
mod frontend_limits;
mod golden;
mod harness;
mod heat;
mod histories;
mod http;
mod incidents;
mod intake;
mod lake;
mod live;
mod made_up;
mod outages;
mod pages;
mod properties;
mod schemas;
mod simulation;
mod splits;
mod spreadsheets;
mod store_page;
mod store_status;
mod stress;
mod tidy;
mod webdriver;
