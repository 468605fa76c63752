//! Any bytes as a chunked body: no panic, the same body however it is split, never longer than allowed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use store_monitor::http::frontend::chunks::BodyDecoder;
use store_monitor::http::frontend::head::Framing;
use store_monitor::http::frontend::refusal::Refusal;

const BYTES_MAX: u64 = 1000;

/// What there is of the body, how much input it took, and whether it is whole.
fn read(input: &[u8], step: usize) -> (Vec<u8>, Result<(usize, bool), Refusal>) {
    let mut body = BodyDecoder::new(Framing::Chunked, BYTES_MAX).expect("no length, no limit yet");
    let (mut bytes, mut taken) = (Vec::new(), 0);
    for piece in input.chunks(step) {
        match body.decode(piece, |more| bytes.extend_from_slice(more)) {
            Ok(length) => taken += length,
            Err(refusal) => return (bytes, Err(refusal)),
        }
        if body.is_whole() {
            break;
        }
    }
    (bytes, Ok((taken, body.is_whole())))
}

fuzz_target!(|input: &[u8]| {
    let whole = read(input, input.len().max(1));
    assert!(whole.0.len() as u64 <= BYTES_MAX);
    assert_eq!(whole, read(input, 1), "byte by byte");
    assert_eq!(whole, read(input, 3), "in pieces");
    if let Ok((taken, false)) = whole.1 {
        assert_eq!(taken, input.len(), "all of it is the body's");
    }
});
