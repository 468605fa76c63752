//! The backend: tiny_http, and the threads that answer requests.
//!
//! Each request is well-formed, bounded and complete, so no client can hold a thread. Its first line goes to
//! tiny_http over a socket in a private folder, and tiny_http gives it to the next free handler. The rest of the
//! request, and the answer, may be long: both stay in this process and are found by the request's number.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::app::{App, Readers, Site};
use super::frontend::exchange::{Exchange, WholeRequest};
use super::request::Request;
use super::response::Response;
use super::routes;
use crate::error::{Error, Result};

#[cfg(not(unix))]
use std::net::TcpStream as Link;
#[cfg(unix)]
use std::os::unix::net::UnixStream as Link;

/// The header field of a request's number.
const NUMBER: &str = "Exchange";

/// How many connections lead to tiny_http, which keeps one thread for each.
const LINKS_MAX: usize = 4;

/// A pool of handlers behind tiny_http.
pub struct Backend {
    server: Arc<tiny_http::Server>,
    in_hand: Arc<InHand>,
    handlers_max: usize,
    site: Site,
    readers: Readers,
    threads: Vec<JoinHandle<()>>,
}

/// The requests in progress, and the connections to tiny_http.
struct InHand {
    socket: Socket,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many requests are queued or running.
    busy: usize,
    last_number: u64,
    /// Requests whose line waits for a connection.
    waiting: VecDeque<(u64, Exchange)>,
    /// Requests whose line is with tiny_http, and the connection of that line.
    sent: HashMap<u64, (Exchange, Link)>,
    idle: Vec<Link>,
    links: usize,
}

impl Backend {
    /// A pool of up to `handlers_max` threads, each started on first need.
    ///
    /// # Errors
    /// When the system gives no thread or no socket.
    pub fn start(handlers_max: usize, site: Site) -> Result<Self> {
        let failed = |error: io::Error| Error::failed("cannot start the server").because(error);
        let (server, socket) = Socket::listen(site.folder()).map_err(failed)?;
        let mut backend = Self {
            server: Arc::new(server),
            in_hand: Arc::new(InHand {
                socket,
                state: Mutex::default(),
            }),
            handlers_max,
            site,
            readers: Readers::default(),
            threads: Vec::new(),
        };
        backend.start_handler().map_err(failed)?;
        Ok(backend)
    }

    fn start_handler(&mut self) -> io::Result<()> {
        let mut app = App::new(self.site.clone(), Arc::clone(&self.readers));
        let (server, in_hand) = (Arc::clone(&self.server), Arc::clone(&self.in_hand));
        // `unblock` ends this loop.
        let serve = move || {
            while let Ok(line) = server.recv() {
                if let Some(exchange) = in_hand.take(line) {
                    handle(&mut app, exchange, &in_hand);
                }
            }
        };
        let name = format!("http-{}", self.threads.len());
        let thread = thread::Builder::new().name(name).spawn(serve)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Queues a request, and starts another thread if all are busy.
    pub fn submit(&mut self, exchange: Exchange) {
        let handlers = self.threads.len();
        let busy = {
            let mut state = self.in_hand.state();
            state.busy += 1;
            state.last_number += 1;
            let number = state.last_number;
            state.waiting.push_back((number, exchange));
            self.in_hand.send(&mut state);
            state.busy
        };
        if busy > handlers
            && handlers < self.handlers_max
            && let Err(error) = self.start_handler()
        {
            tracing::warn!(%error, handlers, "there is no thread for another handler");
            self.handlers_max = handlers;
        }
    }
}

impl Drop for Backend {
    /// Returns once all requests in progress are answered.
    fn drop(&mut self) {
        for _ in &self.threads {
            self.server.unblock();
        }
        for thread in self.threads.drain(..) {
            // A handler's panic was answered and logged in its thread.
            let _ = thread.join();
        }
    }
}

impl InHand {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends waiting lines while there are free connections.
    fn send(&self, state: &mut State) {
        while let Some((number, exchange)) = state.waiting.pop_front() {
            let link = match state.idle.pop() {
                Some(link) => Ok(link),
                None if state.links < LINKS_MAX => self.socket.connect().inspect(|_| state.links += 1),
                None => return state.waiting.push_front((number, exchange)),
            };
            let WholeRequest { method, target, .. } = &exchange.request;
            let line = format!("{method} {target} HTTP/1.1\r\n{NUMBER}: {number}\r\n\r\n");
            // A connection without a line in transit has room for the longest line.
            match link.and_then(|mut link| link.write_all(line.as_bytes()).map(|()| link)) {
                Ok(link) => drop(state.sent.insert(number, (exchange, link))),
                Err(error) => {
                    tracing::error!(%error, "a connection to tiny_http broke");
                    state.links = state.idle.len() + state.sent.len();
                    state.busy -= 1;
                    let error = Error::unavailable("the server is short of resources (try again in a second)");
                    exchange.reply_to.answer(Response::from(error));
                }
            }
        }
    }

