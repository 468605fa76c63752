//! The back: tiny_http and the threads that handle requests, where only the door reaches them.
//!
//! It must never know the clients: a request that comes here is well-formed, bounded and all there.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::door::handed::{self, Handed};
use super::door::reply::{self, Asked};
use super::door::{self, Link, Links};
use super::request::Request;
use super::response::Response;
use super::{App, Readers, Shared, routes};
use crate::clock;
use crate::error::{Error, Result};

/// A target that no client can name: the door lets only paths and `*` in.
const PROOF: &str = "proof";
/// How long an inner connection may take to prove itself.
const PROOF_WITHIN: Duration = Duration::from_secs(5);
/// The field by which the door is known where others could connect too.
const SECRET: &str = "Door-Secret";
/// How many handlers there are, each with its inner connection, before the first request is let in. A thread
/// takes a good part of a millisecond to begin, and more while the processors are busy with warming.
const HANDLERS_FIRST: usize = 4;
/// How many more are asked for at a time.
const HANDLERS_MORE: usize = 8;

/// Handlers that wait for requests.
pub struct Back {
    server: Arc<tiny_http::Server>,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Starts the other handlers and opens their inner connections.
    rest: JoinHandle<Vec<JoinHandle<()>>>,
}

impl Back {
    /// Starts handlers and opens an inner connection for each, most of them behind the caller's back;
    /// fewer if the machine gives fewer.
    ///
    /// # Errors
    /// When not a single one can be had.
    pub fn start(handlers: usize, shared: &Shared) -> Result<(Self, Links)> {
        let failed = |error: io::Error| Error::failed("cannot start the server").because(error);
        let inside = Inside::listen(shared.folder()).map_err(failed)?;
        let Inside {
            server,
            connect,
            secret,
        } = inside;
        let mut source = Handlers::new(server, secret.clone(), shared);
        let (mut threads, mut links) = (Vec::new(), Vec::new());
        let first = door::first_handlers(handlers.min(HANDLERS_FIRST)).max(1);
        while links.len() < first {
            // One after the other: only then does tiny_http find a thread for each.
            match source.start().and_then(|thread| {
                threads.push(thread);
                connect()
            }) {
                Ok(link) => links.push(link),
                Err(error) if links.is_empty() => return Err(failed(error)),
                Err(_) => break, // The next to be started tells of it.
            }
        }
        let (server, stopping) = (Arc::clone(&source.server), Arc::clone(&source.stopping));
        let (open, more) = bounded(handlers);
        let handed = Arc::clone(&source.handed);
        let started = links.len();
        let rest = thread::Builder::new().name("links".to_owned());
        let rest = rest.spawn(move || start_rest(source, &*connect, &open, started, handlers));
        let back = Self {
            server,
            stopping,
            threads,
            rest: rest.map_err(failed)?,
        };
        let greeting = secret.map_or_else(String::new, greeting);
        let links = Links {
            links,
            more,
            greeting,
            handed,
        };
        Ok((back, links))
    }

