//! Messages to people: receivers, and the thread that sends what is due in the outbox.

pub mod receiver;
