//! `GET /metrics`: what it counts, in the form that Prometheus takes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::harness::{Client, Home, Raw, Server, eventually, run};

/// The samples of a text, by name and labels.
pub(crate) fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

/// The families of a text, as their samples are named.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    let names = samples(text).into_keys();
    names
        .map(|sample| sample.split('{').next().expect("a name").to_owned())
        .collect()
}

/// Puts into a server what gives each family a sample.
pub(crate) fn exercise(client: &Client) {
    let bad = client.post(
        "/api/polls",
        "text/csv",
        &[],
        b"store_id,timestamp_utc,status\na,b,up\n",
    );
    assert_eq!(bad.status, 422);
    client.report("");
    client.get("/nowhere").problem(404);
}

#[test]
fn polls_reports_requests_and_refusals_are_counted() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let before = samples(server.get("/metrics").text());
    assert_eq!(
        before["store_monitor_rows_taken_total{kind=\"polls\",outcome=\"accepted\"}"],
        0.0
    );
    let newest = before["store_monitor_newest_poll_timestamp_seconds"];
    assert!(before["store_monitor_ingest_lag_seconds"] > 0.0);

    let poll = "store_id,timestamp_utc,status\nx,2026-11-02 10:00:00 UTC,active\n";
    for _ in 0..2 {
        let taken = server.post("/api/polls", "text/csv", &[], poll.as_bytes());
        assert_eq!(taken.status, 200, "{}", taken.text());
    }
    let bad = "store_id,timestamp_utc,status\n,2026-11-02 10:00:00 UTC,active\nx,never,active\ny,never,active\n";
    server
        .post("/api/polls", "text/csv", &[], bad.as_bytes())
        .problem(422);
    let skipped =
        "store_id,timestamp_utc,status\nx,never,active\nx,2026-11-02 11:00:00 UTC,inactive\n";
    let taken = server.post(
        "/api/polls?on_bad_row=skip",
        "text/csv",
        &[],
        skipped.as_bytes(),
    );
    assert_eq!(taken.status, 200, "{}", taken.text());
    server
        .post("/api/timezones", "text/csv", &[], b"a,b\nc,d\n")
        .problem(422);
    server.report("");
    server.get("/api/stores/nobody").problem(404);
    server.get("/nowhere").problem(404);
    let mut raw = Raw::connect(&server.address);
    raw.send("GET / HTTP/9.9\r\n\r\n");
    assert_eq!(raw.statuses(), [505]);
    let mut raw = Raw::connect(&server.address);
    raw.send("GET /health HTTP/1.1\r\n\r\n");
    assert_eq!(raw.statuses(), [400]);

    let text = server.get("/metrics").text().to_owned();
    let now = samples(&text);
    let polls = |outcome: &str| {
        now[&format!("store_monitor_rows_taken_total{{kind=\"polls\",outcome=\"{outcome}\"}}")]
    };
    assert_eq!(
        (polls("accepted"), polls("unchanged"), polls("replaced")),
        (2.0, 1.0, 0.0)
    );
    let refused = |kind: &str, code: &str| {
        now[&format!("store_monitor_rows_refused_total{{kind=\"{kind}\",code=\"{code}\"}}")]
    };
    assert_eq!(refused("polls", "timestamp"), 3.0);
    assert_eq!(refused("polls", "store_id_empty"), 1.0);
    assert_eq!(refused("timezones", "header"), 1.0);
    let requests = |method: &str, route: &str, status: u16| {
        let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        now[&format!("store_monitor_http_requests_total{labels}")]
    };
    assert_eq!(requests("POST", "/api/polls", 200), 3.0);
    assert_eq!(requests("POST", "/api/polls", 422), 1.0);
    assert_eq!(requests("GET", "/api/stores/{id}", 404), 1.0);
    assert_eq!(requests("", "", 404), 1.0);
    assert!(
        !text.contains("nobody") && !text.contains("nowhere"),
        "no client's words"
    );
    assert_eq!(
        now["store_monitor_refusals_total{reason=\"unsupported\"}"],
        1.0
    );
    assert_eq!(
        now["store_monitor_refusals_total{reason=\"malformed\"}"],
        1.0
    );
    assert_eq!(
        now["store_monitor_report_duration_seconds_count{kind=\"report\"}"],
        1.0
    );
    assert_eq!(
        now["store_monitor_reports_ended_total{kind=\"report\",state=\"complete\"}"],
        1.0
    );
    assert_eq!(now["store_monitor_reports{state=\"complete\"}"], 1.0);
    assert!(now["store_monitor_commit_duration_seconds_count"] >= 4.0);
    assert!(now["store_monitor_changes_total"] >= 4.0);
    assert!(now["store_monitor_connections"] >= 1.0);
    assert!(now["store_monitor_connections_accepted_total"] >= 3.0);
    assert!(now["store_monitor_database_bytes"] > 10_000.0);
    assert!(now["store_monitor_log_bytes"] > 0.0);
    assert!(now["store_monitor_disk_free_bytes"] > 0.0);
    assert_eq!(now["store_monitor_newest_poll_timestamp_seconds"], newest);
    assert_eq!(now["store_monitor_database_readable"], 1.0);
    // A server without a folder of backups knows nothing of them.
    assert!(!text.contains("store_monitor_backup"), "{text}");
}

