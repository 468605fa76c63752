//! Any bytes as JSON, one object a line.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    store_monitor_fuzz::check_json_lines(bytes);
});
