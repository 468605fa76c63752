//! Files as people really have them, through the command, the API and the page `/load`: what is refused whole, what
//! is read in another form, and what the answer says.

use serde_json::Value;

use crate::harness::{Answer, Home, Server};

const HOURS: &str = "store_id,day,start_time_local,end_time_local\n";
const CSV: &str = "text/csv";

/// A week of a store, open from 9 to 5 on these days.
fn week(store: &str, days: impl IntoIterator<Item = u8>) -> String {
    days.into_iter()
        .map(|day| format!("{store},{day},09:00:00,17:00:00\n"))
        .collect()
}

/// A form of `/load`: its choices, then its files.
fn form(choices: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, value) in choices {
        body +=
            &format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    for (name, text) in files {
        body += &format!(
            "--xyz\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n{text}\r\n"
        );
    }
    body += "--xyz--\r\n";
    body.into_bytes()
}

fn upload(server: &Server, choices: &[(&str, &str)], files: &[(&str, &str)]) -> Answer {
    let body = form(choices, files);
    server.post("/load", "multipart/form-data; boundary=xyz", &[], &body)
}

fn post_hours(server: &Server, query: &str, rows: &str) -> Answer {
    let target = format!("/api/business-hours{query}");
    server.post(&target, CSV, &[], format!("{HOURS}{rows}").as_bytes())
}

fn hours(home: &Home) -> String {
    String::from_utf8(home.print(&["export", "business-hours"])).expect("text")
}

fn names(answer: &Value, code: &str) -> Vec<String> {
    let notes = answer["notes"].as_array().expect("notes");
    let note = notes.iter().find(|note| note["code"] == code);
    let names = note.and_then(|note| note["names"].as_array());
    let names = names.into_iter().flatten();
    names
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn one_bad_row_refuses_all_hours_of_its_store_and_no_others() {
    let home = Home::new();
    let stored = week("a", 0..7);
    home.write("stored.csv", format!("{HOURS}{stored}"));
    home.import(&["stored.csv"]);
    // Two bad weekend rows of `a`, a whole week of `b`.
    let file = format!(
        "{HOURS}{}a,5,soon,late\na,6,10:00,25:61\n{}",
        "a,0,08:00:00,12:00:00\n",
        week("b", 0..7)
    );
    home.write("hours.csv", &file);
    home.run(&["import", "hours.csv"]).exits(2);
    home.run(&["import", "hours.csv", "--rejects", "rejects.csv"])
        .exits(0)
        .says(&["7 rows accepted", "3 rejected"]);
    assert_eq!(hours(&home), format!("{HOURS}{stored}{}", week("b", 0..7)));
    let rejects = home.text("rejects.csv");
    assert!(rejects.contains("hours.csv,2,,time,,"), "{rejects}");
    assert!(rejects.contains("\"a,0,08:00:00,12:00:00\""), "{rejects}");

    let server = Server::start(&home);
    let said = post_hours(
        &server,
        "?on_bad_row=skip",
        "a,0,08:00:00,12:00:00\na,1,soon,late\nc,0,09:00,17:00\n",
    );
    let said = said.json();
    assert_eq!(
        (&said["accepted"], &said["rejected"]),
        (&1.into(), &2.into()),
        "{said}"
    );
    assert_eq!(said["errors"][1]["line"], 2);
    let page = upload(&server, &[("on_bad_row", "skip")], &[("hours.csv", &file)]);
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("hours are taken whole"));
    assert!(hours(&home).starts_with(&format!("{HOURS}{stored}")));
}

