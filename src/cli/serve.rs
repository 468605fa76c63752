//! `serve`: the life of a server, from opening the database file to a clean stop.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::Database;
use super::upkeep::{UpkeepOptions, every, spawn};
use crate::clock;
use crate::db::connection::{checkpoints_are_external, leave_checkpoints, open_reader, open_writer};
use crate::db::inspect::{self, OnDamage};
use crate::db::writer::Writer;
use crate::db::{digest, forget, lock, packed, part, polls};
use crate::error::{Error, Result};
use crate::fleet_view::FleetViews;
use crate::health::Condition;
use crate::hot_window::HotWindow;
use crate::http::guard::Hosts;
use crate::http::locale::{LOCALES, Locale};
use crate::http::{self, Capacity, Clock, Server, Site};
use crate::ingest::machine_time::AHEAD_MINUTES;
use crate::ingest::options::STORES_MAX;
use crate::jobs::{Jobs, Limits, Order};
use crate::product;
use crate::uptime::hundredths;
use crate::uptime::interval::MINUTE;
use crate::uptime::report::Question;
use crate::uptime::target::WHOLE;
use crate::uptime::timeline::Interpolation;

/// How many requests are handled at once, if the system gives as many threads.
///
/// There are many because most of them wait for a commit that they share.
const HANDLERS: usize = 64;

/// How often old polls are deleted.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);

/// How often the machine's clock is compared with the newest poll, beside the requests that do so.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// How often outdated views of the fleet are dropped.
const VIEWS_EVERY: Duration = Duration::from_secs(60);

/// How often past hours are packed.
const PACKING_EVERY: Duration = Duration::from_secs(600);

/// How long after the polls the first page is computed, unless a client asks earlier. A client that waited for
/// the start wants a report first, and both would compete for the processors.
const PAGE_AFTER: Duration = Duration::from_secs(1);

/// How long a stop may take before the process exits anyway: all acknowledged data are already on disk.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    database: Database,

    #[command(flatten)]
    server: ServerOptions,

    #[command(flatten)]
    upkeep: UpkeepOptions,
}

/// The options that `serve` and `demo` share.
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

    /// Listen where other machines can reach the server, although it has no accounts yet
    #[arg(long, env = "STORE_MONITOR_INSECURE_NO_AUTH")]
    insecure_no_auth: bool,

    /// A host name of the server, beside its address; several with commas
    #[arg(
        long = "host",
        env = "STORE_MONITOR_HOST",
        value_name = "NAME",
        value_delimiter = ','
    )]
    hosts: Vec<String>,

    /// Let pages change nothing: no upload, no button for a report
    #[arg(long, env = "STORE_MONITOR_READ_ONLY_PAGES")]
    read_only_pages: bool,

    /// How many reports are made at once
    #[arg(long, env = "STORE_MONITOR_WORKERS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,

    /// The clock that gives the instant of a report when its caller names none
    #[arg(long, env = "STORE_MONITOR_CLOCK", value_name = "CLOCK", default_value = "data")]
    clock: ClockName,

    /// How pages write times and numbers: en-US, en-GB, de-DE … Default: by the zones of most stores
    #[arg(long, env = "STORE_MONITOR_LOCALE", value_name = "LOCALE", value_parser = locale)]
    locale: Option<Locale>,

    /// The sign that pages print before amounts of money, such as $ or EUR
    #[arg(long, env = "STORE_MONITOR_CURRENCY", value_name = "TEXT", value_parser = currency)]
    currency: Option<String>,

    /// The per cent of business time online that stores mean to reach in a month, unless they have their own target
    #[arg(long, env = "STORE_MONITOR_TARGET", value_name = "PERCENT", value_parser = target)]
    target: Option<i64>,

    /// How many finished reports to keep; the oldest are removed first
    #[arg(long, env = "STORE_MONITOR_KEEP_REPORTS", value_name = "N", default_value_t = Limits::default().keep_reports_max)]
    keep_reports: u32,

    /// Forget polls more than N days older than the newest, once an hour; reports need eight. Never more than half of
    /// all polls at once
    #[arg(long, env = "STORE_MONITOR_KEEP_DAYS", value_name = "N")]
    keep_days: Option<u32>,

    /// How many minutes polls may be ahead of this machine's clock
    #[arg(long, env = "STORE_MONITOR_AHEAD", value_name = "MINUTES", default_value_t = AHEAD_MINUTES)]
    ahead: u32,

    /// How many bytes a request with rows may have, as it is sent
    #[arg(long, env = "STORE_MONITOR_MAX_BODY", value_name = "BYTES", default_value_t = http::BODY_BYTES_MAX)]
    max_body: u64,

    /// How many stores the database may have; a body that names more is refused
    #[arg(long, env = "STORE_MONITOR_MAX_STORES", value_name = "N", default_value_t = STORES_MAX)]
    max_stores: u64,

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

