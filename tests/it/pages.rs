//! Pages and their JSON over HTTP: numbers that agree, safe headers, guards, uploads. `browsing` tests their look.

use std::collections::HashMap;
use std::io::Read;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::{Answer, Home, Server};

/// A home with generated stores: other hours, zones and gaps than the demo's.
fn generated(stores: u32) -> Home {
    let home = Home::new();
    let stores = stores.to_string();
    let arguments = [
        "generate", "--stores", &stores, "--days", "9", "--seed", "5", "data",
    ];
    home.run(&arguments).exits(0);
    let files = fs_names(&home);
    home.import(&files);
    home
}

fn fs_names(home: &Home) -> Vec<String> {
    let files = std::fs::read_dir(home.path("data")).expect("a folder");
    let path = |file: std::io::Result<std::fs::DirEntry>| file.expect("a file").path();
    files.map(|file| path(file).display().to_string()).collect()
}

/// A report by store id: the six figures as they are written.
fn report(csv: &[u8]) -> HashMap<String, Vec<String>> {
    let mut rows = csv::Reader::from_reader(csv);
    let row = |row: Result<csv::StringRecord, _>| {
        let row = row.expect("a row");
        let figures = row.iter().skip(1).map(str::to_owned);
        (row[0].to_owned(), figures.collect())
    };
    rows.records().map(row).collect()
}

fn encoded(id: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    id.bytes().map(encoded).collect()
}

/// A figure of JSON as the report writes it.
fn written(number: &Value) -> String {
    number
        .as_f64()
        .map_or(String::new(), |number| format!("{number:.2}"))
}

/// The figures of the windows in JSON, in the report's order.
fn figures(windows: &Value) -> Vec<String> {
    let names = ["last_hour", "last_day", "last_week"];
    let of = |what: &'static str| names.map(|name| written(&windows[name][what]));
    [of("uptime"), of("downtime")].concat()
}

/// The figures on a store's page, in the report's order: those that stand behind its words.
fn figures_on(page: &str) -> Vec<String> {
    let cards = page.split("<section class=\"card\">").skip(1).take(3);
    let (mut uptimes, mut downtimes) = (Vec::new(), Vec::new());
    for card in cards {
        let (_, big) = card.split_once("<p class=\"big\">").expect("a big number");
        let (big, _) = big.split_once("</p>").expect("its end");
        let value = |class: &str| {
            let (_, rest) = card
                .split_once(&format!("<data class=\"{class}\" value=\""))
                .expect(class);
            let (value, rest) = rest.split_once("\">").expect("its end");
            let (words, _) = rest.split_once("</data>").expect("words");
            (value.to_owned(), words.to_owned())
        };
        match big {
            "closed" => {
                uptimes.push("0.00".to_owned());
                downtimes.push("0.00".to_owned());
            }
            "unknown" => {
                uptimes.push(String::new());
                downtimes.push(String::new());
            }
            _ => {
                let hour = card.contains("<h2>Last hour</h2>");
                for ((value, words), figures) in
                    [(value("up"), &mut uptimes), (value("down"), &mut downtimes)]
                {
                    let minutes =
                        value.parse::<f64>().expect("a figure") * if hour { 1.0 } else { 60.0 };
                    assert!(
                        (minutes - minutes_of(&words)).abs() < 31.0,
                        "{value}: {words}"
                    );
                    assert!(
                        minutes > 100.0 * 60.0 || (minutes - minutes_of(&words)).abs() < 0.9,
                        "{value}: {words}"
                    );
                    figures.push(value);
                }
            }
        }
    }
    [uptimes, downtimes].concat()
}

/// The minutes of words such as `4 h 4 min`.
fn minutes_of(words: &str) -> f64 {
    let words: Vec<&str> = words.split(' ').collect();
    let part = |pair: &[&str]| {
        let number: f64 = pair[0].replace(',', "").parse().expect("a number");
        match pair[1] {
            "h" => number * 60.0,
            "min" => number,
            "s" => number / 60.0,
            unit => panic!("a length in {unit}"),
        }
    };
    words.chunks(2).map(part).sum()
}

