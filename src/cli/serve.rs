//! `serve`: the server's life, from the database file to a clean stop.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Database;
use crate::db::connection::{open_reader, open_writer};
use crate::db::writer::Writer;
use crate::db::{forget, packed, polls};
use crate::error::{Error, Result};
use crate::fleet_view::FleetViews;
use crate::hot_window::HotWindow;
use crate::http::guard::Hosts;
use crate::http::{self, Capacity, Clock, Server, Shared};
use crate::jobs::{Jobs, Limits, Made};
use crate::team::Team;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;

/// How many requests are answered side by side, where the machine gives as many threads.
///
/// Many: a handler that waits for its rows to be durable costs nothing but its stack, and those that
/// wait together share one commit.
const HANDLERS: usize = 64;

/// How often polls are looked through for those that are too old.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);

/// How often it is seen to that hours that have passed are packed.
const PACKING_EVERY: Duration = Duration::from_secs(600);

/// How long after the polls the first page's numbers are computed, unless somebody asks for them before:
/// whoever waited for the start wants a report of it first, and both would share the processors.
const PAGE_AFTER: Duration = Duration::from_secs(1);

/// How long a stop may take before the process leaves anyway: all that matters is on disk already.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What `serve` can be told.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    database: Database,

    #[command(flatten)]
    server: ServerOptions,
}

/// What `serve` and `demo` can both be told.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerOptions {
    /// Where to listen; port 0 picks a free one
    #[arg(
        long,
        env = "STORE_MONITOR_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:5000"
    )]
    listen: SocketAddr,

    /// Listen where other machines can reach it although there are no accounts yet
    #[arg(long, env = "STORE_MONITOR_INSECURE_NO_AUTH")]
    insecure_no_auth: bool,

    /// A host name that clients may call the server by, beside its address; several with commas
    #[arg(
        long = "host",
        env = "STORE_MONITOR_HOST",
        value_name = "NAME",
        value_delimiter = ','
    )]
    hosts: Vec<String>,

    /// Let pages show and not change anything: no upload, no button for a report
    #[arg(long, env = "STORE_MONITOR_READ_ONLY_PAGES")]
    read_only_pages: bool,

    /// How many reports are made side by side
    #[arg(long, env = "STORE_MONITOR_WORKERS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,

    /// Whose clock a report follows when its caller names no instant
    #[arg(
        long,
        env = "STORE_MONITOR_CLOCK",
        value_name = "CLOCK",
        default_value = "data"
    )]
    clock: ClockName,

    /// How many finished reports to keep; the oldest go first
    #[arg(long, env = "STORE_MONITOR_KEEP_REPORTS", value_name = "N", default_value_t = Limits::default().keep_reports_max)]
    keep_reports: u32,

    /// Forget polls more than N days older than the newest, once an hour; reports need eight
    #[arg(long, env = "STORE_MONITOR_KEEP_DAYS", value_name = "N")]
    keep_days: Option<u32>,

    /// How long a body of rows may be, in bytes as it is sent
    #[arg(long, env = "STORE_MONITOR_MAX_BODY", value_name = "BYTES", default_value_t = http::BODY_BYTES_MAX)]
    max_body: u64,

    /// How many connections are served at once; the next is answered 503
    #[arg(long, env = "STORE_MONITOR_MAX_CONNECTIONS", value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    max_connections: u16,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ClockName {
    /// The newest poll's
    Data,
    /// The machine's
    System,
}

/// Serves the database until a signal asks it to stop.
///
/// # Errors
/// When the database cannot be opened, the address is taken, or the machine gives no thread.
pub fn run(options: &Options) -> Result<()> {
    serve(&options.database.file, &options.server, |_| {})
}

