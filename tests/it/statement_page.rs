//! The page of a statement: the numbers of its CSV, at once or as a job, by months, weeks and dates, without a script.

use std::fmt::Write;

use crate::harness::{Home, Server, eventually};

/// The figures on a page, in order: what stands behind the words of its table.
fn figures(page: &str) -> Vec<String> {
    let (_, table) = page.split_once("<tbody>").expect("a table");
    let values = table.split("<data value=\"").skip(1);
    let values = values.map(|rest| rest.split('"').next().expect("a value").to_owned());
    values.collect()
}

#[test]
fn a_month_is_shown_with_the_numbers_of_its_csv() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let query = "period=2026-11&store=newark-penn-station&by=day";
    let page = server.get(&format!("/statements?{query}"));
    let page = page.text();
    for words in [
        "<h1>Statement of November 2026</h1>",
        "Numbers end at ",
        "Fri 6 Nov",
        "<option value=\"2026-11\" selected>November 2026</option>",
        "Together",
        "/api/statements.csv?",
        "/api/statements.xlsx?",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("Sun 8 Nov"), "days to come are left out");
    let csv = server.get(&format!("/api/statements.csv?{query}"));
    assert!(
        csv.header("Content-Disposition")
            .contains("statement-2026-11.csv")
    );
    let own = home.print(&[
        "statement",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-30",
        "--by",
        "day",
        "--store",
        "newark-penn-station",
    ]);
    assert_eq!(csv.text().as_bytes(), own);
    let shown = figures(page);
    for row in csv.text().lines().skip(1).take(7) {
        let downtime = row.split(',').nth(4).expect("downtime");
        assert!(shown.iter().any(|figure| figure == downtime), "{row}");
    }
    let workbook = server.get(&format!("/api/statements.xlsx?{query}"));
    assert!(workbook.status == 200 && workbook.body.starts_with(b"PK"));

    // As many rows as a page has, with all that a row can have.
    let long = server.get("/statements?from=2025-11-08&to=2026-11-07&store=boston-fenway");
    let known = server.get("/statements?from=2026-10-30&to=2026-11-07&by=day");
    for page in [long, known] {
        let bytes = page.text().len();
        assert!((50_000..150_000).contains(&bytes), "{bytes} bytes");
    }

    // A week, and dates that the form sends beside it.
    let week = server.get("/statements?period=2026-W45&by=total&per=fleet");
    assert!(week.text().contains("All stores together"));
    let dates = "from=2026-11-02&to=2026-11-03";
    let free = server.get(&format!("/statements?period=2026-11&{dates}&choice=dates"));
    assert!(
        free.text().contains("Mon 2 Nov 2026 – Tue 3 Nov 2026")
            && free.text().contains("dates, below")
    );
    let month = server.get(&format!("/statements?period=2026-11&{dates}&choice=period"));
    assert!(month.text().contains("Statement of November 2026"));
    // The polls begin in the last days of October.
    let early = server.get("/statements?period=2026-10");
    assert!(early.text().contains("The oldest check is of "));
    let owner = server.get("/statements?period=2026-11&group=Rivera+Hospitality");
    let (_, table) = owner.text().split_once("<tbody>").expect("a table");
    assert!(table.contains("Blue Agave Times Square") && !table.contains("Copper Hen"));
    for wrong in [
        "period=2026-13",
        "period=soon",
        "from=2026-11-03&to=2026-11-02",
        "per=shop",
        "from=2026-11-03",
    ] {
        server.get(&format!("/statements?{wrong}")).problem(400);
    }
    for gone in [
        "store=nowhere",
        "group=Nobody",
        "report=00000000-0000-4000-8000-000000000000",
    ] {
        server.get(&format!("/statements?{gone}")).problem(404);
    }
}

#[test]
fn a_long_statement_is_a_job_that_the_page_shows_and_reports_list() {
    let home = Home::new();
    let mut zones = String::from("store_id,timezone_str\n");
    for store in 0..700 {
        writeln!(zones, "store {store:03},UTC").expect("a text");
    }
    home.write("zones.csv", zones);
    home.write(
        "polls.csv",
        "store_id,status,timestamp_utc\nstore 007,inactive,2026-10-07 10:00:00 UTC\n\
         store 007,active,2026-10-30 10:00:00 UTC\n",
    );
    home.import(&["zones.csv", "polls.csv"]);
    let server = Server::start(&home);
    let query = "period=2026-10&by=day";
    let page = server.get(&format!("/statements?{query}"));
    assert!(page.text().contains("Make it") && !page.text().contains("<tbody>"));
    server
        .get(&format!("/api/statements.csv?{query}"))
        .problem(400);
    let form = format!("{query}&per=store");
    let made = server.post(
        "/statements",
        "application/x-www-form-urlencoded",
        &[],
        form.as_bytes(),
    );
    let reports = server.get("/api/reports").json();
    let id = reports["reports"][0]["report_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert!(made.status == 200 && reports["reports"][0]["kind"] == "statement");
    let page = eventually("the statement", || {
        let page = server.get(&format!("/statements?report={id}"));
        page.text().contains("<tbody>").then_some(page)
    });
    let page = page.text();
    assert!(
        page.contains("store 000") && page.contains("1–155 of 21,700") && page.contains("Next →")
    );
    assert!(page.contains(&format!("/api/reports/{id}.csv")) && page.contains("unknown"));
    assert!(page.len() < 150_000, "{} bytes", page.len());
    let later = server.get(&format!("/statements?report={id}&offset=155"));
    assert!(later.text().contains("store 007") && later.text().contains("156–310"));
    let reports = server.get("/reports");
    let reports = reports.text();
    assert!(reports.contains(&format!("/statements?report={id}")) && reports.contains("by day"));
    assert!(reports.contains(&format!("/api/reports/{id}.xlsx")));

    let shown = Server::start_with(&home, &["serve", "--read-only-pages"]);
    let page = shown.get(&format!("/statements?{query}"));
    assert!(page.text().contains("Pages are read-only here") && !page.text().contains("Make it"));
}
