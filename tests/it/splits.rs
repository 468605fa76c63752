//! Any split of any rows into files and requests gives the same exports.
//!
//! Rows of all kinds are dealt out to calls, and within a call to files of every shape. The order is any that
//! leaves each key its last write. Whole calls are repeated, and so are rows that are still current.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;
use store_monitor::civil::{format_rfc3339, format_utc};
use store_monitor::db;
use store_monitor::ingest::batch;
use store_monitor::ingest::kind::Kind;
use store_monitor::ingest::load::{self, Summary};
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::rows::Format;
use store_monitor::ingest::source::Source;
use store_monitor::scratch::Scratch;
use store_monitor::uptime::interval::{DAY, HOUR, MINUTE, Micros};

use crate::harness::exports_of;

/// Ids that some shape or other must take care of.
const IDS: [&str; 8] = [
    "7",
    "007",
    "18446744073709551616",
    "a,b",
    "say \"hi\"",
    "é 🍕",
    "=1+1",
    "nullable",
];

const ZONES: [&str; 4] = ["America/Denver", "UTC", "US/Eastern", "Asia/Kathmandu"];

const NAMES: [&str; 4] = ["", "Blue Agave", "\"Quoted, Inc.\"", "№ 12"];

/// The dates from which versions hold.
const VERSIONS: [&str; 3] = ["", "2026-03-08", "2026-11-01"];

const DATES: [&str; 4] = ["2025-12-25", "2026-02-28", "2026-12-24", "2026-12-25"];

const REASONS: [&str; 3] = ["", "Christmas", "\"Day off\", maybe"];

const RATES: [&str; 3] = ["", "0.00", "120.50"];

const TARGETS: [&str; 3] = ["", "99.50", "100.00"];

/// 2024-10-04T00:00:00Z.
const FIRST: Micros = 20_000 * DAY;

/// The opening and the closing hour; none says *closed*.
type Stretch = Option<(u8, u8)>;

/// What one or more rows of a call say of one store.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    /// It answered at that instant; the last word on both stands.
    Poll(usize, Micros, bool),
    /// Its hours from a date on, all of them. The last word on the store and the date stands.
    Hours(usize, usize, Vec<(u8, Stretch)>),
    /// Its hours of a date, all of them, each with a reason. The last word on the store and the date stands.
    Special(usize, usize, Vec<(Stretch, usize)>),
    Zone(usize, usize),
    /// Its name, owner, rate and target.
    Label(usize, [usize; 4]),
}

/// What a word is about: of two on the same thing, the last one stands.
type Key = (u8, usize, Micros);

impl Word {
    fn key(&self) -> Key {
        let number = |place: usize| Micros::try_from(place).expect("a few");
        match *self {
            Self::Poll(store, at, _) => (0, store, at),
            Self::Hours(store, version, _) => (1, store, number(version)),
            Self::Special(store, date, _) => (4, store, number(date)),
            Self::Zone(store, _) => (2, store, 0),
            Self::Label(store, ..) => (3, store, 0),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Poll(..) => Kind::Polls,
            Self::Hours(..) => Kind::BusinessHours,
            Self::Special(..) => Kind::SpecialHours,
            Self::Zone(..) => Kind::Timezones,
            Self::Label(..) => Kind::Stores,
        }
    }

    /// Its rows: the fields in the order of [`slots`], in one of the ways to write them.
    fn rows(&self, dice: &mut Dice) -> Vec<Vec<String>> {
        let id = |store: usize| IDS[store].to_owned();
        match self {
            Self::Poll(store, at, active) => {
                let at = match dice.below(4) {
                    0 => format_rfc3339(*at),
                    1 => format_rfc3339(at + 2 * HOUR).replace('Z', "+02:00"),
                    _ => format_utc(*at),
                };
                let status = if *active { "active" } else { "inactive" };
                vec![vec![id(*store), at, status.to_owned()]]
            }
            Self::Hours(store, version, rows) => {
                let row = |(day, stretch): &(u8, Stretch)| {
                    let [start, end] = times(*stretch);
                    let version = VERSIONS[*version].to_owned();
                    vec![id(*store), day.to_string(), start, end, version]
                };
                rows.iter().map(row).collect()
            }
            Self::Special(store, date, rows) => {
                let row = |(stretch, reason): &(Stretch, usize)| {
                    let [start, end] = times(*stretch);
                    let [date, reason] = [DATES[*date], REASONS[*reason]].map(str::to_owned);
                    vec![id(*store), date, start, end, reason]
                };
                rows.iter().map(row).collect()
            }
            Self::Zone(store, zone) => vec![vec![id(*store), ZONES[*zone].to_owned()]],
            Self::Label(store, [name, group, rate, target]) => {
                let texts = [NAMES[*name], NAMES[*group], RATES[*rate], TARGETS[*target]];
                let row = std::iter::once(id(*store)).chain(texts.map(str::to_owned));
                vec![row.collect()]
            }
        }
    }
}

