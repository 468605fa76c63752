//! Replies: how the head that comes from within is written for the client.
//!
//! Pure: bytes in, bytes out. It must never know sockets, time or routes.

use std::io::Write;

use chrono::DateTime;

use super::body_handoff;
use crate::http::response::{Response, title};

/// How many fields a reply from within may have.
const FIELDS_MAX: usize = 64;

/// What a reply depends on, of the request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyContext {
    /// Whether the body is to be left out.
    pub is_head: bool,
    /// Whether the client speaks 1.1, and not 1.0.
    pub is_1_1: bool,
    /// Whether the connection goes on.
    pub keep_alive: bool,
}

/// A head from within, made ready for the client.
#[derive(Debug, PartialEq, Eq)]
pub struct ReplyHead {
    /// How many bytes of input it took.
    pub taken: usize,
    /// The head as the client gets it.
    pub bytes: Vec<u8>,
    /// How many bytes of body follow.
    pub body_bytes: u64,
    /// The name of the body, where it does not follow because it was [`handed`].
    pub handed: Option<u64>,
}

/// Reads a head from within; none while it is not all there.
///
/// # Errors
/// When it is no reply, or one without a length.
pub fn read(input: &[u8], asked: ReplyContext) -> Result<Option<ReplyHead>, &'static str> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut reply = httparse::Response::new(&mut fields);
    let taken = match reply.parse(input) {
        Ok(httparse::Status::Complete(taken)) => taken,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err("what came from within is no reply"),
    };
    let status = reply.code.unwrap_or_default();
    let mut bytes = Vec::with_capacity(taken + 64);
    start(&mut bytes, status);
    let (mut length, mut handed) = (None, None);
    let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok();
    for field in reply.headers.iter() {
        let is = |known: &str| field.name.eq_ignore_ascii_case(known);
        if is("Content-Length") {
            length = number(field.value);
        } else if is(body_handoff::FIELD) {
            handed = number(field.value);
        } else if !is("Connection") && !is("Server") {
            bytes.extend_from_slice(field.name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(field.value);
            bytes.extend_from_slice(b"\r\n");
        }
    }
    let length = length.or((status == 204 || status == 304).then_some(0));
    let length = length.ok_or("a reply from within has no length")?;
    let body_bytes = finish(&mut bytes, status, length, asked);
    Ok(Some(ReplyHead {
        taken,
        bytes,
        body_bytes: if handed.is_none() { body_bytes } else { 0 },
        handed,
    }))
}

/// An answer as it goes over a connection: its head, and its body unless that is left out.
pub fn write(answer: &Response, asked: ReplyContext, at_us: i64) -> (Vec<u8>, &[u8]) {
    let mut bytes = Vec::with_capacity(512);
    start(&mut bytes, answer.status);
    // Writing to memory cannot fail.
    if let Some(date) = DateTime::from_timestamp_micros(at_us) {
        let _ = write!(
            bytes,
            "Date: {}\r\n",
            date.format("%a, %d %b %Y %H:%M:%S GMT")
        );
    }
    for (name, value) in &answer.headers {
        // A line end in a value would begin a field that nobody meant.
        if !value.chars().any(char::is_control) {
            let _ = write!(bytes, "{name}: {value}\r\n");
        }
    }
    let left = finish(&mut bytes, answer.status, answer.body.len() as u64, asked);
    (bytes, if left > 0 { &answer.body } else { &[] })
}

fn start(bytes: &mut Vec<u8>, status: u16) {
    let _ = write!(bytes, "HTTP/1.1 {status} {}\r\n", title(status));
}

/// Writes the fields about framing and connection, and the head's end; how long the body is.
fn finish(bytes: &mut Vec<u8>, status: u16, length: u64, asked: ReplyContext) -> u64 {
    let bodiless = status < 200 || status == 204 || status == 304;
    if !bodiless {
        let _ = write!(bytes, "Content-Length: {length}\r\n");
    }
    if !asked.keep_alive {
        bytes.extend_from_slice(b"Connection: close\r\n");
    } else if !asked.is_1_1 {
        bytes.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    if bodiless || asked.is_head { 0 } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: ReplyContext = ReplyContext {
        is_head: false,
        is_1_1: true,
        keep_alive: true,
    };

    fn text(input: &str, asked: ReplyContext) -> (String, u64) {
        let head = read(input.as_bytes(), asked)
            .expect("a reply")
            .expect("whole");
        (
            String::from_utf8(head.bytes).expect("ASCII"),
            head.body_bytes,
        )
    }

    #[test]
    fn a_head_from_within_is_written_for_the_client() {
        let upstream = "HTTP/1.1 200 OK\r\nServer: x\r\nX-A: b\r\nContent-Length: 3\r\n\r\nabc";
        let outer = "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(text(upstream, CONTEXT), (outer.to_owned(), 3));
        for length in 0..upstream.len() - 3 {
            assert_eq!(read(&upstream.as_bytes()[..length], CONTEXT), Ok(None));
        }
        let head = ReplyContext {
            is_head: true,
            keep_alive: false,
            ..CONTEXT
        };
        let (outer, body) = text(upstream, head);
        assert!(
            outer.ends_with("Content-Length: 3\r\nConnection: close\r\n\r\n"),
            "{outer}"
        );
        assert_eq!(body, 0);
        let old = ReplyContext {
            is_1_1: false,
            ..CONTEXT
        };
        assert!(text(upstream, old).0.contains("Connection: keep-alive"));
        let (none, body) = text(
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            CONTEXT,
        );
        assert_eq!(
            (none.as_str(), body),
            ("HTTP/1.1 204 No Content\r\n\r\n", 0)
        );
        assert!(read(b"HTTP/1.1 200 OK\r\n\r\n", CONTEXT).is_err());
    }

    #[test]
    fn a_body_that_was_handed_is_named_to_the_door_alone() {
        let upstream = "HTTP/1.1 200 OK\r\nFrontend-Body: 7\r\nContent-Length: 3\r\n\r\n";
        let head = read(upstream.as_bytes(), CONTEXT).unwrap().unwrap();
        assert_eq!((head.handed, head.body_bytes), (Some(7), 0));
        assert_eq!(
            String::from_utf8(head.bytes).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
        );
    }

    #[test]
    fn an_answer_of_the_door_has_a_date() {
        let answer = Response::problem(400, "say please");
        let (head, body) = write(&answer, CONTEXT, 784_111_777_000_000);
        let text = String::from_utf8([&head, body].concat()).expect("UTF-8");
        assert!(
            text.starts_with("HTTP/1.1 400 Bad Request\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        );
        assert!(
            text.contains("\r\n\r\n{") && text.contains("say please"),
            "{text}"
        );
    }
}
