//! The guides: printed, served, and compared with the flags, the routes and the constants of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use store_monitor::cli;
use store_monitor::docs::GUIDES;

use crate::harness::{Home, Server, project};
use crate::webdriver::Browser;

/// The limits that guides name: the guide, its words with `{}` for the number, the constant (with a part of its
/// file's path where others have its name), and the unit in which the words count it.
#[rustfmt::skip]
const LIMITS: [(&str, &str, &str, u64); 61] = [
    ("http", "request line {} KiB", "LINE_BYTES_MAX", 1024),
    ("http", "head {} KiB and", "HEAD_BYTES_MAX", 1024),
    ("http", "and {} fields", "head::FIELDS_MAX", 1),
    ("http", "head complete within {} seconds", "HEAD_WITHIN", 1),
    ("http", "rows, {} MiB elsewhere", "gate::BODY_BYTES_MAX", 1 << 20),
    ("http", "body at {} bytes a second", "BYTES_PER_SECOND_MIN", 1),
    ("http", "reply taken at {} bytes a second", "BYTES_PER_SECOND_MIN", 1),
    ("http", "after {} seconds of grace | 408", "BODY_GRACE", 1),
    ("http", "after {} seconds of grace | closed", "REPLY_GRACE", 1),
    ("http", "| {} seconds without a request", "IDLE_MAX", 1),
    ("http", "at a stop: {} seconds", "http::STOP_WITHIN", 1),
    ("http", "wait: {} MiB in memory", "ALL_MEMORY_BYTES_MAX", 1 << 20),
    ("http", "made them: {} MiB", "SHARED_BYTES_MAX", 1 << 20),
    ("http", "together: {} times `--max-body`", "BODIES_ON_DISK_MAX", 1),
    ("http", "at least {} GiB", "DISK_BYTES", 1 << 30),
    ("http", "after the first {} MiB", "ANY_BYTES_MAX", 1 << 20),
    ("http", "{} times its packed length", "UNPACKED_FACTOR_MAX", 1),
    ("http", "`Idempotency-Key` of {} bytes", "KEY_BYTES_MAX", 1),
    ("http", "| {} kept answers", "ANSWERS_MAX", 1),
    ("http", "answers, {} MiB together", "ANSWERS_BYTES_MAX", 1 << 20),
    ("import", "the last {} answers", "ANSWERS_MAX", 1),
    ("import", "{} minutes after the machine's clock", "AHEAD_MINUTES", 1),
    ("http", "clock more than {} minutes before", "AHEAD_MINUTES", 1),
    ("http", "| {} changes in the write queue", "QUEUE_CHANGES_MAX", 1),
    ("http", "waits {} seconds for an import", "BUSY_TIMEOUT", 1),
    ("http", "where {} wait already", "PATIENT_CHANGES_MAX", 1),
    ("http", "already, {} seconds", "PATIENCE_OF_MANY", 1),
    ("http", "`limit` (at most {}), `before=ID`", "PAGE_REPORTS_MAX", 1),
    ("http", "`limit` (at most {}), `offset`", "PAGE_LINES_MAX", 1),
    ("import", "at most {} characters", "STORE_ID_CHARS_MAX", 1),
    ("import", "A row has at most {} KiB", "RECORD_BYTES_MAX", 1024),
    ("import", "of the first {} bad rows", "BAD_ROWS_TOLD", 1),
    ("import", "The first {} bad rows are named", "BAD_ROWS_TOLD", 1),
    ("http", "up to {} handlers", "serve::HANDLERS", 1),
    ("http", "at most {} connections in a private socket", "LINKS_MAX", 1),
    ("http", "a form of {} fields", "PARTS_MAX", 1),
    ("http", "| a row of {} KiB", "RECORD_BYTES_MAX", 1024),
    ("import", "waits up to {} seconds for the import", "BUSY_TIMEOUT", 1),
    ("import", "Where {} changes wait", "PATIENT_CHANGES_MAX", 1),
    ("import", "the next ones wait {} seconds", "PATIENCE_OF_MANY", 1),
    ("import", "at most {} fields", "PARTS_MAX", 1),
    ("import", "at most {} MiB unpacked", "PART_BYTES_MAX", 1 << 20),
    ("http", "`.xlsx`: {} MiB unpacked", "PART_BYTES_MAX", 1 << 20),
    ("import", "keeps {} digits", "DIGITS_MAX", 1),
    ("storage", "The schema has version {}.", "SCHEMA_VERSION", 1),
    ("storage", "not check below {} MiB", "UNCHECKED_BYTES", 1 << 20),
    ("operate", "at most {} seconds", "serve::STOP_WITHIN", 1),
    ("storage", "until there are {}", "WAITING_CHANGES", 1),
    ("storage", "changes or {} polls", "WAITING_POLLS", 1),
    ("storage", "The {} MiB of newest reports", "RECENT_BYTES_MAX", 1 << 20),
    ("operate", "keep {} MiB of the disk", "RESERVE_BYTES", 1 << 20),
    ("operate", "while less than {} MiB is free", "SHORT_BYTES", 1 << 20),
    ("storage", "up to {} bytes in the file", "FILE_BYTES_A_POLL", 1),
    ("storage", "up to {} bytes in the write-ahead log", "LOG_BYTES_A_POLL", 1),
    ("storage", "on all cores, up to {}.", "THREADS_MAX", 1),
    ("storage", "sorts up to {} polls", "MEMORY_ROWS_MAX", 1),
    ("storage", "in memory, {} bytes each", "runs::ROW_BYTES", 1),
    ("reports", "itself** every {} seconds", "RENEW_SECONDS_MAX", 1),
    ("reports", "uncleanly {} times in a row", "UNCLEAN_ENDS_MAX", 1),
    ("reports", "After {} seconds it is", "OUTCOME_PATIENCE", 1),
    ("reports", "at most {} milliseconds", "jobs::PATIENCE", 1),
];

