//! The one integration-test binary: every promise, tested from outside.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod browsing;
mod catalogue;
mod commands;
mod crash;
mod golden;
mod harness;
mod http;
mod intake;
mod live;
mod outages;
mod pages;
mod properties;
mod standing;
mod tidy;
mod webdriver;
