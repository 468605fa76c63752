//! The report: one row a store, and the CSV made of them.
//!
//! Numbers come first and text after: the numbers are a fourth of it, and all that must be kept.
//!
//! It must never know where its inputs come from or where the CSV goes.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use super::business_hours::{Pattern, ZoneTable};
use super::fleet::{BusinessTime, Fleet, PatternIndex, Store, WindowMarks};
use super::history::{BLOCK_STORES, History};
use super::interval::{DAY, Interval, Intervals, Micros};
use super::known::Teller;
use super::pass::{self, Known, Throughout};
use super::poll::Poll;
use super::row::{Cells, Printer, cells, is_quoted};
use super::rows::{Chunk, Part, Rows, SharedRow, SharedRows};
use super::side_by_side::SideBySide;
use super::timeline::{Interpolation, REACH, Timeline, counted};
use super::window::{Coverage, WindowTotal, windows};

/// The first line of every report.
pub const HEADER: &str = "store_id,uptime_last_hour,uptime_last_day,uptime_last_week,\
                          downtime_last_hour,downtime_last_day,downtime_last_week\n";

/// A row is rarely longer: a 64-bit id, six numbers and their commas.
const ROW_BYTES: usize = 64;

/// How many stores a thread takes at a time: eight blocks of a history.
const PART_STORES: usize = 8 * BLOCK_STORES;

/// Room behind the last line, which is written longer than it is.
const ROOM_BYTES: usize = 64;

/// What a report is made of, at one instant, by one rule.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The instant at which the windows end, in microseconds since 1970 UTC.
    pub as_of: Micros,
    /// How the time between polls is filled in.
    pub rule: Interpolation,
}

/// One store's line in the report, with the coverage that pages and JSON show beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// The last hour, day and week.
    pub totals: [WindowTotal; 3],
    /// How much of each window somebody saw; none where there is no business time.
    pub coverage: [Option<Coverage>; 3],
}

impl ReportRow {
    /// The row of a store that keeps `pattern`, by the plain form: what the numbers *are*.
    ///
    /// `polls` are sorted, one an instant; those that do not count are passed over.
    pub fn new(polls: &[Poll], pattern: &Pattern, question: Question) -> Self {
        let Question { as_of, rule } = question;
        let span = Interval::new(as_of - REACH, as_of + DAY);
        let open = pattern.open(&ZoneTable::new(pattern.zone, span), span);
        let counted = counted(polls, &open, as_of);
        let timeline = Timeline::new(&counted, rule, span);
        Self::measure(&counted, timeline.as_ref(), &open, as_of)
    }

    /// The row that these make: the polls that count, the timeline they draw, and business time.
    pub fn measure(
        counted: &[Poll],
        timeline: Option<&Timeline>,
        open: &Intervals,
        as_of: Micros,
    ) -> Self {
        let windows = windows(as_of);
        Self {
            totals: windows.map(|window| WindowTotal::measure(timeline, open, window)),
            coverage: windows.map(|window| Coverage::measure(counted, open, window)),
        }
    }
}

/// A report: what its rows say, store by store.
#[derive(Clone, Debug, Default)]
pub struct Report {
    fleet: Arc<Fleet>,
    /// Of each store of the fleet, in its order.
    rows: Rows,
    /// How long they are as text.
    rows_bytes: usize,
}

/// All that a report is made of.
struct Inputs {
    fleet: Arc<Fleet>,
    business: Arc<BusinessTime>,
    history: Arc<History>,
    question: Question,
    /// Of each pattern, once a store needs it.
    marks: Vec<OnceLock<WindowMarks>>,
    steady: Vec<Steady>,
    shared: SharedRows,
}

impl Inputs {
    /// The rows of some stores, and how long their numbers are as text.
    fn part(&self, stores: &[Store]) -> (Part, usize) {
        let Question { as_of, rule } = self.question;
        let mut teller = Teller::new(&self.fleet, &self.business, &self.history, as_of, rule);
        let mut part = Part::with_capacity(stores.len());
        for store in stores {
            let known = teller.of(store);
            let steady = pass::throughout(known, || self.marks(store.pattern), as_of);
            let shared = steady.and_then(|throughout| {
                let make = || self.row(known, store.pattern);
                self.steady[store.pattern].get_or_share(throughout, &self.shared, make)
            });
            match shared {
                Some(row) => part.push_shared(row),
                None => part.push_own(self.row(known, store.pattern)),
            }
        }
        let bytes = part.numbers_bytes();
        (part, bytes)
    }

    fn marks(&self, pattern: PatternIndex) -> &WindowMarks {
        let as_of = self.question.as_of;
        self.marks[pattern].get_or_init(|| self.business.of(pattern).marks(as_of))
    }

    /// The row of a store, worked out; apart, which leaves the loop around it more registers.
    #[inline(never)]
    fn row(&self, known: Known<'_>, pattern: PatternIndex) -> Cells {
        let marks = self.marks(pattern);
        cells(&pass::totals(known, marks, self.question.as_of))
    }
}

/// The shared rows of stores that keep the same hours and were one thing throughout, each once it is found:
/// as bits, zero before.
#[derive(Default)]
struct Steady([AtomicU32; Throughout::COUNT]);

