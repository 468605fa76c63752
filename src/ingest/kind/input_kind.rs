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

/// A kind of input, described.
#[derive(Debug)]
pub struct Description {
    /// Its rows, as messages call them: `business hours`.
    pub name: &'static str,
    /// Its name in paths and commands: `business-hours`.
    pub slug: &'static str,
    /// Its name as a heading: `Business hours`.
    pub title: &'static str,
    /// Its meaning, in a sentence for owners.
    pub about: &'static str,
    /// The output of its export, as a command's help names it.
    pub export_about: &'static str,
    /// The name of a sample file.
    pub sample_file: &'static str,
    /// The sample: a header and a few rows.
    pub sample: &'static str,
    /// Its columns; a column's index is its slot among the fields of a row.
    pub columns: &'static [Column],
    /// The columns of an export, in order.
    pub exported: &'static [&'static str],
}

/// A column of a kind of input.
#[derive(Debug)]
pub struct Column {
    /// Its accepted names; messages use the first.
    pub names: &'static [&'static str],
    /// How much of it is required.
    pub need: Need,
    /// The code for a JSON value that is neither a string nor a number.
    pub code: Code,
}

/// How much of a column an input must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The column, and a value in every row.
    Value,
    /// The column; its field may be empty or `null`.
    Column,
    /// Nothing: without the column, every row's field is empty.
    Nothing,
}

impl Column {
    /// The column of store ids, which every kind has in its first slot.
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

/// The rows of one kind in a call.
pub(in crate::ingest) trait InputKind: Default {
    /// The description of the kind.
    const DESCRIPTION: Description;

    /// A row's value.
    type Value<'a>;

    /// Reads a row's value; its store id was read already. Instants after `latest` are refused.
    fn parse<'a>(fields: Fields<'a>, latest: Micros, notes: &mut RowNotes) -> Result<Self::Value<'a>, Fault<'a>>;

    /// Adds the value of the row on `line`, about the call's store number `store`.
    fn take(&mut self, store: u32, line: u64, value: Self::Value<'_>) -> Verdict;

    /// Notes problems that only several rows show, at the end of an input.
    fn note(&self, _notes: &mut Notes) {}

    /// Writes all values; `keys` are those of the call's stores.
    fn write(&self, db: &Connection, keys: &[StoreKey]) -> Result<Changed>;

    /// Calls `each` with the fields of every stored row, in the order of [`Description::exported`]. The order of
    /// the rows depends on the rows alone.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()>;
}

/// A row, compared with the others of its call.
pub(in crate::ingest) enum Verdict {
    /// A new fact.
    New,
    /// The same fact as another row.
    Repeat,
    /// A contradiction of another row: the row is bad.
    Conflict(Box<BadRow>),
}

impl Verdict {
    /// The verdict on the value of a `column` for which another row has `known`.
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