/// The slots of a kind's columns that its words fill.
fn slots(kind: Kind) -> &'static [usize] {
    match kind {
        Kind::Polls => &[0, 1, 2],
        Kind::BusinessHours | Kind::SpecialHours => &[0, 1, 2, 3, 6],
        Kind::Timezones => &[0, 1],
        Kind::Stores => &[0, 1, 2, 3, 4],
    }
}

fn times(stretch: Stretch) -> [String; 2] {
    stretch.map_or_else(Default::default, |(start, end)| {
        [start, end].map(|hour| format!("{hour:02}:00:00"))
    })
}

fn words() -> impl Strategy<Value = Vec<Word>> {
    let poll = (0..IDS.len(), 0_i64..12, any::<bool>()).prop_map(|(store, at, active)| {
        // Now and then two of them are a microsecond apart.
        Word::Poll(store, FIRST + at / 2 * 7 * MINUTE + at % 2, active)
    });
    let stretch = || prop_oneof![1 => Just(None), 4 => (0..24_u8, 0..=24_u8).prop_map(Some)];
    let rows = prop::collection::btree_set((0..7_u8, stretch()), 1..5);
    let hours = (0..IDS.len(), 0..VERSIONS.len(), rows)
        .prop_map(|(store, version, rows)| Word::Hours(store, version, rows.into_iter().collect()));
    let rows = prop::collection::btree_set((stretch(), 0..REASONS.len()), 1..4);
    let special = (0..IDS.len(), 0..DATES.len(), rows)
        .prop_map(|(store, date, rows)| Word::Special(store, date, rows.into_iter().collect()));
    let zone = (0..IDS.len(), 0..ZONES.len()).prop_map(|(store, zone)| Word::Zone(store, zone));
    let texts = (
        0..NAMES.len(),
        0..NAMES.len(),
        0..RATES.len(),
        0..TARGETS.len(),
    );
    let label =
        (0..IDS.len(), texts).prop_map(|(store, (a, b, c, d))| Word::Label(store, [a, b, c, d]));
    prop::collection::vec(
        prop_oneof![5 => poll, 2 => hours, 2 => special, 1 => zone, 1 => label],
        0..80,
    )
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).expect("32 bits") % count
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// The words in another order, in which those on the same thing keep theirs.
fn shuffled(words: &[Word], dice: &mut Dice) -> Vec<Word> {
    let mut places: Vec<usize> = (0..words.len()).collect();
    for last in (1..places.len()).rev() {
        places.swap(last, dice.below(last + 1));
    }
    // Each key's places, in order, go to its words, in order.
    let mut of_key: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (word, &place) in words.iter().zip(&places) {
        of_key.entry(word.key()).or_default().push(place);
    }
    let mut shuffled: Vec<Option<Word>> = vec![None; words.len()];
    for places in of_key.values_mut() {
        places.sort_unstable();
        places.reverse();
    }
    for word in words {
        let place = of_key.get_mut(&word.key()).and_then(Vec::pop);
        shuffled[place.expect("one for each")] = Some(word.clone());
    }
    shuffled.into_iter().flatten().collect()
}

/// The words, with some more of those that stand when they are said again.
fn with_repeats(words: Vec<Word>, dice: &mut Dice) -> Vec<Word> {
    let mut standing: Vec<Word> = Vec::new();
    let mut said = Vec::new();
    for word in words {
        standing.retain(|known| known.key() != word.key());
        standing.push(word.clone());
        said.push(word);
        while dice.one_in(4) {
            said.push(standing[dice.below(standing.len())].clone());
        }
    }
    said
}

/// Cuts the words into calls, of which none contradicts itself.
fn calls(words: Vec<Word>, dice: &mut Dice) -> Vec<Vec<Word>> {
    let mut calls: Vec<Vec<Word>> = vec![Vec::new()];
    let longest = 1 + dice.below(20);
    for word in words {
        let call = calls.last_mut().expect("one");
        let contradicts = |other: &Word| {
            other.key() == word.key() && *other != word && word.kind() != Kind::Polls
        };
        if call.iter().any(contradicts) || dice.one_in(longest) {
            calls.push(vec![word]);
        } else {
            call.push(word);
        }
    }
    calls
}

/// One input of a call.
struct Input {
    kind: Kind,
    format: Format,
    bytes: Vec<u8>,
    rows: u64,
}

/// Cuts the rows of a call into inputs.
fn inputs(call: &[Word], dice: &mut Dice) -> Vec<Input> {
    let mut parts: Vec<(Kind, Vec<Vec<String>>)> = Vec::new();
    for word in call {
        for row in word.rows(dice) {
            match parts.last_mut() {
                Some((kind, rows)) if *kind == word.kind() && !dice.one_in(6) => rows.push(row),
                _ => parts.push((word.kind(), vec![row])),
            }
        }
    }
    parts
        .into_iter()
        .map(|(kind, rows)| Input::new(kind, &rows, dice))
        .collect()
}

