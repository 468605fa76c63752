//! Stale and unknown data over HTTP: never *now*, never green, never zero.

use store_monitor::civil::format_utc;
use store_monitor::clock::machine_us;
use store_monitor::uptime::interval::{DAY, HOUR, Micros};

use crate::harness::{Home, Server};

/// Hourly polls of some stores that ended `ago` before the machine's instant, over a week and a half.
fn polled(home: &Home, stores: &[&str], ago: Micros) {
    let mut csv = "store_id,timestamp_utc,status\n".to_owned();
    let newest = machine_us() - ago;
    for hour in 0..250 {
        for store in stores {
            csv += &format!("{store},{},active\n", format_utc(newest - hour * HOUR));
        }
    }
    home.write("polls.csv", csv);
    home.import(&["polls.csv"]).exits(0);
}

#[track_caller]
fn lacks(text: &str, words: &[&str]) {
    for word in words {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn where_checks_ended_long_ago_pages_say_since_when_and_show_that_instant() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--clock", "system"]);
    let fleet = server.get("/api/fleet").json();
    let freshness = &fleet["freshness"];
    assert_eq!(
        (&freshness["is_live"], &freshness["is_stale"]),
        (&false.into(), &true.into())
    );
    assert_eq!(fleet["as_of"], freshness["newest_poll"]);
    assert_eq!(freshness["usual_gap_minutes"], 60);
    for page in [
        "/",
        "/stores",
        "/stores/seattle-pike-place",
        "/?group=Rivera+Hospitality",
    ] {
        let page = server.get(page);
        assert!(page.text().contains("No checks since <time"), "{page:?}");
        assert!(page.text().contains("Numbers below are as of then."));
        lacks(
            page.text(),
            &[
                "Online now",
                "attention now",
                "no business time in this window",
            ],
        );
    }
    for answer in [
        "/api/stores",
        "/api/stores/seattle-pike-place",
        "/api/stores/seattle-pike-place/timeline",
    ] {
        assert_eq!(
            &server.get(answer).json()["freshness"],
            freshness,
            "{answer}"
        );
    }
    let metrics = server.get("/metrics");
    assert!(
        metrics
            .text()
            .contains("\nstore_monitor_polls_are_live 0\n")
    );
}

#[test]
fn recorded_data_have_their_own_clock_and_are_not_now() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let page = server.get("/");
    lacks(
        page.text(),
        &["No checks since", "Online now", "attention now"],
    );
    assert!(page.text().contains("in business hours as of <time"));
    let badge = server.get("/api/stores/seattle-pike-place/badge.svg");
    assert!(
        badge.text().contains("online, 7 days to 7 Nov"),
        "{}",
        badge.text()
    );
    lacks(badge.text(), &["#1f7a50", "#a32c1b"]);
}

#[test]
fn polls_that_come_in_are_now_by_either_clock() {
    let home = Home::new();
    polled(&home, &["a", "b"], HOUR);
    for clock in ["data", "system"] {
        let server = Server::start_with(&home, &["serve", "--clock", clock]);
        let page = server.get("/");
        assert!(page.text().contains("Online now"), "{clock}");
        lacks(page.text(), &["No checks since"]);
        assert_eq!(
            server.get("/api/fleet").json()["freshness"]["is_live"],
            true
        );
        let badge = server.get("/api/stores/a/badge.svg");
        assert!(badge.text().contains("#1f7a50"));
        assert!(server.get("/metrics").text().contains("polls_are_live 1\n"));
    }
}

#[test]
fn a_poller_that_is_late_by_more_than_two_gaps_is_not_now() {
    let home = Home::new();
    polled(&home, &["a", "b"], 2 * HOUR + HOUR / 10);
    let server = Server::start_with(&home, &["serve", "--clock", "system"]);
    assert!(server.get("/").text().contains("No checks since"));
    // Recorded data are never late.
    let server = Server::start(&home);
    lacks(server.get("/").text(), &["No checks since", "Online now"]);
}