#[test]
fn a_call_without_one_good_row_fails_and_leaves_no_store_always_open() {
    let home = Home::new();
    let bad: String = (0..7).map(|_| "a,someday,09:00:00,17:00:00\n").collect();
    home.write("hours.csv", format!("{HOURS}{bad}"));
    home.run(&["import", "hours.csv", "--rejects", "rejects.csv"])
        .exits(2)
        .says(&["every row was refused"]);
    assert_eq!(home.text("rejects.csv").lines().count(), 8);
    assert!(!home.database().exists());
    let server = Server::start(&home);
    let said = post_hours(&server, "?on_bad_row=skip", &bad);
    assert!(said.problem(422).contains("none is good"));
    let page = upload(
        &server,
        &[("on_bad_row", "skip")],
        &[("hours.csv", &format!("{HOURS}{bad}"))],
    );
    assert_eq!(page.status, 422);
    assert_eq!(server.get("/api/stores").json()["total"], 0);
}

#[test]
fn days_from_one_to_seven_are_read_only_when_the_caller_says_how_they_count() {
    let file = format!("{HOURS}{}a,7,12:00:00,16:00:00\n", week("a", 1..=6));
    let monday_first = format!("{HOURS}{}a,6,12:00:00,16:00:00\n", week("a", 0..6));
    let sunday_first = format!(
        "{HOURS}{}a,5,12:00:00,16:00:00\na,6,09:00:00,17:00:00\n",
        week("a", 0..5)
    );
    let home = Home::new();
    home.write("hours.csv", &file);
    for more in [&[][..], &["--rejects", "rejects.csv"]] {
        let arguments = [&["import", "hours.csv"], more].concat();
        home.run(&arguments)
            .exits(2)
            .says(&["line 8", "--days monday=1"]);
    }
    assert!(!home.database().exists());
    for (days, expected) in [("monday=1", &monday_first), ("sunday=1", &sunday_first)] {
        home.run(&["import", "hours.csv", "--days", days]).exits(0);
        assert_eq!(&hours(&home), expected, "{days}");
        let server = Server::start(&home);
        let rows = file.strip_prefix(HOURS).expect("a header");
        let refused = post_hours(&server, "?on_bad_row=skip", rows);
        assert_eq!(refused.json()["errors"][0]["code"], "day_base");
        let said = post_hours(&server, &format!("?days={days}"), rows).json();
        assert_eq!(said["unchanged"], 7, "{said}");
        let page = upload(&server, &[], &[("hours.csv", &file)]);
        assert_eq!(page.status, 422);
        let page = upload(&server, &[("days", days)], &[("hours.csv", &file)]);
        assert!(page.text().contains("7 duplicates"), "{}", page.text());
    }
    // Sunday is 0 in some files.
    home.write("sunday.csv", format!("{HOURS}{}", week("b", [0, 6])));
    home.run(&["import", "sunday.csv", "--days", "sunday=0"])
        .exits(0);
    assert!(
        hours(&home).ends_with(&week("b", [5, 6])),
        "{}",
        hours(&home)
    );
    home.run(&["import", "sunday.csv", "--days", "monday=7"])
        .exits(2)
        .says(&["monday=1"]);
}

#[test]
fn a_week_in_two_calls_says_what_it_removed_or_merges() {
    let (first, second) = (week("a", 0..3), week("a", 3..7));
    let home = Home::new();
    home.write("first.csv", format!("{HOURS}{first}"));
    home.write("second.csv", format!("{HOURS}{second}"));
    home.import(&["first.csv"]);
    home.import(&["second.csv"])
        .says(&["3 removed", "days_lost", "a (3 days)"]);
    assert_eq!(hours(&home), format!("{HOURS}{second}"));
    home.run(&["import", "first.csv", "--hours", "merge"])
        .exits(0)
        .says(&["3 rows accepted", "0 removed"]);
    assert_eq!(hours(&home), format!("{HOURS}{first}{second}"));

    let server = Server::start(&home);
    let said = post_hours(&server, "", &week("a", [6])).json();
    assert_eq!(said["removed"], 6, "{said}");
    assert_eq!(names(&said, "days_lost"), ["a (6 days)"]);
    let said = post_hours(&server, "?hours=merge", &week("a", 0..6)).json();
    assert_eq!(
        (&said["accepted"], &said["removed"]),
        (&6.into(), &0.into())
    );
    let page = upload(&server, &[], &[("second.csv", &format!("{HOURS}{second}"))]);
    assert!(page.text().contains("3 removed") && page.text().contains("a (3 days)"));
    let choice = [("hours", "merge")];
    let page = upload(
        &server,
        &choice,
        &[("first.csv", &format!("{HOURS}{first}"))],
    );
    assert!(page.text().contains("0 removed"), "{}", page.text());
    assert_eq!(hours(&home), format!("{HOURS}{first}{second}"));
    post_hours(&server, "?hours=keep", &first).problem(400);
}

