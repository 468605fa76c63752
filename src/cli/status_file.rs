//! The status file `FILE-status`: what a running server knows of itself, for `status` on its machine.
//!
//! A server with tokens tells strangers nothing, and `status` has no token: who can read the database can read this
//! file, and nobody else. It is written again and again, so its age says whether the server hangs. It holds no secret.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::Sender;
use serde_json::{Value, json};

use super::upkeep::every;
use crate::civil::format_rfc3339;
use crate::clock::machine_us;
use crate::db::part::{self, Look};
use crate::error::Result;
use crate::http::frontend::socket::Address;
use crate::http::{Site, health};
use crate::uptime::interval::{Micros, SECOND};

/// How often it is written.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// How old it may be before its server counts as one that hangs.
pub(super) const FRESH_FOR: Micros = 60 * SECOND;

/// Only the owner may read it, as with the database.
const MODE: u32 = 0o600;

/// Writes the status of `site`, which is served at `address`, until the sender is dropped.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn keep(site: Site, address: Address, keep_days: Option<u32>) -> Result<Sender<()>> {
    let path = path_of(&site.file);
    every(WRITTEN_EVERY, "the status file", move || {
        // On a full disk it stays as it is: the health says what is wrong, and the file's age says the rest.
        if let Err(error) = write(&path, &facts(&site, &address, keep_days)) {
            tracing::debug!(%error, "the status file cannot be written");
        }
        Ok(())
    })
}

/// Removes it at a clean stop.
pub(super) fn remove(database: &Path) {
    // Without a status file there is nothing to remove.
    let _ = fs::remove_file(path_of(database));
}

/// The status of the server of `database`, as it wrote it last; none if there is none.
pub(super) fn read(database: &Path) -> Option<Value> {
    let text = fs::read_to_string(path_of(database)).ok()?;
    serde_json::from_str(&text).ok()
}

fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-status");
    name.into()
}

fn facts(site: &Site, address: &Address, keep_days: Option<u32>) -> Value {
    let reasons = health::unready(site);
    let reason = |reason: &health::Reason| json!({"reason": reason.name, "detail": reason.detail});
    let mut facts = health::facts(site);
    facts["pid"] = std::process::id().into();
    facts["version"] = env!("CARGO_PKG_VERSION").into();
    facts["address"] = address.to_string().into();
    facts["written_at"] = format_rfc3339(machine_us()).into();
    facts["keep_days"] = keep_days.into();
    facts["not_ready"] = reasons.iter().map(reason).collect();
    facts
}

fn write(path: &Path, facts: &Value) -> std::io::Result<()> {
    use std::io::Write;

    let mut part = part::new(path, Look::Hidden, MODE)?;
    writeln!(part, "{facts}")?;
    part.persist(path).map_err(|error| error.error)?;
    Ok(())
}