#[test]
fn stores_by_state_are_those_of_the_fleet_page() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let fleet = server.get("/api/fleet").json();
    let numbers = samples(server.get("/metrics").text());
    let mut sum = 0.0;
    for state in ["online", "offline", "closed", "not_sure"] {
        let count = numbers[&format!("store_monitor_store_states{{state=\"{state}\"}}")];
        assert_eq!(
            fleet["states"][state].as_f64(),
            Some(count),
            "{state} in {}",
            fleet["states"]
        );
        sum += count;
    }
    assert_eq!(numbers["store_monitor_stores"], sum);
}

#[test]
fn an_empty_database_has_no_newest_poll_and_a_lost_one_takes_its_numbers_along() {
    let home = Home::new();
    let server = Server::start(&home);
    let text = server.get("/metrics").text().to_owned();
    for absent in [
        "newest_poll",
        "ingest_lag",
        "usual_gap",
        "store_states",
        "polls_are_live",
    ] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    std::fs::rename(home.database(), home.path("away.db")).expect("a rename");
    let answer = eventually("the loss is noticed", || {
        let answer = server.get("/metrics");
        answer
            .text()
            .contains("database_readable 0\n")
            .then_some(answer)
    });
    assert_eq!(answer.status, 200);
    let numbers = samples(answer.text());
    assert_eq!(
        numbers["store_monitor_condition{condition=\"database_replaced\"}"],
        1.0
    );
    assert_eq!(
        numbers["store_monitor_condition{condition=\"no_space\"}"],
        0.0
    );
    assert!(!answer.text().contains("store_monitor_reports{"));
    assert!(!answer.text().contains("store_monitor_database_bytes"));
}

#[test]
fn promtool_finds_nothing_to_complain_of() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no promtool (apt-get install prometheus)");
        return;
    }
    let home = Home::seeded();
    let backups = home.path("backups").display().to_string();
    let server = Server::start_with(&home, &["serve", "--backup-dir", &backups]);
    exercise(&server);
    eventually("a backup is made", || {
        server
            .get("/metrics")
            .text()
            .contains("backup_age")
            .then_some(())
    });
    let text = server.get("/metrics").text().to_owned();
    let checked = run(
        Command::new("promtool").args(["check", "metrics"]),
        text.as_bytes(),
    );
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (Some(0), ""),
        "{checked}"
    );
}

