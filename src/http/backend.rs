//! The backend: tiny_http, and the threads that answer requests.
//!
//! Each request is well-formed, bounded and complete, so no client can hold a thread. A line with its number goes to
//! tiny_http over a socket in a private folder, and tiny_http gives it to the next free handler. The request itself and
//! the answer may be long: both stay in this process and are found by that number.
//!
//! The connections to tiny_http are made at the start, when there are threads for them. A request whose connection
//! broke goes to a handler without one, so a server that can get neither threads nor connections still answers.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::app::{App, Readers, Site};
use super::frontend::exchange::{Exchange, WholeRequest};
use super::request::Request;
use super::response::Response;
use super::routes;
use super::visitor::Visitor;
use crate::error::{Error, Result};

#[cfg(not(unix))]
use std::net::TcpStream as Link;
#[cfg(unix)]
use std::os::unix::net::UnixStream as Link;

/// The header field of a request's number.
const NUMBER: &str = "Exchange";

/// How many connections lead to tiny_http, which keeps one thread for each.
const LINKS_MAX: usize = 4;

/// How long tiny_http may take to answer on a new connection.
const LINK_WITHIN: Duration = Duration::from_secs(2);

/// How often broken connections are looked for, threads are asked for after a refusal, and either is logged.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A pool of handlers behind tiny_http.
pub struct Backend {
    in_hand: Arc<InHand>,
    handlers_max: usize,
    site: Site,
    readers: Readers,
    nobody: Arc<Visitor>,
    threads: Vec<JoinHandle<()>>,
    /// When the system last refused a thread.
    refused: Option<Instant>,
}

/// The requests in progress, and the connections to tiny_http.
struct InHand {
    server: tiny_http::Server,
    socket: Socket,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    /// How many requests are queued or running.
    busy: usize,
    last_number: u64,
    /// Requests whose line waits for a connection.
    waiting: VecDeque<(u64, Exchange)>,
    /// Requests whose line is with tiny_http, and the connection of that line.
    sent: HashMap<u64, (Exchange, Link)>,
    /// Requests that go to a handler without a connection.
    unlinked: VecDeque<Exchange>,
    idle: Vec<Link>,
    links: usize,
    /// When connections were last looked at, and when a broken one was last logged.
    looked: Option<Instant>,
    logged: Option<Instant>,
}

impl Backend {
    /// A pool of up to `handlers_max` threads, each started on first need.
    ///
    /// # Errors
    /// When the system gives no thread or no socket.
    pub fn start(handlers_max: usize, site: Site, nobody: Arc<Visitor>) -> Result<Self> {
        let failed = |error: io::Error| Error::failed("cannot start the server").because(error);
        let routes = routes::ROUTES.iter().map(|route| (route.method, route.path));
        site.meters.requests.prepare(routes);
        let mut backend = Self {
            in_hand: Arc::new(InHand::start(site.folder()).map_err(failed)?),
            handlers_max,
            site,
            readers: Readers::default(),
            nobody,
            threads: Vec::new(),
            refused: None,
        };
        backend.start_handler().map_err(failed)?;
        Ok(backend)
    }

