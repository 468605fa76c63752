//! The database of the prototype, a Flask application on MySQL, becomes ours. How the files were made is in their README.

use std::fs;
use std::io::Write;

use crate::harness::{Home, project};

fn dump(name: &str) -> Vec<u8> {
    fs::read(project().join("tests/data/prototype").join(name)).expect(name)
}

#[test]
fn a_dump_becomes_a_database_whichever_program_wrote_it() {
    let mut all = Vec::new();
    for name in ["mariadb.sql", "mysql.sql"] {
        let home = Home::new();
        home.write("prototype.sql", dump(name));
        let told = home.import(&["prototype.sql"]);
        told.says(&[
            "extra_table, 2 times",
            "alembic_version, report",
            "1,196 rows accepted",
            "0 rejected",
        ]);
        home.run(&["check"]).exits(0);
        let report = String::from_utf8(home.print(&["report"])).expect("a report");
        assert_eq!(report.lines().count(), 7, "{report}");
        // Loaded again, it changes nothing.
        home.import(&["prototype.sql"]).says(&["0 rows accepted"]);
        all.push((home.exports(), report));
    }
    assert!(all[0] == all[1]);
    let [polls, ..] = &all[0].0;
    assert!(String::from_utf8_lossy(polls).contains("5955337179846162144"));
}

#[test]
fn files_that_mysql_writes_itself_become_the_same_database() {
    let (dumped, written) = (Home::new(), Home::new());
    dumped.write("prototype.sql", dump("mysql.sql"));
    dumped.import(&["prototype.sql"]);
    let files = ["store_status.txt", "menu_hours.txt", "timezones.txt"];
    for file in files {
        written.write(file, dump(file));
    }
    written
        .import(&files)
        .says(&["1,196 rows accepted", "0 rejected"]);
    assert!(written.exports() == dumped.exports());
    written.import(&files).says(&["0 rows accepted"]);
    written.write(
        "bad.txt",
        "7\t2023-01-21 08:49:05\tactive\n7\t2023-01-21 09:49:05\tperhaps\n",
    );
    written
        .run(&["import", "bad.txt"])
        .exits(2)
        .says(&["bad.txt line 3", "`perhaps`"]);
}

#[test]
fn a_packed_dump_is_read_as_it_is() {
    let (plain, packed) = (Home::new(), Home::new());
    plain.write("prototype.sql", dump("mysql.sql"));
    plain.import(&["prototype.sql"]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&dump("mysql.sql")).expect("memory");
    packed.write("prototype.sql.gz", gzip.finish().expect("memory"));
    packed.import(&["prototype.sql.gz"]);
    assert!(plain.exports() == packed.exports());
}

#[test]
fn a_dump_that_is_not_whole_is_refused_and_changes_nothing() {
    let home = Home::new();
    let whole = dump("mariadb.sql");
    let text = String::from_utf8_lossy(&whole).into_owned();
    let last = text.rfind("-- Dump completed").expect("a last line");
    for (end, words) in [(whole.len() / 2, "breaks off"), (last, "Dump completed")] {
        home.write("cut.sql", &whole[..end]);
        home.run(&["import", "cut.sql"])
            .exits(2)
            .says(&["cut.sql", "line", words]);
    }
    let wrong = String::from_utf8(whole).expect("text");
    let wrong = wrong.replacen("'inactive')", "'down?')", 1);
    home.write("wrong.sql", wrong.replacen("'inactive'),", "'down?'),", 1));
    home.run(&["import", "wrong.sql"]).exits(2).says(&[
        "table \"store_status\" line",
        "down?",
        "--rejects",
    ]);
    assert!(!home.database().exists());
}
