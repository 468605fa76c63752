//! Databases of every earlier schema, made by the programs of their time: each opens, with the same bytes of
//! reports and exports. `tests/data/schemas/README.md` says how they were made.

use std::fs;

use store_monitor::ingest::kind::Kind;

use crate::harness::{Home, Server, project};

/// The schemas before the present one.
const EARLIER: std::ops::RangeInclusive<u32> = 1..=10;

fn data(name: &str) -> Vec<u8> {
    fs::read(project().join("tests/data/schemas").join(name)).expect(name)
}

/// A home whose database has an earlier schema, with a change that was made to it then.
fn home_of(schema: u32, change: &str) -> Home {
    let home = Home::new();
    let dump = String::from_utf8(data(&format!("{schema}.sql"))).expect("text");
    let db = home.sqlite();
    db.execute_batch(&format!("BEGIN; {dump} COMMIT; PRAGMA journal_mode = WAL;"))
        .expect("a dump");
    db.execute_batch(change).expect("a change");
    home
}

/// The database reports and exports what it always did, and nothing is wrong with it.
#[track_caller]
fn assert_same(home: &Home, case: &str) {
    for rule in ["nearest", "previous"] {
        let csv = home.print(&["report", "--interpolation", rule]);
        assert!(csv == data(&format!("{rule}.csv")), "{case}, {rule}");
    }
    for (kind, csv) in Kind::ALL.into_iter().zip(home.exports()) {
        let kind = kind.description().slug;
        assert!(csv == data(&format!("{kind}.csv")), "{case}, {kind}");
    }
    assert_eq!(home.print(&["check"]), b"ok\n", "{case}");
    let version = home
        .sqlite()
        .pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
    assert_eq!(version, Ok(EARLIER.end() + 1), "{case}");
}

#[test]
fn a_database_of_every_earlier_schema_keeps_its_reports_and_makes_the_same() {
    for schema in EARLIER {
        let home = home_of(schema, "");
        assert_same(&home, &format!("schema {schema}"));
        let server = Server::start(&home);
        for (number, csv) in (1..).zip(["older.csv", "nearest.csv", "previous.csv"]) {
            let id = format!("00000000-0000-4000-8000-00000000000{number}");
            let kept = server.get(&format!("/get_report/{id}"));
            assert_eq!(kept.header("Report-Status"), "Complete");
            assert!(kept.body == data(csv), "schema {schema}, {csv}");
            let facts = server.get(&format!("/api/reports/{id}")).json();
            assert_eq!(facts["csv_bytes"], kept.body.len());
        }
        assert!(server.report("") == data("nearest.csv"), "schema {schema}");
    }
}

#[test]
fn equal_weeks_of_an_earlier_schema_are_one() {
    let home = home_of(5, "");
    assert_same(&home, "schema 5");
    let count = |what: &str| -> i64 {
        let select = format!("SELECT count(*) FROM {what}");
        let count = home.sqlite().query_row(&select, [], |row| row.get(0));
        count.expect(what)
    };
    assert_eq!((count("schedule"), count("store_hours")), (4, 12));
    // They are spelt as an import spells them.
    home.write("hours.csv", data("business-hours.csv"));
    let told = home.import(&["hours.csv"]).to_string();
    assert!(
        told.contains("0 rows accepted, 68 unchanged, 0 replaced"),
        "{told}"
    );
    assert_eq!((count("schedule"), count("store_hours")), (4, 12));
}

/// Versions 2 to 5 kept a large load apart until all of it was there.
#[test]
fn a_large_load_that_was_cut_short_counts_if_it_had_landed_and_else_never_was() {
    for schema in 2..=5 {
        let landed = "INSERT INTO landing VALUES (1, 1, 0, 0, 0);
             INSERT INTO landing_poll SELECT * FROM poll WHERE store % 3 = 0;
             DELETE FROM poll WHERE store % 6 = 0;
             UPDATE poll SET active = 1 - active WHERE store % 6 = 3;";
        let forget = if schema > 2 {
            "DELETE FROM packed_hour;"
        } else {
            ""
        };
        let home = home_of(schema, &format!("{landed} {forget}"));
        assert_same(&home, &format!("schema {schema}, landed"));

        let home = home_of(
            schema,
            "INSERT INTO landing VALUES (1, 0, 0, 0, 0);
             INSERT INTO landing_store VALUES (900, 'never');
             INSERT INTO landing_poll VALUES (1794021462123457, 900, 1);
             INSERT INTO landing_poll SELECT at, store, 1 - active FROM poll WHERE store % 3 = 0;",
        );
        assert_same(&home, &format!("schema {schema}, not landed"));
    }
}
