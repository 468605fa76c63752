//! The configuration file: which value wins, what its errors say, and how a running server reads it again.

use std::collections::BTreeMap;
use std::process::Command;

use clap::ArgAction;
use store_monitor::cli;

use crate::harness::{Home, Server, eventually};

/// The settings in force for a command, by `config`: key, value and where it comes from.
fn in_force(
    home: &Home,
    arguments: &[&str],
    more: &[(&str, &str)],
) -> BTreeMap<String, [String; 2]> {
    let mut command = home.command(&["config"]);
    command.args(arguments).envs(more.iter().copied());
    let printed = crate::harness::run(&mut command, b"").exits(0);
    let rows = printed.text().lines().skip(1);
    let cell = |row: &str| {
        let mut cells = row
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        let mut next = || cells.next().expect("a cell").to_owned();
        (next(), [next(), next()])
    };
    rows.map(cell).collect()
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let home = Home::new();
    home.write(
        "c.toml",
        "currency = \"EUR\"\nworkers = 5\nread_only_pages = true\nhost = [\"a.example\", \"b.example\"]\ntarget = 99.5\n",
    );
    let config = ["--config", "c.toml"];
    let keys = ["currency", "workers", "read_only_pages", "host"];
    let values = |flags: &[&str], more: &[(&str, &str)]| {
        let found = in_force(&home, &[&config[..], flags].concat(), more);
        keys.map(|key| found[key].clone().join(" | "))
    };
    assert_eq!(
        values(&[], &[]),
        [
            "EUR | c.toml line 1",
            "5 | c.toml line 2",
            "true | c.toml line 3",
            "a.example, b.example | c.toml line 4"
        ]
    );
    let variables = [
        ("STORE_MONITOR_CURRENCY", "USD"),
        ("STORE_MONITOR_WORKERS", "6"),
        ("STORE_MONITOR_READ_ONLY_PAGES", "false"),
        ("STORE_MONITOR_HOST", "c.example"),
    ];
    assert_eq!(
        values(&[], &variables),
        [
            "USD | STORE_MONITOR_CURRENCY",
            "6 | STORE_MONITOR_WORKERS",
            "false | STORE_MONITOR_READ_ONLY_PAGES",
            "c.example | STORE_MONITOR_HOST"
        ]
    );
    let flags = [
        "--",
        "--currency=GBP",
        "--workers=7",
        "--read-only-pages",
        "--host=d.example",
        "--host=e.example",
    ];
    assert_eq!(
        values(&flags, &variables),
        [
            "GBP | --currency",
            "7 | --workers",
            "true | --read-only-pages",
            "d.example, e.example | --host"
        ]
    );
    // The file is named by a variable, too, and none is read by itself.
    let named = in_force(&home, &[], &[("STORE_MONITOR_CONFIG", "c.toml")]);
    assert_eq!(named["target"], ["99.5", "c.toml line 5"]);
    assert_eq!(in_force(&home, &[], &[])["target"], ["not set", "default"]);
}

#[test]
fn what_is_in_force_is_a_file_that_says_the_same() {
    let home = Home::new();
    let text = "host = [\"a.example\"]\ncurrency = \"\\\"#\"\nkeep_days = 0x10\n\n[[receiver]]\n";
    home.write("c.toml", text.trim_end_matches("\n[[receiver]]\n"));
    let more = ["--config", "c.toml", "--format", "toml"];
    for flags in [&[][..], &["--", "--workers", "9", "--insecure-no-auth"]] {
        let printed = home.print(&[&["config"], &more[..], flags].concat());
        home.write("again.toml", &printed);
        home.run(&["config", "check", "again.toml"]).exits(0);
        let first = in_force(&home, &[&more[..2], flags].concat(), &[]);
        let again = in_force(&home, &["--config", "again.toml"], &[]);
        for (key, [value, _]) in &first {
            assert_eq!(&again[key][0], value, "{key}");
        }
    }
}

