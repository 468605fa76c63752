//! A machine whose clock is wrong: the binary runs with a library that moves its real-time clock, at any moment.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use store_monitor::clock::machine_us;
use store_monitor::uptime::interval::{Micros, SECOND};

use crate::harness::{Home, Outcome, project, run};

/// A clock that is wrong by a number of seconds.
pub(crate) struct WrongClock {
    library: PathBuf,
    file: PathBuf,
    ahead_us: std::cell::Cell<Micros>,
}

impl WrongClock {
    /// A clock in this home that is right so far; none, and a word about `what` is skipped, without a C compiler.
    pub(crate) fn new(home: &Home, what: &str) -> Option<Self> {
        let library = home.path("clock.so");
        let source = project().join("tests/faults/clock.c");
        let compiled = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status();
        if !cfg!(target_os = "linux") || !compiled.is_ok_and(|status| status.success()) {
            eprintln!("{what} are not tested here: there is no C compiler that makes a library");
            return None;
        }
        let file = home.path("clock");
        fs::write(&file, 0_i64.to_ne_bytes()).expect("a clock");
        Some(Self {
            library,
            file,
            ahead_us: std::cell::Cell::new(0),
        })
    }

    /// Moves the clock; it is then ahead of the right time by so much.
    pub(crate) fn set(&self, ahead_us: Micros) {
        // Never cut: the library has mapped it.
        let mut file = File::options()
            .write(true)
            .open(&self.file)
            .expect("the clock");
        file.write_all(&(ahead_us / SECOND).to_ne_bytes())
            .expect("set");
        self.ahead_us.set(ahead_us);
    }

    /// What it says.
    pub(crate) fn now_us(&self) -> Micros {
        (machine_us() + self.ahead_us.get()).max(0)
    }

    /// The binary, not yet started, by this clock.
    pub(crate) fn command(&self, home: &Home, arguments: &[&str]) -> Command {
        let mut command = home.command(arguments);
        command
            .env("LD_PRELOAD", &self.library)
            .env("STORE_MONITOR_TEST_CLOCK", &self.file);
        command
    }

    /// Runs the binary to its end by this clock.
    pub(crate) fn run(&self, home: &Home, arguments: &[&str]) -> Outcome {
        run(&mut self.command(home, arguments), b"")
    }
}
