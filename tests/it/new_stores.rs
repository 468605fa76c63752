//! New stores: how many a database may have, and what is said of one too many.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::{Answer, Home, Server};

const HEADER: &str = "store_id,timestamp_utc,status\n";

fn polls(ids: impl IntoIterator<Item = String>) -> String {
    let row = |id| format!("{id},2026-11-02 12:00:00 UTC,active\n");
    HEADER.to_owned() + &ids.into_iter().map(row).collect::<String>()
}

fn ids(from: u32, to: u32) -> impl Iterator<Item = String> + Clone {
    (from..to).map(|number| format!("store {number}"))
}

fn serving(home: &Home, stores_max: &str) -> Server {
    Server::start_with(home, &["serve", "--max-stores", stores_max])
}

fn post(server: &Server, query: &str, body: &str) -> Answer {
    server.post(
        &format!("/api/polls{query}"),
        "text/csv",
        &[],
        body.as_bytes(),
    )
}

/// Checks that an answer refuses the store `id` at `line`, and that nothing of the call was written.
#[track_caller]
fn refuses(server: &Server, answer: &Answer, line: u64, id: &str, stores: usize) {
    let detail = answer.problem(422);
    for part in ["nothing was written", "--max-stores", id] {
        assert!(detail.contains(part), "{detail}");
    }
    let error = &answer.json()["errors"][0];
    assert_eq!(error["code"], "too_many_stores", "{error}");
    assert_eq!(error["line"], line, "{error}");
    assert_eq!(error["column"], "store_id", "{error}");
    assert_eq!(error["value"], id, "{error}");
    let known = server.get("/api/stores").json();
    assert_eq!(known["total"], stores, "{known}");
}

#[test]
fn a_call_that_makes_too_many_stores_is_refused_as_a_whole() {
    let home = Home::new();
    let server = serving(&home, "5");
    let body = polls(ids(0, 6));
    for query in ["", "?on_bad_row=skip"] {
        refuses(&server, &post(&server, query, &body), 7, "store 5", 0);
    }
    assert_eq!(post(&server, "", &polls(ids(0, 3))).status, 200);
    // Known ones and two more are five.
    let body = polls(ids(0, 3).chain(ids(7, 10)));
    refuses(&server, &post(&server, "", &body), 7, "store 9", 3);
    let body = polls(ids(7, 9).chain(ids(0, 3)));
    assert_eq!(post(&server, "", &body).status, 200);
    assert_eq!(post(&server, "", &polls(ids(0, 3))).status, 200);
    refuses(
        &server,
        &post(&server, "", &polls(ids(4, 5))),
        2,
        "store 4",
        5,
    );
    // One that goes makes room.
    assert_eq!(
        server.request("DELETE", "/api/stores/store%200").status,
        200
    );
    assert_eq!(post(&server, "", &polls(ids(4, 5))).status, 200);
}

#[test]
fn the_line_is_told_of_a_long_file_of_several_parts_and_by_the_command() {
    let home = Home::new();
    let known = polls(ids(0, 100).cycle().take(300_000));
    let body = known + "new,2026-11-02 12:00:00 UTC,active\n";
    home.write("long.csv", &body);
    home.run(&["import", "--max-stores", "100", "long.csv"])
        .exits(2)
        .says(&[
            "long.csv line 300002, column store_id: the store `new` is one more than the 100 that",
            "--max-stores",
        ]);
    assert!(!home.database().exists());
    home.import(&["long.csv"]);
    home.run(&["import", "--max-stores", "101", "long.csv"])
        .exits(0);
    home.write("zones.csv", "store_id,timezone_str\nother,UTC\n");
    home.run(&["import", "--max-stores", "101", "zones.csv"])
        .exits(2)
        .says(&["zones.csv line 2, column store_id: the store `other` is one more"]);
}

#[test]
fn a_flood_of_invented_ids_takes_little_memory() {
    let home = Home::new();
    let server = serving(&home, "1000");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed
        .write_all(polls(ids(0, 600_000)).as_bytes())
        .expect("memory");
    let packed = packed.finish().expect("memory");
    let before = server.status("VmHWM");
    let gzip = [("Content-Encoding", "gzip")];
    let answer = server.post("/api/polls", "text/csv", &gzip, &packed);
    refuses(&server, &answer, 1002, "store 1000", 0);
    if let (Some(before), Some(after)) = (before, server.status("VmHWM")) {
        assert!(after < before + 64 * 1024, "{before} kB became {after} kB");
    }
}

#[test]
fn the_page_that_loads_files_says_it() {
    let home = Home::new();
    let server = serving(&home, "1");
    let file = polls(ids(0, 2));
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"polls.csv\"\r\n\r\n{file}\r\n--b--\r\n"
    );
    let answer = server.post(
        "/load",
        "multipart/form-data; boundary=b",
        &[],
        body.as_bytes(),
    );
    assert_eq!(answer.status, 422);
    let said = "polls.csv line 3, column store_id: the store `store 1` is one more than the 1 that";
    assert!(answer.text().contains(said), "{}", answer.text());
}
