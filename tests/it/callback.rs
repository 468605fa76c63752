//! Callbacks: a report that has ended is told to a receiver of the configuration, and to no other address.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::{Value, json};

use crate::harness::{Home, Server, eventually};

/// A webhook that answers 204 and tells what it got.
fn webhook() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (sender, got) = unbounded();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("the same connection"));
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).expect("a line") > 2 {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("Content-Length")
                {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).expect("answered");
            let _ = sender.send(serde_json::from_slice(&body).expect("JSON"));
        }
    });
    (url, got)
}

fn home(url: &str) -> Home {
    let home = Home::seeded();
    home.write(
        "config.toml",
        format!(
            "[[receiver]]\nname = \"warehouse\"\nwebhook = \"{url}\"\nallow_private = true\n\
             [[receiver]]\nname = \"phone\"\nntfy = \"https://ntfy.sh/x\"\n"
        ),
    );
    home
}

fn start(home: &Home) -> Server {
    let config = home.path("config.toml");
    Server::start_with(
        home,
        &["serve", "--config", config.to_str().expect("a path")],
    )
}

#[test]
fn the_facts_of_a_report_arrive_once_it_is_complete() {
    let (url, got) = webhook();
    let home = home(&url);
    let server = start(&home);
    let encoded: String = url.replace(':', "%3A").replace('/', "%2F");
    let id = server.trigger(&format!("?callback={encoded}"));
    server.wait_for_report(&id);
    let told = eventually("the webhook is told", || got.try_recv().ok());
    assert_eq!(
        (&told["kind"], &told["key"]),
        (&json!("callback"), &json!(format!("callback/{id}")))
    );
    let facts = server.get(&format!("/api/reports/{id}")).json();
    assert_eq!(told["report"], facts);
    assert_eq!(
        (&facts["status"], &facts["callback"]),
        (&json!("Complete"), &json!("warehouse"))
    );

    let order =
        json!({"from": "2026-11-01", "to": "2026-11-02", "callback": "warehouse"}).to_string();
    let ordered = server.post("/api/statements", "application/json", &[], order.as_bytes());
    assert_eq!(ordered.status, 202, "{}", ordered.text());
    let told = eventually("the webhook is told", || got.try_recv().ok());
    assert_eq!(
        (&told["report"]["kind"], &told["report"]["report_id"]),
        (&json!("statement"), &ordered.json()["report_id"])
    );
}

#[test]
fn only_a_webhook_that_an_admin_allowed_may_be_named() {
    let (url, _got) = webhook();
    let home = home(&url);
    let server = start(&home);
    for wrong in [
        "nobody",
        // No webhook: it takes no JSON.
        "phone",
        "http%3A%2F%2F127.0.0.1%3A1%2Fhook",
        "http%3A%2F%2Fevil.example",
        &format!("{url}.evil.example"),
    ] {
        let refused = server.request("POST", &format!("/trigger_report?callback={wrong}"));
        let detail = refused.problem(422);
        assert!(
            detail.contains("[[receiver]]") && !detail.contains("/hook"),
            "{detail}"
        );
    }
    let order = json!({"from": "2026-11-01", "to": "2026-11-02", "callback": "nobody"}).to_string();
    let refused = server.post("/api/statements", "application/json", &[], order.as_bytes());
    refused.problem(422);
    assert_eq!(server.get("/api/reports").json()["reports"], json!([]));
}

#[test]
fn a_report_that_the_next_start_ends_is_told_too() {
    let (url, got) = webhook();
    let home = home(&url);
    // What a kill leaves: a report that runs.
    home.sqlite()
        .execute(
            "INSERT INTO report (id, state, as_of, interpolation, triggered_at, callback)
             VALUES ('00000000-0000-4000-8000-000000000001', 'Running', 1793577600000000, 'nearest', 1, 'warehouse')",
            [],
        )
        .expect("a report");
    let _server = start(&home);
    let told = eventually("the webhook is told", || got.try_recv().ok());
    assert_eq!(told["report"]["status"], "Complete");
    let sent = || {
        let row = home.sqlite().query_row(
            "SELECT sent_at FROM outbox WHERE key = 'callback/00000000-0000-4000-8000-000000000001'",
            [],
            |row| row.get::<_, Option<i64>>(0),
        );
        row.ok().flatten()
    };
    eventually("it is noted as sent", sent);
}
