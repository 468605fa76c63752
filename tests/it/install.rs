//! What an operator installs: the unit, manual pages, completions and the recipe of a container. Tools that the machine
//! lacks are named, and what they would check is skipped.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::time::Duration;

use crate::harness::{Home, Server, eventually};

/// What a tool says; none, and a line about it, where it is missing.
fn ask(tool: &str, arguments: &[&str]) -> Option<Output> {
    let asked = Command::new(tool).args(arguments).output();
    if asked.is_err() {
        eprintln!("SKIPPED: there is no {tool}");
    }
    asked.ok()
}

/// A unit for a program that is there.
fn unit(home: &Home, flags: &[&str]) -> String {
    let unit = home.print(&[&["systemd-unit", "--program", "/usr/bin/env"], flags].concat());
    String::from_utf8(unit).expect("a unit")
}

#[test]
fn a_unit_starts_the_server_with_the_flags_that_were_given() {
    let home = Home::new();
    let usual = unit(&home, &[]);
    for line in [
        "Type=notify",
        "ExecStart=/usr/bin/env serve --database /var/lib/store-monitor/store-monitor.db",
        "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
        "DynamicUser=yes",
        "StateDirectory=store-monitor",
        "CapabilityBoundingSet=",
        "WatchdogSec=300",
    ] {
        assert!(usual.lines().any(|own| own == line), "{line}: {usual}");
    }
    let flags = [
        "--user",
        "stores",
        "--database",
        "/srv/stores/all.db",
        "--listen",
        "0.0.0.0:443",
        "--host",
        "shop.example",
        "--backup-dir",
        "/mnt/back ups/50%",
        "--read-only-pages",
        "--currency",
        "$",
        "--secret",
        "smtp=/etc/store-monitor/smtp",
    ];
    let given = unit(&home, &flags);
    for line in [
        "User=stores",
        "ReadWritePaths=/srv/stores",
        "ReadWritePaths=\"/mnt/back ups/50%%\"",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "LoadCredential=smtp:/etc/store-monitor/smtp",
    ] {
        assert!(given.lines().any(|own| own == line), "{line}: {given}");
    }
    let start = given.lines().find(|line| line.starts_with("ExecStart="));
    assert_eq!(
        start,
        Some(
            "ExecStart=/usr/bin/env serve --database /srv/stores/all.db --listen 0.0.0.0:443 --host shop.example \
             --read-only-pages --currency $$ --backup-dir \"/mnt/back ups/50%%\""
        )
    );
    assert!(!given.contains("DynamicUser"));
}

#[test]
fn a_unit_names_no_place_that_the_server_could_not_reach() {
    let home = Home::new();
    for (flags, words) in [
        (&["--database", "stores.db"][..], "write the whole path"),
        (&["--database", "/srv/stores/a.db"], "--user"),
        (
            &["--user", "a", "--backup-dir", "/home/a/backups"],
            "hides /home",
        ),
        (
            &["--user", "a", "--database", "/a.db"],
            "a folder of its own",
        ),
        (&["--secret", "smtp"], "NAME=FILE"),
        (&["--listen", "nowhere"], "expected an address"),
    ] {
        let refused = home.run(&[&["systemd-unit"], flags].concat());
        assert!(refused.exits(2).says(&[words]).stdout.is_empty());
    }
    // What the configuration file says, the unit makes room for, and leaves in the file.
    let settings =
        "database = \"/srv/all.db\"\nlisten = \"127.0.0.1:81\"\n".replace("/srv", "/srv/stores");
    home.write("config.toml", settings);
    let file = home.path("config.toml").display().to_string();
    let unit = unit(&home, &["--user", "a", "--config", &file]);
    assert!(unit.contains(&format!("serve --config {file}\n")), "{unit}");
    assert!(
        unit.contains("ReadWritePaths=/srv/stores\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"),
        "{unit}"
    );
    // A setting of whoever prints the unit is that person's.
    let mut command = home.command(&["systemd-unit"]);
    command.env("STORE_MONITOR_KEEP_DAYS", "9");
    let printed = command.output().expect("a unit").stdout;
    assert!(!String::from_utf8_lossy(&printed).contains("keep-days"));
}

#[test]
fn systemd_takes_the_unit_and_finds_it_safe() {
    let home = Home::new();
    let file = home.path("store-monitor.service").display().to_string();
    for flags in [&[][..], &["--user", "daemon", "--listen", "0.0.0.0:80"]] {
        fs::write(&file, unit(&home, flags)).expect("a unit");
        let Some(verified) = ask("systemd-analyze", &["verify", &file]) else {
            return;
        };
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        let own: Vec<_> = said.lines().filter(|line| line.contains(&file)).collect();
        assert!(verified.status.success() && own.is_empty(), "{said}");
        // 1.5 of 10, in tenths.
        let safe = [
            "security",
            "--offline=true",
            "--threshold=15",
            "--no-pager",
            &file,
        ];
        let safe = ask("systemd-analyze", &safe).expect("systemd-analyze");
        let said = String::from_utf8_lossy(&safe.stdout);
        assert!(safe.status.success(), "{said}");
    }
}

/// The system calls of a set of systemd, those of the sets in it too.
fn calls_of(set: &str, found: &mut BTreeSet<String>) {
    let listed = ask("systemd-analyze", &["syscall-filter", set, "--no-pager"]).expect("sets");
    for line in String::from_utf8_lossy(&listed.stdout).lines().skip(1) {
        match line.trim() {
            "" => {}
            comment if comment.starts_with('#') => {}
            other if other.starts_with('@') => calls_of(other, found),
            call => drop(found.insert(call.to_owned())),
        }
    }
}

