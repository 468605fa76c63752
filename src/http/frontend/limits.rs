//! Limits: how much the frontend may use, and how long the body of a route may be.

use std::sync::Arc;

use super::head::Head;
use super::meter::Meter;
use super::socket::Peer;
use crate::http::proof::Proxies;
use crate::http::response::Response;
use crate::http::visitor::Visitor;
use crate::scratch::Scratch;

/// The methods of the whole server.
pub(super) const ALLOWED: &str = "GET, HEAD, POST, DELETE, OPTIONS";

/// How much the frontend may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many requests handlers have at once.
    pub handlers: usize,
    /// How many connections are served at once.
    pub connections_max: usize,
    /// How many of them one address may have.
    pub connections_each_max: usize,
    /// The proxies through which many clients come.
    pub proxies: Proxies,
    /// The room for bodies and replies that are too long for memory.
    pub scratch: Scratch,
    /// What is counted.
    pub meter: Arc<Meter>,
}

impl Limits {
    /// How many more connections get a complete 503.
    pub(super) fn refused_max(&self) -> usize {
        self.connections_max / 16 + 1
    }
}

/// A route's decision on a request before its body is read.
pub struct Admission {
    /// The place of the route in the table; none if there is no such route.
    pub route: Option<usize>,
    /// The longest body, in bytes.
    pub body_bytes_max: u64,
    /// Makes the answer to a longer body from this limit.
    pub too_large: fn(u64) -> Response,
    /// The answer, if the head alone decides it.
    pub known: Option<Response>,
    /// Who sent it.
    pub visitor: Arc<Visitor>,
    /// The answer to a request that may not be: its body is not taken.
    pub refused: Option<Response>,
    /// The id that a trusted proxy gave it.
    pub request_id: Option<String>,
}

/// Decides on a head from a peer; takes the secret of a share link out of its target.
pub type Admit = dyn Fn(&mut Head, Peer) -> Admission + Send;
