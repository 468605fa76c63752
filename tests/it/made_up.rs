//! Made-up data: tried with one click, gone with another, and never beside real rows.

use crate::harness::{Answer, Home, Server};

fn click(server: &Server, target: &str) -> Answer {
    server.submit(target, "")
}

/// How many rows each table has that data or reports are kept in.
fn rows(home: &Home) -> Vec<i64> {
    let db = home.sqlite();
    let tables = [
        "store",
        "store_hours",
        "schedule",
        "poll",
        "packed_hour",
        "report",
        "store_list",
    ];
    let count = |table: &&str| {
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
    };
    tables
        .iter()
        .map(|table| count(table).expect("a count"))
        .collect()
}

#[test]
fn a_first_visitor_tries_made_up_data_and_takes_it_back_whole() {
    let home = Home::new();
    let server = Server::start(&home);
    assert!(server.get("/").text().contains("Try it with made-up data"));
    let fleet = click(&server, "/made-up");
    assert!(
        fleet.text().contains("These stores are made up"),
        "{}",
        fleet.text()
    );
    assert_eq!(server.get("/api/stores").json()["total"], 63);
    // It ends now, so pages may say so.
    assert_eq!(
        server.get("/api/fleet").json()["freshness"]["is_live"],
        true
    );
    for page in [
        "/stores",
        "/reports",
        "/load",
        "/stores/made-up%3Aboston-fenway",
    ] {
        let page = server.get(page);
        assert_eq!(page.status, 200);
        assert!(page.text().contains("These stores are made up"));
    }
    let report = server
        .post("/trigger_report", "text/plain", &[], b"")
        .json();
    let id = report["report_id"].as_str().expect("an id").to_owned();
    server.report("");
    let again = click(&server, "/made-up");
    again.problem(400);

    let first = click(&server, "/made-up/removal");
    assert!(first.text().contains("No data yet"), "{}", first.text());
    assert_eq!(rows(&home), [0; 7]);
    server.get(&format!("/get_report/{id}")).problem(404);
    assert_eq!(server.get("/api/stores").json()["total"], 0);
    assert_eq!(home.print(&["check"]), b"ok\n");
    // Twice is once.
    assert_eq!(click(&server, "/made-up/removal").status, 200);
}

#[test]
fn the_first_real_row_takes_the_place_of_made_up_stores() {
    let row = "store_id,timestamp_utc,status\na,2026-11-06 17:00:00 UTC,active\n";
    for by_command in [false, true] {
        let home = Home::new();
        let server = Server::start(&home);
        click(&server, "/made-up");
        server.report("");
        if by_command {
            home.write("polls.csv", row);
            home.import(&["polls.csv"]).exits(0);
        } else {
            let loaded = server.post("/api/polls", "text/csv", &[], row.as_bytes());
            assert_eq!(loaded.status, 200);
        }
        let stores = server.get("/api/stores").json();
        assert_eq!(stores["total"], 1, "by command: {by_command}");
        assert_eq!(stores["stores"][0]["store_id"], "a");
        assert_eq!(rows(&home)[3..], [1, 0, 0, 0], "by command: {by_command}");
        assert!(!server.get("/").text().contains("made up"));
        let report = String::from_utf8(server.report("")).expect("text");
        assert_eq!(report.lines().count(), 2, "{report}");
        assert_eq!(home.print(&["check"]), b"ok\n");
    }
}

#[test]
fn made_up_data_never_stand_beside_real_rows() {
    let home = Home::seeded();
    let server = Server::start(&home);
    assert!(!server.get("/load").text().contains("made-up"));
    let before = home.exports();
    click(&server, "/made-up").problem(400);
    // Somebody's own id may look like a made-up one.
    let row = "store_id,timestamp_utc,status\nmade-up:mine,2026-11-06 17:00:00 UTC,active\n";
    assert_eq!(
        server
            .post("/api/polls", "text/csv", &[], row.as_bytes())
            .status,
        200
    );
    assert!(!server.get("/").text().contains("These stores are made up"));
    click(&server, "/made-up/removal");
    assert_eq!(server.get("/api/stores").json()["total"], 64);
    server.request("DELETE", "/api/stores/made-up:mine");
    assert!(home.exports() == before);

    let shown = Server::start_with(&Home::new(), &["serve", "--read-only-pages"]);
    assert!(!shown.get("/").text().contains("made-up"));
    click(&shown, "/made-up").problem(403);
}