#[test]
fn an_instant_after_the_last_poll_is_unknown_and_says_so() {
    let home = Home::new();
    polled(&home, &["a", "b"], 30 * DAY);
    let server = Server::start(&home);
    let at = "as_of=2030-01-01T00:00:00Z";
    let page = server.get(&format!("/?{at}"));
    assert!(page.text().contains("What came after is unknown."));
    let fleet = server.get(&format!("/api/fleet?{at}")).json();
    assert_eq!(fleet["freshness"]["is_stale"], true);
    assert_eq!(fleet["as_of"], "2030-01-01T00:00:00Z");
}

/// A store with two polls in a week of open time, one without any poll, and an owner of each.
fn hardly_polled() -> Home {
    let home = Home::new();
    home.write(
        "polls.csv",
        "store_id,timestamp_utc,status\n\
         twice,2026-11-02 10:00:00 UTC,active\ntwice,2026-11-06 10:00:00 UTC,active\n",
    );
    home.write(
        "stores.csv",
        "store_id,name,group\ntwice,Twice,Two Polls Inc\nnever,Never,No Polls Inc\n",
    );
    home.import(&["polls.csv", "stores.csv"]).exits(0);
    home
}

#[test]
fn two_polls_in_a_week_are_not_enough_data_and_no_poll_is_unknown() {
    let home = hardly_polled();
    let server = Server::start(&home);
    for page in ["/stores/twice", "/", "/?group=Two+Polls+Inc"] {
        let page = server.get(page);
        assert!(page.text().contains("not enough data"), "{page:?}");
    }
    lacks(server.get("/").text(), &["100 %", "100.0"]);
    let page = server.get("/stores/twice");
    // Green are the two hours around each check, cut at midnight, and the legend.
    let green = page.text().matches("<rect class=\"online\"").count();
    assert!(green <= 5 && page.text().contains("<rect class=\"unknown\""));
    for page in ["/stores/never", "/?group=No+Polls+Inc"] {
        let page = server.get(page);
        assert!(page.text().contains("unknown"), "{page:?}");
        lacks(page.text(), &["0.00 h", "0.00 %", ">0 min", "100 %"]);
    }
    let owners = server.get("/api/fleet").json()["groups"].clone();
    let week = |owner: usize| &owners[owner]["last_week"];
    assert_eq!(
        (week(0)["downtime"].is_null(), week(0)["vouched"] == true),
        (true, false)
    );
    assert_eq!(
        (week(1)["downtime"].is_null(), week(1)["vouched"] == true),
        (false, false)
    );
    let badge = server.get("/api/stores/twice/badge.svg");
    assert!(badge.text().contains("not enough data"));
}

#[test]
fn an_unknown_owner_is_not_found_and_the_nearest_are_named() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for path in ["/", "/stores", "/api/fleet", "/api/stores"] {
        let detail = server.get(&format!("{path}?group=Riviera")).problem(404);
        assert!(detail.contains("`Rivera Hospitality`"), "{path}: {detail}");
    }
    let page = server.get_with("/?group=nope", &[("Accept", "text/html")]);
    assert_eq!(page.status, 404);
    assert!(
        page.text()
            .contains("there is no owner `nope` (the nearest: ")
    );
}

#[test]
fn downtime_while_the_poller_was_out_is_not_confirmed() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let store = server.get("/api/stores/newark-penn-station").json();
    let outages = server.get("/api/poller-outages").json();
    let outage = &outages["poller_outages"][0];
    let incidents = store["incidents"].as_array().expect("incidents");
    let part = incidents
        .iter()
        .find_map(|incident| incident["not_confirmed"].get(0));
    let part = part.expect("an incident that reaches into the outage");
    let text = |value: &serde_json::Value| value.as_str().expect("an instant").to_owned();
    assert!(
        text(&outage["from"]) <= text(&part["from"]) && text(&part["to"]) <= text(&outage["to"])
    );
    let page = server.get("/stores/newark-penn-station");
    assert!(page.text().contains("not confirmed"));
}
