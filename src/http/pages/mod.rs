//! The pages, made on the server and whole without a script.
//!
//! In reading order: [`words`] (numbers, lengths and times as people read them), [`layout`] (what every
//! page has), [`lane`], [`day`], [`area`] and [`heat`] (one drawing each), then the pages themselves: [`fleet`],
//! [`stores`], [`store`], [`reports`], [`load`], [`docs`] and [`problem`].
//!
//! A page reads values; it computes none that the core has a name for.

pub mod area;
pub mod day;
pub mod docs;
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
