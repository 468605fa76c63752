//! The pages: what people look at, made on the server and whole without a script.
//!
//! In reading order: [`phrases`] (numbers, lengths and times as people read them), [`layout`] (what every
//! page has), [`timeline_bar`], [`day`], [`area`] and [`heat`] (one drawing each), then the pages themselves: [`fleet`],
//! [`stores`], [`store`], [`reports`], [`load`] and [`problem`].
//!
//! They must never compute what the core or the JSON has a name for: a page reads values.

pub mod area;
pub mod day;
pub mod fleet;
pub mod heat;
pub mod layout;
pub mod load;
pub mod phrases;
pub mod problem;
pub mod reports;
pub mod store;
pub mod stores;
pub mod timeline_bar;
