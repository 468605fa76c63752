//! Unpacking: how much a short body may become, and how many temporary bytes all requests may have.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use store_monitor::error::ErrorKind;
use store_monitor::ingest::import::{self, Choices};
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::source::{Refusal, Source};
use store_monitor::scratch::Scratch;
use store_monitor::uptime::interval::Micros;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::{Home, Server};

const HEADER: &[u8] = b"store_id,timestamp_utc,status\n";
const ROW: &[u8] = b"a,2026-11-02 12:00:00 UTC,active\n";

/// Polls of at least so many bytes, all the same.
fn polls(bytes: usize) -> Vec<u8> {
    [HEADER, &ROW.repeat(bytes / ROW.len() + 1)].concat()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zip(text: &[u8], options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("polls.csv", options).expect("memory");
    zip.write_all(text).expect("memory");
    zip.finish().expect("memory").into_inner()
}

/// Sends both packed forms of a text, and expects each to be answered so.
#[track_caller]
fn post_packed(server: &Server, text: &[u8], status: u16) {
    let gzip = server.post(
        "/api/polls",
        "text/csv",
        &[("Content-Encoding", "gzip")],
        &gzip(text),
    );
    let zip = zip(text, SimpleFileOptions::default());
    let zip = server.post("/api/polls", "application/zip", &[], &zip);
    for answer in [gzip, zip] {
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 413 {
            assert_eq!(answer.json()["errors"][0]["code"], "too_large");
        }
    }
}

#[test]
fn a_body_may_unpack_to_as_much_as_a_body_may_have() {
    let home = Home::new();
    let server = Server::start_with(&home, &["serve", "--max-body", "100000"]);
    post_packed(&server, &polls(99_000), 200);
    post_packed(&server, &polls(100_000), 413);
    let answer = server.post("/api/polls", "text/csv", &[], &polls(100_000));
    assert_eq!(answer.status, 413);
}

#[test]
fn a_short_body_may_not_unpack_to_much() {
    let home = Home::new();
    let server = Server::start(&home);
    let before = server.status("VmHWM");
    // Hundreds of times as long as its packed form: within the first 16 MiB that is nobody's business.
    post_packed(&server, &polls(15 << 20), 200);
    post_packed(&server, &polls(64 << 20), 413);
    if let (Some(before), Some(after)) = (before, server.status("VmHWM")) {
        assert!(after < before + 256 * 1024, "{before} kB became {after} kB");
    }
    // The command takes what its user has.
    home.write("polls.csv.gz", gzip(&polls(32 << 20)));
    home.import(&["polls.csv.gz"]);
}

#[test]
fn what_finds_no_room_for_temporary_bytes_is_to_come_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let scratch = Scratch::bounded(folder.path(), 100_000);
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let read = |bytes: Vec<u8>| {
        import::read(
            [Source::new("a", Cursor::new(bytes))],
            MachineTime::until(Micros::MAX),
            &scratch,
            || Ok(Choices::default()),
            &mut |_, _| Ok(()),
        )
    };
    for _ in 0..3 {
        assert!(read(zip(&polls(90_000), stored)).is_ok());
        match read(zip(&polls(100_000), stored)) {
            Err(Refusal::Failed(error)) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.message().contains("try again"), "{error}");
            }
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
    // Rows that memory should not hold.
    let many = read(polls(5_000_000 * ROW.len()));
    assert!(
        matches!(&many, Err(Refusal::Failed(error)) if error.kind() == ErrorKind::Unavailable),
        "{:?}",
        many.map(|_| ())
    );
    assert!(scratch.has(100_000), "all was given back");
}
