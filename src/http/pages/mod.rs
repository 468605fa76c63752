//! The pages, rendered on the server; each works without a script.
//!
//! In reading order: [`phrases`] (numbers, lengths and times for people), [`age`] (now, or as of when), [`layout`]
//! (the frame of every page), [`controls`] (what several pages let people choose), [`timeline_bar`], [`day`], [`area`]
//! and [`heat`] (one drawing each), [`level`] (good or bad), [`attention`] (who needs it first), then the pages:
//! [`fleet`], [`stores`], [`incidents`], [`store`] with [`removal`], [`statements`], [`digest`], [`reports`],
//! [`load`] with [`made_up`], [`docs`] and [`problem`]. [`alerts`] and [`replay`] have the alert rules, [`acknowledge`]
//! is the page of a link in an alert.
//!
//! Pages read values; the core computes them.

pub mod access;
pub mod acknowledge;
pub mod age;
pub mod alerts;
pub mod area;
pub mod attention;
pub mod audit;
mod bounds;
pub mod controls;
pub mod day;
pub mod digest;
pub mod docs;
pub mod fleet;
pub mod heat;
mod hours;
pub mod incidents;
pub mod layout;
pub mod level;
pub mod load;
pub mod loaded;
pub mod login;
pub mod made_up;
pub mod mend;
pub mod messages;
pub mod phrases;
pub mod problem;
pub mod reasons;
pub mod removal;
pub mod replay;
pub mod reports;
pub mod share;
mod statement_table;
pub mod statements;
pub mod store;
pub mod stores;
pub mod take_back;
mod target;
pub mod timeline_bar;