#[test]
fn every_call_says_which_stores_lack_hours_or_polls() {
    let home = Home::new();
    let polls = "store_id,status,timestamp_utc\n007,active,2026-11-06 10:00:00 UTC\nb,active,2026-11-06 10:00:00 UTC\n";
    home.write("polls.csv", polls);
    home.write("hours.csv", format!("{HOURS}{}", week("7", 0..7)));
    let told = home.import(&["polls.csv", "hours.csv"]);
    let told = told.says(&[
        "2 stores have polls but neither hours nor a time zone (007, b)",
        "1 store has hours or a time zone but no polls (7)",
        "load their business hours and time zones",
        "look_alike",
    ]);
    assert!(
        told.stderr.contains("007 and 7") || told.stderr.contains("7 and 007"),
        "{told}"
    );
    let server = Server::start(&home);
    let zones = "store_id,timezone_str\nb,America/Denver\n";
    let said = server
        .post("/api/timezones", CSV, &[], zones.as_bytes())
        .json();
    assert_eq!(said["without_hours_and_zone"]["stores"], 1, "{said}");
    assert_eq!(said["without_hours_and_zone"]["examples"][0], "007");
    assert_eq!(said["without_polls"]["examples"][0], "7");
    assert!(
        said["without_polls"]["next"]
            .as_str()
            .expect("a step")
            .contains("load their polls")
    );
    // The first poll of a store is noticed, too.
    let poll = "store_id,status,timestamp_utc\n7,active,2026-11-06 10:00:00 UTC\n";
    let said = server.post("/api/polls", CSV, &[], poll.as_bytes()).json();
    assert_eq!(said["without_polls"]["stores"], 0, "{said}");
    assert_eq!(said["without_polls"]["next"], Value::Null);
    let page = upload(&server, &[], &[("polls.csv", polls)]);
    let sentence = "1 store has polls but neither hours nor a time zone (007)";
    assert!(page.text().contains(sentence), "{}", page.text());
}

#[test]
fn damaged_ids_are_taken_only_as_written() {
    let home = Home::new();
    let polls = "store_id,status,timestamp_utc\n2.57E+14,active,2026-11-06 10:00:00 UTC\n";
    home.write("polls.csv", polls);
    home.run(&["import", "polls.csv"])
        .exits(2)
        .says(&["rounded", "as text", "--ids-as-written"]);
    home.run(&["import", "polls.csv", "--ids-as-written"])
        .exits(0);
    let server = Server::start(&home);
    let said = server.post("/api/polls", CSV, &[], polls.as_bytes());
    assert_eq!(said.json()["errors"][0]["code"], "store_id_damaged");
    let target = "/api/polls?ids_as_written=true";
    assert_eq!(
        server.post(target, CSV, &[], polls.as_bytes()).json()["unchanged"],
        1
    );
    let number = r#"[{"store_id": 2.57E+14, "status": "active", "timestamp_utc": "2026-11-06 10:00:00 UTC"}]"#;
    let said = server
        .post(target, "application/json", &[], number.as_bytes())
        .json();
    assert_eq!(said["unchanged"], 1, "{said}");
    assert_eq!(upload(&server, &[], &[("polls.csv", polls)]).status, 422);
    let page = upload(
        &server,
        &[("ids_as_written", "true")],
        &[("polls.csv", polls)],
    );
    assert_eq!(page.status, 200);
}

