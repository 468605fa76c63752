//! The log: a line for each request, in both forms, without a secret; and a stderr that nobody reads.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Home, Outcome, Raw, Server, eventually};

/// The lines of a JSON log, as objects; each key stands once in its line.
fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| -> Value {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for key in ["timestamp", "level", "message"] {
            assert!(value[key].is_string(), "{key}: {line}");
            assert_eq!(line.matches(&format!("\"{key}\":")).count(), 1, "{line}");
        }
        value
    };
    text.lines().map(object).collect()
}

/// The line of the request with this id, once it is there.
fn line_of(home: &Home, id: &str) -> Value {
    eventually("the request is logged", || {
        let log = home.text("server.log");
        let line = log
            .lines()
            .find(|line| line.contains(&format!("\"request_id\":\"{id}\"")))?;
        objects(line).pop()
    })
}

fn run_json(home: &Home, arguments: &[&str]) -> Outcome {
    let mut all = arguments.to_vec();
    all.extend(["--log-format", "json"]);
    home.run(&all)
}

#[test]
fn each_request_has_a_line_with_the_pattern_of_its_route_and_the_id_of_its_answer() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--log-format", "json"]);
    let mut ids = BTreeSet::new();
    let mut check = |method: &str, target: &str, more: &[(&str, &str)], status, route: &str| {
        let answer = server.send(method, target, more);
        assert_eq!(answer.status, status, "{target}");
        let id = answer.header("X-Request-Id").to_owned();
        let line = line_of(&home, &id);
        assert_eq!(line["message"], "request");
        assert_eq!(line["method"], method);
        assert_eq!(line["status"], status);
        assert_eq!(line["bytes"], answer.body.len(), "{target}");
        assert_eq!(line["route"].as_str().unwrap_or_default(), route);
        assert_eq!(line["address"], "127.0.0.1");
        assert!(line["duration_ms"].as_f64().expect("a number") > 0.0);
        assert!(ids.insert(id), "an id was used twice");
    };
    check(
        "GET",
        "/api/stores/chicago-ohare?x=1",
        &[],
        200,
        "/api/stores/{id}",
    );
    check("GET", "/stores/nobody", &[], 404, "/stores/{id}");
    check("GET", "/nowhere", &[], 404, "");
    check("DELETE", "/reports", &[], 405, "");
    check("POST", "/trigger_report", &[], 202, "/trigger_report");
    check("GET", "/", &[("Host", "evil.example")], 421, "/");
    check(
        "POST",
        "/trigger_report",
        &[("Sec-Fetch-Site", "cross-site")],
        403,
        "/trigger_report",
    );
    // What the frontend refuses has a line, too.
    for (sent, status) in [
        ("GET / HTTP/1.1\r\nBad Field: x\r\n\r\n", 400),
        ("BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    ] {
        let mut raw = Raw::connect(&server.address);
        let (answered, head, body) = raw.send(sent).reply().expect("a refusal");
        assert_eq!(answered, status);
        let id = head.split("X-Request-Id: ").nth(1).expect("an id");
        let line = line_of(&home, id.lines().next().unwrap_or_default());
        assert_eq!(line["status"], status);
        assert_eq!(line["bytes"], body.len());
        assert!(line["method"].is_null() && line["route"].is_null());
    }
    assert!(server.terminate().success());
}

#[test]
fn what_programs_ask_again_and_again_has_a_line_for_those_who_debug() {
    let home = Home::seeded();
    for (level, is_logged) in [("info", false), ("debug", true)] {
        home.write("server.log", "");
        let server = Server::start_with(&home, &["serve", "--log", level]);
        assert_eq!(server.get("/health").status, 200);
        server
            .send("GET", "/health", &[("Host", "evil.example")])
            .problem(421);
        assert_eq!(server.get("/stores").status, 200);
        assert!(server.terminate().success());
        let log = home.text("server.log");
        assert_eq!(log.contains("route=/health status=200"), is_logged, "{log}");
        assert!(log.contains("route=/health status=421"), "{log}");
        assert!(log.contains("request method=GET route=/stores status=200"));
    }
}

