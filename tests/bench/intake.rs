//! The cost of accepting polls: an hour's batch, five hundred clients at once, a whole file over HTTP.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use store_monitor::civil::format_utc;

use super::data::{self, Data};
use super::server::Server;
use super::table::{Against, Figure, Measure, Table, Target};
use super::{Result, median, program, times};

const BATCH_RUNS: usize = 11;
const FILE_RUNS: usize = 7;

/// Clients that post one poll each at once, and how often they do.
const CLIENTS: usize = 500;
const ROUNDS: usize = 20;

const HOUR_US: i64 = 3_600_000_000;

pub(super) fn measure(data: &Data, table: &mut Table) -> Result<()> {
    batches(data, table)?;
    clients(data, table)?;
    file(data, table)
}

/// One poll for each store in a request, beside a bare insert of the same rows.
fn batches(data: &Data, table: &mut Table) -> Result<()> {
    eprintln!("batches …");
    let server = Server::start(&data.database)?;
    let bare_file = data.folder.join("bare.db");
    data::remove_database(&bare_file)?;
    fs::copy(&data.database, &bare_file)?;
    let mut bare = open(&bare_file)?;
    let (stores, newest) = fleet(&bare)?;
    let wal = PathBuf::from(format!("{}-wal", server.database().display()));
    let wal_bytes = || fs::metadata(&wal).map_or(0, |facts| facts.len());

    let mut hour = 0;
    let mut grown = Vec::new();
    let pairs = times(BATCH_RUNS, || {
        hour += 1;
        let rows = batch(&stores, newest + hour * HOUR_US);
        let body = csv(&stores, &rows);
        let before = wal_bytes();
        let start = Instant::now();
        server.post("/api/polls", body.as_bytes())?;
        let ours = start.elapsed();
        grown.push(wal_bytes().saturating_sub(before));
        let start = Instant::now();
        insert(&mut bare, &rows)?;
        Ok((ours, start.elapsed()))
    })?;
    let (ours, theirs) = pairs.into_iter().unzip();
    table.add(Figure {
        what: "an hour's batch over HTTP, durable",
        measured: Measure::Time(median(ours)),
        against: Against::reference(
            &Ok((
                "a bare sorted insert, one commit",
                Measure::Time(median(theirs)),
            )),
            Target::AtMost(2.0),
        ),
    });
    grown.sort_unstable();
    table.add(Figure {
        what: "write-ahead log of an hour's batch",
        measured: Measure::Bytes(grown[grown.len() / 2]),
        against: Against::reference(
            &Ok(("one byte a poll", Measure::Bytes(stores.len() as u64))),
            Target::AtMost(25.0),
        ),
    });
    drop(bare);
    data::remove_database(&bare_file)
}

/// Many clients with a poll each, beside as many that ask for `/health`.
fn clients(data: &Data, table: &mut Table) -> Result<()> {
    eprintln!("clients …");
    let server = Server::start(&data.database)?;
    let (stores, newest) = fleet(&open(server.database())?)?;
    let host = server.host();
    let health = at_once(host, |_, _| {
        format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n")
    })?;
    let posts = at_once(host, |round, number| {
        let nth = i64::try_from(round * CLIENTS + number).unwrap_or_default();
        let store = &stores[number % stores.len()];
        let body = csv(std::slice::from_ref(store), &[(newest + nth + 1, store.0)]);
        format!(
            "POST /api/polls HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    })?;
    table.add(Figure {
        what: "500 clients, a poll each, at once",
        measured: Measure::RowsPerSecond(posts),
        against: Against::reference(
            &Ok((
                "as many that ask for /health",
                Measure::RowsPerSecond(health),
            )),
            Target::AtLeast(0.5),
        ),
    });
    Ok(())
}

/// Requests a second that were answered, from many connections that stay open; `request` makes the one of a
/// round and a client.
fn at_once(host: &str, request: impl Fn(usize, usize) -> String + Sync) -> Result<f64> {
    let ready = Barrier::new(CLIENTS + 1);
    thread::scope(|scope| {
        let client = |number: usize| -> Result<()> {
            let connected = TcpStream::connect(host).and_then(|stream| {
                stream.set_nodelay(true)?;
                Ok((stream.try_clone()?, BufReader::new(stream)))
            });
            ready.wait();
            let (mut requests, mut answers) = connected?;
            for round in 0..ROUNDS {
                requests.write_all(request(round, number).as_bytes())?;
                expect_ok(&mut answers)?;
            }
            Ok(())
        };
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = move || client(number).map_err(|error| error.to_string());
                thread::Builder::new()
                    .stack_size(1 << 17)
                    .spawn_scoped(scope, client)
            })
            .collect::<std::io::Result<_>>()?;
        ready.wait();
        let start = Instant::now();
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        let posts = f64::from(u32::try_from(CLIENTS * ROUNDS)?);
        Ok(posts / start.elapsed().as_secs_f64())
    })
}

/// Reads one answer, which must be 200.
fn expect_ok(answers: &mut impl BufRead) -> Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    answers.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(format!("answered with `{}`", line.trim_end()).into());
    }
    loop {
        line.clear();
        answers.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    Ok(answers.read_exact(&mut body)?)
}

