//! Backups: whole copies of a database that is written meanwhile, and the way back.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::Digest;

use crate::harness::{Home, Server, ends, eventually, exports_of, project};

/// The instant of the first poll that the drill posts: after all of the demo's.
const DRILL: &str = "2026-11-20";

/// A poll of the drill, as CSV with its header.
fn poll(number: usize) -> String {
    let (store, minutes) = (number % 7, number / 7);
    format!(
        "store_id,status,timestamp_utc\ndrill-{store},{},{DRILL} {:02}:{:02}:00 UTC\n",
        if number.is_multiple_of(5) {
            "inactive"
        } else {
            "active"
        },
        minutes / 60,
        minutes % 60
    )
}

fn drill_polls(file: &Path) -> usize {
    let db = rusqlite::Connection::open(file).expect("a backup");
    let count = "SELECT count(*) FROM poll JOIN store ON key = store WHERE store_id LIKE 'drill-%'";
    db.query_row(count, [], |row| row.get(0)).expect("a count")
}

#[test]
fn a_backup_under_load_restored_elsewhere_has_every_number_of_its_instant() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let report = server.trigger("");
    let csv = server.wait_for_report(&report).body;
    let stop = AtomicBool::new(false);
    let (posted, backups) = thread::scope(|scope| {
        let posting = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::SeqCst) {
                let answer = server.post("/api/polls", "text/csv", &[], poll(number).as_bytes());
                assert_eq!(answer.status, 200, "{}", answer.text());
                number += 1;
                fs::write(home.path("acknowledged"), number.to_string()).expect("a note");
            }
            number
        });
        let acknowledged = || {
            let note = fs::read_to_string(home.path("acknowledged")).unwrap_or_default();
            note.parse::<usize>().unwrap_or(0)
        };
        let backups = ["one.db", "two.db", "three.db"].map(|name| {
            let before = acknowledged();
            eventually("polls come in", || {
                (acknowledged() > before + 5).then_some(())
            });
            let before = acknowledged();
            home.run(&["backup", name])
                .exits(0)
                .says(&[name, "polls up to"]);
            (name, before)
        });
        stop.store(true, Ordering::SeqCst);
        (posting.join().expect("all were taken"), backups)
    });
    for (name, acknowledged) in backups {
        let file = home.path(name);
        for side in ["-wal", "-shm", "-journal", "-lock"] {
            assert!(!home.path(&format!("{name}{side}")).exists());
        }
        let count = drill_polls(&file);
        assert!(
            (acknowledged..=posted).contains(&count),
            "{acknowledged} {count} {posted}"
        );
        // A second reading: the same polls, loaded into a database of their own.
        let other = Home::seeded();
        let polls: String = (0..count)
            .flat_map(|number| {
                poll(number)
                    .lines()
                    .skip(1)
                    .map(|line| format!("{line}\n"))
                    .collect::<Vec<_>>()
            })
            .collect();
        other.write(
            "polls.csv",
            format!("store_id,status,timestamp_utc\n{polls}"),
        );
        other.import(&["polls.csv"]);
        let elsewhere = Home::new();
        let path = file.display().to_string();
        elsewhere
            .run(&["restore", &path])
            .exits(0)
            .says(&["store-monitor.db"]);
        assert_eq!(elsewhere.print(&["check"]), b"ok\n");
        assert!(elsewhere.exports() == other.exports());
        for rule in ["nearest", "previous"] {
            let report = ["report", "--interpolation", rule];
            assert!(elsewhere.print(&report) == other.print(&report));
        }
        let restored = Server::start(&elsewhere);
        assert!(restored.wait_for_report(&report).body == csv);
        assert!(restored.report("") == other.print(&["report"]));
    }
}

#[cfg(unix)]
#[test]
fn a_backup_is_readable_by_its_owner_alone_and_opens_where_nothing_can_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::seeded();
    home.run(&["backup", "a.db"]).exits(0);
    let facts = fs::metadata(home.path("a.db")).expect("a backup");
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    let uri = format!("file:{}?immutable=1", home.path("a.db").display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let db = rusqlite::Connection::open_with_flags(uri, flags).expect("a database");
    assert!(exports_of(&db) == home.exports());
}

