//! `serve`: the life of a server, from opening the database file to a clean stop.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::Database;
use super::configuration::Configuration;
use super::digest::keep_sending;
use super::server_options::{ClockName, ServerOptions};
use super::status_file;
use super::supervisor::Supervisor;
use super::upkeep::{UpkeepOptions, every, give_back_memory, look_for_backups, spawn};
use crate::access::Audience;
use crate::clock;
use crate::db::audit::Author;
use crate::db::connection::{checkpoints_are_external, leave_checkpoints, open_reader, open_writer};
use crate::db::inspect::{self, OnDamage};
use crate::db::writer::Writer;
use crate::db::{credentials, digest, forget, lock, packed, part, polls};
use crate::error::{Error, Result};
use crate::fleet_view::FleetViews;
use crate::health::Condition;
use crate::hot_window::HotWindow;
use crate::http::frontend::socket::Address;
use crate::http::gate::Gate;
use crate::http::guard::Hosts;
use crate::http::keyring::Keyring;
use crate::http::proof::Proxies;
use crate::http::{self, Capacity, Clock, Data, Server, Site};
use crate::jobs::{Jobs, Limits, Order};
use crate::notify::sender;
use crate::product;
use crate::uptime::interval::MINUTE;
use crate::uptime::report::Question;
use crate::uptime::timeline::Interpolation;
use crate::watcher::live::Watcher;

/// How many requests are handled at once, if the system gives as many threads.
///
/// There are many because most of them wait for a commit that they share.
const HANDLERS: usize = 64;

/// How often old polls are deleted.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);

/// How often the machine's clock is compared with the newest poll, beside the requests that do so.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// How often a server looks whether a command has changed tokens or links.
const CREDENTIALS_EVERY: Duration = Duration::from_millis(500);

/// How often a server looks whether a minute is over, to which alert rules are applied then.
const ALERTS_EVERY: Duration = Duration::from_secs(1);

/// How often outdated views of the fleet are dropped.
const VIEWS_EVERY: Duration = Duration::from_secs(5);

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

