//! The incidents of the fleet: the stores' own, newest first, and folded where they share a cause.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Home, Server};

/// Every incident of the list, page after page.
fn all(server: &Server, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = Some(format!("/api/incidents?limit=7&{query}"));
    while let Some(url) = next {
        let page = server.get(&url).json();
        found.extend(page["incidents"].as_array().expect("incidents").clone());
        next = page["next"].as_str().map(str::to_owned);
    }
    found
}

#[test]
fn the_list_has_the_incidents_of_every_store_and_no_others() {
    let home = Home::seeded();
    let server = Server::start(&home);
    for rule in ["nearest", "previous"] {
        let query = format!("interpolation={rule}");
        let listed = all(&server, &query);
        let mut by_store: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for one in listed.iter().rev() {
            let id = one["store_id"].as_str().expect("an id").to_owned();
            by_store.entry(id).or_default().push(one.clone());
        }
        let stores = server
            .get(&format!("/api/stores?limit=1000&{query}"))
            .json();
        for store in stores["stores"].as_array().expect("stores") {
            let id = store["store_id"].as_str().expect("an id");
            let own = server.get(&format!("/api/stores/{id}?{query}")).json()["incidents"].clone();
            let own = own.as_array().expect("incidents");
            let listed = by_store.remove(id).unwrap_or_default();
            assert_eq!(own.len(), listed.len(), "{id}, {rule}");
            for (own, listed) in own.iter().zip(&listed) {
                for field in [
                    "from",
                    "to",
                    "open",
                    "began_before_window",
                    "downtime_us",
                    "not_confirmed_us",
                ] {
                    assert_eq!(own[field], listed[field], "{field} of {id}, {rule}");
                }
            }
        }
        assert!(by_store.is_empty(), "{by_store:?}");
        assert!(listed.is_sorted_by(|a, b| a["from"].as_str() >= b["from"].as_str()));
    }
}

#[test]
fn incidents_of_one_cause_are_folded_and_can_be_listed_one_by_one() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let list = server.get("/api/incidents").json();
    let fleet = server.get("/api/fleet").json();
    let cause = &list["causes"][0];
    let event = &fleet["events"][0];
    assert_eq!(
        (&cause["from"], &cause["per_cent_offline"]),
        (&event["from"], &event["per_cent_offline"])
    );
    assert!(cause["group"].is_null());
    let start = cause["from"].as_str().expect("an instant");
    let shared = all(&server, &format!("cause={start}"));
    let mut stores: Vec<&Value> = shared.iter().map(|one| &one["store_id"]).collect();
    stores.sort_by_key(|id| id.to_string());
    stores.dedup();
    assert_eq!(cause["stores"], stores.len());
    let page = server.get("/incidents");
    let words = format!(
        "<strong>{} stores</strong> at once; probably not the stores",
        stores.len()
    );
    assert!(page.text().contains(&words), "{words}");
    assert!(
        server
            .get("/")
            .text()
            .contains("62.1 % of open stores offline at once")
    );
    let one_by_one = server.get(&format!("/incidents?cause={start}"));
    assert!(!one_by_one.text().contains("at once; probably"));
    assert_eq!(
        one_by_one.text().matches("<tr>").count(),
        shared.len().min(50) + 1
    );
}

#[test]
fn incidents_are_filtered_by_owner_state_and_words_and_taken_home_as_csv() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let total =
        |query: &str| server.get(&format!("/api/incidents?{query}")).json()["total"].as_u64();
    assert_eq!(total("state=ongoing"), Some(1));
    assert_eq!(total("state=ongoing&q=place+PIKE"), Some(1));
    assert_eq!(total("state=ongoing&group=Rivera+Hospitality"), Some(0));
    let ended = total("state=ended").expect("a number");
    assert_eq!(total(""), Some(ended + 1));
    for query in ["state=open", "limit=0", "cause=yesterday", "offset=-1"] {
        server.get(&format!("/api/incidents?{query}")).problem(400);
        assert_eq!(server.get(&format!("/incidents?{query}")).status, 400);
    }
    for path in ["/api/incidents", "/api/incidents.csv", "/incidents"] {
        server.get(&format!("{path}?group=nope")).problem(404);
    }
    let csv = server.get("/api/incidents.csv?state=ended");
    assert_eq!(csv.header("Content-Type"), "text/csv; charset=utf-8");
    let rows = csv::Reader::from_reader(&csv.body[..])
        .into_records()
        .count();
    assert_eq!(rows as u64, ended);
    let page = server.get("/incidents?state=ongoing");
    assert!(page.text().contains("ongoing</span>"), "{}", page.text());
}

#[test]
fn without_polls_no_incident_is_known_and_the_page_says_so() {
    let home = Home::new();
    home.write("stores.csv", "store_id,name,group\na,A,B\n");
    home.import(&["stores.csv"]).exits(0);
    let server = Server::start(&home);
    assert!(
        server
            .get("/incidents")
            .text()
            .contains("Nothing is known of this week")
    );
}
