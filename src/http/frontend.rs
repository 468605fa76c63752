//! The frontend: the public listener, and the checks before a handler sees a request.
//!
//! One thread waits for events (`mio`) and serves all clients; the [`backend`](crate::http::backend)'s threads
//! answer. The frontend reads a request's head and body under limits of size and time, and checks both strictly.
//! It passes the request on when that is complete. It takes the answer at once and sends it at the client's speed. So
//! no slow client holds a handler: it costs a few hundred bytes, not a thread.
//!
//! Each connection is a state machine that never waits (`client`). The difficult parts are pure and have their
//! own tests: heads ([`head`], [`target`]), bodies ([`chunks`]), the rate limit ([`rate_limit`]), replies
//! ([`reply`]). [`limits::Admit`] gives the body limit of each route.

mod capacity;
pub mod chunks;
mod client;
mod event_loop;
pub mod exchange;
pub mod head;
pub mod limits;
pub mod meter;
pub mod rate_limit;
pub mod refusal;
pub mod reply;
pub mod seen;
mod shares;
pub mod socket;
pub mod spool;
mod step;
pub mod target;
mod upload;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::Waker;

pub use self::capacity::plan;
use self::event_loop::EventLoop;
use self::exchange::Dispatch;
use self::limits::{Admit, Limits};
use self::seen::Observe;
use self::socket::Listener;
use crate::error::{Error, Result};

/// How long to wait before a failed event loop starts again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often its failures are logged.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// A frontend that serves until it is closed.
pub struct Frontend {
    stopping: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

impl Frontend {
    /// Starts to serve; `observe` is told of each answer, and `dispatch` is dropped when the last exchange is over.
    ///
    /// # Errors
    /// When the system gives no thread or no way to wait for events.
    pub fn open(
        listener: Listener,
        limits: Limits,
        (admit, observe): (Box<Admit>, Box<Observe>),
        dispatch: Box<Dispatch>,
    ) -> Result<Self> {
        let failed = |error: io::Error| Error::failed("cannot start the server").because(error);
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, ends) = (Arc::clone(&stopping), Arc::clone(&stopping));
        let mut events = EventLoop::new(listener, limits, (admit, observe), dispatch, stop).map_err(failed)?;
        let waker = events.waker();
        let run = move || {
            // No input may end it, not even through a bug.
            let mut logged: Option<Instant> = None;
            loop {
                let error = match catch_unwind(AssertUnwindSafe(|| events.run())) {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "it panicked".to_owned(),
                };
                if logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
                    logged = Some(Instant::now());
                    tracing::error!(error, "the event loop begins anew");
                }
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                thread::sleep(PAUSE);
                events.reset();
            }
        };
        let thread = thread::Builder::new().name("frontend".to_owned());
        Ok(Self {
            stopping,
            waker,
            thread: thread.spawn(run).map_err(failed)?,
        })
    }

    /// Accepts no more clients; returns once the current replies are sent, or after four seconds.
    pub fn close(self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the frontend cannot be told to close");
            return;
        }
        // Its panics were caught.
        let _ = self.thread.join();
    }
}
