//! `demo`: serves a temporary database of a small chain. Its recorded week is moved so that it ends now, and its stores
//! are polled on while time runs faster than the machine's.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::configuration::Configuration;
use super::import::load_all;
use super::output::note;
use super::serve::{Simulation, serve};
use super::server_options::ServerOptions;
use crate::civil;
use crate::clock::{self, Clock};
use crate::db::connection::open_writer;
use crate::db::fleet;
use crate::db::writer::Writer;
use crate::error::{Error, Result};
use crate::generate::chain::{Chain, Member};
use crate::http::frontend::socket::Address;
use crate::ingest::import::{self, Choices};
use crate::ingest::load;
use crate::ingest::machine_time::MachineTime;
use crate::ingest::seed::{self, Recorded};
use crate::ingest::source::Source;
use crate::scratch::Scratch;
use crate::uptime::business_hours::{Pattern, ZoneTable};
use crate::uptime::interval::{DAY, HOUR, Interval, Micros};

const HEADER: &str = "store_id,status,timestamp_utc\n";

/// How far the past reaches back: four whole weeks, with the lead-in of the first one's report.
const PAST: Micros = 37 * DAY;

/// How often polls are stored in an hour of the clock.
const LOOKS_AN_HOUR: Micros = 8;

/// The options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many times faster than the machine's clock time runs: at 900, an hour takes four seconds
    #[arg(
        long,
        env = "STORE_MONITOR_SPEED",
        value_name = "N",
        default_value_t = 900,
        value_parser = clap::value_parser!(u32).range(1..=36_000)
    )]
    speed: u32,

    /// Serve the recorded week of November 2026, in which clocks went back; no store is polled on
    #[arg(long, env = "STORE_MONITOR_AS_RECORDED", conflicts_with = "speed")]
    as_recorded: bool,

    #[command(flatten)]
    server: ServerOptions,
}

/// Serves the chain until a signal stops it, then removes the database.
///
/// # Errors
/// Those of `serve`, and when no temporary folder can be made.
pub fn run(options: &Options, configuration: Configuration) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("store-monitor-demo-").tempdir();
    let folder = folder.map_err(|error| Error::failed("no temporary folder can be made").because(error))?;
    let file = folder.path().join("demo.db");
    let mut db = open_writer(&file)?;
    let simulation = if options.as_recorded {
        let files = seed::FILES.into_iter().chain([seed::POLLS]);
        load_all(&mut db, files.map(|(name, text)| Source::new(name, text.as_bytes())))?;
        None
    } else {
        Some(simulate(&mut db, folder.path(), options.speed)?)
    };
    drop(db);
    let hint = match options.as_recorded {
        true => "as it was in November 2026".to_owned(),
        false => format!("where an hour takes {} seconds", seconds(options.speed)),
    };
    serve(&file, &options.server, None, simulation, configuration, |address| {
        note!("\n{}", greeting(&hint, address))
    })
}

/// What a person may do with the demo first.
fn greeting(hint: &str, address: &Address) -> String {
    let (open, curl, url) = match address {
        Address::Tcp(_) => (
            format!("Open it in a browser:\n\n  {address}/\n\nOr in another terminal:"),
            "curl".to_owned(),
            address.to_string(),
        ),
        #[cfg(unix)]
        Address::Unix(path) => (
            "In another terminal:".to_owned(),
            format!("curl --unix-socket '{}'", path.display()),
            "http://localhost".to_owned(),
        ),
    };
    format!(
        "A chain of 63 restaurants, {hint}. {open}\n\n  \
         {curl} -X POST {url}/trigger_report\n  \
         {curl} '{url}/get_report?report_id=ID'\n  \
         {curl} {url}/api/reports\n\n\
         Ctrl-C stops the demo and removes its database."
    )
}

/// How long an hour takes, with one decimal where there is one.
fn seconds(speed: u32) -> String {
    let tenths = 36_000 / speed;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        rest => format!("{}.{rest}", tenths / 10),
    }
}

