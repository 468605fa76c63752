//! The pages, made on the server and whole without a script.
//!
//! In reading order: [`phrases`] (numbers, lengths and times as people read them), [`layout`] (the frame of every
//! page), [`timeline_bar`], [`day`], [`area`] and [`heat`] (one drawing each), then the pages themselves: [`fleet`],
//! [`stores`], [`store`], [`reports`], [`load`] and [`problem`].
//!
//! A page reads values; it computes none that the core has a name for.

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