#[test]
fn a_wrong_key_is_told_with_its_place_and_the_nearest() {
    let home = Home::new();
    for (text, place, words) in [
        ("lisen = 1", "line 1, column 1", "did you mean `listen`?"),
        (
            "# x\n  workers = 900",
            "line 2, column 3",
            "900 is not in 1..=64",
        ),
        (
            "clock = \"wall\"",
            "line 1, column 1",
            "none of data, system",
        ),
        (
            "keep-days = 4",
            "line 1, column 1",
            "did you mean `keep_days`?",
        ),
        (
            "read_only_pages = \"yes\"",
            "line 1, column 1",
            "true or false",
        ),
        ("workers = true", "line 1, column 1", "in quotes"),
        ("workers = [1]", "line 1, column 1", "brackets"),
        ("config = \"x\"", "line 1, column 1", "unknown key"),
        (
            "workers = 1\nworkers = 2",
            "line 2, column 1",
            "duplicate key",
        ),
        ("workers = ", "line 1, column", "no TOML"),
        ("[server]\nworkers = 1", "line 1, column 2", "unknown table"),
        ("public_url = \"shop\"", "line 1, column 1", "https://"),
        (
            "[[alert]]\nname = \"a\"\nto = \"ops\"",
            "line 3, column 1",
            "no receiver `ops`",
        ),
        (
            "\n[[receiver]]\nname = 7",
            "line 3, column 1",
            "`7` is not a text",
        ),
        ("alert = 1", "line 1, column 1", "[[…]]"),
    ] {
        home.write("c.toml", text);
        let start = format!("store-monitor: c.toml {place}");
        let refused = home.run(&["serve", "--config", "c.toml"]).exits(2);
        let refused = refused.refuses(&[words, &start]);
        let checked = home.run(&["config", "check", "c.toml"]).exits(2);
        assert!(checked.text().contains(words), "{checked}");
        assert!(refused.stderr.len() < 400, "{refused}");
    }
    home.run(&["report", "--config", "none.toml"])
        .exits(2)
        .refuses(&["none.toml", "--config"]);
    // No file of another command's key is refused.
    home.write("c.toml", "seed = 4\ndays = \"monday=1\"\n");
    home.run(&["generate", "--config", "c.toml", "--stores", "2", "made"])
        .exits(0);
    assert_eq!(
        in_force(&home, &["--config=c.toml", "--command", "import"], &[])["days"],
        ["monday=1", "c.toml line 2"]
    );
}

#[test]
fn a_check_tells_all_that_is_wrong_and_notes_unknown_stores() {
    let home = Home::seeded();
    home.write(
        "c.toml",
        "lisen = 1\nworkers = 99\n[[alert]]\nname = \"a\"\nto = \"ops\"\nafer = \"5m\"\n[[digest]]\nname = \"d\"\nto = \"ops\"\nx = 1\n",
    );
    let checked = home.run(&["config", "check", "c.toml"]).exits(2);
    let lines: Vec<&str> = checked.text().lines().collect();
    assert_eq!(lines.len(), 4, "{checked}");
    checked.says(&["4 things are wrong with c.toml"]);
    let rule = home.run(&["config", "check", "--config", "c.toml"]);
    assert_eq!(rule.exits(2).text().lines().count(), 4);
    home.run(&["config", "check"])
        .exits(2)
        .says(&["config check FILE"]);
}

/// A value that a flag takes, as TOML has it.
fn sample(flag: &clap::Arg) -> String {
    if matches!(flag.get_action(), ArgAction::SetTrue) {
        return "true".to_owned();
    }
    let long = flag.get_long().expect("a flag");
    if let Some(first) = flag.get_possible_values().first() {
        return format!("\"{}\"", first.get_name());
    }
    let known = match long {
        "trust-proxy" => "[\"127.0.0.1\", \"unix\"]",
        "locale" => "\"en-GB\"",
        "target" => "99.25",
        "prune-before" | "as-of" => "2026-11-01T00:00:00Z",
        "from" | "to" | "valid-from" | "day" => "2026-11-01",
        "scope" => "\"read\"",
        "expires" => "\"30d\"",
        "week" => "\"2026-W44\"",
        "month" => "\"2026-10\"",
        "secret" => "[\"smtp=/etc/smtp\", \"hook=/etc/hook\"]",
        "metrics-listen" => "\"127.0.0.1:0\"",
        "days" if flag.get_default_values().is_empty() => "\"monday=1\"",
        _ => match flag.get_default_values() {
            [default] => return format!("\"{}\"", default.to_string_lossy()),
            _ => "7",
        },
    };
    known.to_owned()
}

#[test]
fn every_flag_of_every_command_can_be_set_in_the_file() {
    fn walk(command: &clap::Command, name: &str, home: &Home, count: &mut usize) {
        let mut keys = Vec::new();
        let mut text = String::new();
        let flags = command.get_arguments().filter(|flag| !flag.is_hide_set());
        for flag in flags {
            let Some(long) = flag
                .get_long()
                .filter(|long| !matches!(*long, "help" | "version" | "config"))
            else {
                continue;
            };
            let key = long.replace('-', "_");
            text += &format!("{key} = {}\n", sample(flag));
            keys.push(key);
        }
        home.write("c.toml", &text);
        if !name.is_empty() && !command.has_subcommands() {
            let printed = home.run(&["config", "--config", "c.toml", "--command", name]);
            for (line, key) in keys.iter().enumerate() {
                let place = format!("c.toml line {}", line + 1);
                let told = printed.text().lines().any(|row| {
                    row.split_whitespace().next() == Some(key.as_str()) && row.ends_with(&place)
                });
                assert!(told, "{name} {key}: {text}\n{printed}");
                *count += 1;
            }
        }
        for below in command
            .get_subcommands()
            .filter(|below| below.get_name() != "help")
        {
            let name = format!("{name} {}", below.get_name());
            walk(below, name.trim(), home, count);
        }
    }
    let home = Home::new();
    let mut command = cli::command();
    command.build();
    let mut count = 0;
    walk(&command, "", &home, &mut count);
    assert!(count > 100, "{count}");
}

