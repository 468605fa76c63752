//! The table of bounds: each number is that of the source, and no bound of the source is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use store_monitor::cli;
use store_monitor::docs::GUIDES;
use store_monitor::jobs::Limits;

use crate::harness::project;

/// Ends of names that say a bound.
const ENDS: [&str; 6] = ["_MAX", "_WITHIN", "_GRACE", "_KEPT", "_TIMEOUT", "PATIENCE"];

/// Rooms whose bounds are about pictures, made-up data or the definition of numbers, and grow with nothing.
const ROOMS: [&str; 3] = ["src/http/pages/", "src/generate/", "src/uptime/"];

/// Bounds that are no limit for what comes in: how much is written down or read at once.
const OTHERS: [&str; 9] = [
    "EXAMPLES_MAX",
    "OWNERS_NAMED_MAX",
    "FIELDS_MAX",
    "SHORT_BYTES_MAX",
    "CONTENT_BYTES_MAX",
    "POLLS_MAX",
    "BODY_BYTES_MAX",
    "HUNDREDTHS_MAX",
    "RENEW_SECONDS_MAX",
];

/// The constants of `src/` outside of tests: by name, the files that have one and what it is.
fn constants() -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::new();
    collect(&project().join("src"), &mut found);
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<String, Vec<(String, String)>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
            continue;
        }
        let inside = path
            .strip_prefix(project())
            .expect("inside")
            .display()
            .to_string();
        if !inside.ends_with(".rs") || inside.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for rest in code.split("const ").skip(1) {
            let Some((name, rest)) = rest.split_once(':') else {
                continue;
            };
            let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if let Some((_, value)) = rest
                .split_once(';')
                .and_then(|(value, _)| value.split_once('='))
                && name.chars().all(is_name)
            {
                let places = found.entry(name.to_owned()).or_default();
                places.push((inside.clone(), value.trim().to_owned()));
            }
        }
    }
}

/// A constant's value: times in milliseconds, all else as it is.
fn value_of(path: &str, constants: &BTreeMap<String, Vec<(String, String)>>) -> u64 {
    match path {
        "Limits::queue_reports_max" => return Limits::default().queue_reports_max as u64,
        flag if flag.starts_with("--") => return default_of(flag),
        _ => {}
    }
    let (part, name) = path.split_once("::").unwrap_or(("", path));
    let places = constants
        .get(name)
        .unwrap_or_else(|| panic!("no constant {path}"));
    let meant: BTreeSet<&str> = places
        .iter()
        .filter(|(file, _)| file.contains(part))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(meant.len(), 1, "{path}: {meant:?}");
    let text = meant.first().expect("a value");
    evaluate(text, constants)
}

fn evaluate(text: &str, constants: &BTreeMap<String, Vec<(String, String)>>) -> u64 {
    let text = text.trim();
    for (call, factor) in [
        ("Duration::from_secs(", 1000),
        ("Duration::from_millis(", 1),
    ] {
        if let Some(inner) = text.strip_prefix(call) {
            return evaluate(inner.trim_end_matches(')'), constants) * factor;
        }
    }
    if let Some((base, bits)) = text.split_once("<<") {
        return evaluate(base, constants) << evaluate(bits, constants);
    }
    if let Some((left, right)) = text.split_once('*') {
        return evaluate(left, constants) * evaluate(right, constants);
    }
    match text.replace('_', "").parse() {
        Ok(number) => number,
        Err(_) => value_of(text, constants),
    }
}

/// The default of a flag of `serve`.
fn default_of(flag: &str) -> u64 {
    let mut command = cli::command();
    command.build();
    let serve = command.find_subcommand("serve").expect("serve");
    let found = serve
        .get_arguments()
        .find(|known| known.get_long() == flag.strip_prefix("--"));
    let default = found.expect(flag).get_default_values()[0]
        .to_string_lossy()
        .into_owned();
    default.parse().expect("a number")
}

/// A bound as it is written: times in milliseconds, all else as it is.
fn read(bound: &str) -> u64 {
    let (number, unit) = bound.split_once(' ').unwrap_or((bound, ""));
    let number: u64 = number
        .replace(',', "")
        .parse()
        .unwrap_or_else(|_| panic!("{bound}"));
    let factor = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "s" => 1000,
        "h" => 3_600_000,
        _ => 1,
    };
    number * factor
}

/// The rows of the table: a bound, and where it is in the source.
fn rows() -> Vec<(String, String)> {
    let guide = GUIDES
        .iter()
        .find(|guide| guide.name == "bounds")
        .expect("the guide");
    let rows = guide
        .text
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2);
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, bound, _, source] = cells[..] else {
            panic!("{row}")
        };
        let source = source.trim_matches('`');
        (!source.is_empty()).then(|| (bound.to_owned(), source.to_owned()))
    })
    .collect()
}

#[test]
fn each_bound_of_the_table_is_that_of_the_source() {
    let constants = constants();
    let rows = rows();
    assert!(rows.len() > 60, "{}", rows.len());
    for (bound, source) in rows {
        assert_eq!(
            read(&bound),
            value_of(&source, &constants),
            "{source}: {bound}"
        );
    }
}

#[test]
fn no_bound_of_the_source_is_missing_in_the_table() {
    let told: BTreeSet<String> = rows()
        .into_iter()
        .map(|(_, source)| source.rsplit("::").next().unwrap_or_default().to_owned())
        .collect();
    let mut missing = Vec::new();
    for (name, places) in constants() {
        let says_so = ENDS.iter().any(|end| name.ends_with(end));
        let is_elsewhere =
            |(file, _): &(String, String)| ROOMS.iter().any(|room| file.starts_with(room));
        if says_so
            && !told.contains(&name)
            && !OTHERS.contains(&name.as_str())
            && !places.iter().all(is_elsewhere)
        {
            missing.push(format!("{name} of {}", places[0].0));
        }
    }
    assert!(missing.is_empty(), "src/docs/bounds.md lacks {missing:#?}");
}
