//! Recent products, kept in memory for the clients that fetch them soon.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use uuid::Uuid;

use crate::access::Audience;
use crate::error::Result;
use crate::product::Product;
use crate::render::Format;

/// How many bytes of products stay in memory; the newest stays, whatever its size.
const RECENT_BYTES_MAX: usize = 16 << 20;

/// A complete product and its CSV, which its worker renders, or the first client if that is earlier.
#[derive(Debug)]
pub(super) struct Recent {
    /// The stores that it is about.
    audience: Audience,
    product: Arc<dyn Product>,
    /// The size of its CSV.
    pub(super) csv_bytes: usize,
    csv: OnceLock<Arc<Vec<u8>>>,
}

impl Recent {
    pub(super) fn new(product: Arc<dyn Product>, audience: Audience) -> Self {
        Self {
            audience,
            csv_bytes: product.csv_bytes(),
            product,
            csv: OnceLock::new(),
        }
    }

    /// Its CSV, which is kept.
    pub(super) fn csv(&self) -> Arc<Vec<u8>> {
        Arc::clone(self.csv.get_or_init(|| self.product.csv().into()))
    }

    /// Its file. A workbook is made for each client: few ask for one.
    pub(super) fn render(&self, format: Format) -> Result<Arc<Vec<u8>>> {
        Ok(match format {
            Format::Csv => self.csv(),
            Format::Xlsx => self.product.xlsx()?.into(),
        })
    }

    /// The product itself.
    pub(super) fn product(&self) -> &dyn Product {
        &*self.product
    }

    pub(super) fn bytes(&self) -> usize {
        self.csv_bytes + self.product.rows().len()
    }
}

/// Recent products by report id, the newest last.
#[derive(Debug, Default)]
pub(super) struct RecentProducts(Mutex<VecDeque<(Uuid, Arc<Recent>)>>);

impl RecentProducts {
    pub(super) fn add(&self, id: Uuid, product: Arc<Recent>) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back((id, product));
        let mut bytes: usize = recent.iter().map(|(_, product)| product.bytes()).sum();
        while bytes > RECENT_BYTES_MAX
            && recent.len() > 1
            && let Some((_, oldest)) = recent.pop_front()
        {
            bytes -= oldest.bytes();
        }
    }

    pub(super) fn forget(&self, ids: &[Uuid]) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(known, _)| !ids.contains(known));
    }

    /// The product of a report that an audience may see.
    pub(super) fn find(&self, id: Uuid, audience: &Audience) -> Option<Arc<Recent>> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = recent.iter().rev().find(|(known, _)| *known == id);
        let seen = found.filter(|(_, product)| audience.covers(&product.audience));
        seen.map(|(_, product)| Arc::clone(product))
    }
}
