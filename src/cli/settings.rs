//! Settings: the value of each flag, and where it comes from. The command line is above the environment, the
//! environment above the configuration file, and the file above the program's own default.
//!
//! clap does the work: what the file says becomes the default of a flag, wherever a command has it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::file::{File, Given, Setting};
use crate::error::Error;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The command line.
    Flag,
    /// This variable of the environment.
    Variable(String),
    /// This line of the configuration file.
    Line(usize),
    /// The program.
    Default,
}

/// The value of a flag that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InForce {
    /// Its key in a configuration file.
    pub(super) key: String,
    /// Its values; none where it is not set.
    pub(super) values: Vec<String>,
    /// Whether it is on or off.
    pub(super) is_switch: bool,
    /// Whether it takes several values.
    pub(super) is_list: bool,
    /// Where they come from.
    pub(super) from: Origin,
}

/// A command line that was parsed.
pub(super) struct Parsed {
    /// The program, with the file's values as defaults.
    pub(super) command: Command,
    /// What was found.
    pub(super) matches: ArgMatches,
}

/// The configuration file that the arguments or the environment name. clap cannot tell: it needs what the file says.
pub(super) fn file_named(arguments: &[OsString]) -> Option<PathBuf> {
    named(arguments, "--config", "STORE_MONITOR_CONFIG").map(PathBuf::from)
}

/// The value of a flag or of its variable, before clap parses the arguments.
pub(super) fn named(arguments: &[OsString], flag: &str, variable: &str) -> Option<OsString> {
    let mut named = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--") => break,
            Some(text) if text == flag => named = rest.next().cloned(),
            Some(text) => {
                let value = text.strip_prefix(flag).and_then(|rest| rest.strip_prefix('='));
                named = value.map(OsString::from).or(named);
            }
            None => {}
        }
    }
    named.or_else(|| std::env::var_os(variable).filter(|value| !value.is_empty()))
}

/// The key of a flag in a configuration file; none of a flag that cannot stand there.
pub(super) fn key_of(argument: &Arg) -> Option<String> {
    let long = argument.get_long()?;
    let is_setting = !argument.is_hide_set() && !matches!(long, "config" | "help" | "version");
    is_setting.then(|| long.replace('-', "_"))
}

/// All flags of a command and of those below it that a file can set.
pub(super) fn flags(command: &Command) -> Vec<&Arg> {
    let own = command.get_arguments().filter(|argument| key_of(argument).is_some());
    let below = command.get_subcommands().flat_map(flags);
    own.chain(below).collect()
}

/// What is wrong with the settings of a file.
pub(super) fn faults(command: &Command, file: &File) -> Vec<Error> {
    let flags = flags(command);
    let keys: BTreeSet<String> = flags.iter().copied().filter_map(key_of).collect();
    let fault = |setting: &Setting| {
        let own = flags.iter().filter(|flag| key_of(flag).as_ref() == Some(&setting.key));
        let tried: Vec<_> = own.map(|flag| values(flag, &setting.given)).collect();
        match tried.iter().find_map(|tried| tried.as_ref().err()) {
            _ if tried.is_empty() => Some(file.unknown(setting, keys.iter().map(String::as_str))),
            Some(reason) if tried.iter().all(Result::is_err) => Some(file.wrong(setting, reason)),
            _ => None,
        }
    };
    file.settings.iter().filter_map(fault).collect()
}

/// The values that a file gives to a flag, or why the flag does not take them.
fn values(flag: &Arg, given: &Given) -> Result<Vec<String>, String> {
    let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
    let takes_several = matches!(flag.get_action(), ArgAction::Append) || flag.get_value_delimiter().is_some();
    let values = match given {
        Given::Switch(is_on) if is_switch => vec![is_on.to_string()],
        _ if is_switch => return Err("this is a switch (write true or false)".to_owned()),
        Given::Switch(is_on) => {
            return Err(format!(
                "{is_on} is no value of it (write a text in quotes, or a number)"
            ));
        }
        Given::Text(text) => vec![text.clone()],
        Given::List(texts) if takes_several => texts.clone(),
        Given::List(_) => return Err("it takes one value (leave the brackets away)".to_owned()),
    };
    let probe = flag
        .clone()
        .global(false)
        .required(false)
        .env(Resettable::Reset)
        .conflicts_with(Resettable::Reset)
        .requires(Resettable::Reset)
        .default_values(values.clone());
    let probe = Command::new("probe").no_binary_name(true).arg(probe);
    match probe.try_get_matches_from(std::iter::empty::<&OsStr>()) {
        Ok(_) => Ok(values),
        Err(error) => Err(reason(&error, &values.join(","))),
    }
}

/// Why clap refuses a value.
fn reason(error: &clap::Error, value: &str) -> String {
    if let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidValue) {
        return format!("`{value}` is none of {}", names.join(", "));
    }
    match std::error::Error::source(error) {
        Some(source) => match source.to_string() {
            told if told.contains(value) => told,
            told => format!("`{value}`: {told}"),
        },
        None => format!("`{value}` is no value of it"),
    }
}

