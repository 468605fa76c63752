//! The process among others: signals, closed and full outputs, files that a kill left, a database that goes away.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};

use crate::harness::{Home, Server, ends, eventually, run};

/// Runs a command line of the shell in the home, with `$P` as the program.
fn shell(home: &Home, line: &str) -> crate::harness::Outcome {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .env("P", env!("CARGO_BIN_EXE_store-monitor"))
        .current_dir(home.path(""));
    run(&mut command, b"")
}

/// Every command that prints data.
const PRINTING: [&str; 9] = [
    "report",
    "export polls",
    "export stores",
    "check",
    "docs",
    "docs operate",
    "--help",
    "report --help",
    "--version",
];

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_an_error_and_no_silence() {
    let home = Home::seeded();
    for command in PRINTING {
        for (target, reason) in [
            (">&-", "stdout is closed"),
            (">/dev/full", "stdout cannot be written"),
        ] {
            let outcome = shell(&home, &format!("\"$P\" {command} {target}"));
            outcome.exits(1).says(&[reason]);
        }
        shell(&home, &format!("\"$P\" {command} >/dev/null")).exits(0);
        // A reader that has seen enough is no error.
        shell(&home, &format!("\"$P\" {command} | head -c 1 >/dev/null")).exits(0);
    }
    // Where a file takes the data, nobody needs stdout.
    shell(&home, "\"$P\" report --output a.csv >&-").exits(0);
    shell(&home, "\"$P\" backup a.db >&-").exits(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_stderr_that_is_full_or_closed_changes_no_exit_status() {
    let home = Home::seeded();
    for target in ["2>/dev/full", "2>&-"] {
        for (command, code) in [
            ("generate --stores 3 --days 1 made", 0),
            ("import made/stores.csv", 0),
            ("backup a.db", 0),
            ("import none.csv", 2),
            ("--log debug report", 0),
        ] {
            shell(&home, &format!("\"$P\" {command} {target}")).exits(code);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn signals_that_mean_reload_change_nothing() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for signal in ["-HUP", "-USR1", "-USR2"] {
        let pid = server.status("Pid").expect("Linux tells").to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("a kill command").success());
    }
    let told = || {
        home.text("server.log")
            .matches("this signal changes nothing")
            .count()
    };
    eventually("all three are told", || (told() == 3).then_some(()));
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.terminate().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_outlives_the_terminal_that_started_it() {
    let home = Home::seeded();
    let program = env!("CARGO_BIN_EXE_store-monitor");
    // `script` gives the server a terminal, which closes when `script` is killed.
    let line = format!(
        "{program} serve --listen 127.0.0.1:0 > {}",
        home.path("out").display()
    );
    let mut command = Command::new("script");
    command
        .args(["-q", "-c", &line, "/dev/null"])
        .current_dir(home.path(""));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut terminal) = command.spawn() else {
        eprintln!("skipped: `script` is missing, so no terminal was closed");
        return;
    };
    let address = eventually("it listens", || {
        let text = fs::read_to_string(home.path("out")).ok()?;
        text.strip_prefix("listening on http://")
            .map(|line| line.trim_end().to_owned())
    });
    let mark = home.text("store-monitor.db-lock");
    let pid = mark
        .trim_end()
        .rsplit(' ')
        .next()
        .expect("a number")
        .to_owned();
    terminal.kill().expect("it runs");
    ends(&mut terminal);
    let client = crate::harness::Client::new(address);
    for _ in 0..20 {
        assert_eq!(client.get("/health").status, 200);
        // Each of these writes to the log, which has no terminal any more.
        assert_eq!(client.request("POST", "/trigger_report").status, 202);
    }
    let stopped = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(stopped.expect("a kill command").success());
    eventually("its mark is gone", || {
        (!home.path("store-monitor.db-lock").exists()).then_some(())
    });
}

#[test]
fn what_a_kill_left_half_made_goes_with_the_next_start_or_import() {
    let home = Home::new();
    home.run(&["generate", "made", "--stores", "1500", "--days", "9"])
        .exits(0);
    let parts = || {
        let names = home.names().into_iter();
        names
            .filter(|name| name.contains(".part-"))
            .collect::<Vec<_>>()
    };
    let start = || {
        let mut command = home.command(&["import", "made/store_status.csv"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.expect("it starts")
    };
    let mut import = start();
    eventually("a part is there", || (!parts().is_empty()).then_some(()));
    import.kill().expect("it runs");
    ends(&mut import);
    let left = parts();
    assert_eq!(left.len(), 1);
    // A part that a process still makes stays.
    let mut import = start();
    eventually("another part is there", || {
        (parts() != left && !parts().is_empty()).then_some(())
    });
    let made = parts();
    assert!(!made.contains(&left[0]), "{made:?}");
    home.write("stores.csv", "store_id,name,group\na,A,\n");
    home.run(&["--database", "other.db", "import", "stores.csv"])
        .exits(0);
    assert_eq!(parts(), made);
    import.kill().expect("it runs");
    ends(&mut import);
    Server::start(&home).terminate();
    assert_eq!(parts(), [""; 0]);
}

#[test]
fn a_database_that_is_damaged_or_gone_is_the_servers_fault_and_not_the_clients() {
    let home = Home::seeded();
    let server = Server::start(&home);
    assert_eq!(server.report("").first(), Some(&b's'));
    let bytes = home.read("store-monitor.db");
    let file = File::options()
        .write(true)
        .open(home.database())
        .expect("the database");
    for length in [bytes.len() / 2, 5000, 100, 0] {
        file.set_len(length as u64).expect("a truncation");
        for target in [
            "/api/stores",
            "/api/reports",
            "/metrics",
            "/api/stores/none",
            "/api/business-hours",
        ] {
            let answer = server.get(target);
            assert!(
                matches!(answer.status, 200 | 404 | 405 | 503),
                "{length} {target}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    server.kill();
    // Opened anew, all of them are refused.
    let home = Home::seeded();
    let server = Server::start(&home);
    fs::write(home.database(), &bytes[..5000]).expect("the database");
    let answer = server.get("/api/stores");
    answer.problem(503);
    assert!(!answer.header("Retry-After").is_empty());
    server.kill();
    let home = Home::seeded();
    let server = Server::start(&home);
    for name in [
        "store-monitor.db",
        "store-monitor.db-wal",
        "store-monitor.db-shm",
    ] {
        let _ = fs::remove_file(home.path(name));
    }
    for target in ["/health", "/api/stores", "/api/reports"] {
        server.get(target).problem(503);
    }
    let mut log = String::new();
    File::open(home.path("server.log"))
        .expect("a log")
        .read_to_string(&mut log)
        .expect("text");
    assert!(
        log.contains("does not exist") || log.contains("was removed"),
        "{log}"
    );
}
