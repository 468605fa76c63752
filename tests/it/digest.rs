//! The digest: worked examples, its numbers beside those of statements, and the messages of `[[digest]]`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use store_monitor::civil::parse_instant;
use store_monitor::clock::machine_us;
use store_monitor::config::section::Section;
use store_monitor::config::{Messaging, digest};
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::outbox::{self, Message};
use store_monitor::db::write;
use store_monitor::hot_window::HotWindow;
use store_monitor::uptime::interval::{HOUR, MINUTE, Micros};
use store_monitor::watcher::digest::Digests;

use crate::harness::{Home, Server, project, seeds};
use crate::hook::{Hook, table};
use crate::statements::options;

/// A home with the inputs of an example; without inputs of its own, with the demo's.
fn home_of(folder: &Path) -> Home {
    let files = fs::read_dir(folder).expect("an example");
    let mut files: Vec<String> = files
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|file| file.ends_with(".csv"))
        .collect();
    files.sort();
    let home = Home::new();
    match files.is_empty() {
        true => home.import(&seeds()),
        false => home.import(&files),
    };
    home
}

#[test]
fn every_example_gets_its_text() {
    let folders = fs::read_dir(project().join("tests/data/digests")).expect("the examples");
    let mut folders: Vec<_> = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 8);
    let mut wrong = Vec::new();
    for folder in folders {
        let home = home_of(&folder);
        let given = options(&fs::read_to_string(folder.join("args.txt")).expect("arguments"));
        let mut arguments = vec!["digest".to_owned()];
        arguments.extend(
            given
                .iter()
                .map(|(name, value)| format!("--{name}={value}")),
        );
        let text = String::from_utf8(home.print(&arguments)).expect("UTF-8");
        assert!(
            text.lines().all(|line| line.chars().count() <= 78),
            "{text}"
        );
        let expected = fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
        if text != expected {
            wrong.push(format!(
                "{}: expected:\n{expected}got:\n{text}",
                folder.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The rows of a statement, by store, owner or nothing: each number by its column.
fn statement(home: &Home, arguments: &[&str]) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut all = vec!["statement"];
    all.extend(arguments);
    let csv = String::from_utf8(home.print(&all)).expect("UTF-8");
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let header = rows.headers().unwrap().clone();
    let first = header
        .iter()
        .position(|name| name == "business_time")
        .unwrap();
    rows.records()
        .map(|row| {
            let row = row.unwrap();
            let key = if first == 2 {
                row[0].to_owned()
            } else {
                String::new()
            };
            let numbers = header.iter().zip(&row).skip(first).map(|(name, value)| {
                let number = serde_json::from_str(value.trim_start_matches('0'))
                    .or_else(|_| serde_json::from_str(value));
                (name.to_owned(), number.unwrap_or(Value::Null))
            });
            (key, numbers.collect())
        })
        .collect()
}

#[track_caller]
fn same(told: &Value, row: &BTreeMap<String, Value>, what: &str) {
    for (name, number) in row {
        let number = number.as_f64();
        assert_eq!(told[name].as_f64(), number, "{what}: {name}");
    }
}

/// Compares a digest with the statements of its dates and of those before.
fn compare(home: &Home, arguments: &[&str], dates: [&str; 2], before: [&str; 2]) {
    let mut all = vec!["digest", "--format=json"];
    all.extend(arguments);
    let told: Value = serde_json::from_slice(&home.print(&all)).expect("JSON");
    let more: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|argument| {
            !["--week", "--month", "--day"]
                .iter()
                .any(|name| argument.starts_with(name))
        })
        .collect();
    let of = |dates: [&str; 2], per: &str| {
        let given = [
            format!("--from={}", dates[0]),
            format!("--to={}", dates[1]),
            format!("--per={per}"),
        ];
        let mut all: Vec<&str> = given.iter().map(String::as_str).collect();
        all.extend(&more);
        statement(home, &all)
    };
    same(&told["total"], &of(dates, "fleet")[""], "all");
    let (now, then) = (of(dates, "store"), of(before, "store"));
    let counted = |name: &str| told["stores"][name].as_u64().unwrap();
    let standings = [
        "with_downtime",
        "without_downtime",
        "less_than_half_seen",
        "unknown",
        "closed",
    ];
    assert_eq!(standings.map(counted).iter().sum::<u64>(), counted("all"));
    assert_eq!(counted("all"), now.len() as u64);
    let worst = told["worst"].as_array().unwrap();
    assert!(!worst.is_empty(), "the data have downtime");
    for store in worst {
        let id = store["store_id"].as_str().unwrap();
        same(store, &now[id], id);
        let (longest, downtime) = (&store["longest_incident"]["downtime"], &store["downtime"]);
        assert!(longest.as_f64() <= downtime.as_f64(), "{id}");
        if store["incidents"] == 1 {
            assert_eq!(longest, downtime, "{id}");
        }
    }
    let downtimes: Vec<f64> = worst
        .iter()
        .map(|store| store["downtime"].as_f64().unwrap())
        .collect();
    assert!(downtimes.is_sorted_by(|a, b| a >= b), "the worst first");
    for change in told["compared"]["changed"].as_array().unwrap() {
        let id = change["store_id"].as_str().unwrap();
        let percent = |row: &BTreeMap<String, Value>| row["uptime_percent"].as_f64();
        assert_eq!(change["uptime_percent"].as_f64(), percent(&now[id]), "{id}");
        assert_eq!(
            change["uptime_percent_before"].as_f64(),
            percent(&then[id]),
            "{id}"
        );
    }
}

#[test]
fn each_number_is_that_of_the_statement_of_the_same_dates() {
    let home = Home::seeded();
    let (week, before) = (["2026-11-02", "2026-11-08"], ["2026-10-26", "2026-11-01"]);
    compare(&home, &["--week=2026-W45"], week, before);
    compare(
        &home,
        &["--week=2026-W45", "--interpolation=previous"],
        week,
        before,
    );
    compare(
        &home,
        &["--week=2026-W45", "--group=Rivera Hospitality"],
        week,
        before,
    );
    compare(
        &home,
        &["--day=2026-11-05", "--as-of=2026-11-05 20:00:00 UTC"],
        ["2026-11-05"; 2],
        ["2026-11-04"; 2],
    );
    home.print(&["generate", "--stores=80", "--days=40", "--seed=7", "made"]);
    let made = Home::new();
    let mut files: Vec<String> = fs::read_dir(home.path("made"))
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    files.sort();
    made.import(&files);
    let newest = String::from_utf8(made.print(&["digest", "--format=json"])).unwrap();
    let newest: Value = serde_json::from_str(&newest).unwrap();
    let (from, to) = (
        newest["from"].as_str().unwrap(),
        newest["to"].as_str().unwrap(),
    );
    let days = |text: &str, by: i64| {
        let day = store_monitor::civil::parse_day(text).unwrap() + by;
        store_monitor::civil::format_day(day)
    };
    compare(&made, &[], [from, to], [&days(from, -7), &days(to, -7)]);
    let day = format!("--day={to}");
    compare(&made, &[&day], [to, to], [&days(to, -1), &days(to, -1)]);
}

#[test]
fn a_digest_refuses_what_is_not_there_and_names_the_nearest() {
    let home = Home::seeded();
    home.run(&["digest", "--group=Rivera"]).exits(2).refuses(&[
        "there is no owner `Rivera`",
        "did you mean `Rivera Hospitality`",
    ]);
    home.run(&["digest", "--week=2025-W53"])
        .exits(2)
        .says(&["there is no week `2025-W53` (write it as 2026-W44)"]);
    home.run(&["digest", "--week=2026-W44", "--day=2026-11-01"])
        .exits(2);
    let empty = Home::new();
    empty.import(&[crate::harness::seed("menu_hours.csv")]);
    let text = String::from_utf8(empty.print(&["digest", "--week=2026-W44", "--as-of=2026-11-08"]))
        .unwrap();
    assert!(text.contains("no check tells of them"), "{text}");
}

/// The messages of a schedule at an instant.
fn due(home: &Home, schedule: &str, now: Micros) -> Vec<Message> {
    let schedule = format!("name = \"weekly\"\nto = [\"office\", \"phone\"]\n{schedule}");
    let messaging = Messaging {
        digests: vec![digest::read(Section::parse("[[digest]]", &schedule).unwrap()).unwrap()],
        public_url: Some("https://shop.example".to_owned()),
        ..Messaging::default()
    };
    let mut db = open_reader(&home.database()).unwrap();
    let mut digests = Digests::default();
    digests
        .due(&mut db, &HotWindow::default(), &messaging, now)
        .unwrap()
}

fn instant(text: &str) -> Micros {
    parse_instant(text).unwrap()
}

#[test]
fn a_digest_is_sent_once_to_each_receiver_though_the_server_was_down_when_it_was_due() {
    let home = Home::seeded();
    // Most stores are in New York, where Monday 2026-11-02 08:00 is 13:00 UTC.
    let monday = instant("2026-11-02 13:00:00 UTC");
    assert_eq!(
        due(&home, "", monday - MINUTE),
        [],
        "the one of the week before was due too long ago"
    );
    let found = due(&home, "", monday);
    let keys: Vec<_> = found.iter().map(|message| &*message.key).collect();
    assert_eq!(
        keys,
        [
            "digest/weekly/2026-W44/office",
            "digest/weekly/2026-W44/phone"
        ]
    );
    let late = due(&home, "", monday + 47 * HOUR);
    assert_eq!(
        late, found,
        "it says the same whenever the server comes to it"
    );
    assert_eq!(due(&home, "", monday + 48 * HOUR), []);
    let printed = home.print(&[
        "digest",
        "--week=2026-W44",
        "--as-of=2026-11-02 13:00:00 UTC",
    ]);
    let printed = String::from_utf8(printed).unwrap();
    let link = "https://shop.example/digest?week=2026-W44";
    assert_eq!(
        found[0].text,
        format!("{printed}\n{link}\n"),
        "the command prints what is sent"
    );
    assert!(
        found[0]
            .html
            .as_ref()
            .is_some_and(|html| html.contains(link))
    );
    let mut db = open_writer(&home.database()).unwrap();
    write(&mut db, |db| outbox::add(db, &found[0], monday)).unwrap();
    drop(db);
    let rest: Vec<_> = due(&home, "", monday + HOUR)
        .into_iter()
        .map(|message| message.receiver)
        .collect();
    assert_eq!(rest, ["phone"]);
}

#[test]
fn a_server_sends_the_digest_that_is_due_once_over_restarts() {
    let hook = Hook::new(&[]);
    let home = Home::seeded();
    // Not due again while the test runs.
    let hour = (machine_us() / HOUR + 12) % 24;
    let config = |names: &[&str]| {
        let daily = |name| {
            format!(
                "[[digest]]\nname = \"{name}\"\nto = \"office\"\nevery = \"day\"\n\
                 at = \"{hour:02}:00\"\ntimezone = \"Etc/UTC\"\n"
            )
        };
        let digests: String = names.iter().map(daily).collect();
        home.write("config.toml", table("office", &hook) + &digests);
    };
    let start = || Server::start_with(&home, &["serve", "--config", "config.toml"]);
    config(&["first"]);
    let server = start();
    let sent = hook.takes(1);
    assert_eq!(sent[0].json()["kind"], "digest");
    server.terminate();
    // They are looked at in their order: once the second is there, the first would be there again.
    config(&["first", "second"]);
    let _server = start();
    hook.takes(2);
    let keys = hook.taken();
    let names: Vec<_> = keys.iter().map(|key| key.split('/').nth(1)).collect();
    assert_eq!(names, [Some("first"), Some("second")], "{keys:?}");
}

#[test]
fn each_owner_gets_a_digest_of_their_own_stores_at_eight_by_their_own_clock() {
    let home = Home::seeded();
    let schedule = "each_group = true";
    // 08:00 in New York, not yet in Chicago, Denver and Los Angeles.
    let east = due(&home, schedule, instant("2026-11-02 13:00:00 UTC"));
    let all = due(&home, schedule, instant("2026-11-02 20:00:00 UTC"));
    assert!(!east.is_empty() && east.len() < all.len());
    for message in &all {
        let (_, owner) = message.key.rsplit_once('/').unwrap();
        assert!(
            message
                .subject
                .starts_with(&format!("{owner}, Mon 26 Oct to Sun 1 Nov")),
            "{}",
            message.subject
        );
        assert!(message.facts.contains("\"digest\":\"weekly\""));
        assert!(message.text.contains("&group="));
    }
}

#[test]
fn the_digest_of_all_stores_says_which_receiver_did_not_get_its_messages() {
    let home = Home::seeded();
    let mut db = open_writer(&home.database()).unwrap();
    let message = &due(
        &home,
        "group = \"Rivera Hospitality\"",
        instant("2026-11-02 13:00:00 UTC"),
    )[0];
    let at = instant("2026-11-02 13:00:00 UTC");
    write(&mut db, |db| outbox::add(db, message, at)).unwrap();
    db.execute(
        "UPDATE outbox SET attempts = 3, error = 'connection refused'",
        [],
    )
    .unwrap();
    drop(db);
    let text = |arguments: &[&str]| String::from_utf8(home.print(arguments)).unwrap();
    let all = text(&["digest", "--week=2026-W44"]);
    assert!(
        all.contains("office: 1 message not delivered, the oldest of Mon 2 Nov 2026, 8:00 AM"),
        "{all}"
    );
    let owner = text(&["digest", "--week=2026-W44", "--group=Rivera Hospitality"]);
    assert!(!owner.contains("not delivered"), "{owner}");
}

#[test]
fn an_owners_digest_over_http_is_the_one_that_is_sent() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let query = "week=2026-W45&group=Rivera+Hospitality";
    let told = server.get(&format!("/api/digest?{query}")).json();
    let printed = home.print(&[
        "digest",
        "--week=2026-W45",
        "--group=Rivera Hospitality",
        "--format=json",
    ]);
    let printed: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(told, printed);
    let page = server.get(&format!("/digest?{query}"));
    assert_eq!(page.status, 200);
    for sentence in told["sentences"].as_array().unwrap() {
        let sentence = sentence.as_str().unwrap().replace('&', "&amp;");
        assert!(page.text().contains(&sentence), "{sentence}");
    }
    for wrong in ["week=2026-W44&month=2026-10", "day=2026-W44"] {
        assert_eq!(
            server.get(&format!("/api/digest?{wrong}")).status,
            400,
            "{wrong}"
        );
    }
    assert_eq!(server.get("/api/digest?group=Nobody").status, 404);
}

#[test]
fn html_for_mails_loads_nothing_and_runs_nothing() {
    let home = Home::seeded();
    let html =
        String::from_utf8(home.print(&["digest", "--week=2026-W45", "--format=html"])).unwrap();
    for word in [
        "<script", "src=", "url(", "http://", "https://", "<link", "<img", "@import",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    for tag in ["table", "tr", "td", "th", "div", "p", "h1", "h2"] {
        let opened =
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    // A client that knows no style sheet has the styles of the elements.
    assert!(html.matches("style=\"").count() > 50);
    crate::email::is_valid(&home, &html);
}
