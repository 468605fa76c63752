//! The watcher of a server: applies the rules to each minute once it is over, and writes what they say.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::message;
use super::names::NameTable;
use super::rules::rules;
use crate::alerts::alert::Alert;
use crate::alerts::day::Day;
use crate::alerts::engine::Engine;
use crate::alerts::state::State;
use crate::config::Live;
use crate::db::connection::open_reader;
use crate::db::writer::Writer;
use crate::db::{self, acknowledgements, alert_state};
use crate::error::{Error, Result};
use crate::hot_window::{HotWindow, Inputs};
use crate::uptime::interval::{MINUTE, Micros, SECOND};

/// How long after a minute the rules are applied to it: so long its last polls may take to come.
const SETTLED_AFTER: Micros = 5 * SECOND;

/// How many minutes are caught up with after a stop. What happened in a longer one is told as it is at its end.
const CATCH_UP_MINUTES_MAX: Micros = 60;

/// How often what rules remember is stored though they said nothing.
const STORED_EVERY: Micros = 10 * MINUTE;

/// The watcher of a server.
pub struct Watcher {
    file: PathBuf,
    writer: Writer,
    hot: Arc<HotWindow>,
    messaging: Arc<Live>,
    db: Option<Connection>,
    /// None before the first minute, and after a failure: then it goes on from what is stored.
    running: Option<Running>,
}

/// The engine, and what it needs beside the polls.
struct Running {
    engine: Engine,
    /// The last minute that it was applied to, and the last that was stored.
    at: Micros,
    stored: (Micros, State),
    day: Option<(Day, Arc<NameTable>)>,
}

impl Watcher {
    /// A watcher of the database `file` and its polls in memory.
    pub fn new(file: PathBuf, writer: Writer, hot: Arc<HotWindow>, messaging: Arc<Live>) -> Self {
        Self {
            file,
            writer,
            hot,
            messaging,
            db: None,
            running: None,
        }
    }

    /// Whether a minute is over to which the rules were not applied yet, and there are receivers to tell.
    pub fn is_due(&self, now: Micros) -> bool {
        let has_receivers = !self.messaging.get().receivers.is_empty();
        has_receivers && self.running.as_ref().is_none_or(|running| running.at != last_over(now))
    }

    /// Applies the rules to every minute that is over at `now`, and writes their messages. `backups_missed` is since
    /// when backups are missed.
    ///
    /// # Errors
    /// When the database cannot be read or written: the next call goes on from what is stored.
    pub fn advance(&mut self, now: Micros, backups_missed: Option<Micros>) -> Result<()> {
        let mut running = self.running.take();
        let minute = last_over(now);
        if running.as_ref().is_some_and(|running| running.at == minute) {
            self.running = running;
            return Ok(());
        }
        let messaging = self.messaging.get();
        let db = match &mut self.db {
            Some(db) => db,
            none => none.insert(open_reader(&self.file)?),
        };
        let rules = rules(db, &messaging)?;
        if rules.is_empty() {
            return Ok(());
        }
        if let Some(kept) = running.take() {
            running = Some(match kept.engine.rules() == rules {
                true => kept,
                false => Running {
                    engine: Engine::new(rules.clone(), kept.engine.state),
                    ..kept
                },
            });
        }
        let mut running = match running {
            Some(running) => running,
            None => Running::stored(db, rules, minute)?,
        };
        if running.at > minute + CATCH_UP_MINUTES_MAX * MINUTE || running.at < minute - CATCH_UP_MINUTES_MAX * MINUTE {
            // The server stood still, or the machine's clock was set.
            running.at = minute - MINUTE;
        }
        if running.at >= minute {
            self.running = Some(running);
            return Ok(());
        }
        running.engine.state.backups_missed = backups_missed;
        let acknowledged: Vec<String> = {
            let mut known = Vec::new();
            for key in running.engine.open() {
                if acknowledgements::acknowledged(db, key)?.is_some() {
                    known.push(key.to_owned());
                }
            }
            known
        };
        for key in &acknowledged {
            running.engine.acknowledge(key);
        }
        let inputs = self.hot.inputs(db, minute)?;
        let mut alerts = Vec::new();
        // Late polls, and changed hours, are seen by the next minute.
        running.engine.refresh();
        while running.at < minute {
            running.at += MINUTE;
            alerts.extend(running.step(db, &inputs)?);
        }
        let (at, state) = (running.at, running.engine.state.clone());
        let is_due = at - running.stored.0 >= STORED_EVERY || state != running.stored.1;
        if !alerts.is_empty() || is_due {
            let names = running
                .day
                .as_ref()
                .map(|(_, names)| Arc::clone(names))
                .unwrap_or_default();
            let text = serde_json::to_string(&state)
                .map_err(|error| Error::failed("what alert rules remember cannot be written").because(error))?;
            let url = messaging.public_url.clone();
            for alert in &alerts {
                tracing::info!(rule = alert.rule, what = alert.what.as_str(), key = alert.key, "alert");
            }
            self.writer.write(move |db| {
                for alert in &alerts {
                    message::write(db, alert, &names, url.as_deref(), now)?;
                }
                alert_state::store(db, at, &text)
            })?;
            running.stored = (at, state);
        }
        self.running = Some(running);
        Ok(())
    }
}

/// The last minute that is over, and its polls have come.
fn last_over(now: Micros) -> Micros {
    (now - SETTLED_AFTER).div_euclid(MINUTE) * MINUTE
}

impl Running {
    /// Goes on from what is stored; without it, begins with `minute`.
    fn stored(db: &Connection, rules: Vec<crate::alerts::rule::Rule>, minute: Micros) -> Result<Self> {
        let (at, state) = match alert_state::load(db)? {
            None => (minute - MINUTE, State::default()),
            Some((at, text)) => match serde_json::from_str(&text) {
                Ok(state) => (at, state),
                Err(error) => {
                    tracing::warn!(%error, "what alert rules remember cannot be read; they begin anew");
                    (minute - MINUTE, State::default())
                }
            },
        };
        Ok(Self {
            engine: Engine::new(rules, state.clone()),
            at,
            stored: (at, state),
            day: None,
        })
    }

    /// Applies the rules to its minute.
    fn step(&mut self, db: &mut Connection, inputs: &Inputs) -> Result<Vec<Alert>> {
        let is_current = |(day, _): &(Day, _)| day.span.contains(self.at) && Arc::ptr_eq(&day.fleet, &inputs.fleet);
        if !self.day.as_ref().is_some_and(is_current) {
            let names = NameTable::read(&*db::read(db)?, &inputs.fleet)?;
            let owners = names.owners(&inputs.fleet);
            let day = Day::new(Arc::clone(&inputs.fleet), owners, &inputs.history, self.at);
            self.day = Some((day, Arc::new(names)));
            self.engine.refresh();
        }
        match &self.day {
            Some((day, _)) => Ok(self.engine.step(day, &inputs.history, self.at)),
            None => Ok(Vec::new()),
        }
    }
}
