//! Rows over HTTP: accepted whole or not at all, durable when answered, and in the next report.

use std::fmt::Write as _;
use std::io::Write;
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::harness::{Answer, Client, Home, Server};

const CSV: &str = "text/csv";
const POLLS: &str = "store_id,timestamp_utc,status\n";

fn polls(client: &Client, rows: &str) -> Answer {
    client.post("/api/polls", CSV, &[], format!("{POLLS}{rows}").as_bytes())
}

/// What an answer counts: accepted, unchanged, replaced, rejected.
#[track_caller]
fn counts(answer: &Answer) -> [u64; 4] {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    ["accepted", "unchanged", "replaced", "rejected"]
        .map(|name| said[name].as_u64().expect("a count"))
}

#[test]
fn every_kind_is_taken_in_every_shape_and_changes_nothing_twice() {
    let home = Home::new();
    let server = Server::start(&home);
    let kinds = [
        (
            "/api/polls",
            "store_id,timestamp_utc,status\ns1,2026-11-06 10:00:00 UTC,active\n",
            json!({"store_id": "s2", "timestamp_utc": "2026-11-06T10:00:00Z", "status": "inactive"}),
        ),
        (
            "/api/business-hours",
            "store_id,day,start_time_local,end_time_local\ns1,0,09:00:00,17:00:00\n",
            json!({"store_id": "s2", "day": 6, "start_time_local": "09:00:00", "end_time_local": "17:00:00"}),
        ),
        (
            "/api/timezones",
            "store_id,timezone_str\ns1,America/New_York\n",
            json!({"store_id": "s2", "timezone_str": "Europe/London"}),
        ),
        (
            "/api/stores",
            "store_id,name,group\ns1,First,Owner\n",
            json!({"store_id": "s2", "name": "Second", "group": "Owner"}),
        ),
    ];
    for (target, csv, object) in kinds {
        let mut third = object.clone();
        third["store_id"] = json!("s3");
        let bodies = [
            (CSV, csv.to_owned()),
            ("application/x-ndjson; charset=utf-8", format!("{object}\n")),
            ("application/json", json!([third]).to_string()),
        ];
        for (media_type, body) in bodies {
            let post = || server.client.post(target, media_type, &[], body.as_bytes());
            assert_eq!(counts(&post()), [1, 0, 0, 0], "{target} {media_type}");
            assert_eq!(counts(&post()), [0, 1, 0, 0], "{target} {media_type}");
        }
    }
    let export = |what| String::from_utf8(home.print(&["export", what])).expect("text");
    assert_eq!(export("timezones").lines().count(), 4);
    assert!(export("stores").contains("s3,Second,Owner"));
    assert!(export("polls").contains("s3,inactive,2026-11-06 10:00:00 UTC"));
}

#[test]
fn hours_that_others_took_the_place_of_are_replaced() {
    let home = Home::new();
    let server = Server::start(&home);
    let post = |rows: &[&str]| {
        let rows = rows.iter().map(|row| format!("s1,{row}:00:00\n"));
        let header = "store_id,day,start_time_local,end_time_local\n";
        let body = header.to_owned() + &rows.collect::<String>();
        let target = "/api/business-hours";
        counts(&server.client.post(target, CSV, &[], body.as_bytes()))
    };
    let (monday, longer) = ("0,09:00:00,17", "0,08:00:00,18");
    let (tuesday, evening) = ("1,09:00:00,17", "1,19:00:00,23");
    for (rows, expected) in [
        (&[monday][..], [1, 0, 0, 0]),
        (&[longer], [0, 0, 1, 0]),
        (&[longer, tuesday], [1, 1, 0, 0]),
        // Two take the place of one: the other is new.
        (&[longer, "1,09:00:00,12", evening], [1, 1, 1, 0]),
        // One row is left of three; nothing is said that was not known.
        (&[longer], [0, 1, 0, 0]),
        // Another day is new, and the day before it is removed.
        (&[tuesday], [1, 0, 0, 0]),
    ] {
        assert_eq!(post(rows), expected, "{rows:?}");
        let all = u64::try_from(rows.len()).expect("few");
        assert_eq!(post(rows), [0, all, 0, 0], "{rows:?} again");
    }
    let hours = home.print(&["export", "business-hours"]);
    let hours = String::from_utf8(hours).expect("text");
    assert_eq!(hours.lines().nth(1), Some("s1,1,09:00:00,17:00:00"));
    assert_eq!(hours.lines().count(), 2);
}

