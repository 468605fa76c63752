//! The contract of a kind of input: its columns, and how its rows are parsed, judged, written, exported.

use std::collections::HashMap;

use rusqlite::Connection;

use super::field::{Fault, RowNotes, conflict};
use crate::db::Changed;
use crate::error::{Error, Result};
use crate::ingest::fields::Fields;
use crate::ingest::problem::{BadRow, Code, Notes};
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;

/// A kind of input in words.
#[derive(Debug)]
pub struct Description {
    /// Its rows, as messages call them: `business hours`.
    pub name: &'static str,
    /// Its name in paths and commands: `business-hours`.
    pub slug: &'static str,
    /// Its name as a heading: `Business hours`.
    pub title: &'static str,
    /// What its rows say, in a sentence for owners.
    pub about: &'static str,
    /// What exporting it prints, as a command's help says it.
    pub export_about: &'static str,
    /// The name of a sample file.
    pub sample_file: &'static str,
    /// The sample: a header and a few rows.
    pub sample: &'static str,
    /// Its columns; a column's place here is its slot among the fields of a row.
    pub columns: &'static [Column],
    /// The columns that an export has, in that order.
    pub exported: &'static [&'static str],
}

/// A column of a kind of input.
#[derive(Debug)]
pub struct Column {
    /// The names that it may have: messages use the first.
    pub names: &'static [&'static str],
    /// What must be there.
    pub need: Need,
    /// What is said of a JSON value that is neither a string nor a number.
    pub code: Code,
}

/// What an input must have of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The column, and a value in every row.
    Value,
    /// The column; a row may have nothing in it, or `null`.
    Column,
    /// Nothing: a row of an input without the column has nothing in it.
    Nothing,
}

impl Column {
    /// The column with the ids of stores, which every kind has in its first slot.
    pub(super) const STORE_ID: Self = Self::of(&["store_id"], Code::StoreIdEmpty);

    /// A column with a value in every row.
    pub(super) const fn of(names: &'static [&'static str], code: Code) -> Self {
        Self {
            names,
            need: Need::Value,
            code,
        }
    }

    /// The name that messages use.
    pub const fn name(&self) -> &'static str {
        self.names[0]
    }
}

/// Everything that the rows of one kind say in a call.
pub(in crate::ingest) trait InputKind: Default {
    /// The kind in words.
    const DESCRIPTION: Description;

    /// What a row says of its store.
    type Value<'a>;

    /// Reads what a row says; its store's id was read already. Instants after `latest` are refused.
    fn parse<'a>(fields: Fields<'a>, latest: Micros, notes: &mut RowNotes) -> Result<Self::Value<'a>, Fault<'a>>;

    /// Takes what the row on `line` says of the call's store number `store`.
    fn take(&mut self, store: u32, line: u64, value: Self::Value<'_>) -> Verdict;

    /// Notes what shows only across rows, at the end of an input.
    fn note(&self, _notes: &mut Notes) {}

    /// Writes everything; `keys` are those of the call's stores.
    fn write(&self, db: &Connection, keys: &[StoreKey]) -> Result<Changed>;

    /// Calls `each` with every stored row, in an order that depends on the rows alone: its fields are those
    /// of [`Description::exported`].
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()>;
}

/// What a row is beside the others of its call.
pub(in crate::ingest) enum Verdict {
    /// It says something new.
    New,
    /// It says what another row has said.
    Repeat,
    /// It contradicts another row, and so is a bad one.
    Conflict(Box<BadRow>),
}

impl Verdict {
    /// The verdict on the value of a `column`, of which another row said `known`.
    pub(super) fn of(line: u64, column: &'static str, value: &str, known: &str) -> Self {
        if value == known {
            Self::Repeat
        } else {
            Self::Conflict(Box::new(conflict(line, column, value, known)))
        }
    }
}

/// The id of the store with this key.
pub(super) fn id_of(ids: &HashMap<StoreKey, String>, store: StoreKey) -> Result<&str> {
    let id = ids.get(&store).map(String::as_str);
    id.ok_or_else(|| Error::failed(format!("store key {store} has no store (run `check`)")))
}
