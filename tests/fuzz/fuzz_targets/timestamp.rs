//! Any text as an instant, and as a wall time.

#![no_main]

use chrono::{DateTime, Datelike};
use store_monitor::civil::{
    format_local_time, format_rfc3339, format_utc, parse_local_time, parse_timestamp,
};

/// 0001-01-01T00:00:00Z.
const FIRST_US: i64 = -62_135_596_800_000_000;

/// 10000-01-01T00:00:00Z.
const END_US: i64 = 253_402_300_800_000_000;

// Each field, so that files of rows are examples of what to try.
libfuzzer_sys::fuzz_target!(|text: &str| {
    for field in text.split([',', '"', '\r', '\n']) {
        check_instant(field);
        check_wall_time(field);
    }
});

fn check_instant(text: &str) {
    let read = parse_timestamp(text);
    // An offset may carry an instant out of the years that have four digits.
    let has_name = |at: i64| (FIRST_US..END_US).contains(&at);
    if let Some(read) = read.ok().filter(|read| has_name(read.at)) {
        for written in [format_utc(read.at), format_rfc3339(read.at)] {
            let again = parse_timestamp(&written).expect("what was written is read");
            assert_eq!(again.at, read.at, "{text} was written as {written}");
            assert!(!again.offset && !again.subsecond && !again.leap_second);
        }
    }
    // The quick path takes only what ends in this; the careful one takes the others.
    let bare = text.strip_suffix(" UTC");
    if let Some(bare) = bare.filter(|bare| bare.ends_with(|last: char| last.is_ascii_digit())) {
        for zone in ["Z", " utc", "+00:00"] {
            assert_eq!(parse_timestamp(&format!("{bare}{zone}")), read, "{text}");
        }
        if read.is_ok() {
            assert_eq!(parse_timestamp(bare), read, "{text}");
        }
    }
    // Whatever RFC 3339 has is read, but for a year 0 and the leap seconds that never were. It has no
    // minus but that of ASCII, which the other reader does not mind.
    if let Ok(known) = DateTime::parse_from_rfc3339(text)
        && known.year() >= 1
        && !text.contains(":60")
        && text.is_ascii()
    {
        let read = read.expect("RFC 3339 is read");
        assert_eq!(read.at, known.timestamp_micros(), "{text}");
    }
}

fn check_wall_time(text: &str) {
    if let Some(time) = parse_local_time(text) {
        let written = format_local_time(time.us_local);
        let again = parse_local_time(&written).expect("what was written is read");
        assert_eq!(
            (again.us_local, again.short),
            (time.us_local, false),
            "{text}"
        );
    }
}
