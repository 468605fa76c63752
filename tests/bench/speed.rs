//! Speed and size: one table with each figure beside its reference, all from one run.
//!
//! `cargo bench` runs it; `cargo bench -- intake` a part of it. Nothing is asserted; parts that the machine lacks are
//! reported and skipped. The program is measured from outside, as its users have it.

mod data;
mod floor;
mod intake;
mod program;
mod reference;
mod server;
mod statement;
mod table;
mod under_load;

use std::error::Error;
use std::iter;
use std::path::Path;
use std::time::Duration;

use data::Data;
use server::Server;
use table::{Against, Figure, Measure, Table, Target};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SERVER_RUNS: usize = 101;
const PROCESS_RUNS: usize = 11;
const FLOOR_RUNS: usize = 31;
const LARGE_RUNS: usize = 7;
const IMPORT_RUNS: usize = 7;

/// The query that SQL promises the rows of, and a faster one that needs DuckDB to keep them in order.
const DUCKDB_QUERIES: [(&str, &str); 2] = [
    ("window", "DuckDB, standard SQL"),
    ("streams", "DuckDB, relying on row order"),
];

/// The orders in which people have their polls, and the lines of an import in each.
const ORDERS: [(&str, &str, &str); 3] = [
    ("time", "`import` by time, durable", "the same, by time"),
    ("store", "`import` by store, durable", "the same, by store"),
    (
        "shuffled",
        "`import` shuffled, durable",
        "the same, shuffled",
    ),
];

/// A sixtieth.
const HOT: Target = Target::AtMost(1.0 / 60.0);
/// Two thirds.
const COLD: Target = Target::AtMost(1.0 / 1.5);
/// What a whole report may take of what none can do without.
const FLOOR: Target = Target::AtMost(2.5);
/// What a hundred times the stores may take, in parts of a hundred times.
const SCALE: f64 = 1.15;
/// What memory may hold: so many bytes a poll, and so many beside.
const RESIDENT_BYTES: (u64, u64) = (12, 60_000_000);
/// How many stores a second server is measured with, if this variable says so.
const STORES_VARIABLE: &str = "BENCH_STORES";
/// No slower than the reference, no larger than the file.
const NO_MORE: Target = Target::AtMost(1.0);
/// What ten times the history may cost.
const HISTORY: Target = Target::AtMost(1.2);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        eprintln!("nothing is measured here: `cargo bench` does that");
        return Ok(());
    }
    // Without a part's name all are run.
    let named = arguments.iter().any(|argument| !argument.starts_with('-'));
    let wants = |part: &str| !named || arguments.iter().any(|argument| argument == part);
    let data = Data::make("chain", 14_000, 8)?;
    let mut table = Table::default();
    if wants("reports") {
        reports(&data, &mut table)?;
    }
    if wants("imports") {
        imports(&data, &mut table)?;
    }
    if wants("intake") {
        intake::measure(&data, &mut table)?;
    }
    if wants("under-load") {
        under_load::measure(&data, &mut table)?;
    }
    if wants("history") {
        history(&mut table)?;
    }
    if wants("statements") {
        statement::by_day(&mut table)?;
    }
    if wants("months") {
        statement::twelve_months(&mut table)?;
    }
    if wants("calendars") {
        statement::calendars(&data, &mut table)?;
    }
    table.print(&data);
    Ok(())
}