#[test]
fn the_server_needs_no_system_call_that_the_unit_forbids() {
    let home = Home::new();
    for (tool, version) in [("systemd-analyze", "--version"), ("strace", "-V")] {
        if ask(tool, &[version]).is_none() {
            return;
        }
    }
    let mut allowed = BTreeSet::new();
    calls_of("@system-service", &mut allowed);
    for set in ["@privileged", "@resources"] {
        let mut forbidden = BTreeSet::new();
        calls_of(set, &mut forbidden);
        allowed.retain(|call| !forbidden.contains(call));
    }
    let flags = ["serve", "--backup-dir", "backups", "--keep-days", "30"];
    let program = home.command(&flags);
    let mut command = Command::new("strace");
    // The server is the child, and strace the grandchild: a signal to the child is the server's.
    command.args(["-D", "-f", "-qq", "-o", "calls"]);
    command.arg(program.get_program()).args(program.get_args());
    command.current_dir(home.path(""));
    let server = Server::start_as(&home, command);
    let polls = b"store_id,timestamp_utc,status\na1,2026-11-01 00:00:00 UTC,active\n";
    assert_eq!(
        server.post("/api/polls", "text/csv", &[], polls).status,
        200
    );
    assert!(!server.report("").is_empty());
    for page in ["/", "/stores/a1", "/statements", "/load", "/metrics"] {
        assert_eq!(server.get(page).status, 200, "{page}");
    }
    eventually("a backup", || {
        let mut names = fs::read_dir(home.path("backups")).ok()?;
        let is_backup = |entry: std::io::Result<fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "db"))
        };
        names.any(is_backup).then_some(())
    });
    assert!(server.terminate().success());
    let text = eventually("the end of the calls", || {
        let text = home.text("calls");
        text.contains("exit_group(0").then_some(text)
    });
    let name = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        let legal = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
        };
        name.chars().all(legal).then(|| name.to_owned())
    };
    // The program itself is started before the filter holds.
    let made: BTreeSet<_> = text
        .lines()
        .filter_map(name)
        .filter(|name| name != "execve")
        .collect();
    assert!(
        made.contains("fdatasync") || made.contains("fsync"),
        "{made:?}"
    );
    // SQLite gives a file to the database's owner where it runs as root, which the unit's server never does.
    allowed.insert("fchown".to_owned());
    let forbidden: Vec<_> = made.difference(&allowed).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
}

#[test]
fn a_supervisor_hears_that_the_server_is_ready_alive_and_stopping() {
    let home = Home::new();
    let socket = UnixDatagram::bind(home.path("notify")).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a deadline");
    let hear = || {
        let mut text = [0; 4096];
        let bytes = socket.recv(&mut text).expect("a word in time");
        String::from_utf8_lossy(&text[..bytes]).into_owned()
    };
    let notify = home.path("notify").display().to_string();
    let mut command = home.command(&["serve"]);
    command
        .env("NOTIFY_SOCKET", &notify)
        .env("WATCHDOG_USEC", "200000");
    let server = Server::start_as(&home, command);
    assert_eq!(
        hear(),
        format!("READY=1\nSTATUS=serves http://{}", server.address)
    );
    for _ in 0..3 {
        assert_eq!(
            hear(),
            format!("WATCHDOG=1\nSTATUS=serves http://{}", server.address)
        );
    }
    assert!(server.terminate().success());
    let mut last = hear();
    while last.starts_with("WATCHDOG=1") {
        last = hear();
    }
    assert_eq!(last, "STOPPING=1\nSTATUS=stops");
}

#[test]
fn every_command_has_a_manual_page_without_a_fault() {
    let home = Home::new();
    home.run(&["man", "--output", "man"]).exits(0);
    let pages: Vec<_> = fs::read_dir(home.path("man")).expect("pages").collect();
    assert!(pages.len() > 25, "{}", pages.len());
    let lint = Command::new("mandoc").arg("-V").output().is_ok();
    if !lint {
        eprintln!("SKIPPED: there is no mandoc, so nobody judges the manual pages");
    }
    for page in pages {
        let page = page.expect("a page").path();
        let text = fs::read_to_string(&page).expect("a page");
        assert!(
            text.contains(".SH NAME") && text.contains("EXIT STATUS"),
            "{page:?}"
        );
        if lint {
            let arguments = ["-Tlint", "-W", "warning", &page.display().to_string()];
            let said = ask("mandoc", &arguments).expect("mandoc");
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            assert!(said.is_empty(), "{said}");
        }
    }
    let page = home.print(&["man", "token", "add"]);
    assert_eq!(page, home.read("man/store-monitor-token-add.1"));
    home.run(&["man", "tokn"])
        .refuses(&["no command `tokn`", "token"]);
}

#[test]
fn shells_take_their_completions() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.print(&["completions", shell]);
        assert!(String::from_utf8_lossy(&script).contains("trust-proxy"));
        home.write(shell, script);
        let file = home.path(shell).display().to_string();
        if let Some(said) = ask(shell, &["-n", &file]) {
            assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
        }
    }
    for shell in ["elvish", "powershell"] {
        assert!(!home.print(&["completions", shell]).is_empty());
    }
    home.run(&["completions", "tcsh"]).exits(2).says(&["bash"]);
}

#[test]
fn the_image_of_a_container_holds_the_program_and_its_data_alone() {
    let home = Home::new();
    let recipe = String::from_utf8(home.print(&["containerfile"])).expect("a recipe");
    for line in [
        "FROM scratch",
        "USER 65532:65532",
        "VOLUME /data",
        "EXPOSE 5000",
    ] {
        assert!(recipe.lines().any(|own| own == line), "{line}: {recipe}");
    }
    assert!(recipe.contains("HEALTHCHECK"));
}
