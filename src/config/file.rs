//! A configuration file: settings, which stand in for flags, and the tables of [`Messaging`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::section::{Section, unknown};
use super::source::{Entries, Node, Source, Value};
use super::{KEYS, Messaging};
use crate::error::{Error, Result};

/// The longest configuration file, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// What the file says of one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A text, a number, an instant or a date, as text.
    Text(String),
    /// `true` or `false`.
    Switch(bool),
    /// Several texts or numbers.
    List(Vec<String>),
}

/// A setting of the file.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key: the long name of the flag, with underscores.
    pub key: String,
    /// What it says.
    pub given: Given,
    /// The line on which it stands.
    pub line: usize,
    at: usize,
}

/// A configuration file that was read.
#[derive(Clone, Debug)]
pub struct File {
    /// The file.
    pub path: PathBuf,
    source: Arc<Source>,
    /// The keys at the top that are no flags, such as `receiver`.
    tables: Entries,
    /// The others, in the order of the file.
    pub settings: Vec<Setting>,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or has a table or a value that can be no setting.
    pub fn read(path: &Path) -> Result<Self> {
        let (file, errors) = Self::read_all(path)?;
        errors.into_iter().next().map_or(Ok(file), Err)
    }

    /// Reads a file as far as possible, and returns everything that is wrong with it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_all(path: &Path) -> Result<(Self, Vec<Error>)> {
        let cannot = || {
            format!(
                "cannot read the configuration file {} (check --config, STORE_MONITOR_CONFIG and your permissions)",
                path.display()
            )
        };
        let facts = fs::metadata(path).map_err(|error| Error::invalid(cannot()).because(error))?;
        if facts.len() > CONFIG_BYTES_MAX {
            let reason = format!("{} is longer than a configuration file may be (1 MiB)", path.display());
            return Err(Error::invalid(reason));
        }
        let text = fs::read_to_string(path).map_err(|error| Error::invalid(cannot()).because(error))?;
        Ok(Self::parse(path, &text))
    }

    fn parse(path: &Path, text: &str) -> (Self, Vec<Error>) {
        // An editor of another system writes a mark at the beginning.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = Source::new(path.display().to_string(), text);
        let (table, mut errors) = source.parse();
        let mut file = Self {
            path: path.to_owned(),
            source,
            tables: Vec::new(),
            settings: Vec::new(),
        };
        for (key, at, node) in table {
            if KEYS.contains(&key.as_str()) {
                file.tables.push((key, at, node));
                continue;
            }
            match given(&node) {
                Ok(given) => {
                    let (line, _) = file.source.line_and_column(at);
                    file.settings.push(Setting { key, given, line, at });
                }
                Err(reason) => errors.push(file.error(at, &key, &reason)),
            }
        }
        file.settings.sort_by_key(|setting| setting.at);
        (file, errors)
    }

    /// The setting with this key.
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// The text of a setting, if it is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.setting(key)?.given {
            Given::Text(text) => Some(text),
            Given::Switch(_) | Given::List(_) => None,
        }
    }

    /// The kinds and the names of all tables, such as `receiver` and `ops`, each with its line. Nothing else of them:
    /// that may be a secret.
    pub fn named_tables(&self) -> Vec<(String, String, usize)> {
        let mut named = Vec::new();
        for (key, at, node) in &self.tables {
            let single = [node.clone()];
            let nodes = match &node.value {
                Value::List(nodes) => nodes.as_slice(),
                _ => &single,
            };
            for node in nodes {
                let name = match &node.value {
                    Value::Table(entries) => entries.iter().find_map(|(key, _, value)| match &value.value {
                        Value::Text(name) if key == "name" => Some(name.as_str()),
                        _ => None,
                    }),
                    Value::Text(text) => Some(text.as_str()),
                    _ => None,
                };
                let at = if nodes.len() > 1 { node.span.start } else { *at };
                let (line, _) = self.source.line_and_column(at);
                named.push((key.clone(), name.unwrap_or_default().to_owned(), line));
            }
        }
        named.sort_by_key(|(.., line)| *line);
        named
    }

    /// The error of a setting whose value is wrong.
    pub fn wrong(&self, setting: &Setting, reason: &str) -> Error {
        self.error(setting.at, &setting.key, reason)
    }

    /// The error of a setting that is none of the `known` flags.
    pub fn unknown<'a>(&self, setting: &Setting, known: impl IntoIterator<Item = &'a str>) -> Error {
        self.wrong(setting, &unknown(known.into_iter().chain(KEYS), &setting.key))
    }

    fn error(&self, at: usize, key: &str, reason: &str) -> Error {
        Error::invalid(format!("{}{key}: {reason}", self.source.place(Some(at))))
    }

    /// The tables of the file that are no settings: `[[receiver]]` and so on.
    pub fn tables(&self) -> Section {
        Section::new("", &self.source, None, self.tables.clone())
    }

    /// Who is told what.
    ///
    /// # Errors
    /// When a table is wrong, or a file of a secret cannot be read.
    pub fn messaging(&self) -> Result<Messaging> {
        Messaging::read(&mut self.tables())
    }
}

/// What a value says of a flag, or why it says nothing.
fn given(node: &Node) -> std::result::Result<Given, String> {
    match &node.value {
        Value::Switch(is_on) => Ok(Given::Switch(*is_on)),
        Value::List(nodes) => {
            let texts: Option<Vec<_>> = nodes.iter().map(text).collect();
            texts
                .map(Given::List)
                .ok_or_else(|| "this is no list of texts (write [\"a\", \"b\"])".to_owned())
        }
        Value::Table(_) => Err(format!(
            "unknown table (tables are {}; settings stand above all tables)",
            KEYS.join(", ")
        )),
        _ => text(node)
            .map(Given::Text)
            .ok_or_else(|| "this number is too large".to_owned()),
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Float(text) | Value::Time(text) => Some(text.clone()),
        Value::Integer(number) => number.map(|number| number.to_string()),
        Value::Switch(_) | Value::List(_) | Value::Table(_) => None,
    }
}