#[test]
fn page_json_and_csv_agree_and_segments_sum_to_them() {
    let home = generated(40);
    let server = Server::start(&home);
    for rule in ["nearest", "previous"] {
        let query = format!("?interpolation={rule}");
        let report = report(&server.report(&query));
        let listed = server.get(&format!("/api/stores{query}&limit=1000")).json();
        assert_eq!(listed["total"], report.len());
        for store in listed["stores"].as_array().expect("stores") {
            let id = store["store_id"].as_str().expect("an id");
            let expected = &report[id];
            assert_eq!(
                &figures(&store["windows"]),
                expected,
                "{id} in the list, {rule}"
            );
            let path = format!("/stores/{}", encoded(id));
            let facts = server.get(&format!("/api{path}{query}")).json();
            assert_eq!(&figures(&facts["windows"]), expected, "{id}, {rule}");
            let page = server.get(&format!("{path}{query}"));
            assert_eq!(
                &figures_on(page.text()),
                expected,
                "{id} on its page, {rule}"
            );
            sums(&server, &path, &query, &facts, page.text());
            for field in ["state", "offline_since", "last_poll"] {
                assert_eq!(store[field], facts[field], "{field} of {id}, {rule}");
            }
            let coverage = &facts["windows"]["last_week"]["coverage"];
            assert_eq!(
                &store["windows"]["last_week"]["coverage"], coverage,
                "{id}, {rule}"
            );
        }
    }
}

/// Checks that the segments, in JSON and on the page, and the incidents sum to the week.
fn sums(server: &Server, path: &str, query: &str, facts: &Value, page: &str) {
    let week = &facts["windows"]["last_week"];
    let timeline = server.get(&format!("/api{path}/timeline{query}")).json();
    let segments = timeline["segments"].as_array().expect("segments");
    let us = |value: &Value| value.as_i64().expect("microseconds");
    let sum = |state: &str| -> i64 {
        let of = segments.iter().filter(|segment| segment["state"] == state);
        of.map(|segment| us(&segment["length_us"])).sum()
    };
    let drawn = |state: &str| -> i64 {
        let pieces = page.split("data-us=\"").skip(1);
        let pieces = pieces.filter_map(|piece| piece.split_once("\" data-state=\""));
        let of = pieces.filter(|(_, rest)| rest.starts_with(&format!("{state}\"")));
        of.map(|(us, _)| us.parse::<i64>().expect("a number")).sum()
    };
    if week["uptime_us"].is_null() {
        assert_eq!(sum("unknown"), us(&week["business_us"]), "{path}");
    } else {
        for (state, name) in [("online", "uptime_us"), ("offline", "downtime_us")] {
            assert_eq!(sum(state), us(&week[name]), "{state} of {path}");
            assert_eq!(drawn(state), us(&week[name]), "{state} on {path}");
        }
        let incidents = facts["incidents"].as_array().expect("incidents").iter();
        let down: i64 = incidents.map(|incident| us(&incident["downtime_us"])).sum();
        assert_eq!(down, us(&week["downtime_us"]), "incidents of {path}");
    }
    let seen = segments.iter().filter(|segment| segment["seen"] == true);
    let seen = seen.filter(|segment| segment["state"] != "closed");
    let seen: i64 = seen.map(|segment| us(&segment["length_us"])).sum();
    let coverage = week["coverage"]["seen_us"].as_i64().unwrap_or(0);
    assert_eq!(seen, coverage, "coverage of {path}");
    let ends = segments.windows(2);
    let together = ends.clone().all(|pair| pair[0]["to"] == pair[1]["from"]);
    assert!(together, "a gap in {path}");
}

#[test]
fn the_fleet_is_the_sum_of_its_stores() {
    let home = generated(40);
    let server = Server::start(&home);
    let fleet = server.get("/api/fleet").json();
    let stores = server.get("/api/stores?limit=1000").json();
    let us = |value: &Value| value.as_i64().unwrap_or(0);
    let week = |name: &str| -> i64 {
        let stores = stores["stores"].as_array().expect("stores").iter();
        stores
            .map(|store| us(&store["windows"]["last_week"][name]))
            .sum()
    };
    assert_eq!(us(&fleet["last_week"]["downtime_us"]), week("downtime_us"));
    assert_eq!(us(&fleet["last_week"]["uptime_us"]), week("uptime_us"));
    for list in ["hours", "weekday_hours_local"] {
        let loads = fleet[list].as_array().expect("loads").iter();
        let (down, business) = loads.fold((0, 0), |(down, business), load| {
            (
                down + us(&load["downtime_us"]),
                business + us(&load["business_us"]),
            )
        });
        assert_eq!(down, week("downtime_us"), "{list}");
        assert_eq!(business, week("downtime_us") + week("uptime_us"), "{list}");
    }
    assert_eq!(fleet["hours"].as_array().expect("hours").len(), 168);
    let states = fleet["states"].as_object().expect("states").values();
    assert_eq!(states.map(us).sum::<i64>(), us(&stores["total"]));
}

