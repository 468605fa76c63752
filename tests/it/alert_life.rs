//! Alerts of a running server, from the poll that came to the message that arrived.

use std::fmt::Write;

use serde_json::Value;
use store_monitor::civil::format_utc;
use store_monitor::clock::machine_us;
use store_monitor::uptime::interval::{HOUR, MINUTE};

use crate::harness::{Home, Server, eventually};
use crate::hook::{Hook, Seen, table};

const SERVE: [&str; 3] = ["--config", "config.toml", "serve"];

/// Forty stores of one owner and ten of another, polled each hour until an hour and a half ago; the polls since are for
/// the test to send.
fn home(hook: &Hook, more: &str) -> Home {
    let home = Home::new();
    let now = machine_us();
    let mut polls = String::from("store_id,timestamp_utc,status\n");
    let mut stores = String::from("store_id,name,group\n");
    for store in 0..50 {
        let owner = if store < 40 { "Harbour" } else { "Salt" };
        // Writing to memory cannot fail.
        let _ = writeln!(stores, "s{store},Kitchen {store},{owner}");
        for hour in 2..100 {
            let _ = writeln!(
                polls,
                "s{store},{},active",
                format_utc(now + 30 * MINUTE - hour * HOUR)
            );
        }
    }
    home.write("polls.csv", polls);
    home.write("stores.csv", stores);
    home.write(
        "config.toml",
        format!(
            "public_url = \"https://monitor.example\"\n{}[[alert]]\nname = \"all\"\nto = \"ops\"\n\
             group_within = \"1s\"\n{more}",
            table("ops", hook)
        ),
    );
    home.import(&["polls.csv", "stores.csv"]);
    home
}

/// Sends a poll of the first so many stores, at an instant so long ago.
fn send(server: &Server, stores: usize, status: &str, ago: i64) {
    let mut polls = String::from("store_id,timestamp_utc,status\n");
    let at = format_utc(machine_us() - ago);
    for store in 0..50 {
        let status = if store < stores { status } else { "active" };
        let _ = writeln!(polls, "s{store},{at},{status}");
    }
    let answer = server.post("/api/polls", "text/csv", &[], polls.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Waits until rules are applied to a minute that has all that came so far.
fn minute_passes() {
    let begun = machine_us() / MINUTE;
    eventually("a minute passes", || {
        (machine_us() / MINUTE > begun).then_some(())
    });
}

fn subjects(seen: &[Seen]) -> Vec<String> {
    seen.iter()
        .map(|seen| {
            seen.json()["subject"]
                .as_str()
                .expect("a subject")
                .to_owned()
        })
        .collect()
}

#[test]
fn forty_stores_that_go_down_are_one_message_that_an_owner_acknowledges_and_one_when_they_are_back()
{
    let hook = Hook::new(&[]);
    let home = home(&hook, "");
    let server = Server::start_with(&home, &SERVE);
    send(&server, 40, "inactive", 29 * MINUTE);
    send(&server, 40, "inactive", 2 * MINUTE);
    minute_passes();
    let seen = hook.takes(1);
    assert_eq!(subjects(&seen), ["40 stores of Harbour are offline"]);
    let facts = seen[0].json();
    assert_eq!(
        (&facts["what"], &facts["stores_count"]),
        (&Value::from("offline"), &Value::from(40))
    );
    let link = facts["acknowledge_url"].as_str().expect("a link");
    let path = link
        .strip_prefix("https://monitor.example")
        .expect("the public address");
    assert!(facts["text"].as_str().expect("a text").contains(link));
    // Its page tells of it without an account; the answer is kept with the incidents.
    let page = server.get(path);
    assert!(page.text().contains("Kitchen 0"), "{}", page.text());
    let answer = server.submit(path, "reason=internet&line=the+router");
    assert!(matches!(answer.status, 200 | 303), "{}", answer.text());
    let store = eventually("the reason is kept", || {
        let store = server.get("/api/stores/s7").json();
        store.to_string().contains("the router").then_some(store)
    });
    assert!(store.to_string().contains("internet"));
    // A restart tells nobody again.
    server.terminate();
    let server = Server::start_with(&home, &SERVE);
    send(&server, 40, "active", MINUTE);
    minute_passes();
    let seen = hook.takes(2);
    assert_eq!(
        subjects(&seen),
        [
            "40 stores of Harbour are offline",
            "40 stores of Harbour are back"
        ]
    );
}

#[test]
fn a_kill_between_the_poll_and_the_message_loses_nothing() {
    let hook = Hook::new(&[]);
    let home = home(&hook, "");
    for kill in 0..6 {
        let server = Server::start_with(&home, &SERVE);
        if kill == 0 {
            send(&server, 1, "inactive", 29 * MINUTE);
            send(&server, 1, "inactive", 2 * MINUTE);
        }
        server.kill();
    }
    let _server = Server::start_with(&home, &SERVE);
    minute_passes();
    let seen = hook.takes(1);
    assert_eq!(subjects(&seen)[0], "Kitchen 0 is offline");
    let keys: std::collections::HashSet<String> = seen.iter().map(Seen::key).collect();
    assert_eq!(
        keys.len(),
        1,
        "one message, whatever number of times it came"
    );
}
