//! Reports and statements as workbooks: cell by cell what the CSV says, with ids as texts and numbers as numbers.

use std::io::{Cursor, Read};

use calamine::{Data, Range, Reader, Xlsx};

use crate::harness::{Home, Server};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Ids that a careless spreadsheet damages.
const IDS: [&str; 5] = ["=1+1", "8419537941919820732", "007", "1E5", "<&\"'> ä"];

fn home() -> Home {
    let home = Home::new();
    let quoted = |id: &str| format!("\"{}\"", id.replace('"', "\"\""));
    let mut polls = String::from("store_id,status,timestamp_utc\n");
    for id in IDS {
        for hour in 0..20 {
            let status = if hour % 7 == 3 { "inactive" } else { "active" };
            polls += &format!("{},{status},2026-11-02 {hour:02}:10:07 UTC\n", quoted(id));
        }
    }
    home.write("polls.csv", polls);
    home.write(
        "hours.csv",
        "store_id,day,start_time_local,end_time_local\n007,0,09:00:00,17:00:00\n",
    );
    home.write("zones.csv", "store_id,timezone_str\nnever,UTC\n");
    home.import(&["polls.csv", "hours.csv", "zones.csv"]);
    home
}

fn sheets(bytes: &[u8]) -> Vec<(String, Range<Data>)> {
    let mut book = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
    book.worksheets()
}

/// Compares the first sheet with a CSV whose first `texts` columns are texts; returns the definitions.
fn compare(bytes: &[u8], csv: &[u8], texts: usize) -> Vec<(String, String)> {
    let sheets = sheets(bytes);
    assert_eq!(sheets.len(), 2);
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv);
    let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("a row")).collect();
    let sheet = &sheets[0].1;
    assert_eq!(sheet.height(), rows.len());
    for (number, (row, expected)) in sheet.rows().zip(&rows).enumerate() {
        for (column, text) in expected.iter().enumerate() {
            let cell = row.get(column).unwrap_or(&Data::Empty);
            let expected = match text {
                "" => Data::Empty,
                text if number == 0 || column < texts => Data::String(text.to_owned()),
                text => Data::Float(text.parse().expect("a number")),
            };
            assert_eq!(cell, &expected, "row {number}, column {column}");
        }
    }
    let text = |cell: Option<&Data>| cell.map(Data::to_string).unwrap_or_default();
    let definitions = sheets[1].1.rows();
    let definitions: Vec<_> = definitions
        .map(|row| (text(row.first()), text(row.get(1))))
        .collect();
    for name in &rows[0] {
        assert!(
            definitions.iter().any(|(known, _)| known == name),
            "{name} is not explained"
        );
    }
    definitions
}

/// A file of a workbook.
fn part(bytes: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let mut text = String::new();
    let mut file = archive.by_name(name).expect(name);
    file.read_to_string(&mut text).expect("text");
    text
}

