//! Facts about instants and wall times as text: what is read, what is refused, what is written.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use proptest::prelude::*;

use super::*;

const AT: Micros = 1_674_551_303_138_922;

fn plain(at: Micros) -> Result<Timestamp, TimestampError> {
    Ok(Timestamp::utc(at))
}

#[test]
fn every_way_to_say_utc_is_the_same_instant() {
    for separator in [" ", "T", "t"] {
        for zone in [
            "",
            " UTC",
            "UTC",
            " GMT",
            "gmt",
            " +0000 UTC",
            " utc",
            "Z",
            " Z",
            "z",
            "+00:00",
            " +00:00",
            "-00:00",
            "+0000",
            "+00",
        ] {
            let text = format!("2023-01-24{separator}09:08:23.138922{zone}");
            assert_eq!(parse_timestamp(&text), plain(AT), "{text}");
        }
    }
}

#[test]
fn an_offset_is_converted() {
    for text in [
        "2023-01-24 11:08:23.138922+02:00",
        "2023-01-24T11:08:23.138922+0200",
        "2023-01-24 11:08:23.138922 +02",
        "2023-01-24 03:38:23.138922-05:30",
        "2023-01-25T08:08:23.138922+23:00",
    ] {
        let read = parse_timestamp(text).unwrap();
        assert_eq!((read.at, read.offset), (AT, true), "{text}");
    }
}

#[test]
fn a_fraction_of_any_length_is_read_and_cut_to_microseconds() {
    let base = AT - 138_922;
    for (fraction, micros, cut) in [
        ("", 0, false),
        (".5", 500_000, false),
        (".000001", 1, false),
        (".46544", 465_440, false),
        (".1234567", 123_456, true),
        (".9999999999999999999999999", 999_999, true),
    ] {
        for zone in ["", "Z", " UTC"] {
            let read = parse_timestamp(&format!("2023-01-24 09:08:23{fraction}{zone}")).unwrap();
            assert_eq!((read.at - base, read.subsecond), (micros, cut), "{fraction}");
        }
    }
}

#[test]
fn a_real_leap_second_becomes_the_next_second() {
    for (text, next) in [
        ("2016-12-31 23:59:60 UTC", "2017-01-01 00:00:00 UTC"),
        ("2015-06-30T23:59:60.25Z", "2015-07-01 00:00:00.25 UTC"),
        ("2012-07-01T01:59:60+02:00", "2012-07-01 00:00:00 UTC"),
    ] {
        let read = parse_timestamp(text).unwrap();
        assert!(read.leap_second, "{text}");
        assert_eq!(format_utc(read.at), next);
    }
}

#[test]
fn the_seconds_and_a_digit_of_the_hour_may_be_missing() {
    let nine = plain(1_674_637_200_000_000).unwrap().at;
    for text in [
        "2023-01-25 9:00:00",
        "2023-01-25 9:00 UTC",
        "2023-01-25T09:00Z",
        "2023-01-25 09:00 +00:00",
    ] {
        let read = parse_timestamp(text).unwrap();
        assert!(read.short && read.at == nine, "{text}");
    }
    assert_eq!(parse_instant("2023-01-25").unwrap(), nine - 9 * HOUR);
}

#[test]
fn what_is_not_a_timestamp_is_told_apart_by_reason() {
    use TimestampError::{Date, LeapSecond, Shape, Time, Zone};
    for (text, error) in [
        ("", Shape),
        ("2023-01-25", Shape),
        ("2023-01-25 10", Shape),
        ("2023-01-25 10:00.5", Shape),
        ("2023-01-25 1:0", Shape),
        ("2023-01-25  10:00:00 UTC", Shape),
        ("2023-1-5 10:00:00 UTC", Shape),
        ("2023-01-25 10:00:00. UTC", Shape),
        ("20230125T100000Z", Shape),
        ("1674640800", Shape),
        ("25/01/2023 10:00", Shape),
        ("+2023-01-25 10:00:00 UTC", Shape),
        ("12023-01-25 10:00:00 UTC", Shape),
        ("٢٠٢٣-01-25 10:00:00 UTC", Shape),
        ("2023-02-29 10:00:00 UTC", Date),
        ("1900-02-29 10:00:00 UTC", Date),
        ("2023-13-01 10:00:00 UTC", Date),
        ("2023-00-10 10:00:00 UTC", Date),
        ("2023-04-31 10:00:00 UTC", Date),
        ("2023-01-00 10:00:00 UTC", Date),
        ("0000-01-01 10:00:00 UTC", Date),
        ("2023-01-25 24:00:00 UTC", Time),
        ("2023-01-25 10:60:00 UTC", Time),
        ("2023-01-25 10:00:61 UTC", Time),
        ("2023-01-25 10:00:60 UTC", LeapSecond),
        ("2016-12-31 23:58:60 UTC", LeapSecond),
        ("2016-12-30 23:59:60 UTC", LeapSecond),
        ("2016-12-31 23:59:60+01:00", LeapSecond),
        ("2023-01-25 10:00:00 PST", Zone),
        ("2023-01-25 10:00:00 EST", Zone),
        ("2023-01-25 10:00:00  UTC", Zone),
        ("2023-01-25 10:00:00 ", Zone),
        ("2023-01-25 10:00:00 UTC ", Zone),
        ("2023-01-25 10:00:00+2", Zone),
        ("2023-01-25 10:00:00+24:00", Zone),
        ("2023-01-25 10:00:00+02:60", Zone),
        ("2023-01-25 10:00:00+02:00:00", Zone),
        ("2023-01-25 10:00:00,5 UTC", Zone),
    ] {
        assert_eq!(parse_timestamp(text), Err(error), "{text}");
    }
}

