//! The kinds of input: one file for each, and the list of them.
//!
//! A new kind is a file with an `InputKind`, its `mod` line and its line in the list at the end of this
//! file. Headers, JSON, commands, routes, samples and exports follow from the list.

mod business_hours;
mod field;
mod input_kind;
mod polls;
mod stores;
mod timezones;

use rusqlite::Connection;

pub(super) use field::store_id;
pub use field::{Fault, RowNotes, STORE_ID_CHARS_MAX};
pub use input_kind::{Column, Description, Need};
pub(super) use input_kind::{InputKind, Verdict};
pub use polls::EARLIEST_US;

use crate::db::Changed;
use crate::error::Result;
use crate::ingest::fields::{FIELDS_MAX, Fields};
use crate::ingest::problem::Notes;
use crate::uptime::business_hours::WeeklyRow;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::Micros;
use crate::uptime::poll::Poll;

impl Kind {
    /// Its name in messages.
    pub const fn as_str(self) -> &'static str {
        self.description().name
    }

    /// Its columns; a column's index is its slot among the fields of a row.
    pub const fn columns(self) -> &'static [Column] {
        self.description().columns
    }

    /// The kind with this name in paths and commands, such as `business-hours`.
    pub fn of_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.description().slug == slug)
    }

    /// The columns that an input must have.
    pub(super) fn required(self) -> impl Iterator<Item = &'static Column> {
        self.columns().iter().filter(|column| column.need != Need::Nothing)
    }

    /// The slot of the column with this name, and whether the name is spelled exactly so; none when the
    /// kind has no such column.
    pub(super) fn slot(self, name: &str) -> Option<(usize, bool)> {
        let spelled = |is: &dyn Fn(&str) -> bool| {
            let mut columns = self.columns().iter();
            columns.position(|column| column.names.iter().any(|known| is(known)))
        };
        if let Some(slot) = spelled(&|known| known == name) {
            return Some((slot, true));
        }
        let name = name.trim();
        spelled(&|known| known.eq_ignore_ascii_case(name)).map(|slot| (slot, false))
    }

    /// A header of the required columns.
    pub(super) fn header(self) -> String {
        let names: Vec<_> = self.required().map(Column::name).collect();
        names.join(",")
    }
}

/// Generates, from the list of kinds, every item that has one part for each kind.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($value:ty) in $module:ident;)*) => {
        /// The kind of an input.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind; if a header fits two equally well, the first wins.
            pub const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            /// The description of the kind.
            pub const fn description(self) -> &'static Description {
                match self {
                    $(Self::$kind => const { &$module::$kind::DESCRIPTION },)*
                }
            }

            /// Calls `each` with the fields of every stored row, in the order of [`Description::exported`].
            /// The order of the rows depends on the rows alone.
            ///
            /// # Errors
            /// When the database cannot be read, and those of `each`.
            pub fn export(
                self,
                db: &Connection,
                each: &mut dyn FnMut(&[&[u8]]) -> Result<()>,
            ) -> Result<()> {
                match self {
                    $(Self::$kind => $module::$kind::export(db, each),)*
                }
            }
        }

        /// A row's value.
        #[derive(Clone, Copy, Debug)]
        pub enum Value<'a> {
            $($(#[$doc])* $kind($value),)*
        }

        impl<'a> Value<'a> {
            /// Reads a row's fields; instants after `latest` are refused.
            // Always inlined: the call alone would cost a third of the speed.
            #[inline(always)]
            pub(super) fn parse(
                kind: Kind,
                fields: Fields<'a>,
                latest: Micros,
                notes: &mut RowNotes,
            ) -> Result<Self, Fault<'a>> {
                Ok(match kind {
                    $(Kind::$kind => Self::$kind($module::$kind::parse(fields, latest, notes)?),)*
                })
            }
        }

        /// The rows of a call, by kind.
        #[derive(Default)]
        pub(super) struct Collected {
            $(pub(super) $module: $module::$kind,)*
        }

        impl Collected {
            /// Adds the value of the row on `line`, about the call's store number `store`.
            pub(super) fn take(&mut self, store: u32, line: u64, value: Value<'_>) -> Verdict {
                match value {
                    $(Value::$kind(value) => self.$module.take(store, line, value),)*
                }
            }

            /// Notes problems that only several rows of a kind show.
            pub(super) fn note(&self, kind: Kind, notes: &mut Notes) {
                match kind {
                    $(Kind::$kind => self.$module.note(notes),)*
                }
            }

            /// Writes everything but polls; `keys` are those of the call's stores.
            pub(super) fn write(&self, db: &Connection, keys: &[StoreKey]) -> Result<Changed> {
                let mut changed = Changed::default();
                $(changed += self.$module.write(db, keys)?;)*
                Ok(changed)
            }
        }

        $(const _: () = assert!($module::$kind::DESCRIPTION.columns.len() <= FIELDS_MAX);)*
    };
}

kinds! {
    /// The answers of stores.
    Polls(Poll) in polls;
    /// The times at which stores plan to be open.
    BusinessHours(WeeklyRow) in business_hours;
    /// The time zones of stores.
    Timezones(&'a str) in timezones;
    /// The names and owners of stores.
    Stores([&'a str; 2]) in stores;
}
