//! Messages to people: receivers, and the thread that sends what is due in the outbox.
//!
//! In reading order, from the bottom: [`receiver`] says where messages go, [`reach`] which addresses of the network may
//! be connected to. [`failure`] says why a message did not arrive, and [`retry`] when it is tried again. [`payload`]
//! and [`email`] make the bodies, [`web`] and [`smtp`] send them, [`attempt`] picks the way. [`sender`] is the thread.

pub mod attempt;
pub mod authorities;
pub mod email;
pub mod failure;
pub mod payload;
pub mod reach;
pub mod receiver;
pub mod retry;
pub mod sender;
pub mod smtp;
pub mod web;
