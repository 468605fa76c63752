//! The application: the state that handlers work with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::guard::Hosts;
use crate::clock;
use crate::db::connection::{folder_of, open_reader};
use crate::db::polls;
use crate::db::writer::Writer;
use crate::error::Result;
use crate::fleet_view::FleetViews;
use crate::hot_window::HotWindow;
use crate::jobs::Jobs;
use crate::uptime::interval::Micros;

/// How long a body of rows may be by default, in bytes.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

/// Whose clock a report follows when the caller names no instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The newest poll's: a report of old data is a report of its own time.
    #[default]
    Data,
    /// The machine's.
    System,
}

impl Clock {
    /// The machine's instant; none where the newest poll's shall be used.
    pub(super) fn as_of(self) -> Option<Micros> {
        match self {
            Self::Data => None,
            Self::System => Some(clock::machine_us()),
        }
    }
}

/// Everything that all handlers share.
#[derive(Clone)]
pub struct Site {
    /// The database file.
    pub file: PathBuf,
    /// The queue of reports.
    pub jobs: Jobs,
    /// The one way to change the database.
    pub writer: Writer,
    /// The part of the database that is in memory.
    pub hot: Arc<HotWindow>,
    /// Views of the fleet.
    pub views: Arc<FleetViews>,
    /// The hosts that are served.
    pub hosts: Hosts,
    /// Whether pages may only show.
    pub read_only_pages: bool,
    /// Whose clock a report follows.
    pub clock: Clock,
    /// How long a body of rows may be, in bytes as it is sent.
    pub body_bytes_max: u64,
}

impl Site {
    /// A site with an empty memory, for this machine alone, and with the defaults of `serve`.
    pub fn new(file: PathBuf, jobs: Jobs, writer: Writer) -> Self {
        Self {
            file,
            jobs,
            writer,
            hot: Arc::default(),
            views: Arc::default(),
            hosts: Hosts::new(SocketAddr::from(([127, 0, 0, 1], 0)), []),
            read_only_pages: false,
            clock: Clock::Data,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }

    /// The folder of the database, where there is room for temporary files.
    pub(super) fn folder(&self) -> &Path {
        folder_of(&self.file)
    }
}

/// Idle readers: as many as were ever used side by side, which is far fewer than handlers.
pub type Readers = Arc<Mutex<Vec<Connection>>>;

/// One handler's state: one for each thread.
pub struct App {
    pub(super) site: Site,
    readers: Readers,
    db: Option<Connection>,
}

impl App {
    /// The handlers of all threads share the site and the readers.
    pub fn new(site: Site, readers: Readers) -> Self {
        Self {
            site,
            readers,
            db: None,
        }
    }

    /// A reader for this request, opened when none is free.
    pub(super) fn db(&mut self) -> Result<&mut Connection> {
        if self.db.is_none() {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            self.db = readers.pop();
        }
        match &mut self.db {
            Some(db) => Ok(db),
            none => Ok(none.insert(open_reader(&self.site.file)?)),
        }
    }

    /// The instant of the newest poll; none without any.
    pub(super) fn newest_poll(&mut self) -> Result<Option<Micros>> {
        polls::newest(self.db()?)
    }

    /// Gives the reader back for other requests; one whose handler panicked is closed.
    pub(super) fn done(&mut self, panicked: bool) {
        if let Some(db) = self.db.take().filter(|_| !panicked) {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.push(db);
        }
    }
}