/// What clap says of a wrong command line, in a sentence.
pub(super) fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let parts = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = parts.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// Parses a command line, with what the file says as defaults. A value of the file yields to a flag or a variable that
/// excludes it.
pub(super) fn parse(
    plain: fn() -> Command,
    arguments: &[OsString],
    file: Option<&File>,
) -> Result<Parsed, clap::Error> {
    let mut left_out = BTreeSet::new();
    loop {
        let mut command = match file {
            Some(file) => with_defaults(plain(), file, &left_out),
            None => plain(),
        };
        let matches = command.try_get_matches_from_mut(arguments)?;
        let parsed = Parsed { command, matches };
        let excluded: BTreeSet<String> = file.map(|file| parsed.excluded(file)).unwrap_or_default();
        let left_before = left_out.len();
        left_out.extend(excluded);
        if left_out.len() == left_before {
            return Ok(parsed);
        }
    }
}

/// The command and all below it with what the file says as defaults, where they take it.
fn with_defaults(command: Command, file: &File, left_out: &BTreeSet<String>) -> Command {
    let defaults: Vec<_> = command
        .get_arguments()
        .filter_map(|flag| {
            let key = key_of(flag).filter(|key| !left_out.contains(key))?;
            let values = values(flag, &file.setting(&key)?.given).ok()?;
            Some((flag.get_id().clone(), values))
        })
        .collect();
    let command = defaults.into_iter().fold(command, |command, (id, values)| {
        command.mut_arg(id, |flag| flag.required(false).default_values(values))
    });
    let below: Vec<_> = command
        .get_subcommands()
        .map(|below| below.get_name().to_owned())
        .collect();
    below.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |below| with_defaults(below, file, left_out))
    })
}

impl Parsed {
    /// The command that was named, with its part of what was found.
    fn leaf(&self) -> (&Command, &ArgMatches) {
        let (mut command, mut matches) = (&self.command, &self.matches);
        while let Some((name, below)) = matches.subcommand()
            && let Some(named) = command.find_subcommand(name)
        {
            (command, matches) = (named, below);
        }
        (command, matches)
    }

    /// The keys of the file that a flag or a variable excludes.
    fn excluded(&self, file: &File) -> BTreeSet<String> {
        let (command, matches) = self.leaf();
        let is_explicit = |flag: &Arg| {
            let source = matches.value_source(flag.get_id().as_str());
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        let flags = command.get_arguments().filter(|flag| !is_explicit(flag));
        let excluded = flags.filter(|flag| command.get_arg_conflicts_with(flag).into_iter().any(is_explicit));
        let keys = excluded.filter_map(key_of);
        keys.filter(|key| file.setting(key).is_some()).collect()
    }

    /// The values of all flags of the command that was named, in the order of its help.
    pub(super) fn in_force(&self, file: Option<&File>) -> Vec<InForce> {
        let (command, matches) = self.leaf();
        let of = |flag: &Arg| {
            let key = key_of(flag)?;
            let id = flag.get_id().as_str();
            let raw = matches.try_get_raw(id).ok()?;
            let text = |value: &OsStr| value.to_string_lossy().into_owned();
            let mut values: Vec<String> = raw.into_iter().flatten().map(text).collect();
            let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
            if is_switch {
                values = vec![matches.get_flag(id).to_string()];
            }
            let from = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => Origin::Flag,
                Some(ValueSource::EnvVariable) => Origin::Variable(variable_of(flag)),
                _ => origin_of_default(flag, file.and_then(|file| file.setting(&key))),
            };
            let is_list = matches!(flag.get_action(), ArgAction::Append) || flag.get_value_delimiter().is_some();
            Some(InForce {
                key,
                values,
                is_switch,
                is_list,
                from,
            })
        };
        command.get_arguments().filter_map(of).collect()
    }
}

fn variable_of(flag: &Arg) -> String {
    flag.get_env().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a default is the program's own or the file's, which took its place.
fn origin_of_default(flag: &Arg, setting: Option<&Setting>) -> Origin {
    let defaults = flag.get_default_values().iter().map(|value| value.to_string_lossy());
    match setting {
        Some(setting)
            if values(flag, &setting.given).is_ok_and(|values| defaults.eq(values.iter().map(String::as_str))) =>
        {
            Origin::Line(setting.line)
        }
        _ => Origin::Default,
    }
}

/// The settings that differ: key, value before and value now.
pub(super) fn changes(before: &[InForce], now: &[InForce]) -> Vec<(String, String, String)> {
    let known: BTreeMap<&str, &InForce> = before.iter().map(|value| (value.key.as_str(), value)).collect();
    let changed = now.iter().filter_map(|now| {
        let before = known.get(now.key.as_str())?;
        (before.values != now.values).then(|| (now.key.clone(), before.told(), now.told()))
    });
    changed.collect()
}

impl InForce {
    /// Its values for a reader.
    pub(super) fn told(&self) -> String {
        match self.values.is_empty() {
            true => "not set".to_owned(),
            false => self.values.join(", "),
        }
    }
}
