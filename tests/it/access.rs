//! Who may do what, over HTTP: tokens and links are made, used and revoked; a refused body is not taken; the audit tells
//! who did what.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Server, ends, eventually};

/// A server with two owners' stores, and its first token, an admin's.
fn served() -> (Home, Server, String) {
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
fn secret(server: &Server, by: Option<&str>, what: &str, order: &Value) -> String {
    let made = send(server, by, "POST", &format!("/api/{what}"), Some(order));
    assert_eq!(made.status, 201, "{}", made.text());
    let member = if what == "tokens" { "token" } else { "link" };
    made.json()[member].as_str().expect(member).to_owned()
}

fn send(
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

fn status(server: &Server, by: Option<&str>, path: &str) -> u16 {
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
fn a_command_makes_tokens_and_links_that_a_running_server_follows() {
    let (home, server, boss) = served();
    let made = home
        .run(&[
            "token",
            "add",
            "ann",
            "--scope",
            "read",
            "--group",
            "Ann",
            "--expires",
            "30d",
        ])
        .exits(0);
    let ann = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    assert!(
        ann.starts_with("smt_") && ann.len() == 68,
        "the secret alone: {ann}"
    );
    let follows = |by: &str, path: &str, expected: u16| {
        eventually("the server follows", || {
            (status(&server, Some(by), path) == expected).then_some(())
        });
    };
    follows(&ann, "/api/stores/a1", 200);
    assert_eq!(status(&server, Some(&ann), "/api/stores/b1"), 404);
    let listed = home.run(&["token", "list"]).exits(0);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("ann   read   of Ann  "), "{listed}");
    assert!(
        !listed.contains("smt_") && listed.contains("never"),
        "{listed}"
    );

    let link = home.run(&["link", "add", "--store", "a1"]).exits(0);
    let link = String::from_utf8_lossy(&link.stdout).trim().to_owned();
    let path = format!("{link}/api/stores/a1");
    eventually("the link leads", || {
        (status(&server, None, &path) == 200).then_some(())
    });
    home.run(&["link", "add", "--store", "a2"])
        .refuses(&["there is no store `a2`", "`a1`"]);
    home.run(&["link", "add"]).exits(2);
    home.run(&["token", "add", "x", "--scope", "admin", "--group", "Ann"])
        .refuses(&["`read` and `report`"]);
    home.run(&[
        "token",
        "add",
        "x",
        "--scope",
        "read",
        "--known-stores-only",
    ])
    .refuses(&["`ingest`"]);
    home.run(&["token", "add", "x", "--scope", "read", "--expires", "soon"])
        .exits(2);
    home.run(&["token", "revoke", "nobody"])
        .refuses(&["there is no token `nobody`"]);
    home.run(&["token", "revoke", "ann"]).exits(0);
    follows(&ann, "/api/stores/a1", 401);

    let audit = home.print(&["export", "audit"]);
    let audit = String::from_utf8_lossy(&audit).into_owned();
    assert!(
        audit.starts_with("at,credential,action,subject,count,address\n"),
        "{audit}"
    );
    for row in [
        ",,load,polls,2,command",
        ",,load,stores,2,command",
        ",,add_token,boss,1,127.0.0.1",
        ",,revoke_token,ann,1,command",
    ] {
        assert!(
            audit.lines().any(|line| line.ends_with(row)),
            "{row} in {audit}"
        );
    }
    assert!(boss.starts_with("smt_"));
}

#[test]
fn a_server_that_others_can_reach_needs_a_token() {
    let home = Home::new();
    for arguments in [["--listen", "0.0.0.0:0"], ["--trust-proxy", "127.0.0.1"]] {
        home.run(&[&["serve"], &arguments[..]].concat()).refuses(&[
            "needs a token",
            "token add",
            "--insecure-no-auth",
        ]);
    }
    home.run(&["token", "add", "boss", "--scope", "admin"])
        .exits(0);
    let server = Server::start_with(&home, &["serve", "--trust-proxy", "127.0.0.1"]);
    assert_eq!(server.get("/api/stores").status, 401);
}

#[test]
fn only_a_trusted_proxy_says_who_its_client_is() {
    let home = Home::new();
    home.run(&["token", "add", "boss", "--scope", "admin"])
        .exits(0);
    for (trusted, address) in [("127.0.0.1", "203.0.113.9"), ("10.9.9.9", "127.0.0.1")] {
        let server = Server::start_with(&home, &["serve", "--trust-proxy", trusted]);
        let made = home
            .run(&["token", "add", &format!("by {trusted}"), "--scope", "admin"])
            .exits(0);
        let token = format!("Bearer {}", String::from_utf8_lossy(&made.stdout).trim());
        let fields = [
            ("Authorization", token.as_str()),
            ("X-Forwarded-For", "1.2.3.4, 203.0.113.9"),
        ];
        let id = eventually("the server follows", || {
            let made = server.send("POST", "/trigger_report", &fields);
            (made.status == 202).then(|| made.json()["report_id"].clone())
        });
        let audit = server.send("GET", "/api/audit", &fields).json();
        let rows = audit["audit"].as_array().expect("rows");
        let row = rows
            .iter()
            .find(|row| row["subject"] == id)
            .expect("the trigger");
        assert_eq!(row["address"], address, "{trusted}");
    }
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_served_to_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    let home = Home::new();
    let path = home.path("socket");
    let listen = format!("unix:{}", path.display());
    let mut serve = home.command(&["serve", "--listen", &listen]);
    let mut child = serve
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("a server");
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe"))
        .read_line(&mut first)
        .expect("a line");
    assert_eq!(first, format!("listening on {listen}\n"));
    let mut stream = UnixStream::connect(&path).expect("the socket");
    let mode = std::fs::metadata(&path)
        .expect("the socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.expect("a kill command").success());
    assert!(ends(&mut child).success());
    assert!(!path.exists(), "a clean stop removes the socket");

    let long = format!("unix:{}", home.path(&"x".repeat(120)).display());
    let names = home.names();
    home.run(&["serve", "--listen", &long])
        .exits(2)
        .says(&["cannot listen on", "a short one"]);
    assert_eq!(home.names(), names);
}

#[test]
fn a_server_that_is_open_to_all_says_so_loudly() {
    let home = Home::new();
    let server = Server::start_with(&home, &["serve", "--insecure-no-auth"]);
    assert_eq!(server.get("/api/stores").status, 200);
    drop(server);
    let log = home.text("server.log");
    let warning = " WARN --insecure-no-auth: everyone who reaches http://127.0.0.1:0 may read, change and delete";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
}

#[test]
fn a_proxys_recipe_fits_the_flags_and_keeps_secrets_out_of_its_log() {
    let home = Home::new();
    home.run(&["proxy-recipe", "nginx"]).refuses(&["--host"]);
    let flags = [
        "--host",
        "shop.example",
        "--max-body",
        "1000",
        "--listen",
        "127.0.0.1:5001",
    ];
    for (proxy, words) in [
        (
            "nginx",
            [
                "server 127.0.0.1:5001;",
                "client_max_body_size 1000;",
                "location /share/ {",
                "X-Forwarded-For $remote_addr;",
            ],
        ),
        (
            "caddy",
            [
                "reverse_proxy 127.0.0.1:5001",
                "max_size 1000",
                "shop.example {",
                "Strict-Transport-Security",
            ],
        ),
    ] {
        let recipe = home
            .run(&[&["proxy-recipe", proxy], &flags[..]].concat())
            .exits(0);
        let config = String::from_utf8_lossy(&recipe.stdout).into_owned();
        for word in words {
            assert!(config.contains(word), "{word} in {config}");
        }
        let told = &recipe.stderr;
        assert!(
            told.contains(
                "serve --listen 127.0.0.1:5001 --host shop.example --trust-proxy 127.0.0.1"
            ),
            "{told}"
        );
    }
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
