//! The one writer of a server: a thread that owns the write connection and commits in groups.
//!
//! Callers queue on a bounded channel and wait until their change is durable. Changes that wait together share
//! one commit, and so one fsync. Each has its own savepoint, so a refused change rolls back nothing else.

mod meter;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use rusqlite::hooks::Wal;
use rusqlite::{Connection, Row, TransactionBehavior};

use self::meter::Meter;
use super::connection::{BUSY_TIMEOUT, checkpoints_are_external};
use super::digest;
use super::polls::PollChange;
use super::watch::Watch;
use crate::error::{Error, Result};

/// How many changes may wait before the next is turned away.
const QUEUE_CHANGES_MAX: usize = 1024;

/// How long a client's change waits to start while another process or a large load holds the write lock.
pub const PATIENCE: Duration = BUSY_TIMEOUT;

/// How long it waits when many wait already: each holds a thread that clients who only read need.
const PATIENCE_OF_MANY: Duration = Duration::from_secs(2);

/// How many changes may wait beyond the short patience.
pub const PATIENT_CHANGES_MAX: usize = 32;

/// A write-ahead log of this many pages is checkpointed; the same number as SQLite's own.
const CHECKPOINT_PAGES: i32 = 1000;

/// How many changes one commit may carry; this limits the wait of the first one.
const GROUP_CHANGES_MAX: usize = 256;

/// One change. It runs in the group's transaction, or receives the error when there is none. It returns the
/// answer to send once the commit's outcome is known.
type Change = Box<dyn FnOnce(Result<&Connection, &Error>) -> Answer + Send>;

/// Tells the caller its change's outcome, given the commit's.
type Answer = Box<dyn FnOnce(&Result<()>) + Send>;

/// A handle to the writer thread; clones share it.
#[derive(Clone)]
pub struct Writer {
    queue: Sender<Change>,
    follower: Arc<dyn Follow>,
    /// How many changes now wait longer than [`PATIENCE_OF_MANY`].
    patient: Arc<AtomicUsize>,
    patience: Duration,
    watch: Arc<Watch>,
    meter: Arc<Meter>,
}

/// Memory that follows the polls of the database.
pub trait Follow: Send + Sync + 'static {
    /// Takes durable polls; called in the order of the commits.
    fn follow(&self, change: PollChange);

    /// The lock that the writer holds from each commit until memory has followed it.
    fn telling(&self) -> Telling;
}

/// No memory follows.
impl Follow for () {
    fn follow(&self, _: PollChange) {}

    fn telling(&self) -> Telling {
        Telling::default()
    }
}

/// The lock that the writer holds from a commit until the last `then` has seen it.
///
/// Readers of the database see a commit a moment before `then` does.
#[derive(Clone, Debug, Default)]
pub struct Telling(Arc<Mutex<()>>);

impl Telling {
    /// Waits until every commit that a reader may have seen has reached its `then`s.
    ///
    /// A `then` must not call this: it would wait for itself.
    pub fn wait(&self) {
        drop(self.begin());
    }

    fn begin(&self) -> impl Drop {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Starts the thread. It ends once every handle is dropped and the queue is empty.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(db: Connection, follower: impl Follow) -> Result<(Self, JoinHandle<Connection>)> {
        Self::start_with(db, follower, QUEUE_CHANGES_MAX, PATIENCE)
    }

    fn start_with(
        mut db: Connection,
        follower: impl Follow,
        changes_max: usize,
        patience: Duration,
    ) -> Result<(Self, JoinHandle<Connection>)> {
        let (queue, changes) = bounded(changes_max);
        // Replaces SQLite's own checkpoint, which would delay callers whose change is already durable.
        let log_pages = Arc::new(AtomicI32::new(0));
        let told = Arc::clone(&log_pages);
        db.wal_hook(Some(move |_: &mut Wal, pages| {
            told.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        let telling = follower.telling();
        let file = db.path().map(PathBuf::from).unwrap_or_default();
        let watch = Arc::new(Watch::new(&file, Arc::default()));
        let watched = Arc::clone(&watch);
        let meter = Arc::<Meter>::default();
        let measured = Arc::clone(&meter);
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || run(db, &changes, &log_pages, &telling, &watched, &measured))
            .map_err(|error| Error::failed("cannot start the writer thread").because(error))?;
        let writer = Self {
            queue,
            follower: Arc::new(follower),
            patient: Arc::default(),
            patience,
            watch,
            meter,
        };
        Ok((writer, thread))
    }

    /// The watch over the files that it writes.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// What it counts.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How many changes wait, and how many may.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), self.queue.capacity().unwrap_or(QUEUE_CHANGES_MAX))
    }

    /// Runs `change` and waits until it is durable, however long the queue is.
    ///
    /// # Errors
    /// Those of `change`, which then changes nothing; any failure of the commit.
    pub fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue(change, |_| {})?.wait()
    }

    /// Queues `change`, however long the queue is, and shows the result to `then` as
    /// `try_write_then` does. It is durable only once the outcome says so.
    ///
    /// # Errors
    /// When the writer has stopped.
    pub fn queue<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        then: impl FnOnce(&mut T) + Send + 'static,
    ) -> Result<Outcome<T>> {
        let (change, outcome) = package(change, then);
        self.queue.send(change).map_err(|_| stopping())?;
        Ok(outcome)
    }

