//! Alert rules on a page and over HTTP: those of the configuration stand fixed, others are made, changed and deleted.

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Server, eventually};

/// A server with two receivers, a rule of the configuration, and a store of the owner Ann.
fn served() -> (Home, Server) {
    let home = Home::new();
    home.write(
        "config.toml",
        "[[receiver]]\nname = \"phone\"\nntfy = \"https://ntfy.sh/x\"\n\
         [[receiver]]\nname = \"desk\"\nntfy = \"https://ntfy.sh/y\"\n\
         [[alert]]\nname = \"everything\"\nto = \"phone\"\n",
    );
    home.write(
        "polls.csv",
        "store_id,timestamp_utc,status\na1,2026-11-02 00:00:00 UTC,active\n",
    );
    home.write("stores.csv", "store_id,name,group\na1,First,Ann & Bob\n");
    home.import(&["polls.csv", "stores.csv"]);
    let config = home.path("config.toml");
    let config = config.to_str().expect("a path");
    let server = Server::start_with(&home, &["serve", "--config", config]);
    (home, server)
}

fn send(server: &Server, rule: &Value) -> Answer {
    let body = rule.to_string();
    server.post("/api/alerts", "application/json", &[], body.as_bytes())
}

fn names(server: &Server) -> Vec<(String, bool)> {
    let listed = server.get("/api/alerts").json();
    let rules = listed["alerts"].as_array().expect("rules").iter();
    rules
        .map(|rule| {
            let name = rule["name"].as_str().expect("a name").to_owned();
            (name, rule["is_made_here"] == true)
        })
        .collect()
}

#[test]
fn an_admin_makes_changes_and_deletes_a_rule_on_the_page() {
    let (home, server) = served();
    let page = server.get("/alerts");
    for word in [
        "everything",
        "in the configuration",
        "phone",
        "desk",
        "A new rule",
    ] {
        assert!(page.text().contains(word), "{word} in {}", page.text());
    }
    let fields = "name=nights&to=phone&to=desk&when=offline&group=Ann+%26+Bob&after=30m";
    let made = server.submit("/alerts", fields);
    assert_eq!(made.status, 200, "{}", made.text());
    let page = server.get("/alerts?edit=nights");
    for word in [
        "Change <bdi>nights</bdi>",
        "value=\"30m\"",
        "Ann &amp; Bob</textarea>",
        "value=\"offline\" checked",
    ] {
        assert!(page.text().contains(word), "{word} in {}", page.text());
    }
    assert!(!page.text().contains("value=\"silent\" checked"));
    let changed =
        "name=late+nights&to=desk&when=offline&when=back_online&replaces=nights&remind=4h";
    assert_eq!(server.submit("/alerts", changed).status, 200);
    let expected = [
        ("everything".to_owned(), false),
        ("late nights".to_owned(), true),
    ];
    assert_eq!(names(&server), expected);
    assert_eq!(
        server.submit("/alerts/removal", "name=late+nights").status,
        200
    );
    assert_eq!(names(&server), expected[..1]);
    let audit = String::from_utf8(home.print(&["export", "audit"])).expect("text");
    for row in [
        "add_alert,nights,",
        "change_alert,late nights,",
        "delete_alert,late nights,",
    ] {
        assert!(audit.contains(row), "{row} in {audit}");
    }
    // That of the configuration is changed in its file.
    assert_eq!(server.get("/alerts?edit=everything").status, 404);
    assert_eq!(
        server.submit("/alerts/removal", "name=everything").status,
        404
    );
    assert_eq!(
        server.send("DELETE", "/api/alerts/everything", &[]).status,
        404
    );
}

#[test]
fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays() {
    let (_home, server) = served();
    for (fields, field, words) in [
        (
            "name=a&to=phone&when=offline&after=soon",
            "after",
            "expected a number with",
        ),
        ("name=a&to=fone&when=offline", "to", "did you mean `phone`"),
        ("name=a&when=offline", "to", "no receiver is named"),
        ("name=a&to=phone", "when", "choose something"),
        (
            "name=a&to=phone&when=offline&group=Anne",
            "group",
            "Ann &amp; Bob",
        ),
        (
            "name=a&to=phone&when=offline&store=zz",
            "store",
            "there is no store `zz`",
        ),
        (
            "name=a&to=phone&when=offline&remind=1m",
            "remind",
            "shorter than 15m",
        ),
        (
            "name=a&to=phone&when=offline&quiet=1",
            "timezone",
            "missing",
        ),
        (
            "name=a&to=phone&when=offline&escalate_after=1h",
            "escalate_to",
            "write both",
        ),
        ("name=everything&to=phone&when=offline", "name", "already"),
        ("name=%3Cb%3E&to=phone&when=offline", "name", "is no name"),
    ] {
        let refused = server.submit("/alerts", fields);
        let text = refused.text();
        assert_eq!(refused.status, 400, "{fields}: {text}");
        let beside = text.split(&format!("id=\"fault-{field}\"")).nth(1);
        let beside = beside.unwrap_or_else(|| panic!("{fields}: nothing beside {field} in {text}"));
        let sentence = beside.split("</p>").next().unwrap_or_default();
        assert!(sentence.contains(words), "{fields}: {sentence}");
        assert!(text.contains("value=\"phone\" checked") || !fields.contains("to=phone"));
    }
    assert_eq!(names(&server).len(), 1);
}

