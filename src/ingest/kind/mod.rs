//! The kinds of input: one file for each, and the list of them.
//!
//! A new kind is a file with an [`InputKind`], its `mod` line and its line in the list at the end of this
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

    /// Its columns; a column's place here is its slot among the fields of a row.
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

    /// A header with the required columns.
    pub(super) fn header(self) -> String {
        let names: Vec<_> = self.required().map(Column::name).collect();
        names.join(",")
    }
}

/// Makes, of the list of kinds, everything that has one part for each.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($value:ty) in $module:ident;)*) => {
        /// What an input is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind; of two that a header fits equally well, the first is meant.
            pub const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            /// The kind in words.
            pub const fn description(self) -> &'static Description {
                match self {
                    $(Self::$kind => const { &$module::$kind::DESCRIPTION },)*
                }
            }

            /// Calls `each` with every stored row, in an order that depends on the rows alone: its fields
            /// are those of [`Description::exported`].
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

        /// What a row says of its store.
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

        /// Everything that the rows of a call say.
        #[derive(Default)]
        pub(super) struct Collected {
            $(pub(super) $module: $module::$kind,)*
        }

        impl Collected {
            /// Takes what the row on `line` says of the call's store number `store`.
            pub(super) fn take(&mut self, store: u32, line: u64, value: Value<'_>) -> Verdict {
                match value {
                    $(Value::$kind(value) => self.$module.take(store, line, value),)*
                }
            }

            /// Notes what shows only across the rows of a kind.
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
    /// Who answered what, when.
    Polls(Poll) in polls;
    /// When stores mean to be open.
    BusinessHours(WeeklyRow) in business_hours;
    /// Where stores are.
    Timezones(&'a str) in timezones;
    /// What people call stores, and who owns them.
    Stores([&'a str; 2]) in stores;
}
