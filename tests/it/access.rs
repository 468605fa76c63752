//! Who may do what, over HTTP: tokens and links are made, used and revoked; a refused body is not taken; the audit
//! tells who did what. `access_commands` has the same by commands and flags.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Server, eventually};

/// A server with two owners' stores, and its first token, an admin's.
pub(crate) fn served() -> (Home, Server, String) {
    let home = Home::new();
    home.write(
        "polls.csv",
        "store_id,timestamp_utc,status\na1,2026-11-01 00:00:00 UTC,active\nb1,2026-11-01 02:00:00 UTC,inactive\n",
    );
    home.write(
        "stores.csv",
        "store_id,name,group\na1,First,Ann\nb1,Second,Bob\n",
    );
    home.import(&["polls.csv", "stores.csv"]);
    let server = Server::start(&home);
    let boss = secret(
        &server,
        None,
        "tokens",
        &json!({"name": "boss", "scope": "admin"}),
    );
    (home, server, boss)
}

/// Makes a token or a link and returns its secret part.
pub(crate) fn secret(server: &Server, by: Option<&str>, what: &str, order: &Value) -> String {
    let made = send(server, by, "POST", &format!("/api/{what}"), Some(order));
    assert_eq!(made.status, 201, "{}", made.text());
    let member = if what == "tokens" { "token" } else { "link" };
    made.json()[member].as_str().expect(member).to_owned()
}

pub(crate) fn send(
    server: &Server,
    by: Option<&str>,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let token = by.map(|token| ("Authorization", format!("Bearer {token}")));
    let headers: Vec<(&str, &str)> = token
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    match body {
        Some(body) => server.post(
            path,
            "application/json",
            &headers,
            body.to_string().as_bytes(),
        ),
        None => server.send(method, path, &headers),
    }
}

pub(crate) fn status(server: &Server, by: Option<&str>, path: &str) -> u16 {
    send(server, by, "GET", path, None).status
}

#[test]
fn the_first_token_closes_the_server_and_a_revoked_one_opens_nothing() {
    let (home, server, boss) = served();
    assert_eq!(status(&server, None, "/api/stores"), 401);
    assert_eq!(status(&server, Some(&boss), "/api/stores"), 200);
    let health = send(&server, None, "GET", "/health", None).json();
    assert_eq!(
        health,
        json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})
    );
    let again = send(
        &server,
        Some(&boss),
        "POST",
        "/api/tokens",
        Some(&json!({"name": "boss", "scope": "read"})),
    );
    assert_eq!(again.status, 400, "{}", again.text());

    let poller = secret(
        &server,
        Some(&boss),
        "tokens",
        &json!({"name": "poller", "scope": "ingest"}),
    );
    let poll =
        json!([{"store_id": "a1", "timestamp_utc": "2026-11-01 03:00:00 UTC", "status": "active"}]);
    let sent = send(&server, Some(&poller), "POST", "/api/polls", Some(&poll));
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(
        !sent.text().contains("b1") && sent.json().get("without_polls").is_none(),
        "{}",
        sent.text()
    );
    for (method, path) in [
        ("POST", "/api/stores"),
        ("GET", "/api/stores"),
        ("GET", "/"),
        ("DELETE", "/api/stores/a1"),
    ] {
        assert_eq!(
            send(&server, Some(&poller), method, path, None).status,
            403,
            "{method} {path}"
        );
    }

    let revoked = send(&server, Some(&boss), "DELETE", "/api/tokens/poller", None);
    assert_eq!(revoked.status, 200);
    assert_eq!(
        send(&server, Some(&poller), "POST", "/api/polls", Some(&poll)).status,
        401
    );
    // Nothing in the file can be used as a secret.
    let stored = std::fs::read(home.database()).expect("the database");
    for secret in [&boss, &poller] {
        let is_in = stored
            .windows(secret.len())
            .any(|bytes| bytes == secret.as_bytes());
        assert!(!is_in, "a secret is stored");
    }
}

