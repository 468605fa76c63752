//! Refusals: why the frontend refuses a request, with the status and the remedy.

use crate::http::response::Response;

/// Why a request is refused, in the words of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It violates RFC 9112.
    Malformed,
    /// Its body is too long.
    LongBody,
    /// Its line is too long.
    LongLine,
    /// Its head is too long.
    LongHead,
    /// Its head came too slowly.
    SlowHead,
    /// Its body came too slowly.
    SlowBody,
    /// It needs something of HTTP that is not spoken here.
    Unsupported,
    /// There are too many connections.
    Connections,
    /// There is no room for its body.
    Room,
    /// The disk is full.
    Disk,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::LongBody,
        Self::LongLine,
        Self::LongHead,
        Self::SlowHead,
        Self::SlowBody,
        Self::Unsupported,
        Self::Connections,
        Self::Room,
        Self::Disk,
    ];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::LongBody => "long_body",
            Self::LongLine => "long_line",
            Self::LongHead => "long_head",
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::Unsupported => "unsupported",
            Self::Connections => "too_many_connections",
            Self::Room => "no_room",
            Self::Disk => "disk_full",
        }
    }
}

/// A refusal. The bytes after a refused request cannot be trusted, so its connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, in one word.
    pub reason: Reason,
    /// The status code.
    pub status: u16,
    /// The fault and the remedy, for the sender.
    pub detail: &'static str,
}

impl Refusal {
    /// 400: the request violates RFC 9112.
    pub const fn malformed(detail: &'static str) -> Self {
        Self {
            reason: Reason::Malformed,
            status: 400,
            detail,
        }
    }

    /// 413: the body is longer than the route allows.
    pub const TOO_LARGE: Self = Self {
        reason: Reason::LongBody,
        status: 413,
        detail: "the body is longer than this route takes (send it in parts, or gzipped)",
    };

    /// 414: the request line is too long.
    pub const LONG_LINE: Self = Self {
        reason: Reason::LongLine,
        status: 414,
        detail: "the request line is longer than 8192 bytes (send long data as a body)",
    };

    /// 431: the head is too long.
    pub const LONG_HEAD: Self = Self {
        reason: Reason::LongHead,
        status: 431,
        detail: "the head has more than 16384 bytes or 100 fields (send fewer and shorter header fields)",
    };

    /// 408: the head did not come in time.
    pub const SLOW_HEAD: Self = Self {
        reason: Reason::SlowHead,
        status: 408,
        detail: "the request's head was not complete within 10 seconds (send it in one go)",
    };

    /// 408: the body came too slowly.
    pub const SLOW_BODY: Self = Self {
        reason: Reason::SlowBody,
        status: 408,
        detail: "the body came at less than 1024 bytes a second (send it again over a faster line)",
    };

    /// 417: the client expects something that the server never sends.
    pub const EXPECTATION: Self = Self {
        reason: Reason::Unsupported,
        status: 417,
        detail: "no expectation but 100-continue is met here (leave Expect out)",
    };

    /// 501: a method that HTTP does not define, or that is for proxies.
    pub const METHOD: Self = Self {
        reason: Reason::Unsupported,
        status: 501,
        detail: "this method is not known here (methods are upper case; GET, HEAD, POST and DELETE are in use)",
    };

    /// 501: a transfer coding other than `chunked`.
    pub const CODING: Self = Self {
        reason: Reason::Unsupported,
        status: 501,
        detail: "no transfer coding but chunked is understood (compress with Content-Encoding: gzip)",
    };

    /// 503: more connections than the server keeps.
    pub const FULL: Self = Self {
        reason: Reason::Connections,
        status: 503,
        detail: "too many connections are open (come again in a second)",
    };

    /// 503: no room for the body.
    pub const NO_ROOM: Self = Self {
        reason: Reason::Room,
        status: 503,
        detail: "there is no room to keep the body at the moment (come again in a second)",
    };

    /// 507: the disk is full.
    pub const NO_DISK: Self = Self {
        reason: Reason::Disk,
        status: 507,
        detail: "no space is left for the body in the folder of the server's database (free some, then send it again)",
    };

    /// 505: neither HTTP/1.1 nor HTTP/1.0.
    pub const VERSION: Self = Self {
        reason: Reason::Unsupported,
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
