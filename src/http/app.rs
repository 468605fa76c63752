//! The application: the state that handlers work with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::guard::Hosts;
use super::locale::Locale;
use super::uploads::Uploads;
use crate::clock;
use crate::db::backup_folder::BackupFolder;
use crate::db::connection::{folder_of, keep_few_pages, open_reader};
use crate::db::fit::FitCache;
use crate::db::polls;
use crate::db::writer::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::fleet_view::FleetViews;
use crate::health::{Condition, Health};
use crate::hot_window::HotWindow;
use crate::ingest::machine_time::{AHEAD_MINUTES, MachineTime};
use crate::ingest::options::STORES_MAX;
use crate::jobs::Jobs;
use crate::scratch::Scratch;
use crate::uptime::interval::{MINUTE, Micros};

/// The default limit of a body of rows, in bytes.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

/// How many bodies of the greatest length may wait on the disk at once, with what is made of them.
const BODIES_ON_DISK_MAX: u64 = 4;

/// How many bytes may wait on the disk at least; replies wait there, too.
const DISK_BYTES: u64 = 1 << 30;

/// The clock of reports whose caller names no instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The newest poll: a report of old data is about its own time.
    #[default]
    Data,
    /// The clock that says what is now.
    System,
}

/// The state that all handlers share.
#[derive(Clone)]
pub struct Site {
    /// The database file.
    pub file: PathBuf,
    /// The queue of reports.
    pub jobs: Jobs,
    /// The only way to change the database.
    pub writer: Writer,
    /// The data in memory.
    pub hot: Arc<HotWindow>,
    /// Views of the fleet.
    pub views: Arc<FleetViews>,
    /// Whether the stores of all sources are the same ones.
    pub fits: Arc<FitCache>,
    /// Refused uploads, for corrections.
    pub uploads: Arc<Uploads>,
    /// The backups that the server makes, if it makes any.
    pub backups: Option<Arc<BackupFolder>>,
    /// The hosts that are served.
    pub hosts: Hosts,
    /// Whether pages are read-only.
    pub read_only_pages: bool,
    /// The clock of reports.
    pub clock: Clock,
    /// The clock that says what is now.
    pub now: clock::Clock,
    /// How far polls may be ahead of that clock.
    pub ahead: Micros,
    /// How pages write times and numbers; none for what the zones of most stores suggest.
    pub locale: Option<Locale>,
    /// The sign that pages print before amounts of money, if any.
    pub currency: Option<String>,
    /// The target of stores without their own, in hundredths of a per cent, if any.
    pub target: Option<i64>,
    /// The longest body of rows, in bytes as sent and as unpacked.
    pub body_bytes_max: u64,
    /// The room for temporary files of all requests together.
    pub scratch: Scratch,
    /// How many stores the database may have.
    pub stores_max: u64,
}

impl Site {
    /// A site with an empty memory, which serves this machine only, with the defaults of `serve`.
    pub fn new(file: PathBuf, jobs: Jobs, writer: Writer) -> Self {
        Self {
            scratch: room_beside(&file, BODY_BYTES_MAX),
            file,
            jobs,
            writer,
            hot: Arc::default(),
            views: Arc::default(),
            fits: Arc::default(),
            uploads: Arc::default(),
            backups: None,
            hosts: Hosts::new(SocketAddr::from(([127, 0, 0, 1], 0)), []),
            read_only_pages: false,
            clock: Clock::Data,
            now: clock::Clock::Machine,
            ahead: i64::from(AHEAD_MINUTES) * MINUTE,
            locale: None,
            currency: None,
            target: None,
            body_bytes_max: BODY_BYTES_MAX,
            stores_max: STORES_MAX,
        }
    }

    /// The machine's time, judged by the newest poll that is stored. The health says when doubt begins and ends.
    pub fn machine_time(&self, newest_poll: Option<Micros>) -> MachineTime {
        let time = MachineTime::new(self.now.now_us(), self.ahead, self.now.earliest_us(), newest_poll);
        let health = self.health();
        match time.sentence() {
            Some(sentence) => health.begin(Condition::ClockSuspect, || {
                format!("{sentence}; polls ahead of it are answered 503 until the machine's clock is set")
            }),
            None => health.clear(Condition::ClockSuspect),
        }
        time
    }

    /// What is wrong now.
    pub fn health(&self) -> &Arc<Health> {
        self.writer.watch().health()
    }

    /// Remembers that the database is broken, if an error says so.
    pub(super) fn note(&self, error: &Error) {
        if error.kind() == ErrorKind::Broken {
            self.health().set(Condition::DatabaseBroken, error.message());
        }
    }

    /// The folder of the database, which has room for temporary files.
    pub(super) fn folder(&self) -> &Path {
        folder_of(&self.file)
    }
}

/// The room for temporary files beside a database, where bodies have at most `body_bytes_max` bytes.
pub fn room_beside(file: &Path, body_bytes_max: u64) -> Scratch {
    let bytes_max = body_bytes_max.saturating_mul(BODIES_ON_DISK_MAX);
    Scratch::bounded(folder_of(file), bytes_max.max(DISK_BYTES))
}

/// Idle readers: as many as were ever in use at once, far fewer than handlers.
pub type Readers = Arc<Mutex<Vec<Connection>>>;

/// The state of one handler thread.
pub struct App {
    pub(super) site: Site,
    readers: Readers,
    db: Option<Connection>,
}

impl App {
    /// The state of one thread; all threads share the site and the readers.
    pub fn new(site: Site, readers: Readers) -> Self {
        Self {
            site,
            readers,
            db: None,
        }
    }

    /// A reader for this request; a new one if none is free.
    pub(super) fn db(&mut self) -> Result<&mut Connection> {
        self.site.writer.watch().verify()?;
        if self.db.is_none() {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            self.db = readers.pop();
        }
        match &mut self.db {
            Some(db) => Ok(db),
            none => {
                // The client did nothing wrong, whatever is wrong with the file.
                let opened = open_reader(&self.site.file).map_err(|error| match error.kind() {
                    ErrorKind::Invalid | ErrorKind::Failed => error.of_kind(ErrorKind::Broken),
                    _ => error,
                });
                let opened = opened?;
                keep_few_pages(&opened)?;
                Ok(none.insert(opened))
            }
        }
    }

    /// The machine's time, judged by the newest poll.
    pub(super) fn machine_time(&mut self) -> Result<MachineTime> {
        let newest = self.newest_poll()?;
        Ok(self.site.machine_time(newest))
    }

    /// Why the newest poll's instant is used in place of the machine's, which the server was told to use.
    pub(super) fn doubt_of_as_of(&mut self) -> Result<Option<String>> {
        match self.site.clock {
            Clock::Data => Ok(None),
            Clock::System => Ok(self.machine_time()?.sentence()),
        }
    }

    /// The instant of a report whose caller names none; none if the newest poll's is to be used, also because the
    /// machine's clock cannot be right.
    pub(super) fn as_of(&mut self) -> Result<Option<Micros>> {
        match self.site.clock {
            Clock::Data => Ok(None),
            Clock::System => {
                let time = self.machine_time()?;
                Ok(time.doubt.is_none().then_some(time.at))
            }
        }
    }

    /// The instant of the newest poll, if there is one.
    pub(super) fn newest_poll(&mut self) -> Result<Option<Micros>> {
        polls::newest(self.db()?)
    }

    /// Returns the reader to the others; after a panic it is closed.
    pub(super) fn done(&mut self, panicked: bool) {
        if let Some(db) = self.db.take().filter(|_| !panicked) {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.push(db);
        }
    }
}
