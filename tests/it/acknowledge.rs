//! The link in an alert: a person without an account says that they know, and why; and where the reason is shown.

use store_monitor::access::secret::Secret;
use store_monitor::clock::machine_us;
use store_monitor::db::acknowledgements::{self, LINK_LASTS};
use store_monitor::db::connection::open_writer;
use store_monitor::uptime::interval::{DAY, HOUR, Micros};

use crate::browsing::{accessible, small_targets};
use crate::harness::{Answer, Home, Server};
use crate::webdriver::Browser;

/// 2026-11-02 00:00 UTC, a Monday.
const MONDAY: Micros = 1_793_577_600_000_000;

/// A server whose store `a1` was offline from 10:00 on Monday and is back, `a2` is offline since 20:00, and `b1` is of
/// another owner.
fn served(flags: &[&str]) -> (Home, Server) {
    let home = Home::new();
    let mut polls = "store_id,timestamp_utc,status\n".to_owned();
    for hour in 0..24 {
        for (store, from, to) in [("a1", 10, 12), ("a2", 20, 24), ("b1", 0, 0)] {
            let status = match (from..to).contains(&hour) {
                true => "inactive",
                false => "active",
            };
            polls += &format!("{store},2026-11-02 {hour:02}:00:00 UTC,{status}\n");
        }
    }
    home.write("polls.csv", polls);
    home.write(
        "stores.csv",
        "store_id,name,group\na1,First Kitchen,Ann\na2,<b>Second</b>,Ann\nb1,Hidden Kitchen,Bob\n",
    );
    home.write(
        "zones.csv",
        "store_id,timezone_str\na1,America/New_York\na2,America/New_York\n",
    );
    home.import(&["polls.csv", "stores.csv", "zones.csv"]);
    for scope in ["admin", "read"] {
        let token = home.print(&["token", "add", scope, "--scope", scope]);
        home.write(
            scope,
            format!("Bearer {}", String::from_utf8_lossy(&token).trim()),
        );
    }
    let server = Server::start_with(&home, &[&["serve"], flags].concat());
    (home, server)
}

fn key(home: &Home, store: &str) -> u32 {
    home.sqlite()
        .query_row(
            "SELECT key FROM store WHERE store_id = ?1",
            [store],
            |row| row.get(0),
        )
        .expect("a store")
}

/// Makes a link, as the watcher does when it writes an alert.
fn link(home: &Home, stores: &[(&str, Micros)], made: Micros) -> String {
    let stores: Vec<_> = stores
        .iter()
        .map(|&(store, at)| (key(home, store), at))
        .collect();
    let mut db = open_writer(&home.database()).expect("a database");
    let secret = store_monitor::db::write(&mut db, |db| {
        acknowledgements::issue(db, "offline/1", &stores, made, made + LINK_LASTS)
    });
    format!("/ack/{}", secret.expect("a link").text())
}

fn both(home: &Home) -> String {
    let stores = [("a1", MONDAY + 10 * HOUR), ("a2", MONDAY + 20 * HOUR)];
    link(home, &stores, machine_us())
}

fn answer(server: &Server, link: &str, fields: &str) -> Answer {
    server.post(
        link,
        "application/x-www-form-urlencoded",
        &[("Sec-Fetch-Site", "same-origin")],
        fields.as_bytes(),
    )
}

fn acknowledged(home: &Home) -> Option<Micros> {
    acknowledgements::acknowledged(&home.sqlite(), "offline/1").expect("read")
}

