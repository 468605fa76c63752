//! Facts about rows: the valid values of each field, and the report on all others.

use proptest::prelude::*;

use super::*;
use crate::civil::parse_timestamp;
use crate::ingest::kind::{EARLIEST_US, HoursRow, STORE_ID_CHARS_MAX, StoreRow};
use crate::uptime::calendar::WeeklyRow;
use crate::uptime::interval::DAY;
use crate::uptime::poll::{Poll, Status};

const POLLS: &str = "store_id,timestamp_utc,status";
const HOURS: &str = "store_id,dayOfWeek,start_time_local,end_time_local";
const ZONES: &str = "store_id,timezone_str";

/// Gives `check` the store and the value of a record, and the codes noted.
fn read(header: &str, record: &[u8], check: impl FnOnce(Result<(&str, Value<'_>), BadRow>, Vec<Code>)) {
    let latest = parse_timestamp("2026-01-01 00:00:00 UTC").unwrap().at;
    let text = [header.as_bytes(), b"\n", record].concat();
    let mut rows = Rows::open(&*text, Format::Csv, None, ReadOptions::until(latest), u64::MAX).unwrap();
    let mut codes = rows.notes().iter().map(|note| note.code).collect::<Vec<_>>();
    assert_eq!(codes, [Code::NoRows]);
    let mut counted = Rows::open(&*text, Format::Csv, None, ReadOptions::until(latest), u64::MAX).unwrap();
    assert!(counted.next_row().unwrap().is_some());
    codes = counted.notes().iter().map(|note| note.code).collect();
    match rows.next_row().unwrap().unwrap() {
        Ok(row) => check(Ok((row.store_id, row.value)), codes),
        Err(bad) => check(Err(*bad), codes),
    }
}

/// Checks that a record is good, and its value as `Debug` prints it.
#[track_caller]
fn says(header: &str, record: impl AsRef<[u8]>, expected: (&str, Value<'_>), noted: &[Code]) {
    read(header, record.as_ref(), |row, codes| {
        let got = format!("{:?}", row.unwrap());
        assert_eq!((got, &*codes), (format!("{expected:?}"), noted));
    });
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
    let poll = Poll::new(1_674_640_800_000_000, Status::Active);
    let record = "aa,2023-01-25 10:00:00 UTC,active";
    says(POLLS, record, ("aa", Value::Polls(poll)), &[]);
}

#[test]
fn unusual_but_unambiguous_rows_are_accepted_and_noted_once() {
    let poll = Poll::new(1_674_640_800_123_456, Status::Inactive);
    let record = " aa ,\"2023-01-25T12:00:00.1234567+02:00 \",InActive";
    let codes = [Code::Trimmed, Code::StatusCase, Code::Offset, Code::Subsecond];
    says(POLLS, record, ("aa", Value::Polls(poll)), &codes);
    let hours = HoursRow {
        valid_from: None,
        row: WeeklyRow::open(6, DAY * 9 / 24, DAY),
    };
    let expected = ("aa", Value::BusinessHours(hours));
    says(HOURS, "aa,6,9:00,24:00", expected, &[Code::TimeShort]);
}

#[test]
fn a_zone_is_stored_in_its_own_spelling_and_an_alias_stays_one() {
    for (written, stored, codes) in [
        ("America/Chicago", "America/Chicago", &[][..]),
        ("america/CHICAGO", "America/Chicago", &[Code::ZoneCase]),
        ("US/Central", "US/Central", &[Code::ZoneAlias]),
        ("us/central", "US/Central", &[Code::ZoneAlias, Code::ZoneCase]),
        ("utc", "UTC", &[Code::ZoneCase]),
    ] {
        let record = format!("aa,{written}");
        says(ZONES, record, ("aa", Value::Timezones(stored)), codes);
    }
}

#[test]
fn a_store_may_go_without_name_and_group() {
    let row = StoreRow {
        name: "",
        group: "",
        sales_per_hour: None,
        target: None,
    };
    says("group,store_id,name", ",aa,", ("aa", Value::Stores(row)), &[]);
}

#[test]
fn an_empty_field_says_something_and_a_missing_column_nothing() {
    let stores = "store_id,name,group,sales_per_hour,target";
    let row = |sales_per_hour, target| StoreRow {
        name: "n",
        group: "g",
        sales_per_hour,
        target,
    };
    let expected = Value::Stores(row(Some(None), Some(None)));
    says(stores, "aa,n,g,,", ("aa", expected), &[]);
    let expected = Value::Stores(row(Some(Some(12_050)), Some(Some(9_950))));
    says(stores, "aa,n,g,120.5,99.5 %", ("aa", expected), &[Code::PercentSign]);
    let expected = Value::Stores(row(None, Some(Some(99))));
    let header = "store_id,name,group,target";
    says(header, "aa,n,g,0.99", ("aa", expected), &[Code::TargetSmall]);
    let json = |object: &str, expected| {
        let options = ReadOptions::until(0);
        let kind = Some(Kind::Stores);
        let mut rows = Rows::open(object.as_bytes(), Format::Ndjson, kind, options, u64::MAX).unwrap();
        let row = rows.next_row().unwrap().unwrap().unwrap();
        assert_eq!(format!("{:?}", row.value), format!("{:?}", Value::Stores(expected)));
    };
    let object = |rest: &str| format!(r#"{{"store_id":"aa","name":"n","group":"g"{rest}}}"#);
    json(&object(""), row(None, None));
    json(&object(r#","sales_per_hour":null"#), row(Some(None), None));
    json(
        &object(r#","sales_per_hour":"","target":99.5"#),
        row(Some(None), Some(Some(9_950))),
    );
    json(&object(r#","sales_per_hour":120.5"#), row(Some(Some(12_050)), None));
}

#[test]
fn a_row_has_its_own_version_or_that_of_its_call() {
    let hours = |text: &str| {
        let options = ReadOptions {
            valid_from: Some(20_758),
            ..ReadOptions::until(0)
        };
        let mut rows = Rows::open(text.as_bytes(), Format::Csv, None, options, u64::MAX).unwrap();
        match rows.next_row().unwrap().unwrap().unwrap().value {
            Value::BusinessHours(row) => row.valid_from,
            other => panic!("{other:?}"),
        }
    };
    let header = "store_id,day,start_time_local,end_time_local";
    assert_eq!(hours(&format!("{header}\naa,0,09:00,17:00")), Some(20_758));
    assert_eq!(hours(&format!("{header},valid_from\naa,0,09:00,17:00,")), None);
    let dated = format!("{header},valid_from\naa,0,09:00,17:00,2026-11-02");
    assert_eq!(hours(&dated), Some(20_759));
}

#[test]
fn a_refusal_names_the_column_as_the_header_does() {
    assert_eq!(refused(HOURS, "aa,7,09:00,17:00"), (Code::Day, Some("dayOfWeek")));
    assert_eq!(refused(POLLS, "aa,x,active"), (Code::Timestamp, Some("timestamp_utc")));
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
        assert_eq!(refused(HOURS, hours), (Code::ControlChar, Some("dayOfWeek")));
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
    assert_eq!(refused(ZONES, longer), (Code::StoreIdLong, Some("store_id")));
    assert_eq!(refused(ZONES, "\u{a0} ,UTC"), (Code::StoreIdEmpty, Some("store_id")));
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
    assert_eq!(refused(HOURS, "aa,0,09:00:00,"), (Code::Time, Some("end_time_local")));
}

/// A row as text, or its code and column; each with its line.
type Seen = (u64, Result<String, (Code, Option<&'static str>, String)>);

/// Every row and note, with lines counted from the row after `header_lines`.
fn read_all(text: &[u8], format: Format, kind: Kind, header_lines: u64) -> (Vec<Seen>, Vec<String>) {
    let latest_us = EARLIEST_US + 20_000 * DAY;
    let mut rows = Rows::open(text, format, Some(kind), ReadOptions::until(latest_us), u64::MAX).unwrap();
    let mut seen = Vec::new();
    while let Some(row) = rows.next_row().unwrap() {
        seen.push(match row {
            Ok(row) => {
                let said = format!("{} {:?}", row.store_id, row.value);
                (row.line - header_lines, Ok(said))
            }
            Err(bad) => (bad.line - header_lines, Err((bad.code, bad.column, bad.reason))),
        });
    }
    let notes = rows.notes();
    let notes = notes.iter().map(|note| {
        let line = note.line.map(|line| line - header_lines);
        format!("{} {} {line:?}", note.code, note.count)
    });
    (seen, notes.collect())
}

/// A row as a JSON object that begins with its field number `first`; with `numbers`, whole numbers are
/// written as numbers.
fn object(kind: Kind, texts: &[String], first: usize, numbers: bool) -> String {
    let count = kind.required().count();
    let fields: Vec<_> = (0..count)
        .map(|place| (place + first) % count)
        .map(|slot| {
            let text = &texts[slot];
            let digits = text.strip_prefix('-').unwrap_or(text);
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits == "0" || !digits.starts_with('0'))
                && !digits.is_empty();
            let value = if numbers && is_number {
                text.clone()
            } else {
                serde_json::to_string(text).unwrap()
            };
            format!("\"{}\": {value}", kind.columns()[slot].name())
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn csv_of(kind: Kind, rows: &[(Vec<String>, usize, bool)]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = kind.required().map(|column| column.name());
    writer.write_record(names).unwrap();
    for (texts, ..) in rows {
        let texts = &texts[..kind.required().count()];
        writer.write_record(texts).unwrap();
    }
    writer.into_inner().unwrap()
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    let good = prop::sample::select(vec![
        "aa",
        "active",
        "Inactive",
        "2023-01-25 10:00:00 UTC",
        "2023-01-25T10:00:00.1234567+02:00",
        "1970-01-01 00:00:00",
        "America/Denver",
        "us/eastern",
        "09:00:00",
        "9:30",
        "24:00",
        "3",
        " 0 ",
    ]);
    let text = prop_oneof![
        3 => good.prop_map(str::to_owned),
        1 => "[ab,\"\\\\/ \t\u{1}\u{e9}\u{202e}\u{2028}\u{1f355}]{0,5}",
        1 => "-?[0-9]{1,20}",
        1 => "x{127,130}",
    ];
    prop::collection::vec(text, 4)
}

/// Rows, many of them good: each text is in the column of its kind, or in any.
fn rows() -> impl Strategy<Value = (Kind, Vec<(Vec<String>, usize, bool)>)> {
    let fitting = |kind: Kind| {
        let texts: &[&str] = match kind {
            Kind::Polls => &["aa", "2023-01-25 10:00:00 UTC", "active", ""],
            Kind::BusinessHours => &["7", "0", "09:00", "24:00:00"],
            Kind::SpecialHours => &["7", "2026-12-25", "09:00", "24:00:00"],
            Kind::Timezones => &["8419537941919820732", "america/denver", "", ""],
            Kind::Stores => &["aa", "\u{e9} \"\\", "12", ""],
        };
        texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()
    };
    prop::sample::select(Kind::ALL.to_vec()).prop_flat_map(move |kind| {
        let row = (fitting_or_any(fitting(kind)), 0usize..4, any::<bool>());
        (Just(kind), prop::collection::vec(row, 1..12))
    })
}

fn fitting_or_any(fitting: Vec<String>) -> impl Strategy<Value = Vec<String>> {
    (texts(), 0u8..16).prop_map(move |(texts, any)| {
        let mut both = texts.into_iter().zip(&fitting).enumerate();
        both.by_ref()
            .map(
                |(slot, (text, fits))| {
                    if any >> slot & 1 == 1 { text } else { fits.clone() }
                },
            )
            .collect()
    })
}

proptest! {
    #[test]
    fn the_same_rows_are_read_however_they_are_written((kind, rows) in rows()) {
        // Commas alone are a row of JSON, and none of CSV.
        let columns = kind.required().count();
        let is_filler = |text: &String| text.trim_matches([' ', '\t', ',', '"']).is_empty();
        prop_assume!(rows.iter().all(|(texts, ..)| !texts[..columns].iter().all(is_filler)));
        let csv = read_all(&csv_of(kind, &rows), Format::Csv, kind, 1);
        let objects: Vec<_> = rows
            .iter()
            .map(|(texts, first, numbers)| object(kind, texts, *first, *numbers))
            .collect();
        let lines = objects.join("\n");
        prop_assert_eq!(&read_all(lines.as_bytes(), Format::Ndjson, kind, 0), &csv);
        let array = format!("[{}]", objects.join(",\n"));
        prop_assert_eq!(&read_all(array.as_bytes(), Format::JsonArray, kind, 0), &csv);
    }

    #[test]
    fn no_text_makes_it_panic(
        text in "[\\[{]?([\\[\\]{},: \n\r1]|\"store_id\":|\"timezone_str\":|\"UTC\"|\"|\\\\|\\\\ud800|null){0,20}"
    ) {
        for format in [Format::Ndjson, Format::JsonArray] {
            let rows = Rows::open(text.as_bytes(), format, Some(Kind::Timezones), ReadOptions::until(0), u64::MAX);
            let mut rows = rows.unwrap();
            while let Ok(Some(_)) = rows.next_row() {}
        }
    }
}

#[test]
fn json_has_to_be_said_what_it_is() {
    let refused = Rows::open(&b"{}"[..], Format::Ndjson, None, ReadOptions::until(0), u64::MAX).err();
    assert!(matches!(refused, Some(InputError::Refused(file)) if file.code == Code::Header));
}

#[test]
fn a_first_row_of_another_kind_refuses_the_file() {
    let zone = br#"[{"store_id": "aa", "timezone_str": "UTC"}]"#;
    let mut rows = Rows::open(
        &zone[..],
        Format::JsonArray,
        Some(Kind::Polls),
        ReadOptions::until(0),
        u64::MAX,
    )
    .unwrap();
    let Err(InputError::Refused(file)) = rows.next_row() else {
        panic!("not refused");
    };
    assert_eq!(
        file.to_string(),
        "line 1: these are time zones, not polls (expected fields `store_id,timestamp_utc,status`)"
    );
}
