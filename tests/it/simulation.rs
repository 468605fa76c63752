//! The demo lives: time runs fast, stores go down and come back, and pages renew themselves meanwhile.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::{Home, Server, eventually};
use crate::webdriver::Browser;

/// At this speed an hour takes a second.
const AN_HOUR_A_SECOND: [&str; 3] = ["demo", "--speed", "3600"];

/// The state of each store and its newest poll, as the API says.
fn states(server: &Server) -> HashMap<String, (String, String)> {
    let stores = server.get("/api/stores?limit=1000").json();
    let all = stores["stores"].as_array().expect("stores");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.iter()
        .map(|store| {
            let id = text(&store["store_id"]);
            (id, (text(&store["state"]), text(&store["last_poll"]["at"])))
        })
        .collect()
}

#[test]
fn stores_go_down_and_come_back_while_somebody_looks() {
    let home = Home::new();
    let demo = Server::start_with(&home, &AN_HOUR_A_SECOND);
    let first = states(&demo);
    assert_eq!(first.len(), 63);
    // At some hours of the night no store is down at first: each look is compared with the one before.
    let mut before = first;
    let (mut down, mut back) = (false, false);
    eventually("a store goes down and comes back", || {
        let now = states(&demo);
        for (id, (state, _)) in &now {
            down |= state == "offline" && before[id].0 == "online";
            back |= state == "online" && before[id].0 == "offline";
        }
        before = now;
        (down && back).then_some(())
    });
    // The polls are stored as any others are, and a report made now knows them.
    let facts = demo.get("/api/fleet").json();
    assert_eq!(facts["freshness"]["is_live"], true, "{facts}");
    assert_eq!(
        String::from_utf8_lossy(&demo.report("")).lines().count(),
        64
    );
    assert!(demo.terminate().success());
}

#[test]
fn the_demo_can_compare_with_the_week_before() {
    let home = Home::new();
    let demo = Server::start_with(&home, &["demo", "--speed", "1"]);
    let page = demo.get("/");
    assert!(page.text().contains("the week before"), "{}", page.text());
    assert!(
        !page.text().contains("No full previous week"),
        "{}",
        page.text()
    );
    // Rows of the simulated present are no rows of the future.
    let row = "store_id,timestamp_utc,status\nnew,2000-01-02 00:00:00 UTC,active\n";
    let answer = demo.post("/api/polls", "text/csv", &[], row.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// How often the page was fetched by its script.
fn fetches(browser: &Browser) -> u64 {
    let count = "return performance.getEntriesByType('resource').filter(one => one.initiatorType === 'fetch').length";
    browser.run(count).as_u64().expect("a count")
}

#[test]
fn a_page_renews_itself_and_keeps_what_a_person_did() {
    let Some(browser) = Browser::start("pages that renew themselves") else {
        return;
    };
    let home = Home::new();
    let demo = Server::start_with(&home, &AN_HOUR_A_SECOND);
    let at = |path: &str| format!("http://{}{path}", demo.address);
    for page in ["/", "/stores", "/stores/seattle-pike-place"] {
        browser.open(&at(page));
        browser.type_into("#find", "pike");
        browser.run(
            "window.kept = document.querySelector('main');
            const places = [...document.querySelectorAll('main details')];
            places.forEach(one => { one.open = true; });
            window.opened = places;
            document.querySelector('footer a').focus();
            scrollTo(0, 300);
            window.scrolled = scrollY;",
        );
        let newest = browser.text("p.newest");
        eventually("the page says something newer", || {
            (browser.text("p.newest") != newest).then_some(())
        });
        let seen = browser.run(
            "return [kept === document.querySelector('main'), opened.every(one => one.open && one.isConnected),
                document.activeElement === document.querySelector('footer a'), scrollY === scrolled,
                document.querySelector('#find').value]",
        );
        assert_eq!(seen, json!([true, true, true, true, "pike"]), "{page}");
        assert_eq!(browser.complaints(), [""; 0], "{page}");
    }
    // What the page says after many renewals is what a fresh one says.
    let said =
        || browser.run("return document.querySelector('main').innerText.replace(/\\s+/g, ' ')");
    eventually("a renewed page is a fresh one", || {
        let renewed = said();
        browser.open(&at("/stores/seattle-pike-place"));
        (said() == renewed).then_some(())
    });
}

#[test]
fn a_page_that_nobody_looks_at_rests() {
    let Some(browser) = Browser::start("a hidden page") else {
        return;
    };
    let home = Home::new();
    let demo = Server::start_with(&home, &AN_HOUR_A_SECOND);
    browser.open(&format!("http://{}/", demo.address));
    eventually("the page renews itself", || {
        (fetches(&browser) > 1).then_some(())
    });
    let hide = |is_hidden: bool| {
        browser.run(&format!(
            "Object.defineProperty(document, 'hidden', {{get: () => {is_hidden}, configurable: true}});
            document.dispatchEvent(new Event('visibilitychange'));"
        ));
    };
    hide(true);
    let (before, shown) = (fetches(&browser), browser.text("p.newest"));
    let newest = || demo.get("/api/fleet").json()["as_of"].clone();
    // Three hours of the demo pass.
    for _ in 0..3 {
        let known = newest();
        eventually("time goes on", || (newest() != known).then_some(()));
    }
    // One may have been under way.
    assert!(fetches(&browser) <= before + 1);
    assert_eq!(browser.text("p.newest"), shown);
    hide(false);
    eventually("the page catches up", || {
        (browser.text("p.newest") != shown).then_some(())
    });
}

#[test]
fn only_pages_of_now_renew_themselves() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let renews = |target: &str| server.get(target).text().contains("data-renews=\"60\"");
    for page in ["/", "/stores", "/stores/seattle-pike-place", "/reports"] {
        assert!(renews(page), "{page}");
        let text = server.get(page);
        let plain = "<noscript><meta http-equiv=\"refresh\" content=\"60\"></noscript>";
        assert!(text.text().contains(plain), "{page}");
    }
    for page in [
        "/load",
        "/docs",
        "/docs/import",
        "/?as_of=2026-11-05T00:00:00Z",
        "/stores/nowhere",
    ] {
        assert!(!server.get(page).text().contains("data-renews"), "{page}");
    }
    let empty = Home::new();
    let server = Server::start(&empty);
    assert!(!server.get("/").text().contains("data-renews"));
}
