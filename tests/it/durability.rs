//! The durability guide: each line of its tables names tests that are there.

use std::fs;

use store_monitor::docs::GUIDES;

use crate::harness::project;

#[test]
fn each_promise_names_a_test_that_is_there() {
    let guide = GUIDES
        .iter()
        .find(|guide| guide.name == "durability")
        .expect("the guide");
    let is_row = |line: &&str| {
        line.starts_with("| ") && !line.contains("| ---") && !line.contains("| shown by |")
    };
    let rows: Vec<&str> = guide.text.lines().filter(is_row).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, _, tests] = cells[..] else {
            panic!("{row}")
        };
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{row}");
        for test in named {
            let (file, name) = test.split_once("::").expect(test);
            let text = fs::read_to_string(project().join(file))
                .unwrap_or_else(|_| panic!("no file {file}"));
            let is_there = text.contains(&format!("#[test]\nfn {name}() {{"));
            assert!(is_there, "{file} has no test {name} that is always run");
        }
    }
}