#[test]
fn a_program_makes_the_same_rules() {
    let (_home, server) = served();
    let rule = json!({"name": "nights", "to": ["phone"], "when": ["silent"], "silent_gaps": "5", "quiet": "22:00-07:00",
        "timezone": "Europe/Paris", "group": ["Ann & Bob"]});
    let made = send(&server, &rule);
    assert_eq!(made.status, 201, "{}", made.text());
    let told = made.json();
    for (member, value) in [
        ("silent_gaps", json!(5)),
        ("quiet", json!("22:00-07:00")),
        ("groups", json!(["Ann & Bob"])),
        ("when", json!(["silent"])),
        ("after_us", Value::Null),
        ("is_made_here", json!(true)),
    ] {
        assert_eq!(told[member], value, "{member}");
    }
    send(&server, &rule).problem(400);
    for (wrong, words) in [
        (
            json!({"name": "b", "to": ["phone"], "wen": "offline"}),
            "unknown field",
        ),
        (json!({"name": "b", "to": []}), "no receiver is named"),
        (
            json!({"name": "b", "to": ["phone"], "after": "1y"}),
            "after: ",
        ),
    ] {
        assert!(
            send(&server, &wrong).problem(400).contains(words),
            "{wrong}"
        );
    }
    let other = json!({"name": "b", "to": ["phone"], "replaces": "nobody"});
    send(&server, &other).problem(404);
    let renamed = json!({"name": "b", "to": ["desk"], "replaces": "nights"});
    assert_eq!(send(&server, &renamed).status, 201);
    assert_eq!(server.send("DELETE", "/api/alerts/b", &[]).status, 200);
    assert_eq!(names(&server).len(), 1);
}

#[test]
fn without_a_receiver_the_page_says_where_to_add_one() {
    let home = Home::new();
    let server = Server::start(&home);
    let page = server.get("/alerts");
    assert!(page.text().contains("[[receiver]]") && page.text().contains("nobody is told"));
    assert!(!page.text().contains("A new rule"));
}

#[test]
fn the_page_replays_what_the_command_replays() {
    let (home, server) = served();
    let mut polls = "store_id,timestamp_utc,status\n".to_owned();
    for hour in 0..48 {
        let (day, of_day) = (2 + hour / 24, hour % 24);
        let status = if (10..14).contains(&hour) {
            "inactive"
        } else {
            "active"
        };
        polls += &format!("a1,2026-11-{day:02} {of_day:02}:10:00 UTC,{status}\n");
    }
    home.write("more.csv", polls);
    home.import(&["more.csv"]);
    let config = home.path("config.toml");
    let config = config.to_str().expect("a path");
    let days = ["--from", "2026-11-02", "--to", "2026-11-03"];
    let printed = home.print(&[&["alert", "replay", "--config", config], &days[..]].concat());
    let printed = String::from_utf8(printed).expect("text");
    let lines: Vec<_> = printed.lines().collect();
    let (summary, messages) = lines.split_last().expect("a summary");
    assert!(!messages.is_empty(), "{printed}");
    let page = eventually("the server follows the import", || {
        let page = server.get("/alerts/replay?from=2026-11-02&to=2026-11-03");
        page.text().contains(summary).then_some(page)
    });
    assert_eq!(page.text().matches("First is offline").count(), 1);
    for wrong in [
        "from=2026-11-03&to=2026-11-02",
        "from=2026-01-01&to=2026-11-02",
        "from=x",
    ] {
        assert_eq!(server.get(&format!("/alerts/replay?{wrong}")).status, 400);
    }
    assert!(server.get("/alerts").text().contains("/alerts/replay"));
    let outbox: i64 = home
        .sqlite()
        .query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(outbox, 0, "nothing was sent");
}
