//! Any bytes as a head: no panic, the same verdict however they come, and what is relayed is a good head
//! that means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use store_monitor::http::frontend::head::{Head, Scanner, judge};
use store_monitor::http::frontend::refusal::Refusal;

/// Reads a head that comes in pieces of `step` bytes; none where it is not all there.
fn read(input: &[u8], step: usize) -> Result<Option<(Head, usize)>, Refusal> {
    let mut scanner = Scanner::default();
    let mut length = 0;
    loop {
        length = (length + step).min(input.len());
        if let Some(range) = scanner.scan(&input[..length])? {
            let end = range.end;
            return Ok(Some((judge(&input[range])?, end)));
        }
        if length == input.len() {
            return Ok(None);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let whole = read(input, input.len().max(1));
    assert_eq!(whole, read(input, 1), "byte by byte");
    assert_eq!(whole, read(input, 7), "in pieces");
    let Ok(Some((head, _))) = whole else {
        return;
    };
    if head.target == "*" {
        return;
    }
    assert!(head.relayed.is_ascii());
    assert!(head.target.starts_with('/'));
    let mut relayed = head.relayed.clone();
    if head.is_1_1 {
        relayed.extend_from_slice(b"\r\n");
        // Percent-encoding and a host of its own may make it longer than a client's may be.
        match read(&relayed, relayed.len()) {
            Ok(Some((again, end))) => {
                assert_eq!(end, relayed.len());
                assert_eq!(again.relayed, head.relayed);
                assert_eq!(again.target, head.target);
            }
            Err(refusal) => assert!(matches!(refusal.status, 414 | 431), "{refusal:?}"),
            Ok(None) => panic!("what is relayed has no end"),
        }
    }
});