/// A per cent with at most two decimals, in hundredths.
fn target(percent: &str) -> std::result::Result<i64, String> {
    let number = percent.trim().trim_end_matches('%').trim_end();
    let target = hundredths::parse(number).filter(|target| (0..=WHOLE).contains(target));
    target.ok_or_else(|| "expected a per cent from 0 to 100 with at most two decimals, such as 99.5".to_owned())
}

/// How many characters a currency's sign may have.
const CURRENCY_CHARS_MAX: usize = 8;

fn currency(sign: &str) -> std::result::Result<String, String> {
    match sign.trim() {
        "" => Err("expected a sign such as $ or EUR".to_owned()),
        sign if sign.chars().count() > CURRENCY_CHARS_MAX => {
            Err(format!("expected at most {CURRENCY_CHARS_MAX} characters"))
        }
        sign => Ok(sign.to_owned()),
    }
}

fn locale(name: &str) -> std::result::Result<Locale, String> {
    let known = || LOCALES.map(|locale| locale.name).join(", ");
    Locale::from_name(name).ok_or_else(|| format!("expected one of {}", known()))
}

/// Serves the database until a signal asks it to stop.
///
/// # Errors
/// When the database cannot be opened, the address is taken, or the system gives no thread.
pub fn run(options: &Options) -> Result<()> {
    if options.upkeep.external_checkpoints {
        leave_checkpoints();
    }
    let (server, upkeep) = (&options.server, Some(&options.upkeep));
    serve(&options.database.file, server, upkeep, None, |_| {})
}

/// What a simulation does to the database.
pub type Work = Box<dyn FnMut(&Writer) -> Result<()> + Send>;

/// A clock of a server's own, and what it does again and again by that clock.
pub struct Simulation {
    /// The clock.
    pub clock: clock::Clock,
    /// How often, by the machine's clock.
    pub every: Duration,
    /// What it does.
    pub work: Work,
}

