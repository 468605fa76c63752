//! Facts about rows: what each field may say, and what is told of one that says something else.

use super::*;
use crate::civil::parse_timestamp;

const POLLS: &str = "store_id,timestamp_utc,status";
const HOURS: &str = "store_id,dayOfWeek,start_time_local,end_time_local";
const ZONES: &str = "store_id,timezone_str";

fn layout(header: &str) -> Layout {
    let record = Record {
        line: 1,
        bytes: header.as_bytes(),
        shape: Shape::Plain,
    };
    Layout::read(&record, None, &mut Notes::default()).unwrap()
}

/// Hands `check` what became of a record, and the codes noted.
fn read(header: &str, record: &[u8], check: impl FnOnce(Result<Row<'_>, BadRow>, Vec<Code>)) {
    let latest_us = parse_timestamp("2026-01-01 00:00:00 UTC").unwrap().at;
    let shape = if record.contains(&b'"') {
        Shape::Quoted
    } else {
        Shape::Plain
    };
    let (mut scratch, mut notes) = (Vec::new(), Notes::default());
    let record = Record {
        line: 7,
        bytes: record,
        shape,
    };
    let parsed = layout(header).parse(record, latest_us, &mut scratch, &mut notes);
    let codes = notes.iter().map(|note| note.code).collect();
    match parsed {
        Parsed::Row { row, .. } => check(Ok(row), codes),
        Parsed::Bad(bad) => check(Err(*bad), codes),
    }
}

fn refused(header: &str, record: impl AsRef<[u8]>) -> (Code, Option<&'static str>) {
    let mut seen = None;
    read(header, record.as_ref(), |row, notes| {
        assert_eq!(notes, [], "a refused row leaves no notes");
        let bad = row.expect_err("a refusal");
        assert_eq!(bad.raw, record.as_ref());
        seen = Some((bad.code, bad.column));
    });
    seen.unwrap()
}

#[test]
fn a_row_that_is_clean_gives_no_notes() {
    read(POLLS, b"aa,2023-01-25 10:00:00 UTC,active", |row, notes| {
        let expected = Row::Poll {
            store_id: "aa",
            at: 1_674_640_800_000_000,
            status: Status::Active,
        };
        assert_eq!((row, notes), (Ok(expected), vec![]));
    });
}

#[test]
fn fields_without_a_header_are_read_like_those_below_one() {
    let (mut notes, raw) = (Notes::default(), &b"{}"[..]);
    let mut parse =
        |fields| match Layout::of(Kind::Timezones).parse_fields(3, raw, fields, 0, &mut notes) {
            Parsed::Row { row, .. } => Ok(row),
            Parsed::Bad(bad) => Err((bad.code, bad.column, bad.line)),
        };
    let expected = Row::Zone {
        store_id: "a,\"a",
        zone: "UTC",
    };
    assert_eq!(parse([b"a,\"a", b"UTC", b"", b""]), Ok(expected));
    let refusal = (Code::Zone, Some("timezone_str"), 3);
    assert_eq!(parse([b"aa", b"", b"", b""]), Err(refusal));
}

#[test]
fn what_is_odd_but_clear_is_taken_and_noted_once_a_row() {
    read(
        POLLS,
        b" aa ,\"2023-01-25T12:00:00.1234567+02:00 \",InActive",
        |row, notes| {
            let expected = Row::Poll {
                store_id: "aa",
                at: 1_674_640_800_123_456,
                status: Status::Inactive,
            };
            assert_eq!(row, Ok(expected));
            let codes = [
                Code::Trimmed,
                Code::StatusCase,
                Code::Offset,
                Code::Subsecond,
            ];
            assert_eq!(notes, codes);
        },
    );
    read(HOURS, b"aa,6,9:00,24:00", |row, notes| {
        let expected = Row::Hours {
            store_id: "aa",
            weekday: 6,
            start_us_local: DAY * 9 / 24,
            end_us_local: DAY,
        };
        assert_eq!((row, notes), (Ok(expected), vec![Code::TimeShort]));
    });
}

#[test]
fn a_zone_is_stored_in_its_own_spelling_and_an_alias_stays_one() {
    for (written, stored, codes) in [
        ("America/Chicago", "America/Chicago", vec![]),
        ("america/CHICAGO", "America/Chicago", vec![Code::ZoneCase]),
        ("US/Central", "US/Central", vec![Code::ZoneAlias]),
        (
            "us/central",
            "US/Central",
            vec![Code::ZoneAlias, Code::ZoneCase],
        ),
        ("utc", "UTC", vec![Code::ZoneCase]),
    ] {
        read(ZONES, format!("aa,{written}").as_bytes(), |row, notes| {
            let expected = Row::Zone {
                store_id: "aa",
                zone: stored,
            };
            assert_eq!((row, notes), (Ok(expected), codes));
        });
    }
}

#[test]
fn a_store_may_go_without_name_and_group() {
    read("group,store_id,name", b",aa,", |row, _| {
        let expected = Row::Store {
            store_id: "aa",
            name: "",
            group: "",
        };
        assert_eq!(row, Ok(expected));
    });
}

#[test]
fn a_refusal_names_the_column_as_the_header_does() {
    assert_eq!(
        refused(HOURS, "aa,7,09:00,17:00"),
        (Code::Day, Some("dayOfWeek"))
    );
    assert_eq!(
        refused(POLLS, "aa,x,active"),
        (Code::Timestamp, Some("timestamp_utc"))
    );
    assert_eq!(refused(POLLS, "aa,active"), (Code::FewFields, None));
}

#[test]
fn control_characters_are_refused_in_every_field() {
    for bad in [
        "a\0b",
        "a\tb",
        "a\u{7f}",
        "\u{202e}a",
        "a\u{200f}",
        "a\u{85}b",
        "\"a\nb\"",
    ] {
        let (poll, hours) = (
            format!("{bad},2023-01-25 10:00:00 UTC,active"),
            format!("aa,{bad},09:00,17:00"),
        );
        assert_eq!(refused(POLLS, poll), (Code::ControlChar, Some("store_id")));
        assert_eq!(
            refused(HOURS, hours),
            (Code::ControlChar, Some("dayOfWeek"))
        );
    }
    let mut status = b"aa,2023-01-25 10:00:00 UTC,active".to_vec();
    status.push(0xe9);
    assert_eq!(refused(POLLS, status), (Code::NotUtf8, Some("status")));
}

#[test]
fn store_ids_are_counted_in_characters() {
    let id = "é".repeat(STORE_ID_CHARS_MAX);
    read(ZONES, format!("{id},UTC").as_bytes(), |row, _| {
        assert!(row.is_ok());
    });
    let longer = format!("{id}x,UTC");
    assert_eq!(
        refused(ZONES, longer),
        (Code::StoreIdLong, Some("store_id"))
    );
    assert_eq!(
        refused(ZONES, "\u{a0} ,UTC"),
        (Code::StoreIdEmpty, Some("store_id"))
    );
}

#[test]
fn the_range_has_both_its_ends() {
    for (at, code) in [
        ("2000-01-01 00:00:00 UTC", None),
        ("1999-12-31 23:59:59.999999 UTC", Some(Code::Range)),
        ("2026-01-01 00:00:00 UTC", None),
        ("2026-01-01 00:00:00.000001 UTC", Some(Code::Range)),
    ] {
        read(POLLS, format!("aa,{at},active").as_bytes(), |row, _| {
            assert_eq!(row.err().map(|bad| bad.code), code, "{at}");
        });
    }
}

#[test]
fn only_an_end_may_be_24_00() {
    assert_eq!(
        refused(HOURS, "aa,0,24:00:00,24:00:00"),
        (Code::Time, Some("start_time_local"))
    );
    assert_eq!(
        refused(HOURS, "aa,0,09:00:00,"),
        (Code::Time, Some("end_time_local"))
    );
}
