//! Any bytes as a JSON array. It must never know what is asked of the reader.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    store_monitor_fuzz::check_json_array(bytes);
});