/// Equal rows under other headers: the prototype's tables, and the names that other tools write.
#[test]
fn every_usual_header_makes_the_same_database() {
    let variants: [&[&str]; 3] = [
        &[
            "store_id,status,timestamp_utc",
            "storeId,Status,timestampUtc",
            "Store ID,is_active,UTC timestamp",
            "store_id,store_status,utc_timestamp",
            "STORE_ID,STATUS,TIMESTAMP_UTC",
        ],
        &[
            "store_id,day,start_time_local,end_time_local",
            "store_id,day_of_week,start_time,end_time",
            "store_id,dayOfWeek,local_start_time,local_end_time",
            "Store ID,Weekday,Open Time,Close Time",
            "storeId,dayOfWeek,startTimeLocal,endTimeLocal",
        ],
        &[
            "store_id,timezone_str",
            "store_id,timezone",
            "storeId,timezoneStr",
            "Store ID,Time Zone",
            "store_id,tz",
        ],
    ];
    let rows = [
        vec![
            "a,active,2026-11-06 10:00:00 UTC",
            "a,inactive,2026-11-06 11:00:00 UTC",
        ],
        vec!["a,0,09:00:00,17:00:00", "a,6,10:00:00,16:00:00"],
        vec!["a,America/New_York"],
    ];
    let load = |headers: [&str; 3], first: &str| {
        let home = Home::new();
        let names = ["polls.csv", "hours.csv", "zones.csv"];
        for ((name, header), rows) in names.iter().zip(headers).zip(&rows) {
            let rows = rows.iter().map(|row| format!("{first}{row}\n"));
            home.write(name, format!("{header}\n{}", rows.collect::<String>()));
        }
        home.import(&names);
        home.exports()
    };
    let usual = load(variants.map(|headers| headers[0]), "");
    for place in 1..5 {
        assert_eq!(
            load(variants.map(|headers| headers[place]), ""),
            usual,
            "{place}"
        );
    }
    // A table of the prototype has a key of its own.
    let keyed = variants.map(|headers| format!("id,{}", headers[0]));
    assert_eq!(load(keyed.each_ref().map(String::as_str), "1,"), usual);
}

/// The first value of an attribute in a page.
fn hidden<'a>(page: &'a Answer, name: &str) -> &'a str {
    let start = page
        .text()
        .split(&format!("name=\"{name}\" value=\""))
        .nth(1);
    start.and_then(|rest| rest.split('"').next()).expect(name)
}

fn mend(server: &Server, fields: &[(&str, &str)]) -> Answer {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let media_type = "application/x-www-form-urlencoded";
    server.post("/load/mend", media_type, &[], body.finish().as_bytes())
}

