//! A client's connection: a head, a body, a reply, and the next request, as far as possible without waiting.
//!
//! A state machine whose only I/O is its socket: it emits complete requests and receives their answers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;

use super::chunks::BodyDecoder;
use super::exchange::WholeRequest;
use super::head::{self, Framing, Head, Scanner};
use super::limits::{ALLOWED, Admission};
use super::rate_limit::RateLimit;
use super::refusal::Refusal;
use super::reply::{self, ReplyContext};
use super::seen::Asked;
use super::socket::{Peer, Stream};
use super::spool::{Spool, SpoolBudget};
use super::step::{Step, StepContext};
use super::upload::Upload;
use crate::clock;
use crate::http::response::Response;

/// The time limit of a head from its first byte; also the silence limit of a new connection.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may be silent between requests.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// The initial credit of a slow body.
const BODY_GRACE: Duration = Duration::from_secs(10);
/// The initial credit of a slow reader of its reply.
const REPLY_GRACE: Duration = Duration::from_secs(30);
/// How long a closed connection is still read, so that its client gets the last reply and no reset.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_STOPPING: Duration = Duration::from_millis(300);
/// How much is read then.
const LINGER_BYTES_MAX: usize = 16 << 20;
/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;
/// Bodies of at least this length are not copied into the spool.
const SHARED_BYTES_MIN: usize = 64 * 1024;
/// How many steps one connection may take before the others have their turn.
const STEPS_MAX: usize = 16;

/// A connection.
pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    /// Whether it exceeds the limit and only gets a refusal.
    pub(super) is_refused: bool,
    /// Bytes that were read but not yet parsed.
    input: Vec<u8>,
    /// Bytes of the reply that the client has not taken yet.
    out: Spool,
    /// The time limit of the reply.
    rate_limit: RateLimit,
    state: ClientState,
    /// When its last reply was sent, or it came.
    since: Instant,
    /// The deadline of the state.
    until: Option<Instant>,
    context: ReplyContext,
    /// The request that is answered next.
    asked: Asked,
    readable: bool,
    writable: bool,
    /// The client sends nothing more.
    closes: bool,
    /// All of its bytes were read.
    ended: bool,
}

enum ClientState {
    Head(Scanner),
    Body(Box<Upload>),
    /// A handler has the request.
    InHand,
    /// The whole reply is in `out`.
    Replied,
    /// Closed, but the client still sends bytes, of which so many more are read.
    Lingering(usize),
}

impl Client {
    pub(super) fn new(stream: Stream, peer: Peer, budget: &Arc<SpoolBudget>, now: Instant) -> Self {
        Self {
            stream,
            peer,
            is_refused: false,
            input: Vec::new(),
            out: Spool::new(budget),
            rate_limit: RateLimit::new(now, REPLY_GRACE),
            state: ClientState::Head(Scanner::default()),
            since: now,
            until: Some(now + HEAD_WITHIN),
            context: ReplyContext {
                is_head: false,
                is_1_1: true,
                keep_alive: true,
            },
            asked: Asked::default(),
            // Most clients have already sent bytes: reading is cheaper than waiting for the event.
            readable: true,
            writable: true,
            closes: false,
            ended: false,
        }
    }

    /// Tells the client that there are too many connections.
    pub(super) fn refuse_connection(&mut self, context: &mut StepContext<'_>) -> Step {
        self.is_refused = true;
        let refused = self.refuse(Refusal::FULL, context);
        refused.map_or(Step::Gone, |()| self.advance(context))
    }

    /// Records an event.
    pub(super) fn note(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
        self.closes |= event.is_read_closed() || event.is_error();
    }

