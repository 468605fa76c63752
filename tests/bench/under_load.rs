//! The time of reports while polls come in, compared with the same without load.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use store_monitor::civil::format_utc;

use super::Result;
use super::data::Data;
use super::server::Server;
use super::table::{Against, Figure, Measure, Table, Target};

/// Polls that shall come in every second.
const POLLS_PER_SECOND: u32 = 2_000;
/// How far the stores' clocks go on from one poll to the next, so that they keep up with the machine's.
const STEP_US: i64 = 1_000_000 / POLLS_PER_SECOND as i64;

/// Reports in a row, and how often, in turns: of so many a hundredth is worth its name.
const REPORTS: usize = 400;
const TURNS: usize = 5;
/// Reports that are not counted: as many as a server keeps, so that each of the others forgets one.
const UNCOUNTED: usize = 250;

/// What the slowest hundredth may take of the same with nothing coming in.
const SLOWER: Target = Target::AtMost(3.0);
/// How much of the asked-for rate makes it that rate.
const RATE: Target = Target::AtLeast(0.99);

/// A way to send so many polls a second.
struct Shape {
    /// Polls of one request.
    polls: u32,
    /// Clients, each with a connection that stays open.
    clients: u32,
    whats: [&'static str; 3],
}

/// A gateway of a chain that collects for a while; each till by itself; and a program that runs every second.
const SHAPES: [Shape; 3] = [
    Shape {
        polls: 100,
        clients: 1,
        whats: [
            "report p50 under 20 posts/s of 100 polls",
            "report p99 under 20 posts/s of 100 polls",
            "the polls that were taken meanwhile",
        ],
    },
    Shape {
        polls: 1,
        clients: 16,
        whats: [
            "report p50 under 2,000 posts/s of a poll",
            "report p99 under 2,000 posts/s of a poll",
            "the polls that were taken meanwhile",
        ],
    },
    Shape {
        polls: 2_000,
        clients: 1,
        whats: [
            "report p50 under a post/s of 2,000 polls",
            "report p99 under a post/s of 2,000 polls",
            "the polls that were taken meanwhile",
        ],
    },
];

/// What was measured of a shape, over all turns.
#[derive(Default)]
struct Seen {
    reports: Vec<Duration>,
    polls: u32,
    lasted: Duration,
}

pub(super) fn measure(data: &Data, table: &mut Table) -> Result<()> {
    eprintln!("reports under load …");
    let server = Server::start(&data.database)?;
    let mut source = Source::new(data)?;
    reports(&server, UNCOUNTED)?;
    let (mut idle, mut loaded) = (Vec::new(), SHAPES.map(|_| Seen::default()));
    // Turn by turn, so that a slow minute of the machine is slow for all.
    for _ in 0..TURNS {
        idle.extend(reports(&server, REPORTS)?);
        for (shape, seen) in SHAPES.iter().zip(&mut loaded) {
            under(shape, &server, &mut source, seen)?;
        }
    }
    for (shape, seen) in SHAPES.iter().zip(loaded) {
        let [p50, p99, taken] = shape.whats;
        for (what, name, percent) in [
            (p50, "p50 with nothing coming in", 50),
            (p99, "p99 with nothing coming in", 99),
        ] {
            let reference = Ok((name, Measure::Time(percentile(&mut idle, percent))));
            let mut reports = seen.reports.clone();
            table.add(Figure {
                what,
                measured: Measure::Time(percentile(&mut reports, percent)),
                against: Against::reference(&reference, SLOWER),
            });
        }
        let rate = f64::from(seen.polls) / seen.lasted.as_secs_f64();
        let asked = Measure::RowsPerSecond(f64::from(POLLS_PER_SECOND));
        table.add(Figure {
            what: taken,
            measured: Measure::RowsPerSecond(rate),
            against: Against::reference(&Ok(("the rate asked for", asked)), RATE),
        });
    }
    Ok(())
}

/// From trigger to Complete, back to back.
fn reports(server: &Server, count: usize) -> Result<Vec<Duration>> {
    let report = |_| Ok(server.report()?.complete);
    (0..count).map(report).collect()
}

/// The same while polls come in; the last post is waited for.
fn under(shape: &Shape, server: &Server, source: &mut Source, seen: &mut Seen) -> Result<()> {
    let over = AtomicBool::new(false);
    let first = source.polls;
    let taken = AtomicU32::new(0);
    let start = Instant::now();
    let each = Duration::from_secs(1) * shape.polls / POLLS_PER_SECOND;
    // Each client sends every `clients`th post when its time has come, late or not.
    let client = |number: u32| -> Result<()> {
        for post in (number..).step_by(shape.clients as usize) {
            let due = start + each * post;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if over.load(Ordering::SeqCst) {
                break;
            }
            let polls = first + post * shape.polls;
            server.post("/api/polls", source.csv(polls, shape.polls).as_bytes())?;
            taken.fetch_add(shape.polls, Ordering::SeqCst);
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let client =
            |number| scope.spawn(move || client(number).map_err(|error| error.to_string()));
        let clients: Vec<_> = (0..shape.clients).map(client).collect();
        let reports = reports(server, REPORTS);
        // A post counts for the time up to the next one.
        let until = start.elapsed().as_nanos().div_ceil(each.as_nanos());
        seen.lasted += each * u32::try_from(until)?;
        over.store(true, Ordering::SeqCst);
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        seen.reports.extend(reports?);
        Ok(())
    })?;
    let taken = taken.into_inner();
    seen.polls += taken;
    // A client that was behind leaves a gap, which the next turn does not fill.
    source.polls += taken + shape.clients * shape.polls;
    Ok(())
}

/// Polls that go on where the data ends, of one store after the other.
struct Source {
    stores: Vec<String>,
    newest: i64,
    /// How many were given out.
    polls: u32,
}

impl Source {
    fn new(data: &Data) -> Result<Self> {
        let db = Connection::open_with_flags(&data.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut select = db.prepare("SELECT store_id FROM store ORDER BY key")?;
        let stores = select.query_map([], |row| row.get(0))?;
        Ok(Self {
            stores: stores.collect::<rusqlite::Result<_>>()?,
            newest: db.query_row("SELECT max(at) FROM poll", [], |row| row.get(0))?,
            polls: 0,
        })
    }

    fn csv(&self, first: u32, count: u32) -> String {
        let mut csv = "store_id,timestamp_utc,status\n".to_owned();
        for poll in first..first + count {
            let store = &self.stores[poll as usize % self.stores.len()];
            let at = self.newest + STEP_US * (i64::from(poll) + 1);
            // One in sixteen, here and there.
            let status = if poll.wrapping_mul(0x9e37_79b1) >> 28 == 0 {
                "inactive"
            } else {
                "active"
            };
            let _ = writeln!(csv, "{store},{},{status}", format_utc(at));
        }
        csv
    }
}

/// What so many in a hundred take at most.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100) - 1]
}
