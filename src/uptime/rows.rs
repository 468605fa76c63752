//! The rows of a report, kept short: a row that stores have in common stands once.
//!
//! Stores that keep the same hours and did not change their status have the same six numbers, and mostly
//! that is most stores. It must never know what the numbers count, nor why stores share them.
//!
//! # The bytes
//! Reports are kept as two values: the rows of the stores that share none, twelve bytes each, in the order
//! of the stores; and, where some share theirs, two bytes for every store, which say what shared row it has
//! (the highest number: its own), and the shared rows, twelve bytes each.

use std::sync::{Mutex, PoisonError};

use super::row::{Cells, Line, Printer, numbers_bytes};

/// In place of the number of a shared row: the store has its own.
const OWN: u16 = u16::MAX;

/// The numbers of stores, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// For each store the number of its shared row, or [`OWN`].
    which: Vec<u16>,
    shared: Vec<Cells>,
    own: Vec<Cells>,
}

/// Rows of some stores on their way to [`Rows`].
#[derive(Debug, Default)]
pub struct Part {
    which: Vec<u16>,
    own: Vec<Cells>,
    /// How long the shared ones are as text.
    shared_bytes: usize,
}

impl Part {
    /// Room for so many stores.
    pub fn with_capacity(stores: usize) -> Self {
        Self {
            which: Vec::with_capacity(stores),
            own: Vec::with_capacity(stores),
            shared_bytes: 0,
        }
    }

    /// The next store has a row of its own.
    pub fn push_own(&mut self, row: Cells) {
        self.which.push(OWN);
        self.own.push(row);
    }

    /// The next store has a shared row.
    pub fn push_shared(&mut self, row: SharedRow) {
        self.which.push(row.number);
        self.shared_bytes += usize::from(row.bytes);
    }

    /// How long the numbers of all these stores are as text.
    pub fn numbers_bytes(&self) -> usize {
        self.shared_bytes + numbers_bytes(&self.own)
    }
}

/// A shared row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedRow {
    number: u16,
    /// How long it is as text.
    bytes: u8,
}

impl SharedRow {
    /// In one number, which is not zero.
    pub const fn to_bits(self) -> u32 {
        // No row is without text.
        (self.number as u32) << u8::BITS | self.bytes as u32
    }

    /// From its number; none from zero.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let [bytes, low, high, _] = bits.to_le_bytes();
        let number = u16::from_le_bytes([low, high]);
        (bytes != 0).then_some(Self { number, bytes })
    }
}

/// Shared rows while they are found, on any thread.
#[derive(Debug, Default)]
pub struct SharedRows(Mutex<Vec<Cells>>);

impl SharedRows {
    /// One row more; none where there are so many that no number is left.
    pub fn add(&self, row: Cells) -> Option<SharedRow> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u16::try_from(rows.len()).ok();
        let number = number.filter(|&number| number != OWN)?;
        rows.push(row);
        let bytes = u8::try_from(numbers_bytes(&[row])).ok()?;
        Some(SharedRow { number, bytes })
    }

    fn take(&self) -> Vec<Cells> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Rows {
    /// The rows of all parts in turn, which share those that were found for them.
    pub fn of_parts(parts: impl IntoIterator<Item = Part>, shared: &SharedRows) -> Self {
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        let mut rows = Self {
            which: first.which,
            own: first.own,
            shared: shared.take(),
        };
        for part in parts {
            rows.which.extend(part.which);
            rows.own.extend(part.own);
        }
        rows
    }

    /// How many stores they are of.
    pub fn len(&self) -> usize {
        self.which.len()
    }

    /// Whether they are of no store.
    pub fn is_empty(&self) -> bool {
        self.which.is_empty()
    }

    /// Each store's row.
    pub fn iter(&self) -> impl Iterator<Item = &Cells> {
        let mut own = self.own.iter();
        let row = move |&which: &u16| match self.shared.get(usize::from(which)) {
            Some(shared) => Some(shared),
            None => own.next(),
        };
        self.which.iter().filter_map(row)
    }

    /// The first of the bytes that they are kept as.
    pub fn own_bytes(&self) -> &[u8] {
        self.own.as_flattened()
    }

    /// The second; none where no store shares a row.
    pub fn shared_bytes(&self) -> Option<Vec<u8>> {
        if self.shared.is_empty() {
            return None;
        }
        let mut bytes = Vec::with_capacity(2 * self.len() + self.shared.as_flattened().len());
        bytes.extend(self.which.iter().flat_map(|which| which.to_le_bytes()));
        bytes.extend_from_slice(self.shared.as_flattened());
        Some(bytes)
    }

    /// The rows of so many stores from their bytes; none if they are not those of so many.
    pub fn from_bytes(stores: usize, own: &[u8], shared: Option<&[u8]>) -> Option<Self> {
        let whole = |bytes: &[u8]| {
            let (rows, rest) = bytes.as_chunks();
            rest.is_empty().then(|| rows.to_vec())
        };
        let own = whole(own)?;
        let (which, shared) = match shared {
            Some(bytes) => {
                let (which, shared) = bytes.split_at_checked(2 * stores)?;
                let which = which.as_chunks().0.iter();
                (
                    which.map(|&which| u16::from_le_bytes(which)).collect(),
                    whole(shared)?,
                )
            }
            None => (vec![OWN; stores], Vec::new()),
        };
        let is_shared = |which: u16| usize::from(which) < shared.len();
        let is_known = which.iter().all(|&which| which == OWN || is_shared(which));
        let own_count = which.iter().filter(|&&which| which == OWN).count();
        let rows = Self { which, shared, own };
        (is_known && own_count == rows.own.len()).then_some(rows)
    }

    /// The rows of every `stores` stores in turn, to be printed.
    pub(super) fn chunks<'a>(
        &'a self,
        stores: usize,
        shared: &'a [Line],
    ) -> impl Iterator<Item = Chunk<'a>> {
        let mut rest = &self.own[..];
        let chunk = move |which: &'a [u16]| {
            let count = which.iter().filter(|&&which| which == OWN).count();
            let (own, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            Chunk { which, own, shared }
        };
        self.which.chunks(stores.max(1)).map(chunk)
    }

    /// The lines of the shared rows.
    pub(super) fn shared_lines(&self, printer: Printer) -> Vec<Line> {
        self.shared.iter().map(|row| printer.line(row)).collect()
    }
}

