//! Kills: the program is killed at any moment, of a server under load or of a command, and goes on.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::disk::lay_out;
use crate::fleet;
use crate::harness::{Home, Server, ends};
use crate::jobs;
use crate::promise::{Change, Promises};
use crate::random::Random;
use crate::session::Poller;

/// How often a server of one database is killed.
const KILLS_A_HOME: usize = 20;

/// The longest life of a server.
const LIFE_MS: u64 = 250;

/// What one client did until the server was gone.
#[derive(Default)]
struct Done {
    changes: Vec<Change>,
    reports: Vec<String>,
    keys: Vec<String>,
}

/// Waits for a time that no condition gives.
fn wait(time: Duration) {
    let (_sender, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// Polls until the server is gone; batches are numbered from `first`, every third one has a key.
fn poll(address: &str, first: usize) -> Done {
    let mut done = Done::default();
    let Some(mut poller) = Poller::try_new(address) else {
        return done;
    };
    for number in first.. {
        let lines = fleet::batch(number, 1 + number % 25);
        let key = if number % 3 == 0 {
            format!("key-{number}")
        } else {
            String::new()
        };
        let answer = poller.try_ask("POST", "/api/polls", &key, &fleet::csv(&lines));
        let is_taken = answer.as_ref().is_some_and(|(status, _)| *status == 200);
        done.changes.push(Change {
            what: format!("batch {number}"),
            adds: fleet::rows(&lines),
            acknowledged: is_taken.then_some(0),
            ..Change::default()
        });
        if answer.is_none() {
            break;
        }
        if is_taken && !key.is_empty() {
            done.keys.push(key);
        }
        if number % 8 == 7 {
            let answer = poller.try_ask("POST", "/trigger_report", "", "");
            if let Some((202, answer)) = answer {
                let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
                done.reports
                    .push(answer["report_id"].as_str().expect("an id").to_owned());
            }
        }
    }
    done
}

/// Kills a server so many times; a fresh database comes now and then.
fn kill_servers(kills: usize, seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut wrong = Vec::new();
    let mut home = fleet::home(3);
    let mut promises = Promises::default();
    let (mut taken, mut lost) = (0, 0);
    for kill in 0..kills {
        if kill % KILLS_A_HOME == 0 {
            home = fleet::home(3);
            promises = Promises {
                base: Some(fleet::rows_of_home(&home)),
                may_poison: true,
                ..Promises::default()
            };
        }
        let server = Server::start_with(&home, &["serve", "--keep-reports", "1000000"]);
        let address = server.client.address.clone();
        let first = (kill % KILLS_A_HOME) * 600;
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let address = address.clone();
                thread::spawn(move || poll(&address, first + client * 200))
            })
            .collect();
        wait(Duration::from_millis(random.below(LIFE_MS)));
        server.kill();
        for client in clients {
            let done = client.join().expect("a client");
            taken += done
                .changes
                .iter()
                .filter(|change| change.acknowledged.is_some())
                .count();
            lost += done
                .changes
                .iter()
                .filter(|change| change.acknowledged.is_none())
                .count();
            promises.changes.extend(done.changes);
            promises
                .reports
                .extend(done.reports.into_iter().map(|id| (id, 0)));
            promises
                .keys
                .extend(done.keys.into_iter().map(|key| (key, 0)));
        }
        if let Err(reason) = promises.judge(&home.database(), 0) {
            wrong.push(format!("server, seed {seed}, kill {kill}: {reason}"));
            // The next kills would tell the same.
            home = fleet::home(3);
            promises = Promises {
                base: Some(fleet::rows_of_home(&home)),
                may_poison: true,
                ..Promises::default()
            };
        }
    }
    println!(
        "{kills} kills of servers: {taken} batches taken, {lost} open, {} faults",
        wrong.len()
    );
    wrong
}

/// Kills commands so many times, at any moment of their lives.
fn kill_commands(kills: usize, seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut wrong = Vec::new();
    let jobs = jobs::all();
    let home = Home::new();
    let mut lives = vec![Duration::ZERO; jobs.len()];
    let mut killed = 0;
    for kill in 0..kills + jobs.len() {
        let at = kill % jobs.len();
        let job = &jobs[at];
        lay_out(&job.files, &home.path(""));
        let mut command = home.command(&job.arguments);
        let begun = Instant::now();
        let quiet = std::process::Stdio::null;
        let mut child = command
            .stdout(quiet())
            .stderr(quiet())
            .spawn()
            .expect("it starts");
        if kill < jobs.len() {
            // The first time tells how long it lives.
            assert!(ends(&mut child).success());
            lives[at] = begun.elapsed();
        } else {
            let micros = u64::try_from(lives[at].as_micros()).expect("a short life");
            wait(Duration::from_micros(random.below(micros)));
            let _ = child.kill();
        }
        let status = ends(&mut child);
        killed += usize::from(status.code().is_none());
        if let Err(reason) = job
            .promised(status.success())
            .judge(&home.path(job.file), 0)
        {
            wrong.push(format!(
                "{:?}, seed {seed}, kill {kill}: {reason}",
                job.arguments
            ));
        }
    }
    println!(
        "{killed} of {kills} commands were killed: {} faults",
        wrong.len()
    );
    wrong
}

#[track_caller]
fn none_is_lost(servers: usize, commands: usize) {
    let wrong = thread::scope(|scope| {
        let commands = scope.spawn(|| kill_commands(commands, 5));
        let mut wrong = kill_servers(servers, 6);
        wrong.extend(commands.join().expect("the commands"));
        wrong
    });
    assert!(
        wrong.is_empty(),
        "{} faults:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_kill_loses_nothing_acknowledged() {
    none_is_lost(8, 12);
}

/// `cargo test --test faults thousand_kills -- --ignored --nocapture`: about three minutes on two cores.
#[test]
#[ignore = "1,000 kills: three minutes"]
fn a_thousand_kills_lose_nothing_acknowledged() {
    none_is_lost(700, 480);
}