fn guide(name: &str) -> &'static str {
    let found = GUIDES.iter().find(|guide| guide.name == name);
    found.unwrap_or_else(|| panic!("no guide {name}")).text
}

/// The rows below the header of the first table after a heading, in cells.
fn table<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, below) = text
        .split_once(&format!("\n## {heading}\n"))
        .expect(heading);
    let rows = below.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &'a str| row.trim_matches('|').split(" | ").map(str::trim).collect();
    rows.map(cells).collect()
}

/// The texts in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The value of a constant of the program, read from the source: most are private.
fn constant(name: &str) -> u64 {
    let (part, name) = name.split_once("::").unwrap_or(("", name));
    let mut found = BTreeSet::new();
    search(
        &project().join("src"),
        part,
        &format!("const {name}:"),
        &mut found,
    );
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    let mut text = found.pop_first().unwrap_or_default().replace('_', "");
    for word in ["Duration::fromsecs", "Duration::frommillis", "(", ")"] {
        text = text.replace(word, "");
    }
    let number = |text: &str| -> u64 {
        text.trim()
            .parse()
            .unwrap_or_else(|_| panic!("{name} = {text}"))
    };
    match text.split_once("<<") {
        Some((base, bits)) => number(base) << number(bits),
        None => text.split('*').map(number).product(),
    }
}

/// The values of a constant in the files whose path has `part` in it.
fn search(folder: &Path, part: &str, wanted: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let inside = path.strip_prefix(project()).expect("inside the project");
        if path.is_dir() {
            search(&path, part, wanted, found);
        } else if inside.to_string_lossy().contains(part) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let after = text
                .split(wanted)
                .skip(1)
                .filter_map(|rest| rest.split_once(';'));
            let values = after.filter_map(|(value, _)| value.split_once('='));
            found.extend(values.map(|(_, value)| value.trim().to_owned()));
        }
    }
}