    /// Like [`write`](Self::write), but refuses the change when the queue is full, or when it has waited for
    /// [`PATIENCE`] without a start.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind) when it is refused: it changes nothing, now or later.
    /// Those of `write`.
    pub fn try_write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.try_write_then(change, |_| {})
    }

    /// Like [`try_write`](Self::try_write), for a change that may add polls: memory follows them before the
    /// caller learns that they are durable.
    ///
    /// # Errors
    /// Those of `try_write`.
    pub fn try_load<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<(T, Option<PollChange>)> + Send + 'static,
    ) -> Result<T> {
        let follower = Arc::clone(&self.follower);
        let follow = move |(_, change): &mut (T, Option<PollChange>)| {
            if let Some(change) = change.take() {
                follower.follow(change);
            }
        };
        self.try_write_then(change, follow).map(|(done, _)| done)
    }

    fn try_write_then<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        then: impl FnOnce(&mut T) + Send + 'static,
    ) -> Result<T> {
        let (change, outcome) = package(change, then);
        self.queue.try_send(change).map_err(|error| match error {
            TrySendError::Full(_) => {
                self.meter.refused_full.one();
                Error::unavailable("too many changes are waiting (try again in a second)")
            }
            TrySendError::Disconnected(_) => stopping(),
        })?;
        outcome.wait_or_take_back(&self.patient, self.patience, &self.meter)
    }
}

/// The error of changes whose transaction SQLite rolled back for another's failure.
fn rolled_back() -> Error {
    Error::unavailable("a change beside this one met a full or failing disk, so nothing was changed (try again)")
}

fn stopping() -> Error {
    Error::unavailable("the server is stopping")
}

/// Wraps a change for the queue, with the receiver of its outcome.
fn package<T: Send + 'static>(
    change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    then: impl FnOnce(&mut T) + Send + 'static,
) -> (Change, Outcome<T>) {
    let (answer, told) = bounded(1);
    let claimed = Arc::new(AtomicBool::new(false));
    let outcome = Outcome {
        told,
        claimed: Arc::clone(&claimed),
    };
    let change = move |db: Result<&Connection, &Error>| -> Answer {
        if claimed.swap(true, Ordering::SeqCst) {
            // The caller took it back.
            return Box::new(|_| {});
        }
        let result = db.map_err(Error::again).and_then(|db| in_savepoint(db, change));
        Box::new(move |commit| {
            let mut result = result;
            let committed = match commit {
                Ok(()) => {
                    if let Ok(done) = &mut result {
                        then(done);
                    }
                    result
                }
                // Errors cannot be cloned: each caller gets the sentence, and the log has the cause.
                Err(error) => result.and(Err(Error::again(error))),
            };
            // The send fails only if the caller has stopped waiting.
            let _ = answer.send(committed);
        })
    };
    (Box::new(change), outcome)
}

/// Receives a change's outcome.
pub struct Outcome<T> {
    told: Receiver<Result<T>>,
    /// Set by the first of two: the writer, who starts the change, or the caller, who takes it back.
    claimed: Arc<AtomicBool>,
}

impl<T> Outcome<T> {
    /// Waits until the change is durable.
    ///
    /// # Errors
    /// Those of the change, which then changes nothing; any failure of the commit.
    pub fn wait(&self) -> Result<T> {
        let stopped = |_| Err(Error::failed("the writer stopped before the change was made"));
        self.told.recv().unwrap_or_else(stopped)
    }