/// Serves the database `file`; `ready` is told the address once requests are answered.
///
/// # Errors
/// As [`run`].
pub fn serve(file: &Path, options: &ServerOptions, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    // Signals first: one that comes during the start must not be lost.
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|error| Error::failed("cannot listen for signals").because(error))?;
    if !options.listen.ip().is_loopback() && !options.insecure_no_auth {
        return Err(Error::invalid(format!(
            "{} can be reached from other machines, and there are no accounts (listen on 127.0.0.1 \
             behind a proxy that has them, or add --insecure-no-auth)",
            options.listen
        )));
    }
    let listener = http::bind(options.listen)?;
    let hot = Arc::new(HotWindow::default());
    let (writer, writer_thread) = Writer::start(open_writer(file)?, Arc::clone(&hot))?;

    let views = Arc::new(FleetViews::default());
    warm_in_background(Arc::clone(&hot), Arc::clone(&views), file)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let team = Team::start(cores - 1);
    let inputs = Arc::clone(&hot);
    let recipe = Arc::new(move |db: &mut _, question: Question| {
        let inputs = inputs.inputs(db, question.as_of)?;
        Ok(Made {
            report: inputs.report(question, &team),
            fleet_generation: inputs.fleet_generation,
        })
    });
    let limits = Limits {
        workers: options.workers.into(),
        keep_reports_max: options.keep_reports,
        ..Limits::default()
    };
    let (jobs, workers) = Jobs::start(file.to_owned(), writer.clone(), limits, recipe)?;

    let clock = match options.clock {
        ClockName::Data => Clock::Data,
        ClockName::System => Clock::System,
    };
    let shared = Shared {
        hot,
        views,
        hosts: Hosts::new(options.listen, options.hosts.iter().cloned()),
        read_only_pages: options.read_only_pages,
        clock,
        body_bytes_max: options.max_body,
        ..Shared::new(file.to_owned(), jobs.clone(), writer.clone())
    };
    let capacity = Capacity {
        handlers: HANDLERS,
        connections_max: options.max_connections.into(),
    };
    let server = Server::start(listener, capacity, shared)?;
    announce(server.address())?;
    ready(server.address());

    let retention = options
        .keep_days
        .map(|days| keep_days(file, writer.clone(), days));
    let retention = retention.transpose()?;
    let packing = pack_in_background(writer.clone())?;

    let signal = signals.forever().next();
    tracing::info!(signal = signal.unwrap_or_default(), "stopping");
    let (stopped, done) = bounded(1);
    let stop = thread::Builder::new()
        .name("stop".to_owned())
        .spawn(move || {
            server.stop();
            drop((writer, retention, packing));
            jobs.stop();
            for worker in workers {
                let _ = worker.join();
            }
            // Every handle on the writer is gone now, so its thread ends and gives the connection back.
            let checkpoint = |db: rusqlite::Connection| {
                db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            };
            match writer_thread.join().map(checkpoint) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the write-ahead log was left for the next start")
                }
                Err(_) => tracing::error!("the writer panicked"),
            }
            // The receiver is gone only if the wait below has ended.
            let _ = stopped.send(());
        });
    if stop.is_err() || done.recv_timeout(STOP_WITHIN).is_err() {
        tracing::warn!(
            "not everything came to an end in time; all that was acknowledged is on disk"
        );
    }
    Ok(())
}

/// Loads what reports and the first page need while the server answers already.
fn warm_in_background(hot: Arc<HotWindow>, views: Arc<FleetViews>, file: &Path) -> Result<()> {
    let file = file.to_owned();
    let warm = move || -> Result<()> {
        let mut db = open_reader(&file)?;
        hot.warm(&mut db)?;
        thread::sleep(PAGE_AFTER);
        if let Some(as_of) = polls::newest(&db)? {
            let rule = Interpolation::default();
            views.view(&mut db, &hot, Question { as_of, rule })?;
        }
        Ok(())
    };
    let warm = move || {
        if let Err(error) = warm() {
            tracing::error!(%error, "the polls could not be loaded; the first report tries again");
        }
    };
    let thread = thread::Builder::new().name("warm".to_owned()).spawn(warm);
    thread
        .map(drop)
        .map_err(|error| Error::failed("cannot start a thread").because(error))
}

/// Packs the hours that have passed, at the start and from time to time, until the sender is dropped.
fn pack_in_background(writer: Writer) -> Result<Sender<()>> {
    let (running, stopped) = bounded::<()>(0);
    let pack = move || {
        let pack = || -> Result<()> {
            let mut from = i64::MIN;
            while let Some(hour) = writer.write(move |db| packed::pack_next(db, from))? {
                from = hour + 1;
            }
            Ok(())
        };
        loop {
            if let Err(error) = pack() {
                tracing::error!(%error, "rows could not be packed; the next start reads them slower");
            }
            if stopped.recv_timeout(PACKING_EVERY) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    };
    let thread = thread::Builder::new()
        .name("packing".to_owned())
        .spawn(pack);
    thread.map_err(|error| Error::failed("cannot start a thread").because(error))?;
    Ok(running)
}

/// Forgets old polls once an hour, until the sender is dropped.
fn keep_days(file: &Path, writer: Writer, days: u32) -> Result<Sender<()>> {
    let file = file.to_owned();
    let (running, stopped) = bounded::<()>(0);
    let prune = move || {
        loop {
            if let Err(error) = prune(&file, &writer, days) {
                tracing::error!(%error, "old polls could not be forgotten; the next hour tries again");
            }
            if stopped.recv_timeout(RETENTION_EVERY) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    };
    let thread = thread::Builder::new()
        .name("retention".to_owned())
        .spawn(prune);
    thread.map_err(|error| Error::failed("cannot start a thread").because(error))?;
    Ok(running)
}

/// Forgets old polls, a transaction at a time so that others get their turn.
fn prune(file: &Path, writer: &Writer, days: u32) -> Result<()> {
    let Some(before) = forget::cut(&open_reader(file)?, days)? else {
        return Ok(());
    };
    let mut total = 0;
    loop {
        let polls = writer.write(move |db| forget::prune_some(db, before))?;
        total += polls;
        if polls == 0 {
            break;
        }
    }
    if total > 0 {
        tracing::info!(polls = total, "forgot polls that were too old");
    }
    Ok(())
}

/// The one line that scripts wait for.
fn announce(address: SocketAddr) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::failed("stdout cannot be written").because(error))
}
