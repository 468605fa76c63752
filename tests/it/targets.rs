//! A target of uptime: what is left of a month on pages and in JSON is what the month's statement says.

use crate::harness::{Home, Server};

/// Three stores with six weeks of polls, each offline every seventh hour; one of them has no target of its own.
fn home() -> Home {
    let home = Home::new();
    let mut polls = String::from("store_id,status,timestamp_utc\n");
    for (number, id) in ["a", "b", "c"].into_iter().enumerate() {
        for hour in 0..42 * 24 {
            let (day, hour) = (hour / 24, hour % 24);
            let status = if (hour + day + number) % 7 == 0 {
                "inactive"
            } else {
                "active"
            };
            let (month, day) = if day < 31 {
                (10, day + 1)
            } else {
                (11, day - 30)
            };
            polls += &format!("{id},{status},2026-{month}-{day:02} {hour:02}:20:00 UTC\n");
        }
    }
    home.write("polls.csv", polls);
    home.write(
        "stores.csv",
        "store_id,name,group,sales_per_hour,target\na,Ann,Own,,80\nb,Bob,Own,,95.5\nc,Cat,,,\nnever,,,,99\n",
    );
    home.write(
        "zones.csv",
        "store_id,timezone_str\na,UTC\nb,Pacific/Auckland\nc,America/Los_Angeles\nnever,UTC\n",
    );
    home.write(
        "hours.csv",
        "store_id,day,start_time_local,end_time_local\n\
         a,0,09:00:00,17:00:00\na,2,09:00:00,17:00:00\na,5,20:00:00,03:00:00\n",
    );
    home.import(&["polls.csv", "stores.csv", "zones.csv", "hours.csv"]);
    home
}

/// The downtime of a store in a month, in hundredths of an hour, by its statement.
fn downtime(home: &Home, id: &str, [from, to]: [&str; 2], as_of: &str, rule: &str) -> i64 {
    let csv = home.print(&[
        "statement",
        "--from",
        from,
        "--to",
        to,
        "--store",
        id,
        "--as-of",
        as_of,
        "--interpolation",
        rule,
    ]);
    let csv = String::from_utf8(csv).expect("text");
    let row = csv.lines().nth(1).expect("a row");
    let hours: f64 = row
        .split(',')
        .nth(4)
        .expect("downtime")
        .parse()
        .expect("hours");
    format!("{:.0}", hours * 100.0).parse().expect("a number")
}

#[test]
fn what_is_left_is_by_the_statement_of_the_month() {
    let home = home();
    let server = Server::start_with(&home, &["serve", "--target", "90"]);
    let months = [["2026-10-01", "2026-10-31"], ["2026-11-01", "2026-11-30"]];
    for rule in ["nearest", "previous"] {
        // In the second, Auckland is in November already; in the last, the week before lies in the month.
        for as_of in [
            "2026-10-29T12:00:00Z",
            "2026-10-31T12:30:00Z",
            "2026-11-01T03:00:00Z",
            "2026-11-11T23:20:00Z",
        ] {
            for id in ["a", "b", "c"] {
                let facts = server.get(&format!(
                    "/api/stores/{id}?as_of={as_of}&interpolation={rule}"
                ));
                let target = &facts.json()["target"];
                let month = months
                    .iter()
                    .find(|month| target["from"] == month[0])
                    .expect("a month");
                let told = target["downtime_us"].as_i64().expect("downtime");
                let expected = downtime(&home, id, *month, as_of, rule);
                assert_eq!(
                    (told + 18_000_000) / 36_000_000,
                    expected,
                    "{id} at {as_of} by {rule}"
                );
                let allowed = target["business_us"].as_i64().expect("hours")
                    * match id {
                        "a" => 2000,
                        "b" => 450,
                        _ => 1000,
                    }
                    / 10_000;
                assert_eq!(target["left_us"], allowed - told);
                assert_eq!(target["missed"], told > allowed);
            }
        }
    }
    let auckland = server
        .get("/api/stores/b?as_of=2026-10-31T12:30:00Z")
        .json();
    assert_eq!(auckland["target"]["from"], "2026-11-01");
    let never = server.get("/api/stores/never").json();
    assert_eq!(never["target"]["left_us"], serde_json::Value::Null);
    assert_eq!(never["target"]["per_cent"], 99.0);

    let store = server.get("/stores/b");
    assert!(store.text().contains("Target 95.5 % online: ") && store.text().contains("missed by "));
    let unknown = server.get("/stores/never");
    assert!(unknown.text().contains("unknown in November"));
    let fleet = server.get("/");
    let fleet = fleet.text();
    assert!(fleet.contains("Target, November") && fleet.contains("missed by "));
    let told = server.get("/api/fleet").json();
    assert_eq!(
        (&told["target"]["stores"], &told["target"]["unknown"]),
        (&4.into(), &1.into())
    );
    let own = server.get("/api/fleet?group=Own").json();
    assert_eq!(own["target"]["stores"], 2);
    let listed = server.get("/api/stores").json();
    let listed = listed["stores"].as_array().expect("stores").iter();
    let listed = listed.clone().find(|store| store["store_id"] == "c");
    assert_eq!(listed.expect("c")["target"]["per_cent"], 90.0);
}

#[test]
fn polls_that_come_in_late_change_what_is_left_and_without_a_target_nothing_is_shown() {
    let home = home();
    let server = Server::start(&home);
    let left =
        |id: &str| server.get(&format!("/api/stores/{id}")).json()["target"]["left_us"].clone();
    assert_eq!(left("c"), serde_json::Value::Null);
    assert!(!server.get("/stores/c").text().contains("Target"));
    let before = left("b").as_i64().expect("a number");
    // Within the settled past, and newest.
    for at in ["2026-11-02 08:40:00 UTC", "2026-11-11 23:50:00 UTC"] {
        let rows = format!("store_id,status,timestamp_utc\nb,inactive,{at}\n");
        server.post("/api/polls", "text/csv", &[], rows.as_bytes());
    }
    let after = left("b").as_i64().expect("a number");
    assert!(after < before, "{after} {before}");
    let expected = downtime(
        &home,
        "b",
        ["2026-11-01", "2026-11-30"],
        "2026-11-11 23:50:00 UTC",
        "nearest",
    );
    let told = server.get("/api/stores/b").json()["target"]["downtime_us"]
        .as_i64()
        .expect("downtime");
    assert_eq!((told + 18_000_000) / 36_000_000, expected);
    let refused = home.run(&["serve", "--target", "101"]);
    refused.exits(2).says(&["a per cent from 0 to 100"]);
}
