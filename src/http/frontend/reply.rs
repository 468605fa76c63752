//! Replies: writes an answer for the client. Pure: takes a value, returns bytes.

use std::io::Write;

use chrono::DateTime;

use crate::http::response::{Response, title};

/// The request's traits that shape its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyContext {
    /// Whether the body is omitted.
    pub is_head: bool,
    /// Whether the client uses 1.1, not 1.0.
    pub is_1_1: bool,
    /// Whether the connection stays open.
    pub keep_alive: bool,
}

/// The head of an answer to the request with this id, and whether its body follows.
pub fn head(answer: &Response, context: ReplyContext, id: &str, at_us: i64) -> (Vec<u8>, bool) {
    let status = answer.status;
    let mut bytes = Vec::with_capacity(512);
    // Writing to memory cannot fail.
    let _ = write!(bytes, "HTTP/1.1 {status} {}\r\n", title(status));
    if let Some(date) = DateTime::from_timestamp_micros(at_us) {
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT");
        let _ = write!(bytes, "Date: {date}\r\n");
    }
    let _ = write!(bytes, "X-Request-Id: {id}\r\n");
    for (name, value) in &answer.headers {
        // A line end in a value would start another field; `Connection` is set below.
        if *name != "Connection" && !value.chars().any(char::is_control) {
            let _ = write!(bytes, "{name}: {value}\r\n");
        }
    }
    let bodiless = status < 200 || status == 204 || status == 304;
    if !bodiless {
        let _ = write!(bytes, "Content-Length: {}\r\n", answer.body_bytes());
    }
    if !context.keep_alive {
        bytes.extend_from_slice(b"Connection: close\r\n");
    } else if !context.is_1_1 {
        bytes.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    (bytes, !bodiless && !context.is_head)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: ReplyContext = ReplyContext {
        is_head: false,
        is_1_1: true,
        keep_alive: true,
    };

    fn text(answer: &Response, context: ReplyContext) -> (String, bool) {
        let (head, has_body) = head(answer, context, "7", 784_111_777_000_000);
        (String::from_utf8(head).expect("UTF-8"), has_body)
    }

    #[test]
    fn a_head_has_status_date_fields_and_length() {
        let answer = Response::new(200, "text/plain", b"abc".to_vec()).with("X-A", "b");
        let answer = answer.with("X-Evil", "a\r\nX-B: c");
        let expected = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Request-Id: 7\r\nContent-Type: text/plain\r\n\
                        Cache-Control: no-store\r\nX-A: b\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(text(&answer, CONTEXT), (expected.to_owned(), true));
    }

    #[test]
    fn the_request_decides_on_body_and_connection() {
        let answer = Response::problem(400, "say please");
        let context = ReplyContext {
            is_head: true,
            keep_alive: false,
            ..CONTEXT
        };
        let (head, has_body) = text(&answer, context);
        assert!(head.ends_with("\r\nConnection: close\r\n\r\n"), "{head}");
        assert!(!has_body && head.contains("Content-Length: "), "{head}");
        let old = ReplyContext {
            is_1_1: false,
            ..CONTEXT
        };
        assert!(text(&answer, old).0.contains("Connection: keep-alive"));
        let (head, has_body) = text(&Response::empty(204), CONTEXT);
        assert!(!has_body && !head.contains("Content-Length"), "{head}");
    }
}