/// Serves the database `file`; `ready` receives the address once requests are answered. Without a simulation, now
/// is what the machine's clock says.
///
/// # Errors
/// As [`run`].
pub fn serve(
    file: &Path,
    options: &ServerOptions,
    upkeep: Option<&UpkeepOptions>,
    simulation: Option<Simulation>,
    ready: impl FnOnce(SocketAddr),
) -> Result<()> {
    // First of all, so that no signal during the start is lost.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])
        .map_err(|error| Error::failed("cannot listen for signals").because(error))?;
    if !options.listen.ip().is_loopback() && !options.insecure_no_auth {
        return Err(Error::invalid(format!(
            "{} can be reached from other machines, and there are no accounts (listen on 127.0.0.1 \
             behind a proxy that has them, or add --insecure-no-auth)",
            options.listen
        )));
    }
    let now = simulation
        .as_ref()
        .map_or_else(clock::Clock::default, |simulation| simulation.clock);
    let listener = http::bind(options.listen)?;
    let held = lock::hold(file, Some("serve"))?;
    let files = inspect::files(file, &held, OnDamage::SetAside)?;
    part::clear(file);
    let backups = upkeep.and_then(|upkeep| upkeep.backups(file));
    let hot = Arc::new(HotWindow::default());
    let db = open_writer(file)?;
    inspect::newest(&db)?;
    digest::verify_fleet(&db)?;
    for line in inspect::diagnosis(&db, file, &held, &files, now.now_us())? {
        tracing::info!("{line}");
    }
    let (writer, writer_thread) = Writer::start(db, Arc::clone(&hot))?;

    let health = Arc::clone(writer.watch().health());
    if let Some(damage) = files.damage {
        health.set(Condition::LogDamaged, damage);
    }
    let views = Arc::new(FleetViews::default());
    let (memory, pages, path) = (Arc::clone(&hot), Arc::clone(&views), file.to_owned());
    let target = options.target;
    spawn("warm", move || {
        if let Err(error) = warm(&memory, &pages, &path, target) {
            tracing::error!(%error, "the polls could not be loaded; the first report tries again");
        }
    })?;
    let inputs = Arc::clone(&hot);
    let recipe = Arc::new(move |db: &mut _, order: &Order| product::make(db, &inputs, order));
    let limits = Limits {
        workers: options.workers.into(),
        keep_reports_max: options.keep_reports,
        clock: now,
        ..Limits::default()
    };
    let (jobs, workers) = Jobs::start(file.to_owned(), writer.clone(), limits, recipe)?;

    let clock = match options.clock {
        ClockName::Data => Clock::Data,
        ClockName::System => Clock::System,
    };
    let site = Site {
        hot,
        views: Arc::clone(&views),
        backups: backups.clone(),
        hosts: Hosts::new(options.listen, options.hosts.iter().cloned()),
        read_only_pages: options.read_only_pages,
        clock,
        now,
        ahead: i64::from(options.ahead) * MINUTE,
        locale: options.locale,
        currency: options.currency.clone(),
        target: options.target,
        body_bytes_max: options.max_body,
        scratch: http::app::room_beside(file, options.max_body),
        stores_max: options.max_stores,
        ..Site::new(file.to_owned(), jobs.clone(), writer.clone())
    };
    let capacity = Capacity {
        handlers: HANDLERS,
        connections_max: options.max_connections.into(),
    };
    let watched = site.clone();
    let server = Server::start(listener, capacity, site)?;
    announce(server.address())?;
    ready(server.address());

    let (path, packer) = (file.to_owned(), writer.clone());
    let mut periodic = vec![every(PACKING_EVERY, "packing", move || pack(&path, &packer))?];
    periodic.push(every(CLOCK_EVERY, "the look at the clock", move || {
        watched.machine_time(polls::newest(&open_reader(&watched.file)?)?);
        Ok(())
    })?);
    if let Some(days) = options.keep_days {
        let (path, pruner) = (file.to_owned(), writer.clone());
        periodic.push(every(RETENTION_EVERY, "retention", move || {
            prune(&path, &pruner, days)
        })?);
    }

    if let Some(Simulation {
        every: period,
        mut work,
        ..
    }) = simulation
    {
        let writer = writer.clone();
        periodic.push(every(period, "the simulation", move || work(&writer))?);
    }

    let (views, path) = (Arc::clone(&views), file.to_owned());
    periodic.push(every(VIEWS_EVERY, "the look at old views", move || {
        views.forget_outdated(&open_reader(&path)?)
    })?);
    if let Some(upkeep) = upkeep {
        periodic.push(upkeep.keep_reserve(file.to_owned(), Arc::clone(&health))?);
    }
    if let (Some(upkeep), Some(backups)) = (upkeep, backups) {
        periodic.push(upkeep.back_up(backups, file.to_owned(), Arc::clone(&health))?);
    }

    // Started now: at the end the system may refuse it.
    let (last, work) = bounded::<Box<dyn FnOnce() + Send>>(1);
    spawn("stop", move || {
        if let Ok(work) = work.recv() {
            work();
        }
    })?;

    for signal in signals.forever() {
        if matches!(signal, SIGINT | SIGTERM) {
            tracing::info!(signal, "stopping");
            break;
        }
        // A terminal that closes sends SIGHUP, and so does a script that wants files read again.
        tracing::info!(signal, "this signal changes nothing: nothing is reloaded yet");
    }
    let (stopped, done) = bounded(1);
    let watch = Arc::clone(writer.watch());
    let stop = move || {
        server.stop();
        drop((writer, periodic));
        jobs.stop();
        for worker in workers {
            let _ = worker.join();
        }
        // The last handle on the writer is gone, so its thread ends and returns the connection.
        let checkpoint = |db: rusqlite::Connection| {
            if !watch.owns_log() {
                // Open until the process ends: closing it would delete the other log.
                std::mem::forget(db);
                return Ok(());
            }
            match checkpoints_are_external() {
                true => Ok(()),
                false => db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())),
            }
        };
        match writer_thread.join().map(checkpoint) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the write-ahead log stays for the next start")
            }
            Err(_) => tracing::error!("the writer panicked"),
        }
        // The send fails only if the wait below has ended.
        let _ = stopped.send(());
    };
    if last.send(Box::new(stop)).is_err() || done.recv_timeout(STOP_WITHIN).is_err() {
        tracing::warn!("the stop took too long and was cut; all that was acknowledged is on disk");
    }
    held.end_cleanly();
    match health.fails_the_stop() {
        false => Ok(()),
        true => Err(Error::failed(
            "the database or its disk failed while the server ran; the log above says how (`check` tells more)",
        )),
    }
}

/// Reads the polls that reports need, then computes the first pages: the weeks of the heat map take longest.
fn warm(hot: &HotWindow, views: &FleetViews, file: &Path, target: Option<i64>) -> Result<()> {
    let mut db = open_reader(file)?;
    hot.warm(&mut db)?;
    thread::sleep(PAGE_AFTER);
    if let Some(as_of) = polls::newest(&db)? {
        let rule = Interpolation::default();
        let view = views.view(&mut db, hot, Question { as_of, rule })?;
        views.past(&mut db, &view)?;
        views.left(&mut db, &view, target)?;
        view.incidents();
    }
    Ok(())
}

/// Packs past hours, one transaction each. It looks for them beside the writer.
fn pack(file: &Path, writer: &Writer) -> Result<()> {
    let hours = packed::unpacked(&open_reader(file)?)?;
    for packed::Unpacked { hour, .. } in hours {
        writer.write(move |db| packed::pack_hour(db, hour))?;
    }
    Ok(())
}

/// Deletes old polls, one transaction at a time, so that other writers get their turn.
fn prune(file: &Path, writer: &Writer, days: u32) -> Result<()> {
    let db = open_reader(file)?;
    let Some(before) = forget::cut(&db, days)? else {
        return Ok(());
    };
    let health = writer.watch().health();
    if let Some(too_many) = forget::too_many(&db, before)? {
        health.set(Condition::RetentionHeld, too_many.sentence(file));
        return Ok(());
    }
    health.clear(Condition::RetentionHeld);
    drop(db);
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

/// Prints the one line that scripts wait for.
fn announce(address: SocketAddr) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::failed("stdout cannot be written").because(error))
}
