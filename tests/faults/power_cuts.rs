//! Power cuts: every state in which one may leave the disk, after any moment of a session.

use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use crate::disk::{Disk, Syncs, lay_out, timeline};
use crate::harness::{Home, Server};
use crate::random::Random;
use crate::session::{self, Session};
use crate::trace::{Deed, can_trace};

/// One state in so many is also served.
const SERVED: usize = 250;

/// A folder for states: in memory, where there is such a place.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    };
    made.expect("a folder")
}

/// Cuts the power `states` times, and returns what is wrong after it.
fn cut(session: &Session, states: usize, seed: u64, syncs: Syncs) -> Vec<String> {
    let folder = folder();
    let mut random = Random::new(seed);
    let timeline = timeline(&session.events);
    let is_word = |event: &Deed| matches!(event, Deed::Reply { .. } | Deed::Exit { .. });
    let words: Vec<usize> = (0..timeline.len())
        .filter(|&at| is_word(&timeline[at].1.deed))
        .collect();
    // Half of the cuts come right after an acknowledgement.
    let mut cuts: Vec<usize> = (0..states)
        .map(|_| match random.below(2) {
            0 if !words.is_empty() => words[random.index(words.len())],
            _ => random.index(timeline.len()),
        })
        .collect();
    cuts.sort_unstable();
    let mut disk = Disk::new(&session.before, syncs);
    let mut next = 0;
    let mut wrong = Vec::new();
    for (number, cut) in cuts.into_iter().enumerate() {
        while next <= cut {
            disk.take(timeline[next].1);
            next += 1;
        }
        let line = timeline[cut].0;
        lay_out(&disk.after_a_cut(&mut random), folder.path());
        let mut judged = session
            .promises
            .iter()
            .map(|(name, promises)| promises.judge(&folder.path().join(name), line));
        if let Some(Err(reason)) = judged.find(Result::is_err) {
            wrong.push(format!(
                "{}, cut {cut} of {} (seed {seed}, state {number}): {reason}",
                session.name,
                timeline.len()
            ));
        } else if number % SERVED == SERVED / 2 && syncs == Syncs::Kept {
            serve(folder.path(), session, line);
        }
    }
    wrong
}

/// The next start finishes the reports that were promised.
fn serve(folder: &Path, session: &Session, line: usize) {
    let home = Home::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path: PathBuf = entry.expect("an entry").path();
        std::fs::copy(&path, home.path("").join(path.file_name().expect("a name")))
            .expect("a copy");
    }
    let server = Server::start(&home);
    for (id, from) in &session.promises[0].1.reports {
        if *from <= line {
            let made = server.wait_for_report(id);
            assert_eq!(
                made.header("Report-Status"),
                "Complete",
                "{}: {id}",
                session.name
            );
        }
    }
    assert!(server.terminate().success());
}

/// Shares `states` among sessions and cores, and expects no fault.
fn none_is_lost(sessions: &[(Session, usize)]) {
    let mut wrong = Vec::new();
    for (session, states) in sessions {
        let halves: Vec<Vec<String>> = thread::scope(|scope| {
            let half = |seed| scope.spawn(move || cut(session, states / 2, seed, Syncs::Kept));
            let halves: Vec<_> = [1, 2].map(half).into_iter().collect();
            halves
                .into_iter()
                .map(|half| half.join().expect("a half"))
                .collect()
        });
        let faults: Vec<String> = halves.concat();
        println!(
            "{}: {} events, {states} states, {} faults",
            session.name,
            session.events.len(),
            faults.len()
        );
        wrong.extend(faults);
    }
    let count = wrong.len();
    wrong.truncate(20);
    assert!(count == 0, "{count} faults:\n{}", wrong.join("\n"));
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    if can_trace("power cuts") {
        none_is_lost(&[
            (session::serve(false, 40), 60),
            (session::serve(true, 20), 40),
            (session::import(), 40),
            (session::first_import(), 30),
            (session::prune(), 40),
            (session::migration(7), 30),
            (session::backup(), 30),
            (session::restore(), 30),
        ]);
    }
}

/// `cargo test --test faults ten_thousand -- --ignored --nocapture`: about eight minutes on two cores.
#[test]
#[ignore = "10,000 power cuts: eight minutes"]
fn ten_thousand_power_cuts_lose_nothing_acknowledged() {
    if can_trace("power cuts") {
        none_is_lost(&[
            (session::serve(false, 400), 3600),
            (session::serve(true, 120), 1500),
            (session::import(), 1000),
            (session::first_import(), 700),
            (session::prune(), 1000),
            (session::migration(1), 500),
            (session::migration(7), 500),
            (session::backup(), 600),
            (session::restore(), 600),
        ]);
    }
}

/// The control: where syncs do nothing, the harness must notice.
#[test]
fn a_disk_that_ignores_syncs_is_noticed() {
    if can_trace("power cuts") {
        for session in [
            session::serve(false, 20),
            session::import(),
            session::first_import(),
        ] {
            let wrong = cut(&session, 40, 7, Syncs::Ignored);
            println!(
                "{}: {} of 40 states are bad without syncs",
                session.name,
                wrong.len()
            );
            assert!(!wrong.is_empty(), "{}", session.name);
        }
    }
}