#[test]
fn lists_are_paged_sorted_and_filtered() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let all = server.get("/api/stores?limit=1000").json();
    let mut next = "/api/stores?limit=10&sort=downtime&interpolation=nearest".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = server.get(&next).json();
        let stores = page["stores"].as_array().expect("stores");
        let row = |store: &Value| {
            let week = &store["windows"]["last_week"]["downtime_us"];
            (week.as_i64(), store["store_id"].to_string())
        };
        seen.extend(stores.iter().map(row));
        match page["next"].as_str() {
            Some(url) => next = url.to_owned(),
            None => break,
        }
    }
    assert_eq!(all["total"], seen.len());
    // The largest first, and what is not known last.
    assert!(seen.is_sorted_by(|a, b| a.0 >= b.0), "{seen:?}");
    let ids: std::collections::BTreeSet<_> = seen.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), seen.len());

    let of = |query: &str| server.get(&format!("/api/stores?{query}")).json();
    let offline = of("state=offline");
    assert_eq!(offline["stores"][0]["store_id"], "seattle-pike-place");
    assert!(offline["stores"][0]["offline_since"].is_string());
    assert_eq!(of("q=PIKE")["total"], 1);
    assert_eq!(of("group=Rivera+Hospitality")["total"], 13);
    assert_eq!(of("state=unvouched")["stores"][0]["state"], "not sure");
    for query in [
        "state=up",
        "sort=size",
        "limit=0",
        "limit=1001",
        "order=down",
        "offset=-1",
    ] {
        server.get(&format!("/api/stores?{query}")).problem(400);
        assert_eq!(server.get(&format!("/stores?{query}")).status, 400);
    }
}

/// What a browser asks for, with these headers beside.
fn browse(server: &Server, target: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("Accept", "text/html,*/*;q=0.8")];
    headers.extend(more);
    server.get_with(target, &headers)
}

#[test]
fn pages_are_packed_tagged_and_guarded_by_headers() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for page in [
        "/",
        "/stores",
        "/stores/seattle-pike-place",
        "/reports",
        "/load",
    ] {
        let plain = browse(&server, page, &[]);
        assert_eq!(plain.status, 200, "{page}");
        assert!(
            plain.body.len() < 150_000,
            "{page} has {} bytes",
            plain.body.len()
        );
        let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        assert_eq!(plain.header("Content-Security-Policy"), policy);
        assert_eq!(plain.header("X-Content-Type-Options"), "nosniff");
        let packed = browse(&server, page, &[("Accept-Encoding", "gzip")]);
        assert_eq!(packed.header("Content-Encoding"), "gzip", "{page}");
        let mut text = String::new();
        let mut unpacked = flate2::read::GzDecoder::new(&packed.body[..]);
        unpacked.read_to_string(&mut text).expect("gzip");
        assert_eq!(text, plain.text());
        let again = browse(&server, page, &[("If-None-Match", plain.header("ETag"))]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{page}");
        let head = server.request("HEAD", page);
        assert_eq!((head.status, head.body.len()), (200, 0), "{page}");
        for name in ["href=\"/assets/style-", "src=\"/assets/script-"] {
            let (_, rest) = plain.text().split_once(name).expect(name);
            let (hash, _) = rest.split_once('"').expect("an end");
            let path = format!("{}{hash}", &name[name.find('/').expect("a path")..]);
            let asset = server.get(&path);
            assert_eq!(asset.status, 200);
            assert!(asset.header("Cache-Control").contains("immutable"));
        }
    }
    // Words that would be code are words, and nothing is asked of anybody else.
    let page = browse(&server, "/", &[]);
    for banned in ["style=\"", "onclick", "http://", "https://", "//cdn"] {
        assert!(!page.text().contains(banned), "{banned}");
    }
}

#[test]
fn an_unknown_store_is_a_page_for_browsers_and_a_problem_for_programs() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let page = browse(&server, "/stores/nowhere", &[]);
    assert_eq!(page.status, 404);
    assert_eq!(page.header("Content-Type"), "text/html; charset=utf-8");
    assert!(page.text().contains("there is no store `nowhere`"));
    assert!(
        server
            .get("/stores/nowhere")
            .problem(404)
            .contains("nowhere")
    );
    assert!(
        browse(&server, "/api/stores/nowhere", &[])
            .problem(404)
            .contains("nowhere")
    );
    for more in ["", "/timeline", "/inputs", "/badge.svg"] {
        server
            .get(&format!("/api/stores/nowhere{more}"))
            .problem(404);
    }
}

