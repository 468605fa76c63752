//! The backend: the threads that answer requests, each started when it is first needed.
//!
//! A request that comes here is well-formed, bounded and all there, so that no client can hold a thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::app::{App, Readers, Site};
use super::frontend::exchange::{Exchange, WholeRequest};
use super::request::Request;
use super::response::Response;
use super::routes;
use crate::error::{Error, Result};

/// A pool of handlers.
pub struct Backend {
    /// None once it stops.
    exchanges: Option<Sender<Exchange>>,
    queue: Receiver<Exchange>,
    /// How many exchanges are queued or being answered.
    busy: Arc<AtomicUsize>,
    handlers_max: usize,
    site: Site,
    readers: Readers,
    threads: Vec<JoinHandle<()>>,
}

impl Backend {
    /// A pool of up to `handlers_max` threads.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(handlers_max: usize, site: Site) -> Result<Self> {
        let (exchanges, queue) = unbounded();
        let mut backend = Self {
            exchanges: Some(exchanges),
            queue,
            busy: Arc::default(),
            handlers_max,
            site,
            readers: Readers::default(),
            threads: Vec::new(),
        };
        let first = backend.start_handler();
        first.map_err(|error| Error::failed("cannot start the server").because(error))?;
        Ok(backend)
    }

    fn start_handler(&mut self) -> io::Result<()> {
        let mut app = App::new(self.site.clone(), Arc::clone(&self.readers));
        let (queue, busy) = (self.queue.clone(), Arc::clone(&self.busy));
        let serve = move || {
            for exchange in queue {
                handle(&mut app, exchange, &busy);
            }
        };
        let name = format!("http-{}", self.threads.len());
        let thread = thread::Builder::new().name(name).spawn(serve)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Has a request answered, by a thread more where all are busy.
    pub fn submit(&mut self, exchange: Exchange) {
        let busy = self.busy.fetch_add(1, Ordering::SeqCst);
        let handlers = self.threads.len();
        if busy >= handlers
            && handlers < self.handlers_max
            && let Err(error) = self.start_handler()
        {
            tracing::warn!(%error, handlers, "there is no thread for another handler");
            self.handlers_max = handlers;
        }
        if let Some(exchanges) = &self.exchanges {
            // It cannot fail: a receiver is kept here.
            let _ = exchanges.send(exchange);
        }
    }
}

impl Drop for Backend {
    /// Returns when all requests in hand are answered.
    fn drop(&mut self) {
        self.exchanges = None;
        for thread in self.threads.drain(..) {
            // A handler's panic was answered and logged where it happened.
            let _ = thread.join();
        }
    }
}

/// Answers one request; a handler that panics answers 500.
fn handle(app: &mut App, exchange: Exchange, busy: &AtomicUsize) {
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
    let answer = answer.unwrap_or_else(|_| {
        Response::from(Error::failed(format!("the handler of {target} panicked")))
    });
    tracing::debug!(method, target, status = answer.status, "answered");
    drop(body);
    // Before the answer: the client's next request shall find this thread free.
    busy.fetch_sub(1, Ordering::SeqCst);
    reply_to.answer(answer);
}
