//! The map of the house (written out below as rooms are added).
pub mod error;
pub mod generate;
pub mod uptime;
