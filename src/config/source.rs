//! The text of a configuration, and the places in it that errors name.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Error;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

/// A value of TOML.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// None beyond 64 bits.
    Integer(Option<i64>),
    Float(String),
    Switch(bool),
    Time(String),
    List(Vec<Node>),
    Table(Entries),
}

/// The keys of a table, where each stands, and their values.
pub(super) type Entries = Vec<(String, usize, Node)>;

/// The text of a configuration file, or of one table that somebody typed.
#[derive(Debug)]
pub(super) struct Source {
    /// The file, as errors name it; empty where there is none.
    file: String,
    text: String,
}

impl Source {
    /// A text of this file.
    pub(super) fn new(file: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            file: file.into(),
            text: text.into(),
        })
    }

    /// Its table, and what is no TOML. After an error the table has what could be read.
    pub(super) fn parse(&self) -> (Entries, Vec<Error>) {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let told = |error: &toml::de::Error| {
            let at = error.span().map(|span| span.start);
            let message = error.message().replace('\n', ", ");
            Error::invalid(format!("{}this is no TOML: {message}", self.place(at)))
        };
        (entries(table.get_ref()), errors.iter().map(told).collect())
    }

    /// The name of a place before a message: `config.toml line 7, column 3: `; empty where there is no file.
    pub(super) fn place(&self, at: Option<usize>) -> String {
        match at {
            _ if self.file.is_empty() => String::new(),
            None => format!("{}: ", self.file),
            Some(at) => {
                let (line, column) = self.line_and_column(at);
                format!("{} line {line}, column {column}: ", self.file)
            }
        }
    }

    /// The line and the column of a byte, both from 1; a column is a character.
    pub(super) fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// The text of a span.
    pub(super) fn slice(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    /// The file, as errors name it.
    pub(super) fn file(&self) -> &str {
        &self.file
    }
}

fn entries(table: &DeTable<'_>) -> Entries {
    let entries = table.iter();
    let entry = entries.map(|(key, value)| (key.get_ref().to_string(), key.span().start, node(value)));
    entry.collect()
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let read = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(is_on) => Value::Switch(*is_on),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(values) => Value::List(values.iter().map(node).collect()),
        DeValue::Table(table) => Value::Table(entries(table)),
    };
    Node {
        span: value.span(),
        value: read,
    }
}
