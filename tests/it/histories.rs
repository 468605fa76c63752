//! A thousand random histories of a database. After any changes in any order, three reports have the same bytes:
//! from memory, read afresh, and by the plain form.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::Connection;

use store_monitor::civil::format_utc;
use store_monitor::db::audit::Author;
use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::polls::PollChange;
use store_monitor::db::{self, check, fleet, forget, packed, polls};
use store_monitor::hot_window::{HotWindow, read_inputs};
use store_monitor::ingest::batch;
use store_monitor::ingest::load;
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::source::Source;
use store_monitor::product::Product;
use store_monitor::product::report::FleetReport;
use store_monitor::render::csv;
use store_monitor::render::store_list::StoreList;
use store_monitor::scratch::Scratch;
use store_monitor::uptime::interval::{DAY, HOUR, MINUTE, Micros};
use store_monitor::uptime::poll::Poll;
use store_monitor::uptime::report::{Question, ReportRow};
use store_monitor::uptime::row::cells;
use store_monitor::uptime::timeline::Interpolation;

const HISTORIES: u64 = 1000;

/// How many things happen in each.
const STEPS: usize = 12;

/// Where they begin: a day before clocks change in some of the zones.
const START: Micros = 1_793_404_800_000_000;

const STORES: [&str; 5] = ["one", "two", "a,\"b\"", "four", "=5"];

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a bound");
        i64::try_from((mixed ^ (mixed >> 31)) % bound).expect("small")
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let length = i64::try_from(of.len()).expect("short");
        &of[usize::try_from(self.below(length)).expect("a place")]
    }
}

/// A database, a memory that follows it, and what becomes of both.
struct History {
    random: Random,
    db: Connection,
    /// The memory of a server, and its own connection.
    hot: HotWindow,
    reader: Connection,
    newest: Micros,
    log: Vec<String>,
}

impl History {
    /// Loads files in one call, as `import` and the server do; memory may hear of it, or find out.
    fn load(&mut self, files: &[String]) {
        let sources = files
            .iter()
            .map(|text| Source::new("rows.csv", text.as_bytes()));
        let folder = std::env::temp_dir();
        let batch = batch::read(
            sources,
            MachineTime::until(Micros::MAX / 4),
            &Scratch::unbounded(&folder),
            &mut |_, bad| panic!("a bad row: {}", bad.reason),
        );
        let batch = batch.expect("good rows");
        let summary = db::write(&mut self.db, |db| load::write(db, batch)).expect("written");
        self.tell(summary.change);
    }

    /// Memory hears of most changes, as of a server's own; of the others it must find out itself.
    fn tell(&mut self, change: Option<PollChange>) {
        if let Some(change) = change
            && self.random.below(4) > 0
        {
            self.hot.note(change);
        }
    }

