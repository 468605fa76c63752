//! HTTP: the server, and what each request passes through.
//!
//! In reading order: [`door`] (clients come no further until their request is good and whole), [`back`]
//! (the handlers' threads), [`request`], [`guard`] (who is turned away), [`routes`] (the table), the
//! handlers [`reports`], [`intake`], [`stores`], [`fleet`], [`badge`], [`outages`], [`metrics`],
//! [`openapi`] and [`health`] for programs, [`pages`] for people, [`response`], [`delivery`] (what every
//! answer gets on its way out). [`asked`] and [`store_list`] say what a request is about, [`facts`] what
//! the core found out. It must never know how reports are made or stored.

pub mod asked;
pub mod assets;
pub mod back;
pub mod badge;
pub mod delivery;
pub mod door;
pub mod facts;
pub mod fleet;
pub mod guard;
pub mod health;
pub mod intake;
pub mod metrics;
pub mod multipart;
pub mod openapi;
pub mod outages;
pub mod pages;
pub mod reports;
pub mod request;
pub mod response;
pub mod routes;
pub mod store_list;
pub mod stores;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use self::back::Back;
use self::door::Door;
use self::guard::Hosts;
use crate::clock;
use crate::db::connection::{folder_of, open_reader};
use crate::db::writer::Writer;
use crate::error::{Error, Result};
use crate::fleet_view::FleetViews;
use crate::hot_window::HotWindow;
use crate::jobs::Jobs;
use crate::uptime::interval::Micros;

/// How many connections may wait to be accepted; the system may hold it to fewer.
const BACKLOG: i32 = 1024;

/// How many of the longest bodies may wait on the disk together.
const BODIES_ON_DISK_MAX: u64 = 4;
/// How many bytes may wait on the disk however short bodies must be: replies wait there too.
const DISK_BYTES: u64 = 1 << 30;

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
    /// The instant to report for; none where the newest poll's shall be used.
    fn as_of(self) -> Option<Micros> {
        match self {
            Self::Data => None,
            Self::System => Some(clock::machine_us()),
        }
    }
}

/// What every thread's handlers share.
#[derive(Clone)]
pub struct Shared {
    /// The database file.
    pub file: PathBuf,
    /// The queue of reports.
    pub jobs: Jobs,
    /// The one way to change the database.
    pub writer: Writer,
    /// What memory has of it.
    pub hot: Arc<HotWindow>,
    /// The fleet as people look at it.
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

/// How long a body of rows may be unless somebody says otherwise, in bytes.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

impl Shared {
    /// What the handlers of one database share: nothing in memory yet, for this machine alone, and all
    /// else as `serve` has it if it is told nothing.
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
    fn folder(&self) -> &Path {
        folder_of(&self.file)
    }
}

/// Readers that nobody uses at the moment: there are as many as were ever used side by side, which is
/// far fewer than handlers.
pub type Readers = Arc<Mutex<Vec<Connection>>>;

/// What a handler works with: one for each thread.
pub struct App {
    shared: Shared,
    readers: Readers,
    db: Option<Connection>,
}

impl App {
    /// What the handlers of one thread need; all threads share the readers.
    pub fn new(shared: Shared, readers: Readers) -> Self {
        Self {
            shared,
            readers,
            db: None,
        }
    }

    /// A reader for this request, opened when none is free.
    fn db(&mut self) -> Result<&mut Connection> {
        if self.db.is_none() {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            self.db = readers.pop();
        }
        match &mut self.db {
            Some(db) => Ok(db),
            none => Ok(none.insert(open_reader(&self.shared.file)?)),
        }
    }

    /// Gives the reader back for other requests; one whose handler panicked is closed.
    fn done(&mut self, panicked: bool) {
        if let Some(db) = self.db.take().filter(|_| !panicked) {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.push(db);
        }
    }
}

/// Takes the address, before anything else is begun that would have to be undone.
///
/// # Errors
/// When the address is taken or not the machine's.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        // The default of 128 overflows when many connect at once, and their next try is a second away.
        socket2::SockRef::from(&listener).listen(BACKLOG)?;
        Ok::<_, io::Error>(listener)
    };
    bind().map_err(|error| {
        Error::invalid(format!(
            "cannot listen on {address} (--listen names another address, port 0 picks a free port)"
        ))
        .because(error)
    })
}

/// How much a server takes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Requests that are handled side by side.
    pub handlers: usize,
    /// Connections that are kept.
    pub connections_max: usize,
}

/// A server that accepts and answers until it is stopped.
pub struct Server {
    door: Door,
    /// The handlers; more than one set only if one was lost.
    backs: Arc<Mutex<Vec<Back>>>,
    address: SocketAddr,
}

impl Server {
    /// Answers on `listener` with up to `capacity.handlers` threads, each with an [`App`] of its own.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(listener: TcpListener, capacity: Capacity, shared: Shared) -> Result<Self> {
        let address = listener
            .local_addr()
            .map_err(|error| Error::failed("cannot start the server").because(error))?;
        let (handlers, connections_max) =
            door::plan(&listener, capacity.handlers, capacity.connections_max);
        let bodies_bytes_max = shared.body_bytes_max.saturating_mul(BODIES_ON_DISK_MAX);
        let limits = door::Limits {
            connections_max,
            folder: shared.folder().to_owned(),
            disk_bytes_max: bodies_bytes_max.max(DISK_BYTES),
        };
        let rows_bytes_max = shared.body_bytes_max;
        let admit = move |method: &str, target: &str| routes::admit(method, target, rows_bytes_max);
        let backs = Arc::new(Mutex::new(Vec::new()));
        let started = Arc::clone(&backs);
        let renew = move || {
            let (back, links) = Back::start(handlers, &shared)?;
            let mut started = started.lock().unwrap_or_else(PoisonError::into_inner);
            started.push(back);
            Ok(links)
        };
        let door = Door::open(listener, limits, Arc::new(admit), Box::new(renew))?;
        Ok(Self {
            door,
            backs,
            address,
        })
    }

    /// Where it listens; the port is the one that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new requests and returns when those in hand are answered.
    pub fn stop(self) {
        self.door.close();
        let mut backs = self.backs.lock().unwrap_or_else(PoisonError::into_inner);
        for back in backs.drain(..) {
            back.stop();
        }
    }
}
