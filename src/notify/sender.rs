//! The thread that sends the outbox.
//!
//! It looks each second for receivers with messages that are due, and gives each of them a thread for as long as it has
//! any: a receiver that is slow or dead delays no other. What became of an attempt is noted by this thread alone.
//!
//! Messages reach a receiver in the order in which they were written, as far as it takes them. After a failure it
//! rests, and the same message comes first again. Once that has failed a few times, another one is tried beside it, in
//! case the first alone is at fault. When the receiver takes messages again, all that waits is due at once, the oldest
//! first.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver as Channel, Sender, bounded, select, unbounded};
use rusqlite::Connection;

use super::attempt;
use super::failure::{Again, Failure};
use super::receiver::Receiver;
use super::retry;
use crate::clock::machine_us;
use crate::db::connection::open_reader;
use crate::db::outbox::{self, Attempt, Entry};
use crate::db::writer::Writer;
use crate::error::{Error, Result};
use crate::health::Condition;
use crate::uptime::interval::{HOUR, MINUTE, Micros};

/// How often the outbox is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many messages a receiver's thread takes along.
const TAKEN_AT_ONCE: u32 = 20;

/// How long a receiver that fails rests before another message is tried.
const REST: Micros = MINUTE;

/// After how many failures in a row a receiver rests, in any case.
const FAILURES_MAX: u32 = 2;

/// How often a message must have failed before another one is tried beside it.
const PASSED_AFTER: u32 = 4;

/// How often old messages are forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How often the health is told which receivers fail.
const JUDGE_EVERY: Duration = Duration::from_secs(60);

/// How long a stop waits for attempts in progress: what is not noted then is sent again.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Finds the receiver of a name in the configuration in force.
pub type Lookup = Box<dyn Fn(&str) -> Option<Receiver> + Send>;

/// What the threads of receivers tell.
enum News {
    /// A message was tried.
    Tried(String, Attempt),
    /// The thread of a receiver ends; until then it rests, if it failed.
    Ended(String, Option<Micros>),
}

/// What is known of a receiver.
struct Standing {
    /// Whether a thread sends to it.
    is_busy: bool,
    /// Whether the last message did not arrive. True at first: what failed before the start may arrive now.
    is_failing: bool,
    /// Until when it is left alone.
    rests_until: Micros,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            is_busy: false,
            is_failing: true,
            rests_until: 0,
        }
    }
}

struct Outbox {
    file: PathBuf,
    writer: Writer,
    lookup: Lookup,
    standings: HashMap<String, Standing>,
    news: (Sender<News>, Channel<News>),
    /// Attempts that are not noted yet.
    unnoted: Vec<Attempt>,
    /// Receivers that take messages again.
    recovered: Vec<String>,
    is_stopping: Arc<AtomicBool>,
    tidied_at: Option<Instant>,
    judged_at: Option<Instant>,
}

/// Starts the thread, which sends until the answer is dropped.
///
/// # Errors
/// When the system gives no thread.
pub fn start(file: PathBuf, writer: Writer, lookup: Lookup) -> Result<Sender<()>> {
    let (running, stopped) = bounded::<()>(0);
    let outbox = Outbox {
        file,
        writer,
        lookup,
        standings: HashMap::new(),
        news: unbounded(),
        unnoted: Vec::new(),
        recovered: Vec::new(),
        is_stopping: Arc::default(),
        tidied_at: None,
        judged_at: None,
    };
    spawn("outbox", move || outbox.run(&stopped))?;
    Ok(running)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread
        .map(drop)
        .map_err(|error| Error::failed("cannot start a thread").because(error))
}

impl Outbox {
    fn run(mut self, stopped: &Channel<()>) {
        let news = self.news.1.clone();
        let mut failed = false;
        let mut db = None;
        loop {
            let looked = self.look(&mut db);
            if let Err(error) = &looked
                && !failed
            {
                tracing::error!(%error, "the outbox failed and is tried again each second");
            }
            failed = looked.is_err();
            if failed {
                db = None;
            }
            select! {
                recv(stopped) -> _ => break,
                recv(news) -> told => told.into_iter().for_each(|told| self.take(told)),
                default(LOOK_EVERY) => {}
            }
            while let Ok(told) = news.try_recv() {
                self.take(told);
            }
        }
        self.stop(&news);
    }

    /// Waits a little for attempts in progress, and notes them.
    fn stop(&mut self, news: &Channel<News>) {
        self.is_stopping.store(true, Ordering::SeqCst);
        let until = Instant::now() + STOP_WITHIN;
        while self.standings.values().any(|standing| standing.is_busy) {
            match news.recv_deadline(until) {
                Ok(told) => self.take(told),
                Err(_) => break,
            }
        }
        if let Err(error) = self.write_notes() {
            tracing::error!(%error, "messages that were sent last may be sent again after the next start");
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Tried(receiver, attempt) => {
                let standing = self.standings.entry(receiver.clone()).or_default();
                if attempt.is_sent && standing.is_failing {
                    standing.is_failing = false;
                    self.recovered.push(receiver);
                }
                self.unnoted.push(attempt);
            }
            News::Ended(receiver, rests_until) => {
                let standing = self.standings.entry(receiver).or_default();
                standing.is_busy = false;
                standing.is_failing |= rests_until.is_some();
                standing.rests_until = rests_until.unwrap_or(0);
            }
        }
    }

