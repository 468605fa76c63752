//! Hours that change and special days on a store's page and in its JSON: a closed holiday is closed, not downtime.

use crate::harness::{Home, Server};

#[test]
fn special_days_and_versions_near_are_told_and_no_others() {
    let home = Home::new();
    let mut polls = String::from("store_id,status,timestamp_utc\n");
    for day in 1..=8 {
        for hour in 9..17 {
            // No poll came on Thursday the 5th, a holiday.
            let status = if day == 5 { "inactive" } else { "active" };
            polls += &format!("a,{status},2026-11-{day:02} {hour:02}:30:00 UTC\n");
        }
    }
    home.write("polls.csv", polls);
    home.write("zones.csv", "store_id,timezone_str\na,Europe/London\n");
    let week = |from: &str, start: &str| -> String {
        let row = |day| format!("a,{day},{start},17:00:00,{from}\n");
        (0..7).map(row).collect()
    };
    let header = "store_id,day,start_time_local,end_time_local,valid_from\n";
    home.write(
        "hours.csv",
        format!(
            "{header}{}{}{}",
            week("", "09:00:00"),
            week("2026-11-20", "11:00:00"),
            week("2027-06-01", "08:00:00")
        ),
    );
    home.write(
        "special.csv",
        "store_id,date,start_time_local,end_time_local,reason\n\
         a,2026-11-05,,,Bonfire Night\n\
         a,2026-11-26,10:00:00,12:00:00,\n\
         a,2026-12-25,,,Christmas\n",
    );
    home.import(&["polls.csv", "zones.csv", "hours.csv", "special.csv"]);
    let server = Server::start_with(&home, &["serve", "--locale", "en-GB"]);
    let page = server.get("/stores/a");
    let page = page.text();
    for words in [
        "09:00–17:00 every day; from Fri 20 Nov: 11:00–17:00 every day",
        "Special days: Thu 5 Nov: closed (Bonfire Night); Thu 26 Nov: 10:00–12:00",
        "<span class=\"changed\">closed (Bonfire Night)</span>",
        "never offline in",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(
        !page.contains("Christmas") && !page.contains("08:00"),
        "they are far"
    );
    let facts = server.get("/api/stores/a").json();
    assert_eq!(facts["special_hours"].as_array().map(Vec::len), Some(3));
    assert_eq!(facts["special_hours"][0]["reason"], "Bonfire Night");
    assert_eq!(
        facts["special_hours"][0]["start_time_local"],
        serde_json::Value::Null
    );
    assert_eq!(facts["special_hours"][1]["end_time_local"], "12:00:00");
    assert_eq!(facts["windows"]["last_week"]["downtime"], 0.0);
    let holiday = facts["days"].as_array().expect("days").iter();
    let holiday = holiday.clone().find(|day| day["date"] == "2026-11-05");
    assert_eq!(holiday.expect("the day")["business_us"], 0);
    let fleet = server.get("/");
    assert!(fleet.text().contains("Special hours: Thu 5 Nov, 1 store"));
    // Later, the new week holds, and the old one is told for a while.
    let later = server.get("/stores/a?as_of=2026-11-22T12:00:00Z");
    assert!(
        later
            .text()
            .contains("11:00–17:00 every day; until Thu 19 Nov: 09:00–17:00 every day")
    );
}
