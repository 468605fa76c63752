//! The report: one row a store, and the CSV made of them.
//!
//! It must never know where its inputs come from or where the CSV goes.

use std::sync::Arc;
use std::thread;

use super::business_hours::{ZoneTable, open_intervals};
use super::fleet::{BusinessTime, Fleet, Pattern, Store};
use super::history::History;
use super::interval::{DAY, Interval, Micros};
use super::known::Teller;
use super::pass;
use super::poll::Poll;
use super::row::Printer;
use super::timeline::{Interpolation, REACH, Timeline, counted};
use super::window::{Coverage, WindowTotal, windows};

/// The first line of every report.
pub const HEADER: &str = "store_id,uptime_last_hour,uptime_last_day,uptime_last_week,\
                          downtime_last_hour,downtime_last_day,downtime_last_week\n";

/// A row is rarely longer: a 64-bit id, six numbers and their commas.
const ROW_BYTES: usize = 64;

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
        let windows = windows(as_of);
        Self {
            totals: windows.map(|window| WindowTotal::measure(timeline.as_ref(), &open, window)),
            coverage: windows.map(|window| Coverage::measure(&counted, &open, window)),
        }
    }
}

/// The report as CSV, computed on `threads` threads.
///
/// `business` must be the time of `fleet` and span [`BusinessTime::span_for`] the question's `as_of`;
/// `history` must hold every poll within [`reach`](super::timeline::reach) of it.
pub fn csv(
    fleet: &Fleet,
    business: &Arc<BusinessTime>,
    history: &History,
    question: Question,
    threads: usize,
) -> Vec<u8> {
    let Question { as_of, rule } = question;
    let marks = |pattern| business.of(pattern).marks(as_of);
    let marks: Vec<_> = (0..fleet.patterns().len()).map(marks).collect();
    let printer = Printer::get();
    let print = |stores: &[Store], csv: &mut Vec<u8>| {
        let mut teller = Teller::new(fleet, business, history, as_of, rule);
        for store in stores {
            let known = teller.of(store);
            let totals = pass::totals(known, &marks[store.pattern], as_of);
            printer.print(csv, &store.id, store.quoted, &totals);
        }
    };
    let stores = fleet.stores();
    let share = stores.len().div_ceil(threads.max(1)).max(1);
    let mut shares = stores.chunks(share);
    let first = shares.next().unwrap_or(&[]);
    thread::scope(|scope| {
        let print_apart = |share: &[Store]| {
            let mut csv = Vec::with_capacity(share.len() * ROW_BYTES);
            print(share, &mut csv);
            csv
        };
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || print_apart(share)))
            .collect();
        let mut csv = Vec::with_capacity(HEADER.len() + stores.len() * ROW_BYTES);
        csv.extend_from_slice(HEADER.as_bytes());
        print(first, &mut csv);
        for other in others {
            match other.join() {
                Ok(rows) => csv.extend(rows),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        csv
    })
}
