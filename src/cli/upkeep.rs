//! The upkeep of a server: the work that it does by itself again and again, and the options for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use crate::civil::{format_rfc3339, parse_length};
use crate::clock::machine_us;
use crate::db::backup::Care;
use crate::db::backup_folder::BackupFolder;
use crate::db::writer::Writer;
use crate::db::{acknowledgements, audit, credentials, disk, reserve};
use crate::error::{Error, Result};
use crate::health::{Condition, Health};
use crate::http::keyring::SESSION_IDLE;
use crate::product;
use crate::uptime::interval::{DAY, Micros};

/// How soon a backup that failed is tried again, at the latest.
const BACKUP_AGAIN: Duration = Duration::from_secs(300);

/// How often a server looks whether the reserve can be taken back.
const RESERVE_EVERY: Duration = Duration::from_secs(10);

/// How often old rows of the audit, expired links of alerts and idle sessions are forgotten.
const ACCESS_EVERY: Duration = Duration::from_secs(3600);

/// The options of a server that keeps its database for long.
#[derive(Clone, Debug, clap::Args)]
pub struct UpkeepOptions {
    /// Make backups in this folder
    #[arg(long, env = "STORE_MONITOR_BACKUP_DIR", value_name = "DIR")]
    backup_dir: Option<PathBuf>,

    /// How often a backup is made, such as 15m, 6h or 1d
    #[arg(long, env = "STORE_MONITOR_BACKUP_EVERY", value_name = "TIME", default_value = "1d", value_parser = duration)]
    backup_every: Duration,

    /// How many backups stay in the folder
    #[arg(long, env = "STORE_MONITOR_BACKUP_KEEP", value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..))]
    backup_keep: u16,

    /// Forget rows of the audit that are more than N days old
    #[arg(long, env = "STORE_MONITOR_KEEP_AUDIT_DAYS", value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    keep_audit_days: u32,

    /// The reserve.
    #[command(flatten)]
    pub reserve: ReserveOption,

    /// Leave the write-ahead log to another program that copies it, such as Litestream
    #[arg(long, env = "STORE_MONITOR_EXTERNAL_CHECKPOINTS")]
    pub external_checkpoints: bool,
}

/// The option for the reserve, of all that write.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ReserveOption {
    /// How many bytes of the disk are kept for the day on which it is full; 0 for none
    #[arg(long = "reserve", env = "STORE_MONITOR_RESERVE", value_name = "BYTES", default_value_t = reserve::RESERVE_BYTES)]
    pub bytes: u64,
}

/// A length of time: `90s`, `15m`, `6h`, `1d`.
fn duration(text: &str) -> std::result::Result<Duration, String> {
    let length = parse_length(text).map_err(|error| error.message().to_owned())?;
    Ok(Duration::from_micros(length.unsigned_abs()))
}

impl UpkeepOptions {
    /// Takes the reserve of `database`, and takes it back, until the sender is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn keep_reserve(&self, database: PathBuf, health: Arc<Health>) -> Result<Sender<()>> {
        let bytes = self.reserve.bytes;
        every(RESERVE_EVERY, "the reserve", move || {
            match disk::shortage(&database) {
                None => health.clear(Condition::NoSpace),
                Some(error) => health.set(Condition::NoSpace, error.message()),
            }
            match reserve::keep(&database, bytes) {
                Ok(()) => health.clear(Condition::NoReserve),
                Err(error) => health.set(Condition::NoReserve, error.message()),
            }
            Ok(())
        })
    }

    /// Forgets old rows of the audit, expired links of alerts, and sessions that were idle for too long, until the
    /// sender is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn forget_old_access(&self, writer: Writer) -> Result<Sender<()>> {
        let kept = i64::from(self.keep_audit_days) * DAY;
        every(ACCESS_EVERY, "the look at old rows of the audit", move || {
            let now = machine_us();
            while writer.write(move |db| audit::forget_before(db, now - kept))? {}
            while writer.write(move |db| acknowledgements::forget_expired(db, now))? {}
            writer.write(move |db| credentials::forget_idle(db, now - SESSION_IDLE))
        })
    }

    /// The folder of backups of `database`, if it has one.
    pub fn backups(&self, database: &Path) -> Option<Arc<BackupFolder>> {
        let every = i64::try_from(self.backup_every.as_micros()).unwrap_or(i64::MAX / 4);
        let open = |folder: &PathBuf| {
            let backups = BackupFolder::open(folder, database, self.backup_keep.into());
            backups.scheduled(every, machine_us())
        };
        self.backup_dir.as_ref().map(open).map(Arc::new)
    }

    /// Makes backups until the sender is dropped: the first when the newest in the folder is old enough.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn back_up(&self, backups: Arc<BackupFolder>, database: PathBuf, health: Arc<Health>) -> Result<Sender<()>> {
        let period = self.backup_every;
        let (running, stopped) = bounded::<()>(0);
        let mut wait = due_in(backups.newest(), machine_us(), period);
        spawn("backup", move || {
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let made = make(&backups, &database);
                backups.tried(made.is_ok());
                wait = match made {
                    Ok(()) => {
                        health.clear(Condition::BackupFailed);
                        period
                    }
                    Err(error) => {
                        health.set(
                            Condition::BackupFailed,
                            format!("the last backup failed, and is tried again: {error}"),
                        );
                        period.min(BACKUP_AGAIN)
                    }
                };
            }
        })?;
        Ok(running)
    }
}