/// The flags of a command that its help shows, and those of its subcommands: the name of the command, the flag
/// with its value, its variable and its default, as the guide writes them.
fn flags(command: &clap::Command, path: &str, found: &mut BTreeSet<[String; 4]>) {
    for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
        let Some(long) = flag
            .get_long()
            .filter(|long| !matches!(*long, "help" | "version"))
        else {
            continue;
        };
        let takes_value = flag.get_action().takes_values();
        let value = flag
            .get_value_names()
            .filter(|_| takes_value)
            .map(|names| format!(" {}", names[0]));
        let variable = flag
            .get_env()
            .map(|name| name.to_string_lossy().into_owned());
        let defaults = flag
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy());
        found.insert([
            path.to_owned(),
            format!("--{long}{}", value.unwrap_or_default()),
            variable.unwrap_or_default(),
            defaults.filter(|_| takes_value).collect(),
        ]);
    }
    for command in command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        // `export WHAT` shares the flags of `export`.
        let name = format!("{path} {}", command.get_name());
        let name = name.trim();
        let is_kind = path == "export" && name != "export lake";
        flags(command, if is_kind { path } else { name }, found);
    }
}

#[test]
fn the_table_of_settings_names_every_flag() {
    let mut expected = BTreeSet::new();
    let mut command = cli::command();
    command.build();
    for command in command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        flags(command, command.get_name(), &mut expected);
    }
    // A unit is made for all flags of `serve`: their rows say it once.
    let of_serve = |[command, rest @ ..]: &[String; 4]| (command == "serve").then(|| rest.clone());
    let served: BTreeSet<[String; 3]> = expected.iter().filter_map(of_serve).collect();
    let before = expected.len();
    expected.retain(|[command, rest @ ..]| command != "systemd-unit" || !served.contains(rest));
    assert_eq!(before - expected.len(), served.len());
    let commands: BTreeSet<String> = expected
        .iter()
        .map(|[command, ..]| command.clone())
        .collect();
    let mut told = BTreeSet::new();
    for row in table(guide("operate"), "Settings") {
        let [who, flag, variable, default] = row[..] else {
            panic!("{row:?}")
        };
        let named: BTreeSet<String> = quoted(who).map(str::to_owned).collect();
        let who = if who.starts_with("all") {
            &commands - &(&named | &BTreeSet::from(["systemd-unit".to_owned()]))
        } else {
            named
        };
        let mut quotes = quoted(flag);
        let flag = quotes.next().expect("a flag");
        for command in who {
            let [variable, default] =
                [variable, default].map(|cell| quoted(cell).collect::<String>());
            let known = told.insert([command, flag.to_owned(), variable, default]);
            assert!(known, "{row:?} twice");
        }
    }
    // What a lake cannot have is refused, but clap shows it: the flags of `export` hold for all that it prints.
    expected.retain(|[command, flag, ..]| !(command == "export lake" && flag == "--output FILE"));
    assert_eq!(told, expected);
}