#[test]
fn while_another_process_writes_for_long_the_answer_is_to_come_again() {
    let home = Home::new();
    let server = Server::start(&home);
    let other = home.sqlite();
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let row = "s1,2026-11-06 10:00:00 UTC,active\n";
    // More clients than there are handlers: none waits for long, and those that only read get their turn.
    thread::scope(|scope| {
        let clients: Vec<_> = (0..80)
            .map(|_| scope.spawn(|| polls(&server, row)))
            .collect();
        assert_eq!(server.get("/health").status, 200);
        for client in clients {
            let busy = client.join().expect("an answer");
            busy.problem(503);
            assert!(
                busy.header("Retry-After").parse::<u32>().is_ok(),
                "{busy:?}"
            );
        }
    });
    other.execute_batch("ROLLBACK").expect("no lock");
    assert_eq!(counts(&polls(&server, row)), [1, 0, 0, 0]);
}

#[test]
fn one_bad_row_refuses_the_request_unless_it_may_be_skipped() {
    let home = Home::new();
    let server = Server::start(&home);
    let rows = "s1,2026-11-06 10:00:00 UTC,active\ns1,2026-11-06 11:00:00 UTC,huh\n";
    let refused = polls(&server.client, rows);
    refused.problem(422);
    let said = refused.json();
    assert_eq!(said["rejected"], 1);
    let error = &said["errors"][0];
    assert_eq!(
        (&error["line"], &error["code"]),
        (&json!(3), &json!("status"))
    );
    assert_eq!(
        (&error["column"], &error["value"]),
        (&json!("status"), &json!("huh"))
    );
    assert_eq!(
        home.print(&["export", "polls"]),
        b"store_id,status,timestamp_utc\n"
    );

    let body = format!("{POLLS}{rows}");
    let skip = "/api/polls?on_bad_row=skip";
    let taken = server.client.post(skip, CSV, &[], body.as_bytes());
    assert_eq!(counts(&taken), [1, 0, 0, 1]);
    assert_eq!(
        taken.json()["errors"][0]["row"],
        "s1,2026-11-06 11:00:00 UTC,huh"
    );
    server
        .client
        .post("/api/polls?on_bad_row=maybe", CSV, &[], body.as_bytes())
        .problem(400);

    let many = "s1,never,active\n".repeat(250);
    let said = polls(&server.client, &many).json();
    assert_eq!(said["rejected"], 250);
    assert_eq!(said["errors"].as_array().expect("errors").len(), 100);
}