    /// Waits until the change is durable, for so long at most; none while that is not known.
    pub fn wait_for(&self, patience: Duration) -> Option<Result<T>> {
        match self.told.recv_timeout(patience) {
            Ok(outcome) => Some(outcome),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(stopping())),
        }
    }

    fn wait_or_take_back(&self, patient: &AtomicUsize, patience: Duration, meter: &Meter) -> Result<T> {
        let short = patience.min(PATIENCE_OF_MANY);
        if let Ok(outcome) = self.told.recv_timeout(short) {
            return outcome;
        }
        if patient.fetch_add(1, Ordering::SeqCst) < PATIENT_CHANGES_MAX
            && let Ok(outcome) = self.told.recv_timeout(patience - short)
        {
            patient.fetch_sub(1, Ordering::SeqCst);
            return outcome;
        }
        patient.fetch_sub(1, Ordering::SeqCst);
        if self.claimed.swap(true, Ordering::SeqCst) {
            return self.wait();
        }
        meter.refused_late.one();
        Err(Error::unavailable(
            "a large load or another process has been writing for long, so nothing was changed (try again in a second)",
        ))
    }
}

/// The thread's loop: takes all changes that wait and commits them together.
fn run(
    mut db: Connection,
    changes: &Receiver<Change>,
    log_pages: &AtomicI32,
    telling: &Telling,
    watch: &Watch,
    meter: &Meter,
) -> Connection {
    while let Ok(first) = changes.recv() {
        let waiting = changes.try_iter().take(GROUP_CHANGES_MAX - 1);
        let group: Vec<Change> = std::iter::once(first).chain(waiting).collect();
        let (started, changes) = (Instant::now(), group.len());
        let (answers, commit, begun) = commit(&mut db, group, telling);
        meter.committed(started.elapsed(), changes, commit.is_err());
        if let Err(error) = &commit {
            tracing::error!(%error, changes = answers.len(), "changes were not committed");
        }
        // A commit to a file that has lost its name is none.
        let commit = commit.and_then(|()| watch.verify());
        for answer in answers {
            answer(&commit);
        }
        drop(begun);
        if log_pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES && !checkpoints_are_external() {
            checkpoint(&db, meter);
        }
    }
    db
}

/// Copies the log to the database, except the part that a reader still needs.
fn checkpoint(db: &Connection, meter: &Meter) {
    let started = Instant::now();
    let pages = |row: &Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    match db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages) {
        Ok((all, copied)) => {
            meter.checkpoints.observe(started.elapsed());
            if copied < all {
                meter.checkpoints_partial.one();
            }
        }
        Err(error) => {
            meter.checkpoints_failed.one();
            tracing::warn!(%error, "the write-ahead log could not be copied; the next commit tries again");
        }
    }
}

/// Runs a group in one transaction and commits it; takes the lock before the commit.
fn commit<'a>(
    db: &mut Connection,
    group: Vec<Change>,
    telling: &'a Telling,
) -> (Vec<Answer>, Result<()>, impl Drop + use<'a>) {
    match db.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => {
            let answers = group.into_iter().map(|change| change(Ok(&transaction))).collect();
            let sealed = match transaction.is_autocommit() {
                true => Err(rolled_back()),
                false => digest::seal_fleet(&transaction),
            };
            let begun = telling.begin();
            let commit = sealed.and_then(|()| Ok(transaction.commit()?));
            (answers, commit, begun)
        }
        Err(error) => {
            let error = Error::from(error);
            (
                group.into_iter().map(|change| change(Err(&error))).collect(),
                Err(error),
                telling.begin(),
            )
        }
    }
}

/// Runs one change of a group as a whole or not at all, even if it panics.
fn in_savepoint<T>(db: &Connection, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    if db.is_autocommit() {
        return Err(rolled_back());
    }
    db.execute_batch("SAVEPOINT change")?;
    let result = catch_unwind(AssertUnwindSafe(|| change(db)))
        .unwrap_or_else(|_| Err(Error::failed("a change to the database panicked")));
    if result.is_err() {
        if db.is_autocommit() {
            // A full or failing disk made SQLite roll back the whole transaction.
            return result;
        }
        db.execute_batch("ROLLBACK TO change")?;
    }
    db.execute_batch("RELEASE change")?;
    result
}

#[cfg(test)]
mod tests;