#[test]
fn a_backup_replaces_an_earlier_one_but_never_a_database_in_use() {
    let home = Home::seeded();
    home.run(&["backup", "a.db"]).exits(0);
    home.run(&["backup", "a.db"]).exits(0);
    home.run(&["backup", "store-monitor.db"])
        .refuses(&["is the database itself"])
        .exits(2);
    home.run(&["backup", "."])
        .refuses(&["is a folder"])
        .exits(2);
    home.run(&["backup", "no/such/b.db"])
        .refuses(&["no/such/b.db"])
        .exits(2);
    let other = Home::seeded();
    let _server = Server::start(&other);
    let live = other.database().display().to_string();
    home.run(&["backup", &live]).refuses(&["in use"]).exits(2);
    home.run(&["--database", "none.db", "backup", "b.db"])
        .refuses(&["does not exist"])
        .exits(2);
    assert!(
        home.names()
            .iter()
            .all(|name| !name.contains(".part-") && !name.starts_with("none"))
    );
}

#[test]
fn a_restore_waits_for_no_server_and_sets_aside_what_it_replaces() {
    let home = Home::seeded();
    home.run(&["backup", "a.db"]).exits(0);
    let before = home.exports();
    let server = Server::start(&home);
    server.post("/api/polls", "text/csv", &[], poll(0).as_bytes());
    home.run(&["restore", "a.db"])
        .refuses(&["a server or another command has the database"])
        .exits(1);
    // What a kill leaves in the write-ahead log is set aside, too.
    server.kill();
    let after = home.exports();
    assert!(after != before);
    // Programs that know nothing of the lock are noticed by SQLite's own.
    let other = home.sqlite();
    other
        .query_row("SELECT count(*) FROM poll", [], |_| Ok(()))
        .expect("a count");
    home.run(&["restore", "a.db"])
        .refuses(&["another program has the database"])
        .exits(1);
    drop(other);
    home.run(&["--database", "no/such/s.db", "restore", "a.db"])
        .refuses(&["the folder no/such does not exist"])
        .exits(2);
    assert!(home.exports() == after);
    home.run(&["restore", "a.db"])
        .exits(0)
        .says(&["the database before it is now"]);
    // The unclean end went with the database.
    assert!(!home.path("store-monitor.db-lock").exists());
    assert!(home.exports() == before);
    let names = home.names();
    let aside = names
        .iter()
        .find(|name| name.contains(".before-restore-"))
        .expect("the old one");
    assert!(
        exports_of(&rusqlite::Connection::open(home.path(aside)).expect("the old one")) == after
    );
    // Back again.
    home.run(&["restore", aside]).exits(0);
    assert!(home.exports() == after);
    assert_eq!(home.print(&["check"]), b"ok\n");
    home.run(&["restore", "store-monitor.db"])
        .refuses(&["is the database itself"])
        .exits(2);
    home.run(&["restore", "none.db"])
        .refuses(&["does not exist"])
        .exits(2);
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let home = Home::seeded();
    home.run(&["backup", "a.db"]).exits(0);
    let before = (home.exports(), home.read("store-monitor.db"));
    let whole = home.read("a.db");
    home.write("short.db", &whole[..whole.len() / 2]);
    let mut holed = whole.clone();
    let middle = whole.len() / 2;
    holed[middle..middle + 8192].fill(0);
    home.write("holed.db", &holed);
    home.write("text.db", "store_id,status,timestamp_utc\n");
    home.write("empty.db", "");
    for name in ["short.db", "holed.db", "text.db", "empty.db"] {
        let outcome = home.run(&["restore", name]);
        assert!(matches!(outcome.code, Some(1 | 2)), "{outcome}");
        assert!(home.read("store-monitor.db") == before.1, "{name}");
    }
    assert!(home.exports() == before.0);
    assert!(
        home.names()
            .iter()
            .all(|name| !name.contains(".part-") && !name.contains(".before-"))
    );
}

#[test]
fn a_backup_of_an_earlier_schema_is_brought_up_to_date() {
    let home = Home::new();
    let dump = fs::read_to_string(project().join("tests/data/schemas/5.sql")).expect("a dump");
    let old = rusqlite::Connection::open(home.path("old.db")).expect("a database");
    old.execute_batch(&dump).expect("a dump");
    drop(old);
    let bytes = home.read("old.db");
    home.run(&["restore", "old.db"]).exits(0);
    assert_eq!(home.print(&["check"]), b"ok\n");
    assert!(!home.print(&["export", "polls"]).is_empty());
    assert!(
        home.read("old.db") == bytes,
        "the backup itself stays as it is"
    );
}

