//! One attempt to bring a message to a receiver, by the way that the receiver has.

use super::failure::Failure;
use super::receiver::{Receiver, Way};
use super::{smtp, web};
use crate::db::outbox::Message;
use crate::uptime::interval::Micros;

/// Sends a message of `at`. Returns what is to be told beside its success, if anything.
///
/// # Errors
/// When it did not arrive, as far as anybody knows.
pub fn send(receiver: &Receiver, message: &Message, at: Micros) -> Result<Option<String>, Failure> {
    let private = receiver.allow_private;
    match &receiver.way {
        Way::Webhook { address, key } => web::to_webhook(address, key.as_ref(), private, message, at).map(|()| None),
        Way::Ntfy { address, token } => web::to_ntfy(address, token.as_ref(), private, message).map(|()| None),
        Way::Email { to, server } => smtp::to_recipients(server, private, to, message, at),
    }
}
