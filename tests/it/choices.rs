//! What people choose on every page: the owner, the instant, the rule, a search; and the locale of the server.

use crate::harness::{Home, Server};

/// The links of a page that lead to pages.
fn links(page: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1);
    let links = links.filter_map(|rest| rest.split_once('"'));
    let leads = |link: &&str| *link == "/" || link.starts_with("/?") || link.starts_with("/stores");
    let links = links.map(|(link, _)| link).filter(leads);
    links.map(|link| link.replace("&amp;", "&")).collect()
}

#[test]
fn every_link_keeps_the_instant_the_rule_and_the_owner() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let asked = "group=Rivera+Hospitality&as_of=2026-11-06T20:00:00Z&interpolation=previous";
    for path in ["/", "/stores", "/stores/chicago-ohare", "/reports", "/load"] {
        let page = server.get(&format!("{path}?{asked}"));
        assert_eq!(page.status, 200, "{path}");
        let links = links(page.text());
        assert!(links.len() >= 3, "{path}: {links:?}");
        for link in links {
            // Only the controls themselves lead to another instant, rule or owner, and one at a time.
            let kept = [
                "group=",
                "as_of=2026-11-06T20:00:00Z",
                "interpolation=previous",
            ];
            let lost = kept.iter().filter(|field| !link.contains(*field)).count();
            assert!(lost <= 1, "{link} on {path}");
        }
        assert!(page.text().contains("You see the stores as of "), "{path}");
    }
    let plain = server.get("/stores");
    assert!(links(plain.text()).contains(&"/stores/boston-fenway".to_owned()));
}

#[test]
fn an_instant_is_chosen_by_the_clock_of_the_page() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let moved = |target: &str| {
        let page = server.get(target);
        assert_eq!(page.status, 200, "{target}");
        let (_, value) = page
            .text()
            .split_once("name=\"as_of\" value=\"")
            .unwrap_or_default();
        value.split('"').next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        moved("/?group=&as_of_local=2026-11-05T18:30"),
        "2026-11-05T23:30:00Z"
    );
    assert_eq!(
        moved("/stores?as_of_local=2026-11-05T18:30"),
        "2026-11-05T23:30:00Z"
    );
    // A store's own clock.
    assert_eq!(
        moved("/stores/seattle-pike-place?as_of_local=2026-11-05T18:30"),
        "2026-11-06T02:30:00Z"
    );
    assert_eq!(moved("/?as_of=2026-11-06T00:30:00Z&as_of_local="), "");
    server.get("/?as_of_local=yesterday").problem(400);
}

#[test]
fn a_search_takes_words_in_any_order() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let total = |query: &str| server.get(&format!("/api/stores?q={query}")).json()["total"].clone();
    for query in [
        "Pike+Place+Bright",
        "place++PIKE",
        "seattle-pike",
        "bright+pike-place",
    ] {
        assert_eq!(total(query), 1, "{query}");
    }
    assert_eq!(total("pike+ohare"), 0);
    assert_eq!(total("rivera+hospitality"), 13);
    for page in [
        "/",
        "/stores",
        "/stores/chicago-ohare",
        "/reports",
        "/load",
        "/docs",
    ] {
        let page = server.get(page);
        assert!(
            page.text()
                .contains("<input id=\"find\" type=\"search\" name=\"q\"")
        );
    }
}

#[test]
fn times_and_digits_are_those_of_the_locale() {
    let home = Home::seeded();
    let told = |arguments: &[&str], words: &[&str], others: &[&str]| {
        let server = Server::start_with(&home, arguments);
        let page = server.get("/stores/seattle-pike-place");
        for word in words {
            assert!(page.text().contains(word), "{word} with {arguments:?}");
        }
        for word in others {
            assert!(!page.text().contains(word), "{word} with {arguments:?}");
        }
    };
    told(&["serve"], &[" PM", "12 AM<"], &["13:", ">03<"]);
    told(&["serve", "--locale", "de-DE"], &[">03<", " %"], &[" PM"]);
    let refused = home.run(&["serve", "--locale", "tlh"]);
    refused.exits(2).says(&["en-US", "de-DE"]);
}
