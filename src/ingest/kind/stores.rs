//! Stores: their names and owners, and optionally their sales an hour and their targets.
//!
//! Of the optional columns, an input that lacks one leaves what is stored; an empty field removes it.

use std::collections::HashMap;

use rusqlite::Connection;

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Need, Target, Verdict};
use crate::db::Changed;
use crate::db::fleet::{self, LabelChange};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::options::ReadOptions;
use crate::ingest::problem::{Code, Notes, excerpt};
use crate::uptime::hundredths;
use crate::uptime::target::WHOLE;

const SALES_SLOT: usize = 3;
const TARGET_SLOT: usize = 4;

const SALES: &str = "sales_per_hour";
const TARGET: &str = "target";

/// A column with a text that may be empty.
const fn label(names: &'static [&'static str], synonyms: &'static [&'static str]) -> Column {
    Column {
        need: Need::Column,
        synonyms,
        ..Column::of(names, Code::Json)
    }
}

/// A column with a number, which an input may lack.
const fn number(names: &'static [&'static str], synonyms: &'static [&'static str], code: Code) -> Column {
    Column {
        need: Need::Nothing,
        synonyms,
        ..Column::of(names, code)
    }
}

/// A row: what it says about its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreRow<'a> {
    /// The name.
    pub name: &'a str,
    /// The owner.
    pub group: &'a str,
    /// Sales in an hour, in hundredths; none without such a column.
    pub sales_per_hour: Option<Option<i64>>,
    /// The target, in hundredths of a per cent; none without such a column.
    pub target: Option<Option<i64>>,
}

/// For each store of a call, what its rows say.
#[derive(Default)]
pub(in crate::ingest) struct Stores(HashMap<u32, LabelChange>);

impl InputKind for Stores {
    const DESCRIPTION: Description = Description {
        name: "stores",
        slug: "stores",
        title: "Stores",
        about: "What people call a store, who owns it, what it sells in an hour, and its target in per cent (optional)",
        export_about: "Print every store's name, owner, sales an hour and target",
        sample_file: "stores.csv",
        sample: include_str!("samples/stores.csv"),
        columns: &[
            Column::STORE_ID,
            label(&["name"], &["storename", "displayname"]),
            label(&["group"], &["groupname", "owner", "ownername"]),
            number(
                &[SALES],
                &["hourlysales", "revenueperhour", "hourlyrevenue"],
                Code::Rate,
            ),
            number(
                &[TARGET],
                &["targetpercent", "uptimetarget", "targetuptime", "sla", "slo"],
                Code::Target,
            ),
        ],
        exported: &["store_id", "name", "group", SALES, TARGET],
        refused: &[],
        is_whole: false,
    };

    type Value<'a> = StoreRow<'a>;

    fn parse<'a>(fields: Fields<'a>, _: &ReadOptions, notes: &mut RowNotes) -> Result<StoreRow<'a>, Fault<'a>> {
        Ok(StoreRow {
            name: text(1, fields[1], notes)?,
            group: text(2, fields[2], notes)?,
            sales_per_hour: sales_per_hour(fields, notes)?,
            target: target(fields, notes)?,
        })
    }

    fn take(&mut self, store: u32, line: u64, row: StoreRow<'_>) -> Verdict {
        let StoreRow {
            name,
            group,
            sales_per_hour,
            target,
        } = row;
        let Some(known) = self.0.get_mut(&store) else {
            let [name, group] = [name, group].map(str::to_owned);
            let label = LabelChange {
                name,
                group,
                sales_per_hour,
                target,
            };
            self.0.insert(store, label);
            return Verdict::New;
        };
        let texts = [("name", name, &known.name), ("group", group, &known.group)];
        for (column, said, known) in texts {
            if said != known {
                return Verdict::conflict(line, column, said, known);
            }
        }
        let numbers = [
            (SALES, sales_per_hour, known.sales_per_hour),
            (TARGET, target, known.target),
        ];
        for (column, said, known) in numbers {
            if let (Some(said), Some(known)) = (said, known)
                && said != known
            {
                let [said, known] = [said, known].map(shown);
                return Verdict::conflict(line, column, &said, &known);
            }
        }
        // Another input of the call may have fewer columns.
        let adds = [(sales_per_hour, known.sales_per_hour), (target, known.target)];
        let adds = adds.iter().any(|(said, known)| said.is_some() && known.is_none());
        known.sales_per_hour = known.sales_per_hour.or(sales_per_hour);
        known.target = known.target.or(target);
        if adds { Verdict::More } else { Verdict::Repeat }
    }

    fn write(&self, target: &Target<'_>, _: &mut Notes) -> Result<Changed> {
        let labels = self.0.iter();
        let labels = labels.map(|(&store, label)| (target.keys[store as usize], label));
        fleet::replace_labels(target.db, labels)
    }

    /// A column of numbers is left out while no store has one.
    fn unused(db: &Connection) -> Result<Vec<&'static str>> {
        let (mut has_sales, mut has_target) = (false, false);
        fleet::for_each_label(db, |_, label| {
            has_sales |= label.sales_per_hour.is_some();
            has_target |= label.target.is_some();
            Ok(())
        })?;
        let columns = [(SALES, has_sales), (TARGET, has_target)].into_iter();
        Ok(columns.filter(|(_, has)| !has).map(|(column, _)| column).collect())
    }

    /// Ordered by store id.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        fleet::for_each_label(db, |id, label| {
            let [sales, target] = [label.sales_per_hour, label.target].map(shown);
            each(&[id, &label.name, &label.group, &sales, &target].map(str::as_bytes))
        })
    }
}

/// A number with two places, or nothing.
fn shown(number: Option<i64>) -> String {
    number.map(hundredths::format).unwrap_or_default()
}

fn sales_per_hour<'a>(fields: Fields<'a>, notes: &mut RowNotes) -> Result<Option<Option<i64>>, Fault<'a>> {
    let field = fields[SALES_SLOT];
    let word = text(SALES_SLOT, field, notes)?;
    if word.is_empty() {
        return Ok(fields.has(SALES_SLOT).then_some(None));
    }
    let rate = hundredths::parse(word).ok_or_else(|| {
        let reason = format!(
            "`{}` is no rate (expected a number such as `120.50`: at most ten digits and two decimals, no sign, comma \
             or currency)",
            excerpt(word.as_bytes())
        );
        Fault::of(SALES_SLOT, field, Code::Rate, reason)
    })?;
    Ok(Some(Some(rate)))
}

fn target<'a>(fields: Fields<'a>, notes: &mut RowNotes) -> Result<Option<Option<i64>>, Fault<'a>> {
    let field = fields[TARGET_SLOT];
    let word = text(TARGET_SLOT, field, notes)?;
    if word.is_empty() {
        return Ok(fields.has(TARGET_SLOT).then_some(None));
    }
    // Spreadsheets export a cell of per cents with its sign.
    let number = word.strip_suffix('%').map(str::trim_end).unwrap_or(word);
    let target = hundredths::parse(number).filter(|&target| target <= WHOLE);
    let target = target.ok_or_else(|| {
        let reason = format!(
            "`{}` is no target (expected a per cent from 0 to 100 with at most two decimals, such as `99.5`)",
            excerpt(word.as_bytes())
        );
        Fault::of(TARGET_SLOT, field, Code::Target, reason)
    })?;
    if number.len() != word.len() {
        notes.add(Code::PercentSign);
    }
    if (1..=100).contains(&target) {
        notes.add(Code::TargetSmall);
    }
    Ok(Some(Some(target)))
}