#[test]
fn the_table_of_commands_names_every_command() {
    let mut command = cli::command();
    command.build();
    let expected = command.get_subcommands().map(clap::Command::get_name);
    let expected: BTreeSet<&str> = expected.filter(|name| *name != "help").collect();
    let rows = table(guide("operate"), "Commands");
    let told = rows
        .iter()
        .filter_map(|row| row[0].trim_matches('`').split(' ').next());
    assert_eq!(told.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_limits_are_the_constants_of_the_program() {
    for (name, words, path, unit) in LIMITS {
        let value = constant(path);
        assert_eq!(value % unit, 0, "{path} is {value}");
        let number = value / unit;
        let grouped = match number {
            1_000_000.. => format!(
                "{},{:03},{:03}",
                number / 1_000_000,
                number / 1000 % 1000,
                number % 1000
            ),
            _ => number.to_string(),
        };
        let words = words.replace("{}", &grouped);
        // Guides write small numbers of some units as words.
        let text = guide(name).split_whitespace().collect::<Vec<_>>().join(" ");
        let text = text.replace("five ", "5 ");
        assert!(
            text.contains(&words),
            "{name}.md: `{words}` is missing ({path} is {value})"
        );
    }
}

#[test]
fn the_table_of_routes_is_that_of_the_server() {
    let home = Home::new();
    let server = Server::start(&home);
    let described = server.get("/openapi.json").json();
    let paths = described["paths"].as_object().expect("paths");
    let mut expected = BTreeSet::new();
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            expected.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let rows = table(guide("http"), "Routes");
    let told = rows.iter().flat_map(|row| quoted(row[0]));
    let told: BTreeSet<String> = told
        .map(|route| route.replace("ID", "{id}").replace("DATE", "{date}"))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn the_readme_is_short_and_lists_the_guides() {
    let readme = fs::read_to_string(project().join("README.md")).expect("README.md");
    assert!(readme.lines().count() <= 120);
    let rows = table(&readme, "Guides");
    let told: Vec<[String; 2]> = rows
        .iter()
        .map(|row| [row[0], row[1]].map(str::to_owned))
        .collect();
    let link = |name: &str| format!("[{name}](src/docs/{name}.md)");
    let expected = GUIDES
        .iter()
        .map(|guide| [link(guide.name), guide.about.to_owned()]);
    assert_eq!(told, expected.collect::<Vec<_>>());
}

#[test]
fn links_lead_to_files() {
    let mut wrong = Vec::new();
    let readme = fs::read_to_string(project().join("README.md")).expect("README.md");
    let texts = GUIDES
        .iter()
        .map(|guide| ("src/docs", guide.text))
        .chain([("", readme.as_str())]);
    for (folder, text) in texts {
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if !link.starts_with("http") && !project().join(folder).join(link).exists() {
                wrong.push(link.to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_guide_is_printed_and_an_unknown_one_is_answered_with_the_nearest() {
    let home = Home::new();
    let list = home.run(&["docs"]).exits(0);
    assert_eq!(list.text().lines().count(), GUIDES.len());
    for guide in &GUIDES {
        assert!(list.text().contains(guide.about), "{list}");
        assert_eq!(home.print(&["docs", guide.name]), guide.text.as_bytes());
    }
    home.run(&["docs", "imprt"])
        .exits(2)
        .says(&["imprt", "import"]);
    home.run(&["docs", "--database", "x.db"])
        .exits(2)
        .says(&["has no database"]);
}

#[test]
fn guides_are_pages() {
    let home = Home::new();
    let server = Server::start(&home);
    let list = server.get("/docs");
    assert_eq!(list.status, 200);
    for guide in &GUIDES {
        assert!(list.text().contains(guide.about));
        let page = server.get(&format!("/docs/{}", guide.name));
        assert_eq!(page.status, 200, "{}", guide.name);
        assert!(
            page.text().contains("<h1>") && !page.text().contains("<!--"),
            "{}",
            page.text()
        );
        for link in page
            .text()
            .split(" href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            if !link.starts_with("http") && !link.starts_with('#') {
                let target = if link.starts_with('/') {
                    link.to_owned()
                } else {
                    format!("/docs/{link}")
                };
                assert_eq!(server.get(&target).status, 200, "{link} in {}", guide.name);
            }
        }
    }
    assert!(
        server
            .get("/docs/operate")
            .text()
            .contains("<td><code>check</code></td>")
    );
    let missing = server.get("/docs/nothing");
    assert_eq!(missing.status, 404);
    assert!(
        missing.text().contains("import, prototype, reports"),
        "{}",
        missing.text()
    );
}

/// Takes the picture in the README: `cargo test --test it picture -- --ignored`.
#[test]
#[ignore = "writes src/docs/fleet.png"]
fn picture_of_the_fleet_page() {
    let Some(browser) = Browser::start("the picture") else {
        return;
    };
    let home = Home::new();
    let server = Server::start_with(&home, &["demo", "--as-recorded"]);
    browser.prefer("light");
    browser.resize(1160, 760);
    browser.open(&format!("http://{}/", server.address));
    let picture = browser.screenshot_of_top(1160, 760);
    assert!(picture.len() < 150_000, "{} bytes", picture.len());
    fs::write(project().join("src/docs/fleet.png"), picture).expect("a picture");
}
