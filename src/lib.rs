//! The map of the house (written out below as rooms are added).
pub mod civil;
pub mod error;
pub mod ingest;
pub mod uptime;
