//! A table of the configuration file while it is read: each key is taken once, and what is left over is an error.

use toml::{Table, Value};

use crate::civil::parse_length;
use crate::error::{Error, Result};
use crate::uptime::interval::Micros;

/// A table, and the keys of it that were asked for.
#[derive(Debug)]
pub struct Section {
    /// How messages name it: `[[alert]] no. 2`.
    name: String,
    left: Table,
    known: Vec<&'static str>,
}

impl Section {
    /// A table that messages call `name`.
    pub fn new(name: impl Into<String>, table: Table) -> Self {
        Self {
            name: name.into(),
            left: table,
            known: Vec::new(),
        }
    }

    fn take<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>> {
        self.known.push(key);
        let Some(value) = self.left.remove(key) else {
            return Ok(None);
        };
        let told = value.to_string();
        match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong(key, &format!("`{told}` is not {expected}"))),
        }
    }

    /// The error of a key whose value is wrong; `reason` has the remedy in parentheses.
    pub fn wrong(&self, key: &str, reason: &str) -> Error {
        Error::invalid(format!("{}: {key}: {reason}", self.name))
    }

    /// A text.
    ///
    /// # Errors
    /// When the value is not one.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        self.take(key, "a text (write it in quotes)", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is missing or not a text.
    pub fn required(&mut self, key: &'static str) -> Result<String> {
        self.text(key)?
            .ok_or_else(|| Error::invalid(format!("{}: {key} is missing", self.name)))
    }

    /// Texts: an array of them, or one alone; none if the key is not there.
    ///
    /// # Errors
    /// When the value is neither.
    pub fn texts(&mut self, key: &'static str) -> Result<Vec<String>> {
        let read = |value| match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(values) => values
                .into_iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect(),
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
        self.take(key, "a whole number", |value| {
            value.as_integer().and_then(|number| u64::try_from(number).ok())
        })
    }

    /// Yes or no.
    ///
    /// # Errors
    /// When the value is neither `true` nor `false`.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        self.take(key, "true or false", |value| value.as_bool())
    }

    /// The tables of an array such as `[[alert]]`, as sections.
    ///
    /// # Errors
    /// When the value is no array of tables.
    pub fn sections(&mut self, key: &'static str) -> Result<Vec<Self>> {
        let tables = self.take(key, "a list of tables (write [[…]])", |value| match value {
            Value::Array(values) => values
                .into_iter()
                .map(|value| match value {
                    Value::Table(table) => Some(table),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>(),
            _ => None,
        })?;
        let numbered = tables.unwrap_or_default().into_iter().enumerate();
        Ok(numbered
            .map(|(place, table)| Self::new(format!("[[{key}]] no. {}", place + 1), table))
            .collect())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When a key is left over that nothing asked for: the message names the nearest.
    pub fn finish(self) -> Result<()> {
        let Some(key) = self.left.keys().next() else {
            return Ok(());
        };
        let distance = |known: &&&str| strsim::damerau_levenshtein(known, key);
        let nearest = self.known.iter().min_by_key(distance);
        let remedy = nearest.map_or(String::new(), |known| format!(" (did you mean `{known}`?)"));
        Err(Error::invalid(format!("{}: unknown key `{key}`{remedy}", self.name)))
    }
}
