//! What the frontend tells of each answer, its own refusals too: who asked for what, and how it went.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::socket::Peer;
use crate::http::visitor::Visitor;

/// The longest request id that is taken from a proxy, in characters.
const ID_CHARS_MAX: usize = 64;

/// An answer that was given.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The request's id, as its answer has it.
    pub id: &'a str,
    /// Its method, upper case; none if its head was refused.
    pub method: Option<&'static str>,
    /// The place of its route in the table; none if there is no such route.
    pub route: Option<usize>,
    /// Who sent it; none if its head was refused.
    pub visitor: Option<&'a Visitor>,
    /// The other end of the connection.
    pub peer: Peer,
    /// The status of the answer.
    pub status: u16,
    /// The length of its body, as sent.
    pub bytes: usize,
    /// How long it took, from the head to the answer.
    pub lasted: Duration,
}

/// Is told of each answer, in the thread of the event loop.
pub type Observe = dyn Fn(&Seen<'_>) + Send;

/// A request that is answered next.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Its id; empty until there is one.
    pub(super) id: String,
    pub(super) method: Option<&'static str>,
    pub(super) route: Option<usize>,
    pub(super) visitor: Option<Arc<Visitor>>,
    pub(super) began: Option<Instant>,
}

impl Asked {
    /// Its answer, which has this status and a body of so many bytes.
    pub(super) fn seen(&self, peer: Peer, status: u16, bytes: usize) -> Seen<'_> {
        Seen {
            id: &self.id,
            method: self.method,
            route: self.route,
            visitor: self.visitor.as_deref(),
            peer,
            status,
            bytes,
            lasted: self.began.map_or(Duration::ZERO, |began| began.elapsed()),
        }
    }
}

/// Makes request ids, none twice in a process. They do not tell how many there were.
#[derive(Debug)]
pub(super) struct Ids(Cell<u64>);

impl Ids {
    pub(super) fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(0)))
    }

    pub(super) fn next(&self) -> String {
        // SplitMix64: each step of the counter gives another number.
        let counter = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(counter);
        let mixed = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("{:016x}", mixed ^ (mixed >> 31))
    }
}

/// Whether a proxy's request id may be used: a short word.
pub fn is_id(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= ID_CHARS_MAX && text.bytes().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_has_the_id_of_another() {
        let ids = Ids::new();
        let made: std::collections::HashSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| is_id(id) && id.len() == 16));
    }

    #[test]
    fn an_id_is_a_short_word() {
        assert!(is_id("a") && is_id("0af7651916cd43dd-8448_eb2.1") && is_id(&"x".repeat(64)));
        for bad in ["", " ", "a b", "a\"b", "a\r\nb", "é", "a=b", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
