//! The event_loop: one thread that waits for any connection to be ready, and lets each go as far as it can.
//!
//! It must never know what a request is, nor what it is answered.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::body_handoff::BodyHandoff;
use super::client::{Client, Step, Turn};
use super::refusal::Refusal;
use super::reply::{self, ReplyContext};
use super::spool::SpoolBudget;
use super::upstream::{Job, Link, Links, Part, Request, Upstream};
use super::{Admit, Limits, Renew};
use crate::clock;

const LISTENER: Token = Token(0);
pub(super) const WAKER: Token = Token(1);
const UPSTREAM_FIRST: usize = 2;
/// Where the tokens of clients begin. They are never used twice, so no event can be taken for another's.
const CLIENT_FIRST: usize = 1 << 16;

const EVENTS_MAX: usize = 1024;
const BUFFER_BYTES: usize = 128 * 1024;
/// How many connections are accepted before those that are there have their turn.
const ACCEPTS_MAX: usize = 64;
/// How often a reply is read before others have their turn.
const RECEIVES_MAX: usize = 8;
/// How long nobody is accepted after the machine had no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the thread stays awake for the next event: mostly there is one, the reply of a handler or the
/// next request of a client, and to be woken takes a good part of what a short request takes.
const AWAKE: Duration = Duration::from_micros(100);
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often it is looked for more upstream connections while a request waits for one and some are opened.
const MORE_TICK: Duration = Duration::from_millis(1);
/// How long replies in hand may take after a stop.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// The public listener, until a stop.
pub(super) type Public = RefCell<Option<std::net::TcpListener>>;

/// Everything that the event_loop see to.
pub(super) struct EventLoop<'a> {
    poll: Poll,
    public: &'a Public,
    listener: Option<TcpListener>,
    limits: &'a Limits,
    admit: &'a Admit,
    stopping: &'a AtomicBool,
    budget: Rc<SpoolBudget>,
    clients: HashMap<Token, Client, foldhash::fast::RandomState>,
    next_client: usize,
    /// How many of the clients are one too many.
    refused: usize,
    upstreams: Vec<Option<Upstream>>,
    greeting: String,
    handed: Arc<BodyHandoff>,
    /// Upstream connections that are being opened, until all are.
    more: Option<Receiver<Box<dyn Link>>>,
    /// Those without a request.
    free: Vec<usize>,
    /// Requests that wait for one.
    waiting: VecDeque<(Token, Request)>,
    /// Who has something to do now, and who after the next look at events.
    due: VecDeque<Token>,
    later: Vec<Token>,
    acceptable: bool,
    accept_after: Option<Instant>,
    next_tick: Instant,
    stop_at: Option<Instant>,
    now: Instant,
    buffer: Vec<u8>,
}

impl<'a> EventLoop<'a> {
    pub(super) fn new(
        poll: Poll,
        public: &'a Public,
        links: Links,
        limits: &'a Limits,
        admit: &'a Admit,
        stopping: &'a AtomicBool,
    ) -> io::Result<Self> {
        let listener = public.borrow().as_ref().map(|public| public.try_clone());
        let mut listener = listener.transpose()?.map(TcpListener::from_std);
        if let Some(listener) = &mut listener {
            let registry = poll.registry();
            registry.register(listener, LISTENER, Interest::READABLE)?;
        }
        let now = Instant::now();
        let mut event_loop = Self {
            poll,
            public,
            listener,
            limits,
            admit,
            stopping,
            budget: SpoolBudget::new(limits.folder.clone(), limits.disk_bytes_max),
            clients: HashMap::default(),
            next_client: CLIENT_FIRST,
            refused: 0,
            upstreams: Vec::new(),
            greeting: String::new(),
            handed: Arc::default(),
            more: None,
            free: Vec::new(),
            waiting: VecDeque::new(),
            due: VecDeque::new(),
            later: Vec::new(),
            acceptable: true,
            accept_after: None,
            next_tick: now + TICK,
            stop_at: None,
            now,
            buffer: vec![0; BUFFER_BYTES],
        };
        event_loop.connect(links)?;
        Ok(event_loop)
    }

    /// Adds upstream connections.
    fn connect(&mut self, links: Links) -> io::Result<()> {
        self.greeting = links.greeting;
        self.handed = links.handed;
        self.more = Some(links.more);
        links.links.into_iter().try_for_each(|link| self.add(link))
    }

    fn add(&mut self, mut link: Box<dyn Link>) -> io::Result<()> {
        let at = self.upstreams.len();
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(UPSTREAM_FIRST + at);
        self.poll.registry().register(&mut link, token, both)?;
        self.upstreams.push(Some(Upstream::new(link)));
        self.free.push(at);
        Ok(())
    }