    /// The request of a line, whose connection is free again.
    fn take(&self, line: tiny_http::Request) -> Option<Exchange> {
        let field = |header: &&tiny_http::Header| header.field.equiv(NUMBER);
        let number = line.headers().iter().find(field)?.value.as_str().parse().ok()?;
        let (exchange, mut link) = self.state().sent.remove(&number)?;
        let freed = line
            .respond(tiny_http::Response::empty(204))
            .and_then(|()| read_head(&mut link));
        let mut state = self.state();
        match freed {
            Ok(()) => state.idle.push(link),
            Err(error) => {
                tracing::error!(%error, "a connection to tiny_http broke");
                state.links -= 1;
            }
        }
        self.send(&mut state);
        Some(exchange)
    }
}

/// Reads an answer without a body.
fn read_head(link: &mut Link) -> io::Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 512]);
    while !head.ends_with(b"\r\n\r\n") {
        match link.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(())
}

/// Where tiny_http listens: a socket that no other user of the machine can reach.
#[cfg(unix)]
struct Socket(tempfile::TempDir);

#[cfg(unix)]
impl Socket {
    /// Listens in a new folder; `data` is a folder that is certainly writable.
    fn listen(data: &Path) -> io::Result<(tiny_http::Server, Self)> {
        use std::os::unix::fs::PermissionsExt;

        let listen = |parent: &Path| {
            let folder = tempfile::Builder::new()
                .prefix("store-monitor-")
                .permissions(std::fs::Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            let server = tiny_http::Server::http_unix(&folder.path().join("backend"));
            Ok((server.map_err(io::Error::other)?, Self(folder)))
        };
        listen(&std::env::temp_dir()).or_else(|_: io::Error| listen(data))
    }

    fn connect(&self) -> io::Result<Link> {
        Link::connect(self.0.path().join("backend"))
    }
}

/// Where tiny_http listens: a local port. A line without a request's number is ignored.
#[cfg(not(unix))]
struct Socket(std::net::SocketAddr);

#[cfg(not(unix))]
impl Socket {
    fn listen(_: &Path) -> io::Result<(tiny_http::Server, Self)> {
        let server = tiny_http::Server::http("127.0.0.1:0").map_err(io::Error::other)?;
        let address = server.server_addr().to_ip();
        let address = address.ok_or_else(|| io::Error::other("the port has no address"))?;
        Ok((server, Self(address)))
    }

    fn connect(&self) -> io::Result<Link> {
        Link::connect(self.0)
    }
}

/// Answers one request; after a panic, with 500.
fn handle(app: &mut App, exchange: Exchange, in_hand: &InHand) {
    let Exchange { request, reply_to } = exchange;
    let WholeRequest {
        method,
        target,
        headers,
        mut body,
    } = request;
    let mut request = Request {
        headers,
        body_bytes: Some(body.len()),
        ..Request::new(method, &target, &mut body)
    };
    let answer = catch_unwind(AssertUnwindSafe(|| routes::answer(app, &mut request)));
    app.done(answer.is_err());
    let answer = answer.unwrap_or_else(|_| Response::from(Error::failed(format!("the handler of {target} panicked"))));
    tracing::debug!(method, target, status = answer.status, "answered");
    drop(body);
    // Before the answer, so that the client's next request finds this thread free.
    in_hand.state().busy -= 1;
    reply_to.answer(answer);
}
