//! Any bytes as a CSV of special hours.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    store_monitor_fuzz::check_csv(bytes, store_monitor::ingest::kind::Kind::SpecialHours);
});