/// The rows of some stores that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    which: &'a [u16],
    own: &'a [Cells],
    shared: &'a [Line],
}

impl Chunk<'_> {
    /// Appends a line for each of the stores; an id comes with whether it must be quoted.
    pub(super) fn print<'i>(
        self,
        printer: Printer,
        csv: &mut Vec<u8>,
        ids: impl Iterator<Item = (&'i str, bool)>,
    ) {
        let mut own = self.own.iter();
        for ((id, quoted), &which) in ids.zip(self.which) {
            match self.shared.get(usize::from(which)) {
                Some(line) => line.print(csv, id, quoted),
                None => {
                    if let Some(row) = own.next() {
                        printer.line(row).print(csv, id, quoted);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u8) -> Cells {
        [number; 12]
    }

    fn some_rows() -> Rows {
        let shared = SharedRows::default();
        let [a, b] = [1, 2].map(|number| shared.add(row(number)).unwrap());
        let mut parts = [Part::default(), Part::with_capacity(3), Part::default()];
        parts[0].push_shared(b);
        parts[0].push_own(row(3));
        parts[1].push_own(row(4));
        parts[1].push_shared(a);
        parts[1].push_shared(b);
        Rows::of_parts(parts, &shared)
    }

    #[test]
    fn rows_come_in_the_order_of_their_stores_whether_they_are_shared_or_not() {
        let rows = some_rows();
        assert!(rows.iter().eq(&[2, 3, 4, 1, 2].map(row)));
        assert_eq!(rows.len(), 5);
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_does_not() {
        let rows = some_rows();
        let shared = rows.shared_bytes().unwrap();
        let from = |stores, own: &[u8], shared: &[u8]| Rows::from_bytes(stores, own, Some(shared));
        assert_eq!(from(5, rows.own_bytes(), &shared), Some(rows.clone()));
        assert_eq!(from(4, rows.own_bytes(), &shared), None);
        assert_eq!(from(6, rows.own_bytes(), &shared), None);
        assert_eq!(from(5, &rows.own_bytes()[1..], &shared), None);
        assert_eq!(from(5, &rows.own_bytes()[12..], &shared), None);
        assert_eq!(from(5, rows.own_bytes(), &shared[..22]), None);
        assert_eq!(from(5, rows.own_bytes(), &shared[..9]), None);
        assert_eq!(from(0, &[], &[]), Some(Rows::default()));
    }

    #[test]
    fn where_no_row_is_shared_each_store_has_its_own() {
        let mut part = Part::default();
        [7, 8]
            .map(row)
            .into_iter()
            .for_each(|row| part.push_own(row));
        let rows = Rows::of_parts([part], &SharedRows::default());
        assert_eq!(rows.shared_bytes(), None);
        assert_eq!(Rows::from_bytes(2, rows.own_bytes(), None), Some(rows));
        assert_eq!(Rows::from_bytes(2, &[0; 12], None), None);
    }

    #[test]
    fn there_are_no_more_shared_rows_than_numbers_for_them() {
        let shared = SharedRows::default();
        let added = (0..70_000).filter_map(|_| shared.add(row(0))).count();
        assert_eq!(added, usize::from(OWN));
    }
}
