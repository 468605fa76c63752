//! House rules as tests: imports, names, and the look of files.
//!
//! It reads source as text, with comments and strings told apart from code.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::project;

/// The rooms from the top of the house to its bottom. A room may know those on lines below its own,
/// never one beside it or above. `src/lib.rs` says what each holds.
const HOUSE: [&[&str]; 19] = [
    &["main"],
    &["cli"],
    &["http"],
    &["watcher"],
    &["config"],
    &["jobs"],
    &["fleet_view"],
    &["product"],
    &["hot_window"],
    &["export"],
    &["ingest", "generate"],
    &["notify"],
    &["db"],
    &["render"],
    &["alerts"],
    &["phrases"],
    &["civil", "clock"],
    &["uptime"],
    &[
        "access", "error", "health", "metrics", "parallel", "scratch", "docs",
    ],
];

/// Rooms and files that a room must not import although they stand below it.
const NEVER: [(&str, &[&str]); 13] = [
    // How reports are made or stored is the jobs' business.
    (
        "http",
        &[
            "export",
            "generate",
            "product",
            "render",
            "db::disk",
            "db::generation",
            "db::packed",
            // Not every visitor may know of every store's polls: `http::app` asks the window.
            "db::polls",
            "db::reports",
            "db::schedules",
            "db::store_keys",
            "uptime::flips",
            "uptime::history",
            "uptime::pass",
        ],
    ),
    (
        "jobs",
        &["fleet_view", "hot_window", "ingest", "export", "generate"],
    ),
    (
        "product",
        &["fleet_view", "ingest", "export", "generate", "clock"],
    ),
    ("render", &["clock", "alerts"]),
    ("fleet_view", &["ingest", "export", "generate", "clock"]),
    ("hot_window", &["ingest", "export", "generate", "clock"]),
    ("ingest", &["clock"]),
    ("export", &["clock"]),
    ("generate", &["db", "clock"]),
    ("db", &["clock", "alerts", "phrases"]),
    ("phrases", &["clock"]),
    // Pure: a replay is the same as a server that lived through the polls.
    ("alerts", &["clock"]),
    // Not even errors: no function of the core can fail.
    ("uptime", &["error"]),
];

/// The one thing that the bottom may know of the core: the unit in which instants are counted.
const CURRENCY: &str = "uptime::interval";

/// Crates, and the only rooms that may name them.
const CRATES: [(&str, &[&str]); 25] = [
    ("ureq", &["notify"]),
    ("lettre", &["notify"]),
    ("hmac", &["notify"]),
    ("toml", &["config", "cli"]),
    ("tiny_http", &["http"]),
    ("mio", &["http"]),
    ("socket2", &["http"]),
    ("httparse", &["http"]),
    ("maud", &["http", "render"]),
    ("sha2", &["access", "http", "notify", "render"]),
    ("subtle", &["access"]),
    ("getrandom", &["access"]),
    ("pulldown_cmark", &["http"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("signal_hook", &["cli"]),
    ("tracing_subscriber", &["cli"]),
    ("flate2", &["ingest", "export", "http"]),
    ("csv", &["cli", "export", "http", "ingest"]),
    ("calamine", &["ingest"]),
    ("quick_xml", &["ingest"]),
    ("zip", &["ingest"]),
    ("rust_xlsxwriter", &["render"]),
    ("xxhash_rust", &["db"]),
    (
        "rusqlite",
        &[
            "cli",
            "http",
            "watcher",
            "jobs",
            "fleet_view",
            "product",
            "hot_window",
            "ingest",
            "export",
            "notify",
            "db",
        ],
    ),
];

/// What the core must not name, beside the crates above.
const OUTSIDE_THE_CORE: [&str; 7] = [
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::time",
    "std::process",
    "tracing",
];

/// Words that say nothing of what a module or a type is for.
const EMPTY_NAMES: [&str; 9] = [
    "util", "utils", "common", "helper", "helpers", "manager", "managers", "service", "services",
];

const FILE_LINES_MAX: usize = 500;
const LINE_CHARACTERS_MAX: usize = 120;

/// A source file, with its code told apart.
struct Source {
    /// Its path in the project, such as `src/db/mod.rs`.
    path: String,
    text: String,
    /// The text, with comments and the insides of strings left out; its lines are those of the text.
    code: String,
    /// The code as far as the module of tests, if there is one.
    shipped: String,
}

impl Source {
    /// The room that it belongs to.
    fn room(&self) -> &str {
        let inside = self.path.strip_prefix("src/").expect("a file under src");
        inside.split(['/', '.']).next().expect("a name")
    }

    fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.starts_with("tests/")
    }

    /// `path:line` of a place in the code.
    fn place(&self, at: usize) -> String {
        let line = self.code[..at].matches('\n').count() + 1;
        format!("{}:{line}", self.path)
    }
}

/// Every Rust file under a folder of the project, sorted.
fn sources(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&project().join(folder), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "{folder} is empty");
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source");
        let code = code_of(&text);
        let tests = code.find("#[cfg(test)]\nmod ").unwrap_or(code.len());
        let path = path.strip_prefix(project()).expect("inside the project");
        Source {
            path: path.to_string_lossy().into_owned(),
            shipped: code[..tests].to_owned(),
            code,
            text,
        }
    };
    paths.into_iter().map(source).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            // What cargo builds of a package of its own may lie beside it.
            if !path.ends_with("fuzz/target") && !path.ends_with("axum/target") {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Leaves comments and the insides of strings out; line ends stay.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = string_length(rest, &code) {
            code.push_str("\"\"");
            length
        } else if let Some(length) = character_length(rest) {
            code.push_str("' '");
            length
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.extend(
            rest[..skipped]
                .chars()
                .filter(|&character| character == '\n'),
        );
        rest = &rest[skipped..];
    }
    code
}

