//! The statement: the worked examples by command and over HTTP, its rules as properties, and what it refuses.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::harness::{Home, Server, project};

const RULES: [&str; 2] = ["nearest", "previous"];

/// One folder of `golden-periods`.
struct Case {
    folder: PathBuf,
    name: String,
    /// The options of the command, by name and value.
    options: BTreeMap<String, String>,
    inputs: Vec<String>,
}

impl Case {
    fn all() -> Vec<Self> {
        let folders =
            fs::read_dir(project().join("tests/data/golden-periods")).expect("the examples");
        let mut folders: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        assert!(folders.len() >= 24);
        folders.into_iter().map(Self::new).collect()
    }

    fn new(folder: PathBuf) -> Self {
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            name.ends_with(".csv") && !name.starts_with("expected")
        });
        files.sort();
        Self {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            options: options(&fs::read_to_string(folder.join("args.txt")).expect("arguments")),
            inputs: files
                .iter()
                .map(|file| file.display().to_string())
                .collect(),
            folder,
        }
    }

    fn compare(&self, rule: &str, how: &str, got: &[u8], wrong: &mut Vec<String>) {
        let expected = fs::read_to_string(self.folder.join(format!("expected-{rule}.csv")))
            .expect("a statement");
        if got != expected.as_bytes() {
            let why = fs::read_to_string(self.folder.join("why.txt")).unwrap_or_default();
            let got = String::from_utf8_lossy(got);
            wrong.push(format!(
                "{} by {rule}, {how}: {why}expected:\n{expected}got:\n{got}",
                self.name
            ));
        }
    }
}

/// `--from 2023-01-24 --as-of '2023-01-24 20:00:00 UTC'`, by name and value.
fn options(text: &str) -> BTreeMap<String, String> {
    let mut words = Vec::new();
    for (number, part) in text.trim().split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let pairs = words.chunks(2);
    pairs
        .map(|pair| (pair[0].trim_start_matches("--").to_owned(), pair[1].clone()))
        .collect()
}

#[test]
fn every_example_gets_its_statement_by_command_and_over_http() {
    let mut wrong = Vec::new();
    for case in Case::all() {
        let home = Home::new();
        home.import(&case.inputs);
        for rule in RULES {
            let mut arguments = vec!["statement".to_owned(), format!("--interpolation={rule}")];
            arguments.extend(
                case.options
                    .iter()
                    .map(|(name, value)| format!("--{name}={value}")),
            );
            case.compare(rule, "command", &home.print(&arguments), &mut wrong);
        }
        let server = Server::start(&home);
        for rule in RULES {
            let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::Map::new();
            fields.insert("interpolation".to_owned(), rule.into());
            for (name, value) in &case.options {
                fields.insert(name.replace('-', "_"), value.as_str().into());
            }
            let order = serde_json::Value::from(fields).to_string();
            let answer = server.post("/api/statements", "application/json", &[], order.as_bytes());
            assert_eq!(answer.status, 202, "{}: {}", case.name, answer.text());
            let id = answer.json()["report_id"]
                .as_str()
                .expect("an id")
                .to_owned();
            server.wait_for_report(&id);
            let csv = server.get(&format!("/api/reports/{id}.csv"));
            case.compare(rule, "HTTP", &csv.body, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
