//! Headers: finds the kind of an input and the places of its columns.

use std::sync::Arc;

use super::fields::{FIELDS_MAX, split_all};
use super::kind::{Kind, Spelling};
use super::options::ReadOptions;
use super::problem::{BadFile, Code, Notes, excerpt};
use super::records::{Record, Shape};

/// A header that was understood, and how its rows are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    kind: Kind,
    /// For each column of the file, the slot of its field; none for an ignored column.
    slots: Vec<Option<u8>>,
    /// For each slot, the column's name in this header.
    names: [&'static str; FIELDS_MAX],
    /// The names as written; none of rows without a header.
    written: Arc<[String]>,
    /// The header's bytes; none of rows without one.
    header: Arc<[u8]>,
    /// How the rows are read.
    pub(super) options: ReadOptions,
}

/// One kind's columns among the names of a header.
struct Fit {
    kind: Kind,
    /// For each name of the header, its slot, the known name and the spelling.
    places: Vec<Option<(u8, &'static str, Spelling)>>,
    /// Two names for one column, by their places.
    twice: Option<usize>,
}

impl Fit {
    fn new(kind: Kind, written: &[&str]) -> Self {
        let mut places: Vec<Option<(u8, &'static str, Spelling)>> = vec![None; written.len()];
        let mut twice = None;
        for (slot, column) in (0u8..).zip(kind.columns()) {
            let spelled = |name: &&str| column.spelled(name);
            let found: Vec<(usize, (&'static str, Spelling))> = written
                .iter()
                .enumerate()
                .filter_map(|(place, name)| Some((place, spelled(name)?)))
                .collect();
            // A synonym beside the column's own name is another column.
            let has_own = found.iter().any(|(_, (_, spelling))| *spelling != Spelling::Synonym);
            let meant = found.into_iter();
            let mut meant = meant.filter(|(_, (_, spelling))| !has_own || *spelling != Spelling::Synonym);
            if let Some((place, (name, spelling))) = meant.next() {
                places[place] = Some((slot, name, spelling));
            }
            if let Some((place, _)) = meant.next() {
                twice.get_or_insert(place);
            }
        }
        Self { kind, places, twice }
    }

    /// The fit of a header that names the required columns, each once as the docs spell it, and no others.
    fn exact(kind: Kind, written: &[&str]) -> Option<Self> {
        let place = |name: &&str| {
            let mut columns = (0u8..).zip(kind.columns());
            columns.find_map(|(slot, column)| {
                let own = column.names.iter().find(|own| *own == name)?;
                column.need.is_required().then_some((slot, *own, Spelling::Exact))
            })
        };
        let places: Vec<_> = written.iter().map(place).collect();
        let slots = places
            .iter()
            .flatten()
            .fold(0_u32, |slots, (slot, ..)| slots | 1 << slot);
        let is_exact = places.len() == kind.required().count() && slots.count_ones() as usize == places.len();
        is_exact.then_some(Self {
            kind,
            places,
            twice: None,
        })
    }

    fn missing(&self) -> Vec<&'static str> {
        let columns = (0u8..).zip(self.kind.columns());
        let has = |slot: u8| self.places.iter().flatten().any(|place| place.0 == slot);
        let missing = columns.filter(|&(slot, column)| column.need.is_required() && !has(slot));
        missing.map(|(_, column)| column.name()).collect()
    }
}

impl Layout {
    /// Reads a header; only the `expected` kind is accepted, if one is given. Unusual but unambiguous names are
    /// accepted and noted.
    ///
    /// # Errors
    /// When it fits no kind, or several, or not the expected one; the code says why.
    pub fn read(
        header: &Record<'_>,
        expected: Option<Kind>,
        options: ReadOptions,
        notes: &mut Notes,
    ) -> Result<Self, BadFile> {
        let refuse = |code, reason: String| Err(BadFile::new(Some(header.line), code, reason));
        match header.shape {
            Shape::TooLong => {
                return refuse(
                    Code::HeaderTooLong,
                    "the first line is longer than 64 KiB, so it is no header".to_owned(),
                );
            }
            Shape::BareQuote => {
                // Quoted names with other delimiters between them have this shape, and so has JSON.
                let other = other_format(header).unwrap_or_else(|| {
                    let reason = "the header's quotes are out of place";
                    BadFile::new(Some(header.line), Code::Header, reason)
                });
                return Err(other);
            }
            Shape::Plain | Shape::Quoted => {}
        }
        if header.bytes.contains(&0) {
            return refuse(
                Code::Binary,
                "the header has NUL bytes, so this is no text (export it as CSV)".to_owned(),
            );
        }
        let written: Vec<String> = split_all(header.bytes)
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        let names: Vec<&str> = written.iter().map(String::as_str).collect();
        // Most headers are exact. A poller's requests are many and short, so theirs must cost little.
        let exact = Kind::ALL.into_iter().find_map(|kind| Fit::exact(kind, &names));
        let fits = exact.map_or_else(|| Kind::ALL.map(|kind| Fit::new(kind, &names)).into(), |fit| vec![fit]);
        let whole: Vec<&Fit> = fits.iter().filter(|fit| fit.missing().is_empty()).collect();
        let fit = match whole[..] {
            [fit] => fit,
            [] => return Err(unknown(header, &names, expected, &fits)),
            _ => {
                let kinds: Vec<_> = whole.iter().map(|fit| fit.kind.as_str()).collect();
                return refuse(Code::TwoKinds, two_kinds(&kinds));
            }
        };
        let kind = fit.kind;
        if let Some(expected) = expected.filter(|&expected| expected != kind) {
            return refuse(
                Code::WrongKind,
                format!(
                    "these are {}, not {} (expected columns `{}`)",
                    kind.as_str(),
                    expected.as_str(),
                    expected.header()
                ),
            );
        }
        let twin = |place: usize| {
            let is_twin = |other: &&str| other.trim().eq_ignore_ascii_case(names[place].trim());
            // A trailing comma makes columns without names.
            !names[place].trim().is_empty() && names[..place].iter().any(is_twin)
        };
        let twice = fit.twice.or_else(|| (0..names.len()).find(|&place| twin(place)));
        if let Some(place) = twice {
            let name = excerpt(names[place].as_bytes());
            let reason = format!("column `{name}` is there twice (leave one of them out)");
            return refuse(Code::DupColumn, reason);
        }
        let lost = names.iter().find(|name| kind.refuses(name));
        if let Some(name) = lost {
            let reason = format!(
                "{} with a column `{}` are not supported yet (leave the column and its other rows out)",
                kind.as_str(),
                excerpt(name.as_bytes())
            );
            return refuse(Code::Header, reason);
        }

        let mut layout = Self {
            slots: vec![None; names.len()],
            names: [""; FIELDS_MAX],
            written: Arc::default(),
            header: header.bytes.into(),
            kind,
            options,
        };
        for (index, (place, written)) in fit.places.iter().zip(&names).enumerate() {
            let shown = excerpt(written.trim().as_bytes());
            let Some((slot, name, spelling)) = *place else {
                let shown = if shown.is_empty() {
                    format!("column {}", index + 1)
                } else {
                    shown
                };
                notes.add_named(Code::ExtraColumn, Some(header.line), shown);
                continue;
            };
            layout.slots[index] = Some(slot);
            layout.names[usize::from(slot)] = name;
            match spelling {
                Spelling::Exact => {}
                Spelling::Case => notes.add_named(Code::HeaderCase, Some(header.line), shown),
                Spelling::Synonym => {
                    notes.add_named(Code::HeaderSynonym, Some(header.line), format!("{shown} is {name}"));
                }
            }
        }
        layout.written = written.into();
        Ok(layout)
    }

    /// The layout of rows that come without a header, such as JSON objects.
    pub fn of(kind: Kind, options: ReadOptions) -> Self {
        let mut names = [""; FIELDS_MAX];
        for (name, column) in names.iter_mut().zip(kind.columns()) {
            *name = column.name();
        }
        Self {
            kind,
            slots: (0u8..).zip(kind.columns()).map(|(slot, _)| Some(slot)).collect(),
            names,
            written: Arc::default(),
            header: Arc::default(),
            options,
        }
    }

    /// The kind of the input.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For each column of the file, the slot of its field; none for an ignored column.
    pub(super) fn slots(&self) -> &[Option<u8>] {
        &self.slots
    }

    /// The column's name in this header.
    pub(super) fn name(&self, slot: usize) -> &'static str {
        self.names[slot]
    }

    /// The header's names as written; none of rows without a header.
    pub(super) fn written(&self) -> &Arc<[String]> {
        &self.written
    }

    /// The header's bytes; none of rows without one.
    pub(super) fn header(&self) -> &Arc<[u8]> {
        &self.header
    }

    /// A CSV record of the file's columns; `texts` are the fields by slot.
    pub(super) fn record(&self, texts: &[&str]) -> Vec<u8> {
        record_of(self.slots.iter().map(|slot| {
            let text = slot.and_then(|slot| texts.get(usize::from(slot)));
            text.copied().unwrap_or_default()
        }))
    }

    /// The place of a slot's column among those of a CSV file.
    pub(super) fn place(&self, slot: usize) -> Option<usize> {
        let is_it = |known: &Option<u8>| known.is_some_and(|known| usize::from(known) == slot);
        self.slots.iter().position(is_it)
    }
}

/// A CSV record of these fields, without a line end.
pub(super) fn record_of<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    // Memory takes every record.
    let _ = writer.write_record(fields);
    let mut record = writer.into_inner().unwrap_or_default();
    record.pop();
    record
}

/// Why rows that satisfy several kinds are refused.
pub(super) fn two_kinds(kinds: &[&str]) -> String {
    format!(
        "this is {} in one table, so part of it would be lost (save each as its own file, with its own columns)",
        kinds.join(" and ")
    )
}

/// The name of some kind's column that is spelled so.
fn known(name: &str) -> Option<&'static str> {
    let mut columns = Kind::ALL.iter().flat_map(|kind| kind.columns());
    columns.find_map(|column| Some(column.spelled(name)?.0))
}

