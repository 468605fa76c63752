//! The frontend: the requests that it accepts and refuses, and that no client delays another.
//!
//! Everything goes through a socket.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use store_monitor::db::connection::open_writer;
use store_monitor::db::writer::Writer;
use store_monitor::hot_window::Inputs;
use store_monitor::http::gate::Gate;
use store_monitor::http::{Capacity, Data, Server as HttpServer, Site, bind};
use store_monitor::jobs::{Jobs, Limits, Order};
use store_monitor::product::Product;
use store_monitor::product::report::FleetReport;
use store_monitor::uptime::business_hours::Pattern;
use store_monitor::uptime::fleet::{BusinessTime, Fleet};

use crate::harness::{Client, Home, Raw, Server, eventually, project};

const GET: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Every case of `tests/data/http`: its name, the statuses that come back, and what is sent.
pub(crate) fn cases() -> Vec<(String, Vec<u16>, Vec<u8>)> {
    let folder = project().join("tests/data/http");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name == "README.md" {
            continue;
        }
        let (_, statuses) = name.rsplit_once('.').expect("statuses in the name");
        let statuses = statuses
            .split('-')
            .map(|status| status.parse().expect("a status"));
        cases.push((
            name.clone(),
            statuses.collect(),
            fs::read(path).expect("a case"),
        ));
    }
    cases.sort();
    cases
}

/// A server that goes by the names that the cases ask for.
fn start_by_names(home: &Home) -> Server {
    let names = ["x", "y", "other", "example.com"];
    let line = names.iter().flat_map(|name| ["--host", *name]);
    let line: Vec<_> = ["serve"].into_iter().chain(line).collect();
    Server::start_with(home, &line)
}

#[test]
fn every_case_is_answered_as_its_name_says() {
    let home = Home::seeded();
    let server = start_by_names(&home);
    let cases = cases();
    assert!(cases.len() > 140, "{} cases", cases.len());
    for (name, expected, bytes) in &cases {
        let mut raw = Raw::connect(&server.client.address);
        raw.send(bytes);
        if name.starts_with("taken-") || name.starts_with("incomplete-") {
            raw.half_close();
        }
        if name.starts_with("taken-head.") {
            // Its length is that of a body that does not come.
            continue;
        }
        assert_eq!(&raw.statuses(), expected, "{name}");
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn requests_that_come_byte_by_byte_are_the_same_requests() {
    let home = Home::seeded();
    let server = start_by_names(&home);
    for (name, expected, bytes) in cases() {
        if !name.starts_with("taken-") || name.starts_with("taken-head.") || bytes.len() > 2000 {
            continue;
        }
        let mut raw = Raw::connect(&server.client.address);
        for byte in bytes.chunks(1) {
            raw.send(byte);
        }
        let statuses: Vec<_> = raw.half_close().statuses();
        let replies = statuses.into_iter().filter(|&status| status != 100);
        assert_eq!(replies.collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let home = Home::seeded();
    let server = start_by_names(&home);
    for (name, _, bytes) in cases() {
        if name.starts_with("taken-") || name.ends_with("-400") {
            continue;
        }
        let mut raw = Raw::connect(&server.client.address);
        raw.send(&bytes).half_close();
        let (status, head, body) = raw.reply().expect("a reply");
        assert!(
            head.contains("\r\nContent-Type: application/problem+json\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        assert!(head.contains("\r\nDate: "), "{head}");
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().expect("a detail").len() > 10);
    }
}

#[test]
fn who_expects_100_continue_is_told_to_go_on_or_what_is_wrong() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let head = |target: &str, bytes: u32| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nExpect: 100-continue\r\n\
             Content-Length: {bytes}\r\n\r\n"
        )
    };
    let rows = "store_id,status,timestamp_utc\nnew,active,2026-11-07 20:30:00 UTC\n";
    let mut raw = Raw::connect(&server.client.address);
    let bytes = u32::try_from(rows.len()).unwrap();
    raw.send(head("/api/polls", bytes));
    assert_eq!(raw.reply().expect("a word").0, 100);
    let (status, _, body) = raw.send(rows).reply().expect("a reply");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    for (target, bytes, status) in [
        ("/api/polls", 1_073_741_825, 413),
        ("/trigger_report", 1_048_577, 413),
        ("/nowhere", 5, 404),
        ("/health", 5, 405),
    ] {
        let mut raw = Raw::connect(&server.client.address);
        raw.send(head(target, bytes));
        assert_eq!(raw.statuses(), [status], "{target}");
    }
}

#[test]
fn a_long_body_is_taken_by_length_and_in_chunks() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--max-body", "5000000"]);
    let mut rows = String::from("store_id,status,timestamp_utc\n");
    for number in 0..60_000 {
        let (minute, second) = (number / 60 % 60, number % 60);
        rows += &format!("s{number},active,2026-11-07 18:{minute:02}:{second:02} UTC\n");
    }
    let head = "POST /api/polls HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n";
    let mut raw = Raw::connect(&server.client.address);
    raw.send(format!(
        "{head}Content-Length: {}\r\n\r\n{rows}",
        rows.len()
    ));
    let (status, _, body) = raw.reply().expect("a reply");
    let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(
        (status, &answer["accepted"]),
        (200, &60_000.into()),
        "{answer}"
    );
    raw.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    for chunk in rows.as_bytes().chunks(7777) {
        raw.send(format!("{:x};n=1\r\n", chunk.len()))
            .send(chunk)
            .send("\r\n");
    }
    let (_, _, body) = raw.send("0\r\nX-Sum: 1\r\n\r\n").reply().expect("a reply");
    let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["unchanged"], 60_000, "{answer}");
    // One that is too long is refused as its length is known, in the shape that callers rely on.
    for more in [
        "Content-Length: 5000001\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4C4B41\r\n",
    ] {
        let mut raw = Raw::connect(&server.client.address);
        let (status, _, body) = raw.send(format!("{head}{more}")).reply().expect("a reply");
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(status, 413);
        assert_eq!(answer["errors"][0]["code"], "too_large", "{answer}");
        assert_eq!(answer["rejected"], 0);
    }
}

