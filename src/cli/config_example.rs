//! The example of a configuration file: every flag that a file can set, with its help, and the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::settings::key_of;

/// How wide its lines are, in characters.
const WIDTH: usize = 100;

/// What stands in the example for flags without a default.
const SAMPLES: [(&str, &str); 12] = [
    ("host", "[\"shop.example\"]"),
    ("trust_proxy", "[\"127.0.0.1\"]"),
    ("locale", "\"en-US\""),
    ("currency", "\"$\""),
    ("target", "99.5"),
    ("keep_days", "400"),
    ("backup_dir", "\"/var/backups/store-monitor\""),
    ("max_connections_per_address", "128"),
    ("metrics_listen", "\"127.0.0.1:9100\""),
    ("as_of", "2026-11-01T00:00:00Z"),
    ("valid_from", "2026-11-01"),
    ("prune_before", "2026-01-01T00:00:00Z"),
];

/// The tables, as comments.
const TABLES: &str = include_str!("config_tables.toml");

/// A configuration file in which everything is a comment.
pub(super) fn text(command: &Command) -> String {
    let mut text =
        "# The configuration of store-monitor. Every line is a comment: remove the # of those that you change.\n\
                    # A flag wins over a variable of the environment, and a variable over this file.\n\
                    # `store-monitor config check FILE` says what is wrong with it.\n"
            .to_owned();
    let mut seen = BTreeSet::new();
    let serve = command.find_subcommand("serve");
    let own = command.get_arguments();
    let first: Vec<&Arg> = own.chain(serve.into_iter().flat_map(Command::get_arguments)).collect();
    section(&mut text, "The server", &first, &mut seen);
    let mut others: BTreeMap<String, Vec<&Arg>> = BTreeMap::new();
    let mut below: Vec<(String, &Command)> = named(command, "");
    below.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, command) in below {
        others.entry(name).or_default().extend(command.get_arguments());
    }
    for (name, flags) in others {
        section(&mut text, &format!("`{name}`"), &flags, &mut seen);
    }
    text + TABLES
}

/// The commands below one, with their whole names.
fn named<'a>(command: &'a Command, before: &str) -> Vec<(String, &'a Command)> {
    let own = |below: &'a Command| {
        let name = format!("{before} {}", below.get_name()).trim().to_owned();
        let further = named(below, &name);
        std::iter::once((name, below)).chain(further)
    };
    command.get_subcommands().flat_map(own).collect()
}

fn section(text: &mut String, title: &str, flags: &[&Arg], seen: &mut BTreeSet<String>) {
    let new: Vec<_> = flags
        .iter()
        .filter_map(|flag| Some((key_of(flag)?, flag)))
        .filter(|(key, _)| seen.insert(key.clone()))
        .collect();
    if new.is_empty() {
        return;
    }
    let _ = write!(text, "\n# --- {title} ---\n");
    for (key, flag) in new {
        text.push('\n');
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        for line in wrapped(&help) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "# {key} = {}", sample(&key, flag));
    }
}

/// A text in lines of at most [`WIDTH`] characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let room = lines.last().map_or(0, |line| line.chars().count());
        if room > 0 && room + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let space = if line.is_empty() { "" } else { " " };
            let _ = write!(line, "{space}{word}");
        }
    }
    lines
}

fn sample(key: &str, flag: &Arg) -> String {
    if matches!(flag.get_action(), ArgAction::SetTrue) {
        return "false".to_owned();
    }
    if let [default, ..] = flag.get_default_values() {
        return literal(&default.to_string_lossy());
    }
    if let Some((_, sample)) = SAMPLES.iter().find(|(known, _)| *known == key) {
        return (*sample).to_owned();
    }
    let name = flag.get_value_names().and_then(|names| names.first());
    literal(name.map_or("VALUE", |name| name.as_str()))
}

/// A value as TOML has it: a number as such, all else in quotes. Read again, it is the same text.
pub(super) fn literal(value: &str) -> String {
    match value.parse::<i64>() {
        Ok(number) if number.to_string() == value => value.to_owned(),
        _ => toml::Value::String(value.to_owned()).to_string(),
    }
}