/// The length of the string literal that `rest` begins with; none where there is none.
fn string_length(rest: &str, code: &str) -> Option<usize> {
    let in_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
    let after_prefix = rest.trim_start_matches(['b', 'c']);
    if let Some(raw) = after_prefix.strip_prefix('r').filter(|_| !in_word) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let start = rest.len() - raw.len() + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let length = rest[start..].find(&end).expect("a raw string ends");
            return Some(start + length + end.len());
        }
    }
    if !rest.starts_with('"') {
        return None;
    }
    let mut escaped = false;
    let end = rest[1..].find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    Some(1 + end.expect("a string ends") + 1)
}

/// The length of the character literal that `rest` begins with; a lifetime is none.
fn character_length(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let end = if first == '\\' {
        2 + inside[2..].find('\'')?
    } else {
        first.len_utf8()
    };
    inside[end..].starts_with('\'').then_some(1 + end + 1)
}

/// Every place where `word` stands in `code` as a whole word (or path of words).
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            !code[..at].ends_with(part) && !code[at + word.len()..].starts_with(part)
        })
}

/// The paths that follow `root` (such as `crate::`) in the code; of a group in braces, each member.
fn paths_after<'a>(code: &'a str, root: &str) -> Vec<(usize, String)> {
    let path = |text: &'a str| -> String {
        let legal = |character: char| character.is_alphanumeric() || matches!(character, '_' | ':');
        text.chars()
            .take_while(|&character| legal(character))
            .collect()
    };
    let mut found = Vec::new();
    for at in words(code, root.trim_end_matches(':')) {
        let Some(rest) = code[at..].strip_prefix(root) else {
            continue;
        };
        let Some(group) = rest.strip_prefix('{') else {
            found.push((at, path(rest)));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (place, character) in group.char_indices() {
            match character {
                ',' | '}' if depth == 0 => {
                    let member = group[start..place].trim();
                    if !member.is_empty() {
                        found.push((at, path(member)));
                    }
                    start = place + 1;
                    if character == '}' {
                        break;
                    }
                }
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    found
}

#[track_caller]
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn arrows_run_one_way_through_the_house() {
    let floor = |room: &str| HOUSE.iter().position(|rooms| rooms.contains(&room));
    let mut wrong = Vec::new();
    for source in sources("src") {
        if source.path == "src/lib.rs" || source.is_tests() {
            continue;
        }
        let room = source.room();
        let Some(own) = floor(room) else {
            wrong.push(format!(
                "{}: the house has no room `{room}` (give it a place in HOUSE)",
                source.path
            ));
            continue;
        };
        let never = NEVER
            .iter()
            .find(|(name, _)| *name == room)
            .map_or(&[][..], |(_, never)| never);
        let mut paths = paths_after(&source.shipped, "crate::");
        paths.extend(paths_after(&source.shipped, "store_monitor::"));
        for (at, path) in paths {
            let other = path.split(':').next().expect("a room");
            let place = source.place(at);
            let below = floor(other).is_some_and(|other| other > own);
            if other != room && !below {
                wrong.push(format!(
                    "{place}: {room} must not know {path}: it does not stand below"
                ));
            }
            let barred = |never: &&str| {
                let inside = path.strip_prefix(*never);
                inside.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            };
            if never.iter().any(barred) {
                wrong.push(format!("{place}: {room} must never know {path}"));
            }
            if matches!(room, "civil" | "clock") && other == "uptime" && !path.starts_with(CURRENCY)
            {
                wrong.push(format!(
                    "{place}: {room} may know {CURRENCY} alone of the core, not {path}"
                ));
            }
        }
        // `super` must not be a way out of the room.
        let top = source.path.matches('/').count() == 1 || source.path.ends_with("/mod.rs");
        let way_out = if top { "super::" } else { "super::super::" };
        for (at, _) in source.shipped.match_indices(way_out) {
            wrong.push(format!(
                "{}: leaves the room by `{way_out}` (write `crate::`)",
                source.place(at)
            ));
        }
    }
    none(wrong);
}

/// The module that a file of `src` is, as the names on its path: `src/db/mod.rs` is `["db"]`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").expect("a file under src");
    let names = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    names.split('/').map(str::to_owned).collect()
}

/// The files that each file of `src` names in its code, by `crate::`, `super::` or `self::`.
fn imports(sources: &[Source]) -> HashMap<&str, HashSet<&str>> {
    let files: HashMap<Vec<String>, &str> = sources
        .iter()
        .map(|source| (module_of(&source.path), source.path.as_str()))
        .collect();
    let mut imports = HashMap::new();
    for source in sources {
        let own = module_of(&source.path);
        let parent = own[..own.len() - 1].to_vec();
        let mut found = HashSet::new();
        for (root, base) in [
            ("crate::", Vec::new()),
            ("super::", parent),
            ("self::", own),
        ] {
            for (at, path) in paths_after(&source.shipped, root) {
                if source.shipped[..at].ends_with("::") {
                    continue;
                }
                let mut module = base.clone();
                for name in path.split("::").filter(|name| !name.is_empty()) {
                    match name {
                        "super" => drop(module.pop()),
                        "self" => {}
                        name => module.push(name.to_owned()),
                    }
                }
                // What is behind the last module of the path is a name in it.
                while !module.is_empty() && !files.contains_key(&module) {
                    module.pop();
                }
                found.extend(
                    files
                        .get(&module)
                        .copied()
                        .filter(|&file| file != source.path),
                );
            }
        }
        imports.insert(source.path.as_str(), found);
    }
    imports
}

#[test]
fn no_file_imports_in_a_circle() {
    let sources = sources("src");
    let shipped = |source: &Source| !source.is_tests() && source.path != "src/lib.rs";
    let sources: Vec<_> = sources.into_iter().filter(shipped).collect();
    let mut imports = imports(&sources);
    // Files that import no other one are taken away until none is left, or circles and what leads to them.
    loop {
        let leaves: Vec<&str> = imports
            .iter()
            .filter(|(_, others)| others.iter().all(|other| !imports.contains_key(other)))
            .map(|(&file, _)| file)
            .collect();
        if leaves.is_empty() {
            break;
        }
        for leaf in leaves {
            imports.remove(leaf);
        }
    }
    let mut wrong = Vec::new();
    for (file, others) in &imports {
        let rest = others.iter().filter(|other| imports.contains_key(*other));
        let rest: Vec<_> = rest.copied().collect();
        wrong.push(format!(
            "{file} is in a circle, or leads to one, by {}",
            rest.join(", ")
        ));
    }
    wrong.sort();
    none(wrong);
}

#[test]
fn a_technology_stays_in_its_rooms() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        if source.is_tests() || source.path == "src/lib.rs" {
            continue;
        }
        for (name, rooms) in CRATES {
            let path = format!("{name}::");
            for at in source.shipped.match_indices(&path).map(|(at, _)| at) {
                let part =
                    |character: char| character.is_alphanumeric() || matches!(character, '_' | ':');
                if !source.shipped[..at].ends_with(part) && !rooms.contains(&source.room()) {
                    wrong.push(format!(
                        "{}: {name} is for {} alone",
                        source.place(at),
                        rooms.join(", ")
                    ));
                }
            }
        }
    }
    none(wrong);
}