#[test]
fn a_link_tells_of_its_stores_and_to_look_changes_nothing() {
    let (home, server) = served(&[]);
    let link = both(&home);
    for _ in 0..2 {
        let page = server.get_with(&link, &[("Accept", "text/html")]);
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        for word in [
            "First Kitchen",
            "online again",
            "&lt;b&gt;Second&lt;/b&gt;",
            "offline still",
            // 10:00 UTC, in local time.
            "Mon 2 Nov, 5:00 AM",
            "New York time",
            "I know",
            "No power",
        ] {
            assert!(text.contains(word), "{word} in {text}");
        }
        for hidden in ["Hidden", "Bob", "Ann", "sma_", "/load", "/stores"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        assert_eq!(page.header("Referrer-Policy"), "no-referrer");
        assert_eq!(page.header("X-Robots-Tag"), "noindex, nofollow");
        assert_eq!(page.header("Cache-Control"), "no-store");
    }
    assert_eq!(acknowledged(&home), None);
    assert_eq!(server.request("HEAD", &link).status, 200);
    assert_eq!(acknowledged(&home), None);
    // It opens nothing else, below its path or as another secret.
    let secret = &link["/ack/".len()..];
    for target in [
        format!("{link}/stores/a1"),
        format!("/share/{secret}/"),
        "/ack/".to_owned(),
        "/ack/x".to_owned(),
    ] {
        assert_eq!(server.get(&target).status, 404, "{target}");
    }
    let bearer = format!("Bearer {secret}");
    let bearer = [("Authorization", bearer.as_str())];
    assert_eq!(server.get_with("/api/stores", &bearer).status, 401);
}

#[test]
fn one_tap_says_i_know_and_the_reason_is_kept_and_may_change() {
    let (home, server) = served(&["--read-only-pages"]);
    let link = both(&home);
    let foreign = server.post(
        &link,
        "application/x-www-form-urlencoded",
        &[("Sec-Fetch-Site", "cross-site")],
        b"reason=",
    );
    assert_eq!(foreign.status, 403);
    assert_eq!(acknowledged(&home), None);

    // An older browser does not say from which site a form comes, and hides the address.
    let older = server.post(
        &link,
        "application/x-www-form-urlencoded",
        &[("Origin", "null")],
        b"reason=x",
    );
    assert_eq!(older.status, 400, "{}", older.text());
    let known = answer(&server, &link, "reason=&line=");
    assert_eq!(known.status, 200);
    assert!(known.text().contains("Noted") && !known.text().contains("I know"));
    let first = acknowledged(&home).expect("acknowledged");
    let page = server.get(&format!("{link}?"));
    assert!(page.text().contains("Noted") && !page.text().contains("I know"));

    let line = "reason=power&line=the+street+%3Cb%3Eis+dark";
    assert_eq!(answer(&server, &link, line).status, 200);
    assert!(
        server
            .get(&link)
            .text()
            .contains("No power: “<bdi>the street &lt;b&gt;is dark</bdi>”")
    );
    assert_eq!(answer(&server, &link, "reason=staff").status, 200);
    assert!(server.get(&link).text().contains("Staff"));
    assert_eq!(acknowledged(&home), Some(first), "the first tap counts");
    // Words without a reason are one.
    assert_eq!(answer(&server, &link, "reason=&line=oven").status, 200);
    assert!(
        server
            .get(&link)
            .text()
            .contains("Something else: “<bdi>oven</bdi>”")
    );
    for wrong in [
        format!("reason=power&line={}", "x".repeat(201)),
        "reason=x".to_owned(),
    ] {
        let refused = answer(&server, &link, &wrong);
        assert_eq!(refused.status, 400, "{wrong}");
        assert!(refused.text().contains("Nothing was noted"));
    }
    let audit = String::from_utf8(home.print(&["export", "audit"])).expect("text");
    assert_eq!(
        audit
            .matches(",(link in an alert),acknowledge,offline/1,2,127.0.0.1")
            .count(),
        4,
        "{audit}"
    );
    assert!(
        !home.text("server.log").contains(&link[5..20]),
        "no log has the secret"
    );
}

#[test]
fn an_expired_link_says_so_and_a_wrong_one_is_slowed() {
    let (home, server) = served(&[]);
    let stores = [("a1", MONDAY + 10 * HOUR)];
    let old = link(&home, &stores, machine_us() - LINK_LASTS - DAY);
    let page = server.get_with(&old, &[("Accept", "text/html")]);
    assert_eq!(page.status, 410);
    assert!(
        page.text().contains("This link has expired"),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("First Kitchen"));
    assert_eq!(answer(&server, &old, "reason=power").status, 410);
    assert_eq!(acknowledged(&home), None);

    let right = both(&home);
    let wrong = format!("/ack/sma_{}", "0".repeat(64));
    let tried: Vec<u16> = (0..12).map(|_| server.get(&wrong).status).collect();
    assert_eq!((&tried[..10], tried[11]), (&[404; 10][..], 429));
    assert_eq!(
        server.get(&right).status,
        200,
        "a right one is never slowed"
    );
    let secret = Secret::parse(&right["/ack/".len()..]).expect("a secret");
    assert!(!format!("{secret:?}").contains(&right[12..20]));
}

#[test]
fn a_reason_stands_beside_the_incident_everywhere_and_changes_no_number() {
    let (home, server) = served(&[]);
    let bearer = home.text("read");
    let get = |target: &str| {
        let answer = server.get_with(target, &[("Authorization", &bearer)]);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer
    };
    let report = home.print(&["report"]);
    let before = get("/api/stores/a1").json();
    assert!(before["incidents"][0]["reason"].is_null());
    let link = both(&home);
    answer(&server, &link, "reason=internet&line=%3Drouter");

    let after = get("/api/stores/a1").json();
    assert_eq!(after["windows"], before["windows"]);
    let incident = &after["incidents"][0];
    assert_eq!(
        (&incident["reason"], &incident["reason_line"]),
        (&"internet".into(), &"=router".into())
    );
    let timeline = get("/api/stores/a1/timeline").json();
    let offline: Vec<_> = timeline["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .filter(|one| one["state"] == "offline")
        .collect();
    assert!(!offline.is_empty() && offline.iter().all(|one| one["reason"] == "internet"));
    let listed = get("/api/incidents").json();
    let reasons: Vec<_> = listed["incidents"]
        .as_array()
        .expect("incidents")
        .iter()
        .map(|one| (one["store_id"].clone(), one["reason"].clone()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("a2".into(), "internet".into()),
            ("a1".into(), "internet".into())
        ]
    );
    for page in ["/stores/a1", "/incidents"] {
        let page = get(page);
        assert!(
            page.text()
                .contains("Why: No internet: “<bdi>=router</bdi>”"),
            "{}",
            page.text()
        );
    }
    assert!(
        get("/api/incidents.csv")
            .text()
            .contains(",internet,=router\n")
    );
    assert!(
        get("/api/incidents.csv?for=spreadsheet")
            .text()
            .contains(",internet,'=router\n")
    );
    assert_eq!(home.print(&["report"]), report);
    let exported = String::from_utf8(home.print(&["export", "reasons"])).expect("text");
    assert!(
        exported.contains("a1,2026-11-02 10:00:00 UTC,internet,=router,"),
        "{exported}"
    );

    // It goes with its store, and is in a backup.
    home.run(&["backup", home.path("copy.db").to_str().expect("a path")])
        .exits(0);
    let delete = server.send(
        "DELETE",
        "/api/stores/a1",
        &[("Authorization", &home.text("admin"))],
    );
    assert_eq!(delete.status, 200);
    let exported = String::from_utf8(home.print(&["export", "reasons"])).expect("text");
    assert!(
        !exported.contains("a1,") && exported.contains("a2,"),
        "{exported}"
    );
    let page = server.get(&link);
    assert!(!page.text().contains("First Kitchen") && page.text().contains("Second"));
    home.run(&["check"]).exits(0);
    let copy = rusqlite::Connection::open(home.path("copy.db")).expect("a copy");
    let kept: i64 = copy
        .query_row("SELECT count(*) FROM incident_reason", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(kept, 2);
}

#[test]
fn an_admin_says_why_beside_the_incident_and_takes_it_back() {
    let home = Home::new();
    home.write(
        "polls.csv",
        "store_id,timestamp_utc,status\na1,2026-11-02 00:00:00 UTC,active\na1,2026-11-02 01:00:00 UTC,inactive\n\
         a1,2026-11-02 02:00:00 UTC,active\n",
    );
    home.import(&["polls.csv"]);
    let server = Server::start(&home);
    let page = server.get("/stores/a1");
    assert!(page.text().contains("Say why"), "{}", page.text());
    let span = "from=2026-11-02T00:30:00Z&to=2026-11-02T01:30:00Z&at=2026-11-02T01:00:00Z";
    // The client follows to the store's page.
    let page = server.submit(
        "/stores/a1/reason",
        &format!("{span}&reason=planned&line=paint"),
    );
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(
        page.text().contains("Why: Planned: “<bdi>paint</bdi>”")
            && page.text().contains("Change why")
    );
    let outside = span.replace("at=2026-11-02T01", "at=2026-11-02T03");
    assert_eq!(
        server
            .submit("/stores/a1/reason", &format!("{outside}&reason=planned"))
            .status,
        400
    );
    assert_eq!(
        server
            .submit("/stores/x/reason", &format!("{span}&reason=planned"))
            .status,
        404
    );
    assert_eq!(
        server
            .submit("/stores/a1/reason", &format!("{span}&reason="))
            .status,
        200
    );
    assert!(!server.get("/stores/a1").text().contains("Why: "));
    let audit = String::from_utf8(home.print(&["export", "audit"])).expect("text");
    assert!(
        audit.contains(",note_reason,a1,1,") && audit.contains(",delete_reason,a1,1,"),
        "{audit}"
    );
    drop(server);
    let server = Server::start_with(&home, &["serve", "--read-only-pages"]);
    assert!(!server.get("/stores/a1").text().contains("Say why"));
}

#[test]
fn two_taps_on_a_phone_in_the_dark_without_a_script_answer_an_alert() {
    let Some(browser) = Browser::start("an alert's link on a phone") else {
        return;
    };
    let (home, server) = served(&[]);
    let link = format!("http://{}{}", server.address, both(&home));
    browser.resize(390, 844);
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.open(&link);
        accessible(&browser, scheme);
        assert_eq!(small_targets(&browser), serde_json::json!([]));
        let beyond = browser.run("return document.documentElement.scrollWidth");
        assert!(beyond.as_i64() <= Some(390), "{beyond}");
    }
    browser.forbid_scripts();
    // The first tap is that on the link in the message.
    browser.open(&link);
    browser.click("button.primary");
    browser.reads(".outcome strong", "Noted");
    assert!(acknowledged(&home).is_some());
    // Another time, the reason is the second tap.
    browser.open(&link);
    browser.type_into("#line", "the street is dark");
    browser.click("button[value=power]");
    browser.reads(".outcome p + p", "Why: No power: “the street is dark”");
    // With the key Enter.
    browser.type_into("#line", " again\u{e007}");
    browser.reads(
        ".outcome p + p",
        "Why: No power: “the street is dark again”",
    );
    assert_eq!(browser.url(), link, "the address stays");
}