    /// Notes what is to be noted, and starts what is due. While the disk takes no note nothing is started: it would be
    /// sent again and again.
    fn look(&mut self, db: &mut Option<Connection>) -> Result<()> {
        self.write_notes()?;
        let db = match db {
            Some(db) => db,
            none => none.insert(open_reader(&self.file)?),
        };
        self.tidy()?;
        let now = machine_us();
        for name in outbox::receivers_due(db, now)? {
            let standing = self.standings.entry(name.clone()).or_default();
            if standing.is_busy || standing.rests_until > now {
                continue;
            }
            let or_oldest = standing.is_failing;
            let due = outbox::due(db, &name, now, or_oldest, TAKEN_AT_ONCE)?;
            match (self.lookup)(&name) {
                Some(receiver) => self.send(receiver, due)?,
                None => self
                    .unnoted
                    .extend(due.iter().map(|entry| without_receiver(entry, now))),
            }
        }
        self.write_notes()?;
        self.judge(db)
    }

    /// Starts a thread that sends these messages.
    fn send(&mut self, receiver: Receiver, due: Vec<Entry>) -> Result<()> {
        let (news, is_stopping) = (self.news.0.clone(), Arc::clone(&self.is_stopping));
        let name = receiver.name.clone();
        spawn("receiver", move || {
            let mut pass = Pass {
                receiver,
                news,
                rests_until: None,
            };
            pass.run(due, &is_stopping);
        })?;
        self.standings.entry(name).or_default().is_busy = true;
        Ok(())
    }

    fn write_notes(&mut self) -> Result<()> {
        if self.unnoted.is_empty() && self.recovered.is_empty() {
            return Ok(());
        }
        let (attempts, recovered) = (self.unnoted.clone(), self.recovered.clone());
        self.writer.write(move |db| {
            for attempt in &attempts {
                outbox::note(db, attempt)?;
            }
            let now = machine_us();
            recovered
                .iter()
                .try_for_each(|receiver| outbox::hasten(db, receiver, now))
        })?;
        self.unnoted.clear();
        self.recovered.clear();
        Ok(())
    }

    /// Forgets old messages, once an hour, and mends the times that a wrong clock left.
    fn tidy(&mut self) -> Result<()> {
        if !is_over(&mut self.tidied_at, TIDY_EVERY) {
            return Ok(());
        }
        let now = machine_us();
        self.writer
            .write(move |db| outbox::hasten_beyond(db, now, now + retry::RETRY_PAUSE + HOUR))?;
        while self.writer.write(move |db| outbox::forget(db, now))? {}
        Ok(())
    }

    /// Says in the health which receivers fail.
    fn judge(&mut self, db: &Connection) -> Result<()> {
        if !is_over(&mut self.judged_at, JUDGE_EVERY) {
            return Ok(());
        }
        let now = machine_us();
        let counts = outbox::counts(db)?;
        let failing = counts.iter().filter(|count| count.is_failing(now));
        let names: Vec<_> = failing.map(|count| format!("`{}`", count.receiver)).collect();
        let health = self.writer.watch().health();
        match names.is_empty() {
            true => health.clear(Condition::ReceiverFailing),
            false => health.set(
                Condition::ReceiverFailing,
                format!(
                    "messages do not arrive at {} (/messages says why; `store-monitor alert test NAME` tries it)",
                    names.join(", ")
                ),
            ),
        }
        Ok(())
    }
}

/// Whether so much time has passed since; then it begins anew.
fn is_over(since: &mut Option<Instant>, period: Duration) -> bool {
    let is_over = since.is_none_or(|since| since.elapsed() >= period);
    if is_over {
        *since = Some(Instant::now());
    }
    is_over
}

/// The attempt of a message whose receiver is not in the configuration.
fn without_receiver(entry: &Entry, now: Micros) -> Attempt {
    let reason = format!(
        "there is no receiver `{}` in the configuration (add it, or remove it from the rules that name it)",
        entry.message.receiver
    );
    noted(entry, now, Err(Failure::later(reason)))
}

/// What is noted of an attempt that ended at `at`.
fn noted(entry: &Entry, at: Micros, outcome: Result<Option<String>, Failure>) -> Attempt {
    let attempts = entry.attempts.saturating_add(1);
    let (is_sent, error, next_attempt_at) = match outcome {
        Ok(note) => (true, note, None),
        Err(Failure { reason, again }) => {
            let next = retry::next(&entry.message.key, entry.created_at, attempts, at, again);
            (false, Some(reason), next)
        }
    };
    Attempt {
        number: entry.number,
        at,
        next_attempt_at,
        is_sent,
        error,
    }
}

