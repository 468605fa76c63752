//! Statements: a month of every store by day beside DuckDB's, twelve months in total, and the hot report of stores whose
//! hours change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store_monitor::db::connection::{open_reader, open_writer};
use store_monitor::db::{self, fleet, polls};
use store_monitor::uptime::interval::{DAY, Micros};
use store_monitor::uptime::poll::Poll;

use super::data::{self, Data};
use super::server::Server;
use super::table::{Against, Figure, Measure, Table, Target};
use super::{DUCKDB_QUERIES, PROCESS_RUNS, Result, SERVER_RUNS, median, program, reference, times};

/// How many days are a month here, and how many of those are twelve months.
const MONTH_DAYS: u32 = 31;
const MONTHS: u32 = 12;

/// A server's statements are a tenth of a second long: fewer runs than of reports.
const STATEMENT_RUNS: usize = 21;
const YEAR_RUNS: usize = 5;

/// A twentieth, and a third.
const IN_SERVER: Target = Target::AtMost(1.0 / 20.0);
const IN_PROCESS: Target = Target::AtMost(1.0 / 3.0);
/// What twelve months may take, in months.
const YEAR: Target = Target::AtMost(13.0);
/// What a statement may hold in memory: so many bytes a poll of its period, and so many beside.
const STATEMENT_BYTES: (u64, u64) = (8, 60_000_000);
/// What special days and versions of hours may cost the hot report.
const CALENDAR: Target = Target::AtMost(1.1);

fn month() -> Result<Data> {
    Data::make("month", 14_000, MONTH_DAYS)
}

/// The dates of a month's polls, as `statement` takes them, and one more month for each of `months` after the first.
fn dates(database: &Path, months: u32) -> Result<[String; 2]> {
    let db = open_reader(database)?;
    let first = polls::first(&db, polls::ALL_TIME)?.ok_or("no polls")?;
    let day = |day: Micros| store_monitor::civil::format_day(first.div_euclid(DAY) + day);
    let days = i64::from(MONTH_DAYS * months);
    Ok([day(0), day(days - 1)])
}

/// A month of every store by day, of a server and of a process, beside DuckDB's.
pub(crate) fn by_day(table: &mut Table) -> Result<()> {
    let month = month()?;
    let [from, to] = dates(&month.database, 1)?;
    let options = ["--from", &from, "--to", &to, "--by", "day"];
    let server = Server::start(&month.database)?;
    let order = format!("/api/statements?from={from}&to={to}&by=day");
    let csv = server.job(&order)?.csv;
    let (mut runs, mut duckdbs) = (Vec::new(), Vec::new());
    for (query, name) in DUCKDB_QUERIES {
        eprintln!("statements …");
        runs.extend(times(STATEMENT_RUNS, || server.job(&order))?);
        eprintln!("{name} …");
        let duckdb = reference::duckdb_statement(&month.folder, query, &options);
        duckdbs.push(duckdb.map(|duckdb| (name, duckdb)));
    }
    runs.extend(times(STATEMENT_RUNS, || server.job(&order))?);
    drop(server);
    let processes = times(PROCESS_RUNS, || {
        program::timed_stdout(program::statement_command(&month.database, &options))
    })?;
    let completes = median(runs.iter().map(|run| run.complete).collect());
    let received = median(runs.iter().map(|run| run.received).collect());
    let ran = median(processes.iter().map(|(_, took)| *took).collect());
    if runs.iter().any(|run| run.csv != csv) || processes.iter().any(|(text, _)| *text != csv) {
        return Err("server and process disagree about the statement".into());
    }
    for duckdb in duckdbs {
        let duckdb = match duckdb {
            Ok((_, duckdb)) if duckdb.csv != csv => {
                return Err("DuckDB disagrees about the statement".into());
            }
            Ok((name, duckdb)) => Ok((name, Measure::Time(duckdb.median))),
            Err(missing) => Err(missing),
        };
        for (what, time, target) in [
            (
                "a month by day in a server, to Complete",
                completes,
                IN_SERVER,
            ),
            (
                "the same, until the client has the CSV",
                received,
                IN_SERVER,
            ),
            ("`statement`, a new process", ran, IN_PROCESS),
        ] {
            table.add(Figure {
                what,
                measured: Measure::Time(time),
                against: Against::reference(&duckdb, target),
            });
        }
    }
    Ok(())
}

