//! Any bytes as `Authorization`, `Cookie`, the path of a share link and the form of `/login`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use store_monitor_fuzz::proofs::proofs;

fuzz_target!(|input: &[u8]| proofs(input));
