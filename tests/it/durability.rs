//! The durability guide: each of its items names tests that are there.

use std::fs;

use store_monitor::docs::GUIDES;

use crate::harness::project;

#[test]
fn each_promise_names_a_test_that_is_there() {
    let guide = GUIDES
        .iter()
        .find(|guide| guide.name == "durability")
        .expect("the guide");
    let items: Vec<&str> = guide.text.split("\n- ").skip(1).collect();
    assert!(items.len() > 12, "{items:?}");
    for item in items {
        let quoted = item.split('`').skip(1).step_by(2);
        let named: Vec<&str> = quoted.filter(|quote| quote.contains("::")).collect();
        assert!(!named.is_empty(), "{item}");
        for test in named {
            let (file, name) = test.split_once("::").expect(test);
            let text = fs::read_to_string(project().join(file))
                .unwrap_or_else(|_| panic!("no file {file}"));
            let is_there = text.contains(&format!("#[test]\nfn {name}() {{"));
            assert!(is_there, "{file} has no test {name} that is always run");
        }
    }
}