#[test]
fn a_server_makes_backups_and_says_how_old_the_newest_is() {
    let home = Home::seeded();
    let backups = || -> Vec<_> {
        let files = fs::read_dir(home.path("backups")).into_iter().flatten();
        files.map(|file| file.expect("a name").path()).collect()
    };
    let options = [
        "serve",
        "--backup-dir",
        "backups",
        "--backup-every",
        "1s",
        "--backup-keep",
        "2",
    ];
    let server = Server::start_with(&home, &options);
    let newest = eventually("a backup", || {
        server.get("/health").json()["newest_backup"]
            .as_str()
            .map(str::to_owned)
    });
    assert!(newest.ends_with(":00Z"), "{newest}");
    eventually("two are kept", || {
        let text = server.get("/metrics").text().to_owned();
        text.contains("store_monitor_backups 2\n").then_some(text)
    });
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("store_monitor_backup_age_seconds ")
    );
    let made = eventually("a third takes the place of the first", || {
        let log = home.text("server.log");
        (log.matches("made a backup").count() > 2).then_some(log)
    });
    assert!(!made.contains("ERROR"), "{made}");
    // The folder is gone: that is said, and tried again.
    fs::rename(home.path("backups"), home.path("away")).expect("a rename");
    home.write("backups", "");
    let condition = || server.get("/health").json()["conditions"].to_string();
    eventually("the failure is told", || {
        condition().contains("backup_failed").then_some(())
    });
    fs::remove_file(home.path("backups")).expect("a file");
    fs::rename(home.path("away"), home.path("backups")).expect("a rename");
    eventually("the next one succeeds", || {
        (!condition().contains("backup_failed")).then_some(())
    });
    assert_eq!(server.terminate().code(), Some(0));
    let whole = backups()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "db"));
    for file in whole {
        let elsewhere = Home::new();
        elsewhere
            .run(&["restore", &file.display().to_string()])
            .exits(0);
        assert!(elsewhere.exports() == home.exports());
    }
}