#[test]
fn what_is_no_input_is_refused_by_its_kind_of_wrong() {
    let home = Home::new();
    let server = Server::start_with(&home, &["serve", "--max-body", "1000"]);
    let post = |media_type, more: &[_], body: &[u8]| {
        server.client.post("/api/polls", media_type, more, body)
    };
    let zones = post(CSV, &[], b"store_id,timezone_str\ns1,UTC\n");
    zones.problem(422);
    assert_eq!(zones.json()["errors"][0]["code"], "wrong_kind");
    // Of an array with a syntax error no row is taken, even where bad rows are skipped.
    let array =
        br#"[{"store_id": "s1", "timestamp_utc": "2026-11-06T10:00:00Z", "status": "active"},
        {"store_id": "s2" "timestamp_utc": "2026-11-06T10:00:00Z", "status": "active"}]"#;
    let target = "/api/polls?on_bad_row=skip";
    let array = server.client.post(target, "application/json", &[], array);
    assert!(
        array.problem(422).contains("element 2 is no JSON"),
        "{}",
        array.text()
    );
    let error = &array.json()["errors"][0];
    assert_eq!(
        (&error["code"], &error["line"]),
        (&json!("json"), &json!(2))
    );
    for (media_type, more, value) in [
        ("text/html", &[][..], "text/html"),
        (CSV, &[("Content-Encoding", "br")], "br"),
    ] {
        let answer = post(media_type, more, b"<p>");
        let detail = answer.problem(415);
        let said = answer.json();
        assert_eq!(said["rejected"], 0);
        let [error] = &said["errors"].as_array().expect("errors")[..] else {
            panic!("{said}")
        };
        assert_eq!([&error["code"], &error["value"]], ["media_type", value]);
        assert!(
            error["reason"]
                .as_str()
                .expect("a reason")
                .contains(&detail)
        );
        assert!(error["line"].is_null() && error["column"].is_null());
    }
    let rows = format!(
        "{POLLS}{}",
        "s1,2026-11-06 10:00:00 UTC,active\n".repeat(100)
    );
    post(CSV, &[], rows.as_bytes()).problem(413);
    let packed = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text.as_bytes()).expect("memory");
        gzip.finish().expect("memory")
    };
    let gzip = [("Content-Encoding", "gzip")];
    post(CSV, &gzip, &packed(&rows)).problem(413);
    let rows = format!(
        "{POLLS}{}",
        "s1,2026-11-06 10:00:00 UTC,active\n".repeat(20)
    );
    assert_eq!(counts(&post(CSV, &gzip, &packed(&rows))), [1, 19, 0, 0]);
    // Names of codings have no letter case.
    let gzip = [("Content-Encoding", "GZip")];
    assert_eq!(counts(&post(CSV, &gzip, &packed(&rows))), [0, 20, 0, 0]);
    // What is said to be packed and is not may be anything.
    for (body, code) in [(&rows.as_bytes()[..500], "compressed"), (b"", "empty")] {
        let answer = post(CSV, &gzip, body);
        answer.problem(422);
        assert_eq!(answer.json()["errors"][0]["code"], code);
    }
    assert_eq!(counts(&post(CSV, &[], &packed(&rows))), [0, 20, 0, 0]);
    let bomb = packed(&format!(
        "{POLLS}{}",
        "s1,2026-11-06 10:00:00 UTC,active\n".repeat(2000)
    ));
    assert!(bomb.len() < 1000, "{}", bomb.len());
    post(CSV, &gzip, &bomb).problem(413);
}

#[test]
fn a_request_with_a_key_is_done_once_and_answered_the_same() {
    let home = Home::new();
    let server = Server::start(&home);
    let send = |key: &str, status: &str| {
        let body = format!("{POLLS}s1,2026-11-06 10:00:00 UTC,{status}\n");
        server.client.post(
            "/api/polls",
            CSV,
            &[("Idempotency-Key", key)],
            body.as_bytes(),
        )
    };
    let first = send("a", "active");
    assert_eq!(counts(&first), [1, 0, 0, 0]);
    assert_eq!(counts(&send("b", "inactive")), [0, 0, 1, 0]);
    let again = send("a", "active");
    assert_eq!(again.header("Idempotent-Replayed"), "true");
    assert_eq!(again.body, first.body);
    assert!(
        home.print(&["export", "polls"])
            .ends_with(b"s1,inactive,2026-11-06 10:00:00 UTC\n")
    );
    send("a", "inactive").problem(400);
    send(&"k".repeat(256), "active").problem(400);
}