    fn status(&mut self) -> &'static str {
        // Mostly up, so that there are long runs of one status.
        if self.random.below(4) == 0 {
            "inactive"
        } else {
            "active"
        }
    }

    /// Polls of the stretch that begins at `from`, in a random order.
    fn polls(&mut self, count: i64, from: Micros, length: Micros) -> String {
        let mut csv = String::from("store_id,status,timestamp_utc\n");
        for _ in 0..count {
            let at = from + self.random.below(length);
            self.newest = self.newest.max(at);
            let (status, store) = (self.status(), *self.random.pick(&STORES));
            let store = store.replace('"', "\"\"");
            csv.push_str(&format!("\"{store}\",{status},{}\n", format_utc(at)));
        }
        csv
    }

    fn import(&mut self) -> String {
        let from = self.newest - self.random.below(9 * DAY);
        let count = 1 + self.random.below(300);
        let text = self.polls(count, from, 1 + self.newest - from + DAY / 2);
        self.load(&[text]);
        format!("import of {count}")
    }

    fn ingest(&mut self) -> String {
        let count = 1 + self.random.below(20);
        let text = self.polls(count, self.newest, 2 * HOUR);
        self.load(&[text]);
        format!("ingest of {count}")
    }

    /// So many polls of one hour that it is packed, and sometimes that a block is laid out anew.
    fn burst(&mut self) -> String {
        let count = if self.random.below(12) == 0 { 1300 } else { 80 };
        let hour = (self.newest - self.random.below(8 * DAY)) / HOUR * HOUR;
        let text = self.polls(count, hour, HOUR);
        self.load(&[text]);
        format!("burst of {count}")
    }

    /// Says of polls that are there the opposite of what they said.
    fn replacement(&mut self) -> String {
        let share = 1 + self.random.below(30);
        let mut known = Vec::new();
        polls::for_each(&self.db, |at, store, status| {
            known.push((store, Poll::new(at, status)));
            Ok(())
        })
        .expect("polls");
        known.retain(|_| self.random.below(share) == 0);
        let other = |(store, poll): &(u32, Poll)| {
            use store_monitor::uptime::poll::Status::{Active, Inactive};
            let status = if poll.is_active() { Inactive } else { Active };
            Ok((*store, Poll::new(poll.at(), status)))
        };
        let changed: Vec<_> = known.iter().map(other).collect();
        let added = db::write(&mut self.db, |db| polls::add(db, changed)).expect("replaced");
        assert_eq!(added.polls.replaced, known.len() as u64);
        self.tell(added.change);
        format!("{} replacements", known.len())
    }

    fn hours(&mut self) -> String {
        let zones = [
            "America/New_York",
            "Asia/Kolkata",
            "Pacific/Apia",
            "UTC",
            "Europe/London",
        ];
        let store = self.random.pick(&STORES).replace('"', "\"\"");
        let zone = *self.random.pick(&zones);
        let mut csv = String::from("store_id,day,start_time_local,end_time_local\n");
        for day in 0..7 {
            let mut minute = || {
                let minutes = self.random.below(DAY / MINUTE);
                format!("{:02}:{:02}:00", minutes / 60, minutes % 60)
            };
            csv.push_str(&format!("\"{store}\",{day},{},{}\n", minute(), minute()));
        }
        self.load(&[csv, format!("store_id,timezone_str\n\"{store}\",{zone}\n")]);
        "hours".to_owned()
    }

    fn deletion(&mut self) -> String {
        let store = *self.random.pick(&STORES);
        let gone = db::write(&mut self.db, |db| forget::store(db, store)).expect("deleted");
        format!("deletion of {store}: {gone:?}")
    }

    fn retention(&mut self) -> String {
        let before = self.newest - self.random.below(12 * DAY);
        let gone = db::write(&mut self.db, |db| {
            forget::prune_some(db, before, &Author::command(0))
        })
        .expect("pruned");
        format!("retention of {gone}")
    }

    fn step(&mut self) {
        let what = match self.random.below(12) {
            0 | 1 => self.import(),
            2..=4 => self.ingest(),
            5 | 6 => self.burst(),
            7 | 8 => self.replacement(),
            9 => self.hours(),
            10 if self.random.below(2) == 0 => self.deletion(),
            10 => self.retention(),
            _ => {
                packed::pack_all(&mut self.db, Duration::MAX).expect("packed");
                "packing".to_owned()
            }
        };
        self.log.push(what);
    }

    /// Makes one report three ways.
    fn report(&mut self) {
        let back = *self.random.pick(&[1, 1, 5 * HOUR, 3 * DAY, 11 * DAY]);
        let as_of = match self.random.below(3) {
            0 => polls::newest(&self.db).expect("polls").unwrap_or(START),
            _ => self.newest + HOUR - self.random.below(back + HOUR),
        };
        let rule = *self.random.pick(&Interpolation::ALL);
        let question = Question { as_of, rule };
        let hot = self.hot.inputs(&mut self.reader, as_of).expect("inputs");
        let hot = FleetReport::new(&hot, question, 2);
        let cold = read_inputs(&mut self.reader, as_of).expect("inputs");
        let cold = FleetReport::new(&cold, question, 1);
        let text = |report: FleetReport| String::from_utf8(report.csv()).expect("text");
        let (hot, cold, plain) = (text(hot), text(cold), plain(&self.db, question));
        assert_eq!(cold, plain, "afresh, {question:?} after {:#?}", self.log);
        assert_eq!(hot, cold, "from memory, {question:?} after {:#?}", self.log);
    }
}

/// The report by the plain form, from rows alone.
fn plain(db: &Connection, question: Question) -> String {
    let mut of_store: HashMap<u32, Vec<Poll>> = HashMap::new();
    let mut select = db
        .prepare_cached("SELECT store, at, active FROM poll ORDER BY at")
        .expect("a query");
    let mut rows = select.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        use store_monitor::uptime::poll::Status::{Active, Inactive};
        let active: bool = row.get(2).expect("a status");
        let status = if active { Active } else { Inactive };
        let poll = Poll::new(row.get(1).expect("an instant"), status);
        of_store
            .entry(row.get(0).expect("a key"))
            .or_default()
            .push(poll);
    }
    let fleet = fleet::load(db).expect("a fleet");
    let mut rows = Vec::new();
    for store in fleet.stores() {
        let polls = of_store.remove(&store.key).unwrap_or_default();
        let row = ReportRow::new(&polls, &fleet.patterns()[store.pattern], question);
        rows.push(cells(&row.totals));
    }
    let ids = StoreList::new(fleet.stores().iter().map(|store| &*store.id));
    String::from_utf8(csv::report(&ids, &rows, 1)).expect("text")
}

fn live(seed: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.db");
    let db = open_writer(&file).expect("a database");
    // Nothing here is about power cuts.
    db.pragma_update(None, "synchronous", "OFF")
        .expect("a setting");
    let mut history = History {
        random: Random(seed),
        reader: open_reader(&file).expect("a reader"),
        db,
        hot: HotWindow::default(),
        newest: START,
        log: vec![format!("seed {seed}")],
    };
    for _ in 0..STEPS {
        history.step();
        if history.random.below(3) > 0 {
            history.report();
        }
    }
    history.report();
    let findings = check::findings(&history.db, &mut |_| ());
    assert!(findings.is_empty(), "{findings:?} after {:#?}", history.log);
}

/// A quarter each, so that they can be lived side by side.
fn quarter(number: u64) {
    for seed in (number..HISTORIES).step_by(4) {
        live(seed);
    }
}

#[test]
fn memory_database_and_plain_form_agree_through_a_thousand_histories_first_quarter() {
    quarter(0);
}

#[test]
fn memory_database_and_plain_form_agree_through_a_thousand_histories_second_quarter() {
    quarter(1);
}

#[test]
fn memory_database_and_plain_form_agree_through_a_thousand_histories_third_quarter() {
    quarter(2);
}

#[test]
fn memory_database_and_plain_form_agree_through_a_thousand_histories_last_quarter() {
    quarter(3);
}