#[test]
fn only_a_trusted_proxy_chooses_the_id_of_a_request() {
    let home = Home::seeded();
    let trusted = ["serve", "--trust-proxy", "127.0.0.1", "--insecure-no-auth"];
    for (arguments, is_trusted) in [(&["serve"][..], false), (&trusted[..], true)] {
        let server = Server::start_with(&home, arguments);
        let long = "x".repeat(65);
        for (id, is_id) in [
            ("0af7651916cd43dd-8448_eb2.1", true),
            ("a b", false),
            ("{}", false),
            (long.as_str(), false),
        ] {
            let answer = server.send("GET", "/health", &[("x-request-id", id)]);
            let own = answer.header("X-Request-Id");
            assert_eq!(own == id, is_trusted && is_id, "{id}: {own}");
            assert!(!own.is_empty());
        }
    }
}

#[test]
fn an_error_has_the_id_of_its_request() {
    let home = Home::seeded();
    for format in ["human", "json"] {
        let home = &home;
        home.write("server.log", "");
        let server = Server::start_with(home, &["serve", "--log-format", format]);
        let whole = home.read("store-monitor.db");
        home.write("store-monitor.db", &whole[..5000]);
        let answer = server.get("/api/stores");
        answer.problem(503);
        let id = answer.header("X-Request-Id").to_owned();
        eventually("the error is logged", || {
            let log = home.text("server.log");
            let named = match format {
                "human" => format!("ERROR request{{id={id}}}: "),
                _ => format!("\"span\":{{\"id\":\"{id}\",\"name\":\"request\"}}"),
            };
            log.contains(&named).then_some(())
        });
        server.kill();
        home.write("store-monitor.db", &whole);
    }
}

#[test]
fn no_line_has_a_secret_a_path_or_a_query() {
    for format in ["human", "json"] {
        let home = Home::seeded();
        let print = |arguments: &[&str]| {
            let printed = String::from_utf8(home.print(arguments)).expect("UTF-8");
            printed.trim().to_owned()
        };
        let token = print(&["token", "add", "boss", "--scope", "admin"]);
        let link = print(&[
            "link",
            "add",
            "--store",
            "chicago-ohare",
            "--name",
            "window",
        ]);
        let gone = print(&["link", "add", "--store", "chicago-ohare", "--name", "gone"]);
        home.run(&["link", "revoke", "gone"]).exits(0);
        let arguments = ["serve", "--log", "debug", "--log-format", format];
        let server = Server::start_with(&home, &arguments);
        let mut secrets = vec![
            token.clone(),
            link.replace("/share/", ""),
            gone.replace("/share/", ""),
        ];
        let bearer = format!("Bearer {token}");
        let bearer = [("Authorization", bearer.as_str())];
        // A session.
        let typed = format!("token={token}");
        let form = "application/x-www-form-urlencoded";
        let entered = crate::harness::Client::that_stays(server.address.clone());
        let entered = entered.post("/login", form, &[], typed.as_bytes());
        let cookie = entered.header("Set-Cookie").to_owned();
        let session = cookie.split([';', '=']).nth(1).expect("a session");
        assert!(session.starts_with("sms_"), "{cookie}");
        secrets.push(session.to_owned());
        let cookie = format!("store-monitor={session}");
        let query = "hidden-query-4711";
        secrets.push(query.to_owned());
        for target in [
            "/",
            "/stores",
            "/stores/chicago-ohare",
            "/reports",
            "/audit",
        ] {
            let target = format!("{target}?as_of={query}");
            server.send("GET", &target, &bearer);
            server.send("GET", &target, &[("Cookie", &cookie)]);
            server.send("POST", &target, &bearer);
            for link in [&link, &gone, &format!("{link}x")] {
                server.send("GET", &format!("{link}{target}"), &[]);
                server.send("POST", &format!("{link}{target}"), &[]);
            }
            server.send("GET", &format!("{target}&token={token}"), &[]);
        }
        // Secrets where they do not belong.
        let wrong = format!("smt_{}", "q".repeat(43));
        for target in [
            format!("/{token}"),
            format!("/stores/{token}"),
            format!("/api/reports/{token}.csv"),
            format!("/SHARE{}", link.trim_start_matches("/share")),
            format!("/ack/{token}"),
        ] {
            server.send("GET", &target, &bearer);
            server.send(
                "GET",
                &target,
                &[("Authorization", &format!("Bearer {wrong}"))],
            );
            server.send("GET", &target, &[("Host", &format!("{wrong}.example"))]);
        }
        secrets.push(wrong);
        let mut raw = Raw::connect(&server.address);
        raw.send(format!("GET {link} HTTP/1.1\r\nBad Field: {token}\r\n\r\n"))
            .reply();
        assert!(server.terminate().success());
        let log = home.text("server.log");
        let requests = log.matches("request_id").count();
        assert!(requests > 60, "{requests}: {log}");
        for secret in &secrets {
            let part = &secret[4..];
            assert!(!log.contains(part), "{secret} is in the log: {log}");
        }
        assert!(!log.contains("chicago-ohare"), "{log}");
        if format == "json" {
            let lines = objects(&log);
            let named = |name: &str| lines.iter().any(|line| line["credential"] == name);
            assert!(named("boss") && named("window"), "{log}");
            let guests = lines
                .iter()
                .filter(|line| line["route"] == "/share/{link}/stores/{id}");
            assert!(guests.count() > 0, "{log}");
        }
    }
}

