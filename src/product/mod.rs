//! Products: the results of jobs, kept in the database and rendered as files.
//!
//! A product is a file here and a line in [`Kind`]; the compiler then asks how to make and restore it.
//! Its rows are stored, and equal lists of stores are stored once.

pub mod digest;
mod kind;
pub mod report;
pub mod statement;

use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use crate::db::reports::{self, Kept, KeptRows};
use crate::error::{Error, Result};
use crate::hot_window::HotWindow;
use crate::render::store_list::StoreList;
pub use kind::{Kind, Order, Product};
use report::FleetReport;
use statement::Statement;

/// Makes a product from the data in memory and the database.
///
/// # Errors
/// When the database cannot be read.
pub fn make(db: &mut Connection, hot: &HotWindow, order: &Order) -> Result<Arc<dyn Product>> {
    Ok(match order.kind {
        Kind::Report => Arc::new(FleetReport::make(db, hot, order)?),
        Kind::Statement => Arc::new(Statement::make(db, hot, order)?),
    })
}

/// Restores the product of the report `id` from its stored rows.
///
/// # Errors
/// When the stored parts do not fit together, or a newer program wrote them.
pub fn restore(id: Uuid, kept: &KeptRows) -> Result<Arc<dyn Product>> {
    let KeptRows {
        kind,
        parameters,
        question,
        stores,
        rows,
    } = kept;
    let kind =
        Kind::from_name(kind).ok_or_else(|| Error::failed(format!("report {id} is of an unknown kind, `{kind}`")))?;
    let stores = StoreList::from_json(stores);
    let product = stores.and_then(|stores| -> Option<Arc<dyn Product>> {
        match kind {
            Kind::Report => Some(Arc::new(FleetReport::restore(*question, stores, rows)?)),
            Kind::Statement => Some(Arc::new(Statement::restore(parameters, *question, stores, rows)?)),
        }
    });
    product.ok_or_else(|| Error::failed(format!("report {id} is damaged (`check` tells how)")))
}

/// A sentence on each damaged product; empty if there is none.
///
/// # Errors
/// When the database cannot be read.
pub fn findings(db: &Connection) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for id in reports::complete_ids(db)? {
        if let Some(Kept::Rows(kept)) = reports::kept(db, id)?
            && restore(id, &kept).is_err()
        {
            findings.push(format!("a report whose numbers are not those of its stores, id {id}"));
        }
    }
    Ok(findings)
}
