//! The event loop: one thread that waits for ready connections, and lets each continue as far as possible.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::event::Event;
use mio::{Events, Interest, Poll, Token, Waker};

use super::client::Client;
use super::exchange::{Dispatch, Exchange, ReplyTo, WholeRequest};
use super::limits::{Admit, Limits};
use super::refusal::Refusal;
use super::reply::{self, ReplyContext};
use super::seen::{Ids, Observe};
use super::shares::Shares;
use super::socket::{Listener, Peer, Stream};
use super::spool::SpoolBudget;
use super::step::{Step, StepContext};
use crate::clock;
use crate::http::response::Response;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// The first token of clients. No token is used twice, so no event or reply reaches another client.
const CLIENT_FIRST: usize = 2;

const EVENTS_MAX: usize = 1024;
const BUFFER_BYTES: usize = 128 * 1024;
/// How many connections are accepted in a row before the others have their turn.
const ACCEPTS_MAX: usize = 64;
/// How long accepting pauses when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the thread polls for the next event before it sleeps. Mostly one comes, such as a handler's answer,
/// and waking up takes a good part of a short request's time.
const AWAKE: Duration = Duration::from_micros(100);
/// How often deadlines are checked.
const TICK: Duration = Duration::from_millis(100);
/// How long current replies may take after a stop.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// All connections, and the thread's state.
pub(super) struct EventLoop {
    poll: Poll,
    waker: Arc<Waker>,
    /// None after a stop.
    listener: Option<Listener>,
    limits: Limits,
    admit: Box<Admit>,
    observe: Box<Observe>,
    ids: Ids,
    dispatch: Box<Dispatch>,
    stopping: Arc<AtomicBool>,
    budget: Arc<SpoolBudget>,
    clients: HashMap<Token, Client, foldhash::fast::RandomState>,
    next_client: usize,
    /// How many of the clients exceed the limit.
    refused: usize,
    /// How many of the others each address has.
    shares: Shares,
    /// Handlers' answers.
    replies: Receiver<(Token, Response)>,
    reply_to: Sender<(Token, Response)>,
    /// How many requests the handlers have.
    in_hand: usize,
    /// Requests that wait for a handler.
    waiting: VecDeque<(Token, Box<WholeRequest>)>,
    /// Clients to continue now, and clients to continue after the next check of events.
    due: VecDeque<Token>,
    later: Vec<Token>,
    acceptable: bool,
    accept_after: Option<Instant>,
    next_tick: Instant,
    stop_at: Option<Instant>,
    now: Instant,
    buffer: Vec<u8>,
}

