//! The first start on a disk whose syncs fail: it is refused, or the database is in the mode in which nothing is lost.
//!
//! SQLite swallows a sync that fails while it changes the journal mode, and stays in the old one.

use crate::failing_disk::failing;
use crate::harness::{Home, Server};
use crate::trace::can_trace;

/// How many syncs a first start makes at most.
const SYNCS: usize = 9;

#[test]
fn a_first_start_whose_sync_fails_is_refused_or_in_the_right_mode() {
    if !can_trace("a first start on a failing disk") {
        return;
    }
    let mut refused = 0;
    for number in 1..=SYNCS {
        let home = Home::new();
        let serve = home.command(&["serve"]);
        let serve = failing(&home, &serve, "fsync,fdatasync", "EIO", &number.to_string());
        let Some(server) = Server::try_start_as(&home, serve) else {
            let log = home.text("server.log");
            assert!(log.contains("store-monitor: "), "sync {number}: {log}");
            refused += 1;
            continue;
        };
        let mode = home
            .sqlite()
            .pragma_query_value(None, "journal_mode", |row| row.get(0));
        assert_eq!(mode, Ok("wal".to_owned()), "sync {number}");
        let csv = "store_id,timestamp_utc,status\na,2026-10-01 12:00:00 UTC,active\n";
        let answer = server.post("/api/polls", "text/csv", &[], csv.as_bytes());
        assert!(
            !answer.text().contains("another process"),
            "sync {number}: {}",
            answer.text()
        );
        drop(server);
        // What it wrote opens again.
        home.run(&["check"]).exits(0);
    }
    assert!(refused > 0, "no sync of a first start failed");
}