#[test]
fn refused_rows_are_corrected_on_the_page_without_a_second_upload() {
    let home = Home::new();
    let server = Server::start(&home);
    let polls = "status,note,store_id,timestamp_utc\n\
                 active,\"a, b\",s1,2026-11-06 10:00:00 UTC\n\
                 huh,x,s2,2026-11-06 10:00:00 UTC\n\
                 active,y,s3,1/24/2023 9:08\n\
                 active,z,\"s\"4,2026-11-06 10:00:00 UTC\n";
    let zones = "store_id,timezone_str\ns1,Eastern Standard Time\n";
    let page = upload(&server, &[], &[("polls.csv", polls), ("zones.csv", zones)]);
    assert_eq!(page.status, 422);
    for words in [
        "4 rows are bad, 1 is good",
        "America/New_York",
        "aria-invalid=\"true\"",
        "s&quot;4",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let id = hidden(&page, "upload").to_owned();
    assert_eq!(server.get("/api/stores").json()["total"], 0);

    // Three of four are right now; the fourth is left out only in the next round.
    let fields = [
        ("upload", id.as_str()),
        ("row.0.source", "polls.csv"),
        ("row.0.line", "3"),
        ("row.0.0", "inactive"),
        ("row.0.1", "quoted \"x\", y"),
        ("row.0.2", "s2"),
        ("row.0.3", "2026-11-06 10:00:00 UTC"),
        ("row.1.source", "polls.csv"),
        ("row.1.line", "4"),
        ("row.1.drop", "yes"),
        ("row.2.source", "polls.csv"),
        ("row.2.line", "5"),
        ("row.2.whole", "active,z,s4,soon"),
        ("row.3.source", "zones.csv"),
        ("row.3.line", "2"),
        ("row.3.0", "s1"),
        ("row.3.1", "America/New_York"),
    ];
    let page = mend(&server, &fields);
    assert_eq!(page.status, 422, "{}", page.text());
    assert!(
        page.text().contains("1 row is bad, 3 are good"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("value=\"soon\""));
    assert_eq!(
        server.get("/api/stores").json()["total"],
        0,
        "all or nothing"
    );

    // What the form sends is judged like any input, and lines that are not in the file change nothing.
    let forged = [
        ("upload", id.as_str()),
        ("row.0.source", "polls.csv"),
        ("row.0.line", "5"),
        ("row.0.whole", "active,z,s4,2026-11-06 10:00:00 UTC"),
        ("row.1.source", "other.csv"),
        ("row.1.line", "77"),
        ("row.1.drop", "yes"),
    ];
    let page = mend(&server, &forged);
    assert_eq!(page.status, 200, "{}", page.text());
    let export = String::from_utf8(home.print(&["export", "polls"])).expect("text");
    let expected = ["s1,active", "s2,inactive", "s4,active"]
        .map(|row| format!("{row},2026-11-06 10:00:00 UTC\n"));
    assert_eq!(
        export,
        format!("store_id,status,timestamp_utc\n{}", expected.concat())
    );
    assert_eq!(
        server.get("/api/stores/s1").json()["timezone"],
        "America/New_York"
    );
    // The files are let go.
    let page = mend(&server, &forged);
    assert_eq!(page.status, 400);
    assert!(page.text().contains("not here any more"));
    assert_eq!(mend(&server, &[("upload", "../x")]).status, 400);
}

#[test]
fn bad_rows_of_an_upload_are_skipped_without_a_second_upload() {
    let home = Home::new();
    let server = Server::start(&home);
    let polls = "store_id,status,timestamp_utc\na,active,2026-11-06 10:00:00 UTC\nb,huh,2026-11-06 10:00:00 UTC\n";
    let page = upload(&server, &[], &[("polls.csv", polls)]);
    let id = hidden(&page, "upload").to_owned();
    let page = mend(&server, &[("upload", &id), ("on_bad_row", "skip")]);
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("1 refused"));
    assert_eq!(server.get("/api/stores").json()["total"], 1);
}

#[test]
fn a_slash_at_the_end_an_open_plus_and_a_date_alone_have_one_reading() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let made = server.post("/trigger_report/", CSV, &[], b"");
    assert_eq!(made.status, 202, "{}", made.text());
    assert_eq!(server.get("/health/").status, 200);
    server.get("/nowhere/").problem(404);
    let poll = "store_id,status,timestamp_utc\na,active,2026-11-06 10:00:00 UTC\n";
    assert_eq!(
        server.post("/api/polls/", CSV, &[], poll.as_bytes()).status,
        200
    );
    for (as_of, expected) in [
        ("2026-11-05T02:00:00+02:00", "2026-11-05T00:00:00Z"),
        ("2026-11-05%2002:00:00+02:00", "2026-11-05T00:00:00Z"),
        ("2026-11-05", "2026-11-05T00:00:00Z"),
    ] {
        let said = server.get(&format!("/api/stores?as_of={as_of}")).json();
        assert_eq!(said["as_of"], expected, "{as_of}");
    }
    let midnight = home.print(&["report", "--as-of", "2026-11-05 00:00:00 UTC"]);
    let dated = home.run(&["report", "--as-of", "2026-11-05"]).exits(0);
    let dated = dated.says(&["2026-11-05 00:00:00 UTC"]);
    assert_eq!(dated.stdout, midnight);
}