    /// Takes no new requests and returns when those in hand are answered.
    pub fn stop(mut self) {
        // First, for new connections need handlers that answer.
        self.threads.extend(self.rest.join().unwrap_or_default());
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

/// Starts handlers, some at a time, until there are as many as are wanted or the machine gives no more.
fn start_rest(
    mut source: Handlers,
    connect: &Connect,
    open: &Sender<Box<dyn Link>>,
    started: usize,
    wanted: usize,
) -> Vec<JoinHandle<()>> {
    let mut threads = Vec::new();
    let mut count = started;
    while count < wanted {
        let more = door::more_handlers((wanted - count).min(HANDLERS_MORE));
        if more == 0 {
            tracing::warn!(
                handlers = count,
                "the limit on threads is too low for more handlers (ulimit -u raises it)"
            );
            break;
        }
        for _ in 0..more {
            let link = source.start().and_then(|thread| {
                threads.push(thread);
                connect()
            });
            match link.map(|link| open.send(link)) {
                Ok(Ok(())) => count += 1,
                Ok(Err(_)) => return threads, // The door has closed meanwhile.
                Err(error) => {
                    tracing::warn!(%error, handlers = count, "no more handlers");
                    return threads;
                }
            }
        }
    }
    threads
}

/// Where handlers come from.
struct Handlers {
    server: Arc<tiny_http::Server>,
    stopping: Arc<AtomicBool>,
    secret: Option<String>,
    shared: Shared,
    readers: Readers,
    handed: Arc<Handed>,
    started: usize,
}

impl Handlers {
    fn new(server: tiny_http::Server, secret: Option<String>, shared: &Shared) -> Self {
        Self {
            server: Arc::new(server),
            stopping: Arc::default(),
            secret,
            shared: shared.clone(),
            readers: Readers::default(),
            handed: Arc::default(),
            started: 0,
        }
    }

    /// Starts one more, which takes whatever comes in.
    fn start(&mut self) -> io::Result<JoinHandle<()>> {
        let (server, stopping) = (Arc::clone(&self.server), Arc::clone(&self.stopping));
        let mut app = App::new(self.shared.clone(), Arc::clone(&self.readers));
        let (secret, handed) = (self.secret.clone(), Arc::clone(&self.handed));
        let number = self.started;
        self.started += 1;
        thread::Builder::new()
            .name(format!("http-{number}"))
            .spawn(move || serve(&server, &stopping, secret.as_deref(), &handed, &mut app))
    }
}

/// Where tiny_http listens, and how to get there.
struct Inside {
    server: tiny_http::Server,
    /// Opens a connection that has proven itself.
    connect: Box<Connect>,
    secret: Option<String>,
}

type Connect = dyn Fn() -> io::Result<Box<dyn Link>> + Send;

impl Inside {
    /// A socket in a folder of the owner's, which is gone once the connections are open; a guarded port
    /// where that cannot be. `data` is where files can be written for sure.
    fn listen(data: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        for parent in [&std::env::temp_dir(), data] {
            match Self::in_a_folder(parent) {
                Ok(inside) => return Ok(inside),
                Err(error) => tracing::debug!(%error, ?parent, "no private socket can be had"),
            }
        }
        tracing::warn!(
            "no private socket can be had, so a port of this machine is guarded instead"
        );
        Self::on_a_port()
    }

    #[cfg(unix)]
    fn in_a_folder(parent: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::net::UnixStream;

        let owner_alone = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new()
            .prefix("store-monitor-")
            .permissions(owner_alone)
            .tempdir_in(parent)?;
        let path = folder.path().join("door");
        let server = tiny_http::Server::http_unix(&path).map_err(io::Error::other)?;
        let connect = move || -> io::Result<Box<dyn Link>> {
            // The folder lives as long as this does.
            let mut stream = UnixStream::connect(folder.path().join("door"))?;
            stream.set_read_timeout(Some(PROOF_WITHIN))?;
            prove(&mut stream, None)?;
            stream.set_nonblocking(true)?;
            Ok(Box::new(mio::net::UnixStream::from_std(stream)))
        };
        Ok(Self {
            server,
            connect: Box::new(connect),
            secret: None,
        })
    }

    fn on_a_port() -> io::Result<Self> {
        let server = tiny_http::Server::http("127.0.0.1:0").map_err(io::Error::other)?;
        let address = server.server_addr().to_ip();
        let address = address.ok_or_else(|| io::Error::other("the port has no address"))?;
        let secret = uuid::Uuid::new_v4().to_string();
        let field = greeting(secret.clone());
        let connect = move || -> io::Result<Box<dyn Link>> {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PROOF_WITHIN))?;
            prove(&mut stream, Some(&field))?;
            stream.set_nonblocking(true)?;
            Ok(Box::new(mio::net::TcpStream::from_std(stream)))
        };
        Ok(Self {
            server,
            connect: Box::new(connect),
            secret: Some(secret),
        })
    }
}

/// The field that says who asks.
fn greeting(secret: String) -> String {
    format!("{SECRET}: {secret}\r\n")
}

/// Sends a request over a new connection and waits for its answer: then a thread has it for good.
fn prove(stream: &mut (impl Read + Write), secret: Option<&str>) -> io::Result<()> {
    let secret = secret.unwrap_or_default();
    stream.write_all(format!("GET {PROOF} HTTP/1.1\r\n{secret}\r\n").as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 512]);
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            length => answer.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(())
}

