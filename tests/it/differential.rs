//! The frontend's parsers compared with hyper's: for thousands of mangled requests, both agree, or the frontend
//! refuses. Both read from memory.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body as _, Frame, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use store_monitor::http::frontend::chunks::BodyDecoder;
use store_monitor::http::frontend::head::{self, Scanner};
use store_monitor::http::frontend::refusal::Refusal;

use crate::frontend::cases;

/// How many requests are tried.
const MANGLED: usize = 30_000;

/// What a reader saw: the lengths of the bodies of all whole requests, and whether it refused the next.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    bodies: Vec<usize>,
    refused: bool,
}

/// What the frontend sees, by the functions that its connections use.
fn by_the_frontend(input: &[u8]) -> Seen {
    let mut bodies = Vec::new();
    let refused = read_all(input, &mut bodies).is_err();
    Seen { bodies, refused }
}

fn read_all(mut input: &[u8], bodies: &mut Vec<usize>) -> Result<(), Refusal> {
    while let Some(range) = Scanner::default().scan(input)? {
        let end = range.end;
        let head = head::judge(&input[range])?;
        input = &input[end..];
        let mut body = BodyDecoder::new(head.framing, 1 << 20)?;
        let mut length = 0;
        let taken = body.decode(input, |bytes| length += bytes.len())?;
        if !body.is_whole() {
            return Ok(());
        }
        input = &input[taken..];
        bodies.push(length);
        if !head.keep_alive {
            return Ok(());
        }
    }
    Ok(())
}

/// What hyper sees.
fn by_hyper(input: &[u8]) -> Seen {
    let bodies = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&bodies);
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let (mut body, mut length) = (request.into_body(), 0);
            let mut body = Pin::new(&mut body);
            while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
                match frame {
                    Ok(frame) => length += frame.data_ref().map_or(0, |data| data.len()),
                    // It is not whole.
                    Err(_) => return Ok::<_, Infallible>(Response::new(Nothing)),
                }
            }
            seen.borrow_mut().push(length);
            Ok(Response::new(Nothing))
        }
    });
    let memory = Memory(input.to_vec(), 0);
    let mut builder = http1::Builder::new();
    let mut connection = std::pin::pin!(builder.half_close(true).serve_connection(memory, service));
    let mut context = Context::from_waker(Waker::noop());
    // Memory is always ready: whoever is pending a thousand times waits for nothing.
    let outcome = (0..1000).find_map(|_| match connection.as_mut().poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    });
    let bodies = bodies.borrow().clone();
    Seen {
        bodies,
        refused: !matches!(outcome, Some(Ok(()))),
    }
}

/// A body without any.
struct Nothing;

impl hyper::body::Body for Nothing {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// A connection that gives what is in memory and forgets what it is told.
struct Memory(Vec<u8>, usize);

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let length = buffer.remaining().min(self.0.len() - self.1);
        buffer.put_slice(&self.0[self.1..self.1 + length]);
        self.1 += length;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % limit.max(1)
    }
}

/// What requests are mangled with: what framing is made of.
const PIECES: [&[u8]; 32] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\0",
    b"\x0b",
    b"\xa0",
    b"0",
    b"5",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length:",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"chunked",
    b"Host: localhost\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"5;a=b\r\n",
    b" HTTP/1.0",
    b" HTTP/1.1",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"X-T: 1\r\n",
    b"Expect: 100-continue\r\n",
];

/// A good request, at times with any other behind it, with a few places changed.
fn mangle(numbers: &mut Numbers, good: &[Vec<u8>], seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = good[numbers.below(good.len())].clone();
    if numbers.below(4) == 0 {
        bytes.extend_from_slice(&seeds[numbers.below(seeds.len())]);
    }
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        let end = (at + 1 + numbers.below(12)).min(bytes.len());
        let piece = PIECES[numbers.below(PIECES.len())];
        match numbers.below(6) {
            0 => bytes[at] = u8::try_from(numbers.below(256)).expect("a byte"),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.splice(at..at, piece.iter().copied()).for_each(drop),
            3 => bytes.splice(at..end, piece.iter().copied()).for_each(drop),
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy).for_each(drop);
            }
            _ => {
                // A whole line more, where lines are.
                let lines = line_starts(&bytes);
                let at = lines[numbers.below(lines.len())];
                bytes.splice(at..at, piece.iter().copied()).for_each(drop);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'G');
        }
    }
    bytes
}

/// Where lines begin.
fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let mut starts: Vec<_> = ends.map(|(at, _)| at + 1).collect();
    starts.push(0);
    starts
}

#[test]
fn of_mangled_requests_the_frontend_sees_what_hyper_sees_or_refuses() {
    let mut cases = cases();
    cases.retain(|(_, _, bytes)| bytes.len() < 2000);
    let is_good = |case: &&(String, Vec<u16>, Vec<u8>)| case.0.starts_with("taken-");
    let good = cases.iter().filter(is_good);
    let good: Vec<_> = good.map(|(_, _, bytes)| bytes.clone()).collect();
    let seeds: Vec<_> = cases.into_iter().map(|(_, _, bytes)| bytes).collect();
    let mut numbers = Numbers(0x2545_F491_4F6C_DD1D);
    let (mut agreed, mut requests) = (0, 0);
    for number in 0..MANGLED + seeds.len() {
        let input = match seeds.get(number) {
            Some(seed) => seed.clone(),
            None => mangle(&mut numbers, &good, &seeds),
        };
        let (ours, theirs) = (by_the_frontend(&input), by_hyper(&input));
        let shown = input.escape_ascii();
        // What stands before a refusal was let in: hyper must have seen it the same way.
        let common = theirs.bodies.get(..ours.bodies.len());
        assert_eq!(
            common,
            Some(&ours.bodies[..]),
            "{ours:?} {theirs:?} {shown}"
        );
        if !ours.refused {
            assert_eq!(ours.bodies.len(), theirs.bodies.len(), "{theirs:?} {shown}");
            agreed += 1;
            requests += ours.bodies.len();
        }
    }
    eprintln!("{agreed} of {MANGLED} were taken by both, {requests} requests in all");
    // Otherwise it would prove nothing.
    assert!(
        agreed > MANGLED / 20 && requests > MANGLED / 20,
        "{agreed} {requests}"
    );
}