/// A file of polls in one request, beside the command line.
fn file(data: &Data, table: &mut Table) -> Result<()> {
    eprintln!("a file over HTTP …");
    let (polls, into, empty) = (
        data.polls(),
        data.folder.join("imported.db"),
        data.folder.join("empty.db"),
    );
    let pairs = times(FILE_RUNS, || {
        data::remove_database(&into)?;
        let ours = program::import(&polls, &into)?;
        data::remove_database(&empty)?;
        let server = Server::start_new(&empty)?;
        let start = Instant::now();
        server.post("/api/polls", File::open(&polls)?)?;
        Ok((start.elapsed(), ours))
    })?;
    data::remove_database(&into)?;
    let (http, command): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let rate = |times: Vec<Duration>| {
        Measure::RowsPerSecond(f64::from(data.rows) / median(times).as_secs_f64())
    };
    table.add(Figure {
        what: "the polls in one request, durable",
        measured: rate(http),
        against: Against::reference(
            &Ok(("`import` of the same file", rate(command))),
            Target::AtLeast(0.6),
        ),
    });
    Ok(())
}

fn open(file: &Path) -> Result<Connection> {
    let db = Connection::open(file)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// Every store's key and id, and the instant of the newest poll.
fn fleet(db: &Connection) -> Result<(Vec<(i64, String)>, i64)> {
    let mut select = db.prepare("SELECT key, store_id FROM store ORDER BY key")?;
    let stores = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let newest = db.query_row("SELECT max(at) FROM poll", [], |row| row.get(0))?;
    Ok((stores.collect::<rusqlite::Result<_>>()?, newest))
}

/// A poll for each store within an hour, sorted as the table is.
fn batch(stores: &[(i64, String)], start: i64) -> Vec<(i64, i64)> {
    let poll = |&(key, _): &(i64, String)| (start + key * 7_919_000_000 % HOUR_US, key);
    let mut rows: Vec<_> = stores.iter().map(poll).collect();
    rows.sort_unstable();
    rows
}

fn csv(stores: &[(i64, String)], rows: &[(i64, i64)]) -> String {
    let mut csv = "store_id,timestamp_utc,status\n".to_owned();
    for &(at, key) in rows {
        let found = stores.binary_search_by_key(&key, |&(key, _)| key);
        let id = found.map_or("", |place| &stores[place].1);
        let _ = writeln!(csv, "{id},{},active", format_utc(at));
    }
    csv
}

/// The rows, one statement each, in one commit.
fn insert(db: &mut Connection, rows: &[(i64, i64)]) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut insert = transaction.prepare_cached("INSERT INTO poll VALUES (?1, ?2, 1)")?;
    for row in rows {
        insert.execute(*row)?;
    }
    drop(insert);
    Ok(transaction.commit()?)
}