/// Serves the database until a signal asks it to stop.
///
/// # Errors
/// When the database cannot be opened, the address is taken, or the system gives no thread.
pub fn run(options: &Options, configuration: Configuration) -> Result<()> {
    if options.upkeep.external_checkpoints {
        leave_checkpoints();
    }
    let (server, upkeep) = (&options.server, Some(&options.upkeep));
    serve(&options.database.file, server, upkeep, None, configuration, |_| {})
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
    configuration: Configuration,
    ready: impl FnOnce(&Address),
) -> Result<()> {
    // First of all, so that no signal during the start is lost.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])
        .map_err(|error| Error::failed("cannot listen for signals").because(error))?;
    if !file.exists() {
        options.require_token(file, false)?;
    }
    let now = simulation
        .as_ref()
        .map_or_else(clock::Clock::default, |simulation| simulation.clock);
    let listener = http::bind(&options.public.listen)?;
    let numbers = options.metrics_listen.as_ref().map(http::bind).transpose()?;
    options.warn_of_metrics();
    let held = lock::hold(file, Some("serve"))?;
    let files = inspect::files(file, &held, OnDamage::SetAside)?;
    part::clear(file);
    let backups = upkeep.and_then(|upkeep| upkeep.backups(file));
    let hot = Arc::new(HotWindow::default());
    let db = open_writer(file)?;
    inspect::newest(&db)?;
    digest::verify_fleet(&db)?;
    let has_token = credentials::has_token(&db)?;
    options.require_token(file, has_token)?;
    options.warn_if_insecure(has_token);
    for line in inspect::diagnosis(&db, file, &held, &files, now.now_us())? {
        tracing::info!("{line}");
    }
    let (writer, writer_thread) = Writer::start(db, Arc::clone(&hot))?;

    let health = Arc::clone(writer.watch().health());
    if let Some(damage) = files.damage {
        health.set(Condition::LogDamaged, damage);
    }
    let views = Arc::new(FleetViews::default());
    let (memory, watched_polls) = (Arc::clone(&hot), Arc::clone(&hot));
    let (pages, path) = (Arc::clone(&views), file.to_owned());
    let target = options.target;
    spawn("warm", move || {
        if let Err(error) = warm(&memory, &pages, &path, target) {
            tracing::error!(%error, "the polls could not be loaded; the first report tries again");
        }
    })?;
    let (inputs, told_of) = (Arc::clone(&hot), Arc::clone(&hot));
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
    let keyring = Arc::new(Keyring::open(&mut open_reader(file)?)?);
    let site = Site {
        keyring: Arc::clone(&keyring),
        messaging: Arc::clone(configuration.messaging()),
        backups: backups.clone(),
        read_only_pages: options.read_only_pages,
        // The demo runs in a terminal beside the browser.
        is_quiet: upkeep.is_none(),
        clock,
        now,
        ahead: i64::from(options.ahead) * MINUTE,
        locale: options.locale,
        currency: options.currency.clone(),
        target: options.target,
        body_bytes_max: options.public.max_body,
        scratch: http::app::room_beside(file, options.public.max_body),
        stores_max: options.max_stores,
        ..Site::new(
            file.to_owned(),
            Data::new(hot, Arc::clone(&views), jobs.clone()),
            writer.clone(),
        )
    };
    let hosts = Hosts::new(&options.public.listen, options.public.hosts.iter().cloned());
    let gate = Gate {
        hosts: hosts.clone(),
        read_only_pages: options.read_only_pages,
        proxies: Proxies(options.trust_proxies.clone()),
        is_open_without_token: options.is_open_without_token(),
        ..Gate::new(&options.public.listen, &site)?
    };
    let capacity = Capacity {
        handlers: HANDLERS,
        connections_max: options.max_connections.into(),
        connections_each_max: options.max_connections_per_address.map(usize::from),
    };
    let (watched, digests) = (site.clone(), site.clone());
    let numbers = match (numbers, &options.metrics_listen) {
        (Some(listener), Some(address)) => {
            let hosts = Hosts::new(address, options.public.hosts.iter().cloned());
            let gate = Gate { hosts, ..gate.clone() };
            let numbers = Server::start_numbers(listener, gate, site.clone())?;
            tracing::info!("the numbers are at {}/metrics", numbers.address());
            Some(numbers)
        }
        _ => None,
    };
    let server = Server::start(listener, capacity, gate, site)?;
    announce(server.address())?;
    let supervisor = Supervisor::of_this_process();
    supervisor.ready(server.address());
    ready(server.address());

    let mut access = vec![follow_credentials(file.to_owned(), writer.clone(), keyring)?];
    let (path, packer) = (file.to_owned(), writer.clone());
    let mut periodic = vec![every(PACKING_EVERY, "packing", move || pack(&path, &packer))?];
    periodic.push(status_file::keep(
        watched.clone(),
        server.address().clone(),
        options.keep_days,
    )?);
    let mut watcher = Watcher::new(
        file.to_owned(),
        writer.clone(),
        watched_polls,
        Arc::clone(configuration.messaging()),
    );
    let looking = watched.clone();
    periodic.push(every(ALERTS_EVERY, "the look at alert rules", move || {
        // A clock that cannot be right must not say that a store is silent.
        let is_due = watcher.is_due(looking.now.now_us());
        if !is_due {
            return Ok(());
        }
        let time = looking.machine_time(polls::newest(&open_reader(&looking.file)?)?);
        let backups = looking.backups.as_ref();
        match time.doubt {
            None => watcher.advance(time.at, backups.and_then(|backups| backups.missed_since(time.at))),
            Some(_) => Ok(()),
        }
    })?);
    periodic.push(every(CLOCK_EVERY, "the look at the clock", move || {
        if let Some(backups) = &watched.backups {
            look_for_backups(backups, watched.health(), clock::machine_us());
        }
        watched.machine_time(polls::newest(&open_reader(&watched.file)?)?);
        Ok(())
    })?);
    periodic.append(&mut access);
    periodic.push(keep_sending(digests, told_of)?);
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
        if views.forget_outdated(&open_reader(&path)?)? {
            give_back_memory();
        }
        Ok(())
    })?);
    let receivers = Arc::clone(configuration.messaging());
    let lookup = move |name: &str| receivers.get().receiver(name).ok().cloned();
    periodic.push(sender::start(file.to_owned(), writer.clone(), Box::new(lookup))?);
    if let Some(upkeep) = upkeep {
        periodic.push(upkeep.forget_old_access(writer.clone())?);
        periodic.push(upkeep.keep_reserve(file.to_owned(), Arc::clone(&health))?);
    }
    if let (Some(upkeep), Some(backups)) = (upkeep, backups) {
        periodic.push(upkeep.back_up(backups, file.to_owned(), Arc::clone(&health))?);
    }

    let address = server.address().clone();
    periodic.extend(supervisor.keep_told(address.clone(), writer.clone(), Arc::clone(&health))?);

    // Started now: at the end the system may refuse it.
    let (last, work) = bounded::<Box<dyn FnOnce() + Send>>(1);
    spawn("stop", move || {
        if let Ok(work) = work.recv() {
            work();
        }
    })?;

    for signal in signals.forever() {
        match signal {
            SIGINT | SIGTERM => {
                tracing::info!(signal, "stopping");
                supervisor.stopping();
                break;
            }
            // A terminal that closes sends it, too.
            SIGHUP => {
                supervisor.reloading();
                configuration.read_again(&hosts);
                supervisor.ready(&address);
            }
            _ => tracing::info!(
                signal,
                "this signal changes nothing (SIGHUP reads the configuration again)"
            ),
        }
    }
    let (stopped, done) = bounded(1);
    let watch = Arc::clone(writer.watch());
    let stop = move || {
        server.stop();
        if let Some(numbers) = numbers {
            numbers.stop();
        }
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
    status_file::remove(file);
    held.end_cleanly();
    match health.fails_the_stop() {
        false => Ok(()),
        true => Err(Error::failed(
            "the database or its disk failed while the server ran; the log above says how (`check` tells more)",
        )),
    }
}

