//! An upstream connection: one request at a time on its way to a handler, and the reply on its way back.
//!
//! It must never know clients: whose reply it brings is a token to it.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use mio::Token;
use mio::event::{Event, Source};

use super::body_handoff::BodyHandoff;
use super::reply::{self, ReplyContext, ReplyHead};
use super::spool::Spool;

/// How long a body may be to be sent in one go with its head.
const JOINED_BYTES_MAX: u64 = 16 * 1024;

/// How many pieces are sent before others have their turn.
const SENDS_MAX: usize = 8;

/// A connection to whoever answers, that does not block.
pub trait Link: Read + Write + Source + Send {}

impl<T: Read + Write + Source + Send> Link for T {}

/// Connections to whoever answers.
pub struct Links {
    /// Each takes one request at a time.
    pub links: Vec<Box<dyn Link>>,
    /// More of them, as they are opened.
    pub more: Receiver<Box<dyn Link>>,
    /// Lines of fields that each request must carry there, if any.
    pub greeting: String,
    /// Where handlers leave long bodies.
    pub handed: Arc<BodyHandoff>,
}

/// An upstream connection.
pub(super) struct Upstream {
    pub(super) link: Box<dyn Link>,
    pub(super) job: Option<Job>,
    readable: bool,
    writable: bool,
}

/// A request that is all there.
pub(super) struct Request {
    /// The head to relay, but for the empty line at its end.
    pub(super) head: Vec<u8>,
    pub(super) body: Spool,
    pub(super) asked: ReplyContext,
}

/// A request in hand.
pub(super) struct Job {
    /// Whose it is.
    pub(super) client: Token,
    request: Request,
    /// How far the head was sent.
    written: usize,
    reply: Reply,
}

enum Reply {
    /// What came of the head.
    Head(Vec<u8>),
    /// How many bytes of the body are to come.
    Body(u64),
}

/// What came from within.
pub(super) enum Part<'a> {
    /// Nothing more at the moment.
    Nothing,
    /// A head that is not whole yet.
    Incomplete,
    /// The head, with what came of the body already, and the name of a body that was handed.
    Head(Vec<u8>, Option<u64>),
    /// A part of the body.
    Body(&'a [u8]),
}

impl Job {
    /// A request on its way, with the lines that it must carry.
    pub(super) fn new(client: Token, mut request: Request, greeting: &str) -> io::Result<Self> {
        request.head.extend_from_slice(greeting.as_bytes());
        request.head.extend_from_slice(b"\r\n");
        if request.body.len() <= JOINED_BYTES_MAX {
            let mut buffer = [0; 1024];
            while !request.body.is_empty() {
                let bytes = request.body.peek(&mut buffer)?;
                let length = bytes.len();
                request.head.extend_from_slice(bytes);
                request.body.take(length);
            }
        }
        Ok(Self {
            client,
            request,
            written: 0,
            reply: Reply::Head(Vec::new()),
        })
    }

    /// Whether the reply has begun.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.reply, Reply::Body(_))
    }

    /// Whether the reply is all there.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.reply, Reply::Body(0))
    }
}

impl Upstream {
    pub(super) fn new(link: Box<dyn Link>) -> Self {
        Self {
            link,
            job: None,
            readable: false,
            writable: true,
        }
    }

    /// Takes note of an event.
    pub(super) fn note(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Whether there may be something to read.
    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Sends the request as far as it goes; whether it could go on, but others have their turn.
    pub(super) fn send(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let Some(job) = &mut self.job else {
            return Ok(false);
        };
        for _ in 0..SENDS_MAX {
            if !self.writable {
                return Ok(false);
            }
            let head = &job.request.head[job.written..];
            let bytes = if head.is_empty() {
                job.request.body.peek(buffer)?
            } else {
                head
            };
            if bytes.is_empty() {
                return Ok(false);
            }
            let from_head = !head.is_empty();
            match self.link.write(bytes) {
                Ok(length) if from_head => job.written += length,
                Ok(length) => job.request.body.take(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes what came of the reply; `asked` is what it depends on.
    pub(super) fn receive<'a>(
        &mut self,
        buffer: &'a mut [u8],
        asked: impl FnOnce(ReplyContext) -> ReplyContext,
    ) -> io::Result<Part<'a>> {
        let length = match self.link.read(buffer) {
            Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof)),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(Part::Nothing);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Part::Incomplete),
            Err(error) => return Err(error),
        };
        let unasked = || io::Error::other("bytes came from within that nobody asked for");
        let Some(job) = &mut self.job else {
            return Err(unasked());
        };
        // Less than there was room for: that was all, and more is told by an event.
        self.readable = length == buffer.len();
        let bytes = &buffer[..length];
        match &mut job.reply {
            Reply::Body(left) => {
                *left = left.checked_sub(length as u64).ok_or_else(unasked)?;
                Ok(Part::Body(bytes))
            }
            Reply::Head(held) => {
                held.extend_from_slice(bytes);
                let head = reply::read(held, asked(job.request.asked)).map_err(io::Error::other)?;
                let Some(ReplyHead {
                    taken,
                    bytes: mut ready,
                    body_bytes,
                    handed,
                }) = head
                else {
                    return Ok(Part::Incomplete);
                };
                let body = &held[taken..];
                ready.extend_from_slice(body);
                let left = body_bytes.checked_sub(body.len() as u64);
                job.reply = Reply::Body(left.ok_or_else(unasked)?);
                Ok(Part::Head(ready, handed))
            }
        }
    }
}
