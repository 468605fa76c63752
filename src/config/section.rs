//! A table of the configuration file while it is read: each key is taken once, and what is left over is an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::source::{Entries, Node, Source, Value};
use crate::civil::parse_length;
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;

/// How many characters of a value errors repeat.
const TOLD_CHARS: usize = 60;

/// A table, and the keys of it that were asked for.
#[derive(Debug)]
pub struct Section {
    /// How messages name it: `[[alert]] no. 2`; empty for the top of the file.
    name: String,
    source: Arc<Source>,
    /// Where it begins; none for the top of the file.
    begins: Option<usize>,
    left: BTreeMap<String, Node>,
    /// Where each of its keys stands.
    places: BTreeMap<String, usize>,
    known: Vec<String>,
}

impl Section {
    /// The table of a text that is in no file; messages call it `name`.
    ///
    /// # Errors
    /// When the text is no TOML.
    pub fn parse(name: impl Into<String>, text: &str) -> Result<Self> {
        let source = Source::new("", text);
        let (table, errors) = source.parse();
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(Self::new(name, &source, None, table)),
        }
    }

    /// A table of `source` that messages call `name`.
    pub(super) fn new(name: impl Into<String>, source: &Arc<Source>, begins: Option<usize>, table: Entries) -> Self {
        let mut section = Self {
            name: name.into(),
            source: Arc::clone(source),
            begins,
            left: BTreeMap::new(),
            places: BTreeMap::new(),
            known: Vec::new(),
        };
        for (key, at, value) in table {
            section.places.insert(key.clone(), at);
            section.left.insert(key, value);
        }
        section
    }

    fn take<T>(&mut self, key: &str, expected: &str, read: impl FnOnce(Value) -> Option<T>) -> Result<Option<T>> {
        self.known.push(key.to_owned());
        let Some(value) = self.left.remove(key) else {
            return Ok(None);
        };
        // A list or a table may have a secret in it.
        let told = match value.value {
            Value::List(_) => "this list".to_owned(),
            Value::Table(_) => "this table".to_owned(),
            _ => {
                let text = self.source.slice(value.span);
                let short: String = text.chars().take(TOLD_CHARS).collect();
                format!("`{short}{}`", if short.len() < text.len() { "…" } else { "" })
            }
        };
        match read(value.value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong(key, &format!("{told} is not {expected}"))),
        }
    }

    /// The error of a key whose value is wrong; `reason` has the remedy in parentheses.
    pub fn wrong(&self, key: &str, reason: &str) -> Error {
        Error::invalid(format!("{}: {reason}", self.place(key)))
    }

    /// How errors name a key of it: `config.toml line 7, column 1: [[alert]] no. 2: after`.
    pub fn place(&self, key: &str) -> String {
        let at = self.places.get(key).copied().or(self.begins);
        let name = match self.name.as_str() {
            "" => String::new(),
            name => format!("{name}: "),
        };
        format!("{}{name}{key}", self.source.place(at))
    }

    /// The line of the file on which it begins, or its key `key`.
    pub fn line(&self, key: &str) -> Option<usize> {
        let at = self.places.get(key).copied().or(self.begins);
        at.filter(|_| !self.source.file().is_empty())
            .map(|at| self.source.line_and_column(at).0)
    }

    /// A text.
    ///
    /// # Errors
    /// When the value is not one.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        self.take(key, "a text (write it in quotes)", |value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is missing or not a text.
    pub fn required(&mut self, key: &'static str) -> Result<String> {
        self.text(key)?
            .ok_or_else(|| self.wrong(key, "is missing (write it in quotes)"))
    }

    /// Texts: an array of them, or one alone; none if the key is not there.
    ///
    /// # Errors
    /// When the value is neither.
    pub fn texts(&mut self, key: &'static str) -> Result<Vec<String>> {
        let text = |node: Node| match node.value {
            Value::Text(text) => Some(text),
            _ => None,
        };
        let read = |value| match value {
            Value::Text(text) => Some(vec![text]),
            Value::List(values) => values.into_iter().map(text).collect(),
            _ => None,
        };
        Ok(self.take(key, "a list of texts", read)?.unwrap_or_default())
    }

    /// A length of time such as `"30m"`.
    ///
    /// # Errors
    /// When the value is not one.
    pub fn length(&mut self, key: &'static str) -> Result<Option<Micros>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        parse_length(&text)
            .map(Some)
            .map_err(|error| self.wrong(key, error.message()))
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// When the value is not one.
    pub fn number(&mut self, key: &'static str) -> Result<Option<u64>> {
        self.take(key, "a whole number", |value| match value {
            Value::Integer(number) => number.and_then(|number| u64::try_from(number).ok()),
            _ => None,
        })
    }

    /// Yes or no.
    ///
    /// # Errors
    /// When the value is neither `true` nor `false`.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        self.take(key, "true or false", |value| match value {
            Value::Switch(is_on) => Some(is_on),
            _ => None,
        })
    }

    /// The table of a key such as `[smtp]`, as a section.
    ///
    /// # Errors
    /// When the value is no table.
    pub fn section(&mut self, key: &'static str) -> Result<Option<Self>> {
        let table = self.take(key, "a table (write [SECTION])", |value| match value {
            Value::Table(table) => Some(table),
            _ => None,
        })?;
        let at = self.places.get(key).copied();
        Ok(table.map(|table| Self::new(format!("[{key}]"), &self.source, at, table)))
    }

    /// The tables of an array such as `[[alert]]`, as sections.
    ///
    /// # Errors
    /// When the value is no array of tables.
    pub fn sections(&mut self, key: &'static str) -> Result<Vec<Self>> {
        let tables = self.take(key, "a list of tables (write [[…]])", |value| match value {
            Value::List(values) => values
                .into_iter()
                .map(|node| match node.value {
                    Value::Table(table) => Some((node.span.start, table)),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>(),
            _ => None,
        })?;
        let numbered = tables.unwrap_or_default().into_iter().enumerate();
        let named = numbered.map(|(place, (at, table))| {
            let name = format!("[[{key}]] no. {}", place + 1);
            Self::new(name, &self.source, Some(at), table)
        });
        Ok(named.collect())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When a key is left over that nothing asked for: the message names the nearest.
    pub fn finish(self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(self.wrong(key, &unknown(self.known.iter().map(String::as_str), key))),
        }
    }
}

/// What is wrong with a key that is none of `known`.
pub(super) fn unknown<'a>(known: impl IntoIterator<Item = &'a str>, key: &str) -> String {
    let nearest = known
        .into_iter()
        .min_by_key(|known| strsim::damerau_levenshtein(known, key));
    match nearest {
        Some(known) => format!("unknown key (did you mean `{known}`?)"),
        None => "unknown key (remove it)".to_owned(),
    }
}
