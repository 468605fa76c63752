//! The log: lines on stderr, for people or as JSON, from a level on that can change while the process runs.
//!
//! A server's lines go through a bounded queue to a thread that writes them. So a stderr that nobody reads holds up no
//! request: lines are dropped then, and their number is told.

use std::io::{self, Write};
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use super::upkeep::spawn;
use crate::error::Result;

/// How many lines wait for stderr.
const LOG_LINES_MAX: usize = 8192;

/// How many bytes are written at once, if so many wait.
const WRITTEN_BYTES: usize = 64 << 10;

/// How long the end of a process waits for stderr to take what waits.
const LOG_END_WITHIN: Duration = Duration::from_secs(1);

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Human,
    /// One JSON object a line
    Json,
}

/// The log of this process.
struct Log {
    format: LogFormat,
    level: Mutex<Level>,
    filter: reload::Handle<LevelFilter, Registry>,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// The queue of a server.
static QUEUE: OnceLock<Sender<Entry>> = OnceLock::new();

/// How many lines were dropped since the last that was told.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// What goes through the queue.
enum Entry {
    Line(Vec<u8>),
    /// All before it is written.
    End(Sender<()>),
}

/// Sends what is at least as severe as `level` to stderr. A log that has begun changes its level alone.
pub(super) fn start(format: LogFormat, level: Level) {
    if LOG.get().is_some() {
        set_level(level);
        return;
    }
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    let lines = fmt::layer()
        .with_writer(|| Line)
        .with_target(false)
        .with_ansi(false)
        // A terminal that closed must not make the log's own complaint a panic.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Human => lines.boxed(),
        LogFormat::Json => {
            panic::set_hook(Box::new(tell_panic));
            lines.json().flatten_event(true).with_span_list(false).boxed()
        }
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    let _ = LOG.set(Log {
        format,
        level: Mutex::new(level),
        filter: handle,
    });
}

/// Puts another level in force; returns the one before if it was another.
pub(super) fn set_level(level: Level) -> Option<Level> {
    let log = LOG.get()?;
    let mut own = log.level.lock().unwrap_or_else(PoisonError::into_inner);
    if *own == level || log.filter.reload(LevelFilter::from_level(level)).is_err() {
        return None;
    }
    Some(std::mem::replace(&mut *own, level))
}

/// Whether stderr has JSON alone.
pub(super) fn is_json() -> bool {
    LOG.get().is_some_and(|log| log.format == LogFormat::Json)
}

/// Gives the log a thread of its own.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn queue() -> Result<()> {
    let (lines, waiting) = bounded(LOG_LINES_MAX);
    spawn("log", move || drain(&waiting))?;
    // One that is there already stays, and the new thread ends.
    let _ = QUEUE.set(lines);
    Ok(())
}

/// Waits until stderr has taken what waits, but not for long.
pub(super) fn finish() {
    let (written, done) = bounded(1);
    if let Some(queue) = QUEUE.get()
        && queue.send_timeout(Entry::End(written), LOG_END_WITHIN).is_ok()
    {
        let _ = done.recv_timeout(LOG_END_WITHIN);
    }
}

/// Writes what comes, several lines at once if they wait.
fn drain(waiting: &Receiver<Entry>) {
    let mut ready = Vec::new();
    while let Ok(first) = waiting.recv() {
        let mut ended = None;
        for entry in std::iter::once(first).chain(waiting.try_iter()) {
            match entry {
                Entry::Line(line) => ready.extend_from_slice(&line),
                Entry::End(done) => ended = Some(done),
            }
            if ended.is_some() || ready.len() >= WRITTEN_BYTES {
                break;
            }
        }
        // A stderr that is gone must not end the work.
        let _ = io::stderr().lock().write_all(&ready);
        ready.clear();
        if let Some(done) = ended {
            let _ = done.send(());
        }
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "lines of the log were dropped, because stderr was not read");
        }
    }
}

/// Takes one whole line a call.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match QUEUE.get() {
            None => io::stderr().lock().write_all(line)?,
            Some(queue) => {
                if queue.try_send(Entry::Line(line.to_vec())).is_err() {
                    DROPPED.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tell_panic(info: &panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = info.location().map(tracing::field::display);
    let reason = info.payload_as_str().unwrap_or("a panic without a text");
    tracing::error!(thread = thread.name(), place, "panicked: {reason}");
}