/// Fills the past up to now, and prepares the polls to come: the rest of the record first.
fn simulate(db: &mut Connection, folder: &Path, speed: u32) -> Result<Simulation> {
    // A machine that cannot know the time shows the chain as of this program's day.
    let now = clock::machine_us().max(clock::BUILT_US);
    let files = seed::moved_files(now);
    load_all(
        db,
        files.each_ref().map(|(name, text)| Source::new(*name, text.as_bytes())),
    )?;
    let mut rows = seed::recorded(now);
    rows.sort_by_key(|row| row.at);
    let first = rows.first().map_or(now, |row| row.at);
    let chain = chain(db, &rows)?;
    let end = now.div_euclid(HOUR) * HOUR;
    let to_come = rows.split_off(rows.partition_point(|row| row.at < end));
    let mut text = String::from(HEADER);
    chain.polls(Interval::new(now - PAST, first), |id, at, is_active| {
        write_row(&mut text, id, at, is_active);
    });
    for row in &rows {
        write_row(&mut text, row.id, row.at, row.is_active);
    }
    load_all(db, [Source::new(seed::POLLS.0, text.as_bytes())])?;

    let clock = Clock::simulated(now, speed);
    let poller = Poller {
        chain,
        to_come,
        folder: folder.to_owned(),
    };
    let mut told = end;
    Ok(Simulation {
        clock,
        every: Duration::from_micros((clock.hour_us() / LOOKS_AN_HOUR).unsigned_abs().max(1000)),
        work: Box::new(move |writer| {
            let now = clock.now_us();
            poller.poll(Interval::new(told, now), writer)?;
            told = now;
            Ok(())
        }),
    })
}

/// Polls the chain from now on.
struct Poller {
    chain: Chain,
    /// The recorded polls after the start, by time.
    to_come: Vec<Recorded>,
    folder: PathBuf,
}

impl Poller {
    /// Stores the polls of `span`, which ends now, as any other rows are.
    fn poll(&self, span: Interval, writer: &Writer) -> Result<()> {
        let mut text = String::from(HEADER);
        let rows = &self.to_come;
        let [from, to] = [span.start, span.end].map(|at| rows.partition_point(|row| row.at < at));
        for row in &rows[from..to] {
            write_row(&mut text, row.id, row.at, row.is_active);
        }
        let recorded = rows.last().map_or(span.start, |row| (row.at / HOUR + 1) * HOUR);
        let start = recorded.max(span.start);
        if start < span.end {
            let hours = Interval::new(start.div_euclid(HOUR) * HOUR, span.end);
            self.chain.polls(hours, |id, at, is_active| {
                if (start..span.end).contains(&at) {
                    write_row(&mut text, id, at, is_active);
                }
            });
        }
        if text.len() == HEADER.len() {
            return Ok(());
        }
        let source = Source::new(seed::POLLS.0, text.as_bytes());
        let refuse = || Ok(Choices::default());
        let batch = import::read(
            [source],
            MachineTime::until(span.end),
            &Scratch::unbounded(&self.folder),
            refuse,
            &mut |_, _| Ok(()),
        )?;
        writer.try_load(move |db| {
            let mut summary = load::write(db, batch)?;
            Ok(((), summary.change.take()))
        })
    }
}