/// The other format that a header belongs to (not CSV with commas), if it is recognised.
fn other_format(header: &Record<'_>) -> Option<BadFile> {
    let refuse = |code, reason| Some(BadFile::new(Some(header.line), code, reason));
    let text = String::from_utf8_lossy(header.bytes);
    for (delimiter, name) in [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")] {
        let parts = text.split(delimiter);
        let names = parts.filter(|part| known(part.trim().trim_matches('"')).is_some());
        if text.contains(delimiter) && names.count() >= 2 {
            let reason = format!("the columns are separated by {name} (save the file with commas)");
            return refuse(Code::Delimiter, reason);
        }
    }
    if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep=")) {
        let reason = "its first line says that commas do not separate the columns (save the file with commas)";
        return refuse(Code::Delimiter, reason.to_owned());
    }
    if text.trim_start().starts_with(['{', '[']) {
        let reason = "this is JSON, not CSV (send it to a server as application/json or \
                      application/x-ndjson, or save it as CSV)";
        return refuse(Code::Header, reason.to_owned());
    }
    None
}

/// How alike two names of columns must be for one to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;

/// Why a header fits no kind.
fn unknown(header: &Record<'_>, names: &[&str], expected: Option<Kind>, fits: &[Fit]) -> BadFile {
    let refuse = |code, reason| BadFile::new(Some(header.line), code, reason);
    if let Some(other) = other_format(header) {
        return other;
    }
    // The kind that lacks the fewest columns; of equals, the one with more, and then the one whose name is misspelled.
    let nearest = fits.iter().min_by(|a, b| {
        let rank = |fit: &Fit| {
            let is_other = expected.is_some_and(|expected| expected != fit.kind);
            (is_other, fit.missing().len(), usize::MAX - fit.kind.required().count())
        };
        let likeness = |fit: &Fit| misspelled(fit, names).map_or(0.0, |(likeness, ..)| likeness);
        rank(a).cmp(&rank(b)).then_with(|| likeness(b).total_cmp(&likeness(a)))
    });
    let all_known = names.iter().all(|name| known(name).is_some());
    match nearest {
        Some(fit) if all_known => refuse(
            Code::MissingColumn,
            format!(
                "{} need a column `{}` (expected `{}`)",
                fit.kind.as_str(),
                fit.missing().join("` and `"),
                fit.kind.header()
            ),
        ),
        Some(fit) if fit.places.iter().flatten().count() > 0 => refuse(Code::Header, lacks(fit, names)),
        _ => {
            let kinds = expected.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
            let headers: Vec<_> = kinds
                .iter()
                .map(|kind| format!("`{}` for {}", kind.header(), kind.as_str()))
                .collect();
            let (shown, headers) = (excerpt(header.bytes), headers.join(", or "));
            refuse(Code::Header, format!("no known header: `{shown}` (expected {headers})"))
        }
    }
}