#[test]
fn a_kept_answer_is_short_and_its_key_is_of_one_body_alone() {
    let home = Home::new();
    let server = Server::start(&home);
    let send = |key: &str, body: &str| {
        let more = [("Idempotency-Key", key)];
        server.post("/api/polls?on_bad_row=skip", CSV, &more, body.as_bytes())
    };
    let long = format!(
        "{POLLS}s1,2026-11-06 10:00:00 UTC,active\n{}",
        format!("s1,2026-11-06 10:00:00 UTC,{}\n", "x".repeat(60_000)).repeat(100)
    );
    let size = || home.database().metadata().expect("a database").len();
    let before = size();
    for number in 0..30 {
        let key = number.to_string();
        let first = send(&key, &long);
        assert_eq!(first.status, 200);
        assert!(first.body.len() <= 64 << 10, "{}", first.body.len());
        let told = first.json();
        assert_eq!(told["rejected"], 100);
        assert_eq!(told["errors"][0]["line"], 3);
        assert_eq!(send(&key, &long).body, first.body);
    }
    let grown = size() - before;
    assert!(grown < 4 << 20, "{grown}");
    // These words have the same CRC-32.
    let [a, b] =
        ["plumless", "buckeroo"].map(|id| format!("{POLLS}{id},2026-11-06 10:00:00 UTC,active\n"));
    let crc = |body: &str| {
        let mut crc = flate2::Crc::new();
        crc.update(body.as_bytes());
        crc.sum()
    };
    assert_eq!(crc(&a), crc(&b));
    assert_eq!(counts(&send("forged", &a)), [1, 0, 0, 0]);
    send("forged", &b).problem(400);
}

#[test]
fn memory_follows_every_write_of_any_process() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let same = |what: &str| {
        let hot = server.client.report("");
        assert_eq!(
            String::from_utf8_lossy(&hot),
            String::from_utf8_lossy(&home.print(&["report"])),
            "{what}"
        );
    };
    same("at first");
    for (what, rows) in [
        (
            "a newer poll",
            "nyc-times-square,2026-11-07 20:30:00 UTC,inactive\n",
        ),
        (
            "a late one",
            "nyc-times-square,2026-11-02 03:04:05.678 UTC,inactive\n",
        ),
        (
            "a correction",
            "nyc-times-square,2026-11-02 03:04:05.678 UTC,active\n",
        ),
        (
            "a new store",
            "aaa-new,2026-11-07 20:31:00 UTC,active\nzzz-new,2026-11-07 19:00:00 UTC,inactive\n",
        ),
        (
            "one that is too old",
            "zzz-new,2025-01-01 00:00:00 UTC,active\n",
        ),
    ] {
        counts(&polls(&server.client, rows));
        same(what);
    }
    let many: String = (0..3000)
        .map(|n| {
            format!(
                "nyc-times-square,2026-11-07 1{}:{:02}:{:02} UTC,{}\n",
                n / 1800,
                n / 60 % 60,
                n % 60,
                if n % 7 == 0 { "inactive" } else { "active" }
            )
        })
        .collect();
    counts(&polls(&server.client, &many));
    same("more than are kept apart");
    let hours =
        b"store_id,day,start_time_local,end_time_local\nnyc-times-square,5,09:00:00,12:00:00\n";
    counts(&server.client.post("/api/business-hours", CSV, &[], hours));
    same("other hours");
    home.write(
        "more.csv",
        format!("{POLLS}aaa-new,2026-11-07 20:40:00 UTC,inactive\n"),
    );
    home.import(&["more.csv"]);
    same("an import beside the server");
    counts(&polls(
        &server.client,
        "aaa-new,2026-11-07 20:50:00 UTC,active\n",
    ));
    same("rows after that import");
    let deleted = server.client.request("DELETE", "/api/stores/aaa-new");
    assert_eq!(
        (deleted.status, deleted.json()["polls_deleted"].as_u64()),
        (200, Some(3))
    );
    same("a store that was forgotten");
    server
        .client
        .request("DELETE", "/api/stores/aaa-new")
        .problem(404);
    home.run(&["import", "--prune-before", "2026-11-05 00:00:00 UTC"])
        .exits(0)
        .says(&["polls forgotten"]);
    same("old polls that were forgotten");
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn an_id_may_look_like_anything() {
    let home = Home::new();
    let server = Server::start(&home);
    for (id, encoded) in [
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        (
            "<img src=x onerror=alert(1)>",
            "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        ),
        ("50%?&#", "50%25%3F%26%23"),
        ("café", "caf%C3%A9"),
    ] {
        counts(&polls(
            &server.client,
            &format!("{id},2026-11-06 10:00:00 UTC,active\n"),
        ));
        let deleted = server
            .client
            .request("DELETE", &format!("/api/stores/{encoded}"));
        assert_eq!(
            (deleted.status, &deleted.json()["store_id"]),
            (200, &json!(id))
        );
    }
}

#[test]
fn many_clients_at_once_lose_nothing_while_reports_run() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let (clients, requests) = (8, 60);
    thread::scope(|scope| {
        for client in 0..clients {
            let address = server.client.address.clone();
            scope.spawn(move || {
                let http = Client::new(address);
                for request in 0..requests {
                    let row =
                        format!("c{client},2026-11-07 10:{request:02}:0{client} UTC,active\n");
                    assert_eq!(counts(&polls(&http, &row)), [1, 0, 0, 0]);
                    if request % 10 == 0 {
                        http.report("");
                    }
                }
            });
        }
    });
    let export = String::from_utf8(home.print(&["export", "polls"])).expect("text");
    let ours = |line: &&str| line.starts_with('c') && line.as_bytes()[2] == b',';
    assert_eq!(export.lines().filter(ours).count(), clients * requests);
}