/// Opens as many connections at once, sends two requests over each, and returns how long the slowest
/// took.
fn burst(address: &str, connections: usize) -> Duration {
    let start = Instant::now();
    let mut raws: Vec<_> = (0..connections).map(|_| Raw::connect(address)).collect();
    for _ in 0..2 {
        for raw in &mut raws {
            raw.send(GET);
        }
        for raw in &mut raws {
            assert_eq!(raw.reply().expect("a reply").0, 200);
        }
    }
    start.elapsed()
}

#[test]
fn in_bursts_of_connections_that_are_kept_each_is_answered() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for number in 0..40 {
        burst(&server.client.address, 8 + number * 8 % 57);
    }
}

#[test]
#[ignore = "takes a while: a thousand bursts; prints how long the slowest took"]
fn in_a_thousand_bursts_each_is_answered() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let slowest = (0..1000)
        .map(|number| burst(&server.client.address, 8 + number * 8 % 57))
        .max();
    eprintln!("the slowest burst took {slowest:?}");
}

/// A server in this process with a single handler and a report of eight million bytes, and its address.
fn with_one_handler(home: &Home) -> (HttpServer, Client) {
    let (writer, _) =
        Writer::start(open_writer(&home.database()).expect("a database"), ()).unwrap();
    let recipe = Arc::new(|_: &mut _, order: &Order| {
        // The id of its one store is that long.
        let pattern = Pattern::weekly(Tz::UTC, Vec::new());
        let fleet = Arc::new(Fleet::new([(1, "x".repeat(8_000_000).into(), pattern)]));
        let business = Arc::new(BusinessTime::new(&fleet, BusinessTime::span_for(0)));
        let inputs = Inputs::new(fleet, business, Arc::default());
        Ok(Arc::new(FleetReport::new(&inputs, order.question, 1)) as Arc<dyn Product>)
    });
    let limits = Limits::default();
    let (jobs, _) = Jobs::start(home.database(), writer.clone(), limits, recipe).expect("a pool");
    let site = Site::new(
        home.database(),
        Data::new(Arc::default(), Arc::default(), jobs),
        writer,
    );
    let capacity = Capacity {
        handlers: 1,
        connections_max: 64,
        connections_each_max: None,
    };
    let address = "127.0.0.1:0".parse().expect("an address");
    let gate = Gate::new(&address, &site).expect("a gate");
    let listener = bind(&address).expect("a port");
    let http = HttpServer::start(listener, capacity, gate, site).expect("a server");
    let client = Client::new(http.address().tcp().expect("a port").to_string());
    (http, client)
}

#[test]
fn a_client_that_reads_or_sends_nothing_holds_no_handler() {
    let home = Home::new();
    let (http, client) = with_one_handler(&home);
    let id = client.trigger("");
    let csv = client.wait_for_report(&id).body;
    let ask = format!("GET /get_report/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut readers: Vec<_> = (0..8).map(|_| Raw::connect(&client.address)).collect();
    let mut writers: Vec<_> = (0..8).map(|_| Raw::connect(&client.address)).collect();
    for reader in &mut readers {
        reader.send(&ask);
    }
    for writer in &mut writers {
        writer
            .send("POST /api/polls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nsome");
    }
    for _ in 0..20 {
        assert_eq!(client.get("/health").status, 200);
    }
    let head = client.request("HEAD", &format!("/get_report/{id}"));
    assert_eq!(head.header("Content-Length"), csv.len().to_string());
    assert!(head.body.is_empty());
    // Their replies were kept for them, in order, beyond what memory and sockets hold.
    for reader in &mut readers {
        let (status, _, body) = reader.send(GET).reply().expect("a reply");
        assert_eq!(status, 200);
        assert!(body == csv);
        assert_eq!(reader.reply().expect("a reply").0, 200);
    }
    http.stop();
}

#[test]
fn replies_in_hand_are_finished_at_a_stop_and_nobody_is_let_in() {
    let home = Home::new();
    let (http, client) = with_one_handler(&home);
    let id = client.trigger("");
    let csv = client.wait_for_report(&id).body;
    let mut idle = Raw::connect(&client.address);
    assert_eq!(idle.send(GET).reply().expect("a reply").0, 200);
    let mut reader = Raw::connect(&client.address);
    reader.send(format!(
        "GET /get_report/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n{GET}"
    ));
    let mut first = [0; 1];
    reader.0.peek(&mut first).expect("the reply has begun");
    let stop = thread::spawn(move || http.stop());
    eventually("the listener is gone", || {
        std::net::TcpStream::connect(&client.address).err()
    });
    assert_eq!(idle.statuses(), [0; 0], "closed without a word");
    assert!(reader.reply().expect("a reply").2 == csv);
    assert_eq!(reader.statuses(), [0; 0], "the second was not begun");
    drop(reader);
    stop.join().expect("a stop");
}