/// Twelve months of every store in total, beside one month in the same database.
pub(crate) fn twelve_months(table: &mut Table) -> Result<()> {
    let month = month()?;
    let year = repeated(&month)?;
    let in_total = |database: &Path, months: u32| -> Result<_> {
        let [from, to] = dates(&month.database, months)?;
        let options = ["--from", &from, "--to", &to];
        Ok(program::statement_command(database, &options))
    };
    eprintln!("twelve months …");
    let run = |database: &Path, months: u32| -> Result<Duration> {
        Ok(program::timed_stdout(in_total(database, months)?)?.1)
    };
    let pairs = times(YEAR_RUNS, || Ok((run(&year, 1)?, run(&year, MONTHS)?)))?;
    let (months, years) = pairs.into_iter().unzip();
    table.add(Figure {
        what: "`statement`, twelve months in total",
        measured: Measure::Time(median(years)),
        against: Against::reference(
            &Ok(("the same, one month", Measure::Time(median(months)))),
            YEAR,
        ),
    });
    let polls = u64::from(month.rows * MONTHS);
    let (each, beside) = STATEMENT_BYTES;
    for (what, months) in [
        ("the same, peak memory", MONTHS),
        ("one month, peak memory", 1),
    ] {
        let allowed = polls * u64::from(months) / u64::from(MONTHS) * each + beside;
        let allowed = Ok(("8 bytes a poll + 60 MB", Measure::Bytes(allowed)));
        table.add(Figure {
            what,
            measured: Measure::Bytes(program::peak_bytes(in_total(&year, months)?)?),
            against: Against::reference(&allowed, Target::AtMost(1.0)),
        });
    }
    data::remove_database(&year)
}

/// A database with the polls of a month twelve times, one month after the other.
fn repeated(month: &Data) -> Result<PathBuf> {
    let file = month.folder.join("twelve.db");
    eprintln!("data: twelve months …");
    data::remove_database(&file)?;
    fs::copy(&month.database, &file)?;
    let source = open_reader(&month.database)?;
    let mut target = open_writer(&file)?;
    let span = polls::ALL_TIME;
    let mut of_month = Vec::new();
    polls::for_each_within(&source, span, |at, store, status| {
        of_month.push((store, Poll::new(at, status)));
        Ok(())
    })?;
    for number in 1..i64::from(MONTHS) {
        let later = number * i64::from(MONTH_DAYS) * DAY;
        let moved = of_month
            .iter()
            .map(|&(store, poll)| Ok((store, Poll::new(poll.at() + later, poll.status()))));
        db::write(&mut target, |db| polls::add(db, moved))?;
    }
    Ok(file)
}

/// The hot report of stores with special days and changed hours, beside the same stores without them.
pub(crate) fn calendars(with: &Data, table: &mut Table) -> Result<()> {
    let without = with.folder.join("plain.db");
    let patterns = |database: &Path| -> Result<usize> {
        Ok(fleet::load(&open_reader(database)?)?.patterns().len())
    };
    with.import_plain_hours(&without)?;
    eprintln!(
        "hot reports with {} patterns and with {} …",
        patterns(&with.database)?,
        patterns(&without)?
    );
    let servers = (Server::start(&with.database)?, Server::start(&without)?);
    let pairs = times(SERVER_RUNS, || {
        Ok((servers.0.report()?.complete, servers.1.report()?.complete))
    })?;
    drop(servers);
    data::remove_database(&without)?;
    let (with, without) = pairs.into_iter().unzip();
    table.add(Figure {
        what: "report in a server, changing hours",
        measured: Measure::Time(median(with)),
        against: Against::reference(
            &Ok((
                "the same, one week for good",
                Measure::Time(median(without)),
            )),
            CALENDAR,
        ),
    });
    Ok(())
}