    /// Adds the upstream connections that were opened meanwhile, and puts them to use.
    fn add_more(&mut self) -> io::Result<()> {
        while let Some(more) = &self.more {
            match more.try_recv() {
                Ok(link) => self.add(link)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.more = None,
            }
        }
        self.hand_out();
        Ok(())
    }

    /// Goes on until the stop is over; `renew` opens upstream connections when all are lost.
    pub(super) fn run(&mut self, renew: &mut Renew) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            self.wait(&mut events)?;
            self.now = Instant::now();
            if self.more.is_some() {
                self.add_more()?;
            }
            self.due.extend(self.later.drain(..));
            for event in &events {
                self.note(event);
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
            if self.upstreams.iter().all(Option::is_none) {
                tracing::error!("every upstream connection was lost; they are opened anew");
                self.upstreams.clear();
                self.free.clear();
                self.connect(renew().map_err(io::Error::other)?)?;
            }
            if let Some(stop_at) = self.stop_at
                && (self.clients.is_empty() || self.now >= stop_at)
            {
                return Ok(());
            }
        }
    }

    /// Waits for events: at first awake, for what comes at once.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let timeout = self.timeout();
        let deadline = Instant::now() + AWAKE;
        loop {
            let is_late = timeout == Some(Duration::ZERO) || Instant::now() >= deadline;
            let waits = if is_late {
                timeout
            } else {
                Some(Duration::ZERO)
            };
            match self.poll.poll(events, waits) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                Ok(()) if is_late || !events.is_empty() => return Ok(()),
                // Others may want the processor.
                _ => thread::yield_now(),
            }
        }
    }

    /// How long to wait for events: for ever only if there is nobody whose deadline could pass.
    fn timeout(&self) -> Option<Duration> {
        if !self.later.is_empty() || (self.acceptable && self.accept_after.is_none()) {
            return Some(Duration::ZERO);
        }
        if self.more.is_some() && !self.waiting.is_empty() {
            return Some(MORE_TICK);
        }
        let idle = self.clients.is_empty() && self.accept_after.is_none();
        (!idle).then(|| self.next_tick.saturating_duration_since(self.now))
    }

    fn note(&mut self, event: &Event) {
        let token = event.token();
        if token == LISTENER {
            self.acceptable = true;
        } else if token.0 >= CLIENT_FIRST {
            if let Some(client) = self.clients.get_mut(&token) {
                client.note(event);
                self.due.push_back(token);
            }
        } else if token != WAKER
            && let Some(Some(upstream)) = self.upstreams.get_mut(token.0 - UPSTREAM_FIRST)
        {
            upstream.note(event);
            self.due.push_back(token);
        }
    }

    fn begin_stop(&mut self) {
        self.stop_at = Some(self.now + STOP_WITHIN);
        // Both handles: only then does the machine turn clients away.
        self.listener = None;
        *self.public.borrow_mut() = None;
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
                Ok((stream, _)) => accepted.push(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.acceptable = false,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted
                            | ErrorKind::ConnectionAborted
                            | ErrorKind::ConnectionReset
                    ) => {}
                Err(error) => {
                    // No descriptor or no memory is left; some are given back sooner or later.
                    if !paused {
                        tracing::warn!(%error, "no connection can be accepted at the moment");
                    }
                    self.accept_after = Some(self.now + ACCEPT_PAUSE);
                    break;
                }
            }
        }
        for stream in accepted {
            if let Err(error) = self.enter(stream) {
                tracing::debug!(%error, "a connection broke as it was accepted");
            }
        }
    }

    /// Lets a connection in, or tells it that it is one too many.
    fn enter(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let kept = self.clients.len() - self.refused;
        let refused = kept >= self.limits.connections_max;
        if refused && self.refused >= self.limits.refused_max() {
            // Too many even to be told with care.
            let asked = ReplyContext {
                is_head: false,
                is_1_1: true,
                keep_alive: false,
            };
            let answer = Refusal::FULL.answer();
            let (head, body) = reply::write(&answer, asked, clock::machine_us());
            return stream.write_all(&[&head, body].concat());
        }
        // Without it a reply in two parts would wait for the client's word on the first.
        stream.set_nodelay(true)?;
        let token = Token(self.next_client);
        self.next_client += 1;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, token, both)?;
        let mut client = Client::new(stream, &self.budget, self.now);
        if refused {
            client.refuse_connection(&self.turn_without_buffer())?;
            self.refused += 1;
        }
        self.clients.insert(token, client);
        self.due.push_back(token);
        Ok(())
    }

    fn turn_without_buffer(&self) -> Turn<'_> {
        Turn {
            now: self.now,
            buffer: &mut [],
            budget: &self.budget,
            admit: self.admit,
            stopping: self.stop_at.is_some(),
        }
    }

    /// Lets everybody who has something to do go on.
    fn work(&mut self) {
        while let Some(token) = self.due.pop_front() {
            if token.0 >= CLIENT_FIRST {
                self.step(token, Client::advance);
            } else {
                self.relay(token.0 - UPSTREAM_FIRST);
            }
            self.hand_out();
        }
    }

    /// Lets a client take a step, and does what comes of it.
    fn step(&mut self, token: Token, step: impl FnOnce(&mut Client, &mut Turn<'_>) -> Step) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let mut turn = Turn {
            now: self.now,
            buffer: &mut self.buffer,
            budget: &self.budget,
            admit: self.admit,
            stopping: self.stop_at.is_some(),
        };
        match step(client, &mut turn) {
            Step::Wait => {}
            Step::Again => self.later.push(token),
            Step::Submit(request) => self.waiting.push_back((token, request)),
            Step::Gone => self.remove(token),
        }
    }

    fn remove(&mut self, token: Token) {
        if let Some(client) = self.clients.remove(&token) {
            self.refused -= usize::from(client.is_refused);
        }
    }

    /// Looks for those whose time is over.
    fn expire(&mut self) {
        let over = |client: &Client| client.deadline().is_some_and(|until| until <= self.now);
        let over: Vec<_> = self
            .clients
            .iter()
            .filter(|(_, client)| over(client))
            .collect();
        let over: Vec<_> = over.into_iter().map(|(token, _)| *token).collect();
        for token in over {
            self.step(token, Client::expire);
        }
    }

    /// Gives requests to upstream connections, first come, first served.
    fn hand_out(&mut self) {
        while !self.free.is_empty()
            && let Some((token, request)) = self.waiting.pop_front()
        {
            // Whoever left before it was begun wants no answer.
            if !self.clients.contains_key(&token) {
                continue;
            }
            let Some(at) = self.free.pop() else { return };
            let job = Job::new(token, request, &self.greeting);
            match (job, &mut self.upstreams[at]) {
                (Ok(job), Some(upstream)) => {
                    upstream.job = Some(job);
                    self.due.push_back(Token(UPSTREAM_FIRST + at));
                }
                (job, _) => {
                    let error = job.err();
                    tracing::error!(?error, "a request could not be handed on");
                    self.free.push(at);
                    self.remove(token);
                }
            }
        }
    }

    /// Lets an upstream connection go on, and its client with it.
    fn relay(&mut self, at: usize) {
        if let Err(error) = self.try_relay(at) {
            tracing::error!(%error, "an upstream connection was lost");
            let lost = self.upstreams[at].take();
            self.free.retain(|&free| free != at);
            let Some(job) = lost.and_then(|upstream| upstream.job) else {
                return;
            };
            let begun = job.has_begun();
            self.step(job.client, |client, turn| {
                let lost = client.lose_reply(begun, turn);
                lost.map_or(Step::Gone, |()| client.advance(turn))
            });
        }
    }

    fn try_relay(&mut self, at: usize) -> io::Result<()> {
        let Some(Some(upstream)) = self.upstreams.get_mut(at) else {
            return Ok(());
        };
        let own = Token(UPSTREAM_FIRST + at);
        if upstream.send(&mut self.buffer)? {
            self.later.push(own);
        }
        for _ in 0..RECEIVES_MAX {
            if !upstream.is_readable() {
                return Ok(());
            }
            let token = upstream.job.as_ref().map(|job| job.client);
            let mut client = token.and_then(|token| self.clients.get_mut(&token));
            let stopping = self.stop_at.is_some();
            let asked = |asked| {
                client
                    .as_mut()
                    .map_or(asked, |client| client.asked(stopping))
            };
            let part = upstream.receive(&mut self.buffer, asked)?;
            let given = match (&part, &mut client) {
                (Part::Nothing, _) => return Ok(()),
                (Part::Incomplete, _) => continue,
                (Part::Head(bytes, handed), client) => {
                    // Taken even if nobody wants it any more.
                    let body = handed.map(|name| self.handed.take(name));
                    match (client, body) {
                        (_, Some(None)) => return Err(io::Error::other("a body is missing")),
                        (Some(client), body) => client.reply(bytes, body.flatten(), self.now),
                        (None, _) => Ok(()),
                    }
                }
                (Part::Body(bytes), Some(client)) => client.reply(bytes, None, self.now),
                (Part::Body(_), None) => Ok(()),
            };
            let done = upstream.job.as_ref().is_some_and(Job::is_done);
            if done {
                upstream.job = None;
                self.free.push(at);
                if let Some(client) = client {
                    client.end_reply();
                }
            }
            if let Some(token) = token {
                match given {
                    Ok(()) if done => self.due.push_back(token),
                    Ok(()) => {}
                    // Gone, or too much for the room there is; the rest of the reply is let go by.
                    Err(error) => {
                        tracing::debug!(%error, "a client left before its reply");
                        self.clients.remove(&token);
                    }
                }
            }
            if done {
                return Ok(());
            }
        }
        self.later.push(own);
        Ok(())
    }
}
