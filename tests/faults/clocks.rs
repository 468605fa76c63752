//! Clocks that jump: an hour, a day, 400 days to either side, and to 1970, at any point of a session.
//!
//! Nothing is forgotten, no report is lost, and no row that was accepted is refused when it is sent again. The polls
//! are of the true time.

use std::fs;
use std::path::PathBuf;

use store_monitor::civil::format_utc;
use store_monitor::clock::machine_us;

use crate::fleet::{self, POLLS};
use crate::harness::{Home, Server};
use crate::promise::{Change, Promises};
use crate::random::Random;
use crate::session::Poller;

/// How a clock is wrong, in the words of libfaketime.
const JUMPS: [&str; 7] = [
    "+1h",
    "-1h",
    "+1d",
    "-1d",
    "+400d",
    "-400d",
    "@1970-01-01 00:01:00",
];

/// The right clock.
const RIGHT: &str = "+0";

/// The library that changes clocks; says so where it is missing.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let files = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let found = files.into_iter().find(|file| file.exists());
    if found.is_none() {
        println!("SKIPPED: clocks that jump: there is no libfaketime (apt-get install faketime)");
    }
    found
}

/// A server whose clock is what the file `clock` of its home says.
fn start(home: &Home, library: &PathBuf) -> Server {
    let mut command = home.command(&["serve", "--keep-reports", "5", "--keep-days", "30"]);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", home.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
    Server::start_as(home, command)
}

/// A poll that was sent: its key, and the answer once it was accepted.
struct Sent {
    key: String,
    row: String,
    answer: Option<String>,
}

/// A session of so many steps in which the clock jumps and comes back.
fn session(jump: &str, seed: u64, steps: u64, library: &PathBuf) {
    let mut random = Random::new(seed);
    let home = fleet::home(9);
    let promises = Promises {
        base: Some(fleet::rows_of_home(&home)),
        ..Promises::default()
    };
    home.write("clock", RIGHT);
    let (away, back) = (
        1 + random.below(steps / 2),
        steps / 2 + 1 + random.below(steps / 3),
    );
    let mut server = Some(start(&home, library));
    let mut sent: Vec<Sent> = Vec::new();
    for step in 0..steps {
        let case = format!("{jump}, seed {seed}, step {step} (away at {away}, back at {back})");
        if step == away {
            home.write("clock", jump);
        }
        if step == back {
            home.write("clock", RIGHT);
        }
        let is_behind = (away..back).contains(&step) && !jump.starts_with('+');
        let running = server.as_ref().expect("a server");
        let mut poller = Poller::new(&running.client.address);
        match random.below(5) {
            // A poll of now.
            0 | 1 => {
                let at = format_utc((machine_us() - 60_000_000) / 1000 * 1000 + 7);
                let row = format!("s{:02},active,{at}", random.below(18));
                let key = format!("key-{step}");
                let csv = format!("{POLLS}{row}\n");
                let (status, answer, _) = poller.ask("POST", "/api/polls", &key, &csv);
                match status {
                    200 => {}
                    503 if is_behind => {}
                    _ => panic!("{case}: {status}: {answer}"),
                }
                let answer = (status == 200).then_some(answer);
                sent.push(Sent { key, row, answer });
            }
            // One of before again: an accepted one has its answer, whatever the clock.
            2 if !sent.is_empty() => {
                let again = random.index(sent.len());
                let poll = &mut sent[again];
                let csv = format!("{POLLS}{}\n", poll.row);
                let (status, answer, _) = poller.ask("POST", "/api/polls", &poll.key, &csv);
                match (status, &poll.answer) {
                    (200, Some(before)) => assert_eq!(&answer, before, "{case}"),
                    (200, None) => poll.answer = Some(answer),
                    (503, None) if is_behind => {}
                    _ => panic!("{case}: {status}: {answer}"),
                }
            }
            // A report, which is there as soon as it has an id; five are kept.
            3 => {
                let id = running.client.trigger("");
                let made = running.client.wait_for_report(&id);
                assert_eq!(made.header("Report-Status"), "Complete", "{case}");
            }
            _ => {
                let running = server.take().expect("a server");
                assert!(
                    running.terminate().success(),
                    "{case}: {}",
                    home.text("server.log")
                );
                server = Some(start(&home, library));
            }
        }
    }
    // The clock is right again: what was refused is taken.
    let running = server.as_ref().expect("a server");
    let mut poller = Poller::new(&running.client.address);
    for poll in &sent {
        let csv = format!("{POLLS}{}\n", poll.row);
        let (status, answer, _) = poller.ask("POST", "/api/polls", &poll.key, &csv);
        assert_eq!(status, 200, "{jump}, seed {seed}, at last: {answer}");
    }
    drop(server);
    let changes = sent.into_iter().map(|poll| Change {
        what: poll.key,
        adds: fleet::rows(&[poll.row]),
        acknowledged: Some(0),
        ..Change::default()
    });
    let promises = Promises {
        changes: changes.collect(),
        ..promises
    };
    if let Err(reason) = promises.judge(&home.database(), 0) {
        panic!("{jump}, seed {seed}: {reason}");
    }
}

#[test]
fn a_clock_that_jumps_costs_nothing() {
    if let Some(library) = library() {
        for (seed, jump) in (0..).zip(JUMPS) {
            session(jump, seed, 16, &library);
        }
    }
}

/// `cargo test --test faults hundred_sessions_of_clocks -- --ignored --nocapture`: about two minutes.
#[test]
#[ignore = "140 sessions with a clock that jumps: two minutes"]
fn a_hundred_sessions_of_clocks_that_jump_cost_nothing() {
    if let Some(library) = library() {
        for seed in 100..240 {
            let jump = JUMPS[usize::try_from(seed % 7).expect("a jump")];
            session(jump, seed, 40, &library);
        }
    }
}

/// A clock that was 400 days ahead when a poll of its time came in.
#[test]
fn a_poll_of_a_far_tomorrow_makes_nothing_forgotten() {
    let Some(library) = library() else {
        return;
    };
    let home = fleet::home(9);
    let rows = fleet::rows_of_home(&home);
    home.write("clock", "+400d");
    let server = start(&home, &library);
    let at = format_utc(machine_us() + 400 * 86_400_000_000);
    let csv = format!("{POLLS}s01,active,{at}\n");
    let mut poller = Poller::new(&server.client.address);
    let (status, answer, _) = poller.ask("POST", "/api/polls", "", &csv);
    assert_eq!(status, 200, "{answer}");
    drop(server);
    home.write("clock", RIGHT);
    // Neither the start of a server nor an import forgets the others.
    drop(start(&home, &library));
    let lines = fleet::batch(5, 3);
    home.write("more.csv", fleet::csv(&lines));
    let outcome = home.run(&["import", "--keep-days", "30", "more.csv"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("--prune-before"), "{outcome}");
    let kept = fleet::rows_of_home(&home);
    for row in rows.iter().chain(&fleet::rows(&lines)) {
        assert!(kept.contains(row), "{row} was forgotten");
    }
}