#[test]
fn every_expression_of_the_dashboard_and_the_rules_is_about_numbers_that_exist() {
    let home = Home::seeded();
    let backups = home.path("backups").display().to_string();
    let server = Server::start_with(&home, &["serve", "--backup-dir", &backups]);
    exercise(&server);
    let live = eventually("a backup is made", || {
        let text = server.get("/metrics").text().to_owned();
        text.contains("backup_age").then(|| names(&text))
    });
    let printed = home.print(&["dashboard"]);
    let dashboard: serde_json::Value = serde_json::from_slice(&printed).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() > 15);
    let mut named = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let found = named_in(expression);
            assert!(!found.is_empty(), "{expression}");
            named.extend(found);
        }
    }
    let rules = String::from_utf8(home.print(&["dashboard", "--rules"])).expect("text");
    for line in rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "))
    {
        named.extend(named_in(line));
    }
    let missing: Vec<_> = named.difference(&live).collect();
    assert!(missing.is_empty(), "{missing:?}");
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no promtool (apt-get install prometheus)");
        return;
    }
    home.write("rules.yml", &rules);
    let rules = home.path("rules.yml");
    let checked = run(
        Command::new("promtool")
            .args(["check", "rules"])
            .arg(&rules),
        b"",
    );
    assert_eq!(checked.code, Some(0), "{checked}");
}

/// The names of numbers in an expression.
fn named_in(expression: &str) -> Vec<String> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = expression.split(move |letter| !part(letter));
    let ours =
        words.filter(|word| word.starts_with("store_monitor_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

#[test]
fn the_guide_names_every_number() {
    let home = Home::seeded();
    let backups = home.path("backups").display().to_string();
    let server = Server::start_with(&home, &["serve", "--backup-dir", &backups]);
    exercise(&server);
    let text = eventually("a backup is made", || {
        let text = server.get("/metrics").text().to_owned();
        text.contains("backup_age").then_some(text)
    });
    let heads = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let live: BTreeSet<String> = heads.map(str::to_owned).collect();
    let guide = store_monitor::docs::GUIDES
        .iter()
        .find(|guide| guide.name == "operate");
    let rows = guide
        .expect("a guide")
        .text
        .lines()
        .filter(|line| line.starts_with('|'));
    let told = rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`');
        let is_number = name.starts_with("store_monitor_") || name.starts_with("process_");
        is_number.then(|| format!("{name} {}", cells[1]))
    });
    assert_eq!(told.collect::<BTreeSet<_>>(), live);
}

#[test]
fn a_second_address_has_the_numbers_without_a_token_and_nothing_else() {
    let home = Home::seeded();
    home.print(&["token", "add", "ann", "--scope", "admin"]);
    let server = Server::start_with(&home, &["serve", "--metrics-listen", "127.0.0.1:0"]);
    let log = home.text("server.log");
    let (_, address) = log
        .split_once("the numbers are at http://")
        .expect("an address");
    let (address, _) = address.split_once("/metrics").expect("a path");
    let numbers = Client::new(address);
    server.get("/metrics").problem(401);
    let text = numbers.get("/metrics").text().to_owned();
    assert!(samples(&text)["store_monitor_stores"] > 1.0);
    let health = numbers.get("/health");
    assert_eq!(health.status, 200);
    assert!(health.json()["conditions"].is_array(), "{}", health.text());
    assert_eq!(numbers.get("/health?ready=1").status, 200);
    for other in ["/", "/stores", "/api/backup", "/metrics/", "/share/sml_x/"] {
        assert!(
            numbers.get(other).problem(404).contains("/metrics"),
            "{other}"
        );
    }
    numbers.request("POST", "/trigger_report").problem(404);
    // Its limits are those of the other address.
    let mut raw = Raw::connect(address);
    raw.send("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(raw.reply().expect("a reply").0, 421);
    assert!(!log.contains("everyone who reaches"), "{log}");
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn numbers_that_strangers_may_read_are_warned_of() {
    let home = Home::new();
    let server = Server::start_with(&home, &["serve", "--metrics-listen", "0.0.0.0:0"]);
    assert!(
        home.text("server.log")
            .contains("everyone who reaches http://0.0.0.0:0 may read")
    );
    drop(server);
}