/// The sentence on a header that lacks columns of its nearest kind, and has others.
fn lacks(fit: &Fit, names: &[&str]) -> String {
    let rename = match misspelled(fit, names) {
        Some((likeness, missing, other)) if likeness >= LIKENESS_MIN => {
            format!("; rename `{}` to `{missing}` if it is that", excerpt(other.as_bytes()))
        }
        _ => String::new(),
    };
    format!(
        "no known header: {} need a column `{}` (expected `{}`{rename})",
        fit.kind.as_str(),
        fit.missing().join("` and `"),
        fit.kind.header()
    )
}

/// Of the columns that a fit lacks and the names that it has no use for, the two most alike, and how alike they are.
fn misspelled<'a>(fit: &Fit, names: &[&'a str]) -> Option<(f64, &'static str, &'a str)> {
    let likeness = |missing: &str, name: &str| {
        let name = name.to_ascii_lowercase();
        // A name without the word that says what time it is: `timestamp`, `start`.
        if missing.starts_with(&name) && name.len() > 3 {
            1.0
        } else {
            strsim::jaro_winkler(missing, &name)
        }
    };
    let others = names.iter().zip(&fit.places).filter(|(_, place)| place.is_none());
    let others: Vec<&str> = others.map(|(name, _)| name.trim()).collect();
    let missing = fit.missing().into_iter();
    let pairs = missing.flat_map(|missing| others.iter().map(move |other| (missing, *other)));
    pairs
        .map(|(missing, other)| (likeness(missing, other), missing, other))
        .max_by(|(a, ..), (b, ..)| a.total_cmp(b))
}

#[cfg(test)]
mod tests;
