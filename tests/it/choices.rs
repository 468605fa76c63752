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
    assert!(links(plain.text()).contains(&"/stores/newark-penn-station".to_owned()));
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

/// The ids of the stores on the page `/stores`, in its order.
fn listed(page: &str) -> Vec<String> {
    let (_, body) = page.split_once("<tbody>").expect("a table");
    let rows = body.split("<th scope=\"row\"><a href=\"/stores/").skip(1);
    let id = |row: &str| row.split(['"', '?']).next().unwrap_or_default().to_owned();
    rows.map(id).collect()
}

#[test]
fn the_list_begins_with_the_worst_and_its_csv_is_whole() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let page = server.get("/stores");
    let worst = server.get("/api/stores?sort=downtime&limit=35").json();
    let ids: Vec<&str> = worst["stores"]
        .as_array()
        .expect("stores")
        .iter()
        .filter_map(|store| store["store_id"].as_str())
        .collect();
    assert_eq!(listed(page.text()), ids);
    assert_eq!(page.text().matches("<svg class=\"strip\"").count(), 35);

    let csv = server.get("/api/stores.csv?sort=downtime");
    assert!(csv.header("Content-Type").starts_with("text/csv"));
    let mut reader = csv::Reader::from_reader(&csv.body[..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 63);
    let report = home.print(&["report"]);
    let report = String::from_utf8(report).expect("text");
    for row in &rows {
        let line = report
            .lines()
            .find(|line| line.starts_with(&format!("{},", &row[0])));
        let figures: Vec<&str> = line.expect("a line of the report").split(',').collect();
        assert_eq!([&row[7], &row[8]], [figures[3], figures[6]], "{}", &row[0]);
    }
    let link = links_to(page.text(), "/api/stores.csv");
    assert_eq!(link, "/api/stores.csv?sort=downtime&for=spreadsheet");
    let few = server.get("/stores?state=offline&interpolation=previous");
    let link = links_to(few.text(), "/api/stores.csv");
    assert_eq!(
        link,
        "/api/stores.csv?state=offline&sort=downtime&for=spreadsheet&interpolation=previous"
    );
    assert_eq!(server.get(&link).text().lines().count(), 2);
}

fn links_to(page: &str, path: &str) -> String {
    let (_, rest) = page.split_once(&format!("href=\"{path}")).expect(path);
    let rest = rest.split('"').next().unwrap_or_default();
    format!("{path}{rest}").replace("&amp;", "&")
}

#[test]
fn a_strip_says_what_the_days_of_the_store_are() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let facts = server.get("/api/stores/newark-penn-station").json();
    let days = facts["days"].as_array().expect("days");
    let sum = |name: &str| -> i64 { days.iter().filter_map(|day| day[name].as_i64()).sum() };
    let week = &facts["windows"]["last_week"];
    for name in ["uptime_us", "downtime_us", "business_us"] {
        assert_eq!(week[name], sum(name), "{name}");
    }
    let page = server.get("/stores?q=newark-penn-station");
    let (_, strip) = page
        .text()
        .split_once("<svg class=\"strip\"")
        .expect("a strip");
    let (_, words) = strip.split_once("<title>").expect("words");
    let (words, _) = words.split_once("</title>").expect("an end");
    assert_eq!(words.split("; ").count(), days.len());
    let share = days[2]["per_cent"].as_f64().expect("a share");
    assert!(
        words
            .split("; ")
            .nth(2)
            .expect("a day")
            .ends_with(&format!(" {share:.1} %")),
        "{words}"
    );
    // A week is marked from the same limits.
    assert!(page.text().contains("<span class=\"level bad\">"));
}

/// What a browser gets.
fn browse(server: &Server, target: &str) -> crate::harness::Answer {
    server.get_with(target, &[("Accept", "text/html,*/*;q=0.8")])
}

#[test]
fn a_missing_page_says_so_to_people_and_offers_a_search() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for (target, words) in [
        ("/nowhere", "Sorry, there is nothing here."),
        ("/stores/nowhere", "Sorry, there is no store `nowhere`."),
        ("/?group=Rivera", "there is no owner `Rivera`"),
    ] {
        let page = browse(&server, target);
        assert_eq!(page.status, 404, "{target}");
        assert!(page.text().contains(words), "{target}: {}", page.text());
        assert!(page.text().contains("<h1>Nothing is at this address</h1>"));
        assert!(
            page.text().contains("Name, owner or id of a store"),
            "{target}"
        );
        assert!(!page.text().contains("GET /"), "{target}");
        assert!(!page.text().contains("group=Rivera"), "{target}");
    }
    assert!(
        browse(&server, "/stores/nowhere")
            .text()
            .contains("value=\"nowhere\"")
    );
}

#[test]
fn the_list_of_reports_says_when_and_for_what_and_marks_a_new_one() {
    let home = Home::seeded();
    let server = Server::start(&home);
    server.report("");
    let page = server.get("/reports?as_of=2026-11-06T20:00:00Z&interpolation=previous");
    let (head, _) = page
        .text()
        .split_once("id=\"reports\"")
        .expect("the history");
    assert!(
        head.contains("Make a report</button>"),
        "the button is not in the head"
    );
    assert!(!page.text().contains(">new</span>"));
    let form = b"as_of=2026-11-06T20%3A00%3A00Z&interpolation=previous";
    let made = server.post("/reports", "application/x-www-form-urlencoded", &[], form);
    assert_eq!(made.text().matches(">new</span>").count(), 1);
    let (_, row) = made
        .text()
        .split_once("<tr class=\"new\"")
        .expect("a new row");
    let (row, _) = row.split_once("</tr>").expect("its end");
    for words in [
        "all stores as of ",
        "Fri 6 Nov 2026, 3:00 PM",
        "gaps filled with the last check",
    ] {
        assert!(row.contains(words), "{words}: {row}");
    }
    for words in [">Made<", ">For<"] {
        assert!(made.text().contains(words), "{words}");
    }
}
