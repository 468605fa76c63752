//! Hours that change and special days as inputs: by the command, the API and `/load`, replaced, taken back, exported.

use std::fs;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::Value;
use store_monitor::ingest::kind::Kind;

use crate::harness::{Answer, Home, Server, project};

const CSV: &str = "text/csv";
const HOURS: &str = "store_id,day,start_time_local,end_time_local\n";
const VERSIONS: &str = "store_id,day,start_time_local,end_time_local,valid_from\n";
const SPECIAL: &str = "store_id,date,start_time_local,end_time_local\n";
const REASONS: &str = "store_id,date,start_time_local,end_time_local,reason\n";
const STORES: &str = "store_id,name,group\n";
const RATES: &str = "store_id,name,group,sales_per_hour,target\n";

fn export(home: &Home, kind: &str) -> String {
    String::from_utf8(home.print(&["export", kind])).expect("text")
}

fn import(home: &Home, text: &str) -> String {
    home.write("input.csv", text);
    home.import(&["input.csv"]).stderr
}

fn post(server: &Server, path: &str, text: &str) -> Answer {
    server
        .client
        .post(&format!("/api/{path}"), CSV, &[], text.as_bytes())
}

/// Accepted, unchanged, replaced and removed rows.
fn counts(answer: &Answer) -> [u64; 4] {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    ["accepted", "unchanged", "replaced", "removed"]
        .map(|name| said[name].as_u64().expect("a count"))
}