/// What the thread of a receiver does.
struct Pass {
    receiver: Receiver,
    news: Sender<News>,
    rests_until: Option<Micros>,
}

impl Pass {
    /// Sends messages until all were tried, or two in a row failed.
    fn run(&mut self, mut due: Vec<Entry>, is_stopping: &AtomicBool) {
        let mut failures = 0;
        while !due.is_empty() && failures < FAILURES_MAX && !is_stopping.load(Ordering::SeqCst) {
            let entry = due.remove(next_of(&due, failures));
            let outcome = attempt::send(&self.receiver, &entry.message, entry.created_at);
            let at = machine_us();
            let again = outcome.as_ref().err().map(|failure| failure.again);
            let attempt = noted(&entry, at, outcome);
            tell(&entry, &attempt);
            match again {
                // A receiver that refuses one message takes others.
                None | Some(Again::Never) => {
                    failures = 0;
                    self.rests_until = None;
                }
                Some(Again::Later) => {
                    failures = match entry.attempts + 1 < PASSED_AFTER {
                        true => FAILURES_MAX,
                        false => failures + 1,
                    };
                    self.rests_until = Some(attempt.next_attempt_at.unwrap_or(at).min(at + REST));
                }
                Some(Again::After(_)) => {
                    failures = FAILURES_MAX;
                    self.rests_until = attempt.next_attempt_at;
                }
            }
            // Whoever is not there to be told is stopping.
            let _ = self.news.send(News::Tried(self.receiver.name.clone(), attempt));
        }
    }
}

impl Drop for Pass {
    /// Also after a panic the receiver is not busy for ever.
    fn drop(&mut self) {
        let rests_until = match thread::panicking() {
            true => Some(machine_us() + REST),
            false => self.rests_until,
        };
        let _ = self.news.send(News::Ended(self.receiver.name.clone(), rests_until));
    }
}

/// Which message comes next: the first; after a failure the first of those that were tried least.
fn next_of(due: &[Entry], failures: u32) -> usize {
    if failures == 0 {
        return 0;
    }
    let places = 0..due.len();
    places.min_by_key(|&place| due[place].attempts).unwrap_or(0)
}

fn tell(entry: &Entry, attempt: &Attempt) {
    let (number, receiver) = (entry.number, &entry.message.receiver);
    let error = attempt.error.as_deref().unwrap_or_default();
    match (attempt.is_sent, attempt.next_attempt_at) {
        (true, _) if error.is_empty() => tracing::debug!(number, receiver, "sent a message"),
        (true, _) => tracing::warn!(number, receiver, error, "sent a message, but not to all"),
        // The first failure and the last: what lies between is on the page.
        (false, Some(_)) if entry.attempts == 0 => {
            tracing::warn!(number, receiver, error, "a message did not arrive and is tried again");
        }
        (false, Some(_)) => tracing::debug!(number, receiver, error, "a message did not arrive again"),
        (false, None) => tracing::error!(number, receiver, error, "a message is given up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::outbox::{Kind, Message};
    use crate::uptime::interval::{DAY, SECOND};

    fn entry(number: i64, attempts: u32) -> Entry {
        Entry {
            number,
            message: Message {
                key: number.to_string(),
                receiver: "phone".to_owned(),
                kind: Kind::Alert,
                subject: String::new(),
                text: String::new(),
                html: None,
                facts: "{}".to_owned(),
            },
            created_at: 0,
            attempts,
            next_attempt_at: Some(0),
            tried_at: None,
            sent_at: None,
            error: None,
        }
    }

    #[test]
    fn after_a_failure_comes_the_message_that_was_tried_least() {
        let due = [entry(1, 5), entry(2, 1), entry(3, 0), entry(4, 0)];
        assert_eq!(next_of(&due, 0), 0);
        assert_eq!(next_of(&due, 1), 2);
    }

    #[test]
    fn what_is_noted_says_when_a_message_is_due_again() {
        let sent = noted(&entry(1, 3), 7, Ok(None));
        assert_eq!((sent.is_sent, sent.next_attempt_at, sent.error), (true, None, None));
        let failed = noted(&entry(1, 0), 7, Err(Failure::later("no")));
        assert!((7 + SECOND..=7 + 2 * SECOND).contains(&failed.next_attempt_at.unwrap()));
        assert_eq!((failed.is_sent, failed.error.as_deref()), (false, Some("no")));
        let late = noted(&entry(1, 90), 3 * DAY, Err(Failure::later("no")));
        assert_eq!(late.next_attempt_at, None);
        let gone = without_receiver(&entry(1, 0), 7);
        assert!(gone.next_attempt_at.is_some() && gone.error.unwrap().contains("no receiver `phone`"));
    }
}