fn make(backups: &BackupFolder, database: &Path) -> Result<()> {
    let mut care = Care {
        progress: &mut |_, _| {},
        findings: &product::findings,
    };
    let file = backups.make(database, machine_us(), &mut care)?;
    tracing::info!(file = %file.display(), "made a backup");
    Ok(())
}

/// Says in the health whether two backups in a row are missing.
pub fn look_for_backups(backups: &BackupFolder, health: &Health, now: Micros) {
    match backups.missed_since(now) {
        None => health.clear(Condition::BackupMissed),
        Some(since) => health.set(
            Condition::BackupMissed,
            format!(
                "two backups in a row are missing: the first was due at {} (the log says why; look at the folder {})",
                format_rfc3339(since),
                backups.folder().display()
            ),
        ),
    }
}

/// How long to wait for the next backup. One from the future says nothing: the clock was wrong, then or now.
fn due_in(newest: Option<Micros>, now: Micros, period: Duration) -> Duration {
    let age = newest.and_then(|newest| u64::try_from(now - newest).ok());
    age.map_or(Duration::ZERO, |age| period.saturating_sub(Duration::from_micros(age)))
}

/// Gives memory that was freed back to the system: the C library keeps much of it between blocks that are in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(
    unsafe_code,
    reason = "the C library has no other way, and this call has no preconditions"
)]
pub fn give_back_memory() {
    // SAFETY: it takes the allocator's own locks, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives memory back where the C library does so by itself.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back_memory() {}

/// Runs `work` on its own thread.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread
        .map(drop)
        .map_err(|error| Error::failed("cannot start a thread").because(error))
}

/// Runs `work` on its own thread, now and after each `period`, until the sender is dropped.
///
/// # Errors
/// When the system gives no thread.
pub fn every(
    period: Duration,
    name: &'static str,
    mut work: impl FnMut() -> Result<()> + Send + 'static,
) -> Result<Sender<()>> {
    let (running, stopped) = bounded::<()>(0);
    spawn(name, move || {
        loop {
            if let Err(error) = work() {
                tracing::error!(%error, "{name} failed and is tried again later");
            }
            if stopped.recv_timeout(period) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    })?;
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::interval::{DAY, HOUR};

    #[test]
    fn a_length_of_time_has_a_number_and_a_unit() {
        let read = |text| duration(text).ok().map(|duration| duration.as_secs());
        assert_eq!(
            ["90s", "15m", "6h", "1d"].map(read),
            [90, 900, 21_600, 86_400].map(Some)
        );
        assert_eq!(["", "1", "d", "0d", "1w", "-1d", "1.5h"].map(read), [None; 7]);
    }

    #[test]
    fn a_restart_does_not_put_a_backup_off_nor_make_one_too_many() {
        let (now, day) = (400 * DAY, Duration::from_secs(86_400));
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!(due_in(None, now, day), hours(0));
        assert_eq!(due_in(Some(now - 20 * HOUR), now, day), hours(4));
        assert_eq!(due_in(Some(now - 3 * DAY), now, day), hours(0));
        assert_eq!(due_in(Some(now + DAY), now, day), hours(0));
    }
}
