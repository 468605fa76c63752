//! A store's page in a real browser: its chart by hand, by key and on paper, and the removal of a store.

use serde_json::json;

use crate::harness::{Home, Server};
use crate::webdriver::Browser;

/// Whether the explanation is beside the piece that has the focus, and both are in view.
const BESIDE: &str = "const [told, piece] = [document.querySelector('.told'), document.activeElement].map(one => one.getBoundingClientRect());
    const gap = Math.max(told.top - piece.bottom, piece.top - told.bottom);
    return gap < 20 && told.top >= 0 && told.bottom <= innerHeight && told.left >= 0 && told.right <= innerWidth";

#[test]
fn a_piece_is_explained_beside_it_and_arrow_keys_move_within_the_chart() {
    let Some(browser) = Browser::start("the chart of a store") else {
        return;
    };
    let home = Home::seeded();
    let server = Server::start(&home);
    for (width, height) in [(390, 700), (1160, 800)] {
        browser.resize(width, height);
        browser.open(&format!(
            "http://{}/stores/newark-penn-station",
            server.address
        ));
        assert_eq!(
            browser.run("return document.querySelector('.told').hidden"),
            true
        );
        browser.click("a.piece[data-state=offline]");
        browser.reads(".told", "offline, ");
        assert_eq!(browser.run(BESIDE), true, "at {width} px");
        let first = browser.text(".told");
        // Every piece can be hit by a finger.
        let least = browser.run("return Math.min(...[...document.querySelectorAll('a.piece')].map(one => one.getBoundingClientRect().height))");
        assert!(
            least.as_f64() >= Some(24.0),
            "{least} px high at {width} px"
        );
        browser.press("ArrowRight");
        let second = browser.text(".told");
        assert_ne!(second, first);
        browser.press("ArrowLeft");
        browser.reads(".told", &first);
        browser.press("ArrowDown");
        assert_eq!(browser.run(BESIDE), true, "a day later, at {width} px");
        let day = |told: &str| told.split(' ').take(3).collect::<Vec<_>>().join(" ");
        assert_ne!(day(&browser.text(".told")), day(&first));
        browser.press("Escape");
        assert_eq!(
            browser.run("return document.querySelector('.told').hidden"),
            true
        );
        // The tab key reaches the chart once, not piece by piece.
        assert_eq!(
            browser.run("return document.querySelectorAll('a.piece[tabindex=\"0\"]').length"),
            1
        );
    }
}

#[test]
fn a_store_is_printed_in_one_size_of_type_with_its_address_and_the_date() {
    let Some(browser) = Browser::start("the type of a print") else {
        return;
    };
    let home = Home::seeded();
    let server = Server::start(&home);
    browser.devtools("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    browser.open(&format!(
        "http://{}/stores/seattle-pike-place?as_of=2026-11-06T20:00:00Z",
        server.address
    ));
    let sizes = browser.run(
        "const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), sizes = new Set();
         while (texts.nextNode()) { const one = texts.currentNode.parentElement;
           if (texts.currentNode.data.trim() && one.checkVisibility()) sizes.add(getComputedStyle(one).fontSize); }
         return [...sizes]",
    );
    assert_eq!(sizes.as_array().map(Vec::len), Some(1), "{sizes}");
    let address = format!(
        "{}/stores/seattle-pike-place?as_of=2026-11-06T20:00:00Z · printed ",
        server.address
    );
    assert!(
        browser.text(".address").contains(&address),
        "{}",
        browser.text(".address")
    );
}

#[test]
fn a_store_is_removed_on_its_page_only_when_that_is_confirmed() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let form = |body: &str| {
        let target = "/stores/boston-fenway/removal";
        server.post(
            target,
            "application/x-www-form-urlencoded",
            &[],
            body.as_bytes(),
        )
    };
    let asked = form("");
    assert_eq!(asked.status, 400);
    assert!(asked.text().contains("Yes, remove it for good"));
    assert_eq!(server.get("/api/stores/boston-fenway").status, 200);
    let list = form("confirm=yes");
    assert_eq!(list.status, 200);
    assert!(
        list.text()
            .contains("The store <strong>boston-fenway</strong> was removed.")
    );
    assert_eq!(server.get("/api/stores/boston-fenway").status, 404);
    assert_eq!(server.get("/api/stores").json()["total"], 62);
    form("confirm=yes").problem(404);
    let claimed = server.get("/stores?removed=seattle-pike-place");
    assert!(!claimed.text().contains("was removed"));

    let shown = Server::start_with(&home, &["serve", "--read-only-pages"]);
    assert!(
        !shown
            .get("/stores/seattle-pike-place")
            .text()
            .contains("/removal")
    );
    let page = [("Sec-Fetch-Site", "same-origin")];
    let refused = shown.post(
        "/stores/seattle-pike-place/removal",
        "application/x-www-form-urlencoded",
        &page,
        b"confirm=yes",
    );
    refused.problem(403);
}