impl EventLoop {
    pub(super) fn new(
        mut listener: Listener,
        limits: Limits,
        (admit, observe): (Box<Admit>, Box<Observe>),
        dispatch: Box<Dispatch>,
        stopping: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (reply_to, replies) = unbounded();
        let now = Instant::now();
        limits.meter.open_max.set(limits.connections_max);
        limits.meter.in_hand_max.set(limits.handlers);
        Ok(Self {
            poll,
            waker,
            listener: Some(listener),
            budget: SpoolBudget::new(limits.scratch.clone()),
            shares: Shares::new(limits.connections_each_max, limits.proxies.clone()),
            limits,
            admit,
            observe,
            ids: Ids::new(),
            dispatch,
            stopping,
            clients: HashMap::default(),
            next_client: CLIENT_FIRST,
            refused: 0,
            replies,
            reply_to,
            in_hand: 0,
            waiting: VecDeque::new(),
            due: VecDeque::new(),
            later: Vec::new(),
            acceptable: true,
            accept_after: None,
            next_tick: now + TICK,
            stop_at: None,
            now,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Wakes the loop from a wait for events.
    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Closes all connections after a failure; current requests get no answer.
    pub(super) fn reset(&mut self) {
        self.clients.clear();
        self.waiting.clear();
        self.due.clear();
        self.later.clear();
        self.refused = 0;
        self.shares.clear();
        self.acceptable = true;
    }

    /// Runs until the stop is complete.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            self.wait(&mut events)?;
            self.now = Instant::now();
            self.due.extend(self.later.drain(..));
            for event in &events {
                self.note(event);
            }
            while let Ok((token, answer)) = self.replies.try_recv() {
                self.in_hand = self.in_hand.saturating_sub(1);
                self.step(token, |client, context| client.finish(&answer, context));
            }
            if self.stopping.load(Ordering::SeqCst) && self.stop_at.is_none() {
                self.begin_stop();
            }
            self.accept();
            self.work();
            if self.now >= self.next_tick {
                self.next_tick = self.now + TICK;
                self.expire();
                self.work();
            }
            self.measure();
            if let Some(stop_at) = self.stop_at
                && (self.clients.is_empty() || self.now >= stop_at)
            {
                return Ok(());
            }
        }
    }

    /// Tells the meter how much is open and waits.
    fn measure(&self) {
        let meter = &self.limits.meter;
        meter.open.set(self.clients.len());
        meter.waiting.set(self.waiting.len());
        meter.in_hand.set(self.in_hand);
    }

    /// Waits for events, at first without sleeping: most come at once.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let timeout = self.timeout();
        let deadline = Instant::now() + AWAKE;
        loop {
            let is_late = timeout == Some(Duration::ZERO) || Instant::now() >= deadline;
            let waits = if is_late { timeout } else { Some(Duration::ZERO) };
            match self.poll.poll(events, waits) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                Ok(()) if is_late || !events.is_empty() => return Ok(()),
                // Lets other threads run.
                _ => thread::yield_now(),
            }
        }
    }

    /// How long to wait for events: without a limit only if no deadline can pass.
    fn timeout(&self) -> Option<Duration> {
        if !self.later.is_empty() || (self.acceptable && self.accept_after.is_none()) {
            return Some(Duration::ZERO);
        }
        let idle = self.clients.is_empty() && self.accept_after.is_none();
        (!idle).then(|| self.next_tick.saturating_duration_since(self.now))
    }

    fn note(&mut self, event: &Event) {
        let token = event.token();
        if token == LISTENER {
            self.acceptable = true;
        } else if let Some(client) = self.clients.get_mut(&token) {
            client.note(event);
            self.due.push_back(token);
        }
    }

    fn begin_stop(&mut self) {
        self.stop_at = Some(self.now + STOP_WITHIN);
        self.listener = None;
        self.acceptable = false;
        self.due.extend(self.clients.keys());
    }

    fn accept(&mut self) {
        if self.accept_after.is_some_and(|after| self.now < after) {
            return;
        }
        let paused = self.accept_after.take().is_some();
        let Some(listener) = &self.listener else {
            return;
        };
        let mut accepted = Vec::new();
        while self.acceptable && accepted.len() < ACCEPTS_MAX {
            match listener.accept() {
                Ok(connection) => accepted.push(connection),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.acceptable = false,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                    ) => {}
                Err(error) => {
                    // No descriptor or memory is left; some will be freed.
                    if !paused {
                        tracing::warn!(%error, "no connection can be accepted at the moment");
                    }
                    self.accept_after = Some(self.now + ACCEPT_PAUSE);
                    break;
                }
            }
        }
        self.limits.meter.accepted.add(accepted.len() as u64);
        for (stream, peer) in accepted {
            if let Err(error) = self.enter(stream, peer) {
                tracing::debug!(%error, "a connection broke as it was accepted");
            }
        }
    }

    /// Whether there is a place for a connection. If there is none, the longest idle connection gives its own: any one
    /// where the server is full, or one of the same address where that has its share.
    fn has_room(&mut self, peer: Peer) -> bool {
        let holder = self.shares.holder(peer);
        let is_share_full = holder.is_some_and(|holder| self.shares.is_full(holder));
        if !is_share_full && self.clients.len() - self.refused < self.limits.connections_max {
            return true;
        }
        let idle = self.clients.iter().filter_map(|(token, client)| {
            let may_go = !client.is_refused && (!is_share_full || self.shares.holder(client.peer) == holder);
            Some((client.idle_since().filter(|_| may_go)?, *token))
        });
        let longest = idle.min_by_key(|&(since, token)| (since, token.0));
        if let Some((_, token)) = longest {
            self.limits.meter.displaced.one();
            self.remove(token);
        }
        longest.is_some()
    }

    /// Accepts a connection, or refuses it if there are too many.
    fn enter(&mut self, mut stream: Stream, peer: Peer) -> io::Result<()> {
        let refused = !self.has_room(peer);
        if refused && self.refused >= self.limits.refused_max() {
            // Too many even for a complete refusal.
            let context = ReplyContext {
                is_head: false,
                is_1_1: true,
                keep_alive: false,
            };
            self.limits.meter.refused(Refusal::FULL);
            let answer = Refusal::FULL.answer();
            let (head, _) = reply::head(&answer, context, &self.ids.next(), clock::machine_us());
            return stream.write_all(&[&head, answer.body.as_slice()].concat());
        }
        // Without it, a reply in two parts would wait for the client to acknowledge the first.
        stream.set_nodelay()?;
        let token = Token(self.next_client);
        self.next_client += 1;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, token, both)?;
        let client = Client::new(stream, peer, &self.budget, self.now);
        self.clients.insert(token, client);
        if refused {
            self.refused += 1;
            self.step(token, Client::refuse_connection);
        } else {
            self.shares.add(peer);
            self.due.push_back(token);
        }
        Ok(())
    }

    /// Continues every client that is due.
    fn work(&mut self) {
        while let Some(token) = self.due.pop_front() {
            self.step(token, Client::advance);
            self.hand_out();
        }
        self.hand_out();
    }

    /// Takes one step of a client, and acts on its outcome.
    fn step(&mut self, token: Token, step: impl FnOnce(&mut Client, &mut StepContext<'_>) -> Step) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let mut context = StepContext {
            now: self.now,
            buffer: &mut self.buffer,
            budget: &self.budget,
            admit: &*self.admit,
            meter: &self.limits.meter,
            observe: &*self.observe,
            ids: &self.ids,
            stopping: self.stop_at.is_some(),
        };
        match step(client, &mut context) {
            Step::Wait => {}
            Step::Again => self.later.push(token),
            Step::Submit(request) => self.waiting.push_back((token, request)),
            Step::Gone => self.remove(token),
        }
    }

    fn remove(&mut self, token: Token) {
        if let Some(client) = self.clients.remove(&token) {
            match client.is_refused {
                true => self.refused -= 1,
                false => self.shares.remove(client.peer),
            }
        }
    }

    /// Continues the clients whose deadline has passed.
    fn expire(&mut self) {
        let over = |client: &Client| client.deadline().is_some_and(|until| until <= self.now);
        let over: Vec<_> = self.clients.iter().filter(|(_, client)| over(client)).collect();
        let over: Vec<_> = over.into_iter().map(|(token, _)| *token).collect();
        for token in over {
            self.step(token, Client::expire);
        }
    }

    /// Gives requests to handlers, first come, first served.
    fn hand_out(&mut self) {
        while self.in_hand < self.limits.handlers
            && let Some((client, request)) = self.waiting.pop_front()
        {
            // A client that has left needs no answer.
            if !self.clients.contains_key(&client) {
                continue;
            }
            self.in_hand += 1;
            let reply_to = ReplyTo {
                client,
                replies: self.reply_to.clone(),
                waker: Arc::clone(&self.waker),
            };
            (self.dispatch)(Exchange {
                request: *request,
                reply_to,
            });
        }
    }
}
