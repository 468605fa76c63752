//! The log: lines on stderr, from a level on that can change while the process runs.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The level in force, and the way to change it.
static LEVEL: OnceLock<(Mutex<Level>, reload::Handle<LevelFilter, Registry>)> = OnceLock::new();

/// Sends what is at least as severe as `level` to stderr.
pub(super) fn start(level: Level) {
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        // A terminal that closed must not make the log's own complaint a panic.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    let _ = LEVEL.set((Mutex::new(level), handle));
}

/// Puts another level in force; returns the one before if it was another.
pub(super) fn set_level(level: Level) -> Option<Level> {
    let (own, handle) = LEVEL.get()?;
    let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
    if *own == level || handle.reload(LevelFilter::from_level(level)).is_err() {
        return None;
    }
    Some(std::mem::replace(&mut *own, level))
}
