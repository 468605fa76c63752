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
pub(crate) fn options(text: &str) -> BTreeMap<String, String> {
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

/// Orders a statement; returns its id.
#[track_caller]
fn order(server: &Server, query: &str) -> String {
    let answer = server.request("POST", &format!("/api/statements?{query}"));
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["report_id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

#[test]
fn a_statement_is_kept_and_listed_like_a_report_and_survives_a_restart() {
    let home = Home::seeded();
    let query = "from=2026-11-02&to=2026-11-07&by=day&per=group";
    let printed = home.print(&[
        "statement",
        "--from=2026-11-02",
        "--to=2026-11-07",
        "--by=day",
        "--per=group",
    ]);
    let server = Server::start(&home);
    let id = order(&server, query);
    assert!(server.wait_for_report(&id).body == printed);
    let facts = server.get(&format!("/api/reports/{id}")).json();
    assert_eq!(
        (&facts["kind"], &facts["status"]),
        (&"statement".into(), &"Complete".into())
    );
    assert_eq!(facts["csv_bytes"], printed.len());
    assert_eq!(facts["parameters"]["from"], "2026-11-02");
    assert_eq!(facts["parameters"]["per"], "group");
    let report = server.trigger("");
    server.wait_for_report(&report);
    server.terminate();

    let server = Server::start(&home);
    assert!(server.get(&format!("/api/reports/{id}.csv")).body == printed);
    let listed = server.get("/api/reports").json();
    let kinds: Vec<_> = listed["reports"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|report| &report["kind"])
        .collect();
    assert_eq!(kinds, ["report", "statement"]);
    server.terminate();
    assert_eq!(home.print(&["check", "--deep"]), b"ok\n");
}

#[test]
fn fields_come_in_the_query_in_json_or_in_a_form() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let get = |id: &str| server.wait_for_report(id).body;
    let expected = get(&order(&server, "from=2026-11-02&to=2026-11-03&per=fleet"));
    for (media_type, body) in [
        (
            "application/json",
            r#"{"from": "2026-11-02", "to": "2026-11-03", "per": "fleet", "group": null}"#,
        ),
        (
            "application/x-www-form-urlencoded",
            "from=2026-11-02&to=2026-11-03&per=fleet&store=",
        ),
    ] {
        let answer = server.post("/api/statements", media_type, &[], body.as_bytes());
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert!(
            get(answer.json()["report_id"].as_str().expect("an id")) == expected,
            "{media_type}"
        );
    }
}

#[test]
fn a_statement_that_cannot_be_made_is_refused_with_the_reason() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for (query, status, words) in [
        ("to=2026-11-03", 400, "`from` is missing"),
        ("from=2026-11-02", 400, "`to` is missing"),
        (
            "from=2026-02-30&to=2026-11-03",
            400,
            "`from`: `2026-02-30` is not a day",
        ),
        (
            "from=2026-11-02&to=2026-11-01",
            400,
            "ends before it begins",
        ),
        ("from=1800-01-01&to=2026-11-01", 400, "36525 days"),
        (
            "from=2026-11-02&to=2026-11-03&by=hour",
            400,
            "unknown by `hour`",
        ),
        (
            "from=2026-11-02&to=2026-11-03&per=owner",
            400,
            "unknown per `owner`",
        ),
        (
            "from=2026-11-02&to=2026-11-03&interpolation=linear",
            400,
            "unknown interpolation `linear`",
        ),
        ("from=2026-11-02&to=2026-11-03&as_of=soon", 400, "soon"),
        (
            "from=2026-11-02&to=2026-11-03&until=noon",
            400,
            "unknown field `until`",
        ),
        (
            "from=2026-11-02&from=2026-11-02&to=2026-11-03",
            400,
            "twice",
        ),
        (
            "from=2026-11-02&to=2026-11-03&store=nowhere",
            404,
            "no store `nowhere`",
        ),
        (
            "from=2026-11-02&to=2026-11-03&group=Nobody",
            404,
            "no owner `Nobody`",
        ),
    ] {
        let answer = server.request("POST", &format!("/api/statements?{query}"));
        let problem = answer.problem(status);
        assert!(problem.contains(words), "{query}: {problem}");
    }
    let answer = server.post("/api/statements", "application/json", &[], b"[1]");
    assert!(answer.problem(400).contains("no JSON object"));
    for (to, words) in [
        ("2026-11-01", "ends before it begins"),
        ("2026-11-33", "`2026-11-33` is not a day"),
    ] {
        home.run(&["statement", "--from=2026-11-02", "--to", to])
            .exits(2)
            .says(&[words]);
    }
    home.run(&[
        "statement",
        "--from=2026-11-02",
        "--to=2026-11-03",
        "--store=seattle",
    ])
    .says(&["no store `seattle`", "seattle-pike-place"]);
}

#[test]
fn a_period_that_begins_before_the_oldest_poll_says_so() {
    let home = Home::seeded();
    let told = home
        .run(&["statement", "--from=2026-01-01", "--to=2026-11-03"])
        .exits(0)
        .to_string();
    assert!(told.contains("the oldest poll is of 2026-10"), "{told}");
    let server = Server::start(&home);
    let answer = server
        .request("POST", "/api/statements?from=2026-01-01&to=2026-11-03")
        .json();
    let note = answer["note"].as_str().expect("a note");
    assert!(note.contains("the oldest poll is of 2026-10"), "{note}");
    let answer = server
        .request("POST", "/api/statements?from=2026-11-02&to=2026-11-03")
        .json();
    assert!(answer["note"].is_null(), "{answer}");
}

#[test]
fn the_guide_shows_a_row_that_the_command_prints() {
    let home = Home::seeded();
    let csv = home.print(&["statement", "--from=2026-11-01", "--to=2026-11-07"]);
    let csv = String::from_utf8(csv).expect("text");
    let row = csv
        .lines()
        .find(|line| line.starts_with("atlanta-midtown,"))
        .expect("a row");
    let guide = fs::read_to_string(project().join("src/docs/reports.md")).expect("the guide");
    let shown = format!("{}\n{row}\n", csv.lines().next().expect("a header"));
    assert!(guide.contains(&shown), "{shown}");
}