impl Input {
    fn new(kind: Kind, rows: &[Vec<String>], dice: &mut Dice) -> Self {
        let (format, text) = match dice.below(3) {
            0 => (Format::Csv, csv(kind, rows, dice)),
            1 => (Format::Ndjson, objects(kind, rows, dice).join("\n")),
            _ => {
                let objects = objects(kind, rows, dice).join(",\r\n");
                (Format::JsonArray, format!("[{objects}]"))
            }
        };
        let bytes = if dice.one_in(5) {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(text.as_bytes()).expect("memory");
            gzip.finish().expect("memory")
        } else {
            text.into_bytes()
        };
        let rows = rows.len() as u64;
        Self {
            kind,
            format,
            bytes,
            rows,
        }
    }
}

/// Below a header whose columns begin anywhere.
fn csv(kind: Kind, rows: &[Vec<String>], dice: &mut Dice) -> String {
    let slots = slots(kind);
    let width = slots.len();
    let first = dice.below(width);
    let columns = (0..width).map(|place| slots[(place + first) % width]);
    let names = columns.map(|slot| kind.columns()[slot].name().to_owned());
    let end = ["\n", "\r\n", "\r"][dice.below(3)];
    let mut text = String::new();
    let turned = |row: &Vec<String>| {
        (0..width)
            .map(|place| row[(place + first) % width].clone())
            .collect()
    };
    for row in std::iter::once(names.collect()).chain(rows.iter().map(turned)) {
        let row: Vec<String> = row;
        for (place, field) in row.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            if field.contains([',', '"']) || dice.one_in(4) {
                text.push_str(&format!("\"{}\"", field.replace('"', "\"\"")));
            } else {
                text.push_str(field);
            }
        }
        text.push_str(end);
    }
    text
}

/// Objects, with numbers in place of texts that are some.
fn objects(kind: Kind, rows: &[Vec<String>], dice: &mut Dice) -> Vec<String> {
    let object = |row: &Vec<String>| {
        let columns = slots(kind).iter().map(|&slot| &kind.columns()[slot]);
        let fields = columns.zip(row).map(|(column, text)| {
            let is_number = !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && !text.starts_with("00")
                && dice.one_in(2);
            let value = if is_number {
                text.clone()
            } else {
                json!(text).to_string()
            };
            format!("\"{}\": {value}", column.name())
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    };
    rows.iter().map(object).collect()
}

fn memory() -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    db.execute_batch(include_str!("../../schema.sql"))
        .expect("a schema");
    db
}

/// Loads one call.
fn load(db: &mut Connection, inputs: &[Input]) -> Summary {
    let folder = std::env::temp_dir();
    let source = |input: &Input| Source {
        expected: Some(input.kind),
        format: input.format,
        ..Source::new("input", std::io::Cursor::new(input.bytes.clone()))
    };
    let sources: Vec<_> = inputs.iter().map(source).collect();
    let batch = batch::read(
        sources,
        MachineTime::until(FIRST + DAY),
        &Scratch::unbounded(&folder),
        &mut |_, bad| panic!("{bad}"),
    );
    let batch = batch.expect("good input");
    db::write(db, |db| load::write(db, batch)).expect("a database in memory")
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_split_in_any_order_with_repeats_makes_the_same_exports(words in words(), seed: u64) {
        let mut dice = Dice(seed);
        // Each thing once, as its last word has it.
        let mut last: BTreeMap<Key, Word> = BTreeMap::new();
        for word in &words {
            last.insert(word.key(), word.clone());
        }
        let last: Vec<_> = last.into_values().collect();
        let mut plain = memory();
        load(&mut plain, &inputs(&last, &mut dice));
        let expected = exports_of(&plain);
        let polls = last.iter().filter(|word| word.kind() == Kind::Polls).count();
        let lines = expected[0].iter().filter(|&&byte| byte == b'\n').count();
        prop_assert_eq!(lines, 1 + polls);

        let said = with_repeats(shuffled(&words, &mut dice), &mut dice);
        let mut db = memory();
        for call in calls(said, &mut dice) {
            let inputs = inputs(&call, &mut dice);
            let rows: u64 = inputs.iter().map(|input| input.rows).sum();
            let done = load(&mut db, &inputs);
            prop_assert_eq!(done.accepted + done.unchanged + done.replaced, rows);
            while dice.one_in(3) {
                let again = load(&mut db, &inputs);
                prop_assert_eq!((again.accepted, again.replaced, again.unchanged), (0, 0, rows));
            }
        }
        prop_assert_eq!(exports_of(&db), expected);
    }
}
