//! Callbacks: a report that has ended is told to a receiver of the configuration, and to no other address.

use serde_json::json;

use crate::harness::{Home, Server, eventually};
use crate::hook::{Hook, table};

fn home(hook: &Hook) -> Home {
    let home = Home::seeded();
    let phone = "[[receiver]]\nname = \"phone\"\nntfy = \"https://ntfy.sh/x\"\n";
    home.write("config.toml", table("warehouse", hook) + phone);
    home
}

fn start(home: &Home) -> Server {
    let config = home.path("config.toml");
    Server::start_with(
        home,
        &["serve", "--config", config.to_str().expect("a path")],
    )
}

#[test]
fn the_facts_of_a_report_arrive_once_it_is_complete() {
    let hook = Hook::new(&[]);
    let home = home(&hook);
    let server = start(&home);
    let encoded = hook.url().replace(':', "%3A").replace('/', "%2F");
    let id = server.trigger(&format!("?callback={encoded}"));
    server.wait_for_report(&id);
    let told = hook.takes(1)[0].json();
    assert_eq!(
        (&told["kind"], &told["key"]),
        (&json!("callback"), &json!(format!("callback/{id}")))
    );
    let facts = server.get(&format!("/api/reports/{id}")).json();
    assert_eq!(told["report"], facts);
    assert_eq!(
        (&facts["status"], &facts["callback"]),
        (&json!("Complete"), &json!("warehouse"))
    );

    let order =
        json!({"from": "2026-11-01", "to": "2026-11-02", "callback": "warehouse"}).to_string();
    let ordered = server.post("/api/statements", "application/json", &[], order.as_bytes());
    assert_eq!(ordered.status, 202, "{}", ordered.text());
    let told = hook.takes(2)[1].json();
    assert_eq!(
        (&told["report"]["kind"], &told["report"]["report_id"]),
        (&json!("statement"), &ordered.json()["report_id"])
    );
}

#[test]
fn only_a_webhook_that_an_admin_allowed_may_be_named() {
    let hook = Hook::new(&[]);
    let url = hook.url();
    let home = home(&hook);
    let server = start(&home);
    for wrong in [
        "nobody",
        // No webhook: it takes no JSON.
        "phone",
        "http%3A%2F%2F127.0.0.1%3A1%2Fhook",
        "http%3A%2F%2Fevil.example",
        &format!("{url}.evil.example"),
    ] {
        let refused = server.request("POST", &format!("/trigger_report?callback={wrong}"));
        let detail = refused.problem(422);
        assert!(
            detail.contains("[[receiver]]") && !detail.contains("/hook"),
            "{detail}"
        );
    }
    let order = json!({"from": "2026-11-01", "to": "2026-11-02", "callback": "nobody"}).to_string();
    let refused = server.post("/api/statements", "application/json", &[], order.as_bytes());
    refused.problem(422);
    assert_eq!(server.get("/api/reports").json()["reports"], json!([]));
}

#[test]
fn a_report_that_the_next_start_ends_is_told_too() {
    let hook = Hook::new(&[]);
    let home = home(&hook);
    // What a kill leaves: a report that runs.
    home.sqlite()
        .execute(
            "INSERT INTO report (id, state, as_of, interpolation, triggered_at, callback)
             VALUES ('00000000-0000-4000-8000-000000000001', 'Running', 1793577600000000, 'nearest', 1, 'warehouse')",
            [],
        )
        .expect("a report");
    let _server = start(&home);
    let told = hook.takes(1)[0].json();
    assert_eq!(told["report"]["status"], "Complete");
    let sent = || {
        let row = home.sqlite().query_row(
            "SELECT sent_at FROM outbox WHERE key = 'callback/00000000-0000-4000-8000-000000000001'",
            [],
            |row| row.get::<_, Option<i64>>(0),
        );
        row.ok().flatten()
    };
    eventually("it is noted as sent", sent);
}
