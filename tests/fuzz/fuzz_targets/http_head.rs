//! Any bytes as a head: no panic, and the same verdict however it is split. Its fields and target make a good head
//! with the same meaning.

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
    assert!(head.target.starts_with('/'));
    let mut text = format!("{} {} HTTP/1.1\r\n", head.method, head.target);
    for (name, value) in &head.fields {
        assert!(name.is_ascii() && value.is_ascii());
        text += &format!("{name}: {value}\r\n");
    }
    if head.is_1_1 {
        text += "\r\n";
        // Percent-encoding and a host of its own may make it longer than a client's may be.
        match read(text.as_bytes(), text.len()) {
            Ok(Some((again, end))) => {
                assert_eq!(end, text.len());
                assert_eq!((again.fields, again.target), (head.fields, head.target));
            }
            Err(refusal) => assert!(matches!(refusal.status, 414 | 431), "{refusal:?}"),
            Ok(None) => panic!("a head without an end"),
        }
    }
});
