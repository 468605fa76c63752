//! `status` and `healthcheck`: what a person and a service starter learn of a server.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use store_monitor::civil::format_utc;

use crate::harness::{Home, Server, eventually};

fn status(home: &Home, code: i32) -> Value {
    let told = home.run(&["status", "--format", "json"]).exits(code);
    serde_json::from_slice(&told.stdout).expect("JSON")
}

/// A poll of this moment.
fn poll_now(client: &crate::harness::Client, more: &[(&str, &str)]) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let now = format_utc(i64::try_from(now.as_micros()).expect("a clock"));
    let poll = format!("store_id,timestamp_utc,status\nseattle-pike-place,{now},active\n");
    let taken = client.post("/api/polls", "text/csv", more, poll.as_bytes());
    assert_eq!(taken.status, 200, "{}", taken.text());
}

#[test]
fn without_a_server_the_database_is_told_alone() {
    let home = Home::new();
    home.run(&["status"]).exits(2).says(&["does not exist"]);
    let home = Home::new();
    home.write(
        "few.csv",
        "store_id,timestamp_utc,status\na,2026-11-02 10:00:00 UTC,active\n",
    );
    home.import(&["few.csv"]);
    let told = home.run(&["status"]).exits(0);
    assert!(
        told.text()
            .contains("is not known: there are too few polls"),
        "{told}"
    );
    assert!(status(&home, 0)["disk"]["days_until_full"].is_null());
    let home = Home::seeded();
    let told = home.run(&["status"]).exits(0);
    for words in [
        "does not run",
        "no folder is known",
        "messages   none",
        "attention  nothing",
    ] {
        assert!(told.text().contains(words), "{words} in {told}");
    }
    let told = status(&home, 0);
    assert_eq!(
        (&told["status"], &told["server"]["running"]),
        (&"ok".into(), &false.into())
    );
    assert!(told["polls"]["lag_seconds"].as_i64() > Some(0));
    assert!(told["disk"]["free_bytes"].as_u64() > Some(0));
    let stores = told["stores"].as_object().expect("states");
    let sum: u64 = stores.values().filter_map(Value::as_u64).sum();
    let server = Server::start(&home);
    let fleet = server.get("/api/fleet").json();
    for (state, count) in stores {
        assert_eq!(&fleet["states"][state], count, "{state}");
    }
    assert_eq!(sum, 63);
    assert!(told["disk"]["polls_a_day"].as_u64() > Some(1000), "{told}");
    assert!(
        told["disk"]["days_until_full"].as_u64() > Some(100),
        "{told}"
    );
}

