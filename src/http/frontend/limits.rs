//! Limits: how much the frontend may use, and how long a body a route takes.

use std::path::PathBuf;

use crate::http::response::Response;

/// How much the frontend may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many requests are handed over at once.
    pub handlers: usize,
    /// How many connections are served at once.
    pub connections_max: usize,
    /// Where bodies and replies wait that are too long for memory.
    pub folder: PathBuf,
    /// How many bytes may wait there.
    pub disk_bytes_max: u64,
}

impl Limits {
    /// How many connections beyond the others get a complete 503.
    pub(super) fn refused_max(&self) -> usize {
        self.connections_max / 16 + 1
    }
}

/// A route's word on a request before its body is read.
pub struct Admission {
    /// How long the body may be, in bytes.
    pub body_bytes_max: u64,
    /// The answer to a longer body, made from this limit.
    pub too_large: fn(u64) -> Response,
    /// The answer, where the head is enough to know it.
    pub known: Option<Response>,
}

/// Judges a method and a target.
pub type Admit = dyn Fn(&str, &str) -> Admission + Send;
