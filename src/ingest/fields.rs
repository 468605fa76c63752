//! Fields: splits a record whose quotes are well-formed.

use std::ops::Index;

use memchr::memchr_iter;

use super::records::{Records, Shape};

/// The most fields that any kind of row has.
pub const FIELDS_MAX: usize = 7;

/// The fields of one record, each at its slot; columns that its kind does not use are left out.
///
/// ```
/// use store_monitor::ingest::fields::split_plain;
/// // The second column of the kind is not in the file.
/// let (fields, columns) = split_plain(b"a,", &[Some(0), Some(2)]);
/// assert_eq!((fields[0], fields[1], fields[2]), (&b"a"[..], &b""[..], &b""[..]));
/// assert_eq!((fields.has(1), fields.has(2), columns), (false, true, 2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>([Option<&'a [u8]>; FIELDS_MAX]);

impl<'a> Fields<'a> {
    /// Fields by slot; none: the record has no such field.
    pub const fn new(fields: [Option<&'a [u8]>; FIELDS_MAX]) -> Self {
        Self(fields)
    }

    /// Whether the record has a field in that slot. It may be empty, and then says so; without one nothing is said.
    pub const fn has(&self, slot: usize) -> bool {
        self.0[slot].is_some()
    }
}

impl<'a> Index<usize> for Fields<'a> {
    type Output = &'a [u8];

    /// The field in that slot; an empty one if the record has none.
    #[inline]
    fn index(&self, slot: usize) -> &&'a [u8] {
        const NOTHING: &[u8] = b"";
        self.0[slot].as_ref().unwrap_or(&NOTHING)
    }
}

/// Splits a record without quotes. `slots` gives each column's slot, if any. Returns the fields, and the
/// count of all columns.
pub fn split_plain<'a>(record: &'a [u8], slots: &[Option<u8>]) -> (Fields<'a>, usize) {
    let mut fields = Fields::default();
    let (mut from, mut count) = (0, 0);
    for to in memchr_iter(b',', record).chain([record.len()]) {
        put(&mut fields, slots, count, &record[from..to]);
        from = to + 1;
        count += 1;
    }
    (fields, count)
}

/// [`split_plain`] for a record with quotes; `scratch` holds the unquoted fields.
pub fn split_quoted<'a>(record: &[u8], slots: &[Option<u8>], scratch: &'a mut Vec<u8>) -> (Fields<'a>, usize) {
    scratch.clear();
    // Ranges first: nothing may borrow from `scratch` while it grows.
    let mut ranges = [None; FIELDS_MAX];
    let count = unquote(record, scratch, |index, range| {
        if let Some(slot) = slot(slots, index) {
            ranges[slot] = Some(range);
        }
    });
    let scratch: &'a [u8] = scratch;
    let field = |range: Option<(usize, usize)>| range.map(|(from, to)| &scratch[from..to]);
    (Fields(ranges.map(field)), count)
}

/// Every field of a record, with or without quotes; for headers, which come once a file.
pub fn split_all(record: &[u8]) -> Vec<Vec<u8>> {
    let (mut text, mut ranges) = (Vec::new(), Vec::new());
    unquote(record, &mut text, |_, range| ranges.push(range));
    ranges.into_iter().map(|(from, to)| text[from..to].to_vec()).collect()
}

/// The fields of a record as texts, if its quotes are well-formed.
pub fn split_record(record: &[u8]) -> Option<Vec<String>> {
    let mut records = Records::new(record, 1);
    let Ok(Some(found)) = records.next_record() else {
        return None;
    };
    let is_whole = matches!(found.shape, Shape::Plain | Shape::Quoted) && found.bytes.len() == record.len();
    let text = |field: Vec<u8>| String::from_utf8_lossy(&field).into_owned();
    is_whole.then(|| split_all(found.bytes).into_iter().map(text).collect())
}

/// Appends the unquoted fields to `text`, and gives `field` the range of each.
fn unquote(record: &[u8], text: &mut Vec<u8>, mut field: impl FnMut(usize, (usize, usize))) -> usize {
    let mut count = 0;
    let mut rest = Some(record);
    while let Some(record) = rest {
        let from = text.len();
        let mut at = 0;
        if record.first() == Some(&b'"') {
            at = 1;
            while let Some(&byte) = record.get(at) {
                at += 1;
                if byte == b'"' {
                    if record.get(at) != Some(&b'"') {
                        break;
                    }
                    at += 1;
                }
                text.push(byte);
            }
        }
        let end = at + memchr::memchr(b',', &record[at..]).unwrap_or(record.len() - at);
        text.extend_from_slice(&record[at..end]);
        field(count, (from, text.len()));
        count += 1;
        rest = record.get(end + 1..);
        if end == record.len() {
            rest = None;
        }
    }
    count
}

fn put<'a>(fields: &mut Fields<'a>, slots: &[Option<u8>], index: usize, field: &'a [u8]) {
    if let Some(slot) = slot(slots, index) {
        fields.0[slot] = Some(field);
    }
}

fn slot(slots: &[Option<u8>], index: usize) -> Option<usize> {
    slots.get(index).copied().flatten().map(usize::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SLOTS: [Option<u8>; 3] = [Some(0), Some(1), Some(2)];

    fn of<const N: usize>(fields: [Option<&'static str>; N]) -> Fields<'static> {
        let mut all = Fields::default();
        for (slot, field) in fields.into_iter().enumerate() {
            all.0[slot] = field.map(str::as_bytes);
        }
        all
    }

    #[test]
    fn fields_go_to_the_slots_of_their_columns() {
        let slots = [Some(2), None, Some(0)];
        assert_eq!(split_plain(b"a,b,c", &slots), (of([Some("c"), None, Some("a")]), 3));
        assert_eq!(split_plain(b"", &SLOTS), (of([Some("")]), 1));
        assert_eq!(split_plain(b"a,,", &SLOTS).1, 3);
        assert_eq!(
            split_plain(b"a,b,c,d", &SLOTS),
            (of([Some("a"), Some("b"), Some("c")]), 4)
        );
    }

    #[test]
    fn quotes_are_taken_off() {
        let mut scratch = Vec::new();
        let (fields, count) = split_quoted(b"\"a,\"\"b\"\"\",,\"\n\"", &SLOTS, &mut scratch);
        assert_eq!((fields, count), (of([Some("a,\"b\""), Some(""), Some("\n")]), 3));
        assert_eq!(split_all(b"\"\",\"\""), [b"", b""]);
        assert_eq!(split_all(b"a,"), [&b"a"[..], b""]);
    }

    proptest! {
        #[test]
        fn fields_are_those_that_the_csv_crate_finds(
            fields in prop::collection::vec("[ab,\"\n ]{0,5}", 1..6)
        ) {
            let mut writer = csv::WriterBuilder::new()
                .quote_style(csv::QuoteStyle::Always)
                .from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let record = writer.into_inner().unwrap();
            let split = split_all(&record[..record.len() - 1]);
            let expected: Vec<_> = fields.iter().map(|field| field.as_bytes().to_vec()).collect();
            prop_assert_eq!(split, expected);
        }

        #[test]
        fn both_ways_to_split_agree_where_no_quote_is(record in "[ab, ]{0,12}") {
            let mut scratch = Vec::new();
            let plain = split_plain(record.as_bytes(), &SLOTS);
            prop_assert_eq!(plain, split_quoted(record.as_bytes(), &SLOTS, &mut scratch));
        }
    }
}