    /// When the connection must be checked even without an event.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            _ if !self.out.is_empty() => Some(self.rate_limit.until),
            ClientState::Body(upload) => Some(upload.rate_limit.until),
            _ => self.until,
        }
    }

    /// Since when it has been between requests; none if it is not.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let is_idle = matches!(self.state, ClientState::Head(_)) && self.input.is_empty() && self.out.is_empty();
        (is_idle && !self.readable).then_some(self.since)
    }

    /// Continues after the deadline.
    pub(super) fn expire(&mut self, context: &mut StepContext<'_>) -> Step {
        let refused = match self.state {
            // A client that takes nothing would not take a refusal either.
            _ if !self.out.is_empty() => return Step::Gone,
            ClientState::Head(_) if !self.input.is_empty() => self.refuse(Refusal::SLOW_HEAD, context),
            ClientState::Body(_) => self.refuse(Refusal::SLOW_BODY, context),
            _ => return Step::Gone,
        };
        refused.map_or(Step::Gone, |()| self.advance(context))
    }

    /// Continues as far as possible without waiting.
    pub(super) fn advance(&mut self, context: &mut StepContext<'_>) -> Step {
        for _ in 0..STEPS_MAX {
            match self.flush(context.now, context.buffer) {
                Ok(true) => {}
                Ok(false) => return Step::Wait,
                Err(_) => return Step::Gone,
            }
            let step = match &self.state {
                ClientState::Head(_) => self.read_head(context),
                ClientState::Body(_) => self.read_body(context),
                ClientState::InHand => Ok(Some(Step::Wait)),
                ClientState::Replied => self.after_reply(context),
                ClientState::Lingering(_) => self.linger(context),
            };
            match step {
                Ok(None) => {}
                Ok(Some(step)) => return step,
                Err(error) => {
                    tracing::debug!(%error, "a connection broke");
                    return Step::Gone;
                }
            }
        }
        Step::Again
    }

    /// Sends the handler's answer and continues.
    pub(super) fn finish(&mut self, answer: &Response, context: &mut StepContext<'_>) -> Step {
        match self.answer(answer, true, context) {
            Ok(()) => self.advance(context),
            // The client is gone, or the answer exceeds the budget.
            Err(error) => {
                tracing::debug!(%error, "a client left before its reply");
                Step::Gone
            }
        }
    }

    /// Sends bytes, and a shared body after them. The rest waits until the client can take it.
    fn send(&mut self, mut bytes: &[u8], body: Option<Arc<Vec<u8>>>, now: Instant) -> io::Result<()> {
        while self.out.is_empty() && self.writable && !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if bytes.is_empty() && body.is_none() {
            return Ok(());
        }
        if self.out.is_empty() {
            self.rate_limit = RateLimit::new(now, REPLY_GRACE);
        }
        self.out.push(bytes)?;
        body.map_or(Ok(()), |body| self.out.share(body))
    }

    /// Sends waiting bytes; returns whether that was all.
    fn flush(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<bool> {
        while !self.out.is_empty() {
            if !self.writable {
                return Ok(false);
            }
            match self.stream.write(self.out.peek(buffer)?) {
                Ok(length) => {
                    self.out.consume(length);
                    self.rate_limit.moved(now, length);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads the available bytes, up to the buffer's length.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) => {
                self.ended = true;
                Ok(0)
            }
            Ok(length) => {
                // Less than the buffer holds: that was all, and an event will report more.
                self.readable = length == buffer.len() || self.closes;
                Ok(length)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn read_head(&mut self, context: &mut StepContext<'_>) -> io::Result<Option<Step>> {
        if context.stopping {
            return Ok(Some(Step::Gone));
        }
        let ClientState::Head(scanner) = &mut self.state else {
            return Ok(None);
        };
        match scanner.scan(&self.input) {
            Ok(Some(range)) => {
                let end = range.end;
                let head = head::judge(&self.input[range]);
                self.input.drain(..end);
                match head {
                    Ok(head) => return self.begin(head, context),
                    Err(refusal) => self.refuse(refusal, context)?,
                }
            }
            Ok(None) if self.ended && self.input.is_empty() => return Ok(Some(Step::Gone)),
            Ok(None) if self.ended => self.refuse(
                Refusal::malformed("the connection ended within the head (send all of it)"),
                context,
            )?,
            Ok(None) if !self.readable => return Ok(Some(Step::Wait)),
            Ok(None) => {
                let length = self.read(&mut context.buffer[..READ_BYTES])?;
                if length > 0 && self.input.is_empty() {
                    self.until = Some(context.now + HEAD_WITHIN);
                }
                self.input.extend_from_slice(&context.buffer[..length]);
            }
            Err(refusal) => self.refuse(refusal, context)?,
        }
        Ok(None)
    }

    /// Begins a request with a good head.
    fn begin(&mut self, mut head: Head, context: &StepContext<'_>) -> io::Result<Option<Step>> {
        self.context = ReplyContext {
            is_head: head.method == "HEAD",
            is_1_1: head.is_1_1,
            keep_alive: head.keep_alive,
        };
        let mut admission = (context.admit)(&mut head, self.peer);
        self.asked = Asked {
            id: admission.request_id.take().unwrap_or_else(|| context.ids.next()),
            method: Some(head.method),
            route: admission.route,
            visitor: Some(Arc::clone(&admission.visitor)),
            began: Some(context.now),
        };
        if admission.refused.is_some() {
            // Not a byte of its body is taken.
            self.context.keep_alive &= head.framing == Framing::Length(0);
            self.state = ClientState::InHand;
            return Ok(Some(self.whole(
                head,
                admission,
                Spool::new(context.budget),
                context.now,
            )));
        }
        let Ok(decoder) = BodyDecoder::new(head.framing, admission.body_bytes_max) else {
            context.meter.refused(Refusal::TOO_LARGE);
            self.answer(&(admission.too_large)(admission.body_bytes_max), false, context)?;
            return Ok(None);
        };
        if matches!(head.framing, Framing::Length(bytes) if !context.budget.has(bytes)) {
            self.refuse(Refusal::NO_ROOM, context)?;
            return Ok(None);
        }
        if head.expects_continue && !decoder.is_whole() {
            if let Some(answer) = &admission.known {
                self.answer(answer, false, context)?;
                return Ok(None);
            }
            if self.input.is_empty() {
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n", None, context.now)?;
            }
        }
        self.state = ClientState::Body(Box::new(Upload {
            head,
            admission,
            decoder,
            spool: Spool::new(context.budget),
            rate_limit: RateLimit::new(context.now, BODY_GRACE),
        }));
        Ok(None)
    }

    fn read_body(&mut self, context: &mut StepContext<'_>) -> io::Result<Option<Step>> {
        let ClientState::Body(mut upload) = std::mem::replace(&mut self.state, ClientState::InHand) else {
            return Ok(None);
        };
        if upload.decoder.is_whole() {
            return self.submit(*upload, context);
        }
        if context.stopping {
            return Ok(Some(Step::Gone));
        }
        let decoded = if !self.input.is_empty() {
            let decoded = upload.decode(&self.input);
            self.input.drain(..*decoded.as_ref().unwrap_or(&0));
            decoded
        } else if self.ended {
            Err(Refusal::malformed(
                "the connection ended within the body (send all of it)",
            ))
        } else if !self.readable {
            self.state = ClientState::Body(upload);
            return Ok(Some(Step::Wait));
        } else {
            let length = self.read(context.buffer)?;
            let decoded = upload.decode(&context.buffer[..length]);
            let taken = *decoded.as_ref().unwrap_or(&length);
            self.input.extend_from_slice(&context.buffer[taken..length]);
            decoded
        };
        match decoded {
            Ok(taken) => {
                upload.rate_limit.moved(context.now, taken);
                self.state = ClientState::Body(upload);
            }
            Err(refusal @ Refusal::TOO_LARGE) => {
                context.meter.refused(refusal);
                let admission = &upload.admission;
                let answer = (admission.too_large)(admission.body_bytes_max);
                self.answer(&answer, false, context)?;
            }
            Err(refusal) => self.refuse(refusal, context)?,
        }
        Ok(None)
    }

    /// Emits the complete request.
    fn submit(&mut self, upload: Upload, context: &StepContext<'_>) -> io::Result<Option<Step>> {
        let Upload {
            head, admission, spool, ..
        } = upload;
        if head.target == "*" {
            let answer = Response::empty(200).with("Allow", ALLOWED);
            self.answer(&answer, true, context)?;
            return Ok(None);
        }
        Ok(Some(self.whole(head, admission, spool, context.now)))
    }

    /// A request for a handler.
    fn whole(&mut self, head: Head, admission: Admission, body: Spool, whole_at: Instant) -> Step {
        self.until = None;
        Step::Submit(Box::new(WholeRequest {
            whole_at,
            route: admission.route,
            method: head.method,
            target: head.target,
            headers: head.fields,
            body,
            visitor: admission.visitor,
            refused: admission.refused,
            id: self.asked.id.clone(),
        }))
    }

    /// Refuses a request; the bytes after it cannot be trusted.
    fn refuse(&mut self, refusal: Refusal, context: &StepContext<'_>) -> io::Result<()> {
        tracing::debug!(status = refusal.status, refusal.detail, "refused");
        context.meter.refused(refusal);
        // It may have been a HEAD, but its connection ends anyway.
        self.answer(&refusal.answer(), false, context)
    }

    /// Answers, and keeps the connection if both `keep` and the request allow it.
    fn answer(&mut self, answer: &Response, keep: bool, context: &StepContext<'_>) -> io::Result<()> {
        self.context.keep_alive &= keep && !context.stopping;
        let asked = &mut self.asked;
        if asked.id.is_empty() {
            asked.id = context.ids.next();
        }
        let (mut bytes, has_body) = reply::head(answer, self.context, &asked.id, clock::machine_us());
        let bytes_sent = if has_body { answer.body.len() } else { 0 };
        (context.observe)(&asked.seen(self.peer, answer.status, bytes_sent));
        *asked = Asked::default();
        self.state = ClientState::Replied;
        let is_short = answer.body.len() < SHARED_BYTES_MIN;
        if has_body && is_short {
            bytes.extend_from_slice(&answer.body);
        }
        let shared = (has_body && !is_short).then(|| Arc::clone(&answer.body));
        self.send(&bytes, shared, context.now)?;
        let Some(file) = answer.file.as_ref().filter(|_| has_body) else {
            return Ok(());
        };
        if self.out.is_empty() {
            self.rate_limit = RateLimit::new(context.now, REPLY_GRACE);
        }
        self.out.follow(file.try_clone()?)
    }

    /// Continues with the next request, or closes.
    fn after_reply(&mut self, context: &StepContext<'_>) -> io::Result<Option<Step>> {
        if self.context.keep_alive {
            let within = if self.input.is_empty() {
                self.input.shrink_to(READ_BYTES);
                IDLE_MAX
            } else {
                HEAD_WITHIN
            };
            (self.since, self.until) = (context.now, Some(context.now + within));
            self.state = ClientState::Head(Scanner::default());
            return Ok(None);
        }
        self.stream.shutdown(Shutdown::Write)?;
        self.input = Vec::new();
        let linger = if context.stopping { LINGER_STOPPING } else { LINGER };
        self.until = Some(context.now + linger);
        self.state = ClientState::Lingering(LINGER_BYTES_MAX);
        Ok(None)
    }

    /// Reads and drops bytes: a connection that is closed with unread bytes is reset, and the reset may
    /// overtake the reply.
    fn linger(&mut self, context: &mut StepContext<'_>) -> io::Result<Option<Step>> {
        if self.ended {
            return Ok(Some(Step::Gone));
        }
        if !self.readable {
            return Ok(Some(Step::Wait));
        }
        let length = self.read(context.buffer)?;
        let ClientState::Lingering(bytes_left) = &mut self.state else {
            return Ok(None);
        };
        *bytes_left = bytes_left.saturating_sub(length);
        Ok((*bytes_left == 0).then_some(Step::Gone))
    }
}
