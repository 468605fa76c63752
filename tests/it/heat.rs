//! The heat map's numbers: four weeks where there are as many, and never those of before a late poll.

use serde_json::Value;

use crate::harness::{Home, Server};

fn sum(heat: &Value, what: &str) -> i64 {
    let cells = heat["weekday_hours_local"].as_array().expect("cells");
    cells
        .iter()
        .map(|cell| cell[what].as_i64().expect("a number"))
        .sum()
}

#[test]
fn four_weeks_are_shown_of_all_and_of_an_owner_and_late_polls_count() {
    let home = Home::new();
    let mut polls = "store_id,timestamp_utc,status\n".to_owned();
    for day in 1..=30 {
        for hour in 0..24 {
            for store in ["a", "b"] {
                polls += &format!("{store},2026-10-{day:02} {hour:02}:00:00 UTC,active\n");
            }
        }
    }
    home.write("polls.csv", polls);
    home.write("stores.csv", "store_id,name,group\na,A,One\nb,B,Two\n");
    home.import(&["polls.csv", "stores.csv"]).exits(0);
    let server = Server::start(&home);
    let heat = |query: &str| server.get(&format!("/api/fleet{query}")).json()["heat"].clone();
    let all = heat("");
    assert_eq!(all["weeks"], 4);
    assert_eq!(sum(&all, "downtime_us"), 0);
    assert_eq!(sum(&all, "open_us"), 2 * 28 * 24 * 3_600_000_000);
    let one = heat("?group=One");
    assert_eq!(
        (&one["weeks"], 2 * sum(&one, "open_us")),
        (&all["weeks"], sum(&all, "open_us"))
    );
    assert!(server.get("/").text().contains("last 4 weeks"));
    // Newer polls leave the weeks before alone; a late one changes them at once.
    let send = |row: &str| {
        let rows = format!("store_id,timestamp_utc,status\n{row}\n");
        assert_eq!(
            server
                .post("/api/polls", "text/csv", &[], rows.as_bytes())
                .status,
            200
        );
    };
    send("a,2026-10-30 23:30:00 UTC,active");
    assert_eq!(sum(&heat(""), "downtime_us"), 0);
    send("a,2026-10-12 12:00:00 UTC,inactive");
    assert_eq!(sum(&heat(""), "downtime_us"), 3_600_000_000);
    assert_eq!(sum(&heat("?group=One"), "downtime_us"), 3_600_000_000);
    assert_eq!(sum(&heat("?group=Two"), "downtime_us"), 0);
}

#[test]
fn one_week_is_said_to_be_one() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let fleet = server.get("/api/fleet").json();
    assert_eq!(fleet["heat"]["weeks"], 1);
    assert!(
        server
            .get("/")
            .text()
            .contains("store-local time, last 7 days")
    );
    assert_eq!(
        sum(&fleet["heat"], "downtime_us"),
        sum(&fleet, "downtime_us")
    );
}
