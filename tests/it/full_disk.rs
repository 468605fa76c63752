//! A full disk: each command says so, reads go on, and the program can dig itself out.
//!
//! The disk is a small one in memory, which only root may mount. Elsewhere the tests say that they skip.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Home, Server, eventually, seeds};

/// The polls of the demo before this instant are about half.
const HALF: &str = "2026-11-05";

/// A small disk at `disk` in a home.
struct Disk {
    home: Home,
}

impl Disk {
    fn mount(mebibytes: u32) -> Option<Self> {
        let home = Home::new();
        let folder = home.path("disk");
        fs::create_dir(&folder).expect("a folder");
        let size = format!("size={mebibytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&folder)
            .output();
        if mount.is_ok_and(|outcome| outcome.status.success()) {
            return Some(Self { home });
        }
        eprintln!("skipped: no disk can be mounted here, so none was filled");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path("disk").join(name)
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.path("filler"))
            .expect("a file");
        for size in [1 << 20, 4096, 1] {
            while filler.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.path("filler")).expect("a filler");
    }

    fn run(&self, arguments: &[&str]) -> crate::harness::Outcome {
        let database = self.path("s.db").display().to_string();
        let all = [&["--database", database.as_str()], arguments].concat();
        self.home.run(&all)
    }

    fn seed(&self, more: &[&str]) {
        let seeds = seeds();
        let files: Vec<&str> = seeds.iter().map(String::as_str).collect();
        self.run(&[&["import"], &files[..], more].concat()).exits(0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.home.path("disk"))
            .status();
    }
}

/// Many polls, all of one instant each.
fn polls(count: usize) -> String {
    let poll = |number: usize| {
        format!(
            "full-{},active,2026-11-12 {:02}:{:02}:00 UTC\n",
            number / 1440,
            number / 60 % 24,
            number % 60
        )
    };
    let rows: String = (0..count).map(poll).collect();
    format!("store_id,status,timestamp_utc\n{rows}")
}

