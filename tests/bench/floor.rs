//! The floor: the least work of any report, done in this process on the same polls.
//!
//! It is one pass over every poll that only counts changes of status, and the CSV of given numbers, each on two
//! threads.

use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use store_monitor::db::connection::open_reader;
use store_monitor::db::polls;
use store_monitor::hot_window::{Inputs, read_inputs};
use store_monitor::product::Product;
use store_monitor::product::report::FleetReport;
use store_monitor::render::csv;
use store_monitor::render::store_list::StoreList;
use store_monitor::uptime::fleet::{BusinessTime, Store};
use store_monitor::uptime::interval::HOUR;
use store_monitor::uptime::report::Question;
use store_monitor::uptime::row::cells;
use store_monitor::uptime::timeline::Interpolation;
use store_monitor::uptime::window::{PerWindow, WindowTotal, reach};

use super::{Result, median};

const THREADS: usize = 2;

/// What was measured in this process, as medians.
pub(crate) struct Floor {
    /// Counting changes and writing rows: nothing else.
    pub(crate) floor: Duration,
    /// A report's computation whose flips are kept, without the job around it.
    pub(crate) pass: Duration,
    /// The same from the polls alone.
    pub(crate) afresh: Duration,
    /// How many polls there were.
    pub(crate) polls: u64,
}

pub(crate) fn floor(database: &Path, runs: usize) -> Result<Floor> {
    let mut db = open_reader(database)?;
    let as_of = polls::newest(&db)?.ok_or("no polls")?;
    let question = Question {
        as_of,
        rule: Interpolation::Nearest,
    };
    let inputs = read_inputs(&mut db, as_of)?;
    let report = || black_box(render(&inputs, question));
    let afresh = || {
        // Another expansion of business time, to which no kept flips belong.
        let business = BusinessTime::new(&inputs.fleet, inputs.business.span());
        let inputs = Inputs {
            business: business.into(),
            ..inputs.clone()
        };
        time(|| drop(black_box(render(&inputs, question))))
    };
    let (mut floors, mut passes, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        all.push(afresh());
        report();
        passes.push(time(|| drop(report())));
        count_and_print(&inputs, question);
        floors.push(time(|| drop(count_and_print(&inputs, question))));
    }
    Ok(Floor {
        floor: median(floors),
        pass: median(passes),
        afresh: median(all),
        polls: inputs.history.len() as u64,
    })
}

fn render(inputs: &Inputs, question: Question) -> Vec<u8> {
    FleetReport::new(inputs, question, THREADS).csv()
}

fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// Counts changes of status, and writes a row a store.
fn count_and_print(inputs: &Inputs, question: Question) -> Vec<Vec<u8>> {
    let span = reach(question.as_of);
    let share = |stores: &[Store]| {
        let (mut flips, mut rows, mut apart) = (0, Vec::with_capacity(stores.len()), Vec::new());
        for store in stores {
            let polls = inputs.history.of(store.key, span, &mut apart);
            let pairs = polls.iter().zip(polls.iter().skip(1));
            flips += pairs
                .filter(|(a, b)| a.is_active() != b.is_active())
                .count();
            let known = WindowTotal::Known {
                uptime: HOUR / 3,
                downtime: HOUR / 2,
            };
            rows.push(cells(&PerWindow::new(|_| known)));
        }
        black_box(flips);
        let ids = StoreList::new(stores.iter().map(|store| &*store.id));
        csv::report(&ids, &rows, 1)
    };
    let stores = inputs.fleet.stores();
    thread::scope(|scope| {
        let shares = stores.chunks(stores.len().div_ceil(THREADS).max(1));
        let threads: Vec<_> = shares
            .map(|stores| scope.spawn(move || share(stores)))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    })
}