fn write_row(text: &mut String, id: &str, at: Micros, is_active: bool) {
    let status = if is_active { "active" } else { "inactive" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{id},{status},{}", civil::format_utc(at));
}

/// The stores' zones and hours, by id.
fn patterns(db: &Connection) -> Result<Vec<(Box<str>, Pattern)>> {
    let fleet = fleet::load(db)?;
    let of = |store: &crate::uptime::fleet::Store| (store.id.clone(), fleet.patterns()[store.pattern].clone());
    Ok(fleet.stores().iter().map(of).collect())
}

/// The chain that polls go on from: every store that the record has polls of. One that mostly answered `inactive`
/// while it was closed does so ever after.
fn chain(db: &Connection, rows: &[Recorded]) -> Result<Chain> {
    let mut closed: HashMap<&str, (usize, usize)> = HashMap::new();
    let patterns = patterns(db)?;
    let (first, last) = rows.iter().fold((Micros::MAX, Micros::MIN), |(first, last), row| {
        (first.min(row.at), last.max(row.at))
    });
    let span = Interval::new(first.min(last), last.max(first) + HOUR);
    let open: HashMap<&str, _> = patterns
        .iter()
        .map(|(id, pattern)| (&**id, pattern.open(&ZoneTable::new(pattern.zone, span), span)))
        .collect();
    for row in rows {
        let (all, inactive) = closed.entry(row.id).or_default();
        if open.get(row.id).is_some_and(|open| !open.contains(row.at)) {
            *all += 1;
            *inactive += usize::from(!row.is_active);
        }
    }
    let members = patterns.iter().filter_map(|(id, pattern)| {
        let (all, inactive) = *closed.get(&**id)?;
        Some(Member {
            id: id.clone(),
            pattern: pattern.clone(),
            rests: inactive * 2 > all,
        })
    });
    Ok(Chain {
        members: members.collect(),
        seed: 63,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: Micros = 7 * DAY;

    fn home() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("demo.db");
        (folder, file)
    }

    #[cfg(unix)]
    #[test]
    fn the_greeting_of_a_unix_socket_has_commands_that_work() {
        let told = greeting("now", &"unix:/run/demo".parse().unwrap());
        assert!(
            told.contains("curl --unix-socket '/run/demo' http://localhost/api/reports"),
            "{told}"
        );
        assert!(!told.contains("browser"), "{told}");
    }

    #[test]
    fn the_record_is_moved_by_whole_weeks_of_the_wall_clock_to_end_after_now() {
        let (_folder, file) = home();
        let mut db = open_writer(&file).unwrap();
        load_all(
            &mut db,
            seed::FILES.map(|(name, text)| Source::new(name, text.as_bytes())),
        )
        .unwrap();
        let last = civil::parse_timestamp("2026-11-07 20:05:00 UTC").unwrap().at;
        let patterns: HashMap<_, _> = patterns(&db).unwrap().into_iter().collect();
        let originals: Vec<Micros> = seed::POLLS
            .1
            .lines()
            .skip(1)
            .map(|line| civil::parse_timestamp(line.rsplit(',').next().unwrap()).unwrap().at)
            .collect();
        // A summer, years before and after, and the record's own end.
        for days in [-1000, -100, -1, 0, 1, 6, 7, 250, 3000] {
            let now = last + days * DAY;
            let rows = seed::recorded(now);
            let end = rows.iter().map(|row| row.at).max().unwrap();
            let mut exact = 0;
            assert!(
                (now..now + WEEK + 2 * HOUR).contains(&end),
                "{days}: {}",
                civil::format_utc(end)
            );
            for (row, &original) in rows.iter().zip(&originals) {
                let zone = patterns[row.id].zone;
                let wall = |at| ZoneTable::new(zone, Interval::new(at, at + 1)).wall(at);
                let moved = wall(row.at) - wall(original);
                // Clocks that go forward skip an hour.
                let off = (moved + HOUR).rem_euclid(WEEK) - HOUR;
                assert!(
                    (-HOUR..=HOUR).contains(&off),
                    "{} {}",
                    row.id,
                    civil::format_utc(row.at)
                );
                exact += usize::from(off == 0);
            }
            assert!(exact * 100 >= rows.len() * 99, "{days}: {exact} of {}", rows.len());
        }
    }

    #[test]
    fn the_past_reaches_back_four_weeks_and_has_nothing_of_the_future() {
        let (folder, file) = home();
        let mut db = open_writer(&file).unwrap();
        let before = clock::machine_us().max(clock::BUILT_US);
        let simulation = simulate(&mut db, folder.path(), 900).unwrap();
        let (oldest, newest, stores): (Micros, Micros, u64) = db
            .query_row("SELECT min(at), max(at), count(DISTINCT store) FROM poll", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        let day_of = |at| civil::format_utc(at);
        assert!(oldest < before - 36 * DAY, "{}", day_of(oldest));
        assert!(newest < before && newest > before - 3 * HOUR, "{}", day_of(newest));
        assert_eq!(stores, 62);
        assert!(simulation.clock.now_us() >= before);
    }

    #[test]
    fn an_hour_is_named_in_seconds() {
        assert_eq!([900, 1000, 3600, 36_000].map(seconds), ["4", "3.6", "1", "0.1"]);
    }
}