#[cfg(target_os = "linux")]
#[test]
fn every_command_at_a_full_disk_works_or_says_what_is_missing() {
    for reserve in ["0", "4194304"] {
        let Some(disk) = Disk::mount(64) else { return };
        disk.seed(&["--reserve", reserve]);
        let whole = (
            disk.run(&["report"]).exits(0).stdout,
            disk.run(&["export", "polls"]).exits(0).stdout,
        );
        disk.fill();
        // Each starts as cold as after a boot.
        for _ in 0..2 {
            assert!(
                disk.run(&["report"]).exits(0).stdout == whole.0,
                "{reserve}"
            );
            let export = ["export", "polls", "--output", "polls.csv"];
            disk.run(&export).exits(0);
            assert!(disk.home.read("polls.csv") == whole.1);
            assert!(disk.run(&["export", "polls"]).exits(0).stdout == whole.1);
            assert_eq!(disk.run(&["check"]).exits(0).stdout, b"ok\n");
        }
        disk.run(&["backup", "elsewhere.db"]).exits(0);
        let database = disk.path("s.db").display().to_string();
        let serve = ["serve", "--database", &database, "--reserve", reserve];
        if reserve == "0" {
            disk.run(&["serve", "--listen", "127.0.0.1:0"])
                .exits(1)
                .says(&["no space is left"]);
        } else {
            let server = Server::start_with(&disk.home, &serve);
            assert_eq!(server.get("/").status, 200);
            assert!(server.report("") == whole.0);
            assert_eq!(server.terminate().code(), Some(0));
        }
        disk.home.write("many.csv", polls(200_000));
        let folder = disk.path("").display().to_string();
        let folder = folder.trim_end_matches('/');
        disk.run(&["import", "many.csv"])
            .exits(1)
            .says(&["no space is left", folder]);
        if reserve == "0" {
            disk.run(&["backup", "disk/b.db"]).exits(1).says(&["disk"]);
            disk.run(&["report", "--output", "disk/r.csv"])
                .exits(1)
                .says(&["disk/r.csv"]);
        }
        let prune = disk.run(&["import", "--prune-before", HALF]);
        if reserve == "0" {
            prune.exits(1).says(&["no space is left", folder]);
            disk.empty();
            disk.run(&["import", "--prune-before", HALF]).exits(0);
        } else {
            prune.exits(0).says(&["polls forgotten"]);
            // Later polls use the pages.
            disk.home.write("few.csv", polls(1000));
            disk.run(&["import", "few.csv"]).exits(0);
        }
        assert_eq!(disk.run(&["check"]).exits(0).stdout, b"ok\n");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_on_a_full_disk_answers_507_reads_on_and_digs_itself_out() {
    let Some(disk) = Disk::mount(64) else { return };
    disk.seed(&[]);
    let database = disk.path("s.db").display().to_string();
    let server = Server::start_with(
        &disk.home,
        &["serve", "--database", &database, "--reserve", "16777216"],
    );
    let reserve = || fs::metadata(disk.path("s.db-reserve")).map_or(0, |facts| facts.len());
    eventually("the reserve is there", || {
        (reserve() == 16 << 20).then_some(())
    });
    let report = server.report("");
    disk.fill();
    // Its rows do not fit, its body does not fit, and neither does its sorting.
    let many = polls(100_000);
    for _ in 0..3 {
        let answer = server.post("/api/polls", "text/csv", &[], many.as_bytes());
        let detail = answer.problem(507);
        assert!(detail.contains("no space is left"), "{detail}");
        assert_eq!(answer.header("Retry-After"), "30");
    }
    let few = polls(20_000);
    let mut refused = None;
    for _ in 0..50 {
        let answer = server.post("/api/polls", "text/csv", &[], few.as_bytes());
        if answer.status != 200 {
            refused = Some(answer.problem(507));
            break;
        }
        disk.fill();
    }
    let folder = disk.path("").display().to_string();
    if let Some(detail) = refused {
        assert!(detail.contains(folder.trim_end_matches('/')), "{detail}");
    }
    for page in ["/", "/stores", "/reports", "/api/stores", "/metrics"] {
        assert_eq!(server.get(page).status, 200, "{page}");
    }
    let conditions = || server.get("/health").json()["conditions"].to_string();
    eventually("the condition is told", || {
        conditions().contains("no_space").then_some(())
    });
    // A report is made all the same, whether its row still fits or not.
    disk.fill();
    let volatile = server.trigger("");
    let made = server.wait_for_report(&volatile);
    let lines = |csv: &[u8]| csv.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(lines(&made.body), lines(&report));
    let listed = server.get("/api/reports").json().to_string();
    assert!(listed.contains(&volatile), "{listed}");
    // A deletion has the reserve.
    let stores = server.get("/api/stores?limit=1").json();
    let id = stores["stores"][0]["id"]
        .as_str()
        .or_else(|| stores["stores"][0]["store_id"].as_str());
    let deleted = server.request("DELETE", &format!("/api/stores/{}", id.expect("a store")));
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert_eq!(reserve(), 0);
    eventually("the lack of a reserve is told", || {
        conditions().contains("no_reserve").then_some(())
    });
    // Once there is room, all is as before.
    disk.empty();
    eventually("the reserve is back", || {
        (reserve() == 16 << 20).then_some(())
    });
    eventually("nothing is wrong", || (conditions() == "[]").then_some(()));
    assert_eq!(
        server
            .post("/api/polls", "text/csv", &[], few.as_bytes())
            .status,
        200
    );
    assert!(server.report("") != report);
    eventually("the report is stored", || {
        let find = "SELECT count(*) FROM report WHERE id = ?1 AND state = 'Complete'";
        let db = rusqlite::Connection::open(&database).expect("a database");
        let count: i64 = db
            .query_row(find, [&volatile], |row| row.get(0))
            .expect("a count");
        (count == 1).then_some(())
    });
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(disk.run(&["check"]).exits(0).stdout, b"ok\n");
}