fn names(answer: &Answer, code: &str) -> Vec<String> {
    let said = answer.json();
    let notes = said["notes"].as_array().expect("notes");
    let note = notes.iter().find(|note| note["code"] == code);
    let names = note.and_then(|note| note["names"].as_array());
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

#[test]
fn the_columns_of_dates_reasons_and_numbers_are_exported_only_where_a_row_uses_them() {
    let home = Home::new();
    let hours = format!("{HOURS}a,0,09:00:00,17:00:00\nb,6,,\n");
    let special = format!("{SPECIAL}a,2026-12-24,09:00:00,15:00:00\na,2026-12-25,,\n");
    let stores = format!("{STORES}a,Corner,North\nb,,\n");
    for text in [&hours, &special, &stores] {
        import(&home, text);
    }
    let exported = ["business-hours", "special-hours", "stores"].map(|kind| export(&home, kind));
    assert_eq!(exported, [hours, special, stores]);

    import(
        &home,
        &format!(
            "{VERSIONS}b,6,10:00,12:00,2026-11-01\na,0,,,2026-03-02\na,1,09:00:00,17:00:00,2026-03-02\n"
        ),
    );
    import(
        &home,
        &format!("{REASONS}b,2026-01-01,,,\"New Year, \"\"closed\"\"\"\n"),
    );
    import(&home, &format!("{RATES}b,,,120.5,\n"));
    assert_eq!(
        export(&home, "business-hours"),
        format!(
            "{VERSIONS}a,0,09:00:00,17:00:00,\na,0,,,2026-03-02\na,1,09:00:00,17:00:00,2026-03-02\n\
             b,6,,,\nb,6,10:00:00,12:00:00,2026-11-01\n"
        )
    );
    assert_eq!(
        export(&home, "special-hours"),
        format!(
            "{REASONS}a,2026-12-24,09:00:00,15:00:00,\na,2026-12-25,,,\n\
             b,2026-01-01,,,\"New Year, \"\"closed\"\"\"\n"
        )
    );
    let rated = "store_id,name,group,sales_per_hour\na,Corner,North,\nb,,,120.50\n";
    assert_eq!(export(&home, "stores"), rated);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_version_and_a_date_replace_their_own_rows_alone() {
    let home = Home::new();
    let server = Server::start(&home);
    let week = |open: &str, from: &str| {
        format!("{VERSIONS}a,0,{open},17:00:00,{from}\na,1,{open},17:00:00,{from}\n")
    };
    let hours = |text: &str| post(&server, "business-hours", text);
    assert_eq!(counts(&hours(&week("09:00:00", ""))), [2, 0, 0, 0]);
    let later = hours(&week("10:00:00", "2026-11-01"));
    assert_eq!(counts(&later), [2, 0, 0, 0]);
    assert!(names(&later, "later_version").is_empty(), "it is the last");
    let first = hours(&format!("{HOURS}a,0,08:00:00,17:00:00\n"));
    assert_eq!(counts(&first), [0, 0, 1, 1]);
    assert_eq!(names(&first, "later_version"), ["a (from 2026-11-01)"]);
    assert_eq!(names(&first, "days_lost"), ["a (1 day)"]);
    // A call that names the later version itself needs no note.
    let both = hours(&format!(
        "{}a,0,08:00:00,17:00:00,\n",
        week("10:00:00", "2026-11-01")
    ));
    assert_eq!(counts(&both), [0, 3, 0, 0]);
    assert!(names(&both, "later_version").is_empty());
    let told = import(&home, &format!("{HOURS}a,0,08:00:00,17:00:00\n"));
    assert!(
        told.contains("later_version") && told.contains("(a (from 2026-11-01))"),
        "{told}"
    );

    let special = |text: &str| counts(&post(&server, "special-hours", text));
    let christmas = format!(
        "{REASONS}a,2026-12-24,09:00,12:00,\na,2026-12-24,13:00,15:00,\na,2026-12-25,,,Christmas\n"
    );
    assert_eq!(special(&christmas), [3, 0, 0, 0]);
    assert_eq!(special(&christmas), [0, 3, 0, 0]);
    assert_eq!(
        special(&format!("{SPECIAL}a,2026-12-24,09:00,12:00\n")),
        [0, 1, 0, 1]
    );
    assert_eq!(
        export(&home, "special-hours"),
        format!("{REASONS}a,2026-12-24,09:00:00,12:00:00,\na,2026-12-25,,,Christmas\n")
    );
}

#[test]
fn a_plain_file_gets_its_date_from_the_call() {
    let plain = format!("{HOURS}a,0,09:00:00,17:00:00\n");
    let dated = format!("{VERSIONS}b,0,09:00:00,17:00:00,2026-03-02\nb,0,08:00:00,17:00:00,\n");
    let expected = format!(
        "{VERSIONS}a,0,09:00:00,17:00:00,2026-11-01\nb,0,08:00:00,17:00:00,\nb,0,09:00:00,17:00:00,2026-03-02\n"
    );
    let by_command = Home::new();
    by_command.write("plain.csv", &plain);
    by_command.write("dated.csv", &dated);
    by_command.import(&["--valid-from", "2026-11-01", "plain.csv", "dated.csv"]);
    assert_eq!(export(&by_command, "business-hours"), expected);
    for wrong in ["2026-02-29", "01/02/2026", "1066-10-14", ""] {
        let arguments = ["import", "--valid-from", wrong, "plain.csv"];
        by_command.run(&arguments).exits(2);
    }

    let by_api = Home::new();
    let server = Server::start(&by_api);
    post(&server, "business-hours?valid_from=2026-11-01", &plain);
    post(&server, "business-hours?valid_from=2026-11-01", &dated);
    assert_eq!(export(&by_api, "business-hours"), expected);
    let wrong = post(&server, "business-hours?valid_from=2026-02-29", &plain);
    assert!(wrong.problem(400).contains("2026-02-29"));

    let by_page = Home::new();
    let server = Server::start(&by_page);
    assert!(server.get("/load").text().contains("name=\"valid_from\""));
    let part = |head: &str, body: &str| {
        format!("--xyz\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
    };
    let form = part("name=\"valid_from\"", "2026-11-01")
        + &part("name=\"files\"; filename=\"plain.csv\"", &plain)
        + &part("name=\"files\"; filename=\"dated.csv\"", &dated)
        + "--xyz--\r\n";
    let page = server.client.post(
        "/load",
        "multipart/form-data; boundary=xyz",
        &[],
        form.as_bytes(),
    );
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(export(&by_page, "business-hours"), expected);
}

#[test]
fn a_version_and_a_special_day_are_taken_back() {
    let home = Home::new();
    let server = Server::start(&home);
    let hours = format!(
        "{VERSIONS}a b,0,09:00,17:00,\na b,1,09:00,17:00,2026-11-01\na b,2,09:00,17:00,2026-11-01\n"
    );
    post(&server, "business-hours", &hours);
    post(
        &server,
        "special-hours",
        &format!("{SPECIAL}a b,2026-12-25,,\na b,2026-12-26,,\n"),
    );
    let delete = |path: &str| server.request("DELETE", &format!("/api/stores/{path}"));
    let removed = |path: &str| {
        let answer = delete(path);
        assert_eq!(answer.status, 200, "{path}");
        let said = answer.json();
        assert_eq!(said["store_id"], "a b");
        said["removed"].as_u64().expect("a count")
    };
    assert_eq!(removed("a%20b/special-hours/2026-12-25"), 1);
    assert_eq!(removed("a%20b/special-hours/2026-12-25"), 0);
    assert_eq!(removed("a%20b/business-hours?valid_from=2026-11-01"), 2);
    assert_eq!(
        export(&home, "special-hours"),
        format!("{SPECIAL}a b,2026-12-26,,\n")
    );
    assert_eq!(
        export(&home, "business-hours"),
        format!("{HOURS}a b,0,09:00:00,17:00:00\n")
    );
    assert_eq!(removed("a%20b/business-hours"), 1);
    assert_eq!(export(&home, "business-hours"), HOURS);
    for path in ["c/special-hours/2026-12-25", "c/business-hours"] {
        assert!(delete(path).problem(404).contains("there is no store `c`"));
    }
    for path in [
        "a%20b/special-hours/2026-02-29",
        "a%20b/business-hours?valid_from=soon",
    ] {
        delete(path).problem(400);
    }
    assert_eq!(delete("a%20b/special-hours").status, 404);
    let wrong = server.get("/api/stores/a%20b/special-hours/2026-12-26");
    assert_eq!(wrong.status, 405);
    assert_eq!(home.print(&["check"]), b"ok\n");
}

#[test]
fn a_bad_row_refuses_all_special_hours_of_its_store_in_the_call_and_no_others() {
    let home = Home::new();
    import(&home, &format!("{SPECIAL}a,2026-12-24,,\n"));
    let file = format!(
        "{REASONS}a,2026-12-24,09:00,12:00,x\na,2026-12-32,,,\nb,2026-12-25,,,Christmas\na,2026-12-26,,,\n"
    );
    home.write("special.csv", &file);
    home.run(&["import", "special.csv"])
        .exits(2)
        .says(&["special.csv line 3, column date: there is no day `2026-12-32`"]);
    home.run(&["import", "special.csv", "--rejects", "rejects.csv"])
        .exits(0)
        .says(&["1 row accepted", "3 rejected"]);
    let rejects = home.text("rejects.csv");
    assert!(
        rejects.contains("special hours are taken whole"),
        "{rejects}"
    );
    assert!(
        rejects.contains("\"a,2026-12-24,09:00:00,12:00:00,x\""),
        "{rejects}"
    );
    let kept = format!("{REASONS}a,2026-12-24,,,\nb,2026-12-25,,,Christmas\n");
    assert_eq!(export(&home, "special-hours"), kept);
    // Hours of the week are another kind: they are not refused with them.
    home.write("hours.csv", format!("{HOURS}a,0,09:00:00,17:00:00\n"));
    home.run(&[
        "import",
        "special.csv",
        "hours.csv",
        "--rejects",
        "rejects.csv",
    ])
    .exits(0);
    assert_eq!(
        export(&home, "business-hours"),
        format!("{HOURS}a,0,09:00:00,17:00:00\n")
    );
}

#[test]
fn a_missing_column_keeps_a_rate_and_an_empty_field_removes_it() {
    let home = Home::new();
    let server = Server::start(&home);
    let stored = || {
        export(&home, "stores")
            .lines()
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    let stores = |text: &str| counts(&post(&server, "stores", text));
    assert_eq!(
        stores(&format!("{RATES}a,Corner,North,120.5,99\n")),
        [1, 0, 0, 0]
    );
    assert_eq!(stores(&format!("{STORES}a,Corner,North\n")), [0, 1, 0, 0]);
    assert_eq!(stores(&format!("{STORES}a,Corner,South\n")), [0, 0, 1, 0]);
    assert_eq!(stored(), "a,Corner,South,120.50,99.00");
    assert_eq!(
        stores(&format!("{RATES}a,Corner,South,,99.00\n")),
        [0, 0, 1, 0]
    );
    assert_eq!(stored(), "a,Corner,South,99.00");
    let json = |object: &str| {
        server
            .client
            .post("/api/stores", "application/json", &[], object.as_bytes())
    };
    let object =
        |more: &str| format!(r#"[{{"store_id": "a", "name": "Corner", "group": "South"{more}}}]"#);
    assert_eq!(counts(&json(&object(""))), [0, 1, 0, 0]);
    assert_eq!(
        counts(&json(&object(r#", "sales_per_hour": 7.5"#))),
        [0, 0, 1, 0]
    );
    assert_eq!(stored(), "a,Corner,South,7.50,99.00");
    assert_eq!(counts(&json(&object(r#", "target": null"#))), [0, 0, 1, 0]);
    assert_eq!(stored(), "a,Corner,South,7.50");
    // Two files of a call, of which one has fewer columns, add to each other.
    home.write("names.csv", format!("{STORES}b,Harbour,North\n"));
    home.write(
        "rates.csv",
        "store_id,name,group,sales_per_hour\nb,Harbour,North,80\n",
    );
    home.write(
        "targets.csv",
        "store_id,name,group,target\nb,Harbour,North,98.5\n",
    );
    let told = home
        .import(&["rates.csv", "names.csv", "targets.csv"])
        .stderr;
    assert!(told.contains("1 row accepted, 2 unchanged"), "{told}");
    let line = export(&home, "stores")
        .lines()
        .nth(2)
        .unwrap_or_default()
        .to_owned();
    assert_eq!(line, "b,Harbour,North,80.00,98.50");
    home.write(
        "other.csv",
        "store_id,name,group,sales_per_hour\nb,Harbour,North,90\n",
    );
    home.run(&["import", "rates.csv", "other.csv"])
        .exits(2)
        .says(&[
            "other.csv line 2, column sales_per_hour",
            "`80.00`",
            "keep one",
        ]);
}

#[test]
fn dates_in_the_cells_of_a_spreadsheet_are_dates() {
    let mut book = Workbook::new();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let time = Format::new().set_num_format("hh:mm");
    let at = |text| ExcelDateTime::parse_from_str(text).expect("a date");
    let sheet = book.add_worksheet().set_name("special").expect("a name");
    for (column, text) in (0..).zip(REASONS.trim_end().split(',')) {
        sheet.write_string(0, column, text).expect("a header");
    }
    for (row, day) in [(1, "2026-12-25"), (2, "2026-12-24")] {
        sheet.write_number(row, 0, 12.0).expect("an id");
        sheet
            .write_datetime_with_format(row, 1, at(day), &date)
            .expect("a date");
    }
    for (column, text) in [(2, "09:00"), (3, "15:00")] {
        sheet
            .write_datetime_with_format(2, column, at(text), &time)
            .expect("a time");
    }
    sheet.write_string(1, 4, "Christmas").expect("a reason");
    let sheet = book.add_worksheet().set_name("hours").expect("a name");
    for (column, text) in (0..).zip(VERSIONS.trim_end().split(',')) {
        sheet.write_string(0, column, text).expect("a header");
    }
    for (column, number) in [(0, 12.0), (1, 0.0)] {
        sheet.write_number(1, column, number).expect("a number");
    }
    sheet
        .write_datetime_with_format(1, 4, at("2026-11-01"), &date)
        .expect("a date");
    let sheet = book.add_worksheet().set_name("stores").expect("a name");
    for (row, line) in (0..).zip([RATES.trim_end(), "12,Corner,North"]) {
        for (column, text) in (0..).zip(line.split(',')) {
            sheet.write_string(row, column, text).expect("a text");
        }
    }
    sheet.write_number(1, 3, 120.5).expect("a rate");
    let home = Home::new();
    home.write("book.xlsx", book.save_to_buffer().expect("a workbook"));
    let told = home.import(&["book.xlsx"]).stderr;
    assert!(!told.contains("date_form"), "{told}");
    assert_eq!(
        export(&home, "special-hours"),
        format!("{REASONS}12,2026-12-24,09:00:00,15:00:00,\n12,2026-12-25,,,Christmas\n")
    );
    assert_eq!(
        export(&home, "business-hours"),
        format!("{VERSIONS}12,0,,,2026-11-01\n")
    );
    assert!(export(&home, "stores").ends_with("12,Corner,North,120.50\n"));
}

#[test]
fn a_refused_special_day_is_corrected_in_the_form() {
    let home = Home::new();
    let server = Server::start(&home);
    let file = format!("{REASONS}a,25.12.2026,,,Christmas\n");
    let form = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"files\"; filename=\"special.csv\"\r\n\r\n{file}\r\n--xyz--\r\n"
    );
    let page = server.client.post(
        "/load",
        "multipart/form-data; boundary=xyz",
        &[],
        form.as_bytes(),
    );
    assert_eq!(page.status, 422);
    let (_, upload) = page
        .text()
        .split_once("name=\"upload\" value=\"")
        .expect("an upload");
    let (upload, _) = upload.split_once('"').expect("its end");
    let fields = ["a", "2026-12-25", "", "", "Christmas"];
    let fields = (0..)
        .zip(fields)
        .map(|(column, text)| format!("&row.0.{column}={text}"));
    let mended = format!(
        "upload={upload}&row.0.source=special.csv&row.0.line=2{}",
        fields.collect::<String>()
    );
    let form = "application/x-www-form-urlencoded";
    let page = server
        .client
        .post("/load/mend", form, &[], mended.as_bytes());
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(
        export(&home, "special-hours"),
        format!("{REASONS}a,2026-12-25,,,Christmas\n")
    );
    assert!(
        server
            .get("/samples/special_hours.csv")
            .text()
            .starts_with(REASONS)
    );
    assert!(
        server
            .get("/load")
            .text()
            .contains("/samples/special_hours.csv")
    );
}

#[test]
fn stores_with_special_hours_alone_are_among_those_without_polls() {
    let home = Home::new();
    let told = import(&home, &format!("{SPECIAL}a,2026-12-25,,\n"));
    assert!(
        told.contains("1 store has hours or a time zone but no polls (a)"),
        "{told}"
    );
}

/// Imports the files, and what is exported of them again: by the command and over HTTP.
fn comes_in_again(inputs: &[String], case: &str) {
    let (home, again, over_http) = (Home::new(), Home::new(), Home::new());
    home.import(inputs);
    let exported = home.exports();
    let slugs = Kind::ALL.map(|kind| kind.description().slug);
    for (slug, bytes) in slugs.iter().zip(&exported) {
        again.write(&format!("{slug}.csv"), bytes);
    }
    again.import(&slugs.map(|slug| format!("{slug}.csv")));
    assert!(again.exports() == exported, "{}", case);
    let server = Server::start(&over_http);
    for (slug, bytes) in slugs.iter().zip(&exported) {
        let answer = server.client.post(&format!("/api/{slug}"), CSV, &[], bytes);
        assert_eq!(answer.status, 200, "{} {slug}: {}", case, answer.text());
    }
    assert!(over_http.exports() == exported, "{}", case);
}

#[test]
fn generated_data_are_exported_so_that_they_come_in_again() {
    for seed in ["1", "2", "3"] {
        let home = Home::new();
        let generate = [
            "generate", "made", "--stores", "40", "--days", "2", "--seed", seed,
        ];
        home.run(&generate).exits(0);
        let names = [
            "store_status",
            "menu_hours",
            "special_hours",
            "timezones",
            "stores",
        ];
        let files = names.map(|name| home.path(&format!("made/{name}.csv")).display().to_string());
        for name in &files[1..] {
            let rows = fs::read_to_string(name).expect("a file").lines().count();
            assert!(rows > 20, "{name}: {rows} rows");
        }
        comes_in_again(&files, seed);
    }
}

/// The inputs of the worked cases of periods, exported and imported again, by the command and over HTTP.
#[test]
fn the_inputs_of_worked_cases_are_exported_so_that_they_come_in_again() {
    let mut cases = 0;
    for case in fs::read_dir(project().join("tests/data/golden-periods")).expect("cases") {
        let folder = case.expect("a case").path();
        let files = fs::read_dir(&folder).into_iter().flatten().flatten();
        let names = files.map(|file| file.path().display().to_string());
        let inputs: Vec<_> = names
            .filter(|name| name.ends_with(".csv") && !name.contains("expected-"))
            .collect();
        if inputs.is_empty() {
            continue;
        }
        cases += 1;
        comes_in_again(&inputs, &folder.display().to_string());
    }
    assert!(cases >= 20, "{cases} cases");
}