#[test]
fn a_report_as_a_workbook_says_what_its_csv_says_by_command_and_over_http() {
    let home = home();
    let csv = home.print(&["report", "--interpolation", "previous"]);
    let bytes = home.print(&["report", "--interpolation", "previous", "--format", "xlsx"]);
    let definitions = compare(&bytes, &csv, 1);
    let told = |name: &str| {
        let found = definitions.iter().find(|(known, _)| known == name);
        found.map(|(_, meaning)| meaning.clone()).expect(name)
    };
    assert_eq!(told("as_of"), "2026-11-02 19:10:07 UTC");
    assert!(told("interpolation").starts_with("previous"));
    assert!(told("uptime_last_hour").starts_with("Minutes of business time online from "));
    // The header stays in view, ids are texts, and numbers have two decimals.
    let sheet = part(&bytes, "xl/worksheets/sheet1.xml");
    assert!(sheet.contains("<pane ySplit=\"1\"") && sheet.contains("state=\"frozen\""));
    assert!(!sheet.contains("<f>") && sheet.contains("=1+1"));
    assert!(part(&bytes, "xl/styles.xml").contains("0.00") || sheet.contains("s=\"2\""));
    // The same numbers make the same file.
    let again = home.print(&["report", "--interpolation", "previous", "--format", "xlsx"]);
    assert!(again == bytes, "the same report is another file");

    let server = Server::start(&home);
    let id = server.trigger("?interpolation=previous");
    let csv = server.wait_for_report(&id);
    let own = server.get(&format!("/api/reports/{id}.xlsx"));
    assert_eq!((own.status, own.header("Content-Type")), (200, XLSX));
    assert!(
        own.header("Content-Disposition")
            .contains(&format!("report-{id}.xlsx"))
    );
    compare(&own.body, &csv.body, 1);
    let accept = format!("{XLSX}, */*;q=0.1");
    let asked = server.get_with(
        &format!("/get_report?report_id={id}"),
        &[("Accept", &accept)],
    );
    assert!(asked.body == own.body && asked.header("Content-Type") == XLSX);
    let plain = server.get_with(&format!("/get_report/{id}"), &[("Accept", "*/*")]);
    assert!(plain.header("Content-Type").starts_with("text/csv"));
    let facts = server.get(&format!("/api/reports/{id}")).json();
    assert_eq!(facts["xlsx"], format!("/api/reports/{id}.xlsx"));
    let unknown = "/api/reports/00000000-0000-4000-8000-000000000000.xlsx";
    server.get(unknown).problem(404);
    // A restart forgets the product in memory, and not the report.
    drop(server);
    let server = Server::start(&home);
    assert!(server.get(&format!("/api/reports/{id}.xlsx")).body == own.body);
}

#[test]
fn a_statement_as_a_workbook_says_what_its_csv_says() {
    let home = home();
    let statement = |more: &[&str]| {
        let mut arguments = vec!["statement", "--from", "2026-11-01", "--to", "2026-11-03"];
        arguments.extend(more);
        home.print(&arguments)
    };
    for (more, texts) in [
        (&["--by", "day"][..], 2),
        (&["--per", "group"], 2),
        (&["--per", "fleet", "--by", "week"], 1),
    ] {
        let csv = statement(more);
        let mut more = more.to_vec();
        more.extend(["--format", "xlsx"]);
        compare(&statement(&more), &csv, texts);
    }
    home.run(&["report", "--format", "ods"])
        .exits(2)
        .says(&["csv, xlsx"]);
    home.print(&["report", "--format", "xlsx", "--output", "report.xlsx"]);
    assert_eq!(sheets(&home.read("report.xlsx"))[0].0, "Report");
}

/// Whether XML 1.0 may contain all characters of this text.
fn is_of_xml(text: &str) -> bool {
    text.chars()
        .all(|character| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..))
}

#[test]
fn whatever_a_store_is_called_badges_and_workbooks_are_xml() {
    let home = Home::seeded();
    home.write(
        "odd.csv",
        "store_id,name,group\nodd\u{fffe}id,\"Bean\u{ffff} <&\"\"'>\u{1fffe}\",Owner\u{fffe}\n",
    );
    home.import(&["odd.csv"]);
    let server = Server::start(&home);
    let badge = server.get("/api/stores/odd%EF%BF%BEid/badge.svg");
    assert!(is_of_xml(badge.text()), "{}", badge.text());
    let shown = "Bean\u{fffd} &lt;&amp;&quot;'&gt;\u{1fffe}";
    assert!(badge.text().contains(shown), "{}", badge.text());
    let statement = [
        "statement",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-05",
        "--format",
        "xlsx",
    ];
    let mut groups = statement.to_vec();
    groups.extend(["--group", "Owner\u{fffe}", "--per", "group"]);
    for arguments in [&["report", "--format", "xlsx"][..], &statement, &groups] {
        let mut archive = zip::ZipArchive::new(Cursor::new(home.print(arguments))).expect("a zip");
        for index in 0..archive.len() {
            let mut part = archive.by_index(index).expect("a part");
            let mut text = String::new();
            part.read_to_string(&mut text).expect("UTF-8");
            assert!(is_of_xml(&text), "{:?} of {arguments:?}", part.name());
        }
    }
}