/// One thread: takes requests and answers them.
fn serve(
    server: &tiny_http::Server,
    stopping: &AtomicBool,
    secret: Option<&str>,
    handed: &Handed,
    app: &mut App,
) {
    while !stopping.load(Ordering::SeqCst) {
        match server.recv() {
            Ok(request) => handle(app, request, secret, handed),
            Err(error) if !stopping.load(Ordering::SeqCst) => {
                // The inner connections that there are go on.
                tracing::error!(%error, "tiny_http takes no more connections");
            }
            Err(_) => {} // Woken to stop.
        }
    }
}

/// Answers one request; a handler that panics answers 500.
fn handle(app: &mut App, mut incoming: tiny_http::Request, secret: Option<&str>, handed: &Handed) {
    let is_secret = |header: &tiny_http::Header| {
        header.field.equiv(SECRET) && Some(header.value.as_str()) == secret
    };
    if secret.is_some() && !incoming.headers().iter().any(is_secret) {
        return respond(incoming, &Response::problem(403, "ask at the door"), handed);
    }
    let (method, target) = (incoming.method().to_string(), incoming.url().to_owned());
    if target == PROOF {
        return respond(incoming, &Response::empty(204), handed);
    }
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
    app.done(answer.is_err());
    let answer = answer.unwrap_or_else(|_| {
        Response::from(Error::failed(format!("the handler of {target} panicked")))
    });
    tracing::debug!(method, target, status = answer.status, "answered");
    // What no handler wanted: tiny_http would allocate as much to get rid of it.
    let _ = io::copy(incoming.as_reader(), &mut io::sink());
    respond(incoming, &answer, handed);
}

/// A request's body, as its handler reads it.
struct Body<'a>(&'a mut tiny_http::Request);

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_reader().read(buffer)
    }
}

/// Gives the answer to the server library.
///
/// As bytes: it would copy a long body in pieces of 8 KiB, which costs half of the speed.
fn respond(incoming: tiny_http::Request, answer: &Response, handed: &Handed) {
    let asked = Asked {
        is_head: *incoming.method() == tiny_http::Method::Head,
        is_1_1: true,
        keep_alive: true,
    };
    if !asked.is_head && answer.body.len() >= handed::BODY_BYTES_MIN {
        let name = handed.leave(Arc::clone(&answer.body));
        let answer = answer.clone().with(handed::FIELD, name.to_string());
        let (head, _) = reply::write(&answer, asked, clock::machine_us());
        return send(incoming, &head, &[]);
    }
    let (head, body) = reply::write(answer, asked, clock::machine_us());
    send(incoming, &head, body);
}

fn send(incoming: tiny_http::Request, head: &[u8], body: &[u8]) {
    let mut writer = incoming.into_writer();
    let written = writer.write_all(head).and_then(|()| writer.write_all(body));
    if let Err(error) = written.and_then(|()| writer.flush()) {
        tracing::debug!(%error, "an answer could not be given");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::connection::open_writer;
    use crate::db::writer::Writer;
    use crate::jobs::{Jobs, Limits, Made};

    #[test]
    fn a_guarded_port_answers_nobody_but_the_door() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store-monitor.db");
        let (writer, _) = Writer::start(open_writer(&file).unwrap(), ()).unwrap();
        let recipe = Arc::new(|_: &mut _, _| Ok(Made::default()));
        let (jobs, _) =
            Jobs::start(file.clone(), writer.clone(), Limits::default(), recipe).unwrap();
        let shared = Shared::new(file, jobs, writer);
        let inside = Inside::on_a_port().unwrap();
        let address = inside.server.server_addr().to_ip().unwrap();
        let secret = inside.secret.unwrap();
        let mut handlers = Handlers::new(inside.server, Some(secret.clone()), &shared);
        let threads = [(); 2].map(|()| handlers.start().unwrap());
        (inside.connect)().unwrap();
        let ask = |field: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            let request = format!("GET /health HTTP/1.1\r\nConnection: close\r\n{field}\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        for field in ["", "Door-Secret: x\r\n"] {
            assert!(ask(field).starts_with("HTTP/1.1 403 "), "{field}");
        }
        assert!(ask(&greeting(secret)).starts_with("HTTP/1.1 200 "));
        handlers.stopping.store(true, Ordering::SeqCst);
        threads.iter().for_each(|_| handlers.server.unblock());
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}
