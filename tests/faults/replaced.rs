//! Files that are taken away: someone removes or replaces the database, or its log, under a running server.

use std::fs;

use crate::fleet;
use crate::harness::{Home, Server, eventually};
use crate::session::{PREFIX, Poller};

/// Does something to the database's files.
type Deed = fn(&Home);

fn remove(home: &Home, end: &str) {
    fs::remove_file(home.path(&format!("{PREFIX}{end}"))).expect("a file to remove");
}

/// Puts a copy in the place of a file, as a deploy script does.
fn replace(home: &Home, end: &str) {
    let file = home.path(&format!("{PREFIX}{end}"));
    fs::copy(&file, home.path("copy")).expect("a copy");
    fs::rename(home.path("copy"), file).expect("another file in its place");
}

#[test]
fn a_file_that_is_taken_away_is_noticed_before_the_next_answer() {
    let deeds: [(&str, Deed); 6] = [
        ("the database is removed", |home| remove(home, "")),
        ("the database is replaced", |home| replace(home, "")),
        ("the log is removed", |home| remove(home, "-wal")),
        ("the log is replaced", |home| replace(home, "-wal")),
        ("the shared memory is removed", |home| remove(home, "-shm")),
        ("all is removed", |home| {
            ["", "-wal", "-shm"]
                .iter()
                .for_each(|end| remove(home, end));
        }),
    ];
    for (what, deed) in deeds {
        let home = fleet::home(2);
        let server = Server::start(&home);
        let mut poller = Poller::new(&server.client.address);
        let mut post = |number: usize| {
            let csv = fleet::csv(&fleet::batch(number, 3));
            poller.ask("POST", "/api/polls", "", &csv)
        };
        let (status, answer, _) = post(1);
        assert_eq!(status, 200, "{what}: {answer}");
        assert_eq!(server.client.get("/health").status, 200, "{what}");
        deed(&home);
        let (status, answer, _) = post(2);
        assert_eq!(status, 503, "{what}: {answer}");
        assert!(answer.contains(PREFIX), "{what}: {answer}");
        let health = eventually("health says so", || {
            let health = server.client.get("/health");
            (health.status == 503).then_some(health)
        });
        for page in ["/", "/api/stores"] {
            assert_eq!(server.client.get(page).status, 503, "{what}: {page}");
        }
        let (status, answer, _) = poller.ask("POST", "/trigger_report", "", "");
        assert_eq!(status, 503, "{what}: {answer}");
        assert!(
            health.text().contains("while the server had it open"),
            "{what}: {}",
            health.text()
        );
        assert_eq!(server.terminate().code(), Some(1), "{what}");
        let log = home.text("server.log");
        let told = log
            .lines()
            .filter(|line| line.contains("database_replaced"));
        assert_eq!(told.count(), 1, "{what}: {log}");
    }
}
