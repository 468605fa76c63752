//! The catalogue of bad input again, through loading: the outcome of a whole call for each case.
//!
//! `bad_input` tests the parser alone. Here rows meet each other and the database, so notes that need several
//! rows count, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use store_monitor::civil::parse_instant;
use store_monitor::db::connection::open_writer;
use store_monitor::db::{self, polls};
use store_monitor::error::Error;
use store_monitor::error::ErrorKind;
use store_monitor::ingest::batch;
use store_monitor::ingest::kind::Kind;
use store_monitor::ingest::load::{self, Summary};
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::problem::{BadRow, Code};
use store_monitor::ingest::rows::Format;
use store_monitor::ingest::source::Source;
use store_monitor::scratch::Scratch;

use crate::harness::{Home, Server, project};

/// One line of the catalogue.
struct Case {
    kind: Kind,
    file: String,
    path: PathBuf,
    /// Accepted, Noted, Row refused, File refused.
    outcome: char,
    code: String,
    /// The line of the first bad row.
    line: String,
}

impl Case {
    fn all() -> Vec<Self> {
        let folder = project().join("tests/data/bad-input");
        let mut catalogue =
            csv::Reader::from_path(folder.join("expected.csv")).expect("a catalogue");
        let case = |record: csv::Result<csv::StringRecord>| {
            let record = record.expect("a case");
            let [kind, file, outcome, code, line] =
                [1, 2, 3, 4, 5].map(|column| record[column].to_owned());
            Self {
                kind: match kind.as_str() {
                    "poll" => Kind::Polls,
                    "hours" => Kind::BusinessHours,
                    "special" => Kind::SpecialHours,
                    "zone" => Kind::Timezones,
                    "store" => Kind::Stores,
                    _ => panic!("{file}: unknown kind"),
                },
                path: folder.join(&file),
                file,
                outcome: outcome.chars().next().expect("an outcome"),
                code,
                line,
            }
        };
        catalogue.records().map(case).collect()
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("a path in UTF-8")
    }

    /// How its rows are written, as its ending tells.
    fn format(&self) -> Format {
        match self.path.extension().and_then(|ending| ending.to_str()) {
            Some("ndjson") => Format::Ndjson,
            Some("json") => Format::JsonArray,
            _ => Format::Csv,
        }
    }

    /// Loads the case as a call that takes good rows does; `commit` decides whether it stays.
    fn load(&self, db: &mut Connection, commit: bool) -> Result<(Summary, Vec<BadRow>), String> {
        let source = Source {
            expected: Some(self.kind),
            format: self.format(),
            ..Source::new(
                self.file.as_str(),
                fs::File::open(&self.path).expect("a case"),
            )
        };
        let latest = parse_instant("2027-01-01 00:00:00 UTC").expect("an instant");
        let mut bad_rows = Vec::new();
        let batch = batch::read(
            [source],
            MachineTime::until(latest),
            &Scratch::unbounded(&std::env::temp_dir()),
            &mut |name, bad| {
                assert_eq!(name, self.file);
                bad_rows.push(bad);
                Ok(())
            },
        );
        let batch = batch.map_err(Error::from).map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{}: {error}", self.file);
            error.to_string()
        })?;
        assert_eq!(batch.rejected, bad_rows.len() as u64, "{}", self.file);
        let summary = if commit {
            db::write(db, |db| load::write(db, batch)).expect("written")
        } else {
            let transaction = db.transaction().expect("a transaction");
            load::write(&transaction, batch).expect("written")
        };
        Ok((summary, bad_rows))
    }
}

