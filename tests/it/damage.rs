//! Damaged and missing files: nothing wrong is served in silence, and `check` names what is wrong.

use std::fs;

use crate::harness::{Answer, Home, Server, eventually};

const DATABASE: &str = "store-monitor.db";

/// One poll of a store of its own.
fn poll(number: usize) -> String {
    format!("store_id,timestamp_utc,status\nkept-{number},2026-10-31 12:00:00 UTC,active\n")
}

fn send(server: &Server, number: usize) -> Answer {
    server.post("/api/polls", "text/csv", &[], poll(number).as_bytes())
}

/// A home with the log that a kill left: `count` acknowledged polls after those of the seed.
fn killed(count: usize) -> Home {
    let home = Home::seeded();
    let server = Server::start(&home);
    for number in 0..count {
        assert_eq!(send(&server, number).status, 200);
    }
    server.kill();
    home
}

/// How many of these polls an export has.
fn kept(home: &Home) -> usize {
    let polls = home.print(&["export", "polls"]);
    let polls = String::from_utf8(polls).expect("text");
    polls.lines().filter(|line| line.contains("kept-")).count()
}

#[test]
fn a_database_that_takes_the_place_of_another_keeps_its_own_log() {
    let home = Home::seeded();
    let server = Server::start(&home);
    assert_eq!(send(&server, 0).status, 200);
    // Another database, whose newest polls are in its log.
    let other = killed(5);
    for end in ["", "-wal", "-shm"] {
        let name = format!("{DATABASE}{end}");
        fs::copy(other.path(&name), home.path("new")).expect("a copy");
        fs::rename(home.path("new"), home.path(&name)).expect("replaced");
    }
    assert_eq!(send(&server, 9).status, 503);
    assert_eq!(server.terminate().code(), Some(1));
    assert_eq!(kept(&home), 5);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_removed_database_is_noticed_even_if_nobody_writes() {
    let home = Home::seeded();
    let server = Server::start(&home);
    assert_eq!(server.get("/health").status, 200);
    fs::remove_file(home.path(DATABASE)).expect("removed");
    eventually("health says so", || {
        (server.get("/health").status == 503).then_some(())
    });
    assert_eq!(server.terminate().code(), Some(1));
}

#[test]
fn one_flipped_bit_in_the_log_of_a_kill_loses_nothing() {
    let home = killed(50);
    let log = fs::read(home.path("store-monitor.db-wal")).expect("a log");
    // In the data of a frame in the middle; the low bits of a word tell which one it was.
    let mut flipped = log.clone();
    flipped[(log.len() / 2) & !3] ^= 4;
    fs::write(home.path("store-monitor.db-wal"), flipped).expect("written");
    home.run(&["check"]).exits(1).says(&["1 fault"]);
    assert_eq!(kept(&home), 50);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_log_that_is_damaged_beyond_that_is_refused_told_and_kept() {
    let home = killed(50);
    let mut log = fs::read(home.path("store-monitor.db-wal")).expect("a log");
    let half = log.len() / 2;
    log[half..half + 512].fill(0x5a);
    fs::write(home.path("store-monitor.db-wal"), &log).expect("written");
    for command in [
        &["report"][..],
        &["export", "polls"],
        &["import", "new.csv"],
    ] {
        home.write("new.csv", poll(60));
        home.run(command)
            .exits(1)
            .refuses(&["is damaged in frame", "restore a backup"]);
    }
    let server = Server::start(&home);
    let health = server.get("/health");
    assert_eq!(health.status, 200, "{}", health.text());
    assert!(health.text().contains("log_damaged"), "{}", health.text());
    assert_eq!(server.terminate().code(), Some(1));
    assert_eq!(
        fs::read(home.path("store-monitor.db-wal.damaged")).expect("kept"),
        log
    );
    let left = kept(&home);
    assert!(left < 50, "{left}");
    // It is told until the operator has dealt with it.
    let check = home.run(&["check"]).exits(1);
    assert!(check.text().contains("-wal.damaged"), "{check}");
    fs::remove_file(home.path("store-monitor.db-wal.damaged")).expect("removed");
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_log_whose_last_change_a_power_cut_interrupted_is_no_damage() {
    let home = killed(20);
    let log = fs::read(home.path("store-monitor.db-wal")).expect("a log");
    // The last sector was never written.
    let mut torn = log.clone();
    let end = torn.len();
    torn[end - 512..].fill(0);
    fs::write(home.path("store-monitor.db-wal"), torn).expect("written");
    let check = home.run(&["check"]).exits(0);
    assert!(check.stderr.contains("cut short"), "{check}");
    assert!(kept(&home) >= 19);
}

/// Changes the database as a failing disk does.
fn rot(home: &Home, sql: &str) {
    home.sqlite().execute_batch(sql).expect("changed");
}

#[test]
fn rows_that_changed_without_a_write_are_refused_named_and_repaired_from_their_copy() {
    let home = Home::seeded();
    let before = (home.exports(), home.print(&["report"]));
    let hour = "(SELECT min(hour) FROM packed_hour)";
    rot(
        &home,
        &format!("UPDATE poll SET active = 1 - active WHERE at / 3600000000 = {hour}"),
    );
    // The report reads the packed copy, which is right; the export reads rows.
    assert!(home.print(&["report"]) == before.1);
    home.run(&["export", "polls", "--output", "polls.csv"])
        .exits(1)
        .says(&["are not those that were stored"]);
    let check = home.run(&["check"]).exits(1);
    assert!(
        check.text().contains("are not those that were stored"),
        "{check}"
    );
    home.run(&["check", "--repair"])
        .exits(0)
        .says(&["written again from their packed copy"]);
    assert!((home.exports(), home.print(&["report"])) == before);
}

#[test]
fn of_rows_without_a_copy_the_repair_says_what_is_lost() {
    let home = Home::seeded();
    rot(
        &home,
        "DELETE FROM packed_hour;
         DELETE FROM poll WHERE at = (SELECT min(at) FROM poll WHERE at > 1793600000000000);",
    );
    home.run(&["report"])
        .exits(1)
        .says(&["are not those that were stored"]);
    home.run(&["check"]).exits(1);
    home.run(&["check", "--repair"])
        .exits(0)
        .says(&["has lost 1 of"]);
    home.run(&["report"]).exits(0);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_damaged_packed_hour_is_read_from_its_rows_with_a_warning() {
    let home = Home::seeded();
    let before = home.print(&["report"]);
    rot(
        &home,
        "UPDATE packed_hour SET polls = CAST(substr(polls, 1, 20) || x'7f' || substr(polls, 22) AS BLOB)
         WHERE hour = (SELECT max(hour) FROM packed_hour);",
    );
    let report = home
        .run(&["report"])
        .exits(0)
        .says(&["a packed hour is damaged"]);
    assert!(report.stdout == before);
    let check = home.run(&["check"]).exits(1);
    assert!(
        check.text().contains("the packed polls of the hour"),
        "{check}"
    );
    home.run(&["check", "--repair"]).exits(0);
    let again = home.run(&["report"]).exits(0);
    assert!(again.stderr.is_empty() && again.stdout == before, "{again}");
}

#[test]
fn stores_and_hours_that_changed_without_a_write_are_refused_and_named() {
    for change in [
        "UPDATE store SET timezone = 'Europe/Paris' WHERE key = (SELECT min(key) FROM store)",
        "UPDATE store SET store_id = 'other' WHERE key = (SELECT min(key) FROM store)",
        "UPDATE schedule SET week = replace(week, '\"11:00:00\"', '\"11:01:00\"')",
        "DELETE FROM store_hours WHERE store = (SELECT min(store) FROM store_hours)",
        "UPDATE special_days SET days = replace(days, 'Family', 'Famine')",
    ] {
        let home = Home::seeded();
        rot(&home, change);
        for command in [
            &["report"][..],
            &["export", "stores"],
            &["export", "timezones"],
            &["export", "business-hours"],
            &["export", "special-hours"],
            &["export", "polls"],
            &["statement", "--from=2026-11-01", "--to=2026-11-02"],
            &["serve"],
        ] {
            home.run(command)
                .exits(1)
                .says(&["are not those that were stored"]);
        }
        let check = home.run(&["check"]).exits(1);
        assert!(
            check.text().contains("stores, zones, names or hours"),
            "{check}"
        );
        home.run(&["check", "--repair"]).exits(0);
        home.run(&["report"]).exits(0);
    }
}

#[test]
fn a_damaged_report_is_not_served_and_is_named() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let id = server.trigger("");
    server.wait_for_report(&id);
    assert!(server.terminate().success());
    rot(
        &home,
        "UPDATE report SET rows = CAST(substr(rows, 1, 40) || x'7f' || substr(rows, 42) AS BLOB)",
    );
    let server = Server::start(&home);
    let answer = server.get(&format!("/get_report/{id}"));
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("is damaged"), "{}", answer.text());
    assert!(server.get("/health").text().contains("database_broken"));
    assert_eq!(server.terminate().code(), Some(1));
    let check = home.run(&["check"]).exits(1);
    assert!(check.text().contains(&id), "{check}");
    home.run(&["check", "--repair"]).exits(0);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_file_of_two_moments_is_refused() {
    let home = Home::seeded();
    let whole = fs::read(home.path(DATABASE)).expect("a database");
    let page = 8192;
    type Tear = fn(&mut Vec<u8>, usize);
    let tears: [Tear; 3] = [
        |bytes, page| bytes.truncate(bytes.len() - page),
        |bytes, page| bytes.resize(bytes.len() + page, 0),
        |bytes, _| bytes[39] ^= 1,
    ];
    for tear in tears {
        let mut bytes = whole.clone();
        tear(&mut bytes, page);
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(home.path(&format!("{DATABASE}{end}")));
        }
        fs::write(home.path(DATABASE), &bytes).expect("written");
        for command in [&["report"][..], &["export", "polls"], &["serve"]] {
            home.run(command).exits(1).says(&["is not of one piece"]);
        }
        home.run(&["check"]).exits(1);
    }
}

#[test]
fn a_start_and_a_check_say_what_they_found() {
    let home = Home::seeded();
    let lines = [
        "database:",
        "newest poll:",
        "last server:",
        "write-ahead log:",
        "disk:",
        "machine's clock:",
    ];
    home.run(&["check"])
        .exits(0)
        .says(&lines)
        .says(&["ended cleanly"]);
    Server::start(&home).kill();
    home.run(&["check", "--deep"])
        .exits(0)
        .says(&["ended without a stop"]);
    assert!(Server::start(&home).terminate().success());
    let log = home.text("server.log");
    assert!(lines.iter().all(|line| log.contains(line)), "{log}");
}
