//! Who may do what, by commands and flags: tokens and links are made by command, and a server follows; flags say who
//! may reach it, and by which way.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;

use store_monitor::access::secret::{Kind, Secret};
use store_monitor::access::{Audience, Scope};
use store_monitor::clock::machine_us;
use store_monitor::db::audit::{self, Action, Actor, Entry};
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::credentials::{self, NewCredential};

use crate::access::{served, status};
use crate::harness::{Home, Server, ends, eventually};

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
fn a_server_forgets_old_rows_of_the_audit_and_idle_sessions() {
    let home = Home::seeded();
    let day = 86_400_000_000;
    let now = machine_us();
    let actor = Actor::command();
    let session = |age: i64| {
        let secret = Secret::new(Kind::Session).expect("random numbers");
        (secret.hash(), now - age * day)
    };
    let (idle, used) = (session(31), session(29));
    let mut db = open_writer(&home.database()).expect("a database");
    store_monitor::db::write(&mut db, |db| {
        db.execute("DELETE FROM audit", []).expect("an empty audit");
        for (subject, age) in [("old", 12), ("new", 9)] {
            let entry = Entry {
                at: now - age * day,
                actor: &actor,
                action: Action::Load,
                subject,
                count: 1,
            };
            audit::add(db, &entry)?;
        }
        let token = NewCredential {
            kind: credentials::Kind::Token,
            name: Some("boss".to_owned()),
            scope: Scope::Admin,
            audience: Audience::All,
            known_stores_only: false,
            hash: Secret::new(Kind::Token).expect("random numbers").hash(),
            created_at: 1,
            expires_at: None,
        };
        let token = credentials::add(db, &token)?.key;
        for (hash, at) in [&idle, &used] {
            credentials::log_in(db, hash, token, *at)?;
        }
        Ok(())
    })
    .expect("written");
    drop(db);
    let left = |what: &str| {
        let db = open_reader(&home.database()).expect("a database");
        let count = format!("SELECT count(*) FROM {what}");
        db.query_row(&count, [], |row| row.get::<_, i64>(0))
            .expect("a number")
    };
    assert_eq!((left("audit"), left("session")), (2, 2));
    let _server = Server::start_with(&home, &["serve", "--keep-audit-days", "10"]);
    eventually("the old ones are gone", || {
        ((
            left("audit WHERE subject IN ('old', 'new')"),
            left("session"),
        ) == (1, 1))
            .then_some(())
    });
    let audit = home.print(&["export", "audit"]);
    assert!(!String::from_utf8_lossy(&audit).contains(",old,"));
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
                "location ~ ^/(share|ack)/ {",
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
