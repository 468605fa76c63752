//! HTTP: the server's threads, and what each request passes through.
//!
//! In reading order: [`request`], [`guard`] (who is turned away), [`routes`] (the table), the handlers
//! [`reports`], [`intake`], [`stores`], [`fleet`], [`badge`], [`outages`], [`metrics`], [`openapi`] and
//! [`health`] for programs,
//! [`pages`] for people, [`response`], [`delivery`] (what every answer gets on its way out). [`asked`]
//! and [`store_list`] say what a request is about, [`facts`] what the core found out.
//! It must never know how reports are made or stored.

pub mod asked;
pub mod assets;
pub mod badge;
pub mod delivery;
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

use std::io::{self, Cursor, Read};
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use self::guard::Hosts;
use self::request::Request;
use self::response::Response;
use crate::clock;
use crate::db::connection::open_reader;
use crate::db::writer::Writer;
use crate::error::{Error, Result};
use crate::fleet_view::FleetViews;
use crate::hot_window::HotWindow;
use crate::jobs::Jobs;
use crate::uptime::interval::Micros;

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

/// What a handler works with: one for each thread.
pub struct App {
    shared: Shared,
    db: Option<Connection>,
}

impl App {
    /// What the handlers of one thread need.
    pub fn new(shared: Shared) -> Self {
        Self { shared, db: None }
    }

    /// The thread's own reader, opened when first needed.
    fn db(&mut self) -> Result<&mut Connection> {
        match &mut self.db {
            Some(db) => Ok(db),
            none => Ok(none.insert(open_reader(&self.shared.file)?)),
        }
    }
}

/// Takes the address, before anything else is begun that would have to be undone.
///
/// # Errors
/// When the address is taken or not the machine's.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        Error::invalid(format!(
            "cannot listen on {address} (--listen names another address, port 0 picks a free port)"
        ))
        .because(error)
    })
}

/// A server that accepts and answers until it is stopped.
pub struct Server {
    server: Arc<tiny_http::Server>,
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Answers on `listener` with `handlers` threads, each with an [`App`] of its own.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(listener: TcpListener, handlers: usize, app: impl Fn() -> App) -> Result<Self> {
        let failed = |error: io::Error| Error::failed("cannot start the server").because(error);
        let address = listener.local_addr().map_err(failed)?;
        let server = tiny_http::Server::from_listener(listener, None)
            .map_err(|error| Error::failed("cannot start the server").because(error))?;
        let (server, stopping) = (Arc::new(server), Arc::new(AtomicBool::new(false)));
        let start = |number| {
            let (server, stopping, mut app) = (Arc::clone(&server), Arc::clone(&stopping), app());
            thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(move || serve(&server, &stopping, &mut app))
                .map_err(failed)
        };
        let threads = (0..handlers.max(1)).map(start).collect::<Result<_>>()?;
        Ok(Self {
            server,
            address,
            stopping,
            threads,
        })
    }

    /// Where it listens; the port is the one that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new requests and returns when those in hand are answered.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        for _ in &self.threads {
            self.server.unblock();
        }
        for thread in self.threads {
            // A handler's panic was answered and logged where it happened.
            let _ = thread.join();
        }
    }
}

/// One thread: takes requests and answers them.
fn serve(server: &tiny_http::Server, stopping: &AtomicBool, app: &mut App) {
    while !stopping.load(Ordering::SeqCst) {
        match server.recv() {
            Ok(request) => handle(app, request),
            // Woken to stop, or the listener is gone: the loop's condition decides which.
            Err(error) if !stopping.load(Ordering::SeqCst) => {
                tracing::error!(%error, "the listener failed");
                return;
            }
            Err(_) => {}
        }
    }
}

/// Answers one request; a handler that panics answers 500.
fn handle(app: &mut App, mut incoming: tiny_http::Request) {
    let (method, target) = (incoming.method().to_string(), incoming.url().to_owned());
    let field = |header: &tiny_http::Header| (header.field.to_string(), header.value.to_string());
    let headers = incoming.headers().iter().map(field).collect();
    let body_bytes = incoming.body_length().map(|length| length as u64);
    let mut body = Body(&mut incoming);
    let mut request = Request {
        headers,
        body_bytes,
        ..Request::new(&method, &target, &mut body)
    };
    let answer = catch_unwind(AssertUnwindSafe(|| routes::answer(app, &mut request)));
    let answer = answer.unwrap_or_else(|_| {
        app.db = None;
        Response::from(Error::failed(format!("the handler of {target} panicked")))
    });
    tracing::debug!(method, target, status = answer.status, "answered");
    if let Err(error) = incoming.respond(outgoing(&answer)) {
        tracing::debug!(%error, "a client left before its answer");
    }
}

/// A request's body, asked for only when it is read: that is what lets a client that waits for
/// `100 Continue` send it.
struct Body<'a>(&'a mut tiny_http::Request);

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_reader().read(buffer)
    }
}

/// The answer as the server library writes it: whole, with its length.
fn outgoing(answer: &Response) -> tiny_http::Response<Cursor<Arc<[u8]>>> {
    let header = |(name, value): &(&str, String)| {
        tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes()).ok()
    };
    tiny_http::Response::new(
        tiny_http::StatusCode(answer.status),
        answer.headers.iter().filter_map(header).collect(),
        Cursor::new(Arc::clone(&answer.body)),
        Some(answer.body.len()),
        None,
    )
    // Chunks would cost half of the speed and hide the length.
    .with_chunked_threshold(usize::MAX)
}
