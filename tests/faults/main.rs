//! The fault harness: power cuts, kills, failing disks, full disks and flipped bits, each against sessions of the
//! real program. Short forms run in `cargo test`; the long ones are `--ignored` and say how long they take.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bit_flips;
mod disk;
mod failing_disk;
mod first_start;
mod fleet;
#[path = "../it/harness.rs"]
#[allow(dead_code)]
mod harness;
mod jobs;
mod kills;
mod power_cuts;
mod promise;
mod random;
mod replaced;
mod session;
mod trace;
