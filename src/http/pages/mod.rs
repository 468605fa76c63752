//! The pages: what people look at, made on the server and whole without a script.
//!
//! In reading order: [`words`] (numbers, lengths and times as people read them), [`layout`] (what every
//! page has), [`lane`], [`day`], [`area`] and [`heat`] (one drawing each), then the pages themselves: [`fleet`],
//! [`stores`], [`store`], [`reports`], [`load`], [`docs`] and [`problem`].
//!
//! They must never compute what the core or the JSON has a name for: a page reads values.

pub mod area;
pub mod day;
pub mod docs;
pub mod fleet;
pub mod heat;
pub mod lane;
pub mod layout;
pub mod load;
pub mod problem;
pub mod reports;
pub mod store;
pub mod stores;
pub mod words;