#[test]
fn a_store_is_removed_by_clicks_without_a_script() {
    let Some(browser) = Browser::start("the removal of a store") else {
        return;
    };
    let home = Home::seeded();
    let server = Server::start(&home);
    browser.forbid_scripts();
    browser.open(&format!("http://{}/stores/boston-fenway", server.address));
    browser.click(".removal summary");
    // Unconfirmed, the browser does not even send it.
    browser.click(".removal button");
    assert_eq!(server.get("/api/stores/boston-fenway").status, 200);
    browser.click("#confirm");
    browser.click(".removal button");
    browser.reads(".past", "The store boston-fenway was removed.");
}

#[test]
fn checks_are_taken_back_on_a_stores_page_only_when_that_is_confirmed() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let target = "/stores/nyc-times-square/polls-removal";
    let form = |server: &Server, body: &str| server.submit(target, body);
    let polls = || {
        let export = String::from_utf8(home.print(&["export", "polls"])).expect("text");
        export
            .lines()
            .filter(|line| line.starts_with("nyc-times-square,"))
            .count()
    };
    let before = polls();
    // New York is five hours behind UTC.
    let span = "from=2026-11-07T10:00:00&to=2026-11-07T13:00";
    for (body, complaint) in [
        ("", "Both times are needed."),
        (
            "from=2026-11-07T10:00&to=&confirm=yes",
            "Both times are needed.",
        ),
        (span, "Tick the box"),
        (
            "from=2026-11-07T10:00&to=2026-11-07T10:00&confirm=yes",
            "later than the first",
        ),
    ] {
        let asked = form(&server, body);
        assert_eq!(asked.status, 400, "{body}");
        assert!(asked.text().contains(complaint), "{body}: {}", asked.text());
    }
    assert_eq!(polls(), before);
    assert!(
        form(&server, span)
            .text()
            .contains("value=\"2026-11-07T10:00:00\"")
    );
    let wanted = server.get("/api/stores/nyc-times-square/timeline").json();
    let hours = ["2026-11-07T15:", "2026-11-07T16:", "2026-11-07T17:"];
    let is_within = |poll: &serde_json::Value| {
        hours
            .iter()
            .any(|hour| poll["at"].as_str().expect("an instant").starts_with(hour))
    };
    let within = wanted["polls"].as_array().expect("polls").iter();
    let within = within.filter(|poll| is_within(poll)).count();
    assert!(within > 1, "{within}");
    let taken = form(&server, &format!("{span}&confirm=yes"));
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert!(
        taken
            .text()
            .contains(&format!("{within} <small>checks were taken back"))
    );
    assert_eq!(polls(), before - within);
    let again = form(&server, &format!("{span}&confirm=yes"));
    assert!(again.text().contains("0 <small>checks"), "{}", again.text());
    let shown = Server::start_with(&home, &["serve", "--read-only-pages"]);
    let page = shown.get("/stores/nyc-times-square");
    assert!(!page.text().contains("polls-removal"));
    form(&shown, &format!("{span}&confirm=yes")).problem(403);
}

#[test]
fn checks_are_taken_back_by_clicks_without_a_script() {
    let Some(browser) = Browser::start("checks that are taken back") else {
        return;
    };
    let home = Home::seeded();
    let server = Server::start(&home);
    browser.forbid_scripts();
    browser.open(&format!("http://{}/stores/boston-fenway", server.address));
    browser.click(".take-back summary");
    browser.click(".take-back button");
    assert!(
        browser
            .text(".take-back")
            .contains("Times are in New York time")
    );
    browser.click("#confirm-checks");
    browser.click(".take-back button");
    // The times are missing, so the browser does not even send it.
    assert!(browser.text("h1").contains("Fenway"));
}

#[test]
fn the_headline_is_one_sentence_and_the_badges_code_names_this_server() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let page = server.get("/stores/seattle-pike-place");
    let (_, headline) = page
        .text()
        .split_once("<p class=\"headline\">")
        .expect("a headline");
    assert!(
        headline.starts_with("95.8 % · 4 h 3 min offline of 97 h open"),
        "{headline:.80}"
    );
    let code = format!(
        "&lt;img src=\"http://{}/api/stores/seattle-pike-place/badge.svg\"",
        server.address
    );
    let code = code.replace('"', "&quot;");
    assert!(page.text().contains(&code) || page.text().contains(&code.replace("&quot;", "\"")));
    // A night that was closed in between does not count.
    let newark = server.get("/stores/newark-penn-station");
    assert!(newark.text().contains("of open hours"));
    assert!(newark.text().contains("Our checker was down"));
    // The day with 25 hours has an axis of its own, and all days share the one on top.
    assert_eq!(newark.text().matches("<svg class=\"hours\"").count(), 2);
    let (top, _) = newark
        .text()
        .split_once("<div class=\"day\">")
        .expect("days");
    assert!(top.contains("<svg class=\"hours\""));
}