#[test]
fn the_core_does_no_input_or_output_and_reads_no_clock() {
    let mut wrong = Vec::new();
    for source in sources("src/uptime") {
        for name in OUTSIDE_THE_CORE {
            for at in words(&source.shipped, name) {
                wrong.push(format!(
                    "{}: the core must never know {name}",
                    source.place(at)
                ));
            }
        }
        for at in words(&source.shipped, "now") {
            wrong.push(format!(
                "{}: `now` is called `as_of` and passed in",
                source.place(at)
            ));
        }
    }
    none(wrong);
}

#[test]
fn names_say_what_things_are_for() {
    let mut wrong = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let stem = source
            .path
            .rsplit('/')
            .next()
            .expect("a name")
            .trim_end_matches(".rs");
        let folders = source.path.split('/').chain([stem]);
        for name in folders.flat_map(split_name) {
            if EMPTY_NAMES.contains(&name.as_str()) {
                wrong.push(format!("{}: `{name}` says nothing", source.path));
            }
        }
        for keyword in ["mod", "struct", "enum", "trait", "type", "union"] {
            for at in words(&source.code, keyword) {
                let after = source.code[at + keyword.len()..].trim_start();
                let legal = |character: char| character.is_alphanumeric() || character == '_';
                let name: String = after
                    .chars()
                    .take_while(|&character| legal(character))
                    .collect();
                if split_name(&name)
                    .iter()
                    .any(|word| EMPTY_NAMES.contains(&word.as_str()))
                {
                    wrong.push(format!("{}: `{name}` says nothing", source.place(at)));
                }
            }
        }
    }
    none(wrong);
}