#[test]
fn the_example_has_every_key_and_each_of_its_lines_is_right() {
    let home = Home::new();
    let example = String::from_utf8(home.print(&["config", "example"])).expect("UTF-8");
    home.write("c.toml", &example);
    assert_eq!(home.print(&["config", "check", "c.toml"]), b"ok\n");
    let settings = example.lines().filter_map(|line| {
        let (key, value) = line.strip_prefix("# ")?.split_once(" = ")?;
        let is_key = key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_key.then_some((key, value))
    });
    let (settings, tables) = example
        .split_once("# --- Messages ---")
        .map(|(above, below)| {
            let of = |text: &str| {
                settings
                    .clone()
                    .filter(|(key, _)| text.contains(&format!("# {key} = ")))
                    .count()
            };
            (of(above), below)
        })
        .expect("tables");
    assert!(settings > 60, "{settings}");
    // The tables are right without their comment signs.
    let bare: String = tables
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(bare.contains("[[receiver]]") && bare.contains("[[alert]]"));
    home.write("c.toml", &bare);
    let missing = home.run(&["config", "check", "c.toml"]).exits(2);
    assert!(missing.text().contains("password_file"), "{missing}");
    // With its secrets, which no command prints.
    for (file, secret) in [
        ("chat-hook", "https://hooks.example/hidden-4711"),
        ("chat-key", "hidden-4712"),
        ("ntfy-token", "hidden-4713"),
        ("smtp-password", "hidden-4714"),
    ] {
        home.write(file, secret);
    }
    home.write("c.toml", bare.replace("/etc/store-monitor/", ""));
    assert_eq!(
        home.print(&["config", "check", "c.toml"]),
        b"ok\n",
        "{bare}"
    );
    for more in [&[][..], &["--format", "toml"]] {
        let shown = home
            .run(&[&["config", "--config", "c.toml"], more].concat())
            .exits(0);
        assert!(shown.text().contains("phone"), "{shown}");
        assert!(!shown.to_string().contains("hidden"), "{shown}");
    }
    // So are the settings of a server.
    let server = example.split("\n# --- ").nth(1).expect("a section");
    let bare: String = server
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            line.split_once(" = ")
                .is_some_and(|(key, _)| !key.contains(' '))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    home.write("c.toml", &bare);
    assert_eq!(
        home.print(&["config", "check", "c.toml"]),
        b"ok\n",
        "{bare}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_running_server_reads_its_file_again_and_says_what_must_wait() {
    let home = Home::seeded();
    home.write("c.toml", "host = [\"a.example\"]\nworkers = 3\n");
    let server = Server::start_with(
        &home,
        &["serve", "--config", "c.toml", "--max-stores", "100"],
    );
    let status = |host: &str| server.get_with("/health", &[("Host", host)]).status;
    assert_eq!((status("a.example"), status("b.example")), (200, 421));
    let hang_up = || {
        let pid = server.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(sent.expect("a kill command").success());
    };
    let told = |words: &str| {
        eventually(words, || {
            home.text("server.log").contains(words).then_some(())
        });
    };
    home.write(
        "c.toml",
        "host = [\"b.example\"]\nworkers = 4\nlog = \"debug\"\nmax_stores = 9\npublic_url = \"https://b.example\"\n",
    );
    hang_up();
    told("public_url: not set → https://b.example; host: a.example → b.example; log: info → debug");
    told("WARN workers: 3 → 4 takes effect at the next start");
    assert_eq!((status("a.example"), status("b.example")), (421, 200));
    told("route=/health status=200");
    // The flag stands above the file, so nothing changes.
    assert!(!home.text("server.log").contains("max_stores"));
    // A file that is wrong changes nothing.
    home.write("c.toml", "host = [\"c.example\"]\nwokers = 4\n");
    hang_up();
    told("c.toml line 2, column 1: wokers: unknown key (did you mean `workers`?)");
    assert_eq!((status("b.example"), status("c.example")), (200, 421));
    std::fs::remove_file(home.path("c.toml")).expect("a file");
    hang_up();
    told("cannot read the configuration file c.toml");
    home.write("c.toml", "# nothing\n");
    hang_up();
    told("public_url: https://b.example → not set; host: b.example → not set; log: debug → info");
    hang_up();
    told("nothing changed that a running server takes over");
    assert!(server.terminate().success());
}

#[test]
fn two_tables_of_one_name_are_refused() {
    let home = Home::new();
    let twice = |table: &str| format!("{table}\n{table}\n");
    home.write(
        "twins.toml",
        [
            twice("[[receiver]]\nname = \"a\"\nntfy = \"https://ntfy.sh/topic\""),
            twice("[[alert]]\nname = \"b\"\nto = \"a\""),
            twice("[[digest]]\nname = \"c\"\nto = \"a\""),
        ]
        .concat(),
    );
    let checked = home.run(&["config", "check", "twins.toml"]).exits(2);
    for twins in [
        "two receivers are called `a`",
        "two alert rules are called `b`",
        "two digests are called `c`",
    ] {
        assert!(checked.text().contains(twins), "{checked}");
    }
}
