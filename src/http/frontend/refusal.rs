//! Refusals: why the frontend refuses a request, with the status and the remedy.

use crate::http::response::Response;

/// A refusal. The bytes after a refused request cannot be trusted, so its connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// The fault and the remedy, for the sender.
    pub detail: &'static str,
}

impl Refusal {
    /// 400: the request violates RFC 9112.
    pub const fn malformed(detail: &'static str) -> Self {
        Self { status: 400, detail }
    }

    /// 413: the body is longer than the route allows.
    pub const TOO_LARGE: Self = Self {
        status: 413,
        detail: "the body is longer than this route takes (send it in parts, or gzipped)",
    };

    /// 414: the request line is too long.
    pub const LONG_LINE: Self = Self {
        status: 414,
        detail: "the request line is longer than 8192 bytes (send long data as a body)",
    };

    /// 431: the head is too long.
    pub const LONG_HEAD: Self = Self {
        status: 431,
        detail: "the head has more than 16384 bytes or 100 fields (send fewer and shorter header fields)",
    };

    /// 408: the head did not come in time.
    pub const SLOW_HEAD: Self = Self {
        status: 408,
        detail: "the request's head was not complete within 10 seconds (send it in one go)",
    };

    /// 408: the body came too slowly.
    pub const SLOW_BODY: Self = Self {
        status: 408,
        detail: "the body came at less than 1024 bytes a second (send it again over a faster line)",
    };

    /// 417: the client expects something that the server never sends.
    pub const EXPECTATION: Self = Self {
        status: 417,
        detail: "no expectation but 100-continue is met here (leave Expect out)",
    };

    /// 501: a method that HTTP does not define, or that is for proxies.
    pub const METHOD: Self = Self {
        status: 501,
        detail: "this method is not known here (methods are upper case; GET, HEAD, POST and DELETE are in use)",
    };

    /// 501: a transfer coding other than `chunked`.
    pub const CODING: Self = Self {
        status: 501,
        detail: "no transfer coding but chunked is understood (compress with Content-Encoding: gzip)",
    };

    /// 503: more connections than the server keeps.
    pub const FULL: Self = Self {
        status: 503,
        detail: "too many connections are open (come again in a second)",
    };

    /// 503: no room for the body.
    pub const NO_ROOM: Self = Self {
        status: 503,
        detail: "there is no room to keep the body at the moment (come again in a second)",
    };

    /// 507: the disk is full.
    pub const NO_DISK: Self = Self {
        status: 507,
        detail: "no space is left for the body in the folder of the server's database (free some, then send it again)",
    };

    /// 505: neither HTTP/1.1 nor HTTP/1.0.
    pub const VERSION: Self = Self {
        status: 505,
        detail: "only HTTP/1.1 and HTTP/1.0 are spoken here (send one of them)",
    };

    /// The answer of this refusal.
    pub fn answer(self) -> Response {
        let answer = Response::problem(self.status, self.detail);
        match self.status {
            503 => answer.with("Retry-After", "1"),
            507 => answer.with("Retry-After", "30"),
            _ => answer,
        }
    }
}
