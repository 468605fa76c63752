//! The frontend: the public listener, and what must hold before a request is let in.
//!
//! tiny_http serves the routes but is not fit to face a network: it waits for ever, allocates what a
//! head declares, and stops accepting when a descriptor is missing. So it listens where only the frontend
//! reaches it ([`crate::http::backend`]), and the frontend faces the clients. It reads a request's head and
//! body under bounds of size and time, judges both strictly, and relays what it found good in one
//! normal form over an upstream connection; the reply is taken off that connection as fast as it comes,
//! and sent on at the client's rate_limit. So no client, however slow, ever holds a handler.
//!
//! # Why one thread that waits for events
//! A thread a connection would need as many as there may be connections, and the machine may not give
//! them; a small pool of threads that block would be held by as many slow clients. One thread over
//! non-blocking sockets (`mio`) holds a slow client in a few hundred bytes, has every deadline in one
//! place, and needs nothing from the machine once it runs. What it does for each connection is a state
//! machine that never waits (`client.rs`); all that is hard to get right is pure and tested by itself:
//! heads ([`head`], [`target`]), bodies ([`chunks`]), rate_limit ([`rate_limit`]), replies ([`reply`]).
//!
//! # Why the upstream connections are kept
//! tiny_http's pool of threads queues a new connection behind busy threads if it comes at a bad time.
//! So upstream connections are opened one after the other when the server starts, each proven by a request
//! before the next, and then kept; there are as many as handlers, and a request that has to wait waits
//! in the frontend. The first few are there before anybody is let in, the others follow with their
//! handlers: a start need not wait for all. Opening one for each request would cost a third of the speed.
//!
//! A long body does not go over them: a handler leaves it with the frontend, and sends the head alone
//! ([`handed`]).
//!
//! It knows framing, limits and time. It must never know a route: what a route takes, it is told by
//! [`Admit`].

pub mod body_handoff;
mod capacity;
pub mod chunks;
mod client;
mod event_loop;
pub mod head;
pub mod rate_limit;
pub mod refusal;
pub mod reply;
mod spool;
pub mod target;
mod upstream;

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::{Poll, Waker};

pub use self::capacity::{first_handlers, more_handlers, plan};
use self::event_loop::{EventLoop, WAKER};
pub use self::upstream::{Link, Links};
use super::response::Response;
use crate::error::{Error, Result};

/// How long to wait before the event_loop begin anew after they failed.
const PAUSE: Duration = Duration::from_millis(100);

/// What a route says of a request before its body is read.
pub struct Admission {
    /// How long the body may be.
    pub body_bytes_max: u64,
    /// The answer to one that is longer, which is told how long it may be.
    pub too_large: fn(u64) -> Response,
    /// The answer, where head and route are enough to know it.
    pub known: Option<Response>,
}

/// Asks about a method and a target.
pub type Admit = dyn Fn(&str, &str) -> Admission + Send + Sync;

/// Opens connections to whoever answers.
pub type Renew = dyn FnMut() -> Result<Links> + Send;

/// What the frontend may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many connections are served at once.
    pub connections_max: usize,
    /// Where bodies and replies wait that are too much for memory.
    pub folder: PathBuf,
    /// How many bytes may wait there.
    pub disk_bytes_max: u64,
}

impl Limits {
    /// How many connections beyond the others are told with care that they are too many.
    fn refused_max(&self) -> usize {
        self.connections_max / 16 + 1
    }
}

/// A frontend that is open until it is closed.
pub struct Frontend {
    stopping: Arc<AtomicBool>,
    waker: Arc<Mutex<Option<Waker>>>,
    thread: JoinHandle<()>,
}

impl Frontend {
    /// Begins to let requests in.
    ///
    /// # Errors
    /// When there is no upstream connection, no thread or no way to wait for events.
    pub fn open(
        listener: TcpListener,
        limits: Limits,
        admit: Arc<Admit>,
        mut renew: Box<Renew>,
    ) -> Result<Self> {
        let failed = |error: io::Error| Error::failed("cannot open the frontend").because(error);
        listener.set_nonblocking(true).map_err(failed)?;
        let public = RefCell::new(Some(listener));
        let stopping = Arc::new(AtomicBool::new(false));
        let waker = Arc::new(Mutex::new(None));
        let mut links = Some(renew()?);
        let mut poll = Some(wakeable(&waker).map_err(failed)?);
        let (stop, wake) = (Arc::clone(&stopping), Arc::clone(&waker));
        let mut round = move || -> io::Result<()> {
            let poll = poll.take().map_or_else(|| wakeable(&wake), Ok)?;
            let links = links.take().map_or_else(&mut renew, Ok);
            let links = links.map_err(io::Error::other)?;
            EventLoop::new(poll, &public, links, &limits, &*admit, &stop)?.run(&mut *renew)
        };
        let stop = Arc::clone(&stopping);
        let run = move || {
            while !stop.load(Ordering::SeqCst) {
                // Nothing a client sends may end it, not even by a bug that nobody knows of.
                match catch_unwind(AssertUnwindSafe(&mut round)) {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => tracing::error!(%error, "the frontend begins anew"),
                    Err(_) => tracing::error!("the frontend panicked and begins anew"),
                }
                thread::sleep(PAUSE);
            }
        };
        let thread = thread::Builder::new()
            .name("frontend".to_owned())
            .spawn(run);
        Ok(Self {
            stopping,
            waker,
            thread: thread.map_err(failed)?,
        })
    }

    /// Lets nobody in any more; returns when the replies in hand are sent, or after four seconds.
    pub fn close(self) {
        self.stopping.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = waker.as_ref().map(Waker::wake) {
            tracing::error!(%error, "the frontend cannot be told to close");
            return;
        }
        drop(waker);
        // Its panics were caught.
        let _ = self.thread.join();
    }
}

/// A poll that the waker wakes.
fn wakeable(waker: &Mutex<Option<Waker>>) -> io::Result<Poll> {
    let poll = Poll::new()?;
    let mut waker = waker.lock().unwrap_or_else(PoisonError::into_inner);
    *waker = Some(Waker::new(poll.registry(), WAKER)?);
    Ok(poll)
}
