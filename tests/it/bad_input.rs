//! Bad input, case by case: one file each, with its expected outcome, in `tests/data/bad-input`. The extension
//! tells the format: CSV, lines of JSON, a JSON array. Codes that need several rows (`duplicate`, `replaced`,
//! `overlap`, `conflict`) are skipped here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use store_monitor::civil::parse_timestamp;
use store_monitor::ingest::kind::Kind;
use store_monitor::ingest::options::ReadOptions;
use store_monitor::ingest::problem::{Code, InputError};
use store_monitor::ingest::records::RECORD_BYTES_MAX;
use store_monitor::ingest::rows::{Format, Rows};

const ACROSS_ROWS: [Code; 4] = [
    Code::Duplicate,
    Code::Replaced,
    Code::Overlap,
    Code::Conflict,
];

/// The first thing that is said of an input: outcome, code and line, as the catalogue writes them.
fn verdict(bytes: &[u8], format: Format, kind: Kind) -> (char, String, String) {
    let latest_us = parse_timestamp("2027-01-01 00:00:00 UTC")
        .expect("an instant")
        .at;
    let refused = |error| match error {
        InputError::Refused(file) => {
            let line = file.line.filter(|_| file.code == Code::UnclosedQuote);
            let line = line.map_or(String::new(), |line| line.to_string());
            ('F', file.code.to_string(), line)
        }
        InputError::Io(error) => panic!("{error}"),
    };
    let mut rows = match Rows::open(
        bytes,
        format,
        Some(kind),
        ReadOptions::until(latest_us),
        u64::MAX,
    ) {
        Ok(rows) => rows,
        Err(error) => return refused(error),
    };
    assert_eq!(rows.kind(), kind);
    let mut first_bad = None;
    loop {
        match rows.next_row() {
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(bad))) => {
                first_bad.get_or_insert(('R', bad.code.to_string(), bad.line.to_string()));
            }
            Ok(None) => break,
            Err(error) => return refused(error),
        }
    }
    if let Some(bad) = first_bad {
        return bad;
    }
    let notes = rows.notes();
    let codes: BTreeSet<_> = notes.iter().map(|note| note.code.as_str()).collect();
    let codes: Vec<_> = codes.into_iter().collect();
    let outcome = if notes.is_empty() { 'A' } else { 'N' };
    (outcome, codes.join("+"), String::new())
}

fn walk(folder: &Path) {
    let mut wrong = Vec::new();
    let mut catalogue = csv::Reader::from_path(folder.join("expected.csv")).expect("a catalogue");
    for case in catalogue.records() {
        let case = case.expect("a case");
        let [_, kind, file, outcome, code, line] = [0, 1, 2, 3, 4, 5].map(|column| &case[column]);
        let kind = match kind {
            "poll" => Kind::Polls,
            "hours" => Kind::BusinessHours,
            "special" => Kind::SpecialHours,
            "zone" => Kind::Timezones,
            "store" => Kind::Stores,
            _ => panic!("{file}: unknown kind"),
        };
        let is_across = |code: &&str| ACROSS_ROWS.iter().any(|across| across.as_str() == *code);
        let codes: Vec<_> = code.split('+').filter(|code| !is_across(code)).collect();
        let expected = if code == Code::DayBase.as_str() {
            // Only the whole file shows how its days count: a row alone has a day, or no day.
            match outcome {
                "F" => ('R', Code::Day.to_string(), line.to_owned()),
                _ => ('A', String::new(), String::new()),
            }
        } else if codes.is_empty() {
            ('A', String::new(), String::new())
        } else {
            let outcome = outcome.chars().next().expect("an outcome");
            (outcome, codes.join("+"), line.to_owned())
        };
        let format = match file.rsplit_once('.').expect("an ending").1 {
            "csv" => Format::Csv,
            "ndjson" => Format::Ndjson,
            "json" => Format::JsonArray,
            _ => panic!("{file}: unknown format"),
        };
        let got = verdict(&fs::read(folder.join(file)).expect(file), format, kind);
        if got != expected {
            wrong.push(format!("{file}: expected {expected:?}, got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_of_the_catalogue_gets_what_it_must() {
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad-input"));
}

#[test]
fn a_line_of_more_than_64_kib_costs_that_line_alone() {
    let long = "x".repeat(RECORD_BYTES_MAX + 1);
    let header = "store_id,timezone_str\n";
    let zones = |text: String| verdict(text.as_bytes(), Format::Csv, Kind::Timezones);
    let refused = |outcome, code: &str, line: &str| (outcome, code.to_owned(), line.to_owned());

    let text = format!("{header}aa,UTC\n{long},UTC\nbb,UTC\n");
    assert_eq!(zones(text), refused('R', "line_too_long", "3"));
    let text = format!("{header}aa,UTC\n\"{long}\n{long}\",UTC\nbb,UTC\n");
    assert_eq!(zones(text), refused('R', "line_too_long", "3"));
    let text = format!("{header}aa,UTC\nbb,\"{long}\ncc,UTC\n");
    assert_eq!(zones(text), refused('F', "unclosed_quote", "3"));
    assert_eq!(zones(long), refused('F', "header_too_long", ""));
}
