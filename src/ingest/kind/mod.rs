//! The kinds of input: one file for each, and the list of them.
//!
//! A new kind is a file with an `InputKind`, its `mod` line and its line in the list at the end of this
//! file. Headers, JSON, commands, routes, samples and exports follow from the list.

mod business_hours;
mod damage;
mod date;
mod field;
mod input_kind;
mod opening;
mod polls;
mod special_hours;
mod stores;
mod taken_whole;
mod timezones;
mod wall_time;
mod zone_names;

use rusqlite::Connection;

pub use business_hours::HoursRow;
pub(super) use damage::Damage;
pub use field::{Fault, RowNotes, STORE_ID_CHARS_MAX};
pub(super) use field::{damaged, store_id};
pub use input_kind::{Column, Description, Need};
pub(super) use input_kind::{InputKind, Sibling, Siblings, Spelling, Target, Verdict};
pub use polls::EARLIEST_US;
pub use special_hours::{REASON_CHARS_MAX, SpecialHoursRow};
pub use stores::StoreRow;

use crate::db::Changed;
use crate::error::Result;
use crate::ingest::fields::{FIELDS_MAX, Fields};
use crate::ingest::options::ReadOptions;
use crate::ingest::problem::{BadFile, BadRow, Notes};
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
        self.columns().iter().filter(|column| column.need.is_required())
    }

    /// Whether an input with a column of this name is refused, because the column's meaning would be lost.
    pub(super) fn refuses(self, name: &str) -> bool {
        let mut refused = self.description().refused.iter();
        refused.any(|refused| refused.eq_ignore_ascii_case(name.trim()))
    }

    /// The slot of the column with this name, and how the name is spelled; none when the kind has no such
    /// column.
    pub(super) fn slot(self, name: &str) -> Option<(usize, Spelling)> {
        // Most names are exact; the others take longer.
        let exact = |column: &Column| column.names.contains(&name);
        if let Some(slot) = self.columns().iter().position(exact) {
            return Some((slot, Spelling::Exact));
        }
        let mut spelled = self.columns().iter().enumerate();
        spelled.find_map(|(slot, column)| Some((slot, column.spelled(name)?.1)))
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

            /// The columns of [`Description::exported`] that no stored row uses.
            ///
            /// # Errors
            /// When the database cannot be read.
            pub fn unused(self, db: &Connection) -> Result<Vec<&'static str>> {
                match self {
                    $(Self::$kind => $module::$kind::unused(db),)*
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
            /// Reads a row's fields.
            // Always inlined: the call alone would cost a third of the speed.
            #[inline(always)]
            pub(super) fn parse(
                kind: Kind,
                fields: Fields<'a>,
                options: &ReadOptions,
                notes: &mut RowNotes,
            ) -> Result<Self, Fault<'a>> {
                Ok(match kind {
                    $(Kind::$kind => Self::$kind($module::$kind::parse(fields, options, notes)?),)*
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

            /// Begins the call's input number `source`, which is of this kind.
            pub(super) fn begin(&mut self, kind: Kind, source: u32) {
                match kind {
                    $(Kind::$kind => self.$module.begin(source),)*
                }
            }

            /// Learns of a bad row; `store` is the number of its store, if its id can be told.
            pub(super) fn refuse(&mut self, kind: Kind, store: Option<u32>, bad: &BadRow) {
                match kind {
                    $(Kind::$kind => self.$module.refuse(store, bad),)*
                }
            }

            /// Takes out all rows that are refused because of another row of their store.
            pub(super) fn take_refused(&mut self) -> Vec<Siblings> {
                vec![$(self.$module.take_refused(),)*]
            }

            /// Ends an input: notes problems that only several rows of a kind show.
            pub(super) fn end(&mut self, kind: Kind, options: &ReadOptions, notes: &mut Notes) -> Result<(), BadFile> {
                match kind {
                    $(Kind::$kind => self.$module.end(options, notes),)*
                }
            }

            /// Writes everything but polls, with notes on what only the stored rows show.
            pub(super) fn write(&self, target: &Target<'_>, notes: &mut Notes) -> Result<Vec<(Kind, Changed)>> {
                Ok(vec![$((Kind::$kind, self.$module.write(target, notes)?)),*])
            }
        }

        $(const _: () = assert!($module::$kind::DESCRIPTION.columns.len() <= FIELDS_MAX);)*
    };
}

kinds! {
    /// The answers of stores.
    Polls(Poll) in polls;
    /// The times at which stores plan to be open.
    BusinessHours(HoursRow) in business_hours;
    /// The times of single dates.
    SpecialHours(SpecialHoursRow<'a>) in special_hours;
    /// The time zones of stores.
    Timezones(&'a str) in timezones;
    /// The names and owners of stores, their sales and targets.
    Stores(StoreRow<'a>) in stores;
}