#[test]
fn with_external_checkpoints_the_log_is_left_to_another_program() {
    let home = Home::seeded();
    home.run(&["generate", "made", "--stores", "2500", "--days", "9"])
        .exits(0);
    let log = || fs::metadata(home.path("store-monitor.db-wal")).map_or(0, |facts| facts.len());
    let server = Server::start_with(&home, &["serve", "--external-checkpoints"]);
    let polls = home.read("made/store_status.csv");
    let main = || fs::metadata(home.database()).expect("a database").len();
    let before = main();
    assert_eq!(
        server.post("/api/polls", "text/csv", &[], &polls).status,
        200
    );
    let grown = log();
    assert!(grown > 1000 * 8192, "{grown}");
    for number in 0..20 {
        assert_eq!(
            server
                .post("/api/polls", "text/csv", &[], poll(number).as_bytes())
                .status,
            200
        );
    }
    assert_eq!(server.terminate().code(), Some(0));
    assert!(log() >= grown && main() == before, "{} {}", log(), main());
    home.run(&["import", "--external-checkpoints", "made/stores.csv"])
        .exits(0);
    assert!(log() >= grown);
    // Without it, the log goes into the database.
    assert_eq!(Server::start(&home).terminate().code(), Some(0));
    assert_eq!(log(), 0);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

/// Kills the command after about so long, unless it ends before.
fn run_and_kill(home: &Home, arguments: &[&str], after: Duration) {
    let mut command = home.command(arguments);
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = silent.spawn().expect("it starts");
    let began = Instant::now();
    while began.elapsed() < after && child.try_wait().expect("a child").is_none() {
        thread::yield_now();
    }
    let _ = child.kill();
    ends(&mut child);
}

#[test]
fn a_restore_or_a_backup_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let home = Home::seeded();
    let old = home.exports();
    home.run(&["backup", "old.db"]).exits(0);
    home.write("more.csv", poll(0));
    home.import(&["more.csv"]);
    let new = home.exports();
    home.run(&["backup", "new.db"]).exits(0);
    let began = Instant::now();
    home.run(&["restore", "new.db"]).exits(0);
    let takes = began.elapsed();
    let mut seen = [0, 0];
    for number in 0..40 {
        let (name, is_new) = if number % 2 == 0 {
            ("old.db", 0)
        } else {
            ("new.db", 1)
        };
        let before = home.exports();
        run_and_kill(&home, &["restore", name], takes * number / 16);
        let now = home.exports();
        assert!(
            now == before || now == [&old, &new][is_new].clone(),
            "{number}"
        );
        seen[usize::from(now != before)] += 1;
        assert_eq!(home.print(&["check"]), b"ok\n");
        run_and_kill(&home, &["backup", "again.db"], takes * number / 16);
        if home.path("again.db").exists() {
            let again =
                exports_of(&rusqlite::Connection::open(home.path("again.db")).expect("a backup"));
            assert!(again == old || again == new, "{number}");
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    // The next ones that succeed leave no parts behind.
    home.run(&["restore", "new.db"]).exits(0);
    home.run(&["backup", "again.db"]).exits(0);
    assert!(
        home.names().iter().all(|name| !name.contains(".part-")),
        "{:?}",
        home.names()
    );
}

#[test]
fn an_admin_fetches_a_backup_while_rows_come_in_and_it_restores() {
    let home = Home::seeded();
    let ask = |scope: &str| {
        let made = home.print(&["token", "add", scope, "--scope", scope]);
        let secret = String::from_utf8(made).expect("text");
        format!("Bearer {}", secret.trim())
    };
    let (admin, reader) = (ask("admin"), ask("read"));
    let server = Server::start(&home);
    let fetch = |token: &str| server.get_with("/api/backup", &[("Authorization", token)]);
    fetch(&reader).problem(403);
    server.get("/api/backup").problem(401);
    let foreign = [
        ("Authorization", admin.as_str()),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    server.get_with("/api/backup", &foreign).problem(403);

    let (address, token) = (server.address.clone(), admin.clone());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        let client = crate::harness::Client::new(address);
        let mut sent = 0;
        while stopped.try_recv().is_err() {
            let poll = format!(
                "store_id,timestamp_utc,status\nnew-{sent},2026-11-02 10:00:00 UTC,active\n"
            );
            let taken = client.post(
                "/api/polls",
                "text/csv",
                &[("Authorization", &token)],
                poll.as_bytes(),
            );
            assert_eq!(taken.status, 200, "{}", taken.text());
            sent += 1;
        }
        sent
    });
    let fetched: Vec<_> = (0..3).map(|_| fetch(&admin)).collect();
    stop.send(()).expect("a writer");
    assert!(writer.join().expect("no panic") > 0);
    for answer in &fetched {
        assert_eq!(
            answer.status,
            200,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(answer.header("Content-Type"), "application/vnd.sqlite3");
        let name = answer.header("Content-Disposition");
        assert!(
            name.starts_with("attachment; filename=\"store-monitor-2"),
            "{name}"
        );
        let hash: String = sha2::Sha256::digest(&answer.body)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(answer.header("Backup-SHA-256"), hash);
        assert!(answer.header("Repr-Digest").starts_with("sha-256=:"));
        let elsewhere = Home::new();
        elsewhere.write("fetched.db", &answer.body);
        elsewhere.run(&["restore", "fetched.db"]).exits(0);
        assert_eq!(elsewhere.print(&["check"]), b"ok\n");
        let polls = String::from_utf8(elsewhere.print(&["export", "polls"])).expect("text");
        assert!(polls.lines().count() > 1000);
    }
    let audit = server.get_with("/api/audit", &[("Authorization", &admin)]);
    let rows = audit.json()["audit"].as_array().expect("rows").clone();
    let backups: Vec<_> = rows
        .iter()
        .filter(|row| row["action"] == "backup")
        .collect();
    assert_eq!(backups.len(), 3);
    assert_eq!(backups[0]["credential"], "admin");
    assert_eq!(backups[0]["count"], fetched[2].body.len());
    // Nothing of the copies stays beside the database.
    assert!(
        !home.names().iter().any(|name| name.contains(".part-")),
        "{:?}",
        home.names()
    );
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn two_backups_that_fail_in_a_row_are_a_condition_until_one_is_made() {
    let home = Home::seeded();
    home.write("backups", "a file in the way");
    let server = Server::start_with(
        &home,
        &["serve", "--backup-dir", "backups", "--backup-every", "1s"],
    );
    let health = || server.get("/health").json();
    let missed = eventually("two are missed", || {
        health()["backups_missed_since"].as_str().map(str::to_owned)
    });
    assert!(missed.starts_with('2'), "{missed}");
    fs::remove_file(home.path("backups")).expect("a file");
    eventually("one is made", || {
        health()["backups_missed_since"].is_null().then_some(())
    });
}