/// Follows the changes of credentials that commands make, and writes down when each was used, until the sender is
/// dropped.
fn follow_credentials(file: PathBuf, writer: Writer, keyring: Arc<Keyring>) -> Result<Sender<()>> {
    let mut reader = None;
    let mut failed = false;
    every(CREDENTIALS_EVERY, "the look at credentials", move || {
        let mut look = || -> Result<()> {
            let db = match &mut reader {
                Some(db) => db,
                none => none.insert(open_reader(&file)?),
            };
            keyring.follow(db)?;
            match keyring.take_uses() {
                Some(uses) => writer.write(move |db| credentials::note_uses(db, &uses)),
                None => Ok(()),
            }
        };
        // Told once, not twice a second, while the database or its disk fails.
        let looked = look();
        let is_new = !std::mem::replace(&mut failed, looked.is_err());
        looked.or_else(|error| if is_new { Err(error) } else { Ok(()) })
    })
}

/// Reads the polls that reports need, then computes the first pages: the weeks of the heat map take longest.
fn warm(hot: &HotWindow, views: &FleetViews, file: &Path, target: Option<i64>) -> Result<()> {
    let mut db = open_reader(file)?;
    hot.warm(&mut db)?;
    thread::sleep(PAGE_AFTER);
    if let Some(as_of) = polls::newest(&db)? {
        let rule = Interpolation::default();
        let view = views.view(&mut db, hot, Question { as_of, rule }, &Audience::All)?;
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
        let polls = writer.write(move |db| forget::prune_some(db, before, &Author::server(clock::machine_us())))?;
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
fn announce(address: &Address) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::failed("stdout cannot be written").because(error))
}
