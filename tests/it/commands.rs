//! The command line: arguments in, bytes, files and exit codes out.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use rusqlite::Connection;
use store_monitor::cli::CommandLine;
use store_monitor::ingest::kind::Kind;

use crate::harness::{Home, Outcome, ends, eventually, project, run, seeds};

const HEADER: &str = "store_id,status,timestamp_utc\n";

/// A file of one poll a line, in the order of the header above.
fn polls(lines: &[&str]) -> String {
    let mut text = HEADER.to_owned();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Three polls of two stores.
fn three_polls() -> String {
    polls(&[
        "aa,active,2023-01-24 10:00:00 UTC",
        "aa,inactive,2023-01-24 11:00:00.5 UTC",
        "bb,active,2023-01-24 11:30:00 UTC",
    ])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

/// What the summary counts: accepted, unchanged, replaced and rejected rows.
#[track_caller]
fn counts(outcome: &Outcome) -> [u64; 4] {
    let last = outcome.stderr.lines().last().expect("a summary");
    let (_, counts) = last.split_once(": ").expect("counts");
    let counts = counts.split(';').next().expect("counts");
    let count = |word: &str| {
        let part = counts.split(", ").find(|part| part.ends_with(word));
        let part = part.unwrap_or_else(|| panic!("no `{word}`: {last}"));
        let digits: String = part.chars().filter(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    ["accepted", "unchanged", "replaced", "rejected"].map(count)
}

// What is said and left behind when something is wrong.

#[test]
fn an_unknown_command_or_flag_is_wrong_usage() {
    let home = Home::new();
    home.run(&["improt"]).exits(2).says(&["improt", "import"]);
    home.run(&["report", "--asof", "x"])
        .exits(2)
        .says(&["--as-of"]);
    home.run::<&str>(&[]).exits(2).says(&["Usage"]);
    home.run(&["import"]).exits(2).says(&["<FILE>"]);
    let bad_instant = home.run(&["report", "--as-of", "yesterday"]);
    bad_instant
        .exits(2)
        .says(&["`yesterday` is not an instant", "expected one such as"]);
    home.run(&["report", "--interpolation", "linear"])
        .exits(2)
        .says(&["nearest", "previous"]);
    assert!(home.names().is_empty(), "{:?}", home.names());
}

#[test]
fn help_and_version_are_data() {
    let home = Home::new();
    let help = home.run(&["--help"]).exits(0);
    let commands = [
        "demo", "serve", "import", "report", "export", "check", "generate", "docs",
    ];
    for command in commands {
        assert!(help.text().contains(command), "{command}: {help}");
        home.run(&[command, "--help"]).exits(0);
    }
    let version = format!("store-monitor {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(home.run(&["--version"]).exits(0).text(), version);
}

#[test]
fn every_setting_has_its_environment_variable() {
    fn walk(command: &clap::Command, wrong: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            if matches!(long, "help" | "version") {
                continue;
            }
            let expected = format!("STORE_MONITOR_{}", long.replace('-', "_").to_uppercase());
            let found = argument
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            if found.as_deref() != Some(expected.as_str()) {
                wrong.push(format!(
                    "{} --{long}: {found:?}, not {expected}",
                    command.get_name()
                ));
            }
        }
        for command in command.get_subcommands() {
            walk(command, wrong);
        }
    }
    let mut wrong = Vec::new();
    walk(&CommandLine::command(), &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_that_is_none_of_ours_is_refused_in_one_sentence_and_makes_no_database() {
    let home = Home::new();
    home.write("orders.csv", "order,amount\n1,2\n");
    home.write("half.csv", "store_id,status\naa,active\n");
    home.write("empty.csv", "");
    fs::create_dir(home.path("folder")).expect("a folder");
    let names = home.names();
    for (file, words) in [
        ("orders.csv", ["orders.csv", "store_id"]),
        ("half.csv", ["half.csv", "timestamp_utc"]),
        ("empty.csv", ["empty.csv", "header"]),
        ("missing.csv", ["cannot read missing.csv", "check its name"]),
        ("folder", ["folder is a folder", "name the files in it"]),
    ] {
        home.run(&["import", file]).exits(2).refuses(&words);
        home.run(&["import", file, "--rejects", "rejects.csv"])
            .exits(2)
            .refuses(&words);
    }
    assert_eq!(home.names(), names);
}

#[test]
fn a_command_that_reads_needs_a_database() {
    let home = Home::new();
    for command in [&["report"][..], &["check"], &["export", "polls"]] {
        home.run(command)
            .exits(2)
            .refuses(&["store-monitor.db does not exist", "`import` creates it"]);
    }
    assert!(home.names().is_empty(), "{:?}", home.names());
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused_and_left_alone() {
    let home = Home::new();
    home.write("polls.csv", three_polls());
    let text = "not a database. ".repeat(1000);
    home.write("text.db", &text);
    let other = Connection::open(home.path("other.db")).expect("a database");
    other
        .execute_batch("CREATE TABLE album (title TEXT); INSERT INTO album VALUES ('Rumours')")
        .expect("a table");
    drop(other);
    home.import(&["polls.csv", "--database=newer.db"]);
    let newer = Connection::open(home.path("newer.db")).expect("a database");
    newer
        .pragma_update(None, "user_version", 99)
        .expect("a version");
    drop(newer);

    let files = ["text.db", "other.db", "newer.db"];
    let before = files.map(|file| home.read(file));
    for (file, words) in [
        ("text.db", ["not an SQLite database", "--database"]),
        ("other.db", ["another program", "--database"]),
        (
            "newer.db",
            ["schema version 99", "use a newer store-monitor"],
        ),
    ] {
        for command in [
            &["import", "polls.csv"][..],
            &["report"],
            &["check"],
            &["export", "polls"],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            let mut arguments = command.to_vec();
            arguments.extend(["--database", file]);
            home.run(&arguments).exits(2).refuses(&[file]).says(&words);
        }
    }
    assert_eq!(files.map(|file| home.read(file)), before);
}

#[test]
fn a_database_that_another_process_writes_is_waited_for_and_then_told_of() {
    let home = Home::new();
    home.write("polls.csv", three_polls());
    home.write("more.csv", polls(&["cc,active,2023-01-24 12:00:00 UTC"]));
    home.import(&["polls.csv"]);
    let before = home.print(&["export", "polls"]);
    let lock = home.sqlite();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let mut import = home.command(&["import", "more.csv"]);
    let mut import = import
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // Whoever reads need not wait.
    assert_eq!(home.print(&["export", "polls"]), before);
    home.print(&["report"]);
    assert_eq!(import.try_wait().expect("a child"), None);
    assert_eq!(ends(&mut import).code(), Some(1));
    let told = std::io::read_to_string(import.stderr.take().expect("a pipe")).expect("text");
    assert!(told.contains("is locked by another process"), "{told}");
    assert!(told.contains("try again"), "{told}");
    lock.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(home.print(&["export", "polls"]), before);
    home.import(&["more.csv"]);
}

#[test]
fn an_import_waits_for_a_short_lock() {
    let home = Home::new();
    home.write("polls.csv", three_polls());
    home.import(&["polls.csv"]);
    home.write("more.csv", polls(&["cc,active,2023-01-24 12:00:00 UTC"]));
    let lock = home.sqlite();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let mut import = home.command(&["import", "more.csv"]);
    let mut import = import.stderr(Stdio::null()).spawn().expect("it starts");
    // It has opened the database once it holds the file of shared memory, too.
    eventually("the import has started", || {
        let open = fs::read_dir(format!("/proc/{}/fd", import.id()));
        let Ok(open) = open else { return Some(()) };
        let mut files = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        files.any(|file| file == home.database()).then_some(())
    });
    lock.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(ends(&mut import).code(), Some(0));
}

#[test]
fn a_port_in_use_is_told_with_the_flag_that_names_another() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    home.run(&["serve", "--listen", &address])
        .exits(2)
        .refuses(&[&address, "--listen names another"]);
}

#[test]
#[cfg(unix)]
fn output_goes_into_a_pipe_and_to_where_a_link_leads_and_replaces_neither() {
    use std::os::unix::fs::{FileTypeExt, symlink};

    let home = Home::seeded();
    let report = home.print(&["report"]);
    let made = Command::new("mkfifo").arg(home.path("pipe")).status();
    assert!(made.expect("mkfifo").success());
    let pipe = home.path("pipe");
    let reader = std::thread::spawn(move || fs::read(pipe).expect("a pipe"));
    home.print(&["report", "--output", "pipe"]);
    assert_eq!(reader.join().expect("a reader"), report);
    let facts = fs::symlink_metadata(home.path("pipe")).expect("a pipe");
    assert!(facts.file_type().is_fifo());

    fs::create_dir(home.path("elsewhere")).expect("a folder");
    home.write("elsewhere/report.csv", "old");
    symlink("elsewhere/report.csv", home.path("link")).expect("a link");
    home.print(&["report", "--output", "link"]);
    assert_eq!(home.read("elsewhere/report.csv"), report);
    let facts = fs::symlink_metadata(home.path("link")).expect("a link");
    assert!(facts.file_type().is_symlink());
}

#[test]
fn output_that_cannot_be_written_is_told_and_nothing_is_left() {
    let home = Home::new();
    home.write("polls.csv", three_polls());
    home.import(&["polls.csv"]);
    let names = home.names();
    home.run(&["report", "--output", "no/such/folder.csv"])
        .exits(2)
        .refuses(&["cannot write no/such/folder.csv"]);
    home.run(&["import", "polls.csv", "--rejects", "no/such/folder.csv"])
        .exits(2)
        .refuses(&["cannot write no/such/folder.csv"]);
    assert_eq!(home.names(), names);
}

// Import.

#[test]
fn one_bad_row_refuses_the_whole_call() {
    let home = Home::new();
    home.write("good.csv", three_polls());
    home.write(
        "bad.csv",
        polls(&[
            "aa,active,2023-01-24 12:00:00 UTC",
            "aa,huh,2023-01-24 13:00:00 UTC",
        ]),
    );
    let refused = home.run(&["import", "good.csv", "bad.csv"]).exits(2);
    refused.says(&[
        "bad.csv line 3, column status: unknown status `huh` (expected `active` or `inactive`)",
        "1 row was refused, so nothing was written",
        "--rejects FILE",
    ]);
    assert!(!home.database().exists());

    home.import(&["good.csv"]);
    let (before, exports) = (fs::read(home.database()).unwrap(), home.exports());
    home.run(&["import", "good.csv", "bad.csv"]).exits(2);
    // A file that is refused takes the good one before it along.
    home.write("none.csv", "order,amount\n1,2\n");
    home.write("new.csv", polls(&["zz,active,2023-01-24 12:00:00 UTC"]));
    home.run(&["import", "new.csv", "none.csv"]).exits(2);
    home.run(&["import", "new.csv", "missing.csv"]).exits(2);
    assert_eq!(fs::read(home.database()).unwrap(), before);
    assert_eq!(home.exports(), exports);
}

#[test]
fn rejects_take_the_good_rows_and_keep_the_bad_ones_as_they_came() {
    let home = Home::new();
    home.write("good.csv", three_polls());
    let bad = "\"a,\"\"b\"\"\", huh ,2023-01-24 13:00:00 UTC";
    home.write(
        "bad.csv",
        polls(&["cc,active,2023-01-24 12:00:00 UTC", bad, "dd,active,soon"]),
    );
    let imported = home
        .run(&["import", "good.csv", "bad.csv", "--rejects", "rejects.csv"])
        .exits(0);
    assert_eq!(counts(&imported), [4, 0, 0, 2]);
    let rejects = home.text("rejects.csv");
    let mut rejects = csv::Reader::from_reader(rejects.as_bytes());
    let columns = ["file", "line", "column", "code", "value", "reason", "row"];
    assert_eq!(rejects.headers().expect("a header"), &columns[..]);
    let rows: Vec<_> = rejects.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 2);
    let first: Vec<_> = rows[0].iter().take(4).collect();
    assert_eq!(first, ["bad.csv", "3", "status", "status"]);
    assert_eq!(&rows[0][6], bad);
    let second: Vec<_> = rows[1].iter().take(5).collect();
    assert_eq!(
        second,
        ["bad.csv", "4", "timestamp_utc", "timestamp", "soon"]
    );
    assert_eq!(&rows[1][6], "dd,active,soon");
    let exported = String::from_utf8(home.print(&["export", "polls"])).unwrap();
    assert_eq!(exported.lines().count(), 1 + 4);
}

#[test]
fn the_rejects_of_good_input_are_a_header_alone() {
    let home = Home::new();
    home.write("good.csv", three_polls());
    home.run(&["import", "good.csv", "--rejects", "rejects.csv"])
        .exits(0);
    assert_eq!(
        home.text("rejects.csv"),
        "file,line,column,code,value,reason,row\n"
    );
}

#[test]
fn a_hundred_bad_rows_are_told_and_all_are_counted() {
    let home = Home::new();
    let mut text = HEADER.to_owned();
    for _ in 0..1150 {
        text.push_str("aa,huh,2023-01-24 13:00:00 UTC\n");
    }
    home.write("bad.csv", text);
    let refused = home.run(&["import", "bad.csv"]).exits(2);
    let told = refused
        .stderr
        .lines()
        .filter(|line| line.starts_with("bad.csv line "));
    assert_eq!(told.count(), 100);
    let refused = refused.says(&["1,150 rows were refused", "1,050 more than are told above"]);
    assert_eq!(refused.stderr.lines().count(), 101);
    // Not one row is good: nothing is loaded, and the file says why.
    home.run(&["import", "bad.csv", "--rejects", "rejects.csv"])
        .exits(2)
        .says(&["every row was refused", "1,150 rows in the rejects file"]);
    assert_eq!(home.text("rejects.csv").lines().count(), 1 + 1150);
    home.write("good.csv", three_polls());
    home.run(&["import", "bad.csv", "good.csv", "--rejects", "rejects.csv"])
        .exits(0)
        .says(&["1,150 rejected"]);
    assert_eq!(home.text("rejects.csv").lines().count(), 1 + 1150);
}

#[test]
fn files_come_in_any_dress() {
    let plain = Home::new();
    plain.write("polls.csv", three_polls());
    plain.import(&["polls.csv"]);
    let expected = plain.print(&["export", "polls"]);

    let reordered = "Timestamp_UTC, store_id ,STATUS\n\
                     2023-01-24T10:00:00Z,aa,active\n\
                     2023-01-24 12:00:00.5+01:00,aa,INACTIVE\n\
                     2023-01-24 11:30:00,bb, active \n";
    let dressed = [
        ("compressed.csv.gz", gzip(three_polls().as_bytes())),
        (
            "compressed-without-saying.csv",
            gzip(three_polls().as_bytes()),
        ),
        (
            "windows.csv",
            three_polls().replace('\n', "\r\n").into_bytes(),
        ),
        (
            "marked.csv",
            format!("\u{feff}{}", three_polls()).into_bytes(),
        ),
        ("unended.csv", three_polls().trim_end().as_bytes().to_vec()),
        ("reordered.csv", reordered.as_bytes().to_vec()),
    ];
    for (name, bytes) in dressed {
        let home = Home::new();
        home.write(name, bytes);
        home.import(&[name]);
        let exported = home.print(&["export", "polls"]);
        assert_eq!(
            String::from_utf8_lossy(&exported),
            String::from_utf8_lossy(&expected),
            "{name}"
        );
    }
}

#[test]
fn a_dash_is_stdin_and_messages_call_it_so() {
    let home = Home::new();
    let text = three_polls();
    run(&mut home.command(&["import", "-"]), text.as_bytes())
        .exits(0)
        .says(&["1 file: 3 rows accepted"]);
    run(&mut home.command(&["import", "-"]), &gzip(text.as_bytes()))
        .exits(0)
        .says(&["0 rows accepted, 3 unchanged", "note: stdin: gzip"]);
    let bad = polls(&["aa,huh,2023-01-24 13:00:00 UTC"]);
    run(&mut home.command(&["import", "-"]), bad.as_bytes())
        .exits(2)
        .says(&["stdin line 2, column status"]);
    run(&mut home.command(&["import", "-"]), b"")
        .exits(2)
        .refuses(&["stdin"]);
}

#[test]
fn importing_the_same_files_again_changes_nothing() {
    let home = Home::new();
    let first = home.import(&seeds());
    let (exports, report) = (home.exports(), home.print(&["report"]));
    let generations = || {
        let db = home.sqlite();
        let mut select = db.prepare("SELECT value FROM generation").unwrap();
        let values = select.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        values.map(Result::unwrap).collect::<Vec<_>>()
    };
    let before = generations();
    let again = home.import(&seeds());
    let [rows, ..] = counts(&first);
    assert_eq!(counts(&first), [rows, 0, 0, 0]);
    assert_eq!(counts(&again), [0, rows, 0, 0]);
    assert_eq!(home.exports(), exports);
    assert_eq!(home.print(&["report"]), report);
    // What a server has in memory stays good.
    assert_eq!(generations(), before);
}

#[test]
fn the_poll_that_came_in_last_stands() {
    let home = Home::new();
    home.write("polls.csv", three_polls());
    home.import(&["polls.csv"]);
    home.write(
        "corrections.csv",
        polls(&[
            "aa,inactive,2023-01-24 10:00:00 UTC",
            "aa,inactive,2023-01-24 11:00:00.5 UTC",
            "cc,active,2023-01-24 11:00:00 UTC",
        ]),
    );
    let corrected = home.import(&["corrections.csv"]);
    assert_eq!(counts(&corrected), [1, 1, 1, 0]);
    let exported = String::from_utf8(home.print(&["export", "polls"])).unwrap();
    assert!(
        exported.contains("aa,inactive,2023-01-24 10:00:00 UTC"),
        "{exported}"
    );
    // Two answers at one instant in one call: the later row stands, and the call can be repeated.
    home.write(
        "both.csv",
        polls(&[
            "aa,inactive,2023-01-24 09:00:00 UTC",
            "aa,active,2023-01-24 09:00:00 UTC",
        ]),
    );
    let both = home
        .import(&["both.csv"])
        .says(&["note: both.csv: replaced, once on line 3: "]);
    assert_eq!(counts(&both), [1, 0, 1, 0]);
    let again = home.import(&["both.csv"]);
    assert_eq!(counts(&again), [0, 2, 0, 0]);
}

#[test]
fn business_hours_zones_and_names_replace_those_of_the_stores_they_name() {
    let home = Home::new();
    let hours = "store_id,day,start_time_local,end_time_local\n";
    home.write(
        "hours.csv",
        format!("{hours}aa,0,09:00:00,17:00:00\naa,1,09:00:00,17:00:00\nbb,0,08:00:00,24:00:00\n"),
    );
    home.write(
        "zones.csv",
        "store_id,timezone_str\naa,Asia/Tokyo\nbb,UTC\n",
    );
    home.write(
        "stores.csv",
        "store_id,name,group\naa,First,Us\nbb,Second,Us\n",
    );
    home.import(&["hours.csv", "zones.csv", "stores.csv"]);
    home.write("hours.csv", format!("{hours}aa,2,10:00:00,02:00:00\n"));
    home.write("zones.csv", "store_id,timezone_str\nbb,Asia/Kolkata\n");
    home.write("stores.csv", "store_id,name,group\nbb,Second,\n");
    home.import(&["hours.csv", "zones.csv", "stores.csv"]);
    let [_, exported_hours, _, zones, stores] =
        home.exports().map(|csv| String::from_utf8(csv).unwrap());
    assert_eq!(
        exported_hours,
        format!("{hours}aa,2,10:00:00,02:00:00\nbb,0,08:00:00,24:00:00\n")
    );
    assert_eq!(
        zones,
        "store_id,timezone_str\naa,Asia/Tokyo\nbb,Asia/Kolkata\n"
    );
    assert_eq!(stores, "store_id,name,group\naa,First,Us\nbb,Second,\n");
}

#[test]
fn two_zones_of_one_store_in_one_call_are_a_conflict_told_with_its_line() {
    let home = Home::new();
    home.write("one.csv", "store_id,timezone_str\naa,UTC\nbb,UTC\n");
    home.write("two.csv", "store_id,timezone_str\ncc,UTC\naa,Asia/Tokyo\n");
    home.run(&["import", "one.csv", "two.csv"]).exits(2).says(&[
        "two.csv line 3, column timezone_str",
        "`UTC`",
        "keep one",
    ]);
    assert!(!home.database().exists());
    // One after the other they are no conflict: the one that came in last stands.
    home.import(&["one.csv"]);
    home.import(&["two.csv"]);
    let zones = String::from_utf8(home.print(&["export", "timezones"])).unwrap();
    assert!(zones.contains("aa,Asia/Tokyo\n"), "{zones}");
}

#[cfg(unix)]
#[test]
fn a_new_database_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::seeded();
    let facts = fs::metadata(home.database()).expect("a database");
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    let db = home.sqlite();
    db.execute_batch("BEGIN IMMEDIATE; UPDATE generation SET value = value; COMMIT")
        .expect("a write");
    for name in home.names() {
        let mode = fs::metadata(home.path(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

// Export, report, check, generate.

#[test]
fn what_is_exported_comes_in_again_and_gives_the_same_report() {
    let home = Home::seeded();
    home.run(&[
        "generate", "made", "--stores", "20", "--days", "9", "--seed", "3",
    ])
    .exits(0);
    home.import(&[
        "made/store_status.csv",
        "made/menu_hours.csv",
        "made/special_hours.csv",
        "made/timezones.csv",
        "made/stores.csv",
    ]);
    home.write(
        "odd.csv",
        "store_id,status,timestamp_utc\n\
         =1+1,active,2026-11-07 12:00:00.000001 UTC\n\
         \"a,b\",inactive,2026-11-07 12:00:00.1 UTC\n\
         \"say \"\"hi\"\"\",active,2026-11-07 12:00:00 UTC\n\
         čaj ☕,active,2026-11-07 12:00:00 UTC\n\
         007,active,2026-11-07 12:00:00 UTC\n",
    );
    home.write(
        "odd-hours.csv",
        "store_id,dayOfWeek,start_time_local,end_time_local\n\
         007,6,00:00:00,24:00:00\n007,5,22:00:00,02:00:00\n\"a,b\",0,09:00:00,09:00:00\n",
    );
    home.import(&["odd.csv", "odd-hours.csv"]);

    let other = Home::new();
    let kinds = Kind::ALL.map(|kind| kind.description().slug);
    let files = kinds.map(|kind| format!("{kind}.csv"));
    let exported = home.exports();
    for (file, bytes) in files.iter().zip(&exported) {
        assert!(
            bytes.iter().filter(|&&byte| byte == b'\n').count() > 10,
            "{file}"
        );
        other.write(file, bytes);
    }
    // The order of the files is no part of what they say.
    let reversed: Vec<_> = files.iter().rev().collect();
    other.import(&reversed);
    for ((kind, first), second) in kinds.iter().zip(&exported).zip(&other.exports()) {
        assert!(first == second, "{kind} differ");
    }
    for rule in ["nearest", "previous"] {
        let report = ["report", "--interpolation", rule];
        assert_eq!(home.print(&report), other.print(&report));
    }
    assert_eq!(home.print(&["check"]), b"ok\n");
    assert_eq!(other.print(&["check"]), b"ok\n");
    // To a file is the same bytes as to stdout.
    assert!(
        home.print(&["export", "polls", "--output", "polls.csv"])
            .is_empty()
    );
    assert_eq!(home.read("polls.csv"), exported[0]);
}

#[test]
fn a_report_goes_to_a_file_whole() {
    let home = Home::seeded();
    let report = home.print(&["report"]);
    assert!(report.starts_with(b"store_id,uptime_last_hour,uptime_last_day,uptime_last_week,"));
    assert_eq!(report.iter().filter(|&&byte| byte == b'\n').count(), 1 + 63);
    home.write("report.csv", "what was there before");
    assert!(home.print(&["report", "--output", "report.csv"]).is_empty());
    assert_eq!(home.read("report.csv"), report);
    assert!(
        home.names().iter().all(|name| !name.contains(".part")),
        "{:?}",
        home.names()
    );
}

#[test]
fn a_report_of_an_instant_does_not_know_what_came_later() {
    let home = Home::seeded();
    let as_of = ["report", "--as-of", "2026-11-05 12:00:00 UTC"];
    let before = home.print(&as_of);
    assert_ne!(before, home.print(&["report"]));
    home.write(
        "later.csv",
        polls(&["nyc-times-square,inactive,2026-11-05 12:00:00.000001 UTC"]),
    );
    home.import(&["later.csv"]);
    assert_eq!(home.print(&as_of), before);
    for spelled in ["2026-11-05T12:00:00Z", "2026-11-05T13:00:00+01:00"] {
        assert_eq!(home.print(&["report", "--as-of", spelled]), before);
    }
}

#[test]
fn a_report_of_no_polls_is_as_of_the_machine_s_clock_and_says_so() {
    let home = Home::new();
    home.write("zones.csv", "store_id,timezone_str\naa,UTC\n");
    home.import(&["zones.csv"]);
    let report = home.run(&["report"]).exits(0).says(&["no polls yet"]);
    assert_eq!(report.text().lines().nth(1), Some("aa,,,,,,"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let home = Home::new();
    home.run(&["generate", "made", "--stores", "30", "--days", "9"])
        .exits(0);
    home.import(&["made/store_status.csv"]);
    let mut command = home.command(&["export", "polls"]);
    let mut export = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut reader = BufReader::new(export.stdout.take().expect("a pipe"));
    reader.read_line(&mut line).expect("a line");
    assert_eq!(line, HEADER);
    drop(reader);
    assert_eq!(ends(&mut export).code(), Some(0));
    let told = std::io::read_to_string(export.stderr.take().expect("a pipe")).expect("text");
    assert_eq!(told, "");
}

#[test]
fn check_finds_what_was_planted() {
    let home = Home::seeded();
    assert_eq!(home.print(&["check"]), b"ok\n");
    let whole = home.read("store-monitor.db");
    let uuid = "11111111-2222-3333-4444-555555555555";
    let insert = "INSERT INTO report (id, state, as_of, interpolation, triggered_at, finished_at";
    let report = format!("{insert}) VALUES ('{uuid}', ");
    let plants = [
        (
            "INSERT INTO poll VALUES (1, 99999, 1)",
            "polls of a store key",
        ),
        (
            "INSERT INTO store_hours SELECT 99999, '', min(key) FROM schedule",
            "business hours of a store key",
        ),
        (
            "UPDATE store_hours SET schedule = 99999 WHERE store = (SELECT max(store) FROM store_hours)",
            "business hours of a schedule that is not there",
        ),
        (
            "INSERT INTO schedule (week) VALUES ('[]')",
            "a schedule that no store keeps",
        ),
        (
            "UPDATE store SET timezone = 'Mars/Olympus' WHERE key = (SELECT max(key) FROM store)",
            "`Mars/Olympus`",
        ),
        (
            "UPDATE schedule SET week = '[[0,\"09:00:00\",\"noon\"]]' WHERE key = (SELECT max(key) FROM schedule)",
            "noon",
        ),
        (
            "UPDATE store SET name = NULL WHERE key = (SELECT max(key) FROM store)",
            "a name without a group",
        ),
        (
            "UPDATE store SET store_id = '' WHERE key = (SELECT max(key) FROM store)",
            "an empty id",
        ),
        (
            "UPDATE store SET key = -5 WHERE key = (SELECT max(key) FROM store)",
            "not a 32-bit number",
        ),
        (
            &format!("{insert}) VALUES ('seven', 'Running', 0, 'nearest', 0, NULL)"),
            "`seven`",
        ),
        (
            &format!("{report}'Complete', 0, 'nearest', 0, 0)"),
            "without its rows",
        ),
        (
            &format!("{insert}, stores, rows) VALUES ('{uuid}', 'Complete', 0, 'nearest', 0, 0, 'h', x'')"),
            "is damaged",
        ),
        (
            &format!(
                "INSERT INTO store_list VALUES ('h', '[\"one\"]');
                 {insert}, stores, rows) VALUES ('{uuid}', 'Complete', 0, 'nearest', 0, 0, 'h', zeroblob(13))"
            ),
            "is damaged",
        ),
        (
            &format!("{report}'Failed', 0, 'nearest', 0, 0)"),
            "without its reason",
        ),
        (
            &format!("{report}'Running', 0, 'nearest', 0, 0)"),
            "an end of one that runs",
        ),
    ];
    for (plant, told) in plants {
        home.write("store-monitor.db", &whole);
        home.sqlite().execute_batch(plant).expect(plant);
        let found = home
            .run(&["check"])
            .exits(1)
            .says(&["fault", "keep a copy"]);
        assert!(found.text().contains(told), "{plant}: {found}");
        assert!(!found.text().contains("ok\n"), "{plant}: {found}");
    }
}

#[test]
fn check_tells_of_a_damaged_file() {
    let home = Home::seeded();
    let mut bytes = home.read("store-monitor.db");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 8192].fill(0xAA);
    home.write("store-monitor.db", bytes);
    let found = home.run(&["check"]).exits(1);
    assert!(
        found.text().contains("SQLite reports") || found.stderr.contains("damaged"),
        "{found}"
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let home = Home::new();
    let generate = |folder: &str, seed: &str| {
        let arguments = [
            "generate", "--stores", "12", "--days", "3", "--seed", seed, folder,
        ];
        home.run(&arguments).exits(0);
        let files = [
            "store_status.csv",
            "menu_hours.csv",
            "timezones.csv",
            "stores.csv",
        ];
        files.map(|file| home.read(&format!("{folder}/{file}")))
    };
    let first = generate("one", "7");
    assert!(first == generate("two", "7"));
    assert!(first[0] != generate("three", "8")[0]);
    home.run(&["generate", "--stores", "0", "none"]).exits(2);
}

#[test]
fn the_order_of_generated_rows_changes_no_report() {
    let home = Home::new();
    let report = |order: &str| {
        let database = format!("--database={order}.db");
        let generate = [
            "generate",
            "--stores=12",
            "--days=3",
            "--order",
            order,
            order,
        ];
        home.run(&generate).exits(0);
        let files = ["store_status.csv", "menu_hours.csv"].map(|file| format!("{order}/{file}"));
        home.run(&["import", &files[0], &files[1], &database])
            .exits(0);
        home.print(&["report", &database])
    };
    let by_time = report("time");
    assert!(by_time == report("store") && by_time == report("shuffled"));
    home.run(&["generate", "--order", "size", "none"])
        .exits(2)
        .says(&["time", "store", "shuffled"]);
}

#[test]
fn settings_come_from_the_environment_and_flags_win() {
    let home = Home::new();
    home.write("polls.csv", three_polls());
    let with = |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut command = home.command(arguments);
        for (name, value) in settings {
            command.env(format!("STORE_MONITOR_{name}"), value);
        }
        run(&mut command, b"")
    };
    with(&["import", "polls.csv"], &[("DATABASE", "named.db")]).exits(0);
    assert!(home.path("named.db").exists() && !home.database().exists());
    let named = ("DATABASE", "named.db");
    let flags = [
        "report",
        "--database",
        "named.db",
        "--as-of",
        "2023-01-24 11:00:00 UTC",
        "--interpolation",
        "previous",
    ];
    let by_flags = home.print(&flags);
    let as_of = ("AS_OF", "2023-01-24 11:00:00 UTC");
    let rule = ("INTERPOLATION", "previous");
    let by_settings = with(&["report"], &[named, as_of, rule]).exits(0);
    assert_eq!(by_settings.stdout, by_flags);
    with(&["report"], &[named, as_of, rule, ("OUTPUT", "out.csv")]).exits(0);
    assert_eq!(home.read("out.csv"), by_flags);
    let elsewhere = [
        ("DATABASE", "missing.db"),
        ("AS_OF", "2001-01-01 00:00:00 UTC"),
    ];
    assert_eq!(with(&flags, &elsewhere).exits(0).stdout, by_flags);
    with(&["report"], &[("DATABASE", "missing.db")])
        .exits(2)
        .refuses(&["missing.db does not exist"]);
    let generate = ["generate", "--stores=3", "--days=1", "made"];
    for (setting, dashes) in [("1", 4), ("false", 0)] {
        with(&generate, &[("UUID", setting)]).exits(0);
        let stores = home.text("made/stores.csv");
        let store = stores
            .lines()
            .nth(1)
            .and_then(|line| line.split(',').next());
        assert_eq!(store.unwrap().matches('-').count(), dashes, "{stores}");
    }
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    let home = Home::new();
    home.write("polls.csv", three_polls());
    home.run(&[
        "--database",
        "named.db",
        "--log=error",
        "import",
        "polls.csv",
    ])
    .exits(0);
    assert!(home.path("named.db").exists() && !home.database().exists());
    let before = home.print(&["--database", "named.db", "report"]);
    assert_eq!(home.print(&["report", "--database", "named.db"]), before);
    assert_eq!(
        home.print(&["export", "--database", "named.db", "stores"]),
        b"store_id,name,group\n"
    );
    assert_eq!(
        home.print(&["export", "stores", "--database", "named.db"]),
        b"store_id,name,group\n"
    );
    // The environment is for all commands; a flag is a mistake where there is no database.
    let mut command = home.command(&["generate", "--stores=1", "--days=1", "made"]);
    run(command.env("STORE_MONITOR_DATABASE", "named.db"), b"").exits(0);
    for command in ["demo", "generate", "docs"] {
        for arguments in [
            ["--database=x.db", command, "made"],
            [command, "made", "--database=x.db"],
        ] {
            let arguments = arguments
                .into_iter()
                .filter(|word| command == "generate" || *word != "made");
            let refused = home.run(&arguments.collect::<Vec<_>>()).exits(2);
            refused.says(&[command, "has no database", "leave --database away"]);
        }
        assert!(
            !home
                .run(&[command, "--help"])
                .exits(0)
                .text()
                .contains("--database")
        );
    }
    assert!(!home.path("x.db").exists());
}

#[test]
fn the_map_of_the_schema_can_be_read_by_any_sqlite_tool() {
    let home = Home::seeded();
    let db = home.sqlite();
    let count = |what: &str| -> i64 {
        let select = format!("SELECT count(*) FROM {what}");
        db.query_row(&select, [], |row| row.get(0)).expect(what)
    };
    assert_eq!(count("polls_readable"), count("poll"));
    let hours = String::from_utf8(home.print(&["export", "business-hours"])).expect("text");
    let hours = i64::try_from(hours.lines().count() - 1).expect("few");
    assert_eq!(count("business_hours_readable"), hours);
    assert!(count("schedule") < count("store_hours"));
    assert_eq!(count("reports_readable"), 0);
    let first: String = db
        .query_row("SELECT min(timestamp_utc) FROM polls_readable", [], |row| {
            row.get(0)
        })
        .expect("a timestamp");
    assert!(first.starts_with("2026-10-30 "), "{first}");
    assert!(project().join("schema.sql").exists());
}