/// More polls than must have come before the first is written: 100 stores, one poll a minute, a few of them
/// late, repeated or corrected.
fn a_first_load() -> String {
    let mut rows = String::from(POLLS);
    for minute in 0..1500 {
        let hours = minute / 60;
        for store in 0..100 {
            // Some repeat what another said five hours ago, or contradict it.
            let late = if (minute * 7 + store) % 997 == 0 {
                5
            } else {
                0
            };
            let hour = (hours - late).max(0);
            let (day, hour, minute) = (1 + hour / 24, hour % 24, minute % 60);
            let status = if (minute * store) % 13 == 1 {
                "inactive"
            } else {
                "active"
            };
            let status = if late > 0 && store % 2 == 0 {
                "inactive"
            } else {
                status
            };
            let _ = writeln!(
                rows,
                "store {store},2026-11-{day:02} {hour:02}:{minute:02}:00 UTC,{status}"
            );
        }
    }
    rows
}

#[test]
fn a_first_load_is_what_an_import_of_it_is_and_refused_it_leaves_nothing() {
    let rows = a_first_load();
    let imported = Home::new();
    imported.write("polls.csv", &rows);
    imported.import(&["polls.csv"]).exits(0);
    let home = Home::new();
    let server = Server::start(&home);
    let empty = home.exports();
    let post = |query, rows: &str| {
        let target = format!("/api/polls{query}");
        server.client.post(&target, CSV, &[], rows.as_bytes())
    };
    let bad = format!("{rows}store 7,yesterday,active\n");
    let refused = post("", &bad);
    assert!(refused.problem(422).contains("1 row is bad"));
    assert_eq!(refused.json()["errors"][0]["line"], 150_002);
    assert_eq!(home.exports(), empty);
    assert_eq!(post("", &format!("{rows}\"")).status, 422);
    assert_eq!(home.exports(), empty);

    let taken = counts(&post("?on_bad_row=skip", &bad));
    assert_eq!(taken.iter().sum::<u64>(), 150_001);
    assert!(taken[1] > 0 && taken[2] > 0 && taken[3] == 1, "{taken:?}");
    let report = server.client.report("");
    assert_eq!(home.exports(), imported.exports());
    assert_eq!(report, imported.print(&["report"]));
    // Again, it is compared to what is there.
    let again = counts(&post("", &rows));
    assert_eq!(again, [0, 150_000, 0, 0]);
    assert_eq!(home.exports(), imported.exports());
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn first_polls_that_come_at_the_same_time_are_all_taken() {
    let home = Home::new();
    let server = Server::start(&home);
    thread::scope(|scope| {
        for store in 0..16 {
            let client = &server.client;
            scope.spawn(move || {
                let row = format!("{store},2026-11-06 10:00:00 UTC,active\n");
                assert_eq!(counts(&polls(client, &row)), [1, 0, 0, 0]);
            });
        }
    });
    assert_eq!(
        server
            .client
            .report("")
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count(),
        17
    );
}