impl Steady {
    /// The shared row of such stores; none where so many are shared that no number is left.
    fn get_or_share(
        &self,
        throughout: Throughout,
        shared: &SharedRows,
        make: impl FnOnce() -> Cells,
    ) -> Option<SharedRow> {
        let place = &self.0[throughout as usize];
        SharedRow::from_bits(place.load(Ordering::Relaxed)).or_else(|| {
            // Two may come here at once: then the row stands twice, which is as good.
            let row = shared.add(make())?;
            place.store(row.to_bits(), Ordering::Relaxed);
            Some(row)
        })
    }
}

impl Report {
    /// The answer to `question`, computed side by side.
    ///
    /// `business` must be the time of `fleet` and span [`BusinessTime::span_for`] the question's
    /// `as_of`; `history` must hold every poll within [`reach`](super::timeline::reach) of it.
    pub fn new(
        fleet: &Arc<Fleet>,
        business: &Arc<BusinessTime>,
        history: &Arc<History>,
        question: Question,
        side_by_side: &impl SideBySide,
    ) -> Self {
        let (mut marks, mut steady) = (Vec::new(), Vec::new());
        marks.resize_with(fleet.patterns().len(), OnceLock::new);
        steady.resize_with(fleet.patterns().len(), Steady::default);
        let inputs = Arc::new(Inputs {
            fleet: Arc::clone(fleet),
            business: Arc::clone(business),
            history: Arc::clone(history),
            question,
            marks,
            steady,
            shared: SharedRows::default(),
        });
        let count = fleet.stores().len().div_ceil(PART_STORES);
        let made: Arc<Vec<_>> = Arc::new((0..count).map(|_| OnceLock::new()).collect());
        let (of, make) = (Arc::clone(&inputs), Arc::clone(&made));
        let work = move |part: usize| {
            let stores = of.fleet.stores().chunks(PART_STORES).nth(part);
            let (rows, bytes) = of.part(stores.unwrap_or(&[]));
            make[part].get_or_init(|| (Mutex::new(rows), bytes));
        };
        side_by_side.run(count, Arc::new(work));
        let made = made.iter().filter_map(OnceLock::get);
        let numbers_bytes: usize = made.clone().map(|(_, bytes)| bytes).sum();
        let take = |(rows, _): &(Mutex<Part>, usize)| {
            std::mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner))
        };
        Self {
            fleet: Arc::clone(fleet),
            rows: Rows::of_parts(made.map(take), &inputs.shared),
            rows_bytes: fleet.ids_bytes() + numbers_bytes,
        }
    }

    /// The stores that it is of.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Its numbers: those of each store of the fleet in turn.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// How long its CSV is, in bytes.
    pub fn csv_bytes(&self) -> usize {
        HEADER.len() + self.rows_bytes
    }

    /// Its CSV, written on `threads` threads.
    pub fn csv(&self, threads: usize) -> Vec<u8> {
        let stores = self.fleet.stores();
        let share = share(stores.len(), threads);
        let printer = Printer::get();
        let shared = self.rows.shared_lines(printer);
        let shares = stores.chunks(share).zip(self.rows.chunks(share, &shared));
        let write = |(number, (stores, rows)): (usize, (&[Store], Chunk<'_>))| {
            let mut csv = if number == 0 {
                let mut csv = Vec::with_capacity(self.csv_bytes() + ROOM_BYTES);
                csv.extend_from_slice(HEADER.as_bytes());
                csv
            } else {
                Vec::with_capacity(stores.len() * ROW_BYTES)
            };
            let ids = stores.iter().map(|store| (&*store.id, store.quoted));
            rows.print(printer, &mut csv, ids);
            csv
        };
        let mut parts = side_by_side(shares.enumerate(), write).into_iter();
        let mut csv = parts.next().unwrap_or_else(|| HEADER.into());
        parts.for_each(|part| csv.extend(part));
        csv
    }
}

/// The CSV of rows that were kept, of the stores with these ids.
pub fn csv<'a>(ids: impl ExactSizeIterator<Item = &'a str>, rows: &Rows) -> Vec<u8> {
    let mut csv = Vec::with_capacity(HEADER.len() + ids.len() * ROW_BYTES);
    csv.extend_from_slice(HEADER.as_bytes());
    let printer = Printer::get();
    let shared = rows.shared_lines(printer);
    let ids = ids.map(|id| (id, is_quoted(id)));
    let all = rows.chunks(rows.len(), &shared).next();
    if let Some(all) = all {
        all.print(printer, &mut csv, ids);
    }
    csv
}

/// How many of `stores` each of `threads` takes.
fn share(stores: usize, threads: usize) -> usize {
    stores.div_ceil(threads.max(1)).max(1)
}

/// Does the work of each share on a thread of its own, the first on this one; what they made, in order.
fn side_by_side<S: Send, T: Send>(
    shares: impl Iterator<Item = S>,
    work: impl Fn(S) -> T + Sync,
) -> Vec<T> {
    let mut shares = shares;
    let Some(first) = shares.next() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || work(share)))
            .collect();
        let mut made = vec![work(first)];
        for other in others {
            made.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    })
}
