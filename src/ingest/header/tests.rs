//! Facts about headers: which kind an input is, and why it is none.

use super::*;

fn read(header: &str, expected: Option<Kind>) -> Result<(Kind, Vec<Code>), Code> {
    let mut notes = Notes::default();
    let record = Record {
        line: 1,
        bytes: header.as_bytes(),
        shape: match header {
            header if header.contains("\";") || header.starts_with('{') => Shape::BareQuote,
            header if header.contains('"') => Shape::Quoted,
            _ => Shape::Plain,
        },
    };
    Layout::read(&record, expected, ReadOptions::until(0), &mut notes)
        .map(|layout| (layout.kind(), notes.iter().map(|note| note.code).collect()))
        .map_err(|file| file.code)
}

#[test]
fn a_kind_is_told_by_its_columns_in_any_order() {
    for (header, kind) in [
        ("store_id,timestamp_utc,status", Kind::Polls),
        ("status,store_id,timestamp_utc", Kind::Polls),
        ("\"status\",store_id,\"timestamp_utc\"", Kind::Polls),
        ("store_id,day,start_time_local,end_time_local", Kind::BusinessHours),
        (
            "dayOfWeek,store_id,end_time_local,start_time_local",
            Kind::BusinessHours,
        ),
        (
            "store_id,day_of_week,start_time_local,end_time_local",
            Kind::BusinessHours,
        ),
        ("store_id,timezone_str", Kind::Timezones),
        ("group,name,store_id", Kind::Stores),
    ] {
        assert_eq!(read(header, None), Ok((kind, vec![])), "{header}");
    }
}

#[test]
fn case_spaces_and_extra_columns_are_noted() {
    let polls = |code| Ok((Kind::Polls, vec![code]));
    assert_eq!(read("STORE_ID,timestamp_utc,status", None), polls(Code::HeaderCase));
    assert_eq!(read("store_id, timestamp_utc,status", None), polls(Code::HeaderCase));
    assert_eq!(read("store_id,x,timestamp_utc,status", None), polls(Code::ExtraColumn));
    assert_eq!(read("store_id,timestamp_utc,status,", None), polls(Code::ExtraColumn));
}

#[test]
fn a_header_of_two_kinds_is_refused_whichever_is_expected() {
    for (header, expected) in [
        ("store_id,timezone_str,timestamp_utc,status", None),
        ("store_id,timezone_str,timestamp_utc,status", Some(Kind::Timezones)),
        ("store_id,name,group,timestamp_utc,status", Some(Kind::Polls)),
        ("store_id,status,timestamp_utc,day,start_time,end_time", None),
        ("store_id,name,group,timezone", None),
    ] {
        assert_eq!(read(header, expected), Err(Code::TwoKinds), "{header}");
    }
}

#[test]
fn usual_other_names_are_read_and_noted() {
    for (header, kind, codes) in [
        (
            "storeId,Status,timestampUtc",
            Kind::Polls,
            &[Code::HeaderSynonym, Code::HeaderCase][..],
        ),
        ("Store ID,is_active,utc_timestamp", Kind::Polls, &[Code::HeaderSynonym]),
        ("id,store_id,status,timestamp_utc", Kind::Polls, &[Code::ExtraColumn]),
        ("store_id,store,status,timestamp_utc", Kind::Polls, &[Code::ExtraColumn]),
        (
            "store_id,day_of_week,start_time,end_time",
            Kind::BusinessHours,
            &[Code::HeaderSynonym],
        ),
        (
            "store_id,Day Of Week,local_start_time,local_end_time",
            Kind::BusinessHours,
            &[Code::HeaderSynonym],
        ),
        (
            "store_id,weekday,open_time,close_time,is_closed",
            Kind::BusinessHours,
            &[Code::HeaderSynonym],
        ),
        (
            "store_id,date,opens,closes,holiday",
            Kind::SpecialHours,
            &[Code::HeaderSynonym],
        ),
        ("store_id,timezone", Kind::Timezones, &[Code::HeaderSynonym]),
        ("store_id,store_name,owner", Kind::Stores, &[Code::HeaderSynonym]),
    ] {
        assert_eq!(read(header, None), Ok((kind, codes.to_vec())), "{header}");
    }
}

#[test]
fn a_refusal_names_the_nearest_column() {
    for (header, words) in [
        ("store_id,status,timestamp", "rename `timestamp` to `timestamp_utc`"),
        ("store_id,state,timestamp_utc", "polls need a column `status`"),
        (
            "store_id,days,start_time_local,end_time_local",
            "rename `days` to `day`",
        ),
        ("store_id,status,timestamp_utc,valid_from", ""),
        (
            "store_id,dates,start_time_local,end_time_local",
            "rename `dates` to `date`",
        ),
        ("store_id,day,start_time_local,end_time_local,valid_from", ""),
        ("store_id,day,start_time_local,end_time_local,valid_to", "`valid_to`"),
    ] {
        let record = Record {
            line: 1,
            bytes: header.as_bytes(),
            shape: Shape::Plain,
        };
        let layout = Layout::read(&record, None, ReadOptions::until(0), &mut Notes::default());
        let told = layout.err().map(|file| file.reason).unwrap_or_default();
        assert!(
            told.contains(words) && told.is_empty() == words.is_empty(),
            "{header}: {told}"
        );
    }
}

#[test]
fn what_is_no_header_is_told_apart_by_reason() {
    for (header, code) in [
        ("store_id,status", Code::MissingColumn),
        ("store_id", Code::MissingColumn),
        ("store_id,name,status", Code::MissingColumn),
        ("store_id,status,timestamp", Code::Header),
        ("aa,active,2023-01-25 10:00:00 UTC", Code::Header),
        ("aa,aa", Code::Header),
        ("<!doctype html>", Code::Header),
        ("", Code::Header),
        ("store_id,store_id,status,timestamp_utc", Code::DupColumn),
        ("store_id,Status,status,timestamp_utc", Code::DupColumn),
        (
            "store_id,day,dayOfWeek,start_time_local,end_time_local",
            Code::DupColumn,
        ),
        ("store_id,status,timestamp_utc,x,X", Code::DupColumn),
        ("store_id;status;timestamp_utc", Code::Delimiter),
        ("\"store_id\";\"status\";\"timestamp_utc\"", Code::Delimiter),
        ("store_id\tstatus\ttimestamp_utc", Code::Delimiter),
        ("{\"store_id\": \"aa\"}", Code::Header),
        ("store_id,status,timestamp_utc\0", Code::Binary),
    ] {
        assert_eq!(read(header, None).map(|found| found.0), Err(code), "{header}");
    }
}

#[test]
fn another_kind_than_expected_is_refused() {
    let polls = "store_id,status,timestamp_utc";
    assert_eq!(read(polls, Some(Kind::Stores)), Err(Code::WrongKind));
}
