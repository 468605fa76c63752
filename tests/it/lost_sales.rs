//! How sure a downtime is and what it cost, on pages and in JSON: both follow from the worked case, and agree.

use serde_json::Value;
use store_monitor::db::{
    self,
    connection::open_writer,
    fleet::{LabelChange, replace_labels},
};

use crate::harness::{Home, Server};

/// Two stores that are open from 9 to 17 in UTC, and were offline for a while at noon; a third one was never polled.
fn home() -> Home {
    let home = Home::new();
    let poll = |id: &str, hour: u32, status: &str| {
        format!("{id},{status},2026-11-02 {hour:02}:00:00 UTC\n")
    };
    let mut polls = String::from("store_id,status,timestamp_utc\n");
    for id in ["a", "b"] {
        for hour in 9..=16 {
            let status = if (11..=13).contains(&hour) {
                "inactive"
            } else {
                "active"
            };
            polls += &poll(id, hour, status);
        }
        polls += &poll(id, 20, "active");
    }
    let day = |id: &str| format!("{id},0,09:00:00,17:00:00\n");
    home.write("polls.csv", polls);
    home.write(
        "hours.csv",
        format!(
            "store_id,day,start_time_local,end_time_local\n{}{}{}",
            day("a"),
            day("b"),
            day("c")
        ),
    );
    home.write("zones.csv", "store_id,timezone_str\na,UTC\nb,UTC\nc,UTC\n");
    home.import(&["polls.csv", "hours.csv", "zones.csv"]);
    home
}

/// Gives stores an owner, a rate in hundredths, and a target in hundredths of a per cent.
pub(crate) fn label(home: &Home, stores: &[(&str, &str, Option<i64>, Option<i64>)]) {
    let mut db = open_writer(&home.database()).expect("the database");
    db::write(&mut db, |db| {
        for &(id, group, rate, target) in stores {
            let key = db.query_row("SELECT key FROM store WHERE store_id = ?1", [id], |row| {
                row.get(0)
            })?;
            let change = LabelChange {
                group: group.to_owned(),
                sales_per_hour: Some(rate),
                target: Some(target),
                ..LabelChange::default()
            };
            replace_labels(db, [(key, &change)])?;
        }
        Ok(())
    })
    .expect("the labels");
}

fn amounts(told: &Value) -> [Option<f64>; 3] {
    ["lost_sales_least", "lost_sales", "lost_sales_most"].map(|name| told[name].as_f64())
}

fn bounds(told: &Value) -> [Option<f64>; 3] {
    ["downtime_least", "downtime", "downtime_most"].map(|name| told[name].as_f64())
}

#[test]
fn downtime_and_lost_sales_have_their_least_and_most_everywhere() {
    let home = home();
    label(
        &home,
        &[("a", "Ann", Some(12_050), None), ("b", "Ann", None, None)],
    );
    let server = Server::start_with(&home, &["serve", "--currency", "$"]);
    // Down between the halves of 10–11 and 13–14; certain between the polls of 11 and 13.
    let (hours, money) = (
        [Some(2.0), Some(3.0), Some(4.0)],
        [241.0, 361.5, 482.0].map(Some),
    );

    let store = server.get("/api/stores/a").json();
    assert_eq!(store["sales_per_hour"], 120.5);
    let week = &store["windows"]["last_week"];
    assert_eq!((bounds(week), amounts(week)), (hours, money));
    assert_eq!(week["certain_us"], 6 * 3_600_000_000_i64);
    let incident = &store["incidents"][0];
    assert_eq!((bounds(incident), amounts(incident)), (hours, money));
    let days = store["days"].as_array().expect("days");
    let monday = days.iter().find(|day| day["date"] == "2026-11-02");
    assert_eq!(amounts(monday.expect("Monday")), money);

    let plain = server.get("/api/stores/b").json();
    assert_eq!(plain["sales_per_hour"], Value::Null);
    assert_eq!(bounds(&plain["windows"]["last_week"]), hours);
    assert_eq!(amounts(&plain["windows"]["last_week"]), [None; 3]);
    let never = server.get("/api/stores/c").json();
    assert_eq!(bounds(&never["windows"]["last_week"]), [None; 3]);
    assert_eq!(never["windows"]["last_week"]["certain"], Value::Null);

    let fleet = server.get("/api/fleet").json();
    assert_eq!(bounds(&fleet["last_week"]), [4.0, 6.0, 8.0].map(Some));
    assert_eq!(amounts(&fleet["last_week"]), money);
    assert_eq!(amounts(&fleet["groups"][0]["last_week"]), money);
    let listed = server.get("/api/stores?sort=lost_sales").json();
    assert_eq!(listed["stores"][0]["store_id"], "a");
    assert_eq!(amounts(&listed["stores"][0]["windows"]["last_week"]), money);
    let incidents = server.get("/api/incidents").json();
    let own = |id: &str| {
        let all = incidents["incidents"].as_array().expect("incidents");
        amounts(all.iter().find(|one| one["store_id"] == id).expect(id))
    };
    assert_eq!([own("a"), own("b")], [money, [None; 3]]);
    let csv = server.get("/api/incidents.csv");
    let csv = csv.text();
    assert!(
        csv.contains(",2.00,4.00,241.00,361.50,482.00,,\n") && csv.contains(",2.00,4.00,,,,,\n")
    );
    let csv = server.get("/api/stores.csv");
    let csv = csv.text();
    assert!(csv.contains(",2.00,4.00,241.00,361.50,482.00\n") && csv.contains("\n"));

    let page = server.get("/stores/a");
    let page = page.text();
    for words in [
        "at least <data class=\"at-least\" value=\"2.00\">2 h</data>, at most <data class=\"at-most\" value=\"4.00\">4 h</data>",
        "Lost sales <data class=\"lost\" value=\"361.50\">$361.50</data> (at least <data class=\"lost\" value=\"241.00\">$241.00</data>, \
         at most <data class=\"lost\" value=\"482.00\">$482.00</data>): downtime × $120.50 an hour",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let page = server.get("/stores/b");
    let page = page.text();
    assert!(
        page.contains("at most") && !page.to_lowercase().contains("lost"),
        "no sales are known"
    );
    for path in ["/", "/?group=Ann", "/stores", "/incidents"] {
        let page = server.get(path);
        let page = page.text();
        assert!(page.contains("$361.50"), "{path}");
    }
}

#[test]
fn without_a_currency_money_is_a_bare_number_and_without_sales_there_is_none() {
    let home = home();
    let server = Server::start(&home);
    for path in ["/", "/stores", "/incidents", "/stores/a"] {
        let page = server.get(path);
        let page = page.text();
        assert!(
            !page.contains("ost sales") && !page.contains("lost <data"),
            "{path}"
        );
    }
    drop(server);
    label(&home, &[("a", "Ann", Some(12_050), None)]);
    let server = Server::start(&home);
    assert!(server.get("/stores/a").text().contains(">361.50</data>"));
    drop(server);
    let refused = home.run(&["serve", "--currency", "Deutsche Mark"]);
    refused.exits(2).says(&["at most 8 characters"]);
}
