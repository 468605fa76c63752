//! Stores: their names and their owners.

use std::collections::HashMap;

use rusqlite::Connection;

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Need, Target, Verdict};
use crate::db::Changed;
use crate::db::fleet::{self, LabelChange};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::options::ReadOptions;
use crate::ingest::problem::{Code, Notes};

/// A column with a text that may be empty.
const fn label(names: &'static [&'static str], synonyms: &'static [&'static str]) -> Column {
    Column {
        need: Need::Column,
        synonyms,
        ..Column::of(names, Code::Json)
    }
}

/// For each store of a call, its name and group.
#[derive(Default)]
pub(in crate::ingest) struct Stores(HashMap<u32, LabelChange>);

impl InputKind for Stores {
    const DESCRIPTION: Description = Description {
        name: "stores",
        slug: "stores",
        title: "Stores",
        about: "What people call a store, and who owns it (optional)",
        export_about: "Print every store's name and group",
        sample_file: "stores.csv",
        sample: include_str!("samples/stores.csv"),
        columns: &[
            Column::STORE_ID,
            label(&["name"], &["storename", "displayname"]),
            label(&["group"], &["groupname", "owner", "ownername"]),
        ],
        exported: &["store_id", "name", "group"],
        refused: &[],
    };

    /// The name and the group.
    type Value<'a> = [&'a str; 2];

    fn parse<'a>(fields: Fields<'a>, _: &ReadOptions, notes: &mut RowNotes) -> Result<[&'a str; 2], Fault<'a>> {
        Ok([text(1, fields[1], notes)?, text(2, fields[2], notes)?])
    }

    fn take(&mut self, store: u32, line: u64, [name, group]: [&str; 2]) -> Verdict {
        if let Some(known) = self.0.get(&store) {
            return match Verdict::of(line, "name", name, &known.name) {
                Verdict::Repeat => Verdict::of(line, "group", group, &known.group),
                conflict => conflict,
            };
        }
        let [name, group] = [name, group].map(str::to_owned);
        self.0.insert(
            store,
            LabelChange {
                name,
                group,
                ..LabelChange::default()
            },
        );
        Verdict::New
    }

    fn write(&self, target: &Target<'_>, _: &mut Notes) -> Result<Changed> {
        let labels = self.0.iter();
        let labels = labels.map(|(&store, label)| (target.keys[store as usize], label));
        fleet::replace_labels(target.db, labels)
    }

    /// Ordered by store id.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        fleet::for_each_label(db, |id, label| {
            each(&[id, &label.name, &label.group].map(str::as_bytes))
        })
    }
}