#[test]
fn a_fraction_is_written_without_trailing_zeros() {
    let second = AT - 138_922;
    assert_eq!(format_utc(second), "2023-01-24 09:08:23 UTC");
    assert_eq!(format_utc(second + 465_440), "2023-01-24 09:08:23.46544 UTC");
    assert_eq!(format_rfc3339(second + 1), "2023-01-24T09:08:23.000001Z");
    assert_eq!(format_utc(-1), "1969-12-31 23:59:59.999999 UTC");
}

#[test]
fn a_day_is_read_as_it_is_written_and_in_no_other_way() {
    for day in [-719_162, -1, 0, 20_758, 2_932_896] {
        assert_eq!(parse_day(&format_day(day)).unwrap(), day);
    }
    assert_eq!(format_day(20_758), "2026-11-01");
    for text in ["", "2026-11", "2026-11-1", "2026-11-01 ", "2026-02-29", "20261101"] {
        let error = parse_day(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is not a day")), "{error}");
    }
}

#[test]
fn wall_times_are_read_long_and_short() {
    let read = |text| parse_local_time(text).map(|time| (time.us_local, time.short));
    let nine = 9 * HOUR;
    for (text, expected) in [
        ("09:00:00", Some((nine, false))),
        ("09:00:00.5", Some((nine + SECOND / 2, false))),
        ("9:00:00", Some((nine, true))),
        ("09:00", Some((nine, true))),
        ("9:00", Some((nine, true))),
        ("00:00:00", Some((0, false))),
        ("24:00:00", Some((DAY, false))),
        ("24:00", Some((DAY, true))),
        ("24:00:00.000001", None),
        ("24:01", None),
        ("25:00:00", None),
        ("09:60:00", None),
        ("09:00:60", None),
        ("", None),
        ("9", None),
        ("0900", None),
        ("9:0", None),
        ("09:00.5", None),
        ("09:00:00.", None),
        ("09:00:00.1234567", None),
        ("-9:00:00", None),
        ("9:00 AM", None),
        ("009:00", None),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn wall_times_are_written_as_they_are_read() {
    for text in ["00:00:00", "09:05:07", "23:59:59.999999", "12:00:00.5", "24:00:00"] {
        let read = parse_local_time(text).unwrap();
        assert_eq!(format_local_time(read.us_local), text);
    }
}

#[test]
fn every_day_of_four_centuries_agrees_with_chrono() {
    let mut date = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    for _ in 0..150_000 {
        let text = format!("{date} 00:00:00 UTC");
        let days = date.signed_duration_since(epoch).num_days();
        assert_eq!(parse_timestamp(&text), plain(days * DAY), "{text}");
        assert_eq!(format_utc(days * DAY), text);
        date = date.succ_opt().unwrap();
    }
}

proptest! {
    #[test]
    fn an_instant_survives_being_written_and_read(at in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
        prop_assert_eq!(parse_timestamp(&format_utc(at)), plain(at));
        prop_assert_eq!(parse_timestamp(&format_rfc3339(at)), plain(at));
        let chrono = DateTime::from_timestamp_micros(at).unwrap();
        let text = chrono.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string();
        prop_assert_eq!(parse_timestamp(&text), plain(at));
    }

    #[test]
    fn the_quick_path_and_the_careful_path_agree(
        text in "[0-9]{4}-[0-2][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,8})?( UTC|Z)?"
    ) {
        let careful = parse_any(text.as_bytes());
        if let Some(at) = parse_common(text.as_bytes()) {
            prop_assert_eq!(careful, plain(at));
        }
        let bare = text.trim_end_matches('Z').trim_end_matches(" UTC").replace('T', " ");
        let chrono = NaiveDateTime::parse_from_str(&bare, "%Y-%m-%d %H:%M:%S%.f");
        // chrono takes second 60 anywhere, and an empty fraction.
        if let (Ok(chrono), Ok(read)) = (chrono, careful)
            && !read.leap_second
        {
            prop_assert_eq!(chrono.and_utc().timestamp_micros(), read.at);
        }
        prop_assert_eq!(parse_timestamp(&text), careful);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}", digits in "[0-9:. TZ+UC-]{0,40}") {
        let _ = (parse_timestamp(&text), parse_local_time(&text));
        let _ = (parse_timestamp(&digits), parse_local_time(&digits));
    }
}