#[test]
fn every_case_is_loaded_noted_or_refused_as_the_catalogue_says() {
    let home = Home::new();
    let mut db = open_writer(&home.database()).expect("a database");
    let mut wrong = Vec::new();
    for case in Case::all() {
        let got = match case.load(&mut db, false) {
            Err(error) => {
                let named = error.starts_with(&case.file);
                let outcome = if named { 'F' } else { '?' };
                // What refuses a file is told in words alone: `bad_input` checks its code.
                (outcome, case.code.clone(), case.line.clone(), error)
            }
            Ok((_, bad)) if !bad.is_empty() => (
                'R',
                bad[0].code.to_string(),
                bad[0].line.to_string(),
                bad[0].to_string(),
            ),
            Ok((summary, _)) => {
                let codes = summary.notes.iter().map(|note| note.note.code.as_str());
                let codes: BTreeSet<_> = codes.collect();
                let outcome = if codes.is_empty() { 'A' } else { 'N' };
                let codes: Vec<_> = codes.into_iter().collect();
                (
                    outcome,
                    codes.join("+"),
                    String::new(),
                    format!("{summary:?}"),
                )
            }
        };
        if (got.0, &got.1, &got.2) != (case.outcome, &case.code, &case.line) {
            let Case {
                file,
                outcome,
                code,
                line,
                ..
            } = case;
            wrong.push(format!(
                "{file}: expected {outcome} {code} {line}, got {got:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // Nothing was committed.
    assert_eq!(polls::newest(&db).expect("polls"), None);
}

#[test]
fn every_accepted_case_is_exported_so_that_it_comes_in_again() {
    let home = Home::new();
    let mut db = open_writer(&home.database()).expect("a database");
    for case in Case::all() {
        if matches!(case.outcome, 'A' | 'N') {
            case.load(&mut db, true).expect(&case.file);
            // What was just loaded is known now: the same file again changes nothing.
            let (again, _) = case.load(&mut db, true).expect(&case.file);
            assert_eq!((again.accepted, again.replaced), (0, 0), "{}", case.file);
        }
    }
    drop(db);
    let exported = home.exports();
    let other = Home::new();
    let names = ["polls.csv", "hours.csv", "zones.csv", "stores.csv"];
    for (name, bytes) in names.iter().zip(&exported) {
        other.write(name, bytes);
    }
    other.import(&names);
    for ((name, first), second) in names.iter().zip(&exported).zip(&other.exports()) {
        assert_eq!(
            String::from_utf8_lossy(first),
            String::from_utf8_lossy(second),
            "{name}"
        );
    }
    assert_eq!(home.print(&["report"]), other.print(&["report"]));
    assert_eq!(home.print(&["check"]), b"ok\n");
}

/// The catalogue over HTTP: every outcome, code and line, as an answer has them.
#[test]
fn every_case_is_answered_over_http_as_the_catalogue_says() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut wrong = Vec::new();
    for case in Case::all() {
        let target = format!("/api/{}", case.kind.description().slug);
        let media_type = match case.format() {
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
            Format::JsonArray => "application/json",
        };
        let body = fs::read(&case.path).expect("a case");
        let answer = server.client.post(&target, media_type, &[], &body);
        let said = answer.json();
        let first = &said["errors"][0];
        let told = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let line = first["line"]
            .as_u64()
            .map(|line| line.to_string())
            .unwrap_or_default();
        let right = match case.outcome {
            'F' => {
                answer.status == 422 && told(&first["code"]) == case.code && said["rejected"] == 0
            }
            'R' => answer.status == 422 && told(&first["code"]) == case.code && line == case.line,
            _ => {
                let notes = said["notes"].as_array().cloned().unwrap_or_default();
                // Other cases were loaded before.
                let is_of_others = |code: &String| {
                    matches!(code.as_str(), "days_lost" | "look_alike" | "later_version")
                };
                let codes = notes.iter().map(|note| told(&note["code"]));
                let codes: BTreeSet<_> = codes.filter(|code| !is_of_others(code)).collect();
                let codes: Vec<_> = codes.into_iter().collect();
                answer.status == 200 && codes.join("+") == case.code
            }
        };
        if !right {
            wrong.push(format!("{}: {} {said}", case.file, answer.status));
        }
        // The page answers as the API does; a file there may be of any kind.
        if case.format() == Format::Csv && case.code != "wrong_kind" {
            let head = format!(
                "--xyz\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{}\"\r\n\r\n",
                case.file
            );
            let form = [head.as_bytes(), &body, b"\r\n--xyz--\r\n"].concat();
            let page = server
                .client
                .post("/load", "multipart/form-data; boundary=xyz", &[], &form);
            // People are told sentences, and no codes.
            // A file there may be of any kind, and the clock has moved on.
            let reason = match case.code.as_str() {
                "header" | "missing_column" | "range" => String::new(),
                _ => told(&first["reason"]),
            };
            let reason = reason.replace('&', "&amp;").replace('<', "&lt;");
            let reason = reason.replace('>', "&gt;").replace('"', "&quot;");
            let meanings = case
                .code
                .split('+')
                .filter(|_| case.outcome == 'N')
                .all(|code| {
                    let code = Code::ALL.iter().find(|known| known.as_str() == code);
                    let meaning = code.expect("a code").meaning();
                    page.text().contains(meaning)
                });
            if page.status != answer.status || !meanings || !page.text().contains(&reason) {
                wrong.push(format!("{}: /load {}", case.file, page.status));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The cases that go through the binary too: each of a sort that shows there in its own way.
const BY_BINARY: [u32; 24] = [
    1, 5, 9, 18, 26, 29, 32, 38, 55, 60, 70, 73, 79, 92, 101, 106, 149, 162, 163, 171, 183, 190,
    191, 192,
];

#[test]
fn the_command_line_tells_each_sort_of_case_as_it_is() {
    let home = Home::new();
    home.write(
        "before.csv",
        "store_id,status,timestamp_utc\nbefore,active,2023-01-20 00:00:00 UTC\n",
    );
    let cases = Case::all();
    for number in BY_BINARY {
        let number = format!("{number:03}_");
        let case = cases.iter().find(|case| case.file.starts_with(&number));
        let case = case.expect("a case of that number");
        let _ = fs::remove_file(home.database());
        home.import(&["before.csv"]);
        let before = fs::read(home.database()).expect("a database");
        let unchanged = || fs::read(home.database()).expect("a database") == before;
        let outcome = home.run(&["import", case.path()]);
        match case.outcome {
            'A' => {
                let outcome = outcome.exits(0);
                assert!(
                    !outcome.stderr.contains("note:"),
                    "{}: {outcome}",
                    case.file
                );
            }
            'N' => {
                let note = format!("note: {}: {},", case.path(), case.code);
                outcome.exits(0).says(&[&note]);
            }
            'R' => {
                let place = format!("{} line {}", case.path(), case.line);
                outcome.exits(2).says(&[&place, "nothing was written"]);
                assert!(unchanged(), "{}", case.file);
                let took = home.run(&["import", case.path(), "--rejects", "rejects.csv"]);
                // Without one good row the call fails.
                let has_none = took.stderr.contains("every row was refused");
                took.exits(if has_none { 2 } else { 0 });
                // The row is kept as it came, which need not be text.
                let rejects = home.read("rejects.csv");
                let mut rejects = csv::Reader::from_reader(&rejects[..]);
                let first = rejects
                    .byte_records()
                    .next()
                    .expect("a reject")
                    .expect("a row");
                assert_eq!(&first[0], case.path().as_bytes());
                let told = [&first[1], &first[3]];
                assert_eq!(told, [case.line.as_bytes(), case.code.as_bytes()]);
            }
            'F' => {
                outcome.exits(2).refuses(&[case.path()]);
                assert!(unchanged(), "{}", case.file);
            }
            other => panic!("{}: unknown outcome {other}", case.file),
        }
    }
}

#[test]
fn a_note_is_told_once_with_its_count_and_its_first_line() {
    let home = Home::new();
    let mut db = open_writer(&home.database()).expect("a database");
    let text = "store_id,status,timestamp_utc\n\
                aa,ACTIVE,2023-01-20 00:00:00 UTC\n\
                aa,active,2023-01-20 01:00:00 UTC\n\
                aa,Inactive,2023-01-20 02:00:00 UTC\n";
    let latest = parse_instant("2027-01-01 00:00:00 UTC").expect("an instant");
    let source = Source::new("polls", text.as_bytes());
    let batch = batch::read(
        [source],
        MachineTime::until(latest),
        &Scratch::unbounded(&home.path("")),
        &mut |_, bad| panic!("{bad}"),
    );
    let batch = batch.expect("good rows");
    let summary = db::write(&mut db, |db| load::write(db, batch)).expect("written");
    let [note] = &summary.notes[..] else {
        panic!("{:?}", summary.notes)
    };
    let note = (
        note.source.as_str(),
        note.note.code.as_str(),
        note.note.count,
        note.note.line,
    );
    assert_eq!(note, ("polls", "status_case", 2, Some(2)));
    assert_eq!(summary.accepted, 3);
}