/// A report of a server and of a process, beside DuckDB's over the same rows.
fn reports(data: &Data, table: &mut Table) -> Result<()> {
    // In turns, so that a slow minute of the machine shows in either.
    let server = Server::start(&data.database)?;
    let csv = server.report()?.csv;
    let (mut runs, mut duckdbs) = (Vec::new(), Vec::new());
    for query in DUCKDB_QUERIES {
        eprintln!("reports …");
        runs.extend(times(SERVER_RUNS, || server.report())?);
        duckdbs.push(duckdb(data, query));
    }
    runs.extend(times(SERVER_RUNS, || server.report())?);
    let resident = server.resident_bytes();
    drop(server);
    let floor = floor::floor(&data.database, FLOOR_RUNS)?;
    let processes = times(PROCESS_RUNS, || program::report(&data.database))?;
    let peak = program::peak_bytes(program::report_command(&data.database));
    let restarts = times(PROCESS_RUNS, || {
        let server = Server::start(&data.database)?;
        Ok(server.report()?.told - server.started)
    })?;

    let completes = median(runs.iter().map(|run| run.complete).collect());
    let received = median(runs.iter().map(|run| run.received).collect());
    let ran = median(processes.iter().map(|run| run.took).collect());
    let restarted = median(restarts);
    for duckdb in duckdbs {
        let duckdb = match duckdb {
            Ok((_, duckdb)) if duckdb.csv != csv || processes.iter().any(|run| run.csv != csv) => {
                return Err("DuckDB, server and process disagree about the report".into());
            }
            Ok((name, duckdb)) => Ok((name, Measure::Time(duckdb.median))),
            Err(missing) => Err(missing),
        };
        for (what, time, target) in [
            ("report in a server, trigger to Complete", completes, HOT),
            ("the same, trigger to client has the CSV", received, NO_MORE),
            ("`report`, a new process, warm page cache", ran, COLD),
            (
                "first report of a server, from its start",
                restarted,
                NO_MORE,
            ),
        ] {
            table.add(Figure {
                what,
                measured: Measure::Time(time),
                against: Against::reference(&duckdb, target),
            });
        }
    }
    let count_and_print = Ok(("floor: count flips, print rows", Measure::Time(floor.floor)));
    for (what, time) in [
        ("report in a server, trigger to Complete", completes),
        ("the computing in it, flips kept", floor.pass),
        ("the same, from the polls alone", floor.afresh),
    ] {
        table.add(Figure {
            what,
            measured: Measure::Time(time),
            against: Against::reference(&count_and_print, FLOOR),
        });
    }
    let (each, beside) = RESIDENT_BYTES;
    let allowed = Measure::Bytes(floor.polls * each + beside);
    table.add(Figure {
        what: "memory of a server, after reports",
        measured: Measure::Bytes(resident?),
        against: Against::reference(&Ok(("12 bytes a poll + 60 MB", allowed)), NO_MORE),
    });
    table.add(memory("`report`, peak memory", peak, data));
    if let Some(stores) = std::env::var_os(STORES_VARIABLE) {
        let stores = stores.to_string_lossy().parse()?;
        table.add(scale(stores, data, completes)?);
    }
    Ok(())
}

