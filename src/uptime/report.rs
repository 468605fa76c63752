//! The report: one row a store, and the CSV made of them.
//!
//! Numbers come first and text after: the numbers are a fourth of it, and all that must be kept.
//!
//! It must never know where its inputs come from or where the CSV goes.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use super::business_hours::{ZoneTable, open_intervals};
use super::fleet::{BusinessTime, Fleet, Pattern, PatternIndex, Store};
use super::history::History;
use super::interval::{DAY, Interval, Intervals, Micros};
use super::known::Teller;
use super::pass::{self, Throughout};
use super::poll::{Poll, Status};
use super::row::{Cells, Printer, cells, is_quoted, numbers_bytes};
use super::timeline::{Interpolation, REACH, Timeline, counted};
use super::window::{Coverage, WindowTotal, windows};

/// The first line of every report.
pub const HEADER: &str = "store_id,uptime_last_hour,uptime_last_day,uptime_last_week,\
                          downtime_last_hour,downtime_last_day,downtime_last_week\n";

/// A row is rarely longer: a 64-bit id, six numbers and their commas.
const ROW_BYTES: usize = 64;

/// How much work is worth a thread of its own, which takes a good part of a millisecond to begin: in stores
/// whose flips are kept, and polls of others.
const THREAD_WORK: usize = 1 << 14;

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
        let open = open_intervals(&ZoneTable::new(pattern.zone, span), &pattern.rows, span);
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
    rows: Vec<Cells>,
    /// How long they are as text.
    rows_bytes: usize,
}

/// The rows of stores whose status did not change, worked out once for all that keep the same hours.
struct SteadyRows(Vec<[Option<Cells>; 3]>);

impl SteadyRows {
    fn new(patterns: usize) -> Self {
        Self(vec![[None; 3]; patterns])
    }

    fn get_or_make(
        &mut self,
        pattern: PatternIndex,
        throughout: Throughout,
        make: impl FnOnce() -> Cells,
    ) -> Cells {
        let row = match throughout {
            Throughout::Unknown => 0,
            Throughout::Was(Status::Active) => 1,
            Throughout::Was(Status::Inactive) => 2,
        };
        *self.0[pattern][row].get_or_insert_with(make)
    }
}

impl Report {
    /// The answer to `question`, computed on `threads` threads.
    ///
    /// `business` must be the time of `fleet` and span [`BusinessTime::span_for`] the question's
    /// `as_of`; `history` must hold every poll within [`reach`](super::timeline::reach) of it.
    pub fn new(
        fleet: &Arc<Fleet>,
        business: &Arc<BusinessTime>,
        history: &History,
        question: Question,
        threads: usize,
    ) -> Self {
        let Question { as_of, rule } = question;
        let marks = |pattern| business.of(pattern).marks(as_of);
        let marks: Vec<_> = (0..fleet.patterns().len()).map(marks).collect();
        let stores = fleet.stores();
        let mut rows = vec![Cells::default(); stores.len()];
        let work = stores.len() + history.unwalked(business, rule);
        let share = share(stores.len(), threads.min(1 + work / THREAD_WORK));
        let compute = |(stores, rows): (&[Store], &mut [Cells])| {
            let mut teller = Teller::new(fleet, business, history, as_of, rule);
            let mut steady = SteadyRows::new(marks.len());
            for (store, row) in stores.iter().zip(rows.iter_mut()) {
                let (known, marks) = (teller.of(store), &marks[store.pattern]);
                let work_out = || cells(&pass::totals(known, marks, as_of));
                *row = match pass::throughout(known, marks, as_of) {
                    Some(throughout) => steady.get_or_make(store.pattern, throughout, work_out),
                    None => work_out(),
                };
            }
            numbers_bytes(rows)
        };
        let shares = stores.chunks(share).zip(rows.chunks_mut(share));
        let numbers_bytes: usize = side_by_side(shares, compute).iter().sum();
        Self {
            fleet: Arc::clone(fleet),
            rows,
            rows_bytes: fleet.ids_bytes() + numbers_bytes,
        }
    }

    /// The stores that it is of.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Its numbers: those of each store of the fleet in turn.
    pub fn rows(&self) -> &[Cells] {
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
        let shares = stores.chunks(share).zip(self.rows.chunks(share));
        let write = |(number, (stores, rows)): (usize, (&[Store], &[Cells]))| {
            let mut csv = if number == 0 {
                let mut csv = Vec::with_capacity(self.csv_bytes());
                csv.extend_from_slice(HEADER.as_bytes());
                csv
            } else {
                Vec::with_capacity(stores.len() * ROW_BYTES)
            };
            let ids = stores.iter().map(|store| (&*store.id, store.quoted));
            print(&mut csv, ids, rows);
            csv
        };
        let mut parts = side_by_side(shares.enumerate(), write).into_iter();
        let mut csv = parts.next().unwrap_or_else(|| HEADER.into());
        parts.for_each(|part| csv.extend(part));
        csv
    }
}

/// The CSV of rows that were kept, of the stores with these ids.
pub fn csv<'a>(ids: impl ExactSizeIterator<Item = &'a str>, rows: &[Cells]) -> Vec<u8> {
    let mut csv = Vec::with_capacity(HEADER.len() + ids.len() * ROW_BYTES);
    csv.extend_from_slice(HEADER.as_bytes());
    print(&mut csv, ids.map(|id| (id, is_quoted(id))), rows);
    csv
}

/// Appends rows; an id comes with whether it must be quoted.
fn print<'a>(csv: &mut Vec<u8>, ids: impl Iterator<Item = (&'a str, bool)>, rows: &[Cells]) {
    let printer = Printer::get();
    for ((id, quoted), row) in ids.zip(rows) {
        printer.print(csv, id, quoted, row);
    }
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
