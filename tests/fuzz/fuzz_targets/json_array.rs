//! Any bytes as a JSON array.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    store_monitor_fuzz::check_json_array(bytes);
});
