//! The configuration of a server: what is in force, and what of it can be read again while the server runs.

use std::ffi::OsString;
use std::sync::Arc;

use clap::Command;

use super::log;
use super::settings::{self, InForce};
use crate::config::file::File;
use crate::config::{Live, Messaging};
use crate::error::{Error, Result};
use crate::http::guard::Hosts;

/// The settings that a running server can take over.
const CHANGEABLE: [&str; 2] = ["log", "host"];

/// The configuration with which a server started.
pub struct Configuration {
    plain: fn() -> Command,
    arguments: Vec<OsString>,
    file: Option<File>,
    started: Vec<InForce>,
    messaging: Arc<Live>,
}

impl Configuration {
    /// The configuration of this process: its command line, its environment and its `file`.
    ///
    /// # Errors
    /// When a table of the file is wrong, or a file of a secret cannot be read.
    pub(super) fn new(plain: fn() -> Command, file: Option<File>) -> Result<Self> {
        let arguments: Vec<_> = std::env::args_os().collect();
        let started = in_force(plain, &arguments, file.as_ref())?;
        let messaging = file
            .as_ref()
            .map_or_else(|| Ok(Messaging::default()), File::messaging)?;
        let live = Live::default();
        live.set(messaging);
        Ok(Self {
            plain,
            arguments,
            file,
            started,
            messaging: Arc::new(live),
        })
    }

    /// Who is told what.
    pub(super) fn messaging(&self) -> &Arc<Live> {
        &self.messaging
    }

    /// Reads the file again, takes over what can be, and says in the log what changed. A file that is wrong changes
    /// nothing.
    pub(super) fn read_again(&self, hosts: &Hosts) {
        let Some(file) = &self.file else {
            tracing::info!(
                "this signal changes nothing: there is no configuration file to read again (start with --config FILE)"
            );
            return;
        };
        let read = || {
            let file = File::read(&file.path)?;
            if let Some(fault) = settings::faults(&(self.plain)(), &file).into_iter().next() {
                return Err(fault);
            }
            let now = in_force(self.plain, &self.arguments, Some(&file))?;
            Ok((now, file.messaging()?))
        };
        match read() {
            Ok((now, messaging)) => self.take_over(&now, messaging, hosts),
            Err(error) => {
                tracing::error!(%error, "the configuration was not read again; what was in force stays in force");
            }
        }
    }

    fn take_over(&self, now: &[InForce], messaging: Messaging, hosts: &Hosts) {
        let values = |key: &str| now.iter().find(|value| value.key == key).map(|value| &value.values);
        let mut changed = self.messaging.get().changes(&messaging);
        self.messaging.set(messaging);
        if let Some(names) = values("host") {
            let before = hosts.rename(names.iter().cloned());
            if before != hosts.names() {
                changed.push(format!("host: {} → {}", told(&before), told(&hosts.names())));
            }
        }
        if let Some(level) = values("log").and_then(|values| values.first()?.parse().ok())
            && let Some(before) = log::set_level(level)
        {
            changed.push(format!("log: {before} → {level}").to_lowercase());
        }
        match changed.is_empty() {
            true => {
                tracing::info!("the configuration was read again: nothing changed that a running server takes over")
            }
            false => tracing::info!("the configuration was read again: {}", changed.join("; ")),
        }
        for (key, before, now) in settings::changes(&self.started, now) {
            if !CHANGEABLE.contains(&key.as_str()) {
                tracing::warn!("{key}: {before} → {now} takes effect at the next start (restart the server)");
            }
        }
    }
}

fn told(names: &[String]) -> String {
    match names.is_empty() {
        true => "not set".to_owned(),
        false => names.join(", "),
    }
}

/// The settings of the command line `arguments` with what `file` says.
fn in_force(plain: fn() -> Command, arguments: &[OsString], file: Option<&File>) -> Result<Vec<InForce>> {
    let parsed = settings::parse(plain, arguments, file);
    let parsed = parsed.map_err(|error| Error::invalid(settings::sentence(&error)))?;
    Ok(parsed.in_force(file))
}
