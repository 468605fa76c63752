//! Poller outages over HTTP: what `GET /api/poller-outages` tells, and of when.
//!
//! It must never know how outages are found.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::harness::{Home, Server};

/// Five stores polled on every hour of 1 to 3 November, but for ten hours of the second.
fn polls() -> String {
    let mut csv = "store_id,status,timestamp_utc\n".to_owned();
    for (day, hour) in (1..=3).flat_map(|day| (0..24).map(move |hour| (day, hour))) {
        if day == 2 && (8..18).contains(&hour) {
            continue;
        }
        for store in 0..5 {
            writeln!(
                csv,
                "{store},active,2026-11-0{day} {hour:02}:0{store}:00 UTC"
            )
            .unwrap();
        }
    }
    csv
}

fn told(as_of: &str, from: &str, outages: &[(&str, &str, u32)]) -> Value {
    let outage =
        |(from, to, minutes): &(_, _, _)| json!({"from": from, "to": to, "minutes": minutes});
    let outages: Vec<_> = outages.iter().map(outage).collect();
    json!({"as_of": as_of, "from": from, "to": as_of, "poller_outages": outages})
}

#[test]
fn outages_of_the_eight_days_before_as_of_are_told() {
    let home = Home::new();
    home.write("polls.csv", polls());
    home.import(&["polls.csv"]).exits(0);
    let server = Server::start(&home);
    let past = ("2026-11-02T07:04:00Z", "2026-11-02T18:00:00Z", 656);
    let newest = told("2026-11-03T23:04:00Z", "2026-10-26T23:04:00Z", &[past]);
    assert_eq!(server.get("/api/poller-outages").json(), newest);

    // What is not known yet at `as_of` is not told; an outage that goes on ends there.
    let at = |as_of: &str| {
        let answer = server.get(&format!("/api/poller-outages?as_of={as_of}"));
        assert_eq!(answer.status, 200);
        answer.json()
    };
    let (before, within, after) = (
        "2026-11-02T09:00:00Z",
        "2026-11-02T12:00:30Z",
        "2026-11-11T00:00:00Z",
    );
    assert_eq!(at(before), told(before, "2026-10-25T09:00:00Z", &[]));
    let open = ("2026-11-02T07:04:00Z", within, 297);
    assert_eq!(at(within), told(within, "2026-10-25T12:00:30Z", &[open]));
    let open = ("2026-11-03T23:04:00Z", after, 10_136);
    assert_eq!(at(after), told(after, "2026-11-03T00:00:00Z", &[open]));
}

#[test]
fn polls_that_come_in_late_end_an_outage() {
    let home = Home::new();
    home.write("polls.csv", polls());
    home.import(&["polls.csv"]).exits(0);
    let server = Server::start(&home);
    let outages = || server.get("/api/poller-outages").json()["poller_outages"].clone();
    assert_eq!(outages().as_array().map(Vec::len), Some(1));
    let mut late = "store_id,status,timestamp_utc\n".to_owned();
    for hour in 8..18 {
        writeln!(late, "3,inactive,2026-11-02 {hour:02}:30:00 UTC").unwrap();
    }
    home.write("late.csv", late);
    home.import(&["late.csv"]).exits(0);
    assert_eq!(outages(), json!([]));
}

#[test]
fn without_polls_there_is_no_outage_and_an_odd_instant_is_refused() {
    let home = Home::new();
    let server = Server::start(&home);
    let nothing = json!({"as_of": null, "from": null, "to": null, "poller_outages": []});
    assert_eq!(server.get("/api/poller-outages").json(), nothing);
    let odd = server.get("/api/poller-outages?as_of=yesterday");
    assert!(odd.problem(400).contains("`yesterday` is not an instant"));
    assert_eq!(server.request("POST", "/api/poller-outages").status, 405);
}