#[test]
fn a_running_server_is_told_without_a_token() {
    let home = Home::seeded();
    let secret =
        String::from_utf8(home.print(&["token", "add", "ann", "--scope", "admin"])).expect("text");
    let bearer = format!("Bearer {}", secret.trim());
    let server = Server::start_with(&home, &["serve", "--backup-dir", "backups"]);
    // The newest poll of the demo is old.
    let old = eventually("the server writes its status", || {
        let told = home.run(&["status", "--format", "json"]);
        let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        (told["server"]["answers"] == true && told["backups"]["count"] == 1).then_some(told)
    });
    assert_eq!(old["status"], "attention");
    assert!(
        old["problems"][0]
            .as_str()
            .expect("a problem")
            .contains("the newest poll came"),
        "{old}"
    );
    poll_now(&server, &[("Authorization", &bearer)]);
    let told = eventually("all is well", || {
        let told = home.run(&["status", "--format", "json"]);
        (told.code == Some(0)).then(|| serde_json::from_slice::<Value>(&told.stdout).expect("JSON"))
    });
    assert_eq!(told["server"]["pid"], server.id());
    assert_eq!(
        told["server"]["address"],
        format!("http://{}", server.address)
    );
    assert_eq!(told["server"]["not_ready"], Value::Array(Vec::new()));
    assert_eq!(told["server"]["queues"]["changes"]["waiting"], 0);
    assert_eq!(told["polls"]["is_live"], true);
    assert!(told["backups"]["next"].is_string() && told["backups"]["missed_since"].is_null());
    let text = home.run(&["status"]).exits(0);
    for words in [
        "ready; up since",
        "changes wait",
        "1 backup in backups; newest",
        "next 2",
    ] {
        assert!(text.text().contains(words), "{words} in {text}");
    }
    assert!(!text.text().contains("smt_"));
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(home.path("store-monitor.db-status"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(server.terminate().code(), Some(0));
    assert!(
        !home.names().iter().any(|name| name.ends_with("-status")),
        "{:?}",
        home.names()
    );
    assert_eq!(status(&home, 0)["server"]["running"], false);
}

#[test]
fn a_server_that_was_killed_or_hangs_needs_attention() {
    let home = Home::seeded();
    let server = Server::start(&home);
    eventually("the server writes its status", || {
        home.names()
            .iter()
            .any(|name| name.ends_with("-status"))
            .then_some(())
    });
    let signal = |name: &str| {
        let sent = Command::new("kill")
            .args([name, &server.id().to_string()])
            .status();
        assert!(sent.expect("a kill command").success());
    };
    signal("-STOP");
    let told = home.run(&["status"]).exits(1);
    signal("-CONT");
    assert!(told.text().contains("does not answer"), "{told}");
    server.kill();
    let told = home
        .run(&["status"])
        .exits(1)
        .says(&["1 thing needs attention"]);
    assert!(told.text().contains("ended without a clean stop"), "{told}");
}

#[test]
fn a_health_check_exits_with_0_or_1_and_says_why() {
    let home = Home::seeded();
    home.print(&["token", "add", "ann", "--scope", "admin"]);
    let server = Server::start(&home);
    let check = |more: &[&str]| {
        let mut arguments = vec!["healthcheck"];
        arguments.extend(more);
        home.run(&arguments)
    };
    let url = format!("http://{}", server.address);
    assert_eq!(
        check(&["--listen", &server.address]).exits(0).text(),
        format!("{url} is well\n")
    );
    eventually("it is ready", || {
        let told = check(&["--url", &url, "--ready"]);
        (told.code == Some(0) && told.text() == format!("{url} is ready\n")).then_some(())
    });
    check(&["--url", "https://a.example"])
        .exits(2)
        .says(&["http://"]);
    check(&["--listen", "127.0.0.1:0"])
        .exits(2)
        .says(&["port 0"]);
    check(&["--database", "x.db"])
        .exits(2)
        .says(&["has no database"]);
    std::fs::rename(home.database(), home.path("away.db")).expect("a rename");
    eventually("the loss is told", || {
        let told = check(&["--listen", &server.address, "--ready"]);
        (told.code == Some(1) && told.stderr.contains("database_replaced")).then_some(())
    });
    check(&["--listen", &server.address])
        .exits(1)
        .says(&["is not well", "database"]);
    let address = server.address.clone();
    drop(server);
    check(&["--listen", &address])
        .exits(1)
        .says(&["does not answer"]);
}

#[test]
fn a_server_at_a_unix_socket_is_checked_there() {
    let home = Home::seeded();
    let path = home.path("s");
    let listen = format!("unix:{}", path.display());
    let mut child = home
        .command(&["serve", "--listen", &listen])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a server");
    eventually("it is ready", || {
        let told = home.run(&["healthcheck", "--listen", &listen, "--ready"]);
        (told.code == Some(0)).then_some(())
    });
    let told = eventually("it writes its status", || {
        let told: Value = serde_json::from_slice(&home.run(&["status", "--format", "json"]).stdout)
            .expect("JSON");
        (told["server"]["answers"] == true).then_some(told)
    });
    assert_eq!(told["server"]["address"], listen);
    child.kill().expect("a running server");
    child.wait().expect("an end");
    home.run(&["healthcheck", "--listen", &listen])
        .exits(1)
        .says(&["does not answer"]);
}