#[test]
fn a_foreign_host_is_turned_away_and_so_is_a_write_from_another_site() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--host", "shop.example"]);
    let host = |host: &str| server.get_with("/", &[("Host", host)]).status;
    assert_eq!(host("evil.example"), 421);
    assert_eq!(host("shop.example:443"), 200);
    assert_eq!(host("localhost"), 200);
    let post = |more: &[(&str, &str)]| {
        let form = format!("csrf={}", server.csrf());
        let media_type = "application/x-www-form-urlencoded";
        let answer = server.post("/reports", media_type, more, form.as_bytes());
        // The client goes on to the page that the answer leads to.
        (answer.status, answer.text().contains("<h1>Reports</h1>"))
    };
    assert_eq!(post(&[("Sec-Fetch-Site", "cross-site")]).0, 403);
    assert_eq!(post(&[("Origin", "http://evil.example")]).0, 403);
    let own = format!("http://{}", server.address);
    assert_eq!(post(&[("Origin", &own)]), (200, true));
    let trigger = server.post("/trigger_report", "text/plain", &[("Origin", "null")], b"");
    trigger.problem(403);
    assert_eq!(server.request("POST", "/trigger_report").status, 202);
}

#[test]
fn pages_that_only_show_have_no_button_and_take_nothing() {
    let home = Home::seeded();
    let server = Server::start_with(&home, &["serve", "--read-only-pages"]);
    for page in ["/", "/reports", "/load", "/stores"] {
        let page = server.get(page);
        assert!(!page.text().contains("method=\"post\""));
        assert!(!page.text().contains("Load data</a>"));
    }
    let from_page = [("Sec-Fetch-Site", "same-origin")];
    for target in ["/reports", "/load", "/trigger_report", "/api/polls"] {
        server
            .post(target, "text/csv", &from_page, b"")
            .problem(403);
    }
    server.report("");
    let empty = Home::new();
    let first = Server::start_with(&empty, &["serve", "--read-only-pages"]);
    let page = first.get("/");
    assert!(page.text().contains("No data yet"));
    assert!(!page.text().contains("type=\"file\""));
}

#[test]
fn the_network_is_not_served_by_accident() {
    let home = Home::new();
    let refused = home.run(&["serve", "--listen", "0.0.0.0:0"]);
    refused
        .exits(2)
        .refuses(&["--insecure-no-auth", "0.0.0.0:0"]);
}

/// A form with files, as a browser sends it.
fn form(files: &[(&str, &str)], skip: bool) -> Vec<u8> {
    let mut body = String::new();
    for (name, text) in files {
        body += &format!(
            "--xyz\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n{text}\r\n"
        );
    }
    if skip {
        body += "--xyz\r\nContent-Disposition: form-data; name=\"on_bad_row\"\r\n\r\nskip\r\n";
    }
    (body + "--xyz--\r\n").into_bytes()
}

#[test]
fn an_upload_is_taken_whole_or_its_bad_rows_are_told() {
    let home = Home::new();
    let server = Server::start(&home);
    let send = |files: &[(&str, &str)], skip| {
        let body = form(files, skip);
        server.post("/load", "multipart/form-data; boundary=xyz", &[], &body)
    };
    let polls = "store_id,timestamp_utc,status\na,2026-11-06 17:00:00 UTC,active\na,2026-11-06 18:00:00 UTC,huh\n";
    let zones = "store_id,timezone_str\na,Europe/Madrid\n";
    let refused = send(&[("polls.csv", polls), ("zones.csv", zones)], false);
    assert_eq!(refused.status, 422);
    for word in [
        "polls.csv",
        "expected `active` or `inactive`",
        "1 row is bad",
    ] {
        assert!(refused.text().contains(word), "{word}");
    }
    assert_eq!(server.get("/api/stores").json()["total"], 0);
    let taken = send(&[("polls.csv", polls), ("zones.csv", zones)], true);
    assert_eq!(taken.status, 200, "{}", taken.text());
    let store = server.get("/api/stores/a").json();
    assert_eq!(store["timezone"], "Europe/Madrid");
    assert_eq!(store["last_poll"]["status"], "active");
    let bad = send(&[("<b>.csv", "hello\n")], false);
    assert_eq!(bad.status, 422);
    assert!(bad.text().contains("&lt;b&gt;.csv"), "{}", bad.text());
    assert_eq!(send(&[], false).status, 400);
    let cut = server.post(
        "/load",
        "multipart/form-data; boundary=xyz",
        &[],
        b"--xyz\r\n",
    );
    cut.problem(400);
    server
        .post("/load", "text/csv", &[], polls.as_bytes())
        .problem(415);
}

