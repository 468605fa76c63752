//! The one integration-test binary: every promise, tested from outside.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod catalogue;
mod commands;
mod crash;
mod golden;
mod harness;
mod http;
mod intake;
mod lake;
mod landing;
mod live;
mod outages;
mod properties;
mod splits;
mod tidy;
