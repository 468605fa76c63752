//! Sudden ends: the data after a kill are whole, and the next start finishes the work that a stop left.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use store_monitor::clock::machine_us;

use crate::harness::{Home, Server, ends, eventually};

/// How long a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How much of the log an import has written when it is killed: by far not all of it.
const WAL_BYTES: u64 = 1 << 20;

fn wal_bytes(home: &Home) -> u64 {
    fs::metadata(home.path("store-monitor.db-wal")).map_or(0, |facts| facts.len())
}

#[test]
fn an_import_that_is_killed_half_way_leaves_nothing_of_itself() {
    let home = Home::seeded();
    let generate = ["generate", "made", "--stores", "1500", "--days", "9"];
    home.run(&generate).exits(0);
    let before = (home.exports(), home.print(&["report"]));
    let mut caught = false;
    for _ in 0..3 {
        let mut command = home.command(&["import", "made/stores.csv", "made/store_status.csv"]);
        let mut import = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        eventually("the import writes", || {
            let ended = import.try_wait().expect("a child").is_some();
            (ended || wal_bytes(&home) > WAL_BYTES).then_some(())
        });
        // One that has ended cannot be killed.
        let _ = import.kill();
        caught = ends(&mut import).code().is_none();
        assert_eq!(home.print(&["check"]), b"ok\n");
        if caught {
            break;
        }
        // It was too quick, so all of it is there: once more, from the start.
        assert!(home.exports()[0].len() > before.0[0].len());
        for name in [
            "store-monitor.db",
            "store-monitor.db-wal",
            "store-monitor.db-shm",
        ] {
            let _ = fs::remove_file(home.path(name));
        }
        home.import(&crate::harness::seeds());
    }
    assert!(caught, "the import was too quick three times");
    assert!((home.exports(), home.print(&["report"])) == before);
    // Nothing is in the way of another try.
    home.import(&["made/stores.csv", "made/store_status.csv"]);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_first_import_that_is_killed_leaves_no_database() {
    let home = Home::new();
    let generate = ["generate", "made", "--stores", "1500", "--days", "9"];
    home.run(&generate).exits(0);
    let mut command = home.command(&["import", "made/store_status.csv"]);
    let mut import = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let is_being_made = || {
        let mut names = fs::read_dir(home.path("")).expect("a folder");
        names.any(|entry| {
            let name = entry.expect("a name").file_name();
            name.to_string_lossy().contains(".db.part-")
        })
    };
    eventually("the import writes", || {
        let ended = import.try_wait().expect("a child").is_some();
        (ended || is_being_made()).then_some(())
    });
    // One that has ended cannot be killed, and has made all of it.
    let _ = import.kill();
    let was_killed = ends(&mut import).code().is_none();
    assert_eq!(home.path("store-monitor.db").exists(), !was_killed);
    home.import(&["made/store_status.csv"]);
    assert_eq!(home.print(&["check"]), b"ok\n");
    let polls = home.print(&["export", "polls"]);
    assert!(polls.iter().filter(|&&byte| byte == b'\n').count() > 1500 * 9);
}

#[test]
fn a_report_that_ran_when_the_server_was_killed_is_made_by_the_next_start() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let ids: Vec<_> = (0..5).map(|_| server.trigger("")).collect();
    server.kill();
    let server = Server::start(&home);
    let expected = home.print(&["report"]);
    for id in ids {
        assert!(server.wait_for_report(&id).body == expected, "{id}");
    }
    assert!(server.terminate().success());
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_row_that_says_running_is_finished_as_it_was_asked() {
    let home = Home::seeded();
    let id = "0b5c3f7e-9d0f-4c7b-8a55-7a0f3f1f2a11";
    let insert = "INSERT INTO report (id, state, as_of, interpolation, triggered_at)
                  VALUES (?1, 'Running', 1793966400000000, 'previous', ?2)";
    home.sqlite()
        .execute(insert, (id, machine_us()))
        .expect("a row");
    let server = Server::start(&home);
    let made = server.wait_for_report(id);
    assert_eq!(made.header("Report-Status"), "Complete");
    let facts = server.get(&format!("/api/reports/{id}")).json();
    let as_of = facts["as_of"].as_str().expect("an instant");
    let line = ["report", "--as-of", as_of, "--interpolation", "previous"];
    assert_eq!(made.body, home.print(&line));
}

#[test]
fn a_finished_report_survives_a_kill() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let id = server.trigger("");
    let made = server.wait_for_report(&id);
    server.kill();
    let server = Server::start(&home);
    let again = server.get(&format!("/get_report/{id}"));
    assert_eq!(again.header("Report-Status"), "Complete");
    assert_eq!(again.body, made.body);
}

#[test]
fn a_stop_is_quick_clean_and_loses_nothing() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--workers", "1"]);
    let connect = || TcpStream::connect(&server.client.address).expect("a connection");
    // One says nothing, one stops in the middle of a request, one keeps its connection open.
    let _silent = connect();
    let mut half = connect();
    half.write_all(b"POST /trigger_report HTTP/1.1\r\nHost: localhost\r\nConte")
        .expect("sent");
    let mut kept = connect();
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("sent");
    let mut answer = [0; 12];
    kept.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    let ids: Vec<_> = (0..40).map(|_| server.trigger("")).collect();

    let start = Instant::now();
    let status = server.terminate();
    assert!(start.elapsed() < STOP_WITHIN, "{:?}", start.elapsed());
    assert_eq!(status.code(), Some(0), "{}", home.text("server.log"));
    assert_eq!(wal_bytes(&home), 0, "{}", home.text("server.log"));
    assert_eq!(home.print(&["check"]), b"ok\n");

    let server = Server::start(&home);
    let expected = home.print(&["report"]);
    for id in ids {
        assert!(server.wait_for_report(&id).body == expected, "{id}");
    }
}

#[test]
fn a_stop_right_after_the_start_is_clean_too() {
    let home = Home::seeded();
    assert_eq!(Server::start(&home).terminate().code(), Some(0));
    assert_eq!(wal_bytes(&home), 0);
    let empty = Home::new();
    assert_eq!(Server::start(&empty).terminate().code(), Some(0));
    assert_eq!(empty.print(&["check"]), b"ok\n");
}