#[test]
fn a_checksum_is_that_of_the_inputs_which_anybody_can_read() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for query in ["", "?interpolation=previous", "?as_of=2026-11-05T00:00:00Z"] {
        let facts = server
            .get(&format!("/api/stores/seattle-pike-place{query}"))
            .json();
        let inputs = server.get(&format!("/api/stores/seattle-pike-place/inputs{query}"));
        let digest: String = Sha256::digest(&inputs.body)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(facts["inputs"]["sha256"], digest);
        let page = server.get(&format!("/stores/seattle-pike-place{query}"));
        assert!(page.text().contains(&digest));
        assert!(inputs.text().contains("timezone America/Los_Angeles"));
    }
}

#[test]
fn a_badge_says_the_week_and_never_claims_what_nobody_saw() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let badge = server.get("/api/stores/seattle-pike-place/badge.svg");
    assert_eq!(badge.header("Content-Type"), "image/svg+xml");
    let facts = server.get("/api/stores/seattle-pike-place").json();
    let share = written(&facts["windows"]["last_week"]["per_cent"]);
    assert!(
        badge.text().contains(&format!("{share} %")),
        "{}",
        badge.text()
    );
    let unseen = server.get("/api/stores?state=unvouched").json();
    let id = unseen["stores"][0]["store_id"].as_str().expect("a store");
    let badge = server.get(&format!("/api/stores/{}/badge.svg", encoded(id)));
    assert!(badge.text().contains("unknown"));
}

#[test]
fn a_page_follows_what_is_written_at_once() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let shown = |page: &str, words: &str| server.get(page).text().contains(words);
    assert!(shown("/", "Bright Fork Pike Place"));
    let row = "store_id,name,group\nseattle-pike-place,The Pike,\n";
    let answer = server.post("/api/stores", "text/csv", &[], row.as_bytes());
    assert_eq!(answer.status, 200);
    assert!(shown("/", "The Pike") && shown("/stores?q=the+pike", "The Pike"));
    let poll = "store_id,timestamp_utc,status\nseattle-pike-place,2026-11-07 20:05:30 UTC,active\n";
    server.post("/api/polls", "text/csv", &[], poll.as_bytes());
    let fleet = server.get("/api/fleet").json();
    assert_eq!(fleet["states"]["offline"], 0);
    assert!(shown("/", "No open store is known to be offline"));
}

#[test]
fn a_long_name_and_many_stores_stay_within_a_page() {
    let home = generated(300);
    let name = "&".repeat(120);
    let group = "\"".repeat(120);
    let mut stores = "store_id,name,group\n".to_owned();
    let listed = home.print(&["report"]);
    for id in report(&listed).keys() {
        stores += &format!(
            "\"{}\",{name},\"{}\"\n",
            id.replace('"', "\"\""),
            group.replace('"', "\"\"")
        );
    }
    home.write("stores.csv", stores);
    home.import(&["stores.csv"]);
    let server = Server::start(&home);
    let page = server.get("/stores");
    assert!(page.body.len() < 100_000, "{} bytes", page.body.len());
    assert!(server.get("/").body.len() < 150_000);
}

#[test]
fn a_store_that_flaps_every_minute_stays_within_a_page() {
    let home = Home::new();
    let mut polls = "store_id,timestamp_utc,status\n".to_owned();
    for minute in 0..8 * 1440 {
        let (day, minute) = (minute / 1440 + 1, minute % 1440);
        let status = ["active", "inactive"][minute % 2];
        let (hour, minute) = (minute / 60, minute % 60);
        polls += &format!("a,2026-11-{day:02} {hour:02}:{minute:02}:00 UTC,{status}\n");
    }
    home.write("polls.csv", polls);
    home.import(&["polls.csv"]);
    let server = Server::start(&home);
    for page in ["/stores/a", "/"] {
        let page = server.get(page);
        assert!(page.body.len() < 150_000, "{} bytes", page.body.len());
    }
    let page = server.get("/stores/a");
    assert_eq!(
        figures_on(page.text()),
        figures(&server.get("/api/stores/a").json()["windows"])
    );
    assert!(page.text().contains("drawn in steps"));
}
