//! The contract of a kind of input: its columns, and how its rows are parsed, judged, written, exported.

use std::collections::HashMap;

use rusqlite::Connection;

use super::field::{Fault, RowNotes, conflict};
use crate::db::Changed;
use crate::db::schedules::HoursMode;
use crate::error::{Error, Result};
use crate::ingest::fields::Fields;
use crate::ingest::options::ReadOptions;
use crate::ingest::problem::{BadFile, BadRow, Code, Notes};
use crate::uptime::fleet::StoreKey;

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
    /// The columns of an export, in order. One that no row uses may be left out.
    pub exported: &'static [&'static str],
    /// Columns whose meaning would be lost: an input that has one is refused.
    pub refused: &'static [&'static str],
    /// Whether a bad row refuses all rows of its store in the call.
    pub is_whole: bool,
}

/// A column of a kind of input.
#[derive(Debug)]
pub struct Column {
    /// Its accepted names; messages use the first.
    pub names: &'static [&'static str],
    /// Usual other names, accepted with a note; letter case, spaces and `_` are ignored.
    pub synonyms: &'static [&'static str],
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

impl Need {
    /// Whether an input without the column is refused.
    pub const fn is_required(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

impl Column {
    /// The column of store ids, which every kind has in its first slot.
    pub(super) const STORE_ID: Self = Self {
        synonyms: &[
            "store",
            "storeno",
            "storenumber",
            "shopid",
            "restaurantid",
            "locationid",
        ],
        ..Self::of(&["store_id"], Code::StoreIdEmpty)
    };

    /// A column with a value in every row.
    pub(super) const fn of(names: &'static [&'static str], code: Code) -> Self {
        Self {
            names,
            synonyms: &[],
            need: Need::Value,
            code,
        }
    }

    /// The name that messages use.
    pub const fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Whether its values are yes or no.
    pub(in crate::ingest) fn is_flag(&self) -> bool {
        self.code == Code::Time && self.need == Need::Nothing
    }

    /// The accepted name that is spelled so, and how; none for another column's name.
    pub(in crate::ingest) fn spelled(&self, written: &str) -> Option<(&'static str, Spelling)> {
        let find = |is: &dyn Fn(&str) -> bool| self.names.iter().find(|name| is(name)).copied();
        if let Some(name) = find(&|name| name == written) {
            return Some((name, Spelling::Exact));
        }
        let trimmed = written.trim();
        if let Some(name) = find(&|name| name.eq_ignore_ascii_case(trimmed)) {
            return Some((name, Spelling::Case));
        }
        let plain = plain(trimmed);
        if let Some(name) = find(&|name| self::plain(name) == plain) {
            return Some((name, Spelling::Synonym));
        }
        let is_synonym = self.synonyms.contains(&&*plain);
        is_synonym.then_some((self.name(), Spelling::Synonym))
    }
}

/// How a column's name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ingest) enum Spelling {
    /// As the docs have it.
    Exact,
    /// In other letter case, or with spaces around it.
    Case,
    /// In other words, or with other separators.
    Synonym,
}

/// A name without letter case and separators.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, ' ' | '_' | '-' | '.'));
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A call's stores in the database, and the caller's choice.
pub(in crate::ingest) struct Target<'a> {
    /// The connection, inside the call's transaction.
    pub(in crate::ingest) db: &'a Connection,
    /// The ids of the call's stores, by their numbers.
    pub(in crate::ingest) ids: &'a [Box<str>],
    /// Their keys.
    pub(in crate::ingest) keys: &'a [StoreKey],
    /// What new hours of a store replace.
    pub(in crate::ingest) hours: HoursMode,
}

/// The rows of one kind in a call.
pub(in crate::ingest) trait InputKind: Default {
    /// The description of the kind.
    const DESCRIPTION: Description;

    /// A row's value.
    type Value<'a>;

    /// Reads a row's value; its store id was read already.
    fn parse<'a>(fields: Fields<'a>, options: &ReadOptions, notes: &mut RowNotes)
    -> Result<Self::Value<'a>, Fault<'a>>;

    /// Begins the call's input number `source`.
    fn begin(&mut self, _source: u32) {}

    /// Adds the value of the row on `line`, about the call's store number `store`.
    fn take(&mut self, store: u32, line: u64, value: Self::Value<'_>) -> Verdict;

    /// Learns of a bad row of the input; `store` is the number of its store, if its id can be told.
    fn refuse(&mut self, _store: Option<u32>, _bad: &BadRow) {}

    /// Takes out all rows of stores with a bad row, if the kind is taken whole.
    fn take_refused(&mut self) -> Siblings {
        Siblings::default()
    }

    /// Ends an input: notes problems that only several rows show.
    ///
    /// # Errors
    /// When the rows together show that the input cannot be understood.
    fn end(&mut self, _options: &ReadOptions, _notes: &mut Notes) -> Result<(), BadFile> {
        Ok(())
    }

    /// Writes all values, with notes on what only the stored ones show.
    fn write(&self, target: &Target<'_>, notes: &mut Notes) -> Result<Changed>;

    /// The columns of [`Description::exported`] that no stored row uses: an export leaves them out.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn unused(_db: &Connection) -> Result<Vec<&'static str>> {
        Ok(Vec::new())
    }

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
    /// A part of the facts of another row, which lacks it.
    More,
    /// A contradiction of another row: the row is bad.
    Conflict(Box<BadRow>),
}

impl Verdict {
    /// The verdict on the value of a `column` for which another row has `known`.
    pub(super) fn of(line: u64, column: &'static str, value: &str, known: &str) -> Self {
        if value == known {
            Self::Repeat
        } else {
            Self::conflict(line, column, value, known)
        }
    }

    /// The verdict on the value of a `column` for which another row has another one, `known`.
    pub(super) fn conflict(line: u64, column: &'static str, value: &str, known: &str) -> Self {
        Self::Conflict(Box::new(conflict(line, column, value, known)))
    }
}

/// A good row that is refused because of another row of its store.
pub(in crate::ingest) struct Sibling {
    /// The number of its input in the call.
    pub(in crate::ingest) source: u32,
    /// The row; its `raw` is empty.
    pub(in crate::ingest) bad: BadRow,
    /// Its store.
    pub(in crate::ingest) store: u32,
    /// The texts of its columns after the store's id, by slot.
    pub(in crate::ingest) texts: Vec<String>,
}

/// The rows that are refused because of others.
#[derive(Default)]
pub(in crate::ingest) struct Siblings {
    /// The rows, by input and line.
    pub(in crate::ingest) rows: Vec<Sibling>,
    /// How many of them repeat another one.
    pub(in crate::ingest) repeats: u64,
}

/// The id of the store with this key.
pub(super) fn id_of(ids: &HashMap<StoreKey, String>, store: StoreKey) -> Result<&str> {
    let id = ids.get(&store).map(String::as_str);
    id.ok_or_else(|| Error::failed(format!("store key {store} has no store (run `check`)")))
}