#[test]
fn a_json_log_has_objects_alone_from_the_first_line_to_the_last() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--log-format", "json"]);
    server.get("/stores");
    assert!(server.terminate().success());
    let lines = objects(&home.text("server.log"));
    assert!(lines.len() > 6);
    assert_eq!(lines.last().expect("a line")["message"], "stopping");
    for (arguments, code, words) in [
        (&["report", "--as-of", "soon"][..], 2, "soon"),
        (&["report", "--no-such-flag"], 2, "--no-such-flag"),
        (&["serve", "--workers", "900"], 2, "900"),
        (&["serve", "--listen", "192.0.2.1:1"], 2, "cannot listen"),
        (&["import", "none.csv"], 2, "none.csv"),
        (&["report", "--config", "none.toml"], 2, "none.toml"),
    ] {
        let outcome = run_json(&home, arguments).exits(code);
        let lines = objects(&outcome.stderr);
        let last = lines.last().expect("a line");
        assert_eq!(last["level"], "ERROR", "{outcome}");
        let message = last["message"].as_str().expect("a text");
        assert!(message.contains(words), "{outcome}");
        assert!(!message.contains('\n'), "{outcome}");
    }
    // What is no error is JSON, too: the notes of a command.
    let made = run_json(&home, &["generate", "--stores", "3", "made"]).exits(0);
    objects(&made.stderr);
}

#[test]
fn a_stderr_that_nobody_reads_holds_up_no_request() {
    let home = Home::seeded();
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--log", "debug"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut out = child.stdout.take().expect("a pipe");
    let mut first = Vec::new();
    while !first.ends_with(b"\n") {
        let mut byte = [0];
        out.read_exact(&mut byte).expect("the first line");
        first.push(byte[0]);
    }
    let first = String::from_utf8(first).expect("UTF-8");
    let address = first.trim().trim_start_matches("listening on http://");
    // A pipe holds 64 KiB, and the queue 8192 lines; these requests have more.
    let client = crate::harness::Client::new(address);
    let mut raw = Raw::connect(address);
    let pipelined = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let began = Instant::now();
    for _ in 0..100 {
        raw.send(&pipelined);
        for _ in 0..100 {
            assert_eq!(raw.reply().expect("a reply").0, 404);
        }
    }
    assert_eq!(client.get("/health").status, 200);
    // Somebody reads at last: the newest lines are gone, and their number is told.
    let mut err = child.stderr.take().expect("a pipe");
    let (lines, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = err.read(&mut buffer) {
            text.extend_from_slice(&buffer[..length]);
            if String::from_utf8_lossy(&text).contains("lines of the log were dropped") {
                let _ = lines.send(());
            }
        }
    });
    told.recv_timeout(Duration::from_secs(30))
        .unwrap_or_else(|_| panic!("nothing was dropped within {:?}", began.elapsed()));
    let _ = child.kill();
    let _ = child.wait();
}
