//! An exchange: a complete request for a handler, and the way back for its answer.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use mio::{Token, Waker};

use super::spool::Spool;
use crate::http::response::Response;
use crate::http::visitor::Visitor;

/// A well-formed, bounded and complete request.
pub struct WholeRequest {
    /// When it was whole.
    pub whole_at: Instant,
    /// The place of its route in the table; none if there is no such route.
    pub route: Option<usize>,
    /// The method, upper case.
    pub method: &'static str,
    /// Path and query, percent-encoded.
    pub target: String,
    /// The header fields, without those about connection and framing.
    pub headers: Vec<(String, String)>,
    /// The body; empty if the request was refused.
    pub body: Spool,
    /// Who sent it.
    pub visitor: Arc<Visitor>,
    /// The answer, if its head was refused.
    pub refused: Option<Response>,
    /// Its id, for the log.
    pub id: String,
}

/// The way back to the client.
pub struct ReplyTo {
    pub(super) client: Token,
    pub(super) replies: Sender<(Token, Response)>,
    pub(super) waker: Arc<Waker>,
}

/// A request and the way back for its answer. Each must be answered once.
pub struct Exchange {
    /// The request.
    pub request: WholeRequest,
    /// The way back.
    pub reply_to: ReplyTo,
}

/// Takes exchanges and gets them answered.
pub type Dispatch = dyn FnMut(Exchange) + Send;

impl ReplyTo {
    /// Sends the answer to the event loop.
    pub fn answer(self, answer: Response) {
        // The receiver is gone only after a stop, when no client waits.
        if self.replies.send((self.client, answer)).is_ok()
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "the event loop cannot be woken");
        }
    }
}