#[test]
fn an_owners_token_sees_their_stores_and_reports_alone() {
    let (_home, server, boss) = served();
    let report = |by: &str| {
        let made = send(&server, Some(by), "POST", "/trigger_report", None);
        assert_eq!(made.status, 202, "{}", made.text());
        let id = made.json()["report_id"].as_str().expect("an id").to_owned();
        let path = format!("/get_report/{id}");
        let csv = eventually("the report", || {
            let answer = send(&server, Some(by), "GET", &path, None);
            (answer.header("Report-Status") == "Complete").then(|| answer.text().to_owned())
        });
        (id, csv)
    };
    let order = json!({"name": "ann", "scope": "report", "groups": ["Ann"]});
    let ann = secret(&server, Some(&boss), "tokens", &order);
    let order = json!({"name": "bob", "scope": "read", "groups": ["Bob"]});
    let bob = secret(&server, Some(&boss), "tokens", &order);
    let (whole, csv) = report(&boss);
    assert!(csv.contains("a1,") && csv.contains("b1,"), "{csv}");
    let (own, csv) = report(&ann);
    assert!(csv.contains("a1,") && !csv.contains("b1"), "{csv}");
    // Without an instant it is as of the newest poll of the stores that exist for the token.
    let facts = send(
        &server,
        Some(&ann),
        "GET",
        &format!("/api/reports/{own}"),
        None,
    )
    .json();
    assert_eq!(facts["as_of"], "2026-11-01T00:00:00Z");
    for (by, id, expected) in [
        (&boss, &own, 200),
        (&ann, &own, 200),
        (&ann, &whole, 404),
        (&bob, &own, 404),
        (&bob, &whole, 404),
    ] {
        for path in [
            format!("/get_report/{id}"),
            format!("/api/reports/{id}"),
            format!("/api/reports/{id}.csv"),
        ] {
            assert_eq!(status(&server, Some(by), &path), expected, "{path}");
        }
    }
    let listed = |by: &str| {
        let reports = send(&server, Some(by), "GET", "/api/reports", None).json();
        reports["reports"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((listed(&boss), listed(&ann), listed(&bob)), (2, 1, 0));
    assert_eq!(status(&server, Some(&ann), "/api/stores/b1"), 404);
    assert_eq!(status(&server, Some(&ann), "/metrics"), 403);
    assert_eq!(
        send(&server, Some(&bob), "POST", "/trigger_report", None).status,
        403
    );
}

#[test]
fn a_token_for_known_stores_only_names_no_new_one() {
    let (_home, server, boss) = served();
    let order = json!({"name": "poller", "scope": "ingest", "known_stores_only": true});
    let poller = secret(&server, Some(&boss), "tokens", &order);
    let poll = |store: &str| json!([{"store_id": store, "timestamp_utc": "2026-11-01 03:00:00 UTC", "status": "active"}]);
    let known = send(
        &server,
        Some(&poller),
        "POST",
        "/api/polls",
        Some(&poll("a1")),
    );
    assert_eq!(known.status, 200, "{}", known.text());
    let new = send(
        &server,
        Some(&poller),
        "POST",
        "/api/polls",
        Some(&poll("c1")),
    );
    assert_eq!(new.status, 422, "{}", new.text());
    let error = &new.json()["errors"][0];
    assert_eq!(
        (&error["column"], &error["value"]),
        (&json!("store_id"), &json!("c1")),
        "{}",
        new.text()
    );
    assert_eq!(status(&server, Some(&boss), "/api/stores/c1"), 404);
    // A token without that limit may.
    let sent = send(
        &server,
        Some(&boss),
        "POST",
        "/api/polls",
        Some(&poll("c1")),
    );
    assert_eq!(sent.status, 200, "{}", sent.text());
}

#[test]
fn a_link_shows_its_store_and_nothing_else() {
    let (_home, server, boss) = served();
    let link = secret(&server, Some(&boss), "links", &json!({"store": "a1"}));
    assert!(link.starts_with("/share/sml_"), "{link}");
    assert_eq!(status(&server, None, &format!("{link}/api/stores/a1")), 200);
    for path in [
        "/api/stores/b1",
        "/api/tokens",
        "/api/audit",
        "/load",
        "/metrics",
    ] {
        assert_eq!(
            status(&server, None, &format!("{link}{path}")),
            404,
            "{path}"
        );
    }
    let stores = send(&server, None, "GET", &format!("{link}/api/stores"), None).json();
    assert_eq!(stores["total"], 1);
    let posted = send(
        &server,
        None,
        "POST",
        &format!("{link}/trigger_report"),
        None,
    );
    assert_eq!(posted.status, 404);
    // Its secret is no token, and a token no link.
    let secret = link.trim_start_matches("/share/");
    assert_eq!(status(&server, Some(secret), "/api/stores"), 401);
    assert_eq!(status(&server, None, &format!("/share/{boss}/")), 404);
    let revoked = send(&server, Some(&boss), "DELETE", "/api/links/link-2", None);
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    assert_eq!(status(&server, None, &format!("{link}/api/stores/a1")), 404);
}

#[test]
fn the_body_of_a_refused_request_is_not_taken() {
    let (_home, server, _boss) = served();
    let mut client = TcpStream::connect(server.address.as_str()).expect("a connection");
    let head = "POST /api/polls HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 1000000000\r\n\r\n";
    client.write_all(head.as_bytes()).expect("sent");
    // Not one byte of the gigabyte was sent, and the answer comes.
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("WWW-Authenticate: Bearer"), "{answer}");
}

#[test]
fn wrong_tokens_are_slowed_and_right_ones_are_not() {
    let (_home, server, boss) = served();
    let wrong = format!("smt_{}", "0".repeat(64));
    let tried: Vec<u16> = (0..12)
        .map(|_| status(&server, Some(&wrong), "/api/stores"))
        .collect();
    assert_eq!(tried[..10], [401; 10]);
    assert_eq!(tried[10..], [429; 2]);
    let slowed = send(&server, Some("nonsense"), "GET", "/", None);
    let seconds: u64 = slowed.header("Retry-After").parse().expect("seconds");
    assert!((1..=10).contains(&seconds), "{seconds}");
    assert_eq!(status(&server, Some(&boss), "/api/stores"), 200);
    assert_eq!(status(&server, None, "/health"), 200);
}

#[test]
fn the_audit_tells_who_did_what() {
    let (_home, server, boss) = served();
    let poll =
        json!([{"store_id": "a1", "timestamp_utc": "2026-11-01 03:00:00 UTC", "status": "active"}]);
    for _ in 0..2 {
        // The second time it changes nothing.
        assert_eq!(
            send(&server, Some(&boss), "POST", "/api/polls", Some(&poll)).status,
            200
        );
    }
    assert_eq!(
        send(&server, Some(&boss), "POST", "/trigger_report", None).status,
        202
    );
    assert_eq!(
        send(&server, Some(&boss), "DELETE", "/api/stores/b1", None).status,
        200
    );
    let audit = send(&server, Some(&boss), "GET", "/api/audit", None).json();
    let rows = audit["audit"].as_array().expect("rows");
    let told = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        (
            text("action"),
            text("credential"),
            text("subject"),
            row["count"].as_u64(),
        )
    };
    let told: Vec<_> = rows.iter().map(told).collect();
    let row = |action: &str, credential: &str, subject: &str, count| {
        (
            action.to_owned(),
            credential.to_owned(),
            subject.to_owned(),
            Some(count),
        )
    };
    assert_eq!(told[0], row("delete_store", "boss", "b1", 1));
    assert_eq!(
        (told[1].0.as_str(), told[1].1.as_str()),
        ("trigger_report", "boss")
    );
    assert_eq!(told[2], row("load", "boss", "polls", 1));
    assert_eq!(told[3], row("add_token", "", "boss", 1));
    assert!(rows[0]["address"] == "127.0.0.1" && rows[0]["at"].as_str().is_some());
    let page = send(&server, Some(&boss), "GET", "/api/audit?limit=2", None).json();
    let next = page["next"].as_str().expect("more");
    let second = send(&server, Some(&boss), "GET", next, None).json();
    assert_eq!(second["audit"][0], rows[2]);
}

#[test]
fn another_sites_page_may_link_to_a_costly_answer_and_not_embed_it() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let embedded = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
    ];
    let followed = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    for (target, status) in [
        ("/?as_of=2026-11-02T00:00:00Z", 403),
        ("/api/stores?as_of=2026-11-02T00:00:00Z", 403),
        ("/api/statements.csv?period=2026-11", 403),
        (
            "/api/stores/anchorage-ship-creek/badge.svg?as_of=2026-11-02T00:00:00Z",
            403,
        ),
        ("/api/stores/anchorage-ship-creek/badge.svg", 200),
        ("/health", 200),
    ] {
        assert_eq!(
            server.get_with(target, &embedded).status,
            status,
            "{target}"
        );
        assert_eq!(server.get_with(target, &followed).status, 200, "{target}");
    }
}