/// DuckDB's report by one query, and what to call it.
fn duckdb(
    data: &Data,
    (query, name): (&str, &'static str),
) -> Result<(&'static str, reference::DuckDb)> {
    eprintln!("{name} …");
    Ok((name, reference::duckdb(&data.folder, query)?))
}

/// The same report for more stores.
fn scale(stores: u32, small: &Data, completes: Duration) -> Result<Figure> {
    let large = Data::make("chain-large", stores, small.size.1)?;
    eprintln!("reports of {stores} stores …");
    let server = Server::start(&large.database)?;
    let runs = times(LARGE_RUNS, || Ok(server.report()?.complete))?;
    let times_the_stores = f64::from(stores) / f64::from(small.size.0);
    Ok(Figure {
        what: "report in a server, BENCH_STORES stores",
        measured: Measure::Time(median(runs)),
        against: Against::reference(
            &Ok(("the same, 14,000 stores", Measure::Time(completes))),
            Target::AtMost(SCALE * times_the_stores),
        ),
    })
}

/// Imports of the same polls in three orders, each beside sqlite3's and DuckDB's of the same file.
fn imports(data: &Data, table: &mut Table) -> Result<()> {
    for (order, what, again) in ORDERS {
        eprintln!("imports by {order} …");
        import(data, order, what, again, table)?;
    }
    Ok(())
}

/// Imports of the polls in one order, durable at their end.
fn import(
    data: &Data,
    order: &str,
    what: &'static str,
    again: &'static str,
    table: &mut Table,
) -> Result<()> {
    let (polls, into) = (data.polls_by(order)?, data.folder.join("imported.db"));
    let mut ours = Vec::new();
    let (mut sqlite, mut duckdb) = (Ok(Vec::new()), Ok(Vec::new()));
    // Turn by turn, so that a slow minute of the machine is slow for all.
    for _ in 0..IMPORT_RUNS {
        data::remove_database(&into)?;
        ours.push(program::import(&polls, &into)?);
        reference_run(&mut sqlite, &into, || {
            reference::sqlite_import(&polls, &into)
        })?;
        reference_run(&mut duckdb, &into, || {
            reference::duckdb_import(&polls, &into, data.rows)
        })?;
    }
    data::remove_database(&into)?;
    let peak = program::peak_bytes(program::import_command(&[&polls], &into));
    data::remove_database(&into)?;

    let took = median(ours);
    let rate = |time: Duration| Measure::RowsPerSecond(f64::from(data.rows) / time.as_secs_f64());
    let sqlite = sqlite.map(|times| ("sqlite3 .import, no key, no checks", rate(median(times))));
    table.add(Figure {
        what,
        measured: rate(took),
        against: Against::reference(&sqlite, Target::AtLeast(4.0)),
    });
    let duckdb = duckdb.map(|times| {
        (
            "DuckDB read_csv, no key, no checks",
            Measure::Time(median(times)),
        )
    });
    table.add(Figure {
        what: again,
        measured: Measure::Time(took),
        against: Against::reference(&duckdb, Target::AtMost(1.5)),
    });
    table.add(memory("`import`, peak memory", peak, data));
    Ok(())
}

/// One more run of a reference into a new database, unless it is missing.
fn reference_run(
    times: &mut Result<Vec<Duration>>,
    into: &Path,
    run: impl FnOnce() -> Result<Duration>,
) -> Result<()> {
    if let Ok(took) = times {
        data::remove_database(into)?;
        match run() {
            Ok(time) => took.push(time),
            Err(missing) => *times = Err(missing),
        }
    }
    Ok(())
}

/// The same stores with ten times the days behind them.
fn history(table: &mut Table) -> Result<()> {
    let short = Data::make("history-short", 2_800, 8)?;
    let long = Data::make("history-long", 2_800, 80)?;
    eprintln!("history …");
    let process = |data: &Data| Ok(program::report(&data.database)?.took);
    let (a, b) = turn_by_turn(PROCESS_RUNS, || process(&short), || process(&long))?;
    table.add(compare_history("`report`, 80 days in the database", b, a));

    let servers = (
        Server::start(&short.database)?,
        Server::start(&long.database)?,
    );
    let (a, b) = turn_by_turn(
        SERVER_RUNS,
        || Ok(servers.0.report()?.complete),
        || Ok(servers.1.report()?.complete),
    )?;
    table.add(compare_history("report in a server, 80 days", b, a));
    Ok(())
}

fn compare_history(what: &'static str, long: Duration, short: Duration) -> Figure {
    let reference = Ok(("the same with 8 days", Measure::Time(short)));
    Figure {
        what,
        measured: Measure::Time(long),
        against: Against::reference(&reference, HISTORY),
    }
}

fn memory(what: &'static str, peak: Result<u64>, data: &Data) -> Figure {
    let reference = Ok(("the polls as CSV", Measure::Bytes(data.bytes)));
    match peak {
        Ok(bytes) => Figure {
            what,
            measured: Measure::Bytes(bytes),
            against: Against::reference(&reference, NO_MORE),
        },
        Err(missing) => Figure {
            what,
            measured: Measure::Unknown,
            against: Against::Missing(missing.to_string()),
        },
    }
}

/// What `runs` runs gave, after one that is not counted.
fn times<T>(runs: usize, mut run: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
    run()?;
    iter::repeat_with(run).take(runs).collect()
}

/// The medians of two that are run in turns, after one run each that is not counted.
fn turn_by_turn(
    runs: usize,
    mut one: impl FnMut() -> Result<Duration>,
    mut other: impl FnMut() -> Result<Duration>,
) -> Result<(Duration, Duration)> {
    let pairs = times(runs, || Ok((one()?, other()?)))?;
    let (one, other) = pairs.into_iter().unzip();
    Ok((median(one), median(other)))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Where the program's target folder is.
fn target() -> &'static Path {
    let inside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    inside.parent().unwrap_or(inside)
}