    fn start_handler(&mut self) -> io::Result<()> {
        let mut app = App::new(self.site.clone(), Arc::clone(&self.readers), Arc::clone(&self.nobody));
        let in_hand = Arc::clone(&self.in_hand);
        let serve = move || {
            while let Some(exchange) = in_hand.next() {
                handle(&mut app, exchange, &in_hand);
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
        if busy > handlers && handlers < self.handlers_max && is_due(&mut self.refused) {
            match self.start_handler() {
                Ok(()) => self.refused = None,
                Err(error) => tracing::warn!(%error, handlers, "there is no thread for another handler"),
            }
        }
    }
}

/// Whether the last time is [`LOOK_EVERY`] ago; if so, this time is the last.
fn is_due(last: &mut Option<Instant>) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= LOOK_EVERY);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

impl Drop for Backend {
    /// Returns once all requests in progress are answered.
    fn drop(&mut self) {
        self.in_hand.state().is_stopping = true;
        for _ in &self.threads {
            self.in_hand.server.unblock();
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

    /// Starts tiny_http and connects to it.
    fn start(data: &Path) -> io::Result<Self> {
        let (server, socket) = Socket::listen(data)?;
        let mut state = State::default();
        for _ in 0..LINKS_MAX {
            match connect(&server, &socket) {
                Ok(link) => state.idle.push(link),
                Err(error) => {
                    tracing::warn!(%error, links = state.idle.len(), "there is no further connection to tiny_http");
                    break;
                }
            }
        }
        state.links = state.idle.len();
        Ok(Self {
            server,
            socket,
            state: Mutex::new(state),
        })
    }

    /// The next request for a free handler; none after a stop.
    fn next(&self) -> Option<Exchange> {
        loop {
            // Nothing comes from a connection that broke, so the wait is bounded.
            let line = self.server.recv_timeout(LOOK_EVERY);
            if let Ok(Some(line)) = line {
                match self.take(line) {
                    Some(exchange) => return Some(exchange),
                    None => continue,
                }
            }
            let mut state = self.state();
            self.take_back(&mut state);
            if let Some(exchange) = state.unlinked.pop_front() {
                return Some(exchange);
            }
            if state.is_stopping {
                return None;
            }
        }
    }

    /// Sends waiting lines while there are free connections.
    fn send(&self, state: &mut State) {
        self.take_back(state);
        while let Some((number, exchange)) = state.waiting.pop_front() {
            let link = match state.idle.pop() {
                Some(link) => Ok(link),
                None if state.links < LINKS_MAX => self.socket.connect().inspect(|_| state.links += 1),
                None => return state.waiting.push_front((number, exchange)),
            };
            let line = format!("GET / HTTP/1.1\r\n{NUMBER}: {number}\r\n\r\n");
            // A connection without a line in transit has room for the longest line.
            match link.and_then(|mut link| link.write_all(line.as_bytes()).map(|()| link)) {
                Ok(link) => drop(state.sent.insert(number, (exchange, link))),
                Err(error) => {
                    state.links = state.idle.len() + state.sent.len();
                    self.bypass(state, exchange, &error);
                }
            }
        }
    }

    /// Gives a request to a handler without a connection.
    fn bypass(&self, state: &mut State, exchange: Exchange, error: &io::Error) {
        if is_due(&mut state.logged) {
            tracing::error!(%error, "a connection to tiny_http broke; requests go to handlers without it");
        }
        state.unlinked.push_back(exchange);
        self.server.unblock();
    }

    /// Takes back the requests whose connection broke with their line on it.
    fn take_back(&self, state: &mut State) {
        if state.sent.is_empty() || !is_due(&mut state.looked) {
            return;
        }
        let broken = |(number, (_, link)): (&u64, &(Exchange, Link))| Some((*number, broken(link)?));
        let broken: Vec<_> = state.sent.iter().filter_map(broken).collect();
        for (number, error) in broken {
            if let Some((exchange, _)) = state.sent.remove(&number) {
                state.links -= 1;
                self.bypass(state, exchange, &error);
            }
        }
    }

    /// The request of a line, whose connection is free again.
    fn take(&self, line: tiny_http::Request) -> Option<Exchange> {
        let field = |header: &&tiny_http::Header| header.field.equiv(NUMBER);
        let number = line.headers().iter().find(field)?.value.as_str().parse().ok()?;
        let (exchange, mut link) = self.state().sent.remove(&number)?;
        let freed = answer(line, &mut link);
        let mut state = self.state();
        match freed {
            Ok(()) => state.idle.push(link),
            Err(error) => {
                state.links -= 1;
                if is_due(&mut state.logged) {
                    tracing::error!(%error, "a connection to tiny_http broke");
                }
            }
        }
        self.send(&mut state);
        Some(exchange)
    }
}

/// A connection to tiny_http on which a line came through, so that it has its thread.
fn connect(server: &tiny_http::Server, socket: &Socket) -> io::Result<Link> {
    let mut link = socket.connect()?;
    link.set_read_timeout(Some(LINK_WITHIN))?;
    link.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let line = server.recv_timeout(LINK_WITHIN)?;
    answer(line.ok_or(io::ErrorKind::TimedOut)?, &mut link)?;
    Ok(link)
}

/// Answers a line, and reads that answer.
fn answer(line: tiny_http::Request, link: &mut Link) -> io::Result<()> {
    line.respond(tiny_http::Response::empty(204))?;
    read_head(link)
}

/// Why no answer will come on a connection, if that is so.
fn broken(link: &Link) -> Option<io::Error> {
    let look = || {
        link.set_nonblocking(true)?;
        let looked = socket2::SockRef::from(link).peek(&mut [std::mem::MaybeUninit::uninit()]);
        link.set_nonblocking(false)?;
        looked
    };
    match look() {
        Ok(0) => Some(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Some(error),
        _ => None,
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
        whole_at,
        route,
        method,
        target,
        headers,
        mut body,
        visitor,
        refused,
        id,
    } = request;
    // What fails below is logged with the id of its request. A target may have a secret in it.
    let _span = tracing::error_span!("request", %id).entered();
    app.visitor = visitor;
    let mut request = Request {
        headers,
        body_bytes: Some(body.len()),
        ..Request::new(method, &target, &mut body)
    };
    let answer = catch_unwind(AssertUnwindSafe(|| routes::answer(app, &mut request, refused)));
    app.done(answer.is_err());
    let answer = answer.unwrap_or_else(|_| {
        let route = route.map_or("a request without a route", |place| routes::ROUTES[place].path);
        Response::from(Error::failed(format!("the handler of {method} {route} panicked")))
    });
    drop(body);
    let requests = &app.site.meters.requests;
    requests.answered(route, answer.status, whole_at.elapsed());
    // Before the answer, so that the client's next request finds this thread free.
    in_hand.state().busy -= 1;
    reply_to.answer(answer);
}