/// The words of a name, in lower case: `UserStore` and `user_store` are both `user`, `store`.
fn split_name(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in name.chars() {
        if !character.is_alphanumeric() || character.is_uppercase() {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            let last = words.last_mut().expect("a word");
            last.extend(character.to_lowercase());
        }
    }
    words
}

#[test]
fn nothing_unfinished_is_shipped() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let banned: &[&str] = if source.is_tests() {
            &["todo!", "dbg!", "unimplemented!"]
        } else {
            &["todo!", "dbg!", "unimplemented!", ".unwrap()"]
        };
        for word in banned {
            let code = if *word == ".unwrap()" {
                &source.shipped
            } else {
                &source.code
            };
            for (at, _) in code.match_indices(word) {
                wrong.push(format!("{}: `{word}`", source.place(at)));
            }
        }
    }
    none(wrong);
}

#[test]
fn tests_wait_for_conditions_and_never_just_sleep() {
    let mut wrong = Vec::new();
    let src = sources("src").into_iter().map(|source| {
        let tests = source.shipped.len();
        (source, tests)
    });
    // Benches measure from outside, where nothing tells them that something has come to pass.
    let tests = sources("tests/it").into_iter().map(|source| (source, 0));
    for (source, start) in src.chain(tests) {
        if source.path == "tests/it/harness.rs" {
            continue;
        }
        for at in words(&source.code, "sleep").filter(|&at| at >= start) {
            wrong.push(format!(
                "{}: `sleep` (use harness::eventually)",
                source.place(at)
            ));
        }
    }
    none(wrong);
}

#[test]
fn every_file_opens_with_what_it_is() {
    let mut wrong = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let first = source.text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") {
            wrong.push(format!(
                "{}: opens with `{first}`, not with `//!`",
                source.path
            ));
        }
    }
    none(wrong);
}

#[test]
fn lines_and_files_have_a_limit() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            let path = &source.path;
            wrong.push(format!("{path}: {lines} lines (split it)"));
        }
        for (number, (text, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
            if text.trim_start().starts_with("//! |") {
                continue; // A table's row cannot be broken.
            }
            let comment = text.trim_start().starts_with("//");
            let length = if comment { text } else { code }.chars().count();
            if length > LINE_CHARACTERS_MAX {
                wrong.push(format!(
                    "{}:{}: {length} characters",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    none(wrong);
}

#[test]
fn the_code_is_formatted() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |arguments: &[&str]| {
        Command::new(&cargo)
            .args(arguments)
            .current_dir(project())
            .output()
    };
    if !run(&["fmt", "--version"]).is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: rustfmt is missing, so nobody looked whether the code is formatted");
        return;
    }
    // Two are packages of their own.
    for more in [
        &[][..],
        &["--manifest-path", "tests/fuzz/Cargo.toml"],
        &["--manifest-path", "tests/engines/axum/Cargo.toml"],
    ] {
        let output = run(&[&["fmt", "--check"], more].concat()).expect("cargo runs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "run `cargo fmt` {more:?}:\n{told}");
    }
}

#[test]
fn code_is_told_from_comments_and_strings() {
    let text = "let a = \"// \\\" no\"; // now\nlet b: &'a str = r#\"x \" y\"#; /* now\n */ let c = '\"';\nlet d = b\"\\\\\";";
    let code = "let a = \"\"; \nlet b: &'a str = \"\"; \n let c = ' ';\nlet d = b\"\";";
    assert_eq!(code_of(text), code);
    let paths: Vec<_> = paths_after(
        "use crate::{a, b::{c, d}, e}; crate::f::g(); mycrate::h",
        "crate::",
    )
    .into_iter()
    .map(|(_, path)| path)
    .collect();
    assert_eq!(paths, ["a", "b::", "e", "f::g"]);
    assert_eq!(split_name("UserStore_two"), ["", "user", "store", "two"]);
}
