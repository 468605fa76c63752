//! The worked examples: one folder of inputs each, and its exact report. Each `why.txt` explains its case.

use std::fs;
use std::path::{Path, PathBuf};

use store_monitor::civil::parse_instant;
use store_monitor::db::connection::open_writer;
use store_monitor::db::{self, fleet, polls};
use store_monitor::ingest::batch;
use store_monitor::ingest::load;
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::source::Source;
use store_monitor::render::csv;
use store_monitor::render::store_list::StoreList;
use store_monitor::scratch::Scratch;
use store_monitor::uptime::interval::{DAY, Micros};
use store_monitor::uptime::report::{Question, ReportRow};
use store_monitor::uptime::row::cells;
use store_monitor::uptime::timeline::Interpolation;
use store_monitor::uptime::window::reach;

use crate::harness::{Home, Server, project};

const INPUTS: [&str; 4] = [
    "stores.csv",
    "timezones.csv",
    "menu_hours.csv",
    "store_status.csv",
];

/// One folder.
struct Case {
    folder: PathBuf,
    name: String,
    as_of: Option<String>,
    inputs: Vec<String>,
}

impl Case {
    fn all() -> Vec<Self> {
        let folders = fs::read_dir(project().join("tests/data/golden")).expect("the examples");
        let mut folders: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        assert!(!folders.is_empty());
        folders.into_iter().map(Self::new).collect()
    }

    fn new(folder: PathBuf) -> Self {
        let inputs = INPUTS.map(|name| folder.join(name));
        let inputs = inputs.iter().filter(|file| file.exists());
        let as_of = fs::read_to_string(folder.join("as_of.txt")).ok();
        Self {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            as_of: as_of.map(|text| text.trim().to_owned()),
            inputs: inputs.map(|file| file.display().to_string()).collect(),
            folder,
        }
    }

    /// Compares a report with what is expected; a difference is told with the folder's name.
    fn compare(&self, rule: Interpolation, got: &[u8], wrong: &mut Vec<String>) {
        let file = self.folder.join(format!("expected-{}.csv", rule.as_str()));
        let expected = fs::read_to_string(&file).expect("an expected report");
        let got = String::from_utf8_lossy(got);
        if got != expected {
            let why = fs::read_to_string(self.folder.join("why.txt")).unwrap_or_default();
            wrong.push(format!(
                "{} by {}: {}\n{}",
                self.name,
                rule.as_str(),
                why.trim(),
                diff(&expected, &got)
            ));
        }
    }
}

/// The lines of two texts that are not in both.
fn diff(expected: &str, got: &str) -> String {
    let only = |sign: char, these: &str, those: &str| -> String {
        let missing = these
            .split_inclusive('\n')
            .filter(|line| !those.split_inclusive('\n').any(|other| other == *line));
        missing
            .map(|line| format!("  {sign} {}\n", line.escape_debug()))
            .collect()
    };
    only('-', expected, got) + &only('+', got, expected)
}

#[test]
fn every_example_gets_its_report_from_the_command_line() {
    let mut wrong = Vec::new();
    for case in Case::all() {
        let home = Home::new();
        home.import(&case.inputs);
        for rule in Interpolation::ALL {
            let mut arguments = vec!["report", "--interpolation", rule.as_str()];
            if let Some(as_of) = &case.as_of {
                arguments.extend(["--as-of", as_of]);
            }
            case.compare(rule, &home.print(&arguments), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The report by the plain form, which says what the numbers are and takes its time.
fn plain(file: &Path, as_of: Option<Micros>, rule: Interpolation) -> Vec<u8> {
    let db = open_writer(file).expect("a database");
    let as_of = as_of.unwrap_or_else(|| polls::newest(&db).expect("polls").expect("a poll"));
    let fleet = fleet::load(&db).expect("a fleet");
    let span = reach(as_of);
    let history = polls::history(&db, span, 2).expect("polls");
    let (mut rows, mut scratch) = (Vec::new(), Vec::new());
    for store in fleet.stores() {
        let polls = history.of(store.key, span, &mut scratch);
        let pattern = &fleet.patterns()[store.pattern];
        let row = ReportRow::new(polls, pattern, Question { as_of, rule });
        rows.push(cells(&row.totals));
    }
    let ids = StoreList::new(fleet.stores().iter().map(|store| &*store.id));
    csv::report(&ids, &rows, 1)
}

#[test]
fn every_example_gets_its_report_from_the_plain_form() {
    let mut wrong = Vec::new();
    for case in Case::all() {
        let home = Home::new();
        let mut db = open_writer(&home.database()).expect("a database");
        let sources = case
            .inputs
            .iter()
            .map(|file| Source::new(file.clone(), fs::File::open(file).expect("an input")));
        let latest = store_monitor::clock::machine_us() + DAY;
        let batch = batch::read(
            sources,
            MachineTime::until(latest),
            &Scratch::unbounded(&home.path("")),
            &mut |name, bad| panic!("{}", bad.in_file(name)),
        );
        let batch = batch.expect("good inputs");
        db::write(&mut db, |db| load::write(db, batch)).expect("written");
        let as_of = case.as_of.as_deref();
        let as_of = as_of.map(|text| parse_instant(text).expect("an instant"));
        for rule in Interpolation::ALL {
            let csv = plain(&home.database(), as_of, rule);
            case.compare(rule, &csv, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn some_examples_get_their_report_over_http() {
    let mut wrong = Vec::new();
    for case in Case::all() {
        if !case.name.starts_with("dst-back") && case.as_of.is_some() {
            continue;
        }
        let home = Home::new();
        home.import(&case.inputs);
        let server = Server::start(&home);
        for rule in Interpolation::ALL {
            let as_of = case.as_of.as_deref();
            let as_of = as_of.map_or_else(String::new, |as_of| {
                format!("&as_of={}", as_of.replace(' ', "%20"))
            });
            let csv = server.report(&format!("?interpolation={}{as_of}", rule.as_str()));
            case.compare(rule, &csv, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
